// RePaint and picture-to-picture against Hugging Face diffusers, from tests/golden/edits.json
// (make_edit_goldens.py explains the fields).

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <diffusion/edit.h>
#include "diffusers/scheduler_config.h"
#include "diffusion/guidance.h"
#include "diffusion/samplers.h"
#include "diffusion/samplers/repaint.h"
#include "diffusion/samplers/some_steps.h"
#include "files/fs.h"
#include "formats/json.h"
#include "golden_network.h"

namespace diffusion {
namespace {

constexpr const char* kEdits = DIFFUSION_SOURCE_DIR "/tests/golden/edits.json";
constexpr double kTolerance = 1e-5;  // diffusers computes in f32

const Json& edits() {
  static const Json json = parse_json(read_text_file(kEdits, 1 << 20), kEdits);
  return json;
}

double number_of(const Json& object, std::string_view key) {
  return to_double(member(object, key, kEdits), key);
}

std::vector<double> noise_number(int i) {
  return golden::numbers(to_array(member(edits(), "noise", kEdits), kEdits).at(std::size_t(i)));
}

Denoiser network_of(const Preconditioner& preconditioner, const NoiseLevels& levels) {
  return [&](std::span<const double> x, double sigma, std::span<double> denoised) {
    const Scalings c = preconditioner.scalings(sigma);
    const double time = 0.1 * std::sin(levels.timestep_of(sigma).value_or(c.c_noise) / 100);
    for (std::size_t i = 0; i < x.size(); ++i)
      denoised[i] = c.c_skip * x[i] + c.c_out * (0.3 * c.c_in * x[i] + time);
  };
}

// Every state of the sampling, in VP form, is that of `states`.
StepCallback expect_states(const Json& states, const Preconditioner& preconditioner, int& compared) {
  return [&](const SamplerStep& step) {
    const std::vector<double> expected =
        golden::numbers(to_array(states, kEdits).at(std::size_t(step.index)));
    for (std::size_t k = 0; k < expected.size(); ++k)
      EXPECT_NEAR(step.x[k] * preconditioner.picture_scale(step.sigma_next), expected[k],
                  kTolerance * (1 + std::abs(expected[k])))
          << "move " << step.index;
    ++compared;
  };
}

TEST(EditGolden, RepaintIsThatOfDiffusers) {
  for (const Json& run : to_array(member(edits(), "repaint", kEdits), kEdits)) {
    const int steps = int(number_of(run, "steps"));
    const Preconditioner preconditioner(Objective::epsilon,
                                        make_schedule(ScheduleKind::linear, steps, 0.02, 0.3));
    const NoiseLevels levels = noise_levels(preconditioner, steps, {.spacing = Spacing::leading});
    std::vector<bool> known;
    for (const double value : golden::numbers(member(edits(), "known", kEdits))) known.push_back(value == 1);
    const OwnSampler sampler =
        repaint_sampler({.sampler = Ddim{.eta = number_of(run, "eta"), .limit = clip_limit()},
                         .picture = golden::numbers(member(edits(), "picture", kEdits)),
                         .known = known,
                         .jump = int(number_of(run, "jump")),
                         .resample = int(number_of(run, "resample"))});
    const NoiseSource noise = [](int draw, std::span<double> out) {
      std::ranges::copy(noise_number((draw + 1) / 2), out.begin());
    };
    std::vector<double> x = noise_number(0);
    for (double& value : x) value *= std::hypot(1, levels.sigmas.front());
    const Json& states = member(run, "states", kEdits);
    int compared = 0;
    run_sampler(sampler, network_of(preconditioner, levels), levels.sigmas, noise, x,
                expect_states(states, preconditioner, compared));
    EXPECT_EQ(std::size_t(compared), to_array(states, kEdits).size());
  }
}

TEST(EditGolden, PictureToPictureIsThatOfDiffusers) {
  for (const Json& run : to_array(member(edits(), "img2img", kEdits), kEdits)) {
    Json::Object config = to_object(member(run, "config", kEdits), kEdits);
    config["_class_name"] = member(run, "class", kEdits);
    SchedulerSettings settings = parse_scheduler(config, "golden");
    settings.sampling.steps = int(number_of(run, "steps"));
    const std::vector<double> picture = golden::numbers(member(edits(), "picture", kEdits));
    const DenoisedLimit limit = denoised_limit(settings.sampling.limit, picture.size());
    const auto [sampler, levels] = sampler_on_levels(settings.sampling, settings.preconditioner, limit);
    const auto first = std::size_t(first_step_of(number_of(run, "strength"), settings.sampling.steps));
    const std::vector<double> sigmas(levels.sigmas.begin() + std::ptrdiff_t(first), levels.sigmas.end());
    std::vector<double> x = noise_number(0);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = picture[k] + sigmas.front() * x[k];
    const NoiseSource noise = [](int draw, std::span<double> out) {
      std::ranges::copy(noise_number(draw), out.begin());
    };
    const Json& states = member(run, "states", kEdits);
    Denoiser denoise = network_of(settings.preconditioner, levels);
    if (limit && !settings.sampling.limit.spares_noise) denoise = limit_denoised(denoise, limit);
    int compared = 0;
    run_sampler(for_some_steps(sampler, first, sigmas.size() - 1), denoise, sigmas, noise, x,
                expect_states(states, settings.preconditioner, compared));
    EXPECT_EQ(std::size_t(compared), to_array(states, kEdits).size());
  }
}

}  // namespace
}  // namespace diffusion
