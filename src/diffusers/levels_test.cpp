#include "diffusers/levels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <diffusion/error.h>

namespace diffusion::scheduler {
namespace {

Preconditioner linear_model() {
  return {Objective::epsilon, make_schedule(ScheduleKind::linear, 1000)};
}

double sigma(int t) {
  static const Preconditioner model = linear_model();
  return model.schedule()->sigma(t);
}

NoiseLevels levels_of(const Preconditioner& model, int steps, const Levels& levels) {
  Sampler sampler = Pndm{};
  return rule_of(levels)(model, steps, sampler);
}

TEST(DiffusersLevels, WithoutPeculiaritiesAreThoseOfTheSettings) {
  for (const Preconditioner& model :
       {linear_model(), Preconditioner(EdmProcess{}), Preconditioner(RectifiedFlow{})})
    for (const Spacing spacing : {Spacing::karras, Spacing::exponential, Spacing::beta})
      for (const int steps : {1, 7}) {
        const LevelSettings settings{.spacing = spacing, .grid = LevelGrid::with_end};
        const NoiseLevels rule = levels_of(model, steps, {.settings = settings}),
                          plain = noise_levels(model, steps, settings);
        EXPECT_EQ(rule.sigmas, plain.sigmas);
        EXPECT_EQ(rule.timesteps, plain.timesteps);
        EXPECT_EQ(rule.initial_std, plain.initial_std);
      }
}

TEST(DiffusersLevels, RealTimestepsSpanTheRangeOfTheTimesteps) {
  const Levels offset{
      .settings = {.spacing = Spacing::karras, .grid = LevelGrid::real_timesteps, .steps_offset = 1},
      .range = Spacing::leading,
      .initial_std = InitialStd::sigma};
  const NoiseLevels levels = levels_of(linear_model(), 4, offset);
  EXPECT_EQ(levels.sigmas.front(), sigma(751));
  EXPECT_EQ(levels.sigmas[3], sigma(1));
  EXPECT_EQ(levels.initial_std, sigma(751));
  Levels narrow = offset;
  narrow.settings.sigma_max = 2;
  EXPECT_EQ(levels_of(linear_model(), 4, narrow).sigmas.front(), 2);
  EXPECT_EQ(levels_of(linear_model(), 4, narrow).sigmas[3], sigma(1));
}

TEST(DiffusersLevels, TheNetworkIsToldWholeTimesteps) {
  Levels karras{.settings = {.spacing = Spacing::karras}};
  const NoiseLevels exact = levels_of(linear_model(), 10, karras);
  karras.rounding = TimestepRounding::down;
  const NoiseLevels down = levels_of(linear_model(), 10, karras);
  karras.rounding = TimestepRounding::nearest;
  karras.ends_at_sigma_min = true;
  const NoiseLevels whole = levels_of(linear_model(), 10, karras);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(whole.timesteps[i], std::nearbyint(exact.timesteps[i]));
    EXPECT_EQ(down.timesteps[i], std::floor(exact.timesteps[i]));
  }
  EXPECT_EQ(whole.timestep_of(whole.sigmas[4]), whole.timesteps[4]);
  EXPECT_EQ(whole.sigmas[10], whole.sigmas[9]);
  EXPECT_EQ(whole.sigmas[10], sigma(0));
}

TEST(DiffusersLevels, AFlowThatEndsAtItsLastLevelStays) {
  const NoiseLevels levels = levels_of(Preconditioner(RectifiedFlow{}), 3,
                                       {.settings = {.spacing = Spacing::linspace},
                                        .rounding = TimestepRounding::down,
                                        .ends_at_sigma_min = true});
  EXPECT_EQ(levels.sigmas[3], levels.sigmas[2]);
  EXPECT_EQ(levels.timesteps, (std::vector<double>{1000, 500, 1}));
}

TEST(DiffusersLevels, MiddlesOfTheFirstThreeSteps) {
  const Preconditioner model = linear_model();
  const LevelRule rule = rule_of({.settings = {.spacing = Spacing::leading}, .has_middles = true});
  Sampler pndm = Pndm{};
  rule(model, 10, pndm);
  EXPECT_EQ(std::get<Pndm>(pndm).middles, (std::vector{sigma(850), sigma(750), sigma(650)}));
  rule(model, 4, pndm);
  EXPECT_EQ(std::get<Pndm>(pndm).middles.size(), 3u);
  for (const int steps : {1, 3, 501, 1000}) EXPECT_THROW(rule(model, steps, pndm), Error) << steps;
}

}  // namespace
}  // namespace diffusion::scheduler
