#include "plan/param_store.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <diffusion/error.h>
#include "base/float16.h"
#include "base/rng.h"

namespace diffusion {

namespace {

constexpr std::size_t kFloatsOfALine = 16;  // floats: every parameter starts on a cache line

std::size_t product(const std::vector<std::int64_t>& dims) {
  std::size_t p = 1;
  for (std::int64_t d : dims) p *= std::size_t(d);
  return p;
}

std::uint32_t hash(std::string_view name) {  // FNV-1a
  std::uint32_t h = 2166136261u;
  for (char c : name) h = (h ^ std::uint8_t(c)) * 16777619u;
  return h;
}

}  // namespace

ParamLayout::ParamLayout(const Graph& graph) {
  for (const Param& param : graph.params()) {
    block_size_ = (block_size_ + kFloatsOfALine - 1) / kFloatsOfALine * kFloatsOfALine;
    param_offset_.push_back(block_size_);
    first_entry_.push_back(entries_.size());
    for (const ParamPart& part : param.parts) {
      entries_.push_back(
          {part.name, part.dims, block_size_, product(part.dims), param.init, param.trainable});
      block_size_ += entries_.back().size;
    }
  }
}

const ParamLayout::Entry* ParamLayout::find(std::string_view name) const {
  const auto at = std::ranges::find(entries_, name, &Entry::name);
  return at == entries_.end() ? nullptr : &*at;
}

std::int64_t ParamLayout::parameter_count() const {
  std::int64_t count = 0;
  for (const Entry& e : entries_) count += std::int64_t(e.size);
  return count;
}

std::span<const ParamLayout::Entry> ParamLayout::parts(int param) const {
  const auto index = std::size_t(param), begin = first_entry_.at(index);
  const std::size_t end = index + 1 < first_entry_.size() ? first_entry_[index + 1] : entries_.size();
  return std::span(entries_).subspan(begin, end - begin);
}

ParamStore::ParamStore(ParamLayout layout)
    : layout_(std::move(layout)),
      values_(layout_.block_size()),
      own_bytes_(layout_.block_size() * sizeof(float)) {}

ParamStore::ParamStore(ParamLayout layout, std::vector<ParamNumbers> numbers,
                       std::shared_ptr<const void> owner, std::size_t own_bytes)
    : layout_(std::move(layout)),
      in_place_(std::move(numbers)),
      owner_(std::move(owner)),
      own_bytes_(own_bytes) {
  if (in_place_.empty() || in_place_.size() != layout_.param_count())
    throw Error(ErrorKind::internal, "parameters: each needs numbers");
}

void ParamStore::require_flat() const {
  if (!is_flat()) throw Error(ErrorKind::internal, "parameters: those of mapped files have no flat block");
}

std::span<float> ParamStore::values() {
  require_flat();
  return values_.span();
}

std::span<const float> ParamStore::values() const {
  require_flat();
  return values_.span();
}

ParamNumbers ParamStore::numbers(int param) const {
  if (!is_flat()) return in_place_.at(std::size_t(param));
  return {DType::f32, values_.data() + layout_.param_offset(param)};
}

ParamStore ParamStore::to_flat() const {
  ParamStore flat(layout_);
  const auto count = std::int64_t(layout_.param_count());
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t i = 0; i < count; ++i) {
    std::size_t size = 0;
    for (const ParamLayout::Entry& part : layout_.parts(int(i))) size += part.size;
    read_numbers(numbers(int(i)), flat.values_.span().subspan(layout_.param_offset(int(i)), size));
  }
  return flat;
}

void read_numbers(const ParamNumbers& from, std::span<float> to) {
  const auto* half = static_cast<const std::uint16_t*>(from.data);
  if (from.dtype == DType::bf16)
    std::transform(half, half + to.size(), to.begin(), from_bf16);
  else if (from.dtype == DType::f16)
    std::transform(half, half + to.size(), to.begin(), from_f16);
  else
    std::copy_n(static_cast<const float*>(from.data), to.size(), to.begin());
}

void ParamStore::initialize(std::uint64_t seed) {
  for (const ParamLayout::Entry& entry : layout_.entries()) {
    const std::span<float> v = values(entry);
    const RandomKey key{seed, Stream::init, hash(entry.name), 0};
    switch (entry.init.kind) {
      case Init::Kind::zeros:
        std::ranges::fill(v, 0.f);
        break;
      case Init::Kind::ones:
        std::ranges::fill(v, 1.f);
        break;
      case Init::Kind::uniform:
        for (std::size_t i = 0; i < v.size(); ++i)
          v[i] = float(entry.init.scale * (2 * uniform(key, std::uint32_t(i)) - 1));
        break;
      case Init::Kind::normal:
        fill_normal(key, v);
        for (float& x : v) x *= float(entry.init.scale);
        break;
    }
  }
  mark_changed();
}

}  // namespace diffusion
