#include "eval/inception_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include <diffusion/error.h>
#include "eval/inception_graph.h"
#include "files/sha256.h"
#include "formats/safetensors.h"

namespace diffusion {

namespace {

constexpr double kBatchNormEps = 1e-3;
constexpr int kOutputs = 1008, kOutputsOfTorchvision = 1000;
constexpr std::string_view kWeight = ".weight";
constexpr const char* kAccepted =
    "accepted are the weights of the TensorFlow graph of 2015-12-05 with the names of pytorch-fid and "
    "torch-fidelity: of 94 convolutions NAME.conv.weight, NAME.bn.weight, .bn.bias, .bn.running_mean and "
    ".bn.running_var, and fc.weight [1008, 2048] and fc.bias [1008]";

using Dims = std::vector<std::int64_t>;

std::string text_of(const Dims& dims) {
  return fmt::format("[{}]", fmt::join(dims, ", "));
}

// A file with the names that were asked for, so that those that were not can be told.
class Weights {
 public:
  explicit Weights(const std::filesystem::path& path)
      : path_(path.string()), file_(SafetensorsFile::open(path)) {}

  const TensorView& need(const std::string& name, const Dims& dims) {
    known_.insert(name);
    const TensorView* tensor = file_.find(name);
    if (!tensor) refuse(fmt::format("there is no tensor {}", name));
    if (tensor->dims != dims)
      refuse(fmt::format("tensor {} is {}, expected {}", name, text_of(tensor->dims), text_of(dims)));
    if (!holds_floats(*tensor)) refuse(fmt::format("tensor {} is of type {}", name, tensor->dtype));
    return *tensor;
  }
  std::vector<float> values(const std::string& name, const Dims& dims) {
    const TensorView& tensor = need(name, dims);
    std::vector<float> result(std::size_t(tensor.elements()));
    read_f32(tensor, result);
    return result;
  }
  void check_classes() {
    const TensorView* fc = file_.find("fc.weight");
    if (fc && fc->dims == Dims{kOutputsOfTorchvision, kInceptionFeatures})
      refuse(
          "fc.weight is [1000, 2048], so these are torchvision's weights, another network: it was trained "
          "anew and pools otherwise, and its distances are not FID");
    need("fc.weight", {kOutputs, kInceptionFeatures});
    need("fc.bias", {kOutputs});
  }
  void refuse_unknown() const {
    for (const TensorView& tensor : file_.tensors())
      if (!known_.contains(tensor.name) && !tensor.name.ends_with(".bn.num_batches_tracked"))
        refuse(fmt::format("the network has no tensor {}", tensor.name));
  }
  [[noreturn]] void refuse(std::string_view reason) const {
    throw Error(ErrorKind::bad_input, fmt::format("{}: {}; {}.", path_, reason, kAccepted));
  }

 private:
  std::string path_;
  SafetensorsFile file_;
  std::set<std::string, std::less<>> known_;
};

// gamma (w x - mean) / sqrt(var + eps) + beta as one convolution, computed in double.
void fold(Weights& file, const std::string& name, const Dims& dims, std::span<float> weight,
          std::span<float> bias) {
  const Dims channels{dims.front()};
  const std::vector<float> plain = file.values(name + ".conv.weight", dims),
                           gamma = file.values(name + ".bn.weight", channels),
                           beta = file.values(name + ".bn.bias", channels),
                           mean = file.values(name + ".bn.running_mean", channels),
                           variance = file.values(name + ".bn.running_var", channels);
  const std::size_t of_channel = weight.size() / bias.size();
  for (std::size_t k = 0; k < bias.size(); ++k) {
    if (!(variance[k] >= 0))
      file.refuse(fmt::format("{}.bn.running_var holds {}; a variance is not negative", name, variance[k]));
    const double scale = double(gamma[k]) / std::sqrt(double(variance[k]) + kBatchNormEps);
    bias[k] = float(double(beta[k]) - double(mean[k]) * scale);
    bool finite = std::isfinite(bias[k]);
    for (std::size_t i = k * of_channel; i < (k + 1) * of_channel; ++i) {
      weight[i] = float(double(plain[i]) * scale);
      finite = finite && std::isfinite(weight[i]);
    }
    if (!finite)
      file.refuse(fmt::format("{} is not finite in output channel {}; weights must be finite", name, k));
  }
}

}  // namespace

InceptionNetwork read_inception(const std::filesystem::path& path) {
  if (path.extension() == ".pth" || path.extension() == ".pt")
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} is a file of PyTorch; weights of Inception-v3 are taken as .safetensors, which "
                    "docs/evaluation.md says how to make of it.",
                    path.string()));
  Weights file(path);
  file.check_classes();
  InceptionNetwork net{ParamStore(ParamLayout(make_inception_graph(1).graph)), {}};
  for (const ParamLayout::Entry& entry : net.params.layout().entries()) {
    if (!entry.name.ends_with(kWeight)) continue;
    const std::string name = entry.name.substr(0, entry.name.size() - kWeight.size());
    fold(file, name, entry.dims, net.params.values(entry),
         net.params.values(*net.params.layout().find(name + ".bias")));
  }
  file.refuse_unknown();
  net.sha256 = sha256_of_file(path);
  return net;
}

}  // namespace diffusion
