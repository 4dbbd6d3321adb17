// Schedules, preconditioners, sigmas, clipping, configurations and samplers together against Hugging Face
// diffusers, from tests/golden/schedules.json and schedules_samplers.json (made by make_schedule_goldens.py
// and make_sampler_goldens.py, which explain the fields).

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "diffusers/scheduler_config.h"
#include "diffusion/guidance.h"
#include "diffusion/precondition.h"
#include "diffusion/samplers.h"
#include "diffusion/sampling_recipe.h"
#include "diffusion/schedule.h"
#include "diffusion/spacings.h"
#include "formats/json.h"

namespace diffusion {
namespace {

constexpr const char* kFile = DIFFUSION_SOURCE_DIR "/tests/golden/schedules.json";

Json read_golden(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(std::string("cannot open ") + path);
  std::ostringstream text;
  text << file.rdbuf();
  return parse_json(text.str(), path);
}

const Json& golden() {
  static const Json json = read_golden(kFile);
  return json;
}

const Json& field(const Json& object, std::string_view key) {
  return member(object, key, kFile);
}
double number(const Json& object, std::string_view key) {
  return to_double(field(object, key), key);
}
int integer(const Json& object, std::string_view key) {
  return int(to_int(field(object, key), key));
}
std::string text(const Json& object, std::string_view key) {
  return to_string(field(object, key), key);
}

std::vector<double> numbers(const Json& array) {
  std::vector<double> values;
  for (const Json& value : to_array(array, kFile)) values.push_back(to_double(value, kFile));
  return values;
}

std::vector<int> integers(const Json& array) {
  std::vector<int> values;
  for (const Json& value : to_array(array, kFile)) values.push_back(int(to_int(value, kFile)));
  return values;
}

NoiseSchedule schedule_of(const Json& config) {
  const std::string name = text(config, "beta_schedule");
  return make_schedule(parse_schedule_kind(name == "squaredcos_cap_v2" ? "cosine" : name),
                       integer(config, "num_train_timesteps"), number(config, "beta_start"),
                       number(config, "beta_end"));
}

Preconditioner preconditioner_of(const Json& config) {
  const std::string type = text(config, "prediction_type");
  return {type == "sample"         ? Objective::x0
          : type == "v_prediction" ? Objective::v
                                   : Objective::epsilon,
          schedule_of(config)};
}

// The golden file's network: F(x, t) = 0.3 x + 0.1 sin(t / 100).
Denoiser denoiser_of(const Json& config) {
  const Denoiser raw = [preconditioner = preconditioner_of(config)](std::span<const double> x, double sigma,
                                                                    std::span<double> denoised) {
    const Scalings c = preconditioner.scalings(sigma);
    for (std::size_t i = 0; i < x.size(); ++i)
      denoised[i] = c.c_skip * x[i] + c.c_out * (0.3 * c.c_in * x[i] + 0.1 * std::sin(c.c_noise / 100));
  };
  if (!to_bool(field(config, "clip_sample"), "clip_sample")) return raw;
  const double range = number(config, "clip_sample_range");
  return clip_denoised(raw, -range, range);
}

bool is_ddim(const Json& trajectory) {
  return text(field(trajectory, "config"), "_class_name") == "DDIMScheduler";
}

// What a sampler that only knows D does not do: with linspace diffusers steps to t - T / steps and not to the
// next timestep of its list; ddim's default mixes the clipped x0 with the unclipped epsilon; fixed_large is
// another variance.
bool is_ours(const Json& trajectory) {
  const Json& config = field(trajectory, "config");
  if (text(config, "timestep_spacing") == "linspace") return false;
  if (is_ddim(trajectory))
    return !to_bool(field(config, "clip_sample"), "clip_sample") ||
           to_bool(field(trajectory, "use_clipped_model_output"), "use_clipped_model_output");
  return text(config, "variance_type") == "fixed_small";
}

TEST(DiffusersGoldenTest, AlphasCumprod) {
  const Json::Array& cases = to_array(field(golden(), "alphas_cumprod"), kFile);
  ASSERT_GE(cases.size(), 6u);
  for (const Json& c : cases) {
    const NoiseSchedule schedule = schedule_of(c);
    const std::vector<int> t = integers(field(c, "t"));
    const std::vector<double> exact = numbers(field(c, "exact")), table = numbers(field(c, "table"));
    for (std::size_t i = 0; i < t.size(); ++i) {
      const double value = schedule.alpha_cumprod(t[i]);
      EXPECT_NEAR(value / exact[i], 1, 1e-10) << text(c, "beta_schedule") << " t = " << t[i];
      EXPECT_NEAR(value / table[i], 1, 1e-4)
          << text(c, "beta_schedule") << " t = " << t[i];  // diffusers' f32
    }
  }
}

TEST(DiffusersGoldenTest, Timesteps) {
  int compared = 0;
  for (const Json& trajectory : to_array(field(golden(), "trajectories"), kFile)) {
    const Json& config = field(trajectory, "config");
    const std::vector<double> expected = numbers(field(trajectory, "timesteps"));
    EXPECT_EQ(spaced_timesteps(integer(config, "num_train_timesteps"), int(expected.size()),
                               {.spacing = parse_spacing(text(config, "timestep_spacing")),
                                .steps_offset = integer(config, "steps_offset")}),
              expected);
    ++compared;
  }
  EXPECT_EQ(compared, 82);
}

TEST(DiffusersGoldenTest, Trajectories) {
  const std::vector<double> initial = numbers(field(golden(), "initial"));
  const Json::Array& noise = to_array(field(golden(), "noise"), kFile);
  const NoiseSource source = [&](int draw, std::span<double> out) {
    std::ranges::copy(numbers(noise.at(std::size_t(draw) - 1)), out.begin());
  };

  int compared = 0;
  for (const Json& trajectory : to_array(field(golden(), "trajectories"), kFile)) {
    if (!is_ours(trajectory)) continue;
    const Json& config = field(trajectory, "config");
    const Json::Array& states = to_array(field(trajectory, "states"), kFile);
    std::vector<double> sigmas;
    for (const int t : integers(field(trajectory, "timesteps")))
      sigmas.push_back(schedule_of(config).sigma(t));
    sigmas.push_back(0);
    const Sampler sampler =
        is_ddim(trajectory) ? Sampler(Ddim{.eta = number(trajectory, "eta")}) : Sampler(Ddpm{});

    std::vector<double> x = initial;
    for (double& value : x) value *= preconditioner_of(config).initial_std(sigmas.front());
    run_sampler(sampler, denoiser_of(config), sigmas, source, x, [&](const SamplerStep& step) {
      const std::vector<double> expected = numbers(states.at(std::size_t(step.index)));
      for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(step.x[i] / std::hypot(1, step.sigma_next), expected[i],
                    1e-9 * (1 + std::abs(expected[i])))
            << dump_json(config) << " step " << step.index;
    });
    ++compared;
  }
  EXPECT_EQ(compared, 40);
}

// tests/golden/schedules_samplers.json: a configuration of diffusers, and what sampling with it gives.
TEST(DiffusersGoldenTest, SchedulersSampleAsTheyDoInDiffusers) {
  const char* file = DIFFUSION_SOURCE_DIR "/tests/golden/schedules_samplers.json";
  const Json samples = read_golden(file);
  const std::vector<double> start = numbers(field(samples, "start"));
  const NoiseSource noise = [](int draw, std::span<double> out) {
    for (std::size_t k = 0; k < out.size(); ++k)
      out[k] = 1.3 * std::sin(1.7 * (draw - 1) + 0.9 * double(k) + 0.3);
  };
  std::set<std::string> classes;
  int compared = 0;
  for (const Json& run : to_array(field(samples, "runs"), file)) {
    Json::Object config = to_object(field(run, "config"), file);
    config["_class_name"] = field(run, "class");
    classes.insert(text(run, "class"));
    ++compared;
    const SchedulerSettings settings = parse_scheduler(config, "golden");
    const bool inverse = text(run, "class") == "DDIMInverseScheduler";
    SamplingRecipe recipe = settings.sampling;
    recipe.steps = integer(run, "steps");
    if (const Json* eta = run.find("eta")) set_option(recipe.sampler, "eta", to_double(*eta, "eta"));
    const std::string name = dump_json(config) + " " + std::to_string(recipe.steps) + " steps";
    const DenoisedLimit limit = denoised_limit(recipe.limit, start.size());
    const auto [sampler, levels] = sampler_on_levels(recipe, settings.preconditioner, limit);
    const auto n = std::size_t(recipe.steps) - (std::holds_alternative<Ipndm>(sampler) ? 1 : 0);
    ASSERT_EQ(levels.sigmas.size(), n + 1) << name;

    const std::vector<std::size_t> at{0, n / 2, n - 1, n};
    const std::vector<double> sigmas = numbers(field(run, "sigmas")),
                              timesteps = numbers(field(run, "timesteps"));
    const Preconditioner& preconditioner = settings.preconditioner;
    const NoiseSchedule* schedule = preconditioner.schedule();
    // Of a flow diffusers has the time t = sigma / (1 + sigma), and with zero terminal SNR DDPM and DDIM
    // start from infinity.
    const auto as_there = [&](double sigma) {
      return preconditioner.as<RectifiedFlow>() ? sigma / (1 + sigma) : sigma;
    };
    const bool from_infinity = schedule && schedule->zero_terminal_snr &&
                               recipe.levels.grid == LevelGrid::whole_timesteps && !inverse &&
                               levels.timesteps.front() == schedule->num_train_timesteps - 1;
    for (std::size_t i = from_infinity ? 1 : 0; i < 4; ++i)
      EXPECT_NEAR(as_there(levels.sigmas[at[i]]), sigmas[i], inverse ? 1e-8 : 1e-10 * sigmas[i])
          << name << " level " << at[i];
    for (std::size_t i = 0; i < 3 && !preconditioner.as<EdmProcess>(); ++i)
      EXPECT_NEAR(levels.timesteps[at[i]], timesteps[i], 1e-6) << name << " level " << at[i];
    const double start_scale =
        preconditioner.as<RectifiedFlow>() ? preconditioner.picture_scale(levels.sigmas.front()) : 1;
    if (!from_infinity) {
      EXPECT_NEAR(levels.initial_std * start_scale / number(run, "initial_std"), 1, 1e-10) << name;
    }

    const Denoiser network = [&](std::span<const double> x, double sigma, std::span<double> denoised) {
      const Scalings c = preconditioner.scalings(sigma);
      const double t = levels.timestep_of(sigma).value_or(c.c_noise);
      const double time = 0.1 * std::sin(preconditioner.as<EdmProcess>() ? t : t / 100);
      for (std::size_t i = 0; i < x.size(); ++i)
        denoised[i] = c.c_skip * x[i] + c.c_out * (0.3 * c.c_in * x[i] + time);
    };
    const bool vp = std::ranges::count(
                        std::vector<std::string>{"EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
                                                 "HeunDiscreteScheduler", "KDPM2DiscreteScheduler",
                                                 "LMSDiscreteScheduler", "EDMEulerScheduler",
                                                 "EDMDPMSolverMultistepScheduler"},
                        text(run, "class")) == 0;
    std::vector<double> x = start;
    for (double& value : x) value *= levels.initial_std;
    const Json::Array& states = to_array(field(run, "states"), file);
    const bool limited = limit && !recipe.limit.spares_noise;
    run_sampler(sampler, limited ? limit_denoised(network, limit) : network, levels.sigmas, noise, x,
                [&](const SamplerStep& step) {
                  const auto found = std::ranges::find(at, std::size_t(step.index));
                  if (found == at.end()) return;
                  const std::vector<double> expected = numbers(states.at(std::size_t(found - at.begin())));
                  for (std::size_t k = 0; k < expected.size(); ++k) {
                    const double state = step.x[k] * (vp ? preconditioner.picture_scale(step.sigma_next) : 1);
                    const double error = std::abs(state - expected[k]) / (1 + std::abs(expected[k]));
                    EXPECT_LT(error, inverse ? 1e-7 : 1e-9) << name << " step " << step.index;
                  }
                });
  }
  EXPECT_EQ(classes.size(), 21u);
  EXPECT_EQ(compared, 894);
}

}  // namespace
}  // namespace diffusion
