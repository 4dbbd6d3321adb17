#pragma once

// What `diffusion eval --captions` found, as text and as JSON.

#include "eval/caption_protocol.h"
#include "formats/json.h"

namespace diffusion {

// `samples`: the path of the samples or of the model, see path_to_json().
Json to_json(const CaptionEvaluation& report, const Json& samples);
void print_report(const CaptionEvaluation& report);

}  // namespace diffusion
