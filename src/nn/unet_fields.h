#pragma once

// Fields that the configurations of diffusers' U-Nets share.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json_fields.h"
#include "graph/activation.h"

namespace diffusion {

constexpr int kMostInConfig = 1'000'000;  // of any whole number

// "silu" or "swish", "mish", "gelu", "relu".
Activation activation_field(const JsonFields& f, std::string_view field, Activation otherwise);
std::string_view activation_name(Activation activation);

// Which blocks are the one with attention and not the plain one.
std::vector<bool> block_types(const JsonFields& f, std::string_view field, std::string_view plain,
                              std::string_view attention, std::vector<bool> otherwise);
Json::Array block_names(const std::vector<bool>& attention, const char* plain, const char* with_attention);

// One number for both sides, or [height, width]; absent or null: not given, {0, 0}.
std::array<int, 2> sample_size_field(const JsonFields& f);
Json sample_size_to_json(const std::array<int, 2>& size);

// "default" or "scale_shift".
bool time_scale_shift_field(const JsonFields& f, bool otherwise);

// Throws Error(usage).
[[noreturn]] void impossible_field(std::string_view field, const std::string& why);

}  // namespace diffusion
