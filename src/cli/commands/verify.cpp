#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "cli/commands/commands.h"
#include "cli/options/model_path.h"
#include "cli/options/options.h"
#include "diffusers/pipeline.h"
#include "diffusion/golden_pass.h"
#include "diffusion/model.h"
#include "files/folders.h"
#include "files/fs.h"
#include "formats/manifest.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

struct VerifyOptions {
  std::string model;
  bool json = false;
};

// One line of the report.
struct Check {
  std::string name;
  std::optional<bool> passed;  // none: there was nothing to compare with
  std::string detail;
};

std::optional<Json> read_if_there(const fs::path& path) {
  constexpr std::uint64_t kMaxBytes = 16 << 20;
  if (!path_exists(path)) return std::nullopt;
  return parse_json(read_text_file(path, kMaxBytes), path.string());
}

// Every file that a checkpoint's manifest.json or a converted model's diffusion.json names.
void check_files(const fs::path& pipeline, std::vector<Check>& checks) {
  for (const char* name : {"manifest.json", "diffusion.json"}) {
    const std::optional<Json> list = read_if_there(pipeline / name);
    const Json* files = list ? list->find("files") : nullptr;
    if (!files) continue;
    const std::string source = (pipeline / name).string();
    const std::vector<ManifestCheck> found = check_manifest(pipeline, *files, source);
    for (const ManifestCheck& file : found)
      if (!file.defect.empty())
        checks.push_back({"files", false, fmt::format("{} {}", file.file, file.defect)});
    if (std::ranges::all_of(found, &std::string::empty, &ManifestCheck::defect))
      checks.push_back(
          {"files", true, fmt::format("{} files are as recorded, by size and SHA-256", found.size())});
    return;
  }
  checks.push_back({"files", std::nullopt, "no SHA-256 is recorded; diffusion convert records them"});
}

void check_numbers(Model& model, std::vector<Check>& checks) {
  bool all_finite = true;
  for (const ParamLayout::Entry& entry : model.params.layout().entries()) {
    const std::span<const float> values = model.params.values(entry);
    const auto nans = std::ranges::count_if(values, [](float v) { return std::isnan(v); });
    const auto infinities = std::ranges::count_if(values, [](float v) { return std::isinf(v); });
    if (nans + infinities == 0) continue;
    all_finite = false;
    checks.push_back({"numbers", false,
                      fmt::format("tensor {} holds {} NaN and {} infinite values among {}", entry.name, nans,
                                  infinities, values.size())});
  }
  if (all_finite)
    checks.push_back(
        {"numbers", true,
         fmt::format("{} parameters in {} tensors are finite", model.params.layout().parameter_count(),
                     model.params.layout().entries().size())});
}

void check_forward(Model& model, const fs::path& pipeline, std::vector<Check>& checks) {
  const auto device = make_cpu_device(Precision::f32);
  const fs::path path = pipeline / "diffusion.json";
  const std::optional<Json> extras = read_if_there(path);
  const Json* golden = extras ? extras->find("golden") : nullptr;
  if (!golden) {
    const GoldenPass now = make_golden_pass(model, *device);
    const bool finite = std::ranges::all_of(
        now.levels, [](const GoldenPass::Level& level) { return std::isfinite(level.std); });
    checks.push_back({"forward", finite,
                      finite ? "no forward pass is recorded; one of noise gives finite values"
                             : "the network gives NaN or infinity"});
    return;
  }
  const GoldenPass recorded = parse_golden_pass(*golden, path.string());
  std::vector<double> times;
  for (const GoldenPass::Level& level : recorded.levels) times.push_back(level.time);
  const double difference =
      largest_difference(recorded, run_golden_pass(model, *device, recorded.size, times));
  checks.push_back({"forward", difference <= kGoldenTolerance,
                    fmt::format("the recorded forward pass {}: difference {:.1e}, accepted {}",
                                difference <= kGoldenTolerance ? "is reproduced" : "comes out otherwise",
                                difference, kGoldenTolerance)});
}

// Runs one group of checks; what it throws about the files is its result.
template <class Function>
bool attempt(const char* name, std::vector<Check>& checks, Function function) {
  try {
    function();
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::memory || error.kind() == ErrorKind::internal) throw;
    checks.push_back({name, false, error.what()});
    return false;
  }
}

std::vector<Check> check_model(const fs::path& pipeline) {
  std::vector<Check> checks;
  attempt("files", checks, [&] { check_files(pipeline, checks); });
  std::optional<Model> model;
  attempt("format", checks, [&] {
    model = read_pipeline(pipeline, WeightPlace::as_fits);
    const WeightsOnDisk weights = weights_on_disk(pipeline);
    checks.push_back({"format", true,
                      fmt::format("{} and its scheduler; {:.1f} MB of weights in {}", model->traits().type,
                                  double(weights.bytes) / 1e6, fmt::join(weights.dtypes, ", "))});
  });
  if (!model) return checks;
  check_numbers(*model, checks);
  attempt("forward", checks, [&] { check_forward(*model, pipeline, checks); });
  return checks;
}

int run(const VerifyOptions& o) {
  const Json path = o.json ? path_to_json(o.model) : Json(nullptr);
  const std::vector<Check> checks = check_model(chosen_pipeline(o.model));
  const auto failed = std::ranges::count(checks, std::optional<bool>(false), &Check::passed);
  if (o.json) {
    Json::Array list;
    for (const Check& check : checks)
      list.push_back(Json::Object{{"check", check.name},
                                  {"passed", check.passed ? Json(*check.passed) : Json(nullptr)},
                                  {"detail", check.detail}});
    print_json(Json::Object{{"model", path}, {"passed", failed == 0}, {"checks", std::move(list)}});
  } else {
    for (const Check& check : checks)
      print_line(fmt::format("{:<6}  {:<8}  {}",
                             !check.passed   ? "-"
                             : *check.passed ? "ok"
                                             : "FAILED",
                             check.name, check.detail));
  }
  if (failed > 0)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is damaged: {} check{} failed", o.model, failed, failed == 1 ? "" : "s"));
  return 0;
}

}  // namespace

std::function<int()> add_verify(CLI::App& app) {
  const auto o = std::make_shared<VerifyOptions>();
  add_model_option(app, o->model)->required();
  add_json_flag(app, o->json);
  app.footer(
      "Checks that files are what was recorded (SHA-256), that they fit each other, that every parameter is "
      "finite,\nand that the network computes what it did when it was converted. Exit code 3 if one fails.");
  return [o] { return run(*o); };
}

}  // namespace diffusion
