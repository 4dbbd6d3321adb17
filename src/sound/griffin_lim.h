#pragma once

#include <cstdint>

#include <diffusion/image.h>
#include "sound/mel_form.h"
#include "sound/wav.h"

namespace diffusion {

// A sound whose mel picture is about `mel`, [y_res, x_res, 1]: (x_res - 1) hop_length samples, the largest of
// them 0.9. Powers of the Fourier bins whose mel sums are nearest in relative terms (a Kullback-Leibler
// divergence, by the multiplicative steps of Lee and Seung 2001), then n_iter steps of Griffin and Lim for
// their phases, in the form with momentum (Perraudin, Balazs and Soendergaard 2013), which librosa has. The
// first phases are drawn by `seed` and `index`, so clip k is the same alone and among others. Error(usage)
// for a picture of another form.
Sound sound_of(const Image& mel, const MelForm& form, std::uint64_t seed, std::uint32_t index);

}  // namespace diffusion
