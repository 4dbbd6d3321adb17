#include "eval/evaluation_sets.h"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include <diffusion/error.h>
#include "eval/image_sets.h"

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

Dataset samples_of(const Model& model, std::span<const Image> images, std::optional<int> label,
                   std::string name, const std::vector<std::string>& class_names) {
  Dataset samples = dataset_of(images, std::move(name));
  if (const int classes = model.class_count(); classes > 0)
    for (int i = 0; i < samples.count(); ++i)
      samples.labels.push_back(std::uint16_t(label.value_or(i % classes)));
  samples.class_names = model.class_names;
  return with_classes(std::move(samples), class_names);
}

Dataset read_samples(const std::string& path, std::optional<int> count,
                     const std::vector<std::string>& class_names) {
  Dataset samples =
      with_classes(is_array(path) ? read_image_array(path) : load_dataset(path, {}), class_names);
  return count ? random_images(samples, *count, 0) : samples;
}

const Dataset* RealSets::training() const {
  if (!others) return nullptr;
  return images_are_for_training ? &images : &*others;
}

const Dataset& RealSets::test() const {
  return others && images_are_for_training ? *others : images;
}

const Dataset& RealSets::searched() const {
  const Dataset* known = training();
  return known ? *known : images;
}

RealSets read_real_sets(const std::string& data, const std::string& split, DataOptions source,
                        const std::optional<std::vector<std::string>>& class_names) {
  if (is_array(data)) return {read_image_array(data), std::nullopt};
  if (split != "test" && split != "train")
    throw Error(ErrorKind::usage, fmt::format("split is \"{}\"; accepted are: test, train", split),
                {"split"});
  const bool for_training = split == "train";
  source.split = for_training ? Split::train : Split::test;
  Dataset images = load_dataset(data, source);
  source.split = for_training ? Split::test : Split::train;
  Dataset others = load_dataset(data, source);
  const bool two = others.fingerprint() != images.fingerprint();
  const std::vector<std::string> names = class_names.value_or(images.class_names);
  RealSets sets{with_classes(std::move(images), names), std::nullopt, for_training};
  if (two) sets.others = with_classes(std::move(others), names);
  return sets;
}

}  // namespace diffusion
