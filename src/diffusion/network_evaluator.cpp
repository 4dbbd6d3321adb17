#include "diffusion/network_evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include <diffusion/error.h>
#include "diffusion/check_conditions.h"
#include "nn/network_copies.h"

namespace diffusion {

namespace {

void check_size(std::string_view what, std::size_t size, std::size_t samples, std::size_t sample_size) {
  if (size != samples * sample_size)
    throw Error(ErrorKind::usage, fmt::format("{}: {} numbers were given for {} samples of {}", what, size,
                                              samples, sample_size));
}

}  // namespace

NetworkEvaluator::NetworkEvaluator(const Model& model, const Device& device, int most_samples, int height,
                                   int width, Use use, int most_plans)
    : NetworkEvaluator(model.network, &model.params, &model.preconditioner, device,
                       {.input_grads = use == Use::products}, {most_samples, height, width}, most_plans) {}

NetworkEvaluator::NetworkEvaluator(const NetworkConfig& network, const ParamStore& params,
                                   const Device& device, int most_samples, int height, int width)
    : NetworkEvaluator(network, &params, nullptr, device, {}, {most_samples, height, width}, 1) {}

NetworkEvaluator::NetworkEvaluator(const NetworkConfig& network, const LearnedParams& params,
                                   const Device& device, int most_samples, int height, int width,
                                   bool gradient_checkpointing)
    : NetworkEvaluator(network, &params, nullptr, device, {.gradient_checkpointing = gradient_checkpointing},
                       {most_samples, height, width}, 1) {}

NetworkEvaluator::NetworkEvaluator(const NetworkConfig& network, Params params,
                                   const Preconditioner* preconditioner, const Device& device,
                                   const PlanOptions& plans, std::array<int, 3> most, int most_plans)
    : config_(network),
      traits_(traits_of(network)),
      params_(params),
      preconditioner_(preconditioner),
      device_(device),
      plan_options_(plans),
      most_samples_(std::size_t(most[0])),
      most_plans_(std::size_t(most_plans)),
      height_(most[1]),
      width_(most[2]) {
  if (most[0] < 1 || most_plans < 1)
    throw Error(ErrorKind::usage, fmt::format("an evaluator for {} samples with {} plans; accepted are 1 or "
                                              "more of both",
                                              most[0], most_plans));
  const auto* constants = std::get_if<const ParamStore*>(&params_);
  if (constants && traits_.text_length() > 0) encoding_.emplace(config_, **constants, device_);
  const Network& net = prepare(most_samples_).network;
  input_size_ = std::size_t(net.graph.shape(net.sample).elements()) / most_samples_;
  output_size_ = std::size_t(net.graph.shape(net.output).elements()) / most_samples_;
}

NetworkEvaluator::Prepared NetworkEvaluator::make(std::size_t samples) const {
  Network net = make_network(config_, int(samples), height_, width_);
  const bool learns = std::holds_alternative<const LearnedParams*>(params_);
  if (!learns) net = frozen(net);
  if (!learns || has_fixed_text_encoder(config_)) net = without_text_encoder(net);
  const Mode mode = learns || plan_options_.input_grads ? Mode::training : Mode::inference;
  Plan plan = std::visit(
      [&](const auto* params) { return Plan(net.graph, net.output, device_, mode, *params, plan_options_); },
      params_);
  plan.set_observer(observer_);
  return {samples, std::move(net), std::move(plan)};
}

NetworkEvaluator::Prepared& NetworkEvaluator::prepare(std::size_t samples) {
  if (samples < 1 || samples > most_samples_)
    throw Error(ErrorKind::usage, fmt::format("{} samples were given to an evaluator; accepted are 1 to {}",
                                              samples, most_samples_));
  const auto found = std::ranges::find(plans_, samples, &Prepared::samples);
  if (found != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, found);
  } else {
    if (plans_.size() == most_plans_) plans_.pop_back();  // first, as memory may not hold both
    plans_.push_front(make(samples));
  }
  return plans_.front();
}

const NetworkEvaluator::Prepared& NetworkEvaluator::latest() const {
  if (plans_.empty())
    throw Error(ErrorKind::internal, "evaluator: there is no plan, as memory did not hold the last one");
  return plans_.front();
}

std::size_t NetworkEvaluator::arena_bytes() const {
  std::size_t bytes = 0;
  for (const Prepared& prepared : plans_) bytes += prepared.plan.arena_bytes();
  return bytes;
}

void NetworkEvaluator::set_observer(std::function<void(const StepTiming&)> observer) {
  observer_ = std::move(observer);
  for (Prepared& prepared : plans_) prepared.plan.set_observer(observer_);
}

void NetworkEvaluator::evaluate(std::span<const float> input, std::span<const float> timesteps,
                                const Conditions& conditions, std::span<float> output,
                                const RunContext& context) {
  const std::size_t samples = timesteps.size();
  check_size("the network's input", input.size(), samples, input_size_);
  check_size("the network's output", output.size(), samples, output_size_);
  Prepared& prepared = prepare(samples);
  const Network& net = prepared.network;
  Plan& plan = prepared.plan;

  told_.clear();
  for (const float timestep : timesteps) told_.push_back(float(told_timestep(traits_.time, timestep)));
  write_conditions(conditions, prepared);
  plan.write_input(net.sample, without_known(input, conditions));
  plan.write_input(net.timestep, told_);
  plan.forward(context);
  plan.read_output(output);
}

void NetworkEvaluator::write_conditions(const Conditions& conditions, Prepared& prepared) {
  const bool encodes = encoding_ && !conditions.contains(kHiddenStatesCondition);
  const Network& net = prepared.network;
  std::vector<ConditionTraits> taken;
  for (const Network::Condition& condition : net.conditions) taken.push_back(condition.traits);
  check_conditions(encodes ? traits_.conditions : taken, conditions, prepared.samples,
                   std::size_t(height_) * std::size_t(width_));
  for (const auto& [traits, value] : net.conditions)
    if (encodes && traits.name == kHiddenStatesCondition)
      prepared.plan.write_input(value, encoding_->hidden_states(conditions.find(kTokensCondition)->second));
    else
      prepared.plan.write_input(value, conditions.find(traits.name)->second);
}

void NetworkEvaluator::backward(std::span<const float> output_grad, const RunContext& context) {
  check_size("the gradient of the network's output", output_grad.size(), latest().samples, output_size_);
  plans_.front().plan.backward(output_grad, context);
}

namespace {

// Calls act(place in a sample's numbers, place of the value in "known", place of its mask there) for each of
// the samples.
void for_each_known(std::size_t numbers, std::size_t sample_size, std::size_t known_size, const auto& act) {
  for (std::size_t i = 0; i < numbers; ++i) {
    const std::size_t at = i / sample_size * known_size + i % sample_size;
    act(i, at, at + sample_size);
  }
}

}  // namespace

std::span<const float> NetworkEvaluator::without_known(std::span<const float> input,
                                                       const Conditions& conditions) {
  const auto channels = std::size_t(traits_.known_channels());
  if (channels == 0) return input;
  const std::vector<float>& known = conditions.find(kKnownCondition)->second;
  unknown_.resize(input.size());
  for_each_known(
      input.size(), input_size_, channels * std::size_t(height_) * std::size_t(width_),
      [&](std::size_t i, std::size_t, std::size_t mask) { unknown_[i] = known[mask] > 0 ? 0 : input[i]; });
  return unknown_;
}

void NetworkEvaluator::insert_known(const Conditions& conditions, std::span<double> denoised) const {
  const auto channels = std::size_t(traits_.known_channels());
  if (channels == 0) return;
  const std::vector<float>& known = conditions.find(kKnownCondition)->second;
  for_each_known(denoised.size(), input_size_, channels * std::size_t(height_) * std::size_t(width_),
                 [&](std::size_t i, std::size_t value, std::size_t mask) {
                   if (known[mask] > 0) denoised[i] = double(known[value]);
                 });
}

void NetworkEvaluator::check_denoiser() const {
  if (!preconditioner_)
    throw Error(ErrorKind::internal, "evaluator: D needs a model, and this has a network alone");
  if (traits_.in_channels != traits_.out_channels)
    throw Error(ErrorKind::usage,
                fmt::format("a network with {} input and {} output channels is no denoiser we know",
                            traits_.in_channels, traits_.out_channels));
}

void NetworkEvaluator::denoise(std::span<const double> states, std::span<const SampleLevel> levels,
                               const Conditions& conditions, std::span<double> denoised) {
  check_denoiser();
  check_size("states", states.size(), levels.size(), input_size_);
  check_size("denoised images", denoised.size(), levels.size(), input_size_);
  numbers_.resize(states.size());
  timesteps_.resize(levels.size());
  for (std::size_t k = 0; k < levels.size(); ++k) {
    const Scalings s = preconditioner_->scalings(levels[k].sigma);
    for (std::size_t i = k * input_size_; i < (k + 1) * input_size_; ++i)
      numbers_[i] = float(s.c_in * states[i]);
    timesteps_[k] = float(told_timestep(traits_.time, levels[k].timestep.value_or(s.c_noise)));
  }
  evaluate(numbers_, timesteps_, conditions, numbers_);
  for (std::size_t k = 0; k < levels.size(); ++k) {
    const Scalings s = preconditioner_->scalings(levels[k].sigma);
    for (std::size_t i = k * input_size_; i < (k + 1) * input_size_; ++i)
      denoised[i] = s.c_skip * states[i] + s.c_out * double(numbers_[i]);
  }
  insert_known(conditions, denoised);
}

void NetworkEvaluator::denoise(std::span<const double> states, std::span<const SampleLevel> levels,
                               const Conditions& conditions, std::span<const double> probe,
                               std::span<double> denoised, std::span<double> product) {
  denoise(states, levels, conditions, denoised);
  this->product(levels, probe, product);
}

// dD/dx = c_skip + c_out c_in dF/d(c_in x).
void NetworkEvaluator::product(std::span<const SampleLevel> levels, std::span<const double> probe,
                               std::span<double> product) {
  if (!plan_options_.input_grads) throw Error(ErrorKind::internal, "evaluator: products need Use::products");
  if (traits_.known_channels() > 0)
    throw Error(ErrorKind::usage, "there are no products for models that are told what is known of a sample");
  check_size("the levels of a product", levels.size(), latest().samples, 1);
  check_size("the probe", probe.size(), levels.size(), input_size_);
  check_size("the product", product.size(), levels.size(), input_size_);
  Prepared& prepared = plans_.front();
  numbers_.assign(probe.begin(), probe.end());
  prepared.plan.backward(numbers_);
  prepared.plan.read_input_grad(prepared.network.sample, product);
  for (std::size_t k = 0; k < levels.size(); ++k) {
    const Scalings s = preconditioner_->scalings(levels[k].sigma);
    for (std::size_t i = k * input_size_; i < (k + 1) * input_size_; ++i)
      product[i] = s.c_skip * probe[i] + s.c_out * s.c_in * product[i];
  }
}

}  // namespace diffusion
