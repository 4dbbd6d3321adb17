#include <diffusion/evaluator.h>

#include <utility>

#include "diffusion/network_evaluator.h"

namespace diffusion {

namespace {

std::unique_ptr<NetworkEvaluator> make(const Model& model, const Device& device, int most_samples, int height,
                                       int width, Evaluator::Use use) {
  const auto [usual_height, usual_width] = model.traits().sample_size;
  return std::make_unique<NetworkEvaluator>(
      model, device, most_samples, height > 0 ? height : usual_height, width > 0 ? width : usual_width,
      use == Evaluator::Use::products ? NetworkEvaluator::Use::products : NetworkEvaluator::Use::values);
}

}  // namespace

Evaluator::Evaluator(std::shared_ptr<const Model> model, std::shared_ptr<const Device> device,
                     int most_samples, int height, int width, Use use)
    : model_(std::move(model)),
      device_(std::move(device)),
      evaluator_(make(*model_, *device_, most_samples, height, width, use)) {}

Evaluator::Evaluator(Evaluator&& other) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&& other) noexcept = default;
Evaluator::~Evaluator() = default;

void Evaluator::denoise(std::span<const double> states, std::span<const SampleLevel> levels,
                        const Conditions& conditions, std::span<double> denoised) {
  evaluator_->denoise(states, levels, conditions, denoised);
}

void Evaluator::denoise(std::span<const double> states, std::span<const SampleLevel> levels,
                        const Conditions& conditions, std::span<const double> probe,
                        std::span<double> denoised, std::span<double> product) {
  evaluator_->denoise(states, levels, conditions, probe, denoised, product);
}

void Evaluator::evaluate(std::span<const float> input, std::span<const float> timesteps,
                         const Conditions& conditions, std::span<float> output) {
  evaluator_->evaluate(input, timesteps, conditions, output);
}

std::size_t Evaluator::input_size() const {
  return evaluator_->input_size();
}

std::size_t Evaluator::output_size() const {
  return evaluator_->output_size();
}

}  // namespace diffusion
