#pragma once

// The options of `diffusion sample` that say in words which picture.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include <diffusion/generate.h>

namespace diffusion {

struct PromptOptions {
  std::vector<std::string> prompts;
  std::string file, negative;
};

// Adds --prompt, --prompts and --negative.
void add_prompt_options(CLI::App& app, PromptOptions& options);

// Fills in the prompts; with some, there is a picture for each if --count was not given. Says on stderr what
// the model cannot see: words that its captions never contained, tokens that have no place, no words at all.
// Error(usage) for a model without words, and for text that is not UTF-8; Error(bad_input) for a file without
// prompts, Error(io) for one that cannot be read.
void apply_prompt_options(const CLI::App& app, const PromptOptions& options, const Model& model,
                          GenerateOptions& generate);

}  // namespace diffusion
