#pragma once

#include <string>
#include <string_view>

#include "formats/json.h"

namespace diffusion {

// How a model sees sound: as a picture of x_res frames (columns) of y_res mel bands (rows, the lowest first).
// The fields are those of diffusers' Mel, whose pictures of the same numbers are the same.
struct MelForm {
  int x_res = 64, y_res = 64;
  int sample_rate = 8000;
  int n_fft = 512;       // a power of two
  int hop_length = 128;  // samples between frames
  int top_db = 80;       // black is so many decibels below the loudest place
  int n_iter = 32;       // of Griffin-Lim, on the way back

  bool operator==(const MelForm&) const = default;

  // Samples that a picture shows: one less than x_res hops, which makes x_res frames.
  int clip_samples() const { return x_res * hop_length - 1; }
  double seconds() const { return double(x_res) * hop_length / sample_rate; }
};

// Error(usage) naming the field if a number is out of range.
void validate(const MelForm& form);

// For people: "1.02 s at 8000 Hz as 64 mel bands by 64 frames (n_fft 512, hop 128, 80 dB)".
std::string describe_mel(const MelForm& form);

// mel_config.json, as diffusers writes it.
Json to_json(const MelForm& form);
// Error(bad_input) naming source and field.
MelForm parse_mel_form(const Json& json, std::string_view source);

}  // namespace diffusion
