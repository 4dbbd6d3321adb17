#include "data/sound_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <diffusion/error.h>
#include "data/content_hash.h"
#include "data/dataset_table.h"
#include "files/fs.h"
#include "sound/mel_picture.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostSoundBytes = std::uint64_t(1) << 28;

// Digits for labels, if all names say them: and only the files of the split.
bool take_spoken_digits(FolderListing& listing, Split split) {
  const auto is_digit = [](const FolderListing::File& file) {
    return parse_spoken_digit(file.path).has_value();
  };
  if (!listing.class_names.empty() || !std::ranges::all_of(listing.files, is_digit)) return false;
  std::erase_if(listing.files, [&](const FolderListing::File& file) {
    return !is_in_split(*parse_spoken_digit(file.path), split);
  });
  for (FolderListing::File& file : listing.files) file.label = parse_spoken_digit(file.path)->digit;
  listing.class_names = find_sound_set("spoken-digits")->class_names;
  return true;
}

}  // namespace

std::uint64_t signature_of(std::uint64_t signature, const MelForm& mel) {
  ContentHash hash;
  hash.add(signature);
  for (const int number : {mel.x_res, mel.y_res, mel.sample_rate, mel.n_fft, mel.hop_length, mel.top_db})
    hash.add(std::uint64_t(number));
  return hash.value();
}

bool is_sound_name(std::string_view name) {
  constexpr std::string_view kEnding = ".wav";
  if (name.size() <= kEnding.size()) return false;
  const std::string_view end = name.substr(name.size() - kEnding.size());
  return std::ranges::equal(
      end, kEnding, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? char(a - 'A' + 'a') : a) == b; });
}

Image decode_sound(const Sample& sample, const MelForm& mel) {
  if (const auto* path = std::get_if<fs::path>(&sample.content))
    return mel_picture(decode_wav(read_file(*path, kMostSoundBytes), path->string()), mel, path->string());
  return mel_picture(decode_wav(std::get<std::vector<std::byte>>(sample.content), sample.name), mel,
                     sample.name);
}

std::optional<SpokenDigit> parse_spoken_digit(std::string_view name) {
  if (!is_sound_name(name)) return std::nullopt;
  const std::string_view stem = name.substr(0, name.rfind('.'));
  const std::size_t last = stem.rfind('_');
  if (last == std::string_view::npos || last < 3 || stem[1] != '_' || stem[0] < '0' || stem[0] > '9')
    return std::nullopt;
  const std::string_view number = stem.substr(last + 1);
  int index = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), index);
  if (number.empty() || error != std::errc() || end != number.data() + number.size() || index < 0)
    return std::nullopt;
  return SpokenDigit{stem[0] - '0', index};
}

bool is_in_split(const SpokenDigit& name, Split split) {
  constexpr int kTestRecordings = 5;
  return (name.index < kTestRecordings) == (split == Split::test);
}

SampleSource sound_folder_source(const fs::path& folder, FolderListing listing, Split split,
                                 const MelForm& mel) {
  const bool digits = take_spoken_digits(listing, split);
  SampleSource source = image_folder_source(folder, std::move(listing));
  source.signature = signature_of(source.signature, mel);
  source.decode = [mel](const Sample& sample) { return decode_sound(sample, mel); };
  if (digits) source.place /= split == Split::train ? "*.train.wav" : "*.test.wav";  // two caches
  return source;
}

void refuse_forms(const DataOptions& options, const std::string& data) {
  const FormOptions& form = options.prepare.form;
  const auto refuse = [&](bool given, const char* field) {
    if (given)
      throw Error(ErrorKind::usage, fmt::format("{} is sound, whose pictures have a form of their own", data),
                  {field});
  };
  const MelForm& mel = options.prepare.mel;
  refuse(form.size && *form.size != std::array{mel.y_res, mel.x_res}, "size");
  refuse(form.channels && *form.channels != 1, "channels");
  refuse(form.random_crop, "random_crop");
  refuse(options.captions.from != CaptionsFrom::none, "captions");
}

}  // namespace diffusion
