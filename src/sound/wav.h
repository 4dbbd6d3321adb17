#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace diffusion {

// One channel, -1 to 1 (more where a file of floats has more).
struct Sound {
  std::vector<float> samples;
  int sample_rate = 0;  // samples a second
};

// A WAV file: PCM of 8, 16, 24 or 32 bits or floats of 32 or 64, plain or WAVE_FORMAT_EXTENSIBLE; the mean of
// its channels. Error(bad_input) naming `source_name`, what was found and what is accepted, for everything
// else: other codecs and other formats of sound by name, lengths beyond the file, no samples at all, samples
// that are not finite. Silence is no error here.
Sound decode_wav(std::span<const std::byte> bytes, const std::string& source_name);

// PCM of 16 bits, samples limited to [-1, 1].
std::vector<std::byte> encode_wav(const Sound& sound);

// The larger of |sample|; 0 of nothing.
float peak_of(std::span<const float> samples);

}  // namespace diffusion
