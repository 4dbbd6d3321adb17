#pragma once

#include <span>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include "sound/mel_form.h"
#include "sound/wav.h"

namespace diffusion {

// Triangles that rise and fall between neighboring mel frequencies (Slaney's scale: linear to 1 kHz, then
// logarithmic), 0 to half of the rate, each of area one: [y_res, n_fft / 2 + 1], as librosa.filters.mel.
std::vector<double> mel_filters(const MelForm& form);

// What a picture shows of a sound: at the rate of the form; of a longer one the loudest part, a shorter one
// with silence behind it. clip_samples() samples.
std::vector<double> clip_of(const Sound& sound, const MelForm& form);

// The picture of a clip: decibels below its loudest place, 255 at the loudest and 0 at top_db and more below
// it. Gray, x_res wide, y_res high, row 0 the lowest band. Error(bad_input) naming `source` if it is silent.
Image mel_picture(std::span<const double> clip, const MelForm& form, const std::string& source);
Image mel_picture(const Sound& sound, const MelForm& form, const std::string& source);

// The same for people: low sounds below.
Image upright(const Image& mel);

}  // namespace diffusion
