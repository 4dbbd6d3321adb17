#include "cli/commands/eval_features.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "base/progress.h"
#include "cli/options/model_path.h"
#include "data/cache_folder.h"
#include "device/cpu/cpu_device.h"
#include "eval/feature_cache.h"
#include "eval/inception.h"
#include "files/folders.h"

namespace diffusion {

namespace {

constexpr int kWorthKeeping = 5000;  // images; features of fewer take but seconds

}  // namespace

EvalNetwork read_eval_network(const EvalOptions& o) {
  if (o.features.empty()) {
    if (const auto shipped = find_shipped(o.data + "-features")) return read_feature_network(*shipped);
    throw Error(ErrorKind::usage, fmt::format("the program comes with no feature network for \"{0}\"; make "
                                              "one with diffusion train-features --data {0} "
                                              "-o DIR, and give it as --features DIR",
                                              o.data));
  }
  const std::filesystem::path path = o.features;
  const bool is_file = is_plain_file(path) || (path.has_extension() && !is_folder(path));
  if (is_file) return read_inception(path);
  return read_feature_network(path);
}

const ClassifierConfig* classifier_of(const EvalNetwork& net) {
  const auto* classifier = std::get_if<FeatureNetwork>(&net);
  return classifier ? &classifier->classifier.config : nullptr;
}

std::string_view name_of(const EvalNetwork& net) {
  return classifier_of(net) ? "classifier" : "inception-v3";
}

const std::string& sha256_of(const EvalNetwork& net) {
  return std::visit([](const auto& network) -> const std::string& { return network.sha256; }, net);
}

Extractor::Extractor(EvalNetwork& net, bool quiet)
    : net_(net), quiet_(quiet), device_(make_cpu_device(Precision::f32)) {}

Extracted Extractor::of(const Dataset& images, const char* what) {
  Progress progress(what, images.count(), quiet_, "images");
  const auto show = [&](double share) { progress.update(share); };
  if (auto* inception = std::get_if<InceptionNetwork>(&net_))
    return {inception_features(*inception, images, *device_, show), {}};
  return extract_features(std::get<FeatureNetwork>(net_).classifier, images, *device_, show);
}

Extracted Extractor::of_real(const Dataset& images, const char* what) {
  if (images.count() < kWorthKeeping) return of(images, what);
  const std::filesystem::path cache = cache_folder();
  return cached_features(cache.empty() ? cache : cache / "features",
                         fmt::format("{} {}, {}", name_of(net_), sha256_of(net_), cpu_description()), images,
                         [&] { return of(images, what); });
}

}  // namespace diffusion
