#include "data/sound_source.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>

#include <diffusion/error.h>
#include "data/registry.h"
#include "sound/mel_picture.h"
#include "support/fixtures.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using namespace fixtures;

void write_tone(const fs::path& path, double hz, double loudness = 0.5) {
  fs::create_directories(path.parent_path());
  Sound sound{{}, 8000};
  for (int i = 0; i < 2000; ++i)
    sound.samples.push_back(float(loudness * std::sin(2 * 3.14159 * hz * i / 8000)));
  const std::vector<std::byte> bytes = encode_wav(sound);
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
}

class SoundSource : public ::testing::Test {
 protected:
  fs::path operator/(const std::string& name) const { return folder_.path() / name; }
  LoadedData load(const fs::path& path, Split split = Split::train, DataOptions options = {}) const {
    options.split = split;
    options.allow_download = false;
    return load_data(path.string(), options);
  }

  TemporaryFolder folder_, cache_;
  ScopedEnvironment environment_{"DIFFUSION_CACHE_DIR", cache_.path().string()};
};

TEST_F(SoundSource, NamesOfSpokenDigits) {
  const auto found = parse_spoken_digit("7_theo_31.wav");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->digit, 7);
  EXPECT_EQ(found->index, 31);
  for (const char* name : {"7_theo.wav", "seven_theo_1.wav", "7_theo_x.wav", "7_theo_1.png", "a/7_theo_1.wav",
                           "77_theo_1.wav", "7_1.wav", "_theo_1.wav"})
    EXPECT_FALSE(parse_spoken_digit(name)) << name;
  EXPECT_TRUE(is_in_split({7, 4}, Split::test));
  EXPECT_TRUE(is_in_split({7, 5}, Split::train));
  EXPECT_FALSE(is_in_split({7, 5}, Split::test));
}

TEST_F(SoundSource, AFolderOfClasses) {
  for (const char* name : {"sounds/high/a.wav", "sounds/high/b.WAV"}) write_tone(*this / name, 2000);
  write_tone(*this / "sounds/low/c.wav", 300);
  const LoadedData data = load(*this / "sounds");
  EXPECT_EQ(data.kind, "sounds");
  EXPECT_EQ(data.mel, MelForm{});
  EXPECT_EQ(data.dataset.class_names, (std::vector<std::string>{"high", "low"}));
  EXPECT_EQ(data.dataset.labels, (std::vector<std::uint16_t>{0, 0, 1}));
  EXPECT_EQ(data.dataset.height, 64);
  EXPECT_EQ(data.dataset.channels, 1);
  const auto pixels = data.dataset.image(2);
  const std::vector<std::byte> bytes = [&] {
    std::ifstream file(*this / "sounds/low/c.wav", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto raw = std::as_bytes(std::span(text));
    return std::vector<std::byte>(raw.begin(), raw.end());
  }();
  EXPECT_EQ(std::vector<std::uint8_t>(pixels.begin(), pixels.end()),
            mel_picture(decode_wav(bytes, "c"), {}, "c").pixels);
}

TEST_F(SoundSource, TheFormDecidesTheSizeAndTheCache) {
  write_tone(*this / "s/a.wav", 500);
  EXPECT_EQ(load(*this / "s").dataset.image(0).size(), 64u * 64);
  DataOptions options;
  options.prepare.mel.y_res = 32;
  EXPECT_EQ(load(*this / "s", Split::train, options).dataset.image(0).size(), 32u * 64);
  options.prepare.form.size = {28, 28};
  EXPECT_THROW(load(*this / "s", Split::train, options), Error);
}

TEST_F(SoundSource, DigitsInNamesAreLabelsAndSplit) {
  for (const char* name : {"r/0_a_0.wav", "r/0_a_5.wav", "r/3_b_4.wav", "r/3_b_17.wav", "r/3_b_6.wav"})
    write_tone(*this / name, 700);
  const LoadedData train = load(*this / "r"), test = load(*this / "r", Split::test);
  EXPECT_EQ(train.dataset.labels, (std::vector<std::uint16_t>{0, 3, 3}));
  EXPECT_EQ(test.dataset.labels, (std::vector<std::uint16_t>{0, 3}));
  EXPECT_EQ(test.facts.names, (std::vector<std::string>{"0_a_0.wav", "3_b_4.wav"}));
  EXPECT_EQ(train.dataset.class_names.size(), 10u);
  // The same as the named set, from a folder of one's own.
  const LoadedData named = load("spoken-digits", Split::test, {.data_dir = *this / "r"});
  EXPECT_EQ(named.dataset.fingerprint(), test.dataset.fingerprint());
}

TEST_F(SoundSource, SilenceAndDamageAreBrokenFiles) {
  for (int k = 0; k < 3; ++k) write_tone(*this / ("s/" + std::to_string(k) + ".wav"), 500);
  write_tone(*this / "s/quiet.wav", 500, 0);
  const LoadedData data = load(*this / "s");
  EXPECT_EQ(data.dataset.count(), 3);
  ASSERT_EQ(data.facts.broken.size(), 1u);
  EXPECT_NE(data.facts.broken[0].reason.find("silence"), std::string::npos);
  std::ofstream(*this / "s/cut.wav") << "RIFF";
  EXPECT_THROW(load(*this / "s"), Error);
}

TEST_F(SoundSource, SoundIsFoundBesidePicturesWhereItIsAskedFor) {
  write_tone(*this / "s/a.wav", 500);
  std::ofstream(*this / "s/a.png") << "none";
  EXPECT_THROW(load(*this / "s"), Error);  // a broken picture
  EXPECT_EQ(load(*this / "s", Split::train, {.sound_only = true}).kind, "sounds");
  EXPECT_THROW(load("shapes", Split::train, {.sound_only = true}), Error);
  const std::string message =
      scratch::error_of(ErrorKind::usage, [&] { load("nowhere", Split::train, {.sound_only = true}); });
  EXPECT_NE(message.find("spoken-digits"), std::string::npos) << message;
}

TEST_F(SoundSource, AnArchiveOfOtherRecordingsIsRefused) {
  const Bytes bytes = tar({{"recordings/0_a_0.wav", text("x")}});
  write_file(*this / "free-spoken-digit-dataset.tar", bytes);
  const std::string message = scratch::error_of(
      ErrorKind::bad_input, [&] { load("spoken-digits", Split::train, {.data_dir = *this / ""}); });
  EXPECT_NE(message.find("has 1 recordings, which are not the 3,000"), std::string::npos) << message;
  const ScopedEnvironment nowhere("DIFFUSION_DATA_DIR", std::nullopt);
  EXPECT_NE(scratch::error_of(ErrorKind::bad_input, [&] { load("spoken-digits"); }).find("recordings/"),
            std::string::npos);
}

// The real set, where it is on this machine.
TEST(SpokenDigits, HasItsOfficialSplit) {
  const TemporaryFolder cache;
  const ScopedEnvironment environment("DIFFUSION_CACHE_DIR", cache.path().string());
  const auto load = [](Split split) {
    DataOptions options;
    options.split = split;
    options.allow_download = false;
    return load_data("spoken-digits", options).dataset;
  };
  Dataset test;
  try {
    test = load(Split::test);
  } catch (const Error& error) {
    if (std::string(error.what()).find("There is no spoken-digits") == std::string::npos) throw;
    GTEST_SKIP() << "no spoken digits here";
  }
  ASSERT_EQ(test.count(), 300);
  std::vector<int> counts(10);
  for (const std::uint16_t label : test.labels) ++counts[label];
  EXPECT_EQ(counts, std::vector<int>(10, 30));
  EXPECT_EQ(load(Split::train).count(), 2700);
}

}  // namespace
}  // namespace diffusion
