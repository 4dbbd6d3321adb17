// Every objective with every sampler: networks that are exact for Gaussian data.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "diffusion/precondition.h"
#include "diffusion/samplers.h"
#include "diffusion/spacings.h"
#include "support/exact_gaussian.h"

namespace diffusion {
namespace {

using namespace exact_gaussian;

// What F must predict at the input c_in x, from its definition in terms of the best y and n and not of the
// scalings.
double ideal_output(const Preconditioner& preconditioner, double x, double sigma) {
  double y = 0;
  gaussian_denoiser({&x, 1}, sigma, {&y, 1});
  const double n = (x - y) / sigma, alpha = 1 / std::hypot(1, sigma);
  switch (preconditioner.objective()) {
    case Objective::epsilon:
      return n;
    case Objective::v:
      return alpha * n - alpha * sigma * y;
    case Objective::x0:
      return y;
    case Objective::flow:
      return n - y;
    case Objective::edm: {
      const double s = preconditioner.as<EdmProcess>()->sigma_data;
      return (y - s * s / (s * s + sigma * sigma) * x) * std::hypot(s, sigma) / (sigma * s);
    }
  }
  return 0;
}

Denoiser denoiser_of(const Preconditioner& preconditioner) {
  return [&preconditioner](std::span<const double> x, double sigma, std::span<double> denoised) {
    const Scalings c = preconditioner.scalings(sigma);
    for (std::size_t k = 0; k < x.size(); ++k)
      denoised[k] = c.c_skip * x[k] + c.c_out * ideal_output(preconditioner, x[k], sigma);
  };
}

// Mean and variance follow from the answer to every random number alone: element 0 draws only zeros, and
// element j + 1 a one in draw j.
TEST(Objectives, EverySamplerReproducesGaussianDataOfEveryObjective) {
  constexpr int kSteps = 300;
  const NoiseSource impulses = [](int draw, std::span<double> out) {
    std::ranges::fill(out, 0);
    out[std::size_t(draw) + 1] = 1;
  };
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 1000);
  for (const Preconditioner& model :
       {Preconditioner(Objective::epsilon, schedule), Preconditioner(Objective::v, schedule),
        Preconditioner(Objective::v, rescale_zero_terminal_snr(schedule)),
        Preconditioner(Objective::x0, schedule), Preconditioner(EdmProcess{}),
        Preconditioner(RectifiedFlow{})})
    for (const auto& [sampler_name, sampler, reference] : samplers()) {
      const SamplerFacts facts = facts_of(sampler);
      if (facts.consistency) continue;  // needs another D
      const std::string name =
          std::string(to_string(model.objective())) + " with " + std::string(sampler_name);
      LevelSettings settings{.grid = facts.grid};
      if (facts.small_steps && !model.facts().small_steps) settings.spacing = Spacing::logsnr;
      const NoiseLevels levels = noise_levels(model, kSteps, settings);
      std::vector<double> x(kSteps + 2);
      impulses(0, x);
      for (double& value : x) value *= levels.initial_std;
      run_sampler(sampler, denoiser_of(model), levels.sigmas, impulses, x);
      double variance = 0;
      for (const double value : x) variance += (value - x[0]) * (value - x[0]);
      EXPECT_NEAR(x[0], kMean, 0.01) << name;
      EXPECT_NEAR(variance / (kStd * kStd), 1, facts.order > 1 ? 0.01 : 0.06) << name;
    }
}

// In the variables of the flow: x_t = (1 - t) y + t n, and Euler over t from t = 1.
TEST(Objectives, EulerOnAFlowIsEulerOverItsTime) {
  const Preconditioner flow(RectifiedFlow{});
  const NoiseLevels levels = noise_levels(flow, 10, {});
  double x_t = 0.8, t = 1;
  std::vector<double> x{x_t * levels.initial_std};
  run_sampler(Euler{}, denoiser_of(flow), levels.sigmas, {}, x, [&](const SamplerStep& step) {
    const double t_next = step.sigma_next / (1 + step.sigma_next);
    // At t = 1 nothing of the picture is left, so the best velocity is n - mean.
    const double velocity = t == 1 ? x_t - kMean : ideal_output(flow, x_t / (1 - t), t / (1 - t));
    x_t += (t_next - t) * velocity;
    t = t_next;
    EXPECT_NEAR(step.x[0] * flow.picture_scale(step.sigma_next), x_t, 1e-10) << step.index;
  });
}

}  // namespace
}  // namespace diffusion
