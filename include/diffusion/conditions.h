#pragma once

// What a network is told of each sample besides its noisy numbers and its noise level.

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace diffusion {

struct Model;  // models.h

// By the condition's name (ModelFacts::conditions) its numbers, [N, size]: those of sample 0, of sample 1,
// ... Of the condition "known", of models of series, [N, size, H, W]: known values, then 1 where they are
// known and 0 elsewhere, then what else the model is told.
using Conditions = std::map<std::string, std::vector<float>, std::less<>>;

// The condition "class": a row of the model's class table for each sample; its null class means
// unconditional. Models without classes take no labels, and then this is empty. Error(usage) for labels that
// the model does not have, and for networks that are not told the class by a table.
Conditions class_labels(const Model& model, std::span<const int> labels);

// The condition "tokens": a text for each sample, as the model's tokenizer has it; an empty text is what
// guidance is away from. Texts that are too long are cut (tokens_beyond()). Models without words take no
// prompts, and then this is empty. Error(usage) for prompts that the model cannot take, and for text that is
// not UTF-8, with the place.
Conditions prompt_tokens(const Model& model, std::span<const std::string> prompts);

// How many tokens of a prompt have no place in the model's input.
int tokens_beyond(const Model& model, const std::string& prompt);

}  // namespace diffusion
