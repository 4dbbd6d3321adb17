#include "train/training_batch.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "base/rng.h"
#include "diffusion/forward_process.h"

namespace diffusion {

BatchMaker::BatchMaker(const Dataset& dataset, const TrainConfig& config,
                       const Preconditioner& preconditioner, int null_class, const CaptionInputs& captions)
    : config_(config),
      preconditioner_(preconditioner),
      stream_(dataset, config.seed,
              {.size = config.batch,
               .flip = config.flip,
               .drop_last = config.drop_last,
               .caption_dropout = config.caption_dropout}),
      image_size_(stream_.example_size()),
      known_size_(stream_.known_size()),
      conditional_(traits_of(config.network).class_rows() > 0),
      null_class_(null_class),
      captions_(captions),
      tokens_size_(captions.tokens && !captions.states ? captions.tokens->length() : 0),
      states_size_(captions.states ? captions.states->size() : 0) {}

// Of example `number` of the step, which is number i of what is made.
void BatchMaker::tell_words(std::uint32_t step, std::uint32_t number, std::size_t i,
                            TrainingBatch& batch) const {
  if (!captions_.tokens) return;
  const std::size_t row = captions_.tokens->row_of(stream_.caption(step, number));
  if (captions_.states)
    captions_.states->read(row, std::span(batch.hidden_states).subspan(i * states_size_, states_size_));
  else
    std::ranges::copy(captions_.tokens->tokens(row), batch.tokens.begin() + std::ptrdiff_t(i * tokens_size_));
}

void BatchMaker::make(std::uint32_t step, const SampleRange& range, TrainingBatch& batch) {
  const auto count = std::size_t(range.count);
  images_.resize(count * image_size_);
  batch.input.resize(images_.size());
  batch.target.resize(images_.size());
  batch.timesteps.resize(count);
  batch.labels.resize(conditional_ ? count : 0);
  batch.tokens.resize(count * tokens_size_);
  batch.hidden_states.resize(count * states_size_);
  batch.known.resize(count * known_size_);
  batch.counted.resize(known_size_ > 0 ? images_.size() : 0);
  batch.weights.resize(count);
  batch.sigmas.resize(count);
  // The levels of a batch lie evenly in those of all (stratified, Kingma et al. 2021, arXiv 2107.00630,
  // appendix I.1).
  const double shift = uniform({config_.seed, Stream::noise_level, 0, step});
#pragma omp parallel for schedule(static)
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = std::uint32_t(range.first) + std::uint32_t(i);  // in the whole batch
    const auto key = [&](Stream stream) { return RandomKey{config_.seed, stream, number, step}; };
    const double u = std::fmod(shift + double(number) / double(config_.batch), 1.0);
    const double sigma = config_.consistency ? level_at(*config_.consistency, preconditioner_, u)
                                             : preconditioner_.sigma_at(u);
    batch.sigmas[i] = sigma;
    const auto part = [&](std::vector<float>& v) {
      return std::span(v).subspan(i * image_size_, image_size_);
    };
    const std::span<float> noise = part(batch.target);  // the target takes its place below
    const ExampleParts parts{part(images_), std::span(batch.known).subspan(i * known_size_, known_size_),
                             known_size_ > 0 ? part(batch.counted) : std::span<float>()};
    const std::optional<int> label = stream_.example(step, number, parts);
    fill_normal(key(Stream::train_noise), noise);
    network_input_and_target(preconditioner_, sigma, part(images_), noise, part(batch.input), noise);
    batch.timesteps[i] = float(preconditioner_.scalings(sigma).c_noise);
    batch.weights[i] = loss_weight(config_.weighting, preconditioner_, sigma);
    tell_words(step, number, i, batch);
    if (conditional_) {
      const bool drop = uniform(key(Stream::label_drop)) < config_.label_dropout;
      batch.labels[i] = float(drop ? null_class_ : *label);
    }
  }
}

}  // namespace diffusion
