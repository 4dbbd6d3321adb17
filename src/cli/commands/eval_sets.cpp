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

namespace diffusion {

Samples make_samples(const EvalOptions& o, Model& model, const std::vector<std::string>& class_names) {
  if (model.traits().sample_size[0] == 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("{} does not tell the size of its images (sample_size in its config.json)", o.model));
  std::optional<Model> guide;
  if (!o.sampling.guide.empty()) guide = read_pipeline(chosen_pipeline(o.sampling.guide));
  GenerateOptions g = o.generate;
  apply_sampling_options(o.sampling, model, guide ? &*guide : nullptr, g);
  g.count = o.count;
  g.batch = std::min(g.batch, g.count);
  std::optional<NpyWriter> saved;
  if (!o.save_samples.empty()) {
    const NetworkTraits traits = model.traits();
    const std::array<std::int64_t, 4> dims{g.count, traits.sample_size[0], traits.sample_size[1],
                                           traits.in_channels};
    check_disk_space(std::array{PlannedFile{o.save_samples, npy_bytes(NpyType::uint8, dims)}});
    saved.emplace(o.save_samples, NpyType::uint8, dims);
  }
  const auto device = make_device(o.machine);
  Progress progress("sample", g.count, o.quiet, "images");
  const std::vector<Image> images = generate(model, *device, g, [&](const GenerateStep& step) {
    const double share = double(step.step + 1) / step.steps;
    progress.update((step.first_image + share * step.images) / g.count,
                    fmt::format("step {}/{}", step.step + 1, step.steps));
  });
  progress.finish();
  if (saved) {
    for (const Image& image : images) saved->append(image.pixels);
    saved->commit();
  }
  Dataset samples = samples_of(model, images, g.label, o.model, class_names);
  if (g.without_class) {
    samples.labels.clear();
    samples.class_names.clear();
  }
  return {std::move(samples), g.recipe->steps, std::string(name_of(g.recipe->sampler))};
}

}  // namespace diffusion
