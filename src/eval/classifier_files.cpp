#include "eval/classifier_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include <diffusion/error.h>
#include "files/fs.h"
#include "files/sha256.h"
#include "formats/json_fields.h"
#include "formats/safetensors.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr const char* kWeights = "features.safetensors";
constexpr const char* kFacts = "features.json";
constexpr std::uint64_t kMostFactBytes = 16 << 20;

Json::Array numbers(std::span<const int> values) {
  return Json::Array(values.begin(), values.end());
}

Json to_json(const ClassifierConfig& config) {
  return Json::Object{{"sample_size", numbers(config.sample_size)},
                      {"channels", config.channels},
                      {"class_names", Json::Array(config.class_names.begin(), config.class_names.end())},
                      {"widths", numbers(config.widths)},
                      {"blocks", config.blocks},
                      {"groups", config.groups}};
}

ClassifierConfig parse_config(const Json& json, const std::string& source) {
  const JsonFields fields(json, source);
  ClassifierConfig config;
  constexpr int kMostWidth = 4096, kMostSide = 4096;
  const std::vector<int> size = fields.whole_numbers("sample_size", {}, 1, kMostSide);
  if (size.size() != 2)
    throw Error(ErrorKind::bad_input, fmt::format("{} has {} numbers, expected height and width.",
                                                  fields.where("sample_size"), size.size()));
  config.sample_size = {size[0], size[1]};
  config.channels = fields.whole_number("channels", 1, 1, 4);
  config.widths = fields.whole_numbers("widths", {}, 1, kMostWidth);
  config.blocks = fields.whole_number("blocks", 1, 1, 64);
  config.groups = fields.whole_number("groups", 1, 1, kMostWidth);
  for (const Json& name : to_array(fields.need("class_names"), fields.where("class_names")))
    config.class_names.push_back(to_string(name, fields.where("class_names")));
  if (const auto unknown = fields.unknown(); !unknown.empty())
    throw Error(ErrorKind::bad_input, fmt::format("{} is not known.", fields.where(unknown.front())));
  return config;
}

ParamStore read_params(const fs::path& path, ParamLayout layout) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (const auto& entry : layout.entries()) {
    const TensorView* tensor = file.find(entry.name);
    if (!tensor || tensor->dims != entry.dims)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{}: tensor {} is {}.", path.string(), entry.name,
                              tensor ? "of another shape than features.json says" : "missing"));
  }
  if (file.tensors().size() != layout.entries().size())
    throw Error(ErrorKind::bad_input,
                fmt::format("{} has {} tensors; the network of features.json has {}.", path.string(),
                            file.tensors().size(), layout.entries().size()));
  ParamStore params(std::move(layout));
  for (const auto& entry : params.layout().entries()) read_f32(*file.find(entry.name), params.values(entry));
  return params;
}

}  // namespace

std::string write_feature_network(const fs::path& directory, const Classifier& classifier, Json origin) {
  AtomicDirectory files(directory);
  std::vector<TensorToWrite> tensors;
  for (const auto& entry : classifier.params.layout().entries())
    tensors.push_back({entry.name, entry.dims, classifier.params.values().subspan(entry.offset, entry.size)});
  write_safetensors(files.path() / kWeights, tensors);
  const std::string hash = sha256_of_file(files.path() / kWeights);
  const Json facts = Json::Object{
      {"architecture", to_json(classifier.config)}, {"sha256", hash}, {"origin", std::move(origin)}};
  write_file(files.path() / kFacts, dump_json(facts, 2) + "\n");
  files.commit();
  return hash;
}

FeatureNetwork read_feature_network(const fs::path& directory) {
  const fs::path facts_path = directory / kFacts, weights_path = directory / kWeights;
  const std::string source = facts_path.string();
  const Json facts = parse_json(read_text_file(facts_path, kMostFactBytes), source);
  const ClassifierConfig config =
      parse_config(member(facts, "architecture", source), source + ": field architecture");
  const std::string& recorded = to_string(member(facts, "sha256", source), source + ": field sha256");
  const std::string hash = sha256_of_file(weights_path);
  if (hash != recorded)
    throw Error(ErrorKind::bad_input, fmt::format("{} has the SHA-256 {}; {} says {}.", weights_path.string(),
                                                  hash, source, recorded));
  const auto layout = [&] {
    try {
      return ParamLayout(make_classifier_graph(config, 1).graph);
    } catch (const Error& error) {
      throw Error(ErrorKind::bad_input, fmt::format("{}: field architecture: {}", source, error.what()));
    }
  }();
  const Json* origin = facts.find("origin");
  return {{config, read_params(weights_path, layout)}, hash, origin ? *origin : Json(nullptr)};
}

}  // namespace diffusion
