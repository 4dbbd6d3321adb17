#include "train/config_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <type_traits>
#include <utility>

#include <diffusion/error.h>
#include "words/train_tokenizer.h"

namespace diffusion {

namespace {

using C = TrainConfig;

// The place of a member, or of a member of a member: at<&C::weighting, &Weighting::p2_k>().
template <auto... members>
constexpr auto at() {
  using T = std::remove_reference_t<decltype((std::declval<C&>().*....*members))>;
  return FieldPlace<T>{[](C& config) -> T& { return (config.*....*members); },
                       [](const C& config) -> const T& { return (config.*....*members); }};
}

constexpr double kMost = std::numeric_limits<double>::max(),
                 kInfinity = std::numeric_limits<double>::infinity(),
                 kAboveZero = std::numeric_limits<double>::min(),
                 kBelowOne = 1 - std::numeric_limits<double>::epsilon() / 2;
constexpr std::monostate kAnything;
constexpr NumberRange kOneOrMore{1, kMost, "1 or more"};
constexpr NumberRange kZeroOrMore{0, kMost, "0 or more"};
constexpr NumberRange kZeroIsNever{0, kMost, "0 (never) or more"};
constexpr NumberRange kPositive{kAboveZero, kMost, "a positive number"};
constexpr NumberRange kShareBelowOne{0, kBelowOne, "a share in [0, 1)"};

template <class E>
FieldNames one_of(std::initializer_list<E> values) {
  FieldNames names;
  for (const E value : values) names.emplace_back(to_string(value), int(value));
  return names;
}

constexpr Decides kAlways{[](const C&) { return true; }};
constexpr Decides kNever{[](const C&) { return false; }};
constexpr Decides kIfStart{[](const C& c) { return c.start.has_value(); }};
constexpr Decides kIfGivenEncoder{[](const C& c) { return c.text_encoder.has_value(); }};
constexpr Decides kIfTuning{[](const C& c) { return c.consistency.has_value(); }};
constexpr Decides kIfSeries{[](const C& c) { return c.series.has_value(); }};
constexpr Decides kIfSound{[](const C& c) { return c.mel.has_value(); }};
constexpr Decides kIfDenoising{[](const C& c) { return !c.consistency; }};
constexpr Decides kIfEdm{[](const C& c) { return c.objective == Objective::edm; }, true};
// The range of a model that the run starts from is in its fingerprint.
constexpr Decides kIfNewEdm{[](const C& c) { return c.objective == Objective::edm && !c.start; }, true};
bool knows_words(const C& c) {
  return traits_of(c.network).text_length() > 0;
}
constexpr Decides kIfWords{knows_words};
constexpr Decides kIfNewWords{[](const C& c) { return knows_words(c) && !c.start && !c.text_encoder; }};
constexpr Decides kIfSliced{[](const C& c) { return c.slices > 1; }};
constexpr Decides kIfFlow{[](const C& c) { return c.objective == Objective::flow; }, true};

std::vector<TrainField> make_fields() {
  constexpr std::string_view budget = "How long", optimization = "Optimization", diffusion = "Diffusion",
                             data = "Data", machine = "Machine", output = "Output";
  using enum FieldUse;
  return {
      {"preset", at<&C::preset>(), kAnything, kAlways},
      {"data", at<&C::data>(), kAnything, kAlways},
      {"size", at<&C::form, &FormOptions::size>(), kAnything, kAlways},
      {"channels", at<&C::form, &FormOptions::channels>(), kAnything, kAlways},
      {"background", at<&C::form, &FormOptions::background>(), kAnything, kAlways},
      {"random_crop", at<&C::form, &FormOptions::random_crop>(), kAnything, kAlways},
      {"shards", at<&C::shards>(), kOneOrMore, kAlways},
      {"shard", at<&C::shard>(), kZeroOrMore, kAlways},
      {"network", at<&C::network>(), kAnything, kAlways},
      {"start", at<&C::start>(), kAnything, kIfStart},
      {"text_encoder", at<&C::text_encoder>(), kAnything, kIfGivenEncoder},
      {"consistency", at<&C::consistency>(), kAnything, kIfTuning},
      {"series", at<&C::series>(), kAnything, kIfSeries},
      {"mel", at<&C::mel>(), kAnything, kIfSound},

      {"minutes", at<&C::budget, &Budget::minutes>(), kPositive, kNever, budget, "Train for so long"},
      {"steps", at<&C::budget, &Budget::steps>(), NumberRange{1, 999'999'999, "1 to 999999999"}, kNever,
       budget, "Train so many steps: reproducible to the bit"},
      {"epochs", at<&C::budget, &Budget::epochs>(), kPositive, kNever, budget,
       "Train so many passes over the data"},

      {"batch", at<&C::batch>(), kOneOrMore, kAlways, optimization, "Images per step"},
      {"accumulate", at<&C::accumulate>(), kOneOrMore, kAlways, optimization,
       "Compute a batch in so many parts, to save memory"},
      {"slices", at<&C::slices>(), kOneOrMore, kIfSliced, optimization,
       "Divide a batch into so many slices, each computed by one thread alone"},
      {"optimizer", at<&C::optimizer>(), one_of({OptimizerKind::adamw, OptimizerKind::muon}), kAlways,
       optimization, "adamw, or muon: Muon for matrices and AdamW for the rest"},
      {"learning_rate", at<&C::learning_rate>(), kPositive, kAlways, optimization, "Highest learning rate"},
      {"rate", at<&C::rate>(),
       one_of({RateShape::warmup_cosine, RateShape::constant, RateShape::staircase_cosine}), kAlways},
      {"warmup", at<&C::warmup>(), NumberRange{0, kBelowOne, "a share of the run in [0, 1)"}, kAlways,
       optimization, "Share of the run in which the rate rises; then it falls as a cosine"},
      {"min_learning_rate", at<&C::min_learning_rate>(), kZeroOrMore, kAlways},
      {"rate_epochs", at<&C::rate_epochs>(), kOneOrMore, kAlways},
      {"beta1", at<&C::beta1>(), kShareBelowOne, kAlways},
      {"beta2", at<&C::beta2>(), kShareBelowOne, kAlways},
      {"weight_decay", at<&C::weight_decay>(), kZeroOrMore, kAlways, optimization, "Decoupled weight decay"},
      {"clip", at<&C::clip>(), NumberRange{0, kInfinity, "0 (no limit) or more"}, kAlways, optimization,
       "Largest gradient norm; 0: no limit"},
      {"ema_exponent", at<&C::ema_exponent>(), kZeroOrMore, kAlways},

      {"caption_dropout", at<&C::caption_dropout>(), kShareBelowOne, kIfWords, data,
       "Share of the captions that are left out, for guidance"},
      {"vocabulary", at<&C::vocabulary>(), NumberRange{kSmallestVocabulary, 1'000'000, "514 to 1000000"},
       kIfNewWords, data, "Tokens that are learned from the captions, at most"},

      // make_preconditioner() looks at the numbers of schedules, EDM and flows.
      {"objective", at<&C::objective>(),
       one_of({Objective::epsilon, Objective::v, Objective::x0, Objective::edm, Objective::flow}), kAlways,
       diffusion, "What the network predicts: epsilon, v, x0, edm or flow", new_model},
      {"schedule", at<&C::schedule>(),
       one_of({ScheduleKind::linear, ScheduleKind::scaled_linear, ScheduleKind::cosine,
               ScheduleKind::quadratic, ScheduleKind::sigmoid}),
       kAlways, diffusion, "linear, scaled_linear, cosine, quadratic or sigmoid", new_model},
      {"timesteps", at<&C::timesteps>(), kAnything, kAlways, diffusion,
       "Length of the schedule; of a flow, its time 1 for the network", new_model},
      {"beta_start", at<&C::beta_start>(), kAnything, kAlways, diffusion, "First beta of the schedule",
       new_model},
      {"beta_end", at<&C::beta_end>(), kAnything, kAlways, diffusion, "Last beta of the schedule", new_model},
      {"sigma_data", at<&C::edm, &EdmProcess::sigma_data>(), kAnything, kAlways},
      {"sigma_min", at<&C::edm, &EdmProcess::sigma_min>(), kAnything, kIfNewEdm},
      {"sigma_max", at<&C::edm, &EdmProcess::sigma_max>(), kAnything, kIfNewEdm},
      {"p_mean", at<&C::edm, &EdmProcess::p_mean>(), kAnything, kIfEdm},
      {"p_std", at<&C::edm, &EdmProcess::p_std>(), kAnything, kIfEdm},
      {"logit_mean", at<&C::flow, &RectifiedFlow::logit_mean>(), kAnything, kIfFlow},
      {"logit_std", at<&C::flow, &RectifiedFlow::logit_std>(), kAnything, kIfFlow},
      {"loss", at<&C::loss>(), one_of({LossKind::mse, LossKind::huber, LossKind::l1}), kIfDenoising,
       diffusion, "mse, huber or l1", denoising},
      {"weight", at<&C::weighting, &Weighting::kind>(),
       one_of({WeightingKind::uniform, WeightingKind::p2, WeightingKind::min_snr}), kIfDenoising, diffusion,
       "Weight of the noise levels: uniform, p2 or min_snr", denoising},
      {"p2_k", at<&C::weighting, &Weighting::p2_k>(), kPositive, kIfDenoising},
      {"p2_gamma", at<&C::weighting, &Weighting::p2_gamma>(), kZeroOrMore, kIfDenoising},
      {"min_snr_gamma", at<&C::weighting, &Weighting::min_snr_gamma>(), kPositive, kIfDenoising},
      {"clip_samples", at<&C::clip_samples>(), kAnything, kAlways},

      {"drop_last", at<&C::drop_last>(), kAnything, kAlways, data,
       "End every epoch with its last full batch (default: batches run on across epochs)"},
      {"label_dropout", at<&C::label_dropout>(), NumberRange{0, 1, "a share in [0, 1]"}, kAlways, data,
       "Share of labels hidden, for guidance when sampling"},
      {"flip", at<&C::flip>(), kAnything, kAlways, data,
       "Mirror images at random (not for clothes or digits)"},
      {"conditional", at<&C::conditional>(), kAnything, kAlways, data, "Ignore the labels", new_model},

      {"precision", at<&C::precision>(), one_of({Precision::automatic, Precision::f32, Precision::bf16}),
       kAlways, machine, "auto, f32 or bf16; auto is the fastest this CPU has"},
      {"threads", at<&C::threads>(), NumberRange{0, kMaxThreads, "0 (all cores) to 1024"}, kNever, machine,
       "Threads; 0: all cores"},
      {"gradient_checkpointing", at<&C::gradient_checkpointing>(), kAnything, kNever, machine,
       "Keep only what goes into and out of the network's blocks, and compute the rest again: less memory,\n"
       "more time, the same result"},
      {"seed", at<&C::seed>(), NumberRange{0, kMost, "0 to 9223372036854775807"}, kAlways, machine,
       "Decides every random number"},

      {"save_every", at<&C::save_every>(), kOneOrMore, kNever, output,
       "Steps between checkpoints (default: one a minute)"},
      {"keep", at<&C::keep>(), kOneOrMore, kNever, output, "Checkpoints to keep (default: 2)"},
      {"preview_every", at<&C::preview_every>(), kZeroIsNever, kNever, output,
       "Steps between preview pictures; 0: none (default: 4 in a run)"},
      {"tensorboard", at<&C::tensorboard>(), kAnything, kNever, output,
       "Write event files for TensorBoard into the run, too"},
      {"report_every", at<&C::report_every>(), kZeroIsNever, kNever, output,
       "Steps between lines with the loss of the batch; 0: none"},
      {"held_out_every", at<&C::held_out_every>(), kZeroIsNever, kNever, output,
       "Steps between measurements of the loss on test images; 0: never\n"
       "(default: as takes 1% of the time)",
       denoising},
  };
}

// Of one value.
template <class T>
Json json_value(const T& value) {
  if constexpr (std::is_enum_v<T>)
    return to_string(value);
  else if constexpr (std::is_same_v<T, NetworkConfig> || std::is_same_v<T, ConsistencyTuning> ||
                     std::is_same_v<T, SeriesForm> || std::is_same_v<T, MelForm>)
    return to_json(value);
  else
    return value;
}
Json json_value(const std::array<int, 2>& size) {
  return Json::Array{size[0], size[1]};
}
Json json_value(const std::array<std::uint8_t, 3>& color) {
  return fmt::format("{:02x}", fmt::join(color, ""));
}
template <class T>
Json json_value(const std::optional<T>& value) {
  return value ? json_value(*value) : Json(nullptr);
}

// A number that is out of the range, as text. Files hold whole numbers up to 2^63 - 1.
template <class T>
std::optional<std::string> outside(const NumberRange& range, const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    bool inside = double(value) >= range.least && double(value) <= range.most;
    if constexpr (std::is_same_v<T, std::uint64_t>) inside = inside && std::in_range<std::int64_t>(value);
    if (!inside) return fmt::format("{}", value);
  }
  return std::nullopt;
}
template <class T>
std::optional<std::string> outside(const NumberRange& range, const std::optional<T>& value) {
  return value ? outside(range, *value) : std::nullopt;
}

void set_enumeration(const TrainField& field, int value, TrainConfig& config) {
  std::visit(
      [&]<class T>(const FieldPlace<T>& place) {
        if constexpr (std::is_enum_v<T>) place.in(config) = T(value);
      },
      field.place);
}

}  // namespace

std::span<const TrainField> train_fields() {
  static const std::vector<TrainField> fields = make_fields();
  return fields;
}

Json json_of(const TrainField& field, const TrainConfig& config) {
  return std::visit([&](const auto& place) { return json_value(place.of(config)); }, field.place);
}

void check_range(const TrainField& field, const TrainConfig& config) {
  const auto* range = std::get_if<NumberRange>(&field.accepted);
  if (!range) return;
  const auto found =
      std::visit([&](const auto& place) { return outside(*range, place.of(config)); }, field.place);
  if (found)
    throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is {}", field.name, *found, range->text),
                {std::string(field.name)});
}

void set_by_name(const TrainField& field, std::string_view name, TrainConfig& config) {
  std::string accepted;
  for (const auto& [known, value] : std::get<FieldNames>(field.accepted)) {
    if (known == name) return set_enumeration(field, value, config);
    accepted += fmt::format("{}{}", accepted.empty() ? "" : ", ", known);
  }
  throw Error(ErrorKind::usage, fmt::format("{} is \"{}\"; accepted are: {}", field.name, name, accepted),
              {std::string(field.name)});
}

void copy_field(const TrainField& field, const TrainConfig& from, TrainConfig& to) {
  std::visit([&](const auto& place) { place.in(to) = place.of(from); }, field.place);
}

}  // namespace diffusion
