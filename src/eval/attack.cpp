#include "eval/attack.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "base/names.h"
#include "eval/classifier_loss.h"
#include "eval/feature_network.h"
#include "eval/image_sets.h"
#include "eval/pgd.h"

namespace diffusion {

namespace {

constexpr std::array<std::string_view, 2> kNorms{"linf", "l2"};
constexpr double kHalfRange = 127.5;  // pixels of a number

// `x` in whole pixels, no further from the original than `options` allows.
Image rounded(const Image& original, std::span<const double> x, const AttackOptions& options) {
  Image image = original;
  const std::vector<float> before = scale_to_signed(to_tensor(original));
  const double most = std::floor(255 * options.eps + 1e-9);
  const std::size_t area = x.size() / std::size_t(image.channels);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double change = kHalfRange * (x[k] - double(before[k]));
    const double whole =
        options.norm == AttackNorm::linf ? std::clamp(std::round(change), -most, most) : std::trunc(change);
    std::uint8_t& pixel = image.pixels[k % area * std::size_t(image.channels) + k / area];
    pixel = std::uint8_t(std::clamp(pixel + whole, 0.0, 255.0));
  }
  return image;
}

}  // namespace

std::string_view to_string(AttackNorm norm) {
  return kNorms.at(std::size_t(norm));
}

AttackNorm parse_attack_norm(std::string_view name) {
  return AttackNorm(index_of_name("norm", name, kNorms));
}

void check_attack(const AttackOptions& options) {
  if (!(options.eps > 0 && options.eps <= 1))
    throw Error(ErrorKind::usage,
                fmt::format("eps is {}; accepted is more than 0 and at most 1, pixels being from 0 to 1",
                            options.eps),
                {"eps"});
  if (options.steps < 1 || options.batch < 1)
    throw Error(ErrorKind::usage, fmt::format("an attack of {} steps on {} pictures at a time; accepted is 1 "
                                              "or more of both",
                                              options.steps, options.batch));
}

Dataset labeled_for(const ClassifierConfig& classifier, Dataset data) {
  check_form(classifier, data);
  const std::string name = data.name;
  if (data.labels.empty())
    throw Error(ErrorKind::usage, fmt::format("the pictures of {} have no labels, so nobody knows what a "
                                              "classifier should say; accepted are labeled data",
                                              name));
  const std::string classes = fmt::format("{}", fmt::join(data.class_names, ", "));
  if (std::optional<Dataset> labeled = relabeled(std::move(data), classifier.class_names))
    return std::move(*labeled);
  throw Error(ErrorKind::usage, fmt::format("{} has the classes {}; accepted are those of the classifier, {}",
                                            name, classes, fmt::join(classifier.class_names, ", ")));
}

AttackedPictures pictures_of(const Dataset& data, std::span<const int> numbers) {
  AttackedPictures pictures{{numbers.begin(), numbers.end()}, {}, {}};
  for (const int number : numbers) {
    const std::vector<float> x = scale_to_signed(to_tensor(image_of(data, number)));
    pictures.x.insert(pictures.x.end(), x.begin(), x.end());
    pictures.labels.push_back(data.labels.at(std::size_t(number)));
  }
  return pictures;
}

void for_each_batch(const Dataset& data, std::span<const int> numbers, int batch,
                    const std::function<void(const AttackedPictures& pictures, int done)>& act) {
  for (std::size_t done = 0; done < numbers.size(); done += std::size_t(batch))
    act(pictures_of(data, numbers.subspan(done, std::min(std::size_t(batch), numbers.size() - done))),
        int(done));
}

std::vector<Image> attack(const std::string& classifier, const Dataset& data, const AttackOptions& options,
                          const std::function<void(double share)>& progress) {
  check_attack(options);
  const FeatureNetwork net = read_classifier(classifier);
  const Dataset labeled = labeled_for(net.classifier.config, data);
  const auto device = make_cpu_device(Precision::f32);
  ClassifierLoss loss(net.classifier, *device, std::min(options.batch, labeled.count()));
  std::vector<int> all(static_cast<std::size_t>(labeled.count()));
  std::iota(all.begin(), all.end(), 0);
  std::vector<Image> images;
  for_each_batch(labeled, all, options.batch, [&](const AttackedPictures& pictures, int) {
    const std::vector<double> x =
        pgd([&](std::span<const double> at, int, std::span<double> losses,
                std::span<double> gradient) { loss.evaluate(at, pictures.labels, losses, gradient); },
            pictures.x, pictures.numbers, options);
    for (std::size_t k = 0; k < pictures.numbers.size(); ++k)
      images.push_back(rounded(image_of(labeled, pictures.numbers[k]),
                               std::span(x).subspan(k * loss.picture_size(), loss.picture_size()), options));
    if (progress) progress(double(images.size()) / labeled.count());
  });
  return images;
}

}  // namespace diffusion
