#include "train/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"

namespace diffusion {

namespace {

void require(bool holds, const char* field, double found, std::string_view accepted) {
  if (!holds)
    throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is {}", field, found, accepted), {field});
}

// What the levels of edm and flow are, but for sigma_data, which stands in to_json() for every objective.
Json::Object level_fields(const TrainConfig& c, const EdmParameters& edm, const FlowParameters& flow) {
  if (c.objective == Objective::flow) return {{"logit_mean", flow.logit_mean}, {"logit_std", flow.logit_std}};
  if (c.objective != Objective::edm) return {};
  Json::Object fields{{"p_mean", edm.p_mean}, {"p_std", edm.p_std}};
  if (c.start) return fields;  // whose fingerprint knows the range
  fields["sigma_min"] = edm.sigma_min;
  fields["sigma_max"] = edm.sigma_max;
  return fields;
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
  Json::Object object{
      {"preset", c.preset},
      {"data", c.data},
      {"size", c.form.size ? Json(Json::Array{(*c.form.size)[0], (*c.form.size)[1]}) : Json(nullptr)},
      {"channels", c.form.channels ? Json(*c.form.channels) : Json(nullptr)},
      {"background", fmt::format("{:02x}", fmt::join(c.form.background, ""))},
      {"random_crop", c.form.random_crop},
      {"shards", c.shards},
      {"shard", c.shard},
      {"network", to_json(c.network)},
      {"objective", to_string(c.objective)},
      {"schedule", to_string(c.schedule)},
      {"timesteps", c.timesteps},
      {"beta_start", c.beta_start},
      {"beta_end", c.beta_end},
      {"sigma_data", c.edm.sigma_data},
      {"loss", to_string(c.loss)},
      {"weight", to_string(c.weighting.kind)},
      {"p2_k", c.weighting.p2_k},
      {"p2_gamma", c.weighting.p2_gamma},
      {"min_snr_gamma", c.weighting.min_snr_gamma},
      {"batch", c.batch},
      {"accumulate", c.accumulate},
      {"precision", std::string(to_string(c.precision))},
      {"seed", std::int64_t(c.seed)},
      {"optimizer", to_string(c.optimizer)},
      {"learning_rate", c.learning_rate},
      {"rate", to_string(c.rate)},
      {"warmup", c.warmup},
      {"min_learning_rate", c.min_learning_rate},
      {"rate_epochs", c.rate_epochs},
      {"beta1", c.beta1},
      {"beta2", c.beta2},
      {"weight_decay", c.weight_decay},
      {"clip", c.clip},
      {"ema_exponent", c.ema_exponent ? Json(*c.ema_exponent) : Json(nullptr)},
      {"flip", c.flip},
      {"drop_last", c.drop_last},
      {"conditional", c.conditional},
      {"label_dropout", c.label_dropout},
      {"clip_samples", c.clip_samples},
  };
  object.merge(level_fields(c, c.edm, c.flow));
  // Absent otherwise, as in the runs of older versions.
  if (c.start) object["start"] = *c.start;
  if (c.consistency) {
    for (const char* unused : {"loss", "weight", "p2_k", "p2_gamma", "min_snr_gamma"}) object.erase(unused);
    object["consistency"] = to_json(*c.consistency);
  }
  return object;
}

Json with_later_fields(Json saved, const TrainConfig& c) {
  if (auto* object = std::get_if<Json::Object>(&saved.value())) object->merge(level_fields(c, {}, {}));
  return saved;
}

void validate(const TrainConfig& c) {
  require(c.batch >= 1, "batch", c.batch, "1 or more");
  require(c.accumulate >= 1 && c.batch % c.accumulate == 0, "accumulate", c.accumulate,
          fmt::format("a divisor of the batch, {}", c.batch));
  require(std::isfinite(c.learning_rate) && c.learning_rate > 0, "learning_rate", c.learning_rate,
          "a positive number");
  require(c.warmup >= 0 && c.warmup < 1, "warmup", c.warmup, "a share of the run in [0, 1)");
  require(c.weight_decay >= 0 && std::isfinite(c.weight_decay), "weight_decay", c.weight_decay, "0 or more");
  require(c.clip >= 0, "clip", c.clip, "0 (no limit) or more");
  require(c.label_dropout >= 0 && c.label_dropout <= 1, "label_dropout", c.label_dropout,
          "a share in [0, 1]");
  require(c.seed <= std::uint64_t(std::numeric_limits<std::int64_t>::max()), "seed", double(c.seed),
          "0 to 9223372036854775807");
  require(c.keep >= 1, "keep", c.keep, "1 or more");
  const int budgets = c.budget.minutes.has_value() + c.budget.steps.has_value() + c.budget.epochs.has_value();
  if (budgets != 1)
    throw Error(
        ErrorKind::usage,
        fmt::format("the budget has {} of minutes, steps and epochs; accepted is exactly one", budgets),
        {"minutes", "steps", "epochs"});
  if (c.budget.minutes)
    require(std::isfinite(*c.budget.minutes) && *c.budget.minutes > 0, "minutes", *c.budget.minutes,
            "a positive number");
  if (c.budget.steps)
    require(*c.budget.steps > 0 && *c.budget.steps < 1'000'000'000, "steps", double(*c.budget.steps),
            "1 to 999999999");
  if (c.budget.epochs)
    require(std::isfinite(*c.budget.epochs) && *c.budget.epochs > 0, "epochs", *c.budget.epochs,
            "a positive number");
  require(c.report_every >= 0, "report_every", double(c.report_every), "0 (never) or more");
  if (c.save_every) require(*c.save_every >= 1, "save_every", double(*c.save_every), "1 or more");
  if (c.preview_every)
    require(*c.preview_every >= 0, "preview_every", double(*c.preview_every), "0 (never) or more");
  if (c.held_out_every)
    require(*c.held_out_every >= 0, "held_out_every", double(*c.held_out_every), "0 (never) or more");
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
