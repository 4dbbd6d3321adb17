#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include <diffusion/conditions.h>
#include <diffusion/evaluator.h>
#include "device/device.h"
#include "diffusion/model.h"
#include "diffusion/text_encoding.h"
#include "nn/network.h"
#include "plan/plan.h"

namespace diffusion {

// Evaluates a network on a device: the one place that writes its inputs, runs a plan and reads what it says,
// where maths in double meets the network's precision. Every sample of a call has a noise level and
// conditions of its own, and its result does not depend on the others of the call.
//
// With constant parameters a network of words is evaluated without its text encoder, which is computed once
// for each text; it may then be told "encoder_hidden_states" instead of "tokens". If parameters are learned,
// but not those of the text encoder (WordsConfig::trains_text_encoder), it must be.
//
// An evaluator serves one thread at a time. Several, each on a thread of its own, may evaluate one model at
// the same time.
class NetworkEvaluator {
 public:
  // What there is besides values of D and F: nothing, or products with the Jacobian of D.
  enum class Use { values, products };

  // For 1 to `most_samples` samples of height x width a call. Evaluates without dropout. `model` and `device`
  // must outlive this, and the model's weights must not change during a call.
  //
  // Each number of samples needs a plan of its own, with memory for activations and for repacked weights; the
  // `most_plans` used last are kept. That for `most_samples` is made at once, so that a size for which there
  // is no memory fails here. Error(usage) if the network allows no such images.
  NetworkEvaluator(const Model& model, const Device& device, int most_samples, int height, int width,
                   Use use = Use::values, int most_plans = 1);

  // The raw network alone, without D: with constant parameters, or to train those that `device` learns, with
  // gradient_checkpointing as in PlanOptions.
  // `params` and `device` must outlive this.
  NetworkEvaluator(const NetworkConfig& network, const ParamStore& params, const Device& device,
                   int most_samples, int height, int width);
  NetworkEvaluator(const NetworkConfig& network, const LearnedParams& params, const Device& device,
                   int most_samples, int height, int width, bool gradient_checkpointing = false);

  // D(x; sigma), the estimate of the clean images. states and denoised: [N, C, H, W], N = levels.size();
  // denoised may be states. Error(usage) if sizes or conditions do not fit (check_conditions), or if the
  // network has not as many output channels as input channels.
  void denoise(std::span<const double> states, std::span<const SampleLevel> levels,
               const Conditions& conditions, std::span<double> denoised);

  // The same with Use::products, and of each sample product = probe^T dD/dx, [N, C, H, W]; denoised is not
  // states. It is exact: the backward pass of the network, without its weights' gradients, costs about as
  // much as one more forward. (Central differences of D would take three forwards instead of these two, and
  // lose half of the digits.)
  void denoise(std::span<const double> states, std::span<const SampleLevel> levels,
               const Conditions& conditions, std::span<const double> probe, std::span<double> denoised,
               std::span<double> product);

  // The same product alone, once, right after denoise() of states at these levels: the activations are those
  // of that call, so it costs the backward pass and no forward.
  void product(std::span<const SampleLevel> levels, std::span<const double> probe, std::span<double> product);

  // The raw output F. input: [N, in_channels, H, W], as the network sees it (c_in x); timesteps: [N], of
  // which the network is told told_timestep(); output: [N, out_channels, H, W]. `context` decides dropout.
  // Where the condition "known" says that a number is known, the network sees 0 in its place (CSDI, Tashiro
  // et al. 2021, arXiv 2107.03502), and D is what is known. Errors as those of denoise().
  void evaluate(std::span<const float> input, std::span<const float> timesteps, const Conditions& conditions,
                std::span<float> output, const RunContext& context = {});

  // With parameters that are learned, after evaluate() in the same context: adds to the gradients of the
  // parameters, from the gradient of a loss with respect to F, [N, out_channels, H, W].
  void backward(std::span<const float> output_grad, const RunContext& context = {});

  std::size_t input_size() const { return input_size_; }    // numbers of a sample
  std::size_t output_size() const { return output_size_; }  // numbers of F of a sample

  // Of the plan that was used last; before the first call, of that for most_samples.
  const Network& network() const { return latest().network; }
  std::size_t arena_bytes() const;  // of all plans that are kept

  // Called after every kernel of later calls, but for those of the text encoder; empty: none.
  void set_observer(std::function<void(const StepTiming&)> observer);

 private:
  using Params = std::variant<const ParamStore*, const LearnedParams*>;

  // A network for a number of samples, ready to run.
  struct Prepared {
    std::size_t samples;
    Network network;
    Plan plan;
  };

  NetworkEvaluator(const NetworkConfig& network, Params params, const Preconditioner* preconditioner,
                   const Device& device, const PlanOptions& plans, std::array<int, 3> most, int most_plans);

  Prepared make(std::size_t samples) const;
  Prepared& prepare(std::size_t samples);
  const Prepared& latest() const;
  void check_denoiser() const;
  // `input` without what is known of it, which the network is told otherwise.
  std::span<const float> without_known(std::span<const float> input, const Conditions& conditions);
  // Puts what is known into D.
  void insert_known(const Conditions& conditions, std::span<double> denoised) const;
  void write_conditions(const Conditions& conditions, Prepared& prepared);

  NetworkConfig config_;
  NetworkTraits traits_;
  Params params_;
  const Preconditioner* preconditioner_;  // nullptr: there is no D
  const Device& device_;
  PlanOptions plan_options_;
  std::size_t most_samples_, most_plans_;
  int height_, width_;
  std::size_t input_size_, output_size_;
  std::optional<TextEncoding> encoding_;  // with constant parameters, of networks that are told tokens
  std::list<Prepared> plans_;             // the one used last first
  std::function<void(const StepTiming&)> observer_;
  std::vector<float> numbers_, timesteps_, told_, unknown_;
};

}  // namespace diffusion
