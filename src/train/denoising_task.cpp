#include "train/denoising_task.h"

#include <string>

#include <diffusion/conditions.h>
#include "diffusion/loss.h"
#include "diffusion/model.h"

namespace diffusion {

BatchPass::BatchPass(const TrainConfig& config, const Dataset& dataset, const Model& model,
                     const LearnedParams& params, const Device& device, const CaptionInputs& captions)
    : evaluator_(config.network, params, device, samples_at_once(config), dataset.example_height(),
                 dataset.example_width(), config.gradient_checkpointing),
      batches_(dataset, config, model.preconditioner, model.null_class.value_or(-1), captions),
      output_(std::size_t(samples_at_once(config)) * evaluator_.output_size()),
      grad_(output_.size()) {}

void BatchPass::make(std::uint32_t step, const SampleRange& range) {
  made_ = range;
  batches_.make(step, range, batch_);
}

std::span<const float> BatchPass::evaluate(const SampleRange& part, std::span<const float> input,
                                           std::span<const float> timesteps, const RunContext& context) {
  Conditions conditions;
  if (const auto labels = slice(batch_.labels, part); !labels.empty())
    conditions[std::string(kClassCondition)].assign(labels.begin(), labels.end());
  if (const auto tokens = slice(batch_.tokens, part); !tokens.empty())
    conditions[std::string(kTokensCondition)].assign(tokens.begin(), tokens.end());
  if (const auto known = slice(batch_.known, part); !known.empty())
    conditions[std::string(kKnownCondition)].assign(known.begin(), known.end());
  if (const auto states = slice(batch_.hidden_states, part); !states.empty())
    conditions[std::string(kHiddenStatesCondition)].assign(states.begin(), states.end());
  evaluator_.evaluate(input, timesteps, conditions, output_, context);
  return output_;
}

void DenoisingTask::make(std::uint32_t step, const SampleRange& range, double /*progress*/) {
  pass_.make(step, range);
}

double DenoisingTask::loss(const SampleRange& part, const RunContext& context) {
  const TrainingBatch& b = pass_.batch();
  const auto output =
      pass_.evaluate(part, pass_.slice(b.input, part), pass_.slice(b.timesteps, part), context);
  return loss_and_grad(config_.loss, output, pass_.slice(b.target, part), pass_.slice(b.weights, part),
                       pass_.output_grad(), pass_.slice(b.counted, part));
}

void ConsistencyTask::make(std::uint32_t step, const SampleRange& range, double progress) {
  made_ = range;
  pass_.make(step, range);
  lower_.make(pass_.batch(), progress);
}

double ConsistencyTask::loss(const SampleRange& part, const RunContext& context) {
  TrainingBatch& b = pass_.batch();
  // The lower level first, as the backward needs what the other evaluation leaves. Dropout is the same in
  // both.
  const auto below =
      pass_.evaluate(part, pass_.slice(lower_.input(), part), pass_.slice(lower_.timesteps(), part), context);
  lower_.set_targets(std::size_t(part.first - made_.first), below, b);
  const auto output =
      pass_.evaluate(part, pass_.slice(b.input, part), pass_.slice(b.timesteps, part), context);
  return consistency_loss(config_.consistency->huber, output, pass_.slice(b.target, part),
                          pass_.slice(lower_.error_scale(), part), pass_.slice(b.weights, part),
                          pass_.output_grad());
}

}  // namespace diffusion
