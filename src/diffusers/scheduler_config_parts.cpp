#include "diffusers/scheduler_config_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include <diffusion/error.h>
#include "diffusers/scheduler_config_names.h"
#include "diffusion/sampling_recipe.h"

namespace diffusion::scheduler {

namespace {

template <class Row, std::size_t N>
const Row& row_of(const Fields& fields, std::string_view field, std::string_view otherwise,
                  const std::array<Row, N>& rows) {
  std::vector<std::string_view> names;
  for (const Row& row : rows)
    if (std::ranges::find(names, row.diffusers) == names.end()) names.push_back(row.diffusers);
  const std::string_view name = names[fields.choice(field, otherwise, names)];
  return *std::ranges::find(rows, name, &Row::diffusers);
}

std::vector<double> numbers_of(const Json& array, const std::string& where) {
  std::vector<double> numbers;
  for (const Json& number : to_array(array, where)) numbers.push_back(to_double(number, where));
  return numbers;
}

Spacing timestep_spacing(const Fields& fields, std::string_view otherwise) {
  constexpr std::array<std::string_view, 3> kNames{"leading", "trailing", "linspace"};
  return parse_spacing(kNames[fields.choice("timestep_spacing", otherwise, kNames)]);
}

}  // namespace

Preconditioner discrete_preconditioner(const Fields& fields, bool has_zero_snr, double beta_start,
                                       double beta_end, std::string_view beta_schedule) {
  constexpr double kMost = std::numeric_limits<double>::max();  // make_schedule knows the range
  NoiseSchedule schedule =
      make_schedule(row_of(fields, "beta_schedule", beta_schedule, kBetaScheduleNames).kind,
                    fields.whole_number("num_train_timesteps", 1000, 1, 1'000'000),
                    fields.number("beta_start", beta_start, -kMost, kMost),
                    fields.number("beta_end", beta_end, -kMost, kMost));
  if (const Json* trained = fields.find("trained_betas"); trained && !trained->is_null()) {
    const std::vector<double> betas = numbers_of(*trained, fields.where("trained_betas"));
    if (betas.size() != schedule.betas.size())
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} has {} numbers, but num_train_timesteps is {}.",
                              fields.where("trained_betas"), betas.size(), schedule.num_train_timesteps));
    schedule = with_betas(schedule, betas);
  }
  if (has_zero_snr && fields.flag("rescale_betas_zero_snr", false))
    schedule = rescale_zero_terminal_snr(schedule);
  return {row_of(fields, "prediction_type", "epsilon", kPredictionTypeNames).objective, schedule};
}

double sigma_of_timestep(const NoiseSchedule& schedule, int timestep) {
  const bool pure_noise = schedule.zero_terminal_snr && timestep == schedule.num_train_timesteps - 1;
  return pure_noise ? 0x1p40 : schedule.sigma(timestep);
}

void set_sigma_range(const Fields& fields, LevelSettings& settings) {
  const std::optional<double> sigma_min = fields.positive_or_null("sigma_min"),
                              sigma_max = fields.positive_or_null("sigma_max");
  if (needs_timesteps(*settings.spacing)) return;
  settings.sigma_min = sigma_min;
  settings.sigma_max = sigma_max;
}

bool ends_at_sigma_min(const Fields& fields) {
  constexpr std::array<std::string_view, 2> kNames{"zero", "sigma_min"};
  return fields.choice("final_sigmas_type", "zero", kNames) == 1;
}

Levels levels_of(const Fields& fields, LevelGrid grid, std::string_view spacing) {
  Levels l{.range = timestep_spacing(fields, spacing)};
  l.settings.spacing = l.range;
  l.settings.grid = grid;
  l.settings.steps_offset = fields.whole_number("steps_offset", 0, 0, 1'000'000);
  if (grid == LevelGrid::whole_timesteps) return l;
  if (grid == LevelGrid::real_timesteps)
    l.initial_std = l.range == Spacing::leading ? InitialStd::with_data : InitialStd::sigma;
  l.settings.spacing = spacing_in_use(fields, l.range);
  return l;
}

Spacing spacing_in_use(const Fields& fields, Spacing otherwise) {
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
    otherwise = alternative;
  }
  return otherwise;
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

SchedulerSettings settings(Preconditioner preconditioner, SamplingRecipe sampling, const Levels& levels) {
  sampling.steps = default_steps(sampling.sampler, preconditioner);
  if (!sampling.level_rule) {
    sampling.levels = levels.settings;
    sampling.level_rule = rule_of(levels);
  }
  return {std::move(preconditioner), std::move(sampling)};
}

}  // namespace diffusion::scheduler
