#include "diffusion/default_recipe.h"

#include <gtest/gtest.h>

#include <diffusion/error.h>
#include "diffusion/guidance.h"
#include "diffusion/sampling_recipe.h"
#include "nn/unet.h"

namespace diffusion {
namespace {

Preconditioner discrete(int timesteps = 1000) {
  return {Objective::epsilon, make_schedule(ScheduleKind::linear, timesteps)};
}

Model model_of(Preconditioner preconditioner, SamplingRecipe sampling) {
  UNetConfig config;
  config.in_channels = config.out_channels = 1;
  config.norm_num_groups = 4;
  config.sample_size = {8, 8};
  config.block_out_channels = {8};
  config.down_block_attention = config.up_block_attention = {false};
  config.layers_per_block = 1;
  ParamStore params(layout_of(config));
  return {config, std::move(preconditioner), {}, {}, std::move(sampling), std::move(params)};
}

TEST(DefaultRecipe, HasAnotherSamplerForDdpm) {
  const SamplingRecipe ddpm{.sampler = Ddpm{},
                            .levels = {.spacing = Spacing::trailing},
                            .steps = 1000,
                            .limit = {.kind = EstimateLimit::Kind::clip}};
  const SamplingRecipe recipe = default_recipe(model_of(discrete(), ddpm));
  EXPECT_EQ(name_of(recipe.sampler), "dpmpp_3m_sde");
  EXPECT_EQ(recipe.levels.spacing, Spacing::trailing);
  EXPECT_EQ(recipe.levels.grid, LevelGrid::with_end);
  EXPECT_EQ(recipe.steps, 20);
  EXPECT_TRUE(recipe.limit.clips());
}

TEST(DefaultRecipe, IsElseTheSchedulersOwn) {
  SamplingRecipe own{.sampler = Pndm{}, .steps = 17};
  own.level_rule = [](const Preconditioner&, int, Sampler&) { return NoiseLevels{{2, 0}, {}, 2}; };
  const SamplingRecipe recipe = default_recipe(model_of(discrete(), own));
  EXPECT_EQ(name_of(recipe.sampler), "pndm");
  EXPECT_TRUE(recipe.level_rule);
  EXPECT_EQ(recipe.steps, 17);
}

TEST(DefaultSteps, FewAreEnoughForManyValuesAndDdpmNeedsAll) {
  const auto steps = [](const char* sampler, const Preconditioner& preconditioner) {
    return default_steps(find_sampler(sampler), preconditioner);
  };
  for (const char* name : {"ddim", "euler", "euler_ancestral", "edm"})
    EXPECT_EQ(steps(name, discrete()), 50) << name;
  for (const char* name : {"pndm", "heun", "dpm2", "lms", "ipndm", "dpmpp_2m", "dpmpp_3m", "dpmpp_2m_sde",
                           "dpmpp_3m_sde", "unipc", "unipc_3", "deis", "deis_2", "flow_heun"})
    EXPECT_EQ(steps(name, discrete()), 20) << name;
  EXPECT_EQ(steps("consistency", discrete()), 4);
  EXPECT_EQ(steps("ddpm", discrete()), 1000);
  EXPECT_EQ(steps("ddpm", Preconditioner(RectifiedFlow{})), 50);
  EXPECT_EQ(steps("ddim", discrete(30)), 30);
  EXPECT_EQ(steps("heun", discrete(10)), 10);
}

TEST(SamplingRecipe, AnotherSamplerTakesItsOwnLevels) {
  const SamplingRecipe ddim{.sampler = Ddim{.eta = 0.3},
                            .levels = {.spacing = Spacing::leading, .steps_offset = 1, .sigma_min = 0.1},
                            .limit = {.kind = EstimateLimit::Kind::clip, .range = 2, .spares_noise = true},
                            .guidance = {.scale = 3}};
  const auto with = [&](const char* sampler, const Preconditioner& preconditioner) {
    return with_sampler(ddim, find_sampler(sampler), preconditioner);
  };
  const SamplingRecipe same = with("ddim", discrete());
  EXPECT_EQ(std::get<Ddim>(same.sampler).eta, 0.3);
  EXPECT_EQ(same.levels.sigma_min, 0.1);
  EXPECT_TRUE(same.limit.spares_noise);

  const SamplingRecipe multistep = with("dpmpp_2m", discrete());
  EXPECT_EQ(multistep.levels.spacing, Spacing::leading);
  EXPECT_EQ(multistep.levels.grid, LevelGrid::with_end);
  EXPECT_EQ(multistep.levels.steps_offset, 1);
  EXPECT_EQ(multistep.levels.sigma_min, std::nullopt);
  EXPECT_EQ(multistep.steps, 20);
  EXPECT_EQ(multistep.limit.range, 2);
  EXPECT_FALSE(multistep.limit.spares_noise);
  EXPECT_EQ(multistep.guidance.scale, 3);

  EXPECT_EQ(with("heun", discrete()).levels.spacing, Spacing::logsnr);
  EXPECT_EQ(with("heun", Preconditioner(EdmProcess{})).levels.spacing, Spacing::leading);
  EXPECT_EQ(with("consistency", discrete()).levels.spacing, Spacing::angle);
  EXPECT_EQ(with("consistency", discrete()).steps, 4);

  const SamplingRecipe karras = with_spacing(with("heun", discrete()), Spacing::karras);
  EXPECT_EQ(karras.levels.spacing, Spacing::karras);
  EXPECT_EQ(karras.levels.grid, LevelGrid::real_timesteps);
  EXPECT_EQ(with_spacing(ddim, Spacing::trailing).levels.sigma_min, std::nullopt);
  EXPECT_EQ(std::get<Ddim>(with_spacing(ddim, Spacing::trailing).sampler).eta, 0.3);
}

TEST(SamplingRecipe, DdimGetsALimitThatSparesTheNoise) {
  const DenoisedLimit limit = clip_limit();
  const EstimateLimit sparing{.kind = EstimateLimit::Kind::clip, .spares_noise = true};
  const auto on_levels = [&](const SamplingRecipe& recipe) {
    return sampler_on_levels(recipe, discrete(), limit).sampler;
  };
  EXPECT_FALSE(std::get<Ddim>(on_levels({.sampler = Ddim{}})).limit);
  EXPECT_TRUE(std::get<Ddim>(on_levels({.sampler = Ddim{}, .limit = sparing})).limit);
  EXPECT_THROW(on_levels({.sampler = Euler{}, .limit = sparing}), Error);
}

TEST(SamplingRecipe, TheRuleOfLevelsGoesBeforeSettingsUntilSamplerOrSpacingChange) {
  SamplingRecipe recipe{.sampler = EulerAncestral{.eta = 0.5}, .steps = 2};
  recipe.level_rule = [](const Preconditioner&, int steps, Sampler& sampler) {
    EulerAncestral& euler = std::get<EulerAncestral>(sampler);
    euler.downs = {euler.eta, 0};
    return NoiseLevels{{double(steps), 1, 0}, {}, 7};
  };
  const auto [sampler, levels] = sampler_on_levels(recipe, discrete());
  EXPECT_EQ(levels.sigmas, (std::vector<double>{2, 1, 0}));
  EXPECT_EQ(levels.initial_std, 7);
  EXPECT_EQ(std::get<EulerAncestral>(sampler).downs, (std::vector{0.5, 0.0}));
  EXPECT_TRUE(std::get<EulerAncestral>(recipe.sampler).downs.empty());
  EXPECT_FALSE(with_spacing(recipe, Spacing::trailing).level_rule);
  EXPECT_FALSE(with_sampler(recipe, Ddim{}, discrete()).level_rule);
  EXPECT_TRUE(with_sampler(recipe, EulerAncestral{}, discrete()).level_rule);  // the same sampler
}

}  // namespace
}  // namespace diffusion
