#pragma once

// The fields of a training configuration, each described once, in the table of config_fields.cpp. What files
// hold, what is refused, and which options `diffusion train` and `diffusion distill` have, all follow from
// it.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "formats/json.h"
#include "train/config.h"

namespace diffusion {

// Where a field of type T lies in a configuration.
template <class T>
struct FieldPlace {
  T& (*in)(TrainConfig& config);
  const T& (*of)(const TrainConfig& config);
};

template <class... T>
using FieldPlaceOneOf = std::variant<FieldPlace<T>...>;

using AnyFieldPlace =
    FieldPlaceOneOf<bool, int, std::int64_t, std::uint64_t, double, std::optional<int>,
                    std::optional<std::int64_t>, std::optional<double>, std::string,
                    std::optional<std::string>, std::array<std::uint8_t, 3>,
                    std::optional<std::array<int, 2>>, Objective, ScheduleKind, LossKind, WeightingKind,
                    Precision, OptimizerKind, RateShape, NetworkConfig, std::optional<ConsistencyTuning>,
                    std::optional<SeriesForm>, std::optional<MelForm>>;

// The numbers that a field may be, both ends included, and how errors say so. An optional field may be unset,
// too.
struct NumberRange {
  double least, most;
  std::string_view text;
};

// The names that an enumeration may have, and their values.
using FieldNames = std::vector<std::pair<std::string_view, int>>;

// std::monostate: everything that the type can hold, as far as single fields are looked at.
using Accepted = std::variant<std::monostate, NumberRange, FieldNames>;

// Whether a field decides what a run computes and so stands in to_json().
struct Decides {
  bool (*when)(const TrainConfig& config);
  // Runs of older versions do not have it in their files: it was what TrainConfig{} says.
  bool came_later = false;
};

// Who sets a field where a run starts from a model.
enum class FieldUse {
  always,     // the person, as in a new run
  new_model,  // the model
  denoising,  // the person; but where the run tunes for few steps, tuning
};

struct TrainField {
  std::string_view name;  // in files, errors and, with dashes, options
  AnyFieldPlace place;
  Accepted accepted;
  Decides decides;
  // For people, of a field that has an option of its own. Presets or other options set the others.
  std::string_view group = {}, help = {};
  FieldUse use = FieldUse::always;
};

// In the order in which help texts show them.
std::span<const TrainField> train_fields();

// The field as to_json(config) has it.
Json json_of(const TrainField& field, const TrainConfig& config);

// Error(usage) naming the field, what was found and what is accepted if its number is out of its range.
void check_range(const TrainField& field, const TrainConfig& config);

// Sets an enumeration. Error(usage) listing the names if `name` is none of them.
void set_by_name(const TrainField& field, std::string_view name, TrainConfig& config);

// Sets the field in `to` to what it is in `from`.
void copy_field(const TrainField& field, const TrainConfig& from, TrainConfig& to);

}  // namespace diffusion
