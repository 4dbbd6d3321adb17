#include "diffusers/scheduler_config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "diffusion/default_recipe.h"
#include "diffusion/sampling_recipe.h"
#include "diffusion/spacings.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

// A configuration as text without the braces and the class.
Json config_of(const std::string& scheduler, const std::string& fields) {
  return parse_json(
      "{\"_class_name\": \"" + scheduler + "Scheduler\"" + (fields.empty() ? "" : ", ") + fields + "}",
      "s.json");
}

SchedulerSettings read(const std::string& scheduler, const std::string& fields = "") {
  return parse_scheduler(config_of(scheduler, fields), "s.json");
}

TEST(SchedulerConfig, ZeroTerminalSnrSurvivesTheFile) {
  const NoiseSchedule plain = make_schedule(ScheduleKind::linear, 200),
                      rescaled = rescale_zero_terminal_snr(plain);
  for (const NoiseSchedule& schedule : {plain, rescaled}) {
    const Json json = scheduler_to_json(Preconditioner(Objective::v, schedule), true);
    EXPECT_EQ(member(json, "rescale_betas_zero_snr", "scheduler"), Json(schedule.zero_terminal_snr));
    const SchedulerSettings settings = parse_scheduler(json, "scheduler");
    EXPECT_EQ(settings.preconditioner.schedule()->betas, schedule.betas);
    EXPECT_EQ(settings.preconditioner.schedule()->sigmas, schedule.sigmas);
    EXPECT_EQ(settings.preconditioner.schedule()->zero_terminal_snr, schedule.zero_terminal_snr);
  }
}

TEST(SchedulerConfig, RefusesZeroTerminalSnrThatCannotBe) {
  const std::string message = scratch::error_of(ErrorKind::bad_input, [] {
    read("DDPM", R"("num_train_timesteps": 1, "rescale_betas_zero_snr": true)");
  });
  EXPECT_NE(message.find("s.json"), std::string::npos) << message;
  EXPECT_NE(message.find("zero terminal SNR"), std::string::npos) << message;
}

TEST(SchedulerConfig, WhatWeWriteReadsBack) {
  const Preconditioner discrete(Objective::x0, make_schedule(ScheduleKind::scaled_linear, 300, 0.001, 0.03));
  for (const bool clip : {false, true}) {
    const SchedulerSettings settings = parse_scheduler(scheduler_to_json(discrete, clip), "ours");
    EXPECT_EQ(settings.preconditioner.objective(), Objective::x0);
    EXPECT_EQ(settings.preconditioner.schedule()->sigmas, discrete.schedule()->sigmas);
    EXPECT_EQ(name_of(settings.sampling.sampler), "ddpm");
    EXPECT_EQ(settings.sampling.levels.spacing, Spacing::trailing);
    EXPECT_EQ(settings.sampling.limit.kind, clip ? EstimateLimit::Kind::clip : EstimateLimit::Kind::none);
  }
  const EdmProcess edm{.sigma_data = 0.4, .sigma_min = 0.01, .sigma_max = 50};
  const SchedulerSettings settings = parse_scheduler(scheduler_to_json(Preconditioner(edm), false), "ours");
  EXPECT_EQ(settings.preconditioner.as<EdmProcess>()->sigma_data, 0.4);
  EXPECT_EQ(settings.preconditioner.as<EdmProcess>()->sigma_max, 50);
  EXPECT_EQ(settings.sampling.levels.spacing, Spacing::karras);

  const Preconditioner flow(RectifiedFlow{.num_train_timesteps = 400});
  const SchedulerSettings flows = parse_scheduler(scheduler_to_json(flow, true), "ours");
  EXPECT_EQ(flows.preconditioner.objective(), Objective::flow);
  EXPECT_EQ(flows.preconditioner.as<RectifiedFlow>()->num_train_timesteps, 400);
  EXPECT_EQ(name_of(flows.sampling.sampler), "euler");
  EXPECT_EQ(flows.sampling.levels.spacing, Spacing::linspace);
  EXPECT_EQ(flows.sampling.levels.shift, 1);
}

// ddpm from the last timestep, and Euler's method for edm and flow; D is limited where the file cannot say
// so.
TEST(SchedulerConfig, ANewModelIsSampledAsItsFileWillBeRead) {
  const auto sampled = [](const Preconditioner& model, bool clips) {
    SamplingRecipe recipe = sampling_of_new_model(model, clips);
    EXPECT_EQ(recipe.limit.clips(), clips);
    const SamplerOnLevels on = sampler_on_levels(recipe, model);
    EXPECT_EQ(on.levels.sigmas.size(), std::size_t(recipe.steps) + 1);
    EXPECT_EQ(on.levels.sigmas.back(), 0);
    return std::pair{recipe, on.levels};
  };
  const Preconditioner discrete(Objective::v, make_schedule(ScheduleKind::cosine, 300)), edm(EdmProcess{}),
      flow(RectifiedFlow{.num_train_timesteps = 400});
  for (const bool clips : {false, true}) {
    const auto [ddpm, all] = sampled(discrete, clips);
    EXPECT_EQ(name_of(ddpm.sampler), "ddpm");
    EXPECT_EQ(ddpm.levels.spacing, Spacing::trailing);
    EXPECT_EQ(all.timesteps.size(), 300u);
    const auto [euler, of_edm] = sampled(edm, clips);
    EXPECT_EQ(name_of(euler.sampler), "euler");
    EXPECT_EQ(euler.levels.spacing, Spacing::karras);
    EXPECT_EQ(of_edm.sigmas, karras_sigmas(euler.steps, 0.002, 80));
    EXPECT_EQ(of_edm.initial_std, std::hypot(1, 80));  // as EDMEuler of diffusers
    const auto [euler_of_flow, of_flow] = sampled(flow, clips);
    EXPECT_EQ(name_of(euler_of_flow.sampler), "euler");
    EXPECT_EQ(euler_of_flow.levels.spacing, Spacing::linspace);
    EXPECT_EQ(of_flow.timesteps.front(), 400);
    EXPECT_NEAR(of_flow.timesteps.back(), 1, 1e-12);
  }
}

TEST(SchedulerConfig, ClassesAndOrdersChooseSamplers) {
  const auto sampler = [](const char* scheduler, const char* fields = "") {
    return name_of(read(scheduler, fields).sampling.sampler);
  };
  EXPECT_EQ(sampler("DDPM"), "ddpm");
  EXPECT_EQ(sampler("DDIM"), "ddim");
  EXPECT_EQ(sampler("PNDM", R"("skip_prk_steps": true)"), "pndm");
  const auto middles = [](const char* fields) {
    const SchedulerSettings pndm = read("PNDM", fields);
    return std::get<Pndm>(sampler_on_levels(pndm.sampling, pndm.preconditioner).sampler).middles.size();
  };
  EXPECT_EQ(middles(R"("skip_prk_steps": true)"), 0u);
  EXPECT_EQ(middles(""), 3u);
  EXPECT_EQ(sampler("EulerDiscrete"), "euler");
  EXPECT_EQ(sampler("EulerAncestralDiscrete"), "euler_ancestral");
  EXPECT_EQ(sampler("HeunDiscrete"), "heun");
  EXPECT_EQ(sampler("KDPM2Discrete"), "dpm2");
  EXPECT_EQ(sampler("LMSDiscrete"), "lms");
  EXPECT_EQ(sampler("DPMSolverMultistep"), "dpmpp_2m");
  EXPECT_EQ(sampler("DPMSolverMultistep", R"("solver_order": 1)"), "ddim");
  EXPECT_EQ(sampler("DPMSolverMultistep", R"("solver_order": 3)"), "dpmpp_3m");
  EXPECT_EQ(sampler("DPMSolverMultistep", R"("algorithm_type": "sde-dpmsolver++")"), "dpmpp_2m_sde");
  EXPECT_EQ(sampler("DPMSolverMultistep", R"("algorithm_type": "sde-dpmsolver++", "solver_order": 3)"),
            "dpmpp_3m_sde");
  EXPECT_EQ(sampler("UniPCMultistep"), "unipc");
  EXPECT_EQ(sampler("UniPCMultistep", R"("solver_order": 3, "disable_corrector": [])"), "unipc_3");
  EXPECT_EQ(sampler("DEISMultistep"), "deis_2");
  EXPECT_EQ(sampler("DEISMultistep", R"("solver_order": 3)"), "deis");
  EXPECT_EQ(sampler("EDMEuler"), "euler");
  EXPECT_EQ(sampler("DPMSolverSinglestep"), "dpmpp_2s");
  EXPECT_EQ(sampler("DPMSolverSinglestep", R"("solver_order": 3, "solver_type": "bh2")"), "dpmpp_3s");
  EXPECT_EQ(sampler("DPMSolverSinglestep", R"("solver_order": 1)"), "ddim");
  EXPECT_EQ(sampler("SASolver", R"("predictor_order": 4, "corrector_order": 1)"), "sa_solver");
  EXPECT_EQ(sampler("EDMDPMSolverMultistep", R"("algorithm_type": "deis")"), "dpmpp_2m");
  EXPECT_EQ(sampler("EDMDPMSolverMultistep", R"("algorithm_type": "sde-dpmsolver++")"), "dpmpp_2m_sde");
  EXPECT_EQ(sampler("LCM"), "consistency");
  EXPECT_EQ(sampler("TCD"), "euler_ancestral");
  EXPECT_EQ(sampler("DDIMInverse"), "ddim");
  EXPECT_EQ(sampler("IPNDM"), "ipndm");
  EXPECT_EQ(sampler("FlowMatchEulerDiscrete"), "euler");
  EXPECT_EQ(sampler("FlowMatchHeunDiscrete"), "flow_heun");
}

// What the trajectories of diffusers_golden_test do not show.
TEST(SchedulerConfig, FieldsAreHonored) {
  EXPECT_EQ(read("HeunDiscrete").preconditioner.schedule()->beta_end, 0.012);  // this class's own default
  EXPECT_EQ(read("DDPM", R"("beta_end": 0.03, "_use_default_values": ["beta_end"])")
                .preconditioner.schedule()
                ->beta_end,
            0.02);
  EXPECT_EQ(read("DDIM", R"("clip_sample": false, "use_karras_sigmas": true)").sampling.levels.spacing,
            Spacing::leading);
  EXPECT_EQ(read("EulerAncestralDiscrete", R"("use_karras_sigmas": true)").sampling.levels.spacing,
            Spacing::linspace);
  // -log sigma >= -2: up to sigma 7.39.
  const auto highest_sigma = [](const std::string& lambda, const std::string& fields = "") {
    const SchedulerSettings dpm = read("DPMSolverMultistep", R"("lambda_min_clipped": )" + lambda + fields);
    return sampler_on_levels(dpm.sampling, dpm.preconditioner).levels.sigmas.front();
  };
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 1000);
  const int first = int(schedule.timestep_of_sigma(std::exp(2)));
  EXPECT_EQ(highest_sigma("-2"), schedule.sigma(first));
  EXPECT_EQ(highest_sigma("-Infinity"), schedule.sigmas.back());
  EXPECT_EQ(highest_sigma("-100"), schedule.sigmas.back());
  EXPECT_EQ(highest_sigma("-2", R"(, "use_karras_sigmas": true)"), schedule.sigmas.back());
  EXPECT_EQ(highest_sigma("-2", R"(, "use_lu_lambdas": true)"), schedule.sigmas.back());
  scratch::error_of(ErrorKind::usage, [&] { highest_sigma("100"); });
  // A range of sigmas is not one of timesteps.
  const auto highest_of_euler = [](const char* fields) {
    const SchedulerSettings euler = read("EulerDiscrete", fields);
    return sampler_on_levels(euler.sampling, euler.preconditioner).levels.sigmas.front();
  };
  EXPECT_EQ(highest_of_euler(R"("sigma_max": 5)"), schedule.sigmas.back());
  EXPECT_EQ(highest_of_euler(R"("sigma_max": 5, "use_karras_sigmas": true)"), 5);
  // What a configuration made from a DDPM's carries changes nothing.
  EXPECT_EQ(name_of(read("DPMSolverMultistep", R"("variance_type": "fixed_small")").sampling.sampler),
            "dpmpp_2m");
  EXPECT_EQ(read("EulerDiscrete", R"("use_karras_sigmas": null, "sigma_min": null)").sampling.levels.spacing,
            Spacing::linspace);
  const EstimateLimit limit =
      read("DDPM", R"("thresholding": true, "sample_max_value": 3, "dynamic_thresholding_ratio": 0.9)")
          .sampling.limit;
  EXPECT_EQ(limit.kind, EstimateLimit::Kind::dynamic_threshold);  // although clip_sample is true
  EXPECT_EQ(limit.max_value, 3);
  EXPECT_EQ(limit.ratio, 0.9);
  // Heun does not have the field.
  EXPECT_TRUE(read("DDIM", R"("rescale_betas_zero_snr": true)").preconditioner.schedule()->zero_terminal_snr);
  EXPECT_FALSE(
      read("HeunDiscrete", R"("rescale_betas_zero_snr": true)").preconditioner.schedule()->zero_terminal_snr);
  EXPECT_FALSE(std::get<Unipc>(read("UniPCMultistep", R"("lower_order_final": false)").sampling.sampler)
                   .lower_order_final);
  const SamplingRecipe flow =
      read("FlowMatchEulerDiscrete", R"("shift": 3.0, "shift_terminal": 0.1, "use_karras_sigmas": true)")
          .sampling;
  EXPECT_EQ(flow.levels.shift, 3);
  EXPECT_EQ(flow.levels.shift_terminal, 0.1);
  EXPECT_EQ(flow.levels.spacing, Spacing::karras);
  EXPECT_TRUE(read("DDIM").sampling.limit.spares_noise);
  EXPECT_FALSE(read("DDPM").sampling.limit.spares_noise);
  EXPECT_EQ(read("DDPM", R"("clip_sample_range": 2.5)").sampling.limit.range, 2.5);
}

TEST(SchedulerConfig, WhatWeDoNotHaveIsRefusedByName) {
  struct Case {
    const char *scheduler, *fields, *named;
  };
  for (
      const Case& c : std::initializer_list<Case>{
          {"DDPM", R"("trained_betas": [0.1])", "trained_betas"},
          {"DDPM", R"("variance_type": "fixed_large_log")", "variance_type"},
          {"DDPM", R"("variance_type": "learned_range")", "variance_type"},
          {"DDPM", R"("beta_schedule": "laplace")", "beta_schedule"},
          {"DDPM", R"("prediction_type": "flow_prediction")", "prediction_type"},
          {"DDPM", R"("timestep_spacing": "karras")", "timestep_spacing"},
          {"DDPM", R"("num_train_timesteps": 0)", "num_train_timesteps"},
          {"DDPM", R"("num_train_timesteps": 1000.0)", "num_train_timesteps"},
          {"DDPM", R"("beta_start": "small")", "beta_start"},
          {"DDPM", R"("beta_end": 1.5)", "beta_end"},
          {"DDPM", R"("beta_end": NaN)", "beta_end"},
          {"DDPM", R"("clip_sample_range": 0)", "clip_sample_range"},
          {"DDPM", R"("clip_sample_range": Infinity)", "clip_sample_range"},
          {"DDPM", R"("clip_sample": 1)", "clip_sample"},
          {"DDPM", R"("steps_offset": -1)", "steps_offset"},
          {"DDPM", R"("steps_offset": 9223372036854775807)", "steps_offset"},
          {"DDPM", R"("thresholding": true, "dynamic_thresholding_ratio": 1.1)",
           "dynamic_thresholding_ratio"},
          {"DDPM", R"("thresholding": true, "sample_max_value": 0.5)", "sample_max_value"},
          {"DDPM", R"("_use_default_values": "all")", "_use_default_values"},
          {"DDIM", R"("set_alpha_to_one": null)", "set_alpha_to_one"},
          {"PNDM", R"("skip_prk_steps": 1)", "skip_prk_steps"},
          {"EulerDiscrete", R"("interpolation_type": "log_linear")", "interpolation_type"},
          {"EulerDiscrete", R"("timestep_type": "continuous")", "timestep_type"},
          {"EulerDiscrete", R"("final_sigmas_type": "one")", "final_sigmas_type"},
          {"EulerDiscrete", R"("sigma_max": -1.0)", "sigma_max"},
          {"EulerDiscrete", R"("use_karras_sigmas": true, "use_beta_sigmas": true)", "use_beta_sigmas"},
          {"DPMSolverMultistep", R"("solver_order": 4)", "solver_order"},
          {"DPMSolverMultistep", R"("algorithm_type": "dpmsolver")", "algorithm_type"},
          {"DPMSolverMultistep", R"("solver_type": "euler")", "solver_type"},
          {"DPMSolverMultistep", R"("lower_order_final": 0)", "lower_order_final"},
          {"DPMSolverMultistep", R"("use_flow_sigmas": true)", "prediction_type"},
          {"DPMSolverMultistep", R"("prediction_type": "flow_prediction")", "prediction_type"},
          {"DPMSolverMultistep",
           R"("use_flow_sigmas": true, "prediction_type": "flow_prediction", "final_sigmas_type": "sigma_min")",
           "final_sigmas_type"},
          {"UniPCMultistep",
           R"("use_flow_sigmas": true, "prediction_type": "flow_prediction", "use_karras_sigmas": true)",
           "use_karras_sigmas"},
          {"DEISMultistep",
           R"("use_flow_sigmas": true, "prediction_type": "flow_prediction", "flow_shift": -1.0)",
           "flow_shift"},
          {"FlowMatchEulerDiscrete", R"("use_dynamic_shifting": true)", "use_dynamic_shifting"},
          {"FlowMatchEulerDiscrete", R"("invert_sigmas": true)", "invert_sigmas"},
          {"FlowMatchEulerDiscrete", R"("stochastic_sampling": true)", "stochastic_sampling"},
          {"FlowMatchEulerDiscrete", R"("shift": 0)", "shift"},
          {"FlowMatchEulerDiscrete", R"("shift": null)", "shift"},
          {"FlowMatchEulerDiscrete", R"("shift_terminal": 1.0)", "shift_terminal"},
          {"FlowMatchEulerDiscrete", R"("num_train_timesteps": 2)", "num_train_timesteps"},
          {"FlowMatchEulerDiscrete", R"("use_karras_sigmas": true, "use_exponential_sigmas": true)",
           "use_exponential_sigmas"},
          {"DPMSolverMultistep", R"("use_dynamic_shifting": true)", "use_dynamic_shifting"},
          {"DPMSolverMultistep", R"("variance_type": "learned")", "variance_type"},
          {"DPMSolverMultistep", R"("lambda_min_clipped": NaN)", "lambda_min_clipped"},
          {"UniPCMultistep", R"("predict_x0": false)", "predict_x0"},
          {"UniPCMultistep", R"("solver_type": "bh3")", "solver_type"},
          {"UniPCMultistep", R"("solver_order": 1)", "solver_order"},
          {"UniPCMultistep", R"("disable_corrector": [0])", "disable_corrector"},
          {"UniPCMultistep", R"("solver_p": {})", "solver_p"},
          {"UniPCMultistep", R"("shift_terminal": 0.1)", "shift_terminal"},
          {"DEISMultistep", R"("algorithm_type": "sde")", "algorithm_type"},
          {"DPMSolverSinglestep", R"("algorithm_type": "dpmsolver")", "algorithm_type"},
          {"DPMSolverSinglestep", R"("solver_order": 4)", "solver_order"},
          {"DPMSolverSinglestep",
           R"("algorithm_type": "sde-dpmsolver++", "solver_order": 3, "solver_type": "heun")", "solver_type"},
          {"DPMSolverSinglestep", R"("variance_type": "learned")", "variance_type"},
          {"DPMSolverSinglestep", R"("use_dynamic_shifting": true)", "use_dynamic_shifting"},
          {"SASolver", R"("algorithm_type": "noise_prediction")", "algorithm_type"},
          {"SASolver", R"("predictor_order": 5)", "predictor_order"},
          {"SASolver", R"("corrector_order": 0)", "corrector_order"},
          {"SASolver", R"("tau_func": 1.0)", "tau_func"},
          {"EDMDPMSolverMultistep", R"("algorithm_type": "sde-dpmsolver++", "solver_order": 3)",
           "solver_order"},
          {"EDMDPMSolverMultistep", R"("prediction_type": "sample")", "prediction_type"},
          {"LCM", R"("original_inference_steps": 1001)", "original_inference_steps"},
          {"LCM", R"("timestep_scaling": -1)", "timestep_scaling"},
          {"TCD", R"("original_inference_steps": 0)", "original_inference_steps"},
          {"DDIMInverse", R"("timestep_spacing": "linspace")", "timestep_spacing"},
          {"DDIMInverse", R"("prediction_type": "sample")", "set_alpha_to_one"},
          {"IPNDM", R"("trained_betas": [0.1])", "trained_betas"},
          {"EDMEuler", R"("prediction_type": "sample")", "prediction_type"},
          {"EDMEuler", R"("sigma_schedule": "linear")", "sigma_schedule"},
          {"EDMEuler", R"("rho": 0)", "rho"},
          {"EDMEuler", R"("sigma_min": 80.0)", "sigma_min"}}) {
    const std::string message = scratch::error_of(ErrorKind::bad_input, [&] { read(c.scheduler, c.fields); });
    EXPECT_NE(message.find("s.json"), std::string::npos) << message;
    EXPECT_NE(message.find(c.named), std::string::npos) << c.fields << ": " << message;
  }
}

TEST(SchedulerConfig, NumbersOfStepsThatASchedulerDoesNotHaveAreRefused) {
  struct Case {
    const char *scheduler, *fields;
    int steps;
    const char* named;
  };
  for (const Case& c :
       std::initializer_list<Case>{{"LCM", "", 51, "original_inference_steps"},
                                   {"TCD", R"("original_inference_steps": 8)", 9, "original_inference_steps"},
                                   {"IPNDM", "", 1, "2 or more"},
                                   {"DDIMInverse", R"("set_alpha_to_one": false)", 10, "steps_offset"}}) {
    const SchedulerSettings settings = read(c.scheduler, c.fields);
    SamplingRecipe recipe = settings.sampling;
    recipe.steps = c.steps;
    const std::string message =
        scratch::error_of(ErrorKind::usage, [&] { sampler_on_levels(recipe, settings.preconditioner); });
    EXPECT_NE(message.find(c.named), std::string::npos) << message;
  }
  EXPECT_EQ(read("LCM").sampling.steps, 4);
  EXPECT_EQ(read("TCD", R"("original_inference_steps": 2)").sampling.steps, 2);
}

// Of v_prediction EDM's schedulers have the sign of the network's output; IPNDM's networks are the v of a
// cosine over the angle.
TEST(SchedulerConfig, EdmModelsMayPredictTheNegative) {
  const Preconditioner usual = read("EDMEuler").preconditioner,
                       negated = read("EDMEuler", R"("prediction_type": "v_prediction")").preconditioner,
                       angles = read("IPNDM").preconditioner;
  EXPECT_EQ(negated.scalings(3).c_out, -usual.scalings(3).c_out);
  EXPECT_EQ(negated.scalings(3).c_noise, usual.scalings(3).c_noise);
  EXPECT_EQ(member(scheduler_to_json(negated, false), "prediction_type", "ours"), Json("v_prediction"));
  const Preconditioner v(Objective::v, make_schedule(ScheduleKind::linear, 100));
  const Scalings ours = angles.scalings(1), theirs = v.scalings(1);
  EXPECT_NEAR(ours.c_skip, theirs.c_skip, 1e-15);
  EXPECT_NEAR(ours.c_out, theirs.c_out, 1e-15);
  EXPECT_NEAR(ours.c_in, theirs.c_in, 1e-15);
  EXPECT_NEAR(ours.c_noise, 0.5, 1e-15);  // half of the way
}

TEST(SchedulerConfig, OtherClassesAreRefusedWithTheAcceptedOnes) {
  const std::string message = scratch::error_of(ErrorKind::bad_input, [] { read("KarrasVe"); });
  for (const char* part : {"KarrasVeScheduler", "DDPMScheduler", "EDMEulerScheduler"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  scratch::error_of(ErrorKind::bad_input, [] { parse_scheduler(parse_json("{}", "s.json"), "s.json"); });
  scratch::error_of(ErrorKind::bad_input, [] { parse_scheduler(parse_json("[]", "s.json"), "s.json"); });
}

}  // namespace
}  // namespace diffusion
