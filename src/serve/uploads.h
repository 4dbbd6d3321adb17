#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <diffusion/image.h>
#include "diffusion/generate_request.h"

namespace diffusion::serve {

// A picture that a client sent: PNG or JPEG of at most `most_pixels`, which is looked up before memory is
// taken for them. `field` is for messages. ApiError 400, or 413 for too many pixels.
Image decode_upload(std::span<const std::byte> bytes, std::string_view field, std::int64_t most_pixels);

// The same from base64, with or without "data:image/png;base64," before it.
Image decode_base64_upload(std::string_view text, std::string_view field, std::int64_t most_pixels);

// Brought to a model's form: scaled to cover it, the middle of it.
Image fit_upload(const Image& picture, const PictureSize& size);

// A mask as edit() has it, 255 where the picture is drawn anew: where it is transparent if it is so
// anywhere (OpenAI's form), else where it is light.
Image mask_of_upload(const Image& picture, const PictureSize& size);

}  // namespace diffusion::serve
