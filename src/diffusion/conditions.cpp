#include <diffusion/conditions.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include <diffusion/error.h>
#include "diffusion/check_conditions.h"
#include "diffusion/model.h"

namespace diffusion {

namespace {

std::string list(const auto& names) {
  std::string text;
  for (const std::string_view name : names) text += fmt::format("{}\"{}\"", text.empty() ? "" : ", ", name);
  return text.empty() ? "none" : text;
}

std::string list_given(const Conditions& given) {
  std::vector<std::string_view> names;
  for (const auto& [name, numbers] : given) names.emplace_back(name);
  return list(names);
}

std::string list_taken(std::span<const ConditionTraits> taken) {
  std::vector<std::string_view> names;
  for (const ConditionTraits& condition : taken) names.push_back(condition.name);
  return list(names);
}

std::size_t size_of(const ConditionTraits& condition, std::size_t pixels) {
  return std::size_t(condition.size) * (condition.kind == ConditionTraits::Kind::map ? pixels : 1);
}

void check_numbers(const ConditionTraits& condition, std::span<const float> numbers, std::size_t samples,
                   std::size_t pixels) {
  const std::size_t size = size_of(condition, pixels);
  if (numbers.size() != samples * size)
    throw Error(ErrorKind::usage,
                fmt::format("the condition \"{}\" has {} numbers for {} samples; accepted are {} a sample",
                            condition.name, numbers.size(), samples, size));
  if (condition.kind != ConditionTraits::Kind::row) return;
  for (std::size_t k = 0; k < numbers.size(); ++k)
    if (!(numbers[k] >= 0 && numbers[k] < float(condition.rows) && numbers[k] == std::floor(numbers[k])))
      throw Error(
          ErrorKind::usage,
          fmt::format("the condition \"{}\" of sample {} is {}; accepted are whole numbers from 0 to {}",
                      condition.name, k / std::size_t(condition.size), numbers[k], condition.rows - 1));
}

}  // namespace

Conditions class_labels(const Model& model, std::span<const int> labels) {
  const NetworkTraits traits = model.traits();
  const ConditionTraits* classes = traits.condition(kClassCondition);
  if (classes && classes->kind != ConditionTraits::Kind::row)
    throw Error(ErrorKind::usage,
                "labels are for class tables (num_class_embeds), not for other class_embed_types");
  if (!classes && !labels.empty())
    throw Error(ErrorKind::usage, "this model knows no classes, so it takes no labels");
  if (!classes) return {};
  for (const int label : labels)
    if (label < 0 || label >= classes->rows)
      throw Error(ErrorKind::usage, fmt::format("label {} is not a class of this model; accepted are 0 to {}",
                                                label, model.class_count() - 1));
  Conditions conditions;
  conditions[std::string(kClassCondition)].assign(labels.begin(), labels.end());
  return conditions;
}

namespace {

int text_length(const Model& model) {
  if (!model.tokenizer)
    throw Error(ErrorKind::usage, "this model knows no words, so it takes no prompt", {"prompt"});
  return model.traits().text_length();
}

}  // namespace

Conditions prompt_tokens(const Model& model, std::span<const std::string> prompts) {
  if (!model.tokenizer && prompts.empty()) return {};
  const int length = text_length(model);
  std::vector<float> tokens;
  for (const std::string& prompt : prompts) {
    const PaddedTokens padded = model.tokenizer->encode_padded(prompt, length);
    tokens.insert(tokens.end(), padded.ids.begin(), padded.ids.end());
  }
  Conditions conditions;
  conditions.emplace(kTokensCondition, std::move(tokens));
  return conditions;
}

int tokens_beyond(const Model& model, const std::string& prompt) {
  return model.tokenizer->encode_padded(prompt, text_length(model)).cut;
}

void check_conditions(std::span<const ConditionTraits> taken, const Conditions& given, std::size_t samples,
                      std::size_t pixels) {
  for (const ConditionTraits& condition : taken) {
    const auto found = given.find(condition.name);
    if (found == given.end())
      throw Error(ErrorKind::usage,
                  fmt::format("the network needs the condition \"{}\", {} numbers a sample; given are: {}",
                              condition.name, size_of(condition, pixels), list_given(given)));
    check_numbers(condition, found->second, samples, pixels);
  }
  for (const auto& [name, numbers] : given)
    if (std::ranges::find(taken, name, &ConditionTraits::name) == taken.end())
      throw Error(ErrorKind::usage, fmt::format("the network takes no condition \"{}\"; accepted are: {}",
                                                name, list_taken(taken)));
}

}  // namespace diffusion
