#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/tensor.h"
#include "graph/graph.h"

namespace diffusion {

// Where each named tensor of a graph lies in a flat block of floats.
class ParamLayout {
 public:
  struct Entry {
    std::string name;
    std::vector<std::int64_t> dims;
    std::size_t offset;  // in floats
    std::size_t size;
    Init init;
    bool trainable;
  };

  explicit ParamLayout(const Graph& graph);

  const std::vector<Entry>& entries() const { return entries_; }
  const Entry* find(std::string_view name) const;  // nullptr if there is none
  std::size_t param_count() const { return param_offset_.size(); }
  std::size_t param_offset(int param) const { return param_offset_.at(std::size_t(param)); }
  // The tensors of a parameter, one after the other.
  std::span<const Entry> parts(int param) const;
  std::size_t block_size() const { return block_size_; }  // floats of a flat block, gaps included
  std::int64_t parameter_count() const;                   // without gaps

 private:
  std::vector<Entry> entries_;
  std::vector<std::size_t> param_offset_;  // by index into Graph::params()
  std::vector<std::size_t> first_entry_;   // the same
  std::size_t block_size_ = 0;
};

// The numbers of a parameter in the layout of checkpoints, of any of the types that they have in files.
struct ParamNumbers {
  DType dtype = DType::f32;  // f32, bf16 or f16
  const void* data = nullptr;
};

// The weights of a network on the host in the layout of checkpoints: what files hold and a model has. Several
// plans (batch sizes, modes, devices, threads) may read one store; plan/learned_params.h is for those who
// train.
//
// Its numbers are one flat f32 block, which may be changed; or they stay as and where files have them, mapped
// into memory, for networks of which a copy would be too large. Those serve inference alone.
class ParamStore {
 public:
  // A flat block of zeros.
  explicit ParamStore(ParamLayout layout);
  // Numbers that stay where they are, one for each parameter of the graph. `owner` keeps them, and has taken
  // `own_bytes` of memory for those that no file has as they are wanted.
  ParamStore(ParamLayout layout, std::vector<ParamNumbers> numbers, std::shared_ptr<const void> owner,
             std::size_t own_bytes);

  const ParamLayout& layout() const { return layout_; }

  bool is_flat() const { return in_place_.empty(); }
  ParamNumbers numbers(int param) const;
  // Memory for numbers, without that of mapped files.
  std::size_t own_bytes() const { return own_bytes_; }
  // The same numbers as a flat block, which are never changed by it: f32 has all values of bf16 and f16.
  ParamStore to_flat() const;

  // Of a flat block; else Error(internal).
  std::span<float> values();
  std::span<const float> values() const;
  std::span<float> values(const ParamLayout::Entry& e) { return values().subspan(e.offset, e.size); }
  std::span<const float> values(const ParamLayout::Entry& e) const {
    return values().subspan(e.offset, e.size);
  }

  // Each parameter from its Init, keyed by (seed, name): independent of order and of other parameters.
  void initialize(std::uint64_t seed);

  // Whoever changes values() says so; plans then repack their weights before the next forward.
  void mark_changed() { ++version_; }
  std::uint64_t version() const { return version_; }

 private:
  void require_flat() const;

  ParamLayout layout_;
  Buffer<float> values_;                // either these
  std::vector<ParamNumbers> in_place_;  // or these
  std::shared_ptr<const void> owner_;
  std::size_t own_bytes_;
  std::uint64_t version_ = 1;
};

// The numbers as f32, exactly; as many as `to` has.
void read_numbers(const ParamNumbers& from, std::span<float> to);

}  // namespace diffusion
