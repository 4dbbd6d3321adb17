#include "eval/likelihood.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "base/rng.h"
#include "diffusion/guidance.h"
#include "diffusion/network_evaluator.h"
#include "eval/ode_likelihood.h"
#include "eval/variational_bound.h"

namespace diffusion {

namespace {

constexpr double kLevelWidth = 2 / 255.0;

void check(const Model& model, const Dataset& data, const LikelihoodOptions& options) {
  if (data.count() < 2)
    throw Error(ErrorKind::usage,
                fmt::format("bits per dimension need 2 images or more, for a standard error; {} has {}",
                            data.name, data.count()));
  if (options.batch < 1)
    throw Error(ErrorKind::usage, fmt::format("the batch is {}; accepted is 1 or more", options.batch));
  const NetworkTraits traits = model.traits();
  const auto [height, width] = traits.sample_size;
  if (traits.in_channels != data.channels || (height > 0 && (height != data.height || width != data.width)))
    throw Error(
        ErrorKind::usage,
        fmt::format("the images of {} are {} x {} x {}, those of the model {} x {} x {}; bits per "
                    "dimension need images of the model's form",
                    data.name, data.height, data.width, data.channels, height, width, traits.in_channels));
}

bool knows_classes_of(const Model& model, const Dataset& data) {
  return model.class_count() > 0 && !data.labels.empty() && model.class_names == data.class_names;
}

// The label of every image; none for a model without classes.
std::vector<int> labels_for(const Model& model, const Dataset& data) {
  if (model.class_count() == 0) return {};
  if (knows_classes_of(model, data)) return {data.labels.begin(), data.labels.end()};
  if (model.null_class) return std::vector<int>(std::size_t(data.count()), *model.null_class);
  throw Error(ErrorKind::usage, fmt::format("the model needs the class of every image, but the classes of {} "
                                            "are not those of the model, and it has no null class",
                                            data.name));
}

// [images, C, H, W], levels in [-1, 1].
std::vector<double> numbers_of(const Dataset& data, int first, int count) {
  const auto channels = std::size_t(data.channels),
             pixels = std::size_t(data.height) * std::size_t(data.width);
  std::vector<double> numbers(std::size_t(count) * channels * pixels);
  for (int k = 0; k < count; ++k) {
    const std::span<const std::uint8_t> image = data.image(first + k);
    const auto out = std::span(numbers).subspan(std::size_t(k) * image.size(), image.size());
    for (std::size_t p = 0; p < pixels; ++p)
      for (std::size_t c = 0; c < channels; ++c) out[c * pixels + p] = image[p * channels + c] / 127.5 - 1;
  }
  return numbers;
}

MeanOfImages mean_of_images(const std::vector<double>& values) {
  const auto n = double(values.size());
  double center = 0, squares = 0;
  for (const double v : values) center += v / n;
  for (const double v : values) squares += (v - center) * (v - center);
  if (!std::isfinite(squares))
    throw Error(ErrorKind::non_finite,
                "the network returned NaN or infinity, so there are no bits per dimension");
  return {center, std::sqrt(squares / (n - 1) / n)};
}

// The variance of steps and that of the decoder may be chosen one by one: any choice makes a model.
BoundBits bound_bits(const std::vector<VariationalBound>& bounds, double to_bits) {
  VariationalBound mean;
  const auto n = double(bounds.size());
  for (const VariationalBound& b : bounds) {
    mean.prior += b.prior * to_bits / n;
    for (const auto part : {&VariationalBound::posterior, &VariationalBound::beta}) {
      (mean.*part).steps += (b.*part).steps * to_bits / n;
      (mean.*part).decoder += (b.*part).decoder * to_bits / n;
    }
  }
  const auto steps = mean.posterior.steps <= mean.beta.steps ? &VariationalBound::posterior
                                                             : &VariationalBound::beta,
             decoder = mean.posterior.decoder <= mean.beta.decoder ? &VariationalBound::posterior
                                                                   : &VariationalBound::beta;
  std::vector<double> totals;
  totals.reserve(bounds.size());
  for (const VariationalBound& b : bounds)
    totals.push_back((b.prior + (b.*steps).steps + (b.*decoder).decoder) * to_bits);
  const auto variance = [](auto part) {
    return part == &VariationalBound::posterior ? DdpmVariance::posterior : DdpmVariance::beta;
  };
  return {mean_of_images(totals),  mean.prior,      (mean.*steps).steps,
          (mean.*decoder).decoder, variance(steps), variance(decoder)};
}

// What the images of one batch give, and where it is collected.
struct Collected {
  std::vector<VariationalBound> bounds;  // nats
  std::vector<double> ode;               // bits per dimension
};

std::vector<SampleLevel> levels_of(std::span<const double> sigmas) {
  std::vector<SampleLevel> levels;
  levels.reserve(sigmas.size());
  for (const double sigma : sigmas) levels.push_back({sigma});
  return levels;
}

// Both bounds of the images of a data set, up to `batch` at a time.
class BoundsOfImages {
 public:
  BoundsOfImages(const Model& model, const Device& device, const LikelihoodOptions& options,
                 const Dataset& data, int batch)
      : model_(model),
        options_(options),
        data_(data),
        schedule_(model.preconditioner.schedule()),
        size_(std::size_t(data.channels) * std::size_t(data.height) * std::size_t(data.width)),
        to_bits_(1 / (double(size_) * std::numbers::ln2)),
        products_(model, device, batch, data.height, data.width, NetworkEvaluator::Use::products) {
    if (schedule_) values_.emplace(model, device, batch, data.height, data.width);
  }

  const NoiseSchedule* schedule() const { return schedule_; }
  double to_bits() const { return to_bits_; }  // from nats of an image to bits per dimension

  // Of the images first, first + 1, ..., `count` of them, with these labels (none: without classes).
  void bound(int first, int count, std::span<const int> labels, Collected& to,
             const std::function<void()>& on_evaluation);
  void ode(int first, int count, std::span<const int> labels, Collected& to,
           const std::function<void()>& on_evaluation);

 private:
  const Model& model_;
  const LikelihoodOptions& options_;
  const Dataset& data_;
  const NoiseSchedule* schedule_;  // null: the model has no timesteps, and there is no bound
  std::size_t size_;
  double to_bits_;
  NetworkEvaluator products_;
  std::optional<NetworkEvaluator> values_;
};

void BoundsOfImages::bound(int first, int count, std::span<const int> labels, Collected& to,
                           const std::function<void()>& on_evaluation) {
  const DenoisedLimit limit = model_.sampling.limit.clips() ? clip_limit() : DenoisedLimit();
  const Conditions conditions = class_labels(model_, labels);
  const LevelDenoiser denoise = [&](std::span<const double> x, std::span<const double> sigmas,
                                    std::span<double> denoised) {
    values_->denoise(x, levels_of(sigmas), conditions, denoised);
    if (limit) limit(denoised);
    on_evaluation();
  };
  const std::vector<double> x0 = numbers_of(data_, first, count);
  const std::vector<VariationalBound> bounds =
      variational_bounds(*schedule_, denoise, x0, std::size_t(count), std::uint32_t(first),
                         {.terms = options_.terms, .seed = options_.seed});
  to.bounds.insert(to.bounds.end(), bounds.begin(), bounds.end());
}

void BoundsOfImages::ode(int first, int count, std::span<const int> labels, Collected& to,
                         const std::function<void()>& on_evaluation) {
  const Conditions conditions = class_labels(model_, labels);
  const JacobianDenoiser denoise = [&](std::span<const double> x, std::span<const double> sigmas,
                                       std::span<const double> probe, std::span<double> denoised,
                                       std::span<double> product) {
    products_.denoise(x, levels_of(sigmas), conditions, probe, denoised, product);
    on_evaluation();
  };
  std::vector<double> x = numbers_of(data_, first, count), probe(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto image = std::uint32_t(std::size_t(first) + i / size_), place = std::uint32_t(i % size_);
    x[i] += kLevelWidth * (uniform({options_.seed, Stream::transform, image, 0}, place) - 0.5);
    probe[i] = uniform_below({options_.seed, Stream::sample_noise, image, 0}, 2, place) == 0 ? -1 : 1;
  }
  const double sigma_max = model_.preconditioner.sigma_max();
  const OdeRange range{kRoundingStd, sigma_max, model_.preconditioner.initial_std(sigma_max),
                       options_.ode_steps};
  for (const double density : ode_log_densities(denoise, range, x, std::size_t(count), probe))
    to.ode.push_back(-density * to_bits_ - std::log2(kLevelWidth));
}

}  // namespace

BitsPerDimension bits_per_dimension(const Model& model, const Dataset& data, const Device& device,
                                    const LikelihoodOptions& options,
                                    const std::function<void(double share)>& progress) {
  check(model, data, options);
  const std::vector<int> labels = labels_for(model, data);

  BoundsOfImages bounds(model, device, options, data, std::min(options.batch, data.count()));
  const NoiseSchedule* schedule = bounds.schedule();
  // An evaluation with the backward pass counts as two.
  const double bound_work = schedule ? std::min(options.terms, schedule->num_train_timesteps - 1) + 1 : 0;
  const double work = (bound_work + 8.0 * options.ode_steps) * data.count();
  double done = 0;
  Collected values;
  for (int first = 0; first < data.count(); first += options.batch) {
    const int batch = std::min(options.batch, data.count() - first);
    const auto on_evaluation = [&](int cost) {
      return [&, cost] {
        done += double(cost) * batch;
        if (progress) progress(std::min(done / work, 1.0));
      };
    };
    const auto of_batch = labels.empty() ? std::span<const int>()
                                         : std::span(labels).subspan(std::size_t(first), std::size_t(batch));
    if (schedule) bounds.bound(first, batch, of_batch, values, on_evaluation(1));
    bounds.ode(first, batch, of_batch, values, on_evaluation(2));
  }

  BitsPerDimension result{data.count(), knows_classes_of(model, data), std::nullopt,
                          mean_of_images(values.ode)};
  if (!schedule) return result;
  result.bound = bound_bits(values.bounds, bounds.to_bits());
  return result;
}

}  // namespace diffusion
