#pragma once

// What a client wants drawn, whichever interface it speaks, and the job that this comes to.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include "serve/api.h"
#include "serve/job.h"
#include "serve/served_model.h"

namespace diffusion::serve {

struct WishLimits {
  int images = 64, steps = 1000;
  std::int64_t upload_pixels = std::int64_t(4) << 20;
};

// What is none is as the model has it, as in `diffusion sample` and `diffusion edit`.
struct Wish {
  std::optional<std::string> label;  // a class by name or number, or "none"
  std::string prompt, negative;      // words
  int count = 1, first = 0;
  std::uint64_t seed = 0;
  std::optional<std::string> sampler, spacing;
  std::optional<int> steps;
  std::optional<double> guidance;
  std::map<std::string, double> sampler_options;  // by the names of set_option()
  std::optional<std::uint64_t> to_seed;           // frames on the way from `seed` to this one
  int previews = 0;
  std::optional<Image> picture, mask;  // as they were sent
  std::optional<double> strength;
};

// A class of the model by name, whatever its case, or number; "none" where it knows that. ApiError 400 that
// lists what is accepted.
void apply_class(const Model& model, const std::string& label, const std::string& field,
                 GenerateOptions& options);

// The class that is named in a prompt, as a whole or between other words ("a coat, high quality"), the one
// with the longest name if there are several; none: no class is.
std::optional<std::string> class_in_prompt(const Model& model, const std::string& prompt);

// Takes a prompt as each kind of model can: words, or a class. A model that has neither takes an empty one.
// ApiError 400 naming `prompt`.
void apply_prompt(const Model& model, const std::string& prompt, Wish& wish);

// ApiError 400 naming the field that the model cannot take.
JobRequest to_job(const ServedModel& model, const Wish& wish);

// As shells read it as one word: 'ankle boot'.
std::string quoted_word(const std::string& word);

// The commands that make the same pictures again, one for each. `precision` is the engine's, as the option
// has it.
std::vector<std::string> commands_of(const ServedModel& model, const JobRequest& request,
                                     const std::string& precision);

}  // namespace diffusion::serve
