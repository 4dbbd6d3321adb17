#pragma once

// How well samples of sound are understood, as pictures and as what is heard of them.

#include <cstdint>

#include <diffusion/dataset.h>
#include <diffusion/evaluate.h>
#include "eval/feature_network.h"
#include "sound/mel_form.h"

namespace diffusion {

// The share of clips that the feature network takes for their class, with the 5% and 95% quantiles of
// resamples.
struct SoundReport {
  Score real;           // real test clips: the first ceiling
  Score real_heard;     // the same after mel picture and Griffin-Lim: the second
  Score samples;        // of the model, as it draws them
  Score samples_heard;  // after Griffin-Lim: what a person hears
};

// The mel pictures of the sounds that sound_of() makes of mel pictures; labels stay.
Dataset heard(const Dataset& mels, const MelForm& form, std::uint64_t seed);

// Error(usage) unless the network is a classifier, and both sets have labels.
SoundReport evaluate_sound(EvalNetwork& net, const Dataset& real_test, const Dataset& samples,
                           const MelForm& form, std::uint64_t seed, const EvaluationWatch& watch = {});

}  // namespace diffusion
