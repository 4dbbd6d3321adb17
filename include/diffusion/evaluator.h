#pragma once

// The denoiser itself: D(x; sigma), the estimate of the clean image y in x = y + sigma n (Karras et al. 2022,
// arXiv 2206.00364), and the raw network F below it. Sampling, measurements and whatever else one does with a
// model can be built on it.

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include <diffusion/conditions.h>

namespace diffusion {

class Device;  // device.h
struct Model;  // models.h
class NetworkEvaluator;

// The noise level of one sample.
struct SampleLevel {
  double sigma;
  // What the network is told instead of the c_noise of sigma (some samplers of diffusers round timesteps).
  std::optional<double> timestep = {};
};

// Evaluates a model on a device. Every sample of a call has a noise level and conditions of its own, and its
// result does not depend on the others of the call.
//
// An evaluator serves one thread at a time. Several, each on a thread of its own, may evaluate one model at
// the same time.
class Evaluator {
 public:
  // What there is besides values of D and F: nothing, or products with the Jacobian of D.
  enum class Use { values, products };

  // For 1 to `most_samples` samples of height x width a call; height and width 0: those of the model. Each
  // number of samples needs memory for activations, which is kept until a call has another number; that for
  // `most_samples` is made at once. Error(usage) if the network allows no such images.
  Evaluator(std::shared_ptr<const Model> model, std::shared_ptr<const Device> device, int most_samples,
            int height = 0, int width = 0, Use use = Use::values);
  Evaluator(Evaluator&& other) noexcept;
  Evaluator& operator=(Evaluator&& other) noexcept;
  ~Evaluator();

  // D(x; sigma). states and denoised: [N, C, H, W], N = levels.size(); denoised may be states. Error(usage)
  // if sizes or conditions do not fit, or if the network has not as many output channels as input channels.
  void denoise(std::span<const double> states, std::span<const SampleLevel> levels,
               const Conditions& conditions, std::span<double> denoised);

  // The same with Use::products, and of each sample product = probe^T dD/dx, [N, C, H, W]; denoised is not
  // states. It is exact, and costs about as much as one more evaluation.
  void denoise(std::span<const double> states, std::span<const SampleLevel> levels,
               const Conditions& conditions, std::span<const double> probe, std::span<double> denoised,
               std::span<double> product);

  // The raw output F. input: [N, in_channels, H, W], as the network sees it (c_in x); timesteps: [N];
  // output: [N, out_channels, H, W]. Errors as those of denoise().
  void evaluate(std::span<const float> input, std::span<const float> timesteps, const Conditions& conditions,
                std::span<float> output);

  std::size_t input_size() const;   // numbers of a sample
  std::size_t output_size() const;  // numbers of F of a sample

 private:
  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Device> device_;
  std::unique_ptr<NetworkEvaluator> evaluator_;
};

}  // namespace diffusion
