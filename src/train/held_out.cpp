#include "train/held_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/rng.h"
#include "diffusion/forward_process.h"
#include "diffusion/loss.h"
#include "diffusion/network_evaluator.h"

namespace diffusion {

namespace {

constexpr std::uint64_t kSeed = 0x68656c64'6f757421;  // no run's own, and the same for all
constexpr int kBatch = 32;  // fewer than a preview has images, so no more memory than that takes
static_assert(HeldOut::kImages % kBatch == 0 && HeldOut::kImages % HeldOut::kBins == 0);

RandomKey key(Stream stream, int sample) {
  return {kSeed, stream, std::uint32_t(sample)};
}

// Those of training, evenly.
std::vector<double> noise_levels(const Preconditioner& preconditioner) {
  std::vector<double> levels;
  for (int k = 0; k < HeldOut::kImages; ++k)
    levels.push_back(preconditioner.sigma_at((k + 0.5) / HeldOut::kImages));
  return levels;
}

// A data set without test images gives its training images in their place, and all of them also to a shard.
bool same_images(const Dataset& a, const Dataset& b) {
  if (a.content_hash && b.content_hash) return *a.content_hash == *b.content_hash;
  return a.count() == b.count() && a.fingerprint() == b.fingerprint();
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}

}  // namespace

std::string why_not_held_out(const Dataset& training, const Dataset& images, bool conditional) {
  const auto form = [](const Dataset& d) {
    return fmt::format("{}x{}x{}", d.example_height(), d.example_width(), d.channels);
  };
  if (form(images) != form(training))
    return fmt::format("its test images are {} and those for training {}", form(images), form(training));
  if (conditional && images.class_names != training.class_names)
    return "its test images have other classes than those for training";
  if (same_images(images, training)) return "it has no test images apart from those for training";
  return {};
}

std::int64_t held_out_interval(int batch) {
  constexpr std::int64_t kStepsPerEvaluation = 3, kShare = 100;
  return std::max<std::int64_t>(1, kShare * HeldOut::kImages / (kStepsPerEvaluation * batch));
}

HeldOut::HeldOut(Dataset images, const TrainConfig& config, const Preconditioner& preconditioner)
    : images_(std::move(images)),
      config_(config),
      preconditioner_(preconditioner),
      interval_(config.held_out_every.value_or(held_out_interval(config.batch))),
      sigmas_(noise_levels(preconditioner)) {}

bool HeldOut::is_due(std::int64_t step, bool run_ends) const {
  return interval_ > 0 && (step % interval_ == 0 || (run_ends && step > interval_));
}

HeldOutLoss HeldOut::measure(const Model& model, const Device& device) const {
  NetworkEvaluator evaluator(model, device, kBatch, images_.example_height(), images_.example_width());
  const bool has_classes = model.traits().condition(kClassCondition) != nullptr;
  const BatchStream stream(images_, kSeed, {.size = kImages});
  const std::size_t size = stream.example_size();
  const std::size_t known_size = stream.known_size(), counted_size = known_size > 0 ? size : 0;
  std::vector<float> input(kBatch * size), target(kBatch * size), output(kBatch * size), timesteps(kBatch),
      labels(kBatch), known(kBatch * known_size), counted(kBatch * counted_size);
  std::vector<double> losses(kImages);
  for (int begin = 0; begin < kImages; begin += kBatch) {
#pragma omp parallel for schedule(static)
    for (std::size_t i = 0; i < kBatch; ++i) {
      const int image = begin + int(i);
      const double sigma = sigmas_[std::size_t(image)];
      const std::span<float> y = std::span(input).subspan(i * size, size);
      const std::span<float> noise = std::span(target).subspan(i * size, size);  // the target takes its place
      const std::optional<int> label =
          stream.example(0, std::uint32_t(image),
                         {y, std::span(known).subspan(i * known_size, known_size),
                          std::span(counted).subspan(i * counted_size, counted_size)});
      fill_normal(key(Stream::train_noise, image), noise);
      network_input_and_target(preconditioner_, sigma, y, noise, y, noise);
      timesteps[i] = float(preconditioner_.scalings(sigma).c_noise);
      labels[i] = float(label.value_or(0));
    }
    Conditions conditions;
    if (has_classes) conditions.emplace(kClassCondition, labels);
    if (known_size > 0) conditions.emplace(kKnownCondition, known);
    if (model.tokenizer) {
      std::vector<std::string> captions;
      for (int i = 0; i < kBatch; ++i) captions.emplace_back(stream.caption(0, std::uint32_t(begin + i)));
      conditions.merge(prompt_tokens(model, captions));
    }
    evaluator.evaluate(input, timesteps, conditions, output);
    for (std::size_t i = 0; i < kBatch; ++i) {
      const std::size_t image = std::size_t(begin) + i;
      const double weight = loss_weight(config_.weighting, preconditioner_, sigmas_[image]);
      losses[image] = loss_and_grad(config_.loss, std::span(output).subspan(i * size, size),
                                    std::span(target).subspan(i * size, size), {&weight, 1}, {},
                                    std::span(counted).subspan(i * counted_size, counted_size));
    }
  }

  HeldOutLoss result{mean(losses), {}, {}};
  constexpr std::size_t kPerBin = kImages / kBins;
  for (std::size_t first = 0; first < kImages; first += kPerBin) {
    result.sigma.push_back(sigmas_[first]);
    result.by_sigma.push_back(mean(std::span(losses).subspan(first, kPerBin)));
  }
  result.sigma.push_back(sigmas_.back());
  return result;
}

}  // namespace diffusion
