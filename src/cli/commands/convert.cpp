#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "cli/commands/commands.h"
#include "cli/options/model_path.h"
#include "cli/options/options.h"
#include "diffusers/pipeline.h"
#include "diffusion/golden_pass.h"
#include "files/folders.h"
#include "files/fs.h"
#include "formats/manifest.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  std::string in, out, dtype = "f32";
  bool json = false;
};

SafetensorsDType parse_dtype(const std::string& name) {
  for (const auto& [text, dtype] : {std::pair{"f32", SafetensorsDType::f32},
                                    {"f16", SafetensorsDType::f16},
                                    {"bf16", SafetensorsDType::bf16}})
    if (name == text) return dtype;
  throw Error(ErrorKind::usage, fmt::format("--dtype is \"{}\"; accepted are: f32, f16, bf16", name));
}

// Adds to diffusion.json what `diffusion verify` compares with: the hashes of the other files, and a forward
// pass of the model as it was written, rounding included.
void add_proofs(const fs::path& directory) {
  Model written = read_pipeline(directory, WeightPlace::as_fits);
  const GoldenPass pass = make_golden_pass(written, *make_cpu_device(Precision::f32));
  for (const GoldenPass::Level& level : pass.levels)
    if (!std::isfinite(level.mean) || !std::isfinite(level.std))
      throw Error(
          ErrorKind::non_finite,
          fmt::format("the network gives NaN or infinity at time {}: there is nothing to keep", level.time));

  const fs::path path = directory / "diffusion.json";
  constexpr std::uint64_t kMaxBytes = 4 << 20;
  Json::Object extras = to_object(parse_json(read_text_file(path, kMaxBytes), path.string()), path.string());
  std::vector<std::string> files;
  for (const fs::path& file : files_below(directory))
    if (file != path.filename()) files.push_back(file.generic_string());
  extras["files"] = make_manifest(directory, files);
  extras["golden"] = to_json(pass);
  write_file(path, dump_json(extras, 2) + "\n");
}

int run(const ConvertOptions& o) {
  const SafetensorsDType dtype = parse_dtype(o.dtype);
  const fs::path out = fs::path(o.out).has_filename() ? fs::path(o.out) : fs::path(o.out).parent_path();
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(out, ignored)))
    throw Error(ErrorKind::usage, fmt::format("{} exists; name a directory that does not", o.out));
  const Json in_path = o.json ? path_to_json(o.in) : Json(nullptr),
             out_path = o.json ? path_to_json(o.out) : Json(nullptr);

  const fs::path found = chosen_pipeline(o.in);
  const Model model = read_pipeline(found);
  const WeightsOnDisk before = weights_on_disk(found);
  AtomicDirectory directory(out);
  write_pipeline(directory.path(), model, model.params.values(), dtype);
  add_proofs(directory.path());
  directory.commit();
  const WeightsOnDisk after = weights_on_disk(out);

  if (o.json)
    print_json(Json::Object{{"in", in_path},
                            {"out", out_path},
                            {"parameters", model.params.layout().parameter_count()},
                            {"dtype", o.dtype},
                            {"bytes_before", before.bytes},
                            {"bytes_after", after.bytes}});
  else
    print_line(fmt::format("{}: {} parameters, {:.1f} MB in {} -> {:.1f} MB in {}", o.out,
                           model.params.layout().parameter_count(), double(before.bytes) / 1e6,
                           fmt::join(before.dtypes, ", "), double(after.bytes) / 1e6,
                           fmt::join(after.dtypes, ", ")));
  return 0;
}

}  // namespace

std::function<int()> add_convert(CLI::App& app) {
  const auto o = std::make_shared<ConvertOptions>();
  app.add_option(
         "IN", o->in,
         "Directory of a training run (its newest checkpoint, EMA weights) or of a diffusers pipeline")
      ->required()
      ->type_name("");
  app.add_option("OUT", o->out, "New directory for a diffusers pipeline")->required()->type_name("");
  app.add_option("--dtype", o->dtype, "f32, f16 or bf16: how weights are stored")
      ->type_name("T")
      ->capture_default_str();
  add_json_flag(app, o->json);
  app.footer("Example:\n  diffusion convert runs/fashion fashion-f16 --dtype f16");
  return [o] { return run(*o); };
}

}  // namespace diffusion
