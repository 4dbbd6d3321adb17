#include "plan/param_store.h"

#include <algorithm>
#include <string_view>

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

ParamStore::ParamStore(ParamLayout layout) : layout_(std::move(layout)), values_(layout_.block_size()) {}

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
