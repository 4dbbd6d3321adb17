#pragma once

#include <diffusion/dataset.h>
#include <functional>
#include <string>

#include "formats/json.h"

namespace diffusion {

// How an image of the data set is called.
using ImageName = std::function<std::string(int image)>;

// What there is to know about the captions of a data set (data/caption_report.h), with a few of them, as
// lines on stdout.
void print_captions(const Dataset& dataset, const ImageName& name_of);

// The same, with all words and all images that have no caption.
Json captions_to_json(const Dataset& dataset, const ImageName& name_of);

}  // namespace diffusion
