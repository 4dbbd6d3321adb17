#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "data/image_form.h"
#include "sound/mel_form.h"

namespace diffusion {

// Words for an image.
struct SampleCaption {
  std::string text;
  std::string where;  // file and line, for messages
};

// One image that is still encoded: a file to read, or the content of one.
struct Sample {
  std::string name;          // for messages and reports
  std::optional<int> label;  // 0 to 65535
  std::variant<std::filesystem::path, std::vector<std::byte>> content;
  std::vector<SampleCaption> captions = {};  // only from SampleSource::open_captions
};

// Gives one sample after the other, then nothing. Never called by two threads at once.
using SampleReader = std::function<std::optional<Sample>()>;

// A source of images that can be read from the start as often as needed.
struct SampleSource {
  std::string name;                      // of the data set
  std::filesystem::path place;           // absolute; with the form, it names the cache
  std::uint64_t signature = 0;           // changes when the content may have changed
  std::int64_t expected = 0;             // samples; 0: unknown
  std::vector<std::string> class_names;  // empty: numbers up to the largest label
  std::function<SampleReader()> open;
  // Makes an image of a sample, as decode_sample() does of files of images, with its errors; none: that.
  std::function<Image(const Sample& sample)> decode = {};
  // Of archives, whose samples are named by keys and not by files: the same samples, broken or not, with
  // their captions and without content. Captions are those in the given fields of JSON files, or the usual
  // ones.
  std::function<SampleReader(std::vector<std::string> fields)> open_captions = {};
};

struct PrepareOptions {
  FormOptions form = {};
  MelForm mel = {};                             // of the pictures of sound
  int workers = 0;                              // threads that decode; 0: one for each core
  std::optional<std::int64_t> max_broken = {};  // open: 1% of the images, at least 1 and at most 100
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};  // total 0: unknown
  std::function<void(const std::string& message)> talk = {};
};

}  // namespace diffusion
