#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands/eval_sets.h"

namespace diffusion {

// The options of `diffusion eval` about words: --captions and what goes with it, --held-out-list and
// --per-caption.
void add_word_options(CLI::App& app, WordsRequest& words);

// `diffusion eval --captions`: draws what captions say and reports how well.
int eval_words(const CLI::App& app, const EvalOptions& o);

}  // namespace diffusion
