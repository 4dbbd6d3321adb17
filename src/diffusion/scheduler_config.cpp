#include <fmt/format.h>

#include <array>
#include <string>

#include "base/error.h"
#include "diffusion/model.h"

namespace diffusion {

namespace {

struct BetaName {
  std::string_view diffusers;
  ScheduleKind kind;
};
// The first row of a kind is what we write; quadratic is scaled_linear there.
constexpr std::array<BetaName, 5> kBetaNames{{{"linear", ScheduleKind::linear},
                                              {"scaled_linear", ScheduleKind::scaled_linear},
                                              {"squaredcos_cap_v2", ScheduleKind::cosine},
                                              {"sigmoid", ScheduleKind::sigmoid},
                                              {"scaled_linear", ScheduleKind::quadratic}}};

struct PredictionName {
  std::string_view diffusers;
  Objective objective;
};
constexpr std::array<PredictionName, 3> kPredictionNames{
    {{"epsilon", Objective::epsilon}, {"v_prediction", Objective::v}, {"sample", Objective::x0}}};

template <class Rows>
std::string accepted(const Rows& rows) {
  std::string list;
  for (const auto& row : rows)
    if (list.find(row.diffusers) == std::string::npos)
      list += fmt::format("{}{}", list.empty() ? "" : ", ", row.diffusers);
  return list;
}

template <class Row, std::size_t N>
const Row& find_row(const std::array<Row, N>& rows, const std::string& name, const std::string& where) {
  for (const Row& row : rows)
    if (row.diffusers == name) return row;
  throw Error(ErrorKind::bad_input,
              fmt::format("{} is \"{}\"; accepted are: {}", where, name, accepted(rows)));
}

// Fields that change the numbers and that we do not have: only their harmless value is accepted.
void refuse_unless_null(const Json& json, std::string_view source, std::string_view field) {
  const Json* value = json.find(field);
  if (value && !value->is_null())
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: field {} is not supported; accepted is null", source, field));
}
void refuse_if_true(const Json& json, std::string_view source, std::string_view field) {
  const Json* value = json.find(field);
  if (value && to_bool(*value, fmt::format("{}: field {}", source, field)))
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: field {} is true, which is not supported", source, field));
}

double number(const Json& json, std::string_view source, std::string_view field, double otherwise) {
  const Json* value = json.find(field);
  return value ? to_double(*value, fmt::format("{}: field {}", source, field)) : otherwise;
}

}  // namespace

Json scheduler_to_json(const Preconditioner& preconditioner, bool clip_x0) {
  Json::Object o;
  o["_diffusers_version"] = "0.30.3";
  const NoiseSchedule* schedule = preconditioner.schedule();
  if (!schedule) {
    const EdmParameters& edm = *preconditioner.edm();
    o["_class_name"] = "EDMEulerScheduler";
    o["sigma_data"] = edm.sigma_data;
    o["sigma_min"] = edm.sigma_min;
    o["sigma_max"] = edm.sigma_max;
    o["sigma_schedule"] = "karras";
    o["rho"] = 7.0;
    o["num_train_timesteps"] = 1000;
    o["prediction_type"] = "epsilon";
    return o;
  }
  o["_class_name"] = "DDPMScheduler";
  o["num_train_timesteps"] = schedule->num_train_timesteps;
  o["beta_start"] = schedule->beta_start;
  o["beta_end"] = schedule->beta_end;
  for (const BetaName& row : kBetaNames)
    if (row.kind == schedule->kind) o["beta_schedule"] = row.diffusers;
  for (const PredictionName& row : kPredictionNames)
    if (row.objective == preconditioner.objective()) o["prediction_type"] = row.diffusers;
  o["clip_sample"] = clip_x0;
  o["clip_sample_range"] = 1.0;
  o["variance_type"] = "fixed_small";
  o["timestep_spacing"] = "trailing";  // few steps then start from pure noise, as in training
  o["rescale_betas_zero_snr"] = schedule->zero_terminal_snr;
  o["steps_offset"] = 0;
  o["thresholding"] = false;
  o["trained_betas"] = nullptr;
  return o;
}

SchedulerSettings parse_scheduler(const Json& json, std::string_view source) {
  const auto where = [&](std::string_view field) { return fmt::format("{}: field {}", source, field); };
  const std::string& name = to_string(member(json, "_class_name", source), where("_class_name"));
  if (name == "EDMEulerScheduler") {
    EdmParameters edm;
    edm.sigma_data = number(json, source, "sigma_data", edm.sigma_data);
    edm.sigma_min = number(json, source, "sigma_min", edm.sigma_min);
    edm.sigma_max = number(json, source, "sigma_max", edm.sigma_max);
    return {Preconditioner(edm), false};
  }
  if (name != "DDPMScheduler" && name != "DDIMScheduler")
    throw Error(ErrorKind::bad_input, fmt::format("{} is \"{}\"; accepted are: DDPMScheduler, DDIMScheduler, "
                                                  "EDMEulerScheduler",
                                                  where("_class_name"), name));
  refuse_unless_null(json, source, "trained_betas");
  refuse_if_true(json, source, "thresholding");
  const auto text = [&](std::string_view field, std::string otherwise) {
    const Json* value = json.find(field);
    return value ? to_string(*value, where(field)) : otherwise;
  };
  const std::string beta_name = text("beta_schedule", "linear"),
                    prediction_name = text("prediction_type", "epsilon");
  const Json* steps = json.find("num_train_timesteps");
  const std::int64_t timesteps = steps ? to_int(*steps, where("num_train_timesteps")) : 1000;
  if (timesteps < 1 || timesteps > 1'000'000)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is {}; accepted are 1 to 1000000", where("num_train_timesteps"), timesteps));
  const Json* clip = json.find("clip_sample");
  const bool clip_x0 = clip ? to_bool(*clip, where("clip_sample")) : true;
  if (clip_x0 && number(json, source, "clip_sample_range", 1) != 1)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is not 1, which is not supported", where("clip_sample_range")));
  const Json* rescale = json.find("rescale_betas_zero_snr");
  try {
    NoiseSchedule schedule =
        make_schedule(find_row(kBetaNames, beta_name, where("beta_schedule")).kind, int(timesteps),
                      number(json, source, "beta_start", 1e-4), number(json, source, "beta_end", 0.02));
    if (rescale && to_bool(*rescale, where("rescale_betas_zero_snr")))
      schedule = rescale_zero_terminal_snr(schedule);
    return {Preconditioner(find_row(kPredictionNames, prediction_name, where("prediction_type")).objective,
                           schedule),
            clip_x0};
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::usage) throw;
    throw Error(ErrorKind::bad_input, fmt::format("{}: {}", source, e.what()));
  }
}

}  // namespace diffusion
