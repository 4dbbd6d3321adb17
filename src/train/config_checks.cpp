#include "train/config_checks.h"

#include <fmt/format.h>

#include <diffusion/error.h>
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
  if (c.batch / c.accumulate % c.slices != 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("slices is {}; accepted is a divisor of {}, the images that are computed at a time",
                    c.slices, c.batch / c.accumulate),
        {"slices"});
  check_budget(c.budget);
  if (c.consistency) validate(*c.consistency);
  if (c.series) validate(*c.series);
  if (c.mel) validate(*c.mel);
  validate(c.network);
}

}  // namespace diffusion
