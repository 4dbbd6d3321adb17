#include "serve/wish.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

#include <diffusion/error.h>
#include "serve/uploads.h"

namespace diffusion::serve {

namespace {

std::string in_lower_case(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return result;
}

std::string accepted_classes(const Model& model) {
  std::string accepted = fmt::format("0 to {}", model.class_count() - 1);
  for (const std::string& name : model.class_names) accepted += ", " + name;
  return accepted + (model.null_class ? ", none" : "");
}

std::optional<int> class_of(const Model& model, const std::string& label) {
  const std::string wanted = in_lower_case(label);
  for (std::size_t k = 0; k < model.class_names.size(); ++k)
    if (in_lower_case(model.class_names[k]) == wanted) return int(k);
  int number = -1;
  const char* end = label.data() + label.size();
  const auto [stop, error] = std::from_chars(label.data(), end, number);
  if (error != std::errc() || stop != end || number < 0 || number >= model.class_count()) return {};
  return number;
}

SamplingRecipe recipe_for(const Model& model, const Wish& wish) {
  SamplingRecipe recipe = default_recipe(model);
  if (wish.sampler) recipe = with_sampler(scheduler_recipe(model), find_sampler(*wish.sampler), model);
  if (wish.spacing) recipe = with_spacing(recipe, parse_spacing(*wish.spacing));
  if (wish.steps) recipe.steps = *wish.steps;
  for (const auto& [name, value] : wish.sampler_options) set_option(recipe.sampler, name, value);
  if (wish.guidance) recipe.guidance.scale = *wish.guidance;
  return recipe;
}

// What the library says, with the field that it is about if that is known.
auto asked_for(std::string_view field, const auto& make) {
  try {
    return make();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    throw ApiError(400, error.what(), error.fields().empty() ? std::string(field) : error.fields().front());
  }
}

std::string more_options(const Wish& wish) {
  std::string text = wish.spacing ? " --spacing " + *wish.spacing : "";
  for (const auto& [name, value] : wish.sampler_options) {
    std::string option = name;
    std::ranges::replace(option, '_', '-');
    text += fmt::format(" --{} {}", option, value);
  }
  return text;
}

// Of image `index`.
std::string command_of(const ServedModel& served, const JobRequest& request, int index) {
  const GenerateOptions& o = request.options.sampling;
  const SamplingRecipe& recipe = *o.recipe;
  const Model& model = served.model();
  const bool edits = !request.pictures.empty();
  std::string command = "diffusion ";
  if (request.to_seed)
    command += fmt::format("interpolate {} {} {} --frames {} --first {}", quoted_word(served.name()), o.seed,
                           *request.to_seed, o.count, o.first);
  else
    command +=
        fmt::format("{} {}{} --seed {} --first {}", edits ? "edit" : "sample", quoted_word(served.name()),
                    edits ? " picture.png" : " -n 1", o.seed, o.first + index);
  if (model.class_count() > 0)
    command += fmt::format(
        " --label {}",
        o.without_class ? "none" : std::to_string(o.label.value_or((o.first + index) % model.class_count())));
  if (!o.prompts.empty()) command += " --prompt " + quoted_word(o.prompts.front());
  if (!o.negative_prompt.empty()) command += " --negative " + quoted_word(o.negative_prompt);
  command += fmt::format(" --sampler {} --steps {}", name_of(recipe.sampler), recipe.steps);
  if (recipe.guidance.scale != 1 || model.tokenizer)
    command += fmt::format(" --guidance {}", recipe.guidance.scale);
  command += request.more_options;
  if (edits) command += fmt::format(" --strength {}", request.options.strength);
  if (edits && !request.options.mask.pixels.empty()) command += " --mask mask.png";
  return command;
}

}  // namespace

std::string quoted_word(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

void apply_class(const Model& model, const std::string& label, const std::string& field,
                 GenerateOptions& options) {
  if (model.class_count() == 0)
    throw ApiError(400, fmt::format("{} is \"{}\", but this model knows no classes", field, label), field);
  options.label = class_of(model, label);
  options.without_class = !options.label && model.null_class && in_lower_case(label) == "none";
  if (!options.label && !options.without_class)
    throw ApiError(400, fmt::format("{} is \"{}\"; accepted are {}", field, label, accepted_classes(model)),
                   field);
}

std::optional<std::string> class_in_prompt(const Model& model, const std::string& prompt) {
  const std::string text = in_lower_case(prompt);
  const auto is_letter = [&](std::size_t at) {
    return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at]));
  };
  std::optional<std::string> longest;
  for (const std::string& class_name : model.class_names) {
    const std::string name = in_lower_case(class_name);
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1))
      if ((at == 0 || !is_letter(at - 1)) && !is_letter(at + name.size()) &&
          (!longest || name.size() > longest->size()))
        longest = class_name;
  }
  return longest;
}

void apply_prompt(const Model& model, const std::string& prompt, Wish& wish) {
  if (model.tokenizer) {
    wish.prompt = prompt;
    return;
  }
  if (prompt.empty()) return;
  if (model.class_count() == 0)
    throw ApiError(400,
                   fmt::format("prompt is \"{}\"; this model takes neither words nor classes, so accepted "
                               "is an empty prompt",
                               prompt),
                   "prompt");
  const bool names_one = class_of(model, prompt) || (model.null_class && in_lower_case(prompt) == "none");
  wish.label = names_one ? prompt : class_in_prompt(model, prompt);
  if (!wish.label)
    throw ApiError(400,
                   fmt::format("prompt is \"{}\", which names no class of this model; accepted are {}",
                               prompt, accepted_classes(model)),
                   "prompt");
}

JobRequest to_job(const ServedModel& served, const Wish& wish) {
  const Model& model = served.model();
  JobRequest request;
  request.model = served.name();
  request.previews = wish.previews;
  GenerateOptions& options = request.options.sampling;
  options.count = wish.count;
  options.first = wish.first;
  options.seed = wish.seed;
  if (wish.label)
    apply_class(model, *wish.label, "label", options);
  else if ((wish.picture || wish.to_seed) && model.null_class)
    options.without_class = true;  // as `diffusion edit` and `diffusion interpolate`
  else if (wish.to_seed && model.class_count() > 0)
    options.label = 0;  // frames are of one class
  if (!wish.prompt.empty()) options.prompts = {wish.prompt};
  options.negative_prompt = wish.negative;
  options.recipe = asked_for("sampler", [&] { return recipe_for(model, wish); });
  request.more_options = more_options(wish);
  request.to_seed = wish.to_seed;
  if (!wish.picture) return request;
  asked_for("image", [&] {
    request.pictures.push_back(fit_upload(*wish.picture, served.size()));
    if (wish.mask) request.options.mask = mask_of_upload(*wish.mask, served.size());
    request.options.strength = wish.strength.value_or(wish.mask ? 1 : request.options.strength);
    return 0;
  });
  return request;
}

std::vector<std::string> commands_of(const ServedModel& model, const JobRequest& request,
                                     const std::string& precision) {
  const std::string how = precision == "auto" ? "" : " --precision " + precision;
  std::vector<std::string> commands;
  for (int k = 0; k < request.options.sampling.count; ++k)
    commands.push_back(command_of(model, request, k) + how + " -o pictures");
  return commands;
}

}  // namespace diffusion::serve
