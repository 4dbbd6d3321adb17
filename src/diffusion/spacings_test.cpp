#include "diffusion/spacings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "diffusion/precondition.h"
#include "diffusion/spacing_beta.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using Timesteps = std::vector<double>;

Preconditioner linear_model(int timesteps = 1000) {
  return {Objective::epsilon, make_schedule(ScheduleKind::linear, timesteps)};
}

Timesteps timesteps(int T, int steps, Spacing spacing, LevelGrid grid = LevelGrid::whole_timesteps) {
  return spaced_timesteps(T, steps, {.spacing = spacing, .grid = grid});
}

TEST(Spacings, TimestepsAreThoseOfDiffusers) {
  using enum Spacing;
  EXPECT_EQ(timesteps(1000, 4, leading), (Timesteps{750, 500, 250, 0}));
  EXPECT_EQ(timesteps(1000, 4, trailing), (Timesteps{999, 749, 499, 249}));
  EXPECT_EQ(timesteps(1000, 4, linspace), (Timesteps{999, 666, 333, 0}));
  EXPECT_EQ(timesteps(1000, 3, leading), (Timesteps{666, 333, 0}));
  EXPECT_EQ(timesteps(1000, 3, trailing), (Timesteps{999, 666, 332}));
  EXPECT_EQ(timesteps(1000, 3, linspace), (Timesteps{999, 500, 0}));  // 499.5 to even
  EXPECT_EQ(timesteps(1000, 1, leading), (Timesteps{0}));
  EXPECT_EQ(timesteps(1000, 1, trailing), (Timesteps{999}));
  EXPECT_EQ(timesteps(1000, 1, linspace), (Timesteps{0}));
  // Computed with numpy: 48 steps have ties that fall by the rounding of arange's increment.
  const Timesteps ties = timesteps(1000, 48, trailing);
  EXPECT_EQ(Timesteps(ties.begin(), ties.begin() + 10),
            (Timesteps{999, 978, 957, 936, 916, 895, 874, 853, 832, 811}));

  EXPECT_EQ(timesteps(1000, 3, linspace, LevelGrid::real_timesteps), (Timesteps{999, 499.5, 0}));
  EXPECT_EQ(timesteps(1000, 3, leading, LevelGrid::with_end), (Timesteps{750, 500, 250}));
  EXPECT_EQ(timesteps(1000, 3, linspace, LevelGrid::with_end), (Timesteps{999, 666, 333}));
  EXPECT_EQ(timesteps(1000, 1, linspace, LevelGrid::with_end), (Timesteps{999}));
  EXPECT_EQ(spaced_timesteps(1000, 4, {.spacing = leading, .steps_offset = 1}),
            (Timesteps{751, 501, 251, 1}));
}

TEST(Spacings, TimestepsAreDistinctDescendingAndInRange) {
  for (const int T : {1, 2, 7, 200, 1000})
    for (const Spacing spacing : {Spacing::leading, Spacing::trailing, Spacing::linspace})
      for (int steps = 1; steps <= T; ++steps) {
        const Timesteps t = timesteps(T, steps, spacing);
        ASSERT_EQ(t.size(), std::size_t(steps));
        ASSERT_LE(t.front(), T - 1);
        ASSERT_TRUE(spacing != Spacing::trailing || t.front() == T - 1);
        ASSERT_GE(t.back(), 0);
        for (std::size_t i = 1; i < t.size(); ++i) ASSERT_LT(t[i], t[i - 1]);
      }
}

TEST(Spacings, ImpossibleStepsAreRefused) {
  for (const int steps : {0, -5, 201, std::numeric_limits<int>::max()})
    EXPECT_THROW(timesteps(200, steps, Spacing::leading), Error) << steps;
  EXPECT_THROW(timesteps(0, 1, Spacing::leading), Error);
  EXPECT_THROW(timesteps(200, 5, Spacing::karras), Error);
  EXPECT_THROW(timesteps(200, 200, Spacing::leading, LevelGrid::with_end), Error);  // stride 0
  EXPECT_THROW(spaced_timesteps(200, 200, {.spacing = Spacing::leading, .steps_offset = 1}), Error);
  const std::string message = scratch::error_of(
      ErrorKind::usage, [] { timesteps(200, 200, Spacing::linspace, LevelGrid::with_end); });
  for (const char* part : {"linspace", "200", "fewer"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(Spacings, NamesGoBothWays) {
  for (const SpacingEntry& entry : spacings()) {
    EXPECT_EQ(parse_spacing(entry.name), entry.spacing);
    EXPECT_EQ(to_string(entry.spacing), entry.name);
  }
  const std::string message = scratch::error_of(ErrorKind::usage, [] { parse_spacing("even"); });
  EXPECT_NE(message.find("leading, trailing, linspace"), std::string::npos) << message;
}

// Every spacing, on every kind of model that it accepts.
TEST(Spacings, LevelsDescendFromTheModelsHighestToZero) {
  const std::vector<Preconditioner> models{
      linear_model(),
      linear_model(200),
      {Objective::v, rescale_zero_terminal_snr(make_schedule(ScheduleKind::cosine, 1000))},
      Preconditioner(EdmProcess{}),
      Preconditioner(RectifiedFlow{})};
  for (const SpacingEntry& entry : spacings())
    for (const Preconditioner& model : models)
      for (const LevelGrid grid : {LevelGrid::whole_timesteps, LevelGrid::real_timesteps, LevelGrid::with_end,
                                   LevelGrid::with_end_from_noise})
        for (const int steps : {1, 2, 10, 50, 151}) {
          const LevelSettings settings{.spacing = entry.spacing, .grid = grid};
          const bool of_schedule = entry.spacing == Spacing::leading || entry.spacing == Spacing::ays;
          const bool edm = model.as<EdmProcess>(), flow = model.as<RectifiedFlow>();
          if ((edm && entry.needs_timesteps) || (flow && of_schedule)) {
            EXPECT_THROW(noise_levels(model, steps, settings), Error);
            continue;
          }
          const NoiseLevels levels = noise_levels(model, steps, settings);
          ASSERT_EQ(levels.sigmas.size(), std::size_t(steps) + 1) << entry.name;
          EXPECT_EQ(levels.sigmas.back(), 0);
          EXPECT_EQ(levels.initial_std, model.initial_std(levels.sigmas.front()));
          for (std::size_t i = 1; i < levels.sigmas.size(); ++i)
            ASSERT_LT(levels.sigmas[i], levels.sigmas[i - 1]) << entry.name << " " << steps;
          ASSERT_EQ(levels.timesteps.size(), edm ? 0u : std::size_t(steps));
          const bool exact_noise = model.schedule() && model.schedule()->zero_terminal_snr;
          for (std::size_t i = exact_noise ? 1 : 0; i < levels.timesteps.size(); ++i)
            EXPECT_NEAR(levels.timesteps[i], model.scalings(levels.sigmas[i]).c_noise, 0.13) << entry.name;
          const bool starts_late =
              entry.spacing == Spacing::leading || (steps == 1 && entry.spacing == Spacing::linspace);
          if (!starts_late && !exact_noise && !flow) {
            EXPECT_NEAR(levels.sigmas.front() / model.sigma_max(), 1, 1e-12) << entry.name << steps;
          }
        }
}

TEST(Spacings, LevelsOfSigmaFollowTheirFormulas) {
  const Preconditioner model(EdmProcess{});
  const auto levels = [&](Spacing spacing) {
    std::vector<double> sigmas = noise_levels(model, 18, {.spacing = spacing}).sigmas;
    EXPECT_EQ(sigmas.back(), 0);
    sigmas.pop_back();
    return sigmas;
  };
  const auto expect_equal_steps = [](const std::vector<double>& sigmas, auto&& of) {
    for (std::size_t i = 1; i + 1 < sigmas.size(); ++i)
      EXPECT_NEAR(2 * of(sigmas[i]), of(sigmas[i - 1]) + of(sigmas[i + 1]), 1e-12);
  };
  for (const Spacing spacing : {Spacing::karras, Spacing::exponential, Spacing::beta}) {
    EXPECT_EQ(levels(spacing).front(), 80);
    EXPECT_EQ(levels(spacing).back(), 0.002);
  }
  expect_equal_steps(levels(Spacing::karras), [](double sigma) { return std::pow(sigma, 1 / 7.0); });
  expect_equal_steps(levels(Spacing::exponential), [](double sigma) { return std::log(sigma); });
  expect_equal_steps(levels(Spacing::logsnr), [](double sigma) { return std::log(sigma); });
  expect_equal_steps(levels(Spacing::angle), [](double sigma) { return std::atan(sigma); });
  EXPECT_EQ(levels(Spacing::angle).front(), 80);
  EXPECT_NEAR(levels(Spacing::angle).back(), std::tan(std::atan(80) / 18), 1e-12);
  EXPECT_NEAR(levels(Spacing::logsnr).back(), 0.002 * std::pow(80 / 0.002, 1.0 / 18), 1e-12);
  EXPECT_EQ(karras_sigmas(1, 0.002, 80), (std::vector<double>{80, 0}));
  for (const double bad : {0.0, -1.0, 80.0, std::nan("")})
    EXPECT_THROW(karras_sigmas(5, bad, 80), Error) << bad;
  EXPECT_THROW(karras_sigmas(5, 1, std::numeric_limits<double>::infinity()), Error);
  EXPECT_THROW(karras_sigmas(0, 0.002, 80), Error);
  EXPECT_THROW(karras_sigmas(5, 0.002, 80, 0), Error);
}

TEST(Spacings, NoneIsTrailingOrKarras) {
  const Preconditioner edm{EdmProcess{}};
  EXPECT_EQ(noise_levels(edm, 7).sigmas, karras_sigmas(7, 0.002, 80));
  EXPECT_EQ(noise_levels(linear_model(), 7).timesteps, timesteps(1000, 7, Spacing::trailing));
}

TEST(Spacings, AlignYourStepsIsTheirTableAndItsInterpolation) {
  const Preconditioner stable_diffusion(Objective::epsilon,
                                        make_schedule(ScheduleKind::scaled_linear, 1000, 0.00085, 0.012));
  const NoiseLevels ten = noise_levels(stable_diffusion, 10, {.spacing = Spacing::ays});
  const std::vector<double> timesteps{999, 850, 736, 645, 545, 455, 343, 233, 124, 24},
      sigmas{14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152};  // as published
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_NEAR(ten.timesteps[i], timesteps[i], 1e-9);
    EXPECT_NEAR(ten.sigmas[i] / sigmas[i], 1, 0.004);
  }
  const NoiseLevels twenty = noise_levels(stable_diffusion, 20, {.spacing = Spacing::ays});
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_NEAR(twenty.sigmas[2 * i], ten.sigmas[i], 1e-12);
    EXPECT_NEAR(twenty.sigmas[2 * i + 1], std::sqrt(ten.sigmas[i] * ten.sigmas[i + 1]), 1e-12);
  }
  EXPECT_GT(noise_levels(stable_diffusion, 20, {.spacing = Spacing::ays}).sigmas[19],
            stable_diffusion.sigma_min());
}

TEST(Spacings, TheSettingsRangeIsThatOfTheLevels) {
  const Preconditioner model = linear_model();
  const auto sigma = [&](int t) { return model.schedule()->sigma(t); };
  const NoiseLevels between =
      noise_levels(model, 3, {.spacing = Spacing::linspace, .grid = LevelGrid::real_timesteps});
  EXPECT_DOUBLE_EQ(between.sigmas[1], (sigma(499) + sigma(500)) / 2);
  EXPECT_EQ(between.timesteps[1], 499.5);
  EXPECT_EQ(between.timestep_of(between.sigmas[1]), 499.5);
  EXPECT_EQ(between.timestep_of(between.sigmas[1] * 1.0001), std::nullopt);

  const NoiseLevels range =
      noise_levels(model, 5, {.spacing = Spacing::exponential, .sigma_min = 0.1, .sigma_max = 10.0});
  EXPECT_EQ(range.sigmas.front(), 10);
  EXPECT_EQ(range.sigmas[4], 0.1);
  EXPECT_THROW(noise_levels(model, 5, {.spacing = Spacing::karras, .sigma_min = 10.0, .sigma_max = 1.0}),
               Error);

  LevelSettings limited{.spacing = Spacing::linspace, .sigma_max = sigma(700)};
  EXPECT_EQ(noise_levels(model, 5, limited).timesteps, (Timesteps{700, 525, 350, 175, 0}));
  limited.sigma_max = sigma(0) / 2;
  EXPECT_THROW(noise_levels(model, 5, limited), Error);
}

// t of every level.
std::vector<double> flow_times_of(int steps, const LevelSettings& settings) {
  std::vector<double> times = noise_levels(Preconditioner(RectifiedFlow{}), steps, settings).sigmas;
  for (double& t : times) t = t / (1 + t);
  return times;
}

TEST(Spacings, TimesOfAFlow) {
  const double t_1 = 1 + 0.25 * (0.001 - 1), t_3 = 1 + 0.75 * (0.001 - 1);
  const std::vector<double> plain = flow_times_of(5, {});
  EXPECT_NEAR(plain[0], 1, 1e-12);
  EXPECT_LT(plain[0], 1);
  EXPECT_NEAR(plain[1], t_1, 1e-12);
  EXPECT_NEAR(plain[3], t_3, 1e-12);
  EXPECT_NEAR(plain[4], 0.001, 1e-12);
  EXPECT_EQ(plain[5], 0);

  // diffusers' FlowMatchEuler shifts the least time twice.
  const auto shifted = [](double t) { return 3 * t / (1 + 2 * t); };
  EXPECT_NEAR(flow_times_of(5, {.shift = 3})[4], shifted(shifted(0.001)), 1e-12);
  EXPECT_NEAR(flow_times_of(5, {.shift = 3})[1], shifted(1 + 0.25 * (shifted(0.001) - 1)), 1e-12);
  const std::vector<double> trailing = flow_times_of(5, {.spacing = Spacing::trailing, .shift = 3});
  EXPECT_NEAR(trailing[4], shifted(0.2), 1e-12);
  EXPECT_NEAR(flow_times_of(5, {.grid = LevelGrid::with_end, .shift = 3})[4], shifted(0.999 * 0.2), 1e-12);
  EXPECT_NEAR(flow_times_of(5, {.grid = LevelGrid::with_end_from_noise})[0], 1 - 1e-6, 1e-12);
  EXPECT_NEAR(flow_times_of(5, {.shift_terminal = 0.2})[4], 0.2, 1e-12);
  EXPECT_EQ(noise_levels(Preconditioner(RectifiedFlow{}), 1, {}).timesteps, std::vector<double>{1000});
}

TEST(Spacings, WhatAFlowDoesNotHaveIsRefused) {
  const Preconditioner flow(RectifiedFlow{});
  for (const double shift : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()})
    EXPECT_THROW(noise_levels(flow, 5, {.shift = shift}), Error) << shift;
  for (const double terminal : {-0.1, 1.0, std::nan("")})
    EXPECT_THROW(noise_levels(flow, 5, {.shift_terminal = terminal}), Error) << terminal;
  EXPECT_THROW(noise_levels(flow, 1, {.shift_terminal = 0.1}), Error);
  EXPECT_THROW(noise_levels(flow, 0, {}), Error);
  EXPECT_THROW(noise_levels(flow, 50, {.shift = 1e-300}), Error);  // all the same but the first
  for (const Spacing spacing : {Spacing::leading, Spacing::ays}) {
    const std::string message =
        scratch::error_of(ErrorKind::usage, [&] { noise_levels(flow, 5, {.spacing = spacing}); });
    for (const char* part : {to_string(spacing).data(), "flow", "trailing", "logsnr"})
      EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

// With zero terminal SNR the last timestep is pure noise, whatever sigma the table gives it.
TEST(Spacings, ZeroTerminalSnrStartsWhereDiffusersDoes) {
  const Preconditioner model(Objective::v,
                             rescale_zero_terminal_snr(make_schedule(ScheduleKind::linear, 1000)));
  const auto first = [&](int steps, LevelGrid grid, Spacing spacing) {
    return noise_levels(model, steps, {.spacing = spacing, .grid = grid}).sigmas.front();
  };
  EXPECT_GT(model.sigma_max(), 4096);
  const double largest = std::sqrt(0x1p24 - 1);  // alphas_cumprod 2^-24
  EXPECT_EQ(first(10, LevelGrid::with_end, Spacing::trailing), largest);
  EXPECT_EQ(first(10, LevelGrid::real_timesteps, Spacing::karras), largest);
  EXPECT_EQ(first(10, LevelGrid::whole_timesteps, Spacing::trailing), 0x1p40);
  EXPECT_EQ(first(1000, LevelGrid::real_timesteps, Spacing::trailing), model.sigma_max());  // must descend
  EXPECT_LT(first(10, LevelGrid::whole_timesteps, Spacing::leading), 4096);
}

// Computed with mpmath to 15 digits.
TEST(Spacings, BetaQuantiles) {
  EXPECT_EQ(beta_quantile(0), 0);
  EXPECT_EQ(beta_quantile(1), 1);
  EXPECT_NEAR(beta_quantile(0.5), 0.5, 1e-15);
  EXPECT_NEAR(beta_quantile(0.001), 1.8558738517452003e-5, 1e-13);
  EXPECT_NEAR(beta_quantile(0.02), 0.0027329820245770291, 1e-13);
  EXPECT_NEAR(beta_quantile(0.1), 0.039584405588780852, 1e-13);
  EXPECT_NEAR(beta_quantile(0.25), 0.17568037865269502, 1e-13);
  EXPECT_NEAR(beta_quantile(0.4), 0.36270099075321432, 1e-13);
  EXPECT_NEAR(beta_quantile(0.75), 0.82431962134730498, 1e-13);
  EXPECT_NEAR(beta_quantile(0.999), 0.99998144126148255, 1e-13);
}

}  // namespace
}  // namespace diffusion
