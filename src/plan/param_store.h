#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
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
  std::size_t param_offset(int param) const { return param_offset_.at(std::size_t(param)); }
  std::size_t block_size() const { return block_size_; }  // floats of a flat block, gaps included
  std::int64_t parameter_count() const;                   // without gaps

 private:
  std::vector<Entry> entries_;
  std::vector<std::size_t> param_offset_;  // by index into Graph::params()
  std::size_t block_size_ = 0;
};

// The weights of a network on the host, one flat f32 block in the layout of checkpoints: what files hold and
// a model has. Several plans (batch sizes, modes, devices, threads) may read one store; plan/learned_params.h
// is for those who train.
class ParamStore {
 public:
  explicit ParamStore(ParamLayout layout);

  const ParamLayout& layout() const { return layout_; }
  std::span<float> values() { return values_.span(); }
  std::span<const float> values() const { return values_.span(); }
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
  ParamLayout layout_;
  Buffer<float> values_;
  std::uint64_t version_ = 1;
};

}  // namespace diffusion
