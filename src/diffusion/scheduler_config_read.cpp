#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "base/error.h"
#include "diffusion/scheduler_config.h"
#include "diffusion/scheduler_config_fields.h"
#include "diffusion/scheduler_config_names.h"

namespace diffusion {

namespace {

using Fields = SchedulerFields;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class Row, std::size_t N>
const Row& row_of(const Fields& fields, std::string_view field, std::string_view otherwise,
                  const std::array<Row, N>& rows) {
  std::vector<std::string_view> names;
  for (const Row& row : rows)
    if (std::ranges::find(names, row.diffusers) == names.end()) names.push_back(row.diffusers);
  const std::string_view name = names[fields.choice(field, otherwise, names)];
  return *std::ranges::find(rows, name, &Row::diffusers);
}

Preconditioner discrete_preconditioner(const Fields& fields, double beta_start, double beta_end) {
  fields.only_null("trained_betas");
  constexpr double kMost = std::numeric_limits<double>::max();  // make_schedule knows the range
  NoiseSchedule schedule = make_schedule(row_of(fields, "beta_schedule", "linear", kBetaScheduleNames).kind,
                                         fields.whole_number("num_train_timesteps", 1000, 1, 1'000'000),
                                         fields.number("beta_start", beta_start, -kMost, kMost),
                                         fields.number("beta_end", beta_end, -kMost, kMost));
  if (fields.flag("rescale_betas_zero_snr", false)) schedule = rescale_zero_terminal_snr(schedule);
  return {row_of(fields, "prediction_type", "epsilon", kPredictionTypeNames).objective, schedule};
}

Spacing timestep_spacing(const Fields& fields, std::string_view otherwise) {
  constexpr std::array<std::string_view, 3> kNames{"leading", "trailing", "linspace"};
  return parse_spacing(kNames[fields.choice("timestep_spacing", otherwise, kNames)]);
}

bool ends_at_sigma_min(const Fields& fields) {
  constexpr std::array<std::string_view, 2> kNames{"zero", "sigma_min"};
  return fields.choice("final_sigmas_type", "zero", kNames) == 1;
}

// timestep_spacing, and which of its alternatives is in use instead.
LevelSettings levels(const Fields& fields, LevelConvention convention, std::string_view spacing) {
  LevelSettings l{.convention = convention};
  l.range = timestep_spacing(fields, spacing);
  l.spacing = l.range;
  l.steps_offset = fields.whole_number("steps_offset", 0, 0, 1'000'000);
  if (convention == LevelConvention::ddpm) return l;
  if (convention == LevelConvention::k_diffusion)
    l.initial_std = l.range == Spacing::leading ? InitialStd::with_data : InitialStd::sigma;
  std::string_view in_use;
  for (const auto& [field, alternative] : {std::pair{"use_karras_sigmas", Spacing::karras},
                                           {"use_exponential_sigmas", Spacing::exponential},
                                           {"use_beta_sigmas", Spacing::beta}}) {
    const Json* value = fields.find(field);
    if (!value || value->is_null() || !to_bool(*value, fields.where(field))) continue;
    if (!in_use.empty())
      throw Error(ErrorKind::bad_input, fmt::format("{} and {} are both true; accepted is one of them.",
                                                    fields.where(in_use), field));
    in_use = field;
    l.spacing = alternative;
  }
  return l;
}

EstimateLimit estimate_limit(const Fields& fields, bool has_clip, bool clips, bool has_threshold) {
  constexpr double kMost = std::numeric_limits<double>::max();
  EstimateLimit limit;
  if (has_threshold && fields.flag("thresholding", false)) {
    limit.kind = EstimateLimit::Kind::dynamic_threshold;
    limit.ratio = fields.number("dynamic_thresholding_ratio", 0.995, 0, 1);
    limit.max_value = fields.number("sample_max_value", 1, 1, kMost);
  } else if (has_clip && fields.flag("clip_sample", clips)) {
    limit.kind = EstimateLimit::Kind::clip;
    limit.range = fields.number("clip_sample_range", 1, std::numeric_limits<double>::min(), kMost);
  }
  return limit;
}

SchedulerSettings settings(Preconditioner preconditioner, SamplingSettings sampling) {
  const bool clips = sampling.limit.kind == EstimateLimit::Kind::clip;
  return {std::move(preconditioner), clips, std::move(sampling)};
}

SchedulerSettings ddpm(const Fields& fields) {
  constexpr std::array<std::string_view, 2> kVariances{"fixed_small", "fixed_large"};
  SamplingSettings s{.sampler = "ddpm", .levels = levels(fields, LevelConvention::ddpm, "leading")};
  s.variance = fields.choice("variance_type", "fixed_small", kVariances) == 0 ? DdpmVariance::posterior
                                                                              : DdpmVariance::beta;
  s.limit = estimate_limit(fields, true, true, true);
  return settings(discrete_preconditioner(fields, 1e-4, 0.02), std::move(s));
}

SchedulerSettings ddim(const Fields& fields) {
  SamplingSettings s{.sampler = "ddim", .levels = levels(fields, LevelConvention::ddpm, "leading")};
  s.levels.ends_at_sigma_min = !fields.flag("set_alpha_to_one", true);
  s.limit = estimate_limit(fields, true, true, true);
  s.limit_spares_noise = s.limit.kind != EstimateLimit::Kind::none;
  return settings(discrete_preconditioner(fields, 1e-4, 0.02), std::move(s));
}

SchedulerSettings pndm(const Fields& fields) {
  SamplingSettings s{.sampler = "pndm", .levels = levels(fields, LevelConvention::ddpm, "leading")};
  s.levels.ends_at_sigma_min = !fields.flag("set_alpha_to_one", false);
  if (!fields.flag("skip_prk_steps", false))  // absent is false, too
    throw Error(ErrorKind::bad_input, fmt::format("{} is false, which is not supported; accepted is true.",
                                                  fields.where("skip_prk_steps")));
  return settings(discrete_preconditioner(fields, 1e-4, 0.02), std::move(s));
}

SchedulerSettings euler(const Fields& fields) {
  SamplingSettings s{.sampler = "euler", .levels = levels(fields, LevelConvention::k_diffusion, "linspace")};
  fields.only_text("interpolation_type", "linear");
  fields.only_text("timestep_type", "discrete");
  s.levels.sigma_min = fields.positive_or_null("sigma_min");
  s.levels.sigma_max = fields.positive_or_null("sigma_max");
  s.levels.ends_at_sigma_min = ends_at_sigma_min(fields);
  return settings(discrete_preconditioner(fields, 1e-4, 0.02), std::move(s));
}

SchedulerSettings euler_ancestral(const Fields& fields) {
  SamplingSettings s{.sampler = "euler_ancestral",
                     .levels = levels(fields, LevelConvention::k_diffusion, "linspace")};
  s.levels.spacing = s.levels.range;  // this class has no use_karras_sigmas and the like
  return settings(discrete_preconditioner(fields, 1e-4, 0.02), std::move(s));
}

SchedulerSettings heun(const Fields& fields) {
  SamplingSettings s{.sampler = "heun", .levels = levels(fields, LevelConvention::k_diffusion, "linspace")};
  s.limit = estimate_limit(fields, true, false, false);
  return settings(discrete_preconditioner(fields, 0.00085, 0.012), std::move(s));
}

SchedulerSettings kdpm2(const Fields& fields) {
  SamplingSettings s{.sampler = "dpm2", .levels = levels(fields, LevelConvention::k_diffusion, "linspace")};
  if (s.levels.spacing == Spacing::karras) s.levels.rounding = TimestepRounding::nearest;
  return settings(discrete_preconditioner(fields, 0.00085, 0.012), std::move(s));
}

SchedulerSettings lms(const Fields& fields) {
  return settings(discrete_preconditioner(fields, 1e-4, 0.02),
                  {.sampler = "lms", .levels = levels(fields, LevelConvention::k_diffusion, "linspace")});
}

// What DPM-Solver, UniPC and DEIS have in common.
SamplingSettings dpm_solver_family(const Fields& fields) {
  SamplingSettings s{.levels = levels(fields, LevelConvention::dpm_solver, "linspace")};
  s.limit = estimate_limit(fields, false, false, true);
  fields.only_flag("lower_order_final", true);
  fields.only_flag("use_flow_sigmas", false);
  fields.only_flag("use_dynamic_shifting", false);
  if (s.levels.spacing == Spacing::karras) s.levels.rounding = TimestepRounding::nearest;
  if (s.levels.spacing == Spacing::exponential || s.levels.spacing == Spacing::beta)
    s.levels.rounding = TimestepRounding::down;
  return s;
}

SchedulerSettings dpm_solver(const Fields& fields) {
  SamplingSettings s = dpm_solver_family(fields);
  constexpr std::array<std::string_view, 2> kAlgorithms{"dpmsolver++", "sde-dpmsolver++"};
  constexpr std::array<std::string_view, 4> kSolvers{"midpoint", "logrho", "bh1",
                                                     "bh2"};  // all midpoint in diffusers
  constexpr std::array<std::array<const char*, 3>, 2> kSamplers{
      {{"ddim", "dpmpp_2m", "dpmpp_3m"}, {"ddpm", "dpmpp_2m_sde", "dpmpp_3m_sde"}}};  // order 1 is these
  const int order = fields.whole_number("solver_order", 2, 1, 3);
  s.sampler = kSamplers[fields.choice("algorithm_type", "dpmsolver++", kAlgorithms)][std::size_t(order - 1)];
  fields.choice("solver_type", "midpoint", kSolvers);
  fields.only_null("variance_type");
  s.levels.ends_at_sigma_min = ends_at_sigma_min(fields);
  if (s.levels.ends_at_sigma_min)
    fields.only_flag("euler_at_final", false);  // with an end of 0 it is so anyway

  Preconditioner preconditioner = discrete_preconditioner(fields, 1e-4, 0.02);
  const Json* clipped = fields.find("lambda_min_clipped");
  const double lambda_min = clipped ? to_double(*clipped, fields.where("lambda_min_clipped")) : -kInfinity;
  if (std::isnan(lambda_min) || lambda_min == kInfinity)
    throw Error(ErrorKind::bad_input, fmt::format("{} is {}; accepted are -Infinity and finite numbers.",
                                                  fields.where("lambda_min_clipped"), lambda_min));
  if (lambda_min > -kInfinity) s.levels.smallest_half_log_snr = lambda_min;
  const Json* lu = fields.find("use_lu_lambdas");
  if (lu && to_bool(*lu, fields.where("use_lu_lambdas")) && s.levels.spacing == s.levels.range) {
    s.levels.spacing = Spacing::exponential;  // the same levels
    s.levels.rounding = TimestepRounding::nearest;
  }
  if (s.levels.rounding == TimestepRounding::nearest &&
      preconditioner.schedule()->kind == ScheduleKind::cosine)
    s.levels.rounding = TimestepRounding::down;
  return settings(std::move(preconditioner), std::move(s));
}

SchedulerSettings unipc(const Fields& fields) {
  SamplingSettings s = dpm_solver_family(fields);
  constexpr std::array<std::string_view, 4> kSolvers{"bh2", "midpoint", "heun",
                                                     "logrho"};  // all bh2 in diffusers
  s.sampler = fields.whole_number("solver_order", 2, 2, 3) == 2 ? "unipc" : "unipc_3";
  fields.choice("solver_type", "bh2", kSolvers);
  fields.only_flag("predict_x0", true);
  fields.only_null("solver_p");
  fields.only_null("shift_terminal");
  if (const Json* steps = fields.find("disable_corrector");
      steps && !to_array(*steps, fields.where("disable_corrector")).empty())
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is not supported; accepted is [].", fields.where("disable_corrector")));
  s.levels.sigma_min = fields.positive_or_null("sigma_min");
  s.levels.sigma_max = fields.positive_or_null("sigma_max");
  s.levels.ends_at_sigma_min = ends_at_sigma_min(fields);
  return settings(discrete_preconditioner(fields, 1e-4, 0.02), std::move(s));
}

SchedulerSettings deis(const Fields& fields) {
  SamplingSettings s = dpm_solver_family(fields);
  constexpr std::array<const char*, 3> kSamplers{"ddim", "deis_2", "deis"};  // order 1 is ddim
  constexpr std::array<std::string_view, 3> kAlgorithms{"deis", "dpmsolver",
                                                        "dpmsolver++"};  // all deis in diffusers
  constexpr std::array<std::string_view, 5> kSolvers{"logrho", "midpoint", "heun", "bh1",
                                                     "bh2"};  // all logrho
  s.sampler = kSamplers[std::size_t(fields.whole_number("solver_order", 2, 1, 3) - 1)];
  fields.choice("algorithm_type", "deis", kAlgorithms);
  fields.choice("solver_type", "logrho", kSolvers);
  s.levels.ends_at_sigma_min = true;
  return settings(discrete_preconditioner(fields, 1e-4, 0.02), std::move(s));
}

SchedulerSettings edm_euler(const Fields& fields) {
  constexpr double kMost = std::numeric_limits<double>::max(), kLeast = std::numeric_limits<double>::min();
  constexpr std::array<std::string_view, 2> kSchedules{"karras", "exponential"};
  EdmParameters edm;
  edm.sigma_data = fields.number("sigma_data", edm.sigma_data, kLeast, kMost);
  edm.sigma_min = fields.number("sigma_min", edm.sigma_min, kLeast, kMost);
  edm.sigma_max = fields.number("sigma_max", edm.sigma_max, kLeast, kMost);
  fields.only_text("prediction_type", "epsilon");
  SamplingSettings s{.sampler = "euler", .levels = {.convention = LevelConvention::k_diffusion}};
  s.levels.spacing =
      fields.choice("sigma_schedule", "karras", kSchedules) == 0 ? Spacing::karras : Spacing::exponential;
  s.levels.rho = fields.number("rho", 7, 1, kMost);
  s.levels.initial_std = InitialStd::with_data;
  s.levels.ends_at_sigma_min = ends_at_sigma_min(fields);
  return settings(Preconditioner(edm), std::move(s));
}

struct SchedulerClass {
  std::string_view name;
  SchedulerSettings (*read)(const Fields& fields);
};
constexpr std::array<SchedulerClass, 12> kClasses{{{"DDPMScheduler", ddpm},
                                                   {"DDIMScheduler", ddim},
                                                   {"PNDMScheduler", pndm},
                                                   {"EulerDiscreteScheduler", euler},
                                                   {"EulerAncestralDiscreteScheduler", euler_ancestral},
                                                   {"HeunDiscreteScheduler", heun},
                                                   {"KDPM2DiscreteScheduler", kdpm2},
                                                   {"LMSDiscreteScheduler", lms},
                                                   {"DPMSolverMultistepScheduler", dpm_solver},
                                                   {"UniPCMultistepScheduler", unipc},
                                                   {"DEISMultistepScheduler", deis},
                                                   {"EDMEulerScheduler", edm_euler}}};

}  // namespace

SchedulerSettings parse_scheduler(const Json& json, std::string_view source) {
  const std::string where = fmt::format("{}: field _class_name", source);
  const std::string& name = to_string(member(json, "_class_name", source), where);
  const auto found = std::ranges::find(kClasses, name, &SchedulerClass::name);
  if (found == kClasses.end()) {
    std::string names;
    for (const SchedulerClass& row : kClasses)
      names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
    const bool flow = name.find("FlowMatch") != std::string::npos;
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} is \"{}\"{}; accepted are: {}.", where, name,
                    flow ? ", a scheduler of a rectified flow, which is no objective here" : "", names));
  }
  try {
    return found->read(Fields(json, source));
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::usage) throw;
    throw Error(ErrorKind::bad_input, fmt::format("{}: {}", source, e.what()));
  }
}

}  // namespace diffusion
