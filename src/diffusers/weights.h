#pragma once

// The weights of a network as diffusers keeps them in a component's directory, in this order of preference:
//   diffusion_pytorch_model.safetensors.index.json   names the shards, {"weight_map": {"<tensor>": "<file>"}}
//   diffusion_pytorch_model.safetensors
//   the only variant: diffusion_pytorch_model.fp16.safetensors, or
//     diffusion_pytorch_model.safetensors.index.fp16.json
// Tensors may be F32, F16, BF16 or F64, and those of attention may have the names of before 2023 (query, key,
// value, proj_attn), in shards too: the meaning is the same.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors.h"
#include "plan/param_store.h"

namespace diffusion {

inline constexpr const char* kWeightsFile = "diffusion_pytorch_model.safetensors";
// Of a text encoder, which is transformers': the same rules for files that are called model.safetensors and
// so on.
inline constexpr const char* kTextWeightsFile = "model.safetensors";

class WeightFiles {
 public:
  // Error(bad_input) or Error(io) naming the file: no weights, several variants, Python pickles, a broken
  // rule of safetensors, an index that does not fit its shards or names files outside of the directory.
  // `plain` is the name of the one file.
  static WeightFiles open(const std::filesystem::path& directory, std::string_view plain = kWeightsFile);

  // Views live as long as this object. nullptr: there is none.
  const TensorView* find(std::string_view name) const;
  // The names of those that hold weights and are not among these.
  std::vector<std::string> unused(const std::set<const TensorView*>& used) const;

  const std::filesystem::path& source() const { return source_; }  // the one file, or the index
  const std::vector<std::filesystem::path>& paths() const { return paths_; }
  std::vector<std::string> dtypes() const;  // as in the files, each once, sorted: {"BF16", "F32"}
  std::uint64_t data_bytes() const;

 private:
  std::filesystem::path source_;
  std::vector<std::filesystem::path> paths_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, const TensorView*, std::less<>> tensors_;
};

// A component's weights: those of the parameters whose names begin with `prefix`. In its files a name may
// lack the prefix, as in what transformers 5 writes.
struct WeightPart {
  const WeightFiles& files;
  std::string_view prefix;

  const TensorView* find(std::string_view name) const;  // nullptr: there is none
};

// Every parameter of the layout, from the first part whose prefix its name begins with. Error(bad_input)
// naming tensors that are missing, of another shape or dtype, or unknown to the layout; memory is asked for
// only after that.
ParamStore read_weights(std::span<const WeightPart> parts, ParamLayout layout);
ParamStore read_weights(const WeightFiles& files, ParamLayout layout);  // of a single component

// The same, numbers staying in the files as far as they can be used as they lie there: matrices and
// convolution kernels of F32, F16 or BF16, and vectors of F32, that are a parameter by themselves. Of memory
// are stacked ones, with the dtype of the file, and all others as f32: norms and biases of 16 bits, F64. The
// store keeps the mapped files.
struct MappedWeights {
  WeightFiles files;
  std::string prefix;  // as of WeightPart
};
ParamStore map_weights(std::vector<MappedWeights> parts, ParamLayout layout);

}  // namespace diffusion
