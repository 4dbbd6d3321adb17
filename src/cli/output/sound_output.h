#pragma once

// Sound that commands write: WAV files, pictures of them, and a page to listen.

#include <cstdint>
#include <span>
#include <string>

#include <diffusion/image.h>
#include "cli/output/picture_output.h"
#include "sound/mel_form.h"

namespace diffusion {

// One clip: its mel picture, from which its sound is made.
struct SoundEntry {
  Image mel;
  std::uint32_t index;        // of the random phases, see sound_of()
  std::string name, caption;  // of its files, without extension; below it on the page
};

bool is_wav_output(const std::string& text);
// Error(io) if it is already clear that the file cannot be written.
PictureOutput parse_wav_output(const std::string& text);

// One WAV file, of one entry; or a directory with NAME.wav and NAME.png of each (a spectrogram, low sounds
// below) and index.html. A new directory appears whole; in one that exists files are replaced one by one.
void write_sounds(const PictureOutput& output, std::span<const SoundEntry> entries, const MelForm& form,
                  std::uint64_t seed, const std::string& title);

// A spectrogram for people: low sounds below, pixels as `scale` x `scale`.
Image spectrogram(const Image& mel, int scale);

}  // namespace diffusion
