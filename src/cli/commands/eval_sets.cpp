#include "cli/commands/eval_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include <diffusion/error.h>
#include "base/progress.h"
#include "cli/options/model_path.h"
#include "cli/output/picture_stream.h"
#include "diffusers/pipeline.h"
#include "formats/npy_writer.h"
#include "train/generate_together.h"

namespace diffusion {

namespace {

struct Drawn {
  std::vector<Image> images;
  GenerateOptions options;
};

// `count` images, of the prompts if there are any.
Drawn draw(const EvalOptions& o, Model& model, int count, std::vector<std::string> prompts,
           const Communicator& communicator) {
  check_sample_size(model, o.model);
  std::optional<Model> guide;
  if (!o.sampling.guide.empty())
    guide = read_pipeline(chosen_pipeline(o.sampling.guide), WeightPlace::as_fits);
  GenerateOptions g = o.generate;
  apply_sampling_options(o.sampling, model, guide ? &*guide : nullptr, g);
  g.count = count;
  g.prompts = std::move(prompts);
  g.batch = std::min(g.batch, g.count);
  std::optional<NpyWriter> saved;
  if (!o.save_samples.empty() && communicator.leads()) {
    const NetworkTraits traits = model.traits();
    const std::array<std::int64_t, 4> dims{g.count, traits.sample_size[0], traits.sample_size[1],
                                           traits.in_channels};
    check_disk_space(std::array{PlannedFile{o.save_samples, npy_bytes(NpyType::uint8, dims)}});
    saved.emplace(o.save_samples, NpyType::uint8, dims);
  }
  const auto device = make_device(o.machine);
  check_same_pictures(communicator, model, *device, g);
  Progress progress("sample", g.count, o.quiet, "images");
  const auto show = [&](const GenerateStep& step) {
    const double share = double(step.step + 1) / step.steps;
    progress.update((step.first_image + share * step.images) / g.count,
                    fmt::format("step {}/{}", step.step + 1, step.steps));
  };
  std::vector<Image> images = generate_together(communicator, model, *device, g, StepsTold::none, show);
  progress.finish();
  communicator.close();
  if (saved) {
    for (const Image& image : images) saved->append(image.pixels);
    saved->commit();
  }
  g.guide = nullptr;  // it goes with this function
  return {std::move(images), std::move(g)};
}

}  // namespace

void check_sample_size(const Model& model, const std::string& path) {
  if (model.traits().sample_size[0] == 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("{} does not tell the size of its images (sample_size in its config.json)", path));
}

Samples make_samples(const EvalOptions& o, Model& model, const std::vector<std::string>& class_names,
                     const Communicator& communicator) {
  const Drawn drawn = draw(o, model, o.count, {}, communicator);
  if (!communicator.leads()) return {};
  const GenerateOptions& g = drawn.options;
  return {samples_of(model, drawn.images, g.label, o.model, class_names), g.recipe->steps,
          std::string(name_of(g.recipe->sampler))};
}

Samples draw_prompts(const EvalOptions& o, Model& model, std::vector<std::string> prompts) {
  const int count = int(prompts.size());
  const Drawn drawn = draw(o, model, count, std::move(prompts), {});
  return {dataset_of(drawn.images, o.model), drawn.options.recipe->steps,
          std::string(name_of(drawn.options.recipe->sampler))};
}

}  // namespace diffusion
