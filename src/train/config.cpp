#include "train/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "train/config_fields.h"

namespace diffusion {

namespace {

void check_budget(const Budget& budget) {
  const int given = budget.minutes.has_value() + budget.steps.has_value() + budget.epochs.has_value();
  if (given != 1)
    throw Error(
        ErrorKind::usage,
        fmt::format("the budget has {} of minutes, steps and epochs; accepted is exactly one of them", given),
        {"minutes", "steps", "epochs"});
}

}  // namespace

std::string_view to_string(RateShape shape) {
  switch (shape) {
    case RateShape::warmup_cosine:
      return "warmup_cosine";
    case RateShape::constant:
      return "constant";
    case RateShape::staircase_cosine:
      return "staircase_cosine";
  }
  return "?";
}

Json to_json(const TrainConfig& c) {
  Json::Object object;
  for (const TrainField& field : train_fields())
    if (field.decides.when(c)) object.emplace(field.name, json_of(field, c));
  return object;
}

Json with_later_fields(Json saved, const TrainConfig& c) {
  static const TrainConfig earlier;
  auto* object = std::get_if<Json::Object>(&saved.value());
  for (const TrainField& field : train_fields())
    if (object && field.decides.came_later && field.decides.when(c))
      object->emplace(field.name, json_of(field, earlier));
  return saved;
}

void validate(const TrainConfig& c) {
  for (const TrainField& field : train_fields()) check_range(field, c);
  if (c.batch % c.accumulate != 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("accumulate is {}; accepted is a divisor of the batch, {}", c.accumulate, c.batch),
        {"accumulate"});
  check_budget(c.budget);
  if (c.consistency) validate(*c.consistency);
  validate(c.network);
}

Preconditioner make_preconditioner(const TrainConfig& c) {
  if (c.objective == Objective::edm) return Preconditioner(c.edm);
  if (c.objective == Objective::flow)
    return Preconditioner(FlowParameters{c.timesteps, c.flow.logit_mean, c.flow.logit_std});
  return {c.objective, make_schedule(c.schedule, c.timesteps, c.beta_start, c.beta_end)};
}

double learning_rate_factor(double warmup, double progress) {
  if (progress < warmup) return progress / warmup;
  return 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, (progress - warmup) / (1 - warmup))));
}

double staircase_cosine(double lowest, double highest, int epochs, std::uint64_t epoch) {
  const double share = std::min(double(epoch), double(epochs)) / double(epochs);
  return lowest + (highest - lowest) * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

}  // namespace diffusion
