#include "train/config_fields.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <concepts>
#include <limits>
#include <set>

#include <diffusion/error.h>
#include "support/scratch.h"
#include "train/config_checks.h"
#include "train/presets.h"

namespace diffusion {
namespace {

// One of each kind of run that has fields of its own.
std::vector<TrainConfig> kinds_of_runs() {
  TrainConfig plain = preset_config("tiny");
  plain.budget.steps = 1;
  TrainConfig edm = plain, flow = plain;
  edm.objective = Objective::edm;
  flow.objective = Objective::flow;
  TrainConfig from = edm;
  from.start = "of a model";
  TrainConfig tuned = from;
  tuned.consistency = ConsistencyTuning{};
  TrainConfig words = plain;
  words.network = preset_config("words-64").network;
  TrainConfig sliced = plain;
  sliced.slices = 2;
  TrainConfig series = plain;
  series.series = SeriesForm{};
  TrainConfig sound = plain;
  sound.mel = MelForm{};
  TrainConfig given = words;
  given.text_encoder = "of an encoder";
  return {plain, edm, flow, from, tuned, words, sliced, series, sound, given};
}

// Gives a value another value.
template <class T>
void change(T& value) {
  if constexpr (std::same_as<T, bool>)
    value = !value;
  else if constexpr (std::integral<T>)
    ++value;
  else
    value = T(value == T{});  // 1 or the second of an enumeration; else 0 or the first
}
void change(std::string& value) {
  value += " of another name";
}
void change(std::array<std::uint8_t, 3>& color) {
  change(color[1]);
}
void change(std::array<int, 2>& size) {
  change(size[1]);
}
void change(NetworkConfig& network) {
  if (auto* words = std::get_if<WordsConfig>(&network)) return change(words->unet.dropout);
  change(std::get<UNetConfig>(network).dropout);
}
void change(SeriesForm& form) {
  change(form.rows);
}
void change(MelForm& form) {
  change(form.top_db);
}
void change(ConsistencyTuning& tuning) {
  change(tuning.stages);
}
template <class T>
void change(std::optional<T>& value) {
  if (value)
    change(*value);
  else
    value.emplace();
}

TrainConfig with_other(const TrainField& field, TrainConfig config) {
  std::visit([&](const auto& place) { change(place.in(config)); }, field.place);
  return config;
}

Json without(const TrainField& field, const TrainConfig& config) {
  Json json = to_json(config);
  std::get<Json::Object>(json.value()).erase(std::string(field.name));
  return json;
}

TEST(TrainFields, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const TrainField& field : train_fields()) {
    EXPECT_TRUE(names.insert(field.name).second) << field.name;
    EXPECT_EQ(field.help.empty(), field.group.empty()) << field.name;
  }
}

TEST(TrainFields, FilesTellAFieldIfItDecidesTheResultAndNothingElse) {
  for (const TrainConfig& run : kinds_of_runs())
    for (const TrainField& field : train_fields()) {
      const TrainConfig other = with_other(field, run);
      const Json before = to_json(run), after = to_json(other);
      const bool decides = field.decides.when(run) || field.decides.when(other);
      EXPECT_EQ(before != after, decides) << field.name;
      if (field.decides.when(run)) {
        EXPECT_EQ(*before.find(field.name), json_of(field, run)) << field.name;
      }
      // These decide which others there are.
      if (field.name != "objective" && field.name != "start" && field.name != "consistency" &&
          field.name != "text_encoder") {
        EXPECT_EQ(without(field, run), without(field, other)) << field.name;
      }
    }
}

TEST(TrainFields, TheseDoNotDecideTheResult) {
  std::set<std::string_view> found;
  for (const TrainField& field : train_fields()) {
    bool decides = false;
    for (const TrainConfig& run : kinds_of_runs()) decides = decides || field.decides.when(run);
    if (!decides) found.insert(field.name);
  }
  EXPECT_EQ(found, (std::set<std::string_view>{"minutes", "steps", "epochs", "threads", "save_every", "keep",
                                               "preview_every", "tensorboard", "report_every",
                                               "held_out_every", "gradient_checkpointing"}));
}

// Of a run that an older version began, so that it is resumed.
TEST(TrainFields, FilesAreAsTheyWere) {
  const std::vector<TrainConfig> runs = kinds_of_runs();
  Json plain = to_json(runs[0]);
  std::get<Json::Object>(plain.value()).erase("network");
  EXPECT_EQ(
      dump_json(plain),
      R"({"accumulate": 1, "background": "ffffff", "batch": 32, "beta1": 0.9, "beta2": 0.99, "beta_end": 0.02, )"
      R"("beta_start": 0.0001, "channels": null, "clip": 1.0, "clip_samples": true, "conditional": true, )"
      R"("data": "fashion-mnist", "drop_last": false, "ema_exponent": 6.94, "flip": false, )"
      R"("label_dropout": 0.1, "learning_rate": 0.002, "loss": "mse", "min_learning_rate": 0.0, )"
      R"("min_snr_gamma": 5.0, "objective": "v", "optimizer": "adamw", "p2_gamma": 1.0, "p2_k": 1.0, )"
      R"("precision": "auto", "preset": "tiny", "random_crop": false, "rate": "warmup_cosine", )"
      R"("rate_epochs": 10, "schedule": "cosine", "seed": 0, "shard": 0, "shards": 1, "sigma_data": 0.5, )"
      R"("size": null, "timesteps": 1000, "warmup": 0.03, "weight": "uniform", "weight_decay": 0.0})");

  const auto fields = [](const TrainConfig& config) {
    const Json json = to_json(config);
    std::set<std::string> names;
    for (const auto& [name, value] : to_object(json, "json")) names.insert(name);
    return names;
  };
  const auto expect = [&](const TrainConfig& config, const std::vector<std::string>& more,
                          const std::vector<std::string>& fewer) {
    std::set<std::string> names = fields(runs[0]);
    names.insert(more.begin(), more.end());
    for (const std::string& name : fewer) names.erase(name);
    EXPECT_EQ(fields(config), names);
  };
  expect(runs[1], {"p_mean", "p_std", "sigma_min", "sigma_max"}, {});
  expect(runs[2], {"logit_mean", "logit_std"}, {});
  expect(runs[3], {"p_mean", "p_std", "start"}, {});
  expect(runs[4], {"p_mean", "p_std", "start", "consistency"},
         {"loss", "weight", "p2_k", "p2_gamma", "min_snr_gamma"});
  expect(runs[6], {"slices"}, {});
  expect(runs[5], {"caption_dropout", "vocabulary"}, {});
}

// Puts the number into the value; false if it cannot hold it.
template <class T>
bool set_number(T& value, double number) {
  if constexpr (!std::is_arithmetic_v<T>) {
    return false;
  } else {
    if (std::integral<T> && (!(std::abs(number) < 9e18) || number != std::floor(number))) return false;
    if (std::unsigned_integral<T> && number < 0) return false;
    value = T(number);
    return true;
  }
}
template <class T>
bool set_number(std::optional<T>& value, double number) {
  return set_number(value ? *value : value.emplace(), number);
}
bool set_number(const TrainField& field, double number, TrainConfig& config) {
  return std::visit([&](const auto& place) { return set_number(place.in(config), number); }, field.place);
}

TEST(TrainFields, NumbersOutOfRangeAreRefusedByName) {
  for (const TrainField& field : train_fields()) {
    const auto* range = std::get_if<NumberRange>(&field.accepted);
    if (!range) continue;
    TrainConfig config = kinds_of_runs()[0];
    for (const double end : {range->least, range->most})
      if (set_number(field, end, config)) {
        EXPECT_NO_THROW(check_range(field, config)) << field.name << " is " << end;
      }
    for (const double number : {range->least > 0 ? 0.0 : -0.5, range->least - 1, range->most + 1,
                                std::numeric_limits<double>::quiet_NaN()}) {
      if (number == range->most || !set_number(field, number, config)) continue;
      try {
        validate(config);
        ADD_FAILURE() << field.name << " is " << number;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        EXPECT_EQ(std::string(error.what()),
                  fmt::format("{} is {}; accepted is {}", field.name, number, range->text));
        EXPECT_EQ(error.fields(), std::vector<std::string>{std::string(field.name)});
      }
    }
  }
}

TEST(TrainFields, SeedsMustFitIntoFiles) {
  TrainConfig config = kinds_of_runs()[0];
  config.seed = (std::uint64_t(1) << 63) - 1;
  EXPECT_NO_THROW(validate(config));
  EXPECT_EQ(*to_json(config).find("seed"), Json(std::numeric_limits<std::int64_t>::max()));
  ++config.seed;
  EXPECT_EQ(scratch::error_of(ErrorKind::usage, [&] { validate(config); }),
            "seed is 9223372036854775808; accepted is 0 to 9223372036854775807");
}

TEST(TrainFields, EnumerationsAreSetByName) {
  int enumerations = 0;
  for (const TrainField& field : train_fields()) {
    const auto* names = std::get_if<FieldNames>(&field.accepted);
    if (!names) continue;
    ++enumerations;
    TrainConfig config;
    for (const auto& [name, value] : *names) {
      set_by_name(field, name, config);
      EXPECT_EQ(json_of(field, config), Json(name));
    }
    const std::string message =
        scratch::error_of(ErrorKind::usage, [&] { set_by_name(field, "Mse", config); });
    for (const auto& [name, value] : *names) EXPECT_NE(message.find(name), std::string::npos) << message;
    EXPECT_TRUE(message.starts_with(fmt::format("{} is \"Mse\"; accepted are: ", field.name))) << message;
  }
  EXPECT_EQ(enumerations, 7);
}

TEST(TrainFields, AFieldIsCopiedAlone) {
  const TrainConfig run = kinds_of_runs()[4];
  for (const TrainField& field : train_fields()) {
    const TrainConfig other = with_other(field, run);
    TrainConfig copy = run;
    copy_field(field, other, copy);
    EXPECT_EQ(json_of(field, copy), json_of(field, other)) << field.name;
    EXPECT_NE(json_of(field, copy), json_of(field, run)) << field.name;
    EXPECT_EQ(to_json(copy), to_json(other)) << field.name;
  }
}

}  // namespace
}  // namespace diffusion
