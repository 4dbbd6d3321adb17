#pragma once

#include <diffusion/dataset.h>
#include <diffusion/image.h>
#include "data/data_options.h"
#include "data/image_folder.h"
#include "data/sample_source.h"
#include "sound/mel_form.h"

namespace diffusion {

// Whether a name ends like that of a WAV file, in any case.
bool is_sound_name(std::string_view name);

inline constexpr WantedFiles kSoundFiles{is_sound_name, "sounds"};

// The mel picture of a WAV file. Errors as decode_wav() and mel_picture().
Image decode_sound(const Sample& sample, const MelForm& mel);

// DIGIT_SPEAKER_INDEX.wav, as the files of spoken-digits are called.
struct SpokenDigit {
  int digit, index;
};
std::optional<SpokenDigit> parse_spoken_digit(std::string_view name);
// Recordings 0 to 4 of a speaker are the test.
bool is_in_split(const SpokenDigit& name, Split split);

// For prepare_images(): WAV files as list_folder() finds them, a class in each sub-folder; or, if they lie
// directly in the folder and all of them are called so, spoken digits, with the digits for labels and those
// of the split alone.
SampleSource sound_folder_source(const std::filesystem::path& folder, FolderListing listing, Split split,
                                 const MelForm& mel);

// What a cache of pictures of sounds is made from: the files, by a hash, and the form.
std::uint64_t signature_of(std::uint64_t files, const MelForm& mel);

// Error(usage) naming the field for sizes and the like, which the mel form decides.
void refuse_forms(const DataOptions& options, const std::string& data);

}  // namespace diffusion
