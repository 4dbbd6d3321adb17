#include "cli/commands/eval_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/progress.h"
#include "cli/options/model_path.h"
#include "cli/output/picture_stream.h"
#include "diffusers/pipeline.h"
#include "eval/image_sets.h"
#include "formats/npy_writer.h"

namespace diffusion {

namespace {

bool is_array(const std::string& path) {
  return path.ends_with(".npy");
}

// Without labels if these are not among the classes.
Dataset with_classes(Dataset data, const std::vector<std::string>& class_names) {
  if (std::optional<Dataset> same = relabeled(data, class_names)) return std::move(*same);
  data.labels.clear();
  data.class_names.clear();
  return data;
}

}  // namespace

Samples make_samples(const EvalOptions& o, Model& model, const std::vector<std::string>& class_names) {
  if (model.traits().sample_size[0] == 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("{} does not tell the size of its images (sample_size in its config.json)", o.model));
  std::optional<Model> guide;
  if (!o.sampling.guide.empty()) guide = read_pipeline(find_pipeline(o.sampling.guide));
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
  const std::unique_ptr<Device> device = make_device(o.machine);
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
  Samples samples{dataset_of(images, o.model), g.recipe->steps, std::string(name_of(g.recipe->sampler))};
  if (const int classes = model.class_count(); classes > 0)
    for (int i = 0; i < g.count; ++i)
      samples.images.labels.push_back(std::uint16_t(g.label.value_or(i % classes)));
  samples.images.class_names = model.class_names;
  samples.images = with_classes(std::move(samples.images), class_names);
  return samples;
}

Samples read_samples(const EvalOptions& o, bool counted, const std::vector<std::string>& class_names) {
  Samples samples{is_array(o.samples) ? read_image_array(o.samples) : load_dataset(o.samples, {})};
  samples.images = with_classes(std::move(samples.images), class_names);
  if (counted) samples.images = random_images(samples.images, o.count, 0);
  return samples;
}

const Dataset* RealSets::training() const {
  if (!others) return nullptr;
  return images_are_for_training ? &images : &*others;
}

const Dataset& RealSets::test() const {
  return others && images_are_for_training ? *others : images;
}

RealSets read_real_sets(const EvalOptions& o, const std::optional<std::vector<std::string>>& class_names) {
  if (is_array(o.data)) return {read_image_array(o.data), std::nullopt};
  if (o.split != "test" && o.split != "train")
    throw Error(ErrorKind::usage, fmt::format("--split is \"{}\"; accepted are: test, train", o.split));
  const bool for_training = o.split == "train";
  DataOptions source = o.source;
  source.allow_download = !o.offline;
  source.split = for_training ? Split::train : Split::test;
  Dataset images = load_dataset(o.data, source);
  source.split = for_training ? Split::test : Split::train;
  Dataset others = load_dataset(o.data, source);
  const bool two = others.fingerprint() != images.fingerprint();
  const std::vector<std::string> names = class_names.value_or(images.class_names);
  RealSets sets{with_classes(std::move(images), names), std::nullopt, for_training};
  if (two) sets.others = with_classes(std::move(others), names);
  return sets;
}

}  // namespace diffusion
