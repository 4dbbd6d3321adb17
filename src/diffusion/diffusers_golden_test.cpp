// Schedules, preconditioners, sigmas, clipping and samplers together against Hugging Face diffusers, from
// tests/golden/schedules.json (made by make_schedule_goldens.py, which explains the fields).

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "diffusion/guidance.h"
#include "diffusion/precondition.h"
#include "diffusion/samplers.h"
#include "diffusion/schedule.h"
#include "io/json.h"

namespace diffusion {
namespace {

constexpr const char* kFile = DIFFUSION_SOURCE_DIR "/tests/golden/schedules.json";

const Json& golden() {
  static const Json json = [] {
    std::ifstream file(kFile, std::ios::binary);
    if (!file) throw std::runtime_error(std::string("cannot open ") + kFile);
    std::ostringstream text;
    text << file.rdbuf();
    return parse_json(text.str(), kFile);
  }();
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
    if (integer(config, "steps_offset") != 0) continue;
    const std::vector<int> expected = integers(field(trajectory, "timesteps"));
    EXPECT_EQ(sampling_timesteps(integer(config, "num_train_timesteps"), int(expected.size()),
                                 parse_timestep_spacing(text(config, "timestep_spacing"))),
              expected);
    ++compared;
  }
  EXPECT_EQ(compared, 80);
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
    const std::vector<double> sigmas =
        sampling_sigmas(schedule_of(config), integers(field(trajectory, "timesteps")));
    SamplerOptions options;
    if (is_ddim(trajectory)) options.eta = number(trajectory, "eta");

    std::vector<double> x = initial;
    for (double& value : x) value *= preconditioner_of(config).initial_std(sigmas.front());
    run_sampler(find_sampler(is_ddim(trajectory) ? "ddim" : "ddpm"), denoiser_of(config), sigmas, source,
                options, x, [&](const SamplerStep& step) {
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

}  // namespace
}  // namespace diffusion
