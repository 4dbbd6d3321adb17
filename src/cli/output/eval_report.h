#pragma once

// What `diffusion eval` found, as text and as JSON.

#include "eval/protocol.h"
#include "formats/json.h"

namespace diffusion {

// `samples`: the path of the samples or of the model, see path_to_json().
Json to_json(const EvalReport& report, const Json& samples);
void print_report(const EvalReport& report);

}  // namespace diffusion
