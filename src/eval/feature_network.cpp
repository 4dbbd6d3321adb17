#include "eval/feature_network.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include <diffusion/models.h>
#include "data/cache_folder.h"
#include "eval/feature_cache.h"
#include "eval/inception.h"
#include "files/folders.h"

namespace diffusion {

namespace {

constexpr int kWorthKeeping = 5000;  // images; features of fewer take but seconds

}  // namespace

EvalNetwork read_eval_network(const std::string& features, const std::string& data) {
  if (features.empty()) {
    if (const auto shipped = find_shipped(data + "-features")) return read_feature_network(*shipped);
    throw Error(
        ErrorKind::usage,
        fmt::format("no feature network for \"{}\" comes with the program; name one that was made for it "
                    "with diffusion train-features",
                    data),
        {"features"});
  }
  const std::filesystem::path path = features;
  const bool is_file = is_plain_file(path) || (path.has_extension() && !is_folder(path));
  if (is_file) return read_inception(path);
  return read_feature_network(path);
}

FeatureNetwork read_classifier(const std::string& name) {
  if (is_folder(name)) return read_feature_network(name);
  if (const auto shipped = find_shipped(name + "-features")) return read_feature_network(*shipped);
  throw Error(ErrorKind::usage,
              fmt::format("there is no classifier \"{}\"; accepted are a directory of diffusion "
                          "train-features, or the name of a data set for which one comes with the program "
                          "(fashion-mnist, spoken-digits)",
                          name),
              {"classifier"});
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

Extractor::Extractor(EvalNetwork& net, EvaluationWatch watch)
    : net_(net), watch_(std::move(watch)), device_(make_cpu_device(Precision::f32)) {}

Extracted Extractor::of(const Dataset& images, std::string_view part) {
  const auto show = [&](double share) {
    if (watch_) watch_({part, share, images.count()});
  };
  if (auto* inception = std::get_if<InceptionNetwork>(&net_))
    return {inception_features(*inception, images, *device_, show), {}};
  return extract_features(std::get<FeatureNetwork>(net_).classifier, images, *device_, show);
}

Extracted Extractor::of_real(const Dataset& images, std::string_view part) {
  if (images.count() < kWorthKeeping) return of(images, part);
  const std::filesystem::path cache = cache_folder();
  return cached_features(cache.empty() ? cache : cache / "features",
                         fmt::format("{} {}, {}", name_of(net_), sha256_of(net_), cpu_description()), images,
                         [&] { return of(images, part); });
}

}  // namespace diffusion
