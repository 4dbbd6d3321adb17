#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include <diffusion/error.h>
#include "base/progress.h"
#include "cli/commands/commands.h"
#include "cli/options/model_path.h"
#include "cli/options/options.h"
#include "cli/output/model_details.h"
#include "diffusers/pipeline.h"
#include "diffusion/default_recipe.h"
#include "diffusion/model.h"
#include "files/folders.h"
#include "files/fs.h"
#include "nn/describe.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

struct InfoOptions {
  std::string model;
  bool json = false;
};

std::string human_bytes(std::uintmax_t bytes) {
  if (bytes < 1000) return fmt::format("{} bytes", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB", double(bytes) / 1e3);
  return bytes < 1'000'000'000 ? fmt::format("{:.1f} MB", double(bytes) / 1e6)
                               : fmt::format("{:.2f} GB", double(bytes) / 1e9);
}

std::uintmax_t disk_size(const fs::path& directory) {
  std::uintmax_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    const std::uintmax_t size =
        fs::is_regular_file(entry->path(), ignored) ? fs::file_size(entry->path(), ignored) : 0;
    if (!ignored) bytes += size;
  }
  if (error)
    throw Error(ErrorKind::io, fmt::format("Cannot list {}: {}.", directory.string(), error.message()));
  return bytes;
}

// step, images and seconds of training/state.json, as far as they are there; nothing if the model was not
// trained here.
std::optional<Json::Object> training_progress(const fs::path& pipeline) {
  const fs::path path = pipeline / "training/state.json";
  constexpr std::uint64_t kMaxBytes = 16 << 20;
  if (!path_exists(path)) return std::nullopt;
  const Json state = parse_json(read_text_file(path, kMaxBytes), path.string());
  Json::Object known;
  for (const char* field : {"step", "images", "seconds", "loss_average"})
    if (const Json* value = state.find(field); value && !value->is_null()) {
      to_double(*value, fmt::format("{}: field {}", path.string(), field));
      known[field] = *value;
    }
  return known;
}

Json::Array to_json_array(const auto& values) {
  Json::Array array;
  for (const auto& value : values) array.emplace_back(value);
  return array;
}

Json network_to_json(const Model& model) {
  Json::Object network = levels_to_json(model.network);
  network["type"] = model.traits().type;
  network["parameters"] = model.params.layout().parameter_count();
  network["tensors"] = model.params.layout().entries().size();
  return network;
}

std::string describe_words(const Model& model) {
  const Vocabulary& vocabulary = model.tokenizer->vocabulary();
  std::string known;
  if (const std::size_t count = vocabulary.known_words.size(); count > 0) {
    constexpr std::size_t kShown = 8;  // evenly from all
    std::vector<std::string> shown;
    for (std::size_t k = 0; k < std::min(kShown, count); ++k)
      shown.push_back(vocabulary.known_words[k * count / std::min(kShown, count)]);
    known =
        fmt::format("; knows {} words: {}{}", count, fmt::join(shown, ", "), count > kShown ? ", ..." : "");
  }
  return fmt::format("{} tokens, up to {} a text{}", vocabulary.tokens.size(), model.traits().text_length(),
                     known);
}

void print_network(const Model& model) {
  const NetworkTraits traits = model.traits();
  print_line(fmt::format("network    {}, {} parameters in {} tensors", traits.title,
                         model.params.layout().parameter_count(), model.params.layout().entries().size()));
  print_line("levels     " + describe_levels(model.network));
  if (traits.sample_size[0] > 0)
    print_line(fmt::format("images     {} x {}, {} channel{}", traits.sample_size[1], traits.sample_size[0],
                           traits.in_channels, traits.in_channels == 1 ? "" : "s"));
  else
    print_line(fmt::format("images     any size, {} channel{}", traits.in_channels,
                           traits.in_channels == 1 ? "" : "s"));
  if (model.tokenizer) print_line("words      " + describe_words(model));
  if (model.series && model.series->task == SeriesTask::impute)
    print_line(fmt::format("series     fills gaps, {} values at once, season {}{}", model.series->cells(),
                           model.series->season, model.series->calendar ? ", with the calendar" : ""));
  else if (model.series)
    print_line(fmt::format("series     {} values from {} before them, season {}{}", model.series->horizon,
                           model.series->context(), model.series->season,
                           model.series->calendar ? ", with the calendar" : ""));
  if (model.mel) print_line("sound      " + describe_mel(*model.mel));
  if (model.class_count() == 0) return print_line("classes    none");
  print_line(fmt::format("classes    {}{}{}{}", model.class_count(), model.class_names.empty() ? "" : ": ",
                         fmt::join(model.class_names, ", "),
                         model.null_class ? "; trained for guidance" : ""));
}

void print_scheduler(const Model& model) {
  const ProcessText text = model.preconditioner.text();
  print_line(
      fmt::format("objective  {}{}", to_string(model.preconditioner.objective()),
                  model.sampling.limit.clips() ? "; estimates are limited to [-1, 1] when sampling" : ""));
  print_line("schedule   " + text.line);
  if (text.warning) print_line("           " + *text.warning);
}

void print_training(const Json::Object& training) {
  std::string line = "training  ";
  const auto number = [&](const char* field) { return to_double(training.at(field), field); };
  if (training.contains("step")) line += fmt::format(" {:.0f} steps", number("step"));
  if (training.contains("images")) line += fmt::format(" {:.0f} images", number("images"));
  if (training.contains("seconds")) line += fmt::format(" in {}", format_duration(number("seconds")));
  if (training.contains("loss_average")) line += fmt::format(", loss {:.4f}", number("loss_average"));
  print_line(line);
}

std::string describe_limit(const EstimateLimit& limit) {
  if (limit.kind == EstimateLimit::Kind::clip) return fmt::format(", estimates within {}", limit.range);
  return limit.kind == EstimateLimit::Kind::dynamic_threshold ? ", estimates within a dynamic threshold" : "";
}

// The file as it was read, and what it comes to.
void print_sampling(const Model& model) {
  const Json config = scheduler_config_of(model);
  const SamplingRecipe recipe = scheduler_recipe(model);
  const std::optional<Spacing>& spacing = recipe.levels.spacing;
  print_line(fmt::format("scheduler  {}: {}, {} levels{}",
                         to_string(member(config, "_class_name", "scheduler"), "scheduler"),
                         name_of(recipe.sampler), spacing ? to_string(*spacing) : "the model's own",
                         describe_limit(recipe.limit)));
}

void print_cost(const NetworkCost& cost) {
  const auto memory = [](const std::optional<std::size_t>& bytes) {
    return bytes ? human_bytes(*bytes) : std::string("too much");
  };
  print_line(fmt::format("evaluation {:.3g} GFLOP an image", cost.flops * 1e-9));
  print_line(fmt::format("memory     {} for weights, and for activations {} (one image) or {} (batch of {})",
                         human_bytes(cost.weight_bytes), memory(cost.bytes_of_one),
                         memory(cost.bytes_of_batch), NetworkCost::kBatch));
}

void print_history(const TrainingHistory& history) {
  print_line(fmt::format("history    {} steps in {}, loss {:.4f} -> {:.4f} (first and last {} steps)",
                         history.steps, format_duration(history.seconds), history.first_loss,
                         history.last_loss, TrainingHistory::kAveraged));
}

Json cost_to_json(const NetworkCost& cost) {
  const auto memory = [](const std::optional<std::size_t>& bytes) {
    return bytes ? Json(*bytes) : Json(nullptr);
  };
  return Json::Object{{"flops", cost.flops},
                      {"weight_bytes", cost.weight_bytes},
                      {"activation_bytes", memory(cost.bytes_of_one)},
                      {"activation_bytes_of_64", memory(cost.bytes_of_batch)}};
}

Json words_to_json(const Model& model) {
  const Vocabulary& vocabulary = model.tokenizer->vocabulary();
  return Json::Object{{"tokens", vocabulary.tokens.size()},
                      {"tokens_of_a_text", model.traits().text_length()},
                      {"known_words", vocabulary.known_words.size()}};
}

Json history_to_json(const TrainingHistory& history) {
  return Json::Object{{"steps", history.steps},
                      {"seconds", history.seconds},
                      {"first_loss", history.first_loss},
                      {"last_loss", history.last_loss}};
}

int run(const InfoOptions& o) {
  const fs::path found = chosen_pipeline(o.model);
  const fs::path pipeline = resolved(found);
  Model model = read_pipeline(found, WeightPlace::as_fits);
  const WeightsOnDisk weights = weights_on_disk(found);
  const std::optional<NetworkCost> cost = network_cost(model);
  const std::optional<TrainingHistory> history = training_history(found);
  const std::optional<Json::Object> training = training_progress(found);
  const std::uintmax_t bytes = disk_size(pipeline);

  if (!o.json) {
    std::string meant;
    if (found == fs::path(o.model) / "latest")
      meant = fmt::format(" (latest: {})", pipeline.filename().string());
    else if (found != fs::path(o.model))
      meant = fmt::format(" ({})", pipeline.string());
    print_line(fmt::format("model      {}{}", o.model, meant));
    print_network(model);
    print_scheduler(model);
    print_sampling(model);
    if (cost) print_cost(*cost);
    if (training) print_training(*training);
    if (history) print_history(*history);
    print_line(fmt::format("on disk    {}; weights are {} in {} file{}", human_bytes(bytes),
                           fmt::join(weights.dtypes, ", "), weights.files, weights.files == 1 ? "" : "s"));
    return 0;
  }
  print_json(Json::Object{
      {"model", path_to_json(o.model)},
      {"pipeline", path_to_json(pipeline.string())},
      {"network", network_to_json(model)},
      {"image_size", to_json_array(model.traits().sample_size)},
      {"channels", model.traits().in_channels},
      {"classes", model.class_count()},
      {"class_names", to_json_array(model.class_names)},
      {"null_class", model.null_class ? Json(*model.null_class) : Json(nullptr)},
      {"words", model.tokenizer ? words_to_json(model) : Json(nullptr)},
      {"series", model.series ? to_json(*model.series) : Json(nullptr)},
      {"mel", model.mel ? to_json(*model.mel) : Json(nullptr)},
      {"objective", to_string(model.preconditioner.objective())},
      {"schedule", model.preconditioner.text().details},
      {"scheduler", scheduler_config_of(model)},
      {"sampling", sampling_to_json(scheduler_recipe(model))},
      {"cost", cost ? cost_to_json(*cost) : Json(nullptr)},
      {"weight_dtypes", to_json_array(weights.dtypes)},
      {"weight_files", weights.files},
      {"training", training ? Json(*training) : Json(nullptr)},
      {"history", history ? history_to_json(*history) : Json(nullptr)},
      {"disk_bytes", bytes},
  });
  return 0;
}

}  // namespace

std::function<int()> add_info(CLI::App& app) {
  const auto o = std::make_shared<InfoOptions>();
  add_model_option(app, o->model)->required();
  add_json_flag(app, o->json);
  return [o] { return run(*o); };
}

}  // namespace diffusion
