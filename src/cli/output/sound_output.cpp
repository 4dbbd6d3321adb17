#include "cli/output/sound_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include <diffusion/picture_files.h>
#include "base/workers.h"
#include "files/folders.h"
#include "files/fs.h"
#include "pictures/resize.h"
#include "sound/griffin_lim.h"
#include "sound/mel_picture.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr int kScale = 3;  // pixels of a spectrogram file

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  return html;
}

// A page without anything from elsewhere.
std::string page_of(std::span<const SoundEntry> entries, const std::string& title) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{0}</title>\n"
      "<style>body {{ font-family: sans-serif }} figure {{ display: inline-block; margin: 8px }}\n"
      "img, audio {{ display: block; width: 192px }} img {{ image-rendering: pixelated }}</style>\n"
      "<h1>{0}</h1>\n",
      escaped(title));
  for (const SoundEntry& entry : entries)
    html += fmt::format(
        "<figure><img src=\"{0}.png\" alt=\"spectrogram\"><audio controls src=\"{0}.wav\"></audio>"
        "<figcaption>{1}</figcaption></figure>\n",
        escaped(entry.name), escaped(entry.caption.empty() ? entry.name : entry.caption));
  return html + "</html>\n";
}

// Each is a function of its entry alone, so threads cannot matter.
std::vector<std::vector<std::byte>> wav_files(std::span<const SoundEntry> entries, const MelForm& form,
                                              std::uint64_t seed) {
  std::vector<std::vector<std::byte>> files(entries.size());
  const int cores = std::max(1, int(std::thread::hardware_concurrency()));
  Workers workers(std::min(cores, int(entries.size())), [](int) {});
  workers.run(int(entries.size()), [&](int, int k) {
    const SoundEntry& entry = entries[std::size_t(k)];
    files[std::size_t(k)] = encode_wav(sound_of(entry.mel, form, seed, entry.index));
  });
  return files;
}

}  // namespace

bool is_wav_output(const std::string& text) {
  const std::string end = fs::path(text).extension().string();
  return end == ".wav" || end == ".WAV";
}

PictureOutput parse_wav_output(const std::string& text) {
  check_writable_file(text);
  return {text, PictureForm::sound};
}

Image spectrogram(const Image& mel, int scale) {
  return enlarge(upright(mel), scale);
}

void write_sounds(const PictureOutput& output, std::span<const SoundEntry> entries, const MelForm& form,
                  std::uint64_t seed, const std::string& title) {
  const auto sounds = wav_files(entries, form, seed);
  if (is_wav_output(output.path.string())) return write_file_atomically(output.path, sounds.front());
  const std::unique_ptr<AtomicDirectory> fresh =
      is_folder(output.path) ? nullptr : std::make_unique<AtomicDirectory>(output.path);
  const fs::path folder = fresh ? fresh->path() : output.path;
  const auto write = [&](const std::string& name, std::span<const std::byte> bytes) {
    return fresh ? write_file(folder / name, bytes) : write_file_atomically(folder / name, bytes);
  };
  for (std::size_t k = 0; k < entries.size(); ++k) {
    write(entries[k].name + ".wav", sounds[k]);
    write(entries[k].name + ".png", encode_png(spectrogram(entries[k].mel, kScale)));
  }
  const std::string page = page_of(entries, title);
  write("index.html", std::as_bytes(std::span(page)));
  if (fresh) fresh->commit();
}

}  // namespace diffusion
