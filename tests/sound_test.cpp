// Models of sound: their files, and the commands that make, hear and judge it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "diffusers/pipeline.h"
#include "eval/sound_evaluation.h"
#include "files/fs.h"
#include "sound/griffin_lim.h"
#include "sound/mel_picture.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

const MelForm kTiny{.x_res = 8, .y_res = 8, .n_fft = 64, .hop_length = 16, .n_iter = 2};

Model model_of_sound() {
  Model model = cli::tiny_model();
  model.mel = kTiny;
  return model;
}

class CliSound : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string tone(const std::string& name, double hz) const {
    fs::create_directories(fs::path(file(name)).parent_path());
    Sound sound{{}, 8000};
    for (int i = 0; i < 3000; ++i)
      sound.samples.push_back(float(0.5 * std::sin(2 * 3.14159 * hz * i / 8000)));
    write_file(file(name), encode_wav(sound));
    return file(name);
  }
  // Two classes, for training and for testing.
  std::string tones() const {
    for (const char* split : {"train", "test"})
      for (int k = 0; k < 6; ++k)
        for (const char* name : {"high", "low"})
          tone("tones/" + std::string(split) + "/" + name + "/" + std::to_string(k) + ".wav",
               (name[0] == 'h' ? 2000 : 300) + 10 * k + (split[1] == 'e' ? 3 : 0));
    return file("tones");
  }
  Sound read(const std::string& name) const { return decode_wav(read_file(file(name), 1 << 20), name); }
  std::string model() const {
    cli::write_model(file("model"), model_of_sound());
    return file("model");
  }

  scratch::Folder folder_;
};

TEST_F(CliSound, TheFormTravelsWithTheModel) {
  const std::string directory = model();
  EXPECT_EQ(read_pipeline(directory).mel, kTiny);
  const std::string text = read_text_file(directory + "/mel/mel_config.json", 1 << 20);
  EXPECT_NE(text.find("\"_class_name\": \"Mel\""), std::string::npos) << text;
  const cli::Outcome info = cli::run({"info", directory});
  EXPECT_NE(info.out.find("8 mel bands by 8 frames"), std::string::npos) << info.out;
  Json changed = to_json(kTiny);
  std::get<Json::Object>(changed.value())["x_res"] = 16;
  write_file(directory + "/mel/mel_config.json", dump_json(changed));
  cli::expect_error(3, {"info", directory}, {"mel_config.json", "8 x 16"});
}

TEST_F(CliSound, SamplesAreHeard) {
  const std::string directory = model();
  const cli::Arguments sample{"sample", directory, "--steps", "2", "--quiet", "--seed", "4"};
  const auto with = [&](const cli::Arguments& more) {
    cli::Arguments all = sample;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  ASSERT_EQ(cli::run(with({"-n", "5", "-o", file("five/")})).code, 0);
  const std::string page = read_text_file(file("five/index.html"), 1 << 20);
  EXPECT_NE(page.find("000004.wav"), std::string::npos);
  EXPECT_NE(page.find("gamma ray"), std::string::npos);
  EXPECT_EQ(std::ranges::distance(fs::directory_iterator(file("five"))), 11);
  EXPECT_EQ(read("five/000000.wav").samples.size(), 7u * 16);
  EXPECT_EQ(read_image(file("five/000000.png")).width, 24);
  // Clip 3 is the same alone, and what its picture says.
  ASSERT_EQ(cli::run(with({"--first", "3", "-o", file("one.wav")})).code, 0);
  EXPECT_EQ(read_file(file("one.wav"), 1 << 20), read_file(file("five/000003.wav"), 1 << 20));
  ASSERT_EQ(cli::run(with({"--first", "3", "-n", "1", "-o", file("one.npy")})).code, 0);
  const std::vector<std::byte> array = read_file(file("one.npy"), 1 << 20);
  Image mel{8, 8, 1, std::vector<std::uint8_t>(64)};
  std::transform(array.end() - 64, array.end(), mel.pixels.begin(),
                 [](std::byte b) { return std::uint8_t(b); });
  EXPECT_EQ(read_file(file("one.wav"), 1 << 20), encode_wav(sound_of(mel, kTiny, 4, 3)));
  cli::expect_error(2, with({"-n", "2", "-o", file("two.wav")}), {"--count is 2", "one .wav file"});
  cli::write_model(file("pictures"), cli::tiny_model());
  cli::expect_error(2, {"sample", file("pictures"), "-o", file("x.wav")}, {"makes pictures, and no sound"});
}

TEST_F(CliSound, NoiseIsHeard) {
  const std::string wav = tone("tone.wav", 800);
  ASSERT_EQ(cli::run({"noise", "--audio", wav, "--at", "0,199", "-o", file("noise"), "--quiet"}).code, 0);
  EXPECT_EQ(read("noise/t000199.wav").samples.size(), 63u * 128);
  EXPECT_NE(read_text_file(file("noise/index.html"), 1 << 20).find("t = 199"), std::string::npos);
  ASSERT_EQ(cli::run({"noise", "--audio", wav, "-o", file("row.png"), "--quiet"}).code, 0);
  EXPECT_GT(read_image(file("row.png")).width, 5 * 192);
  cli::expect_error(2, {"noise", "-o", file("x.png")}, {"IMAGE", "--audio"});
  cli::expect_error(2, {"noise", "--audio", wav, "--size", "64", "-o", file("x.png")},
                    {"--size is for an IMAGE"});
  write_file(file("bad.wav"), std::string_view("RIFF"));
  cli::expect_error(3, {"noise", "--audio", file("bad.wav"), "-o", file("x.png")}, {"bad.wav", "cut off"});
  write_file(file("quiet.wav"), encode_wav({std::vector<float>(4000, 0), 8000}));
  cli::expect_error(3, {"noise", "--audio", file("quiet.wav"), "-o", file("x.png")}, {"silence"});
}

TEST_F(CliSound, TrainResumeAndJudge) {
  const std::string data = tones();
  const cli::Arguments train{
      "train", "--audio",   data,      "--preset",     "tiny", "--steps",         "4", "--batch", "4",
      "--out", file("run"), "--quiet", "--save-every", "2",    "--preview-every", "4"};
  ASSERT_EQ(cli::run(train).code, 0);
  const std::string weights = file("run/latest/unet/diffusion_pytorch_model.safetensors");
  const std::vector<std::byte> whole = read_file(weights, 1 << 24);
  EXPECT_EQ(read_pipeline(file("run/latest")).mel, MelForm{});
  fs::remove_all(file("run/checkpoints/step-000000004"));
  ASSERT_EQ(cli::run(train).code, 0);
  EXPECT_TRUE(read_file(weights, 1 << 24) == whole);

  const cli::Outcome report = cli::run({"data", data});
  EXPECT_NE(report.out.find("64 mel bands by 64 frames"), std::string::npos) << report.out;
  ASSERT_EQ(
      cli::run({"train-features", "--data", data, "-o", file("judge"), "--epochs", "1", "--quiet"}).code, 0);
  const Json json = cli::json_of(cli::run({"eval", file("run"), "--data", data, "--features", file("judge"),
                                           "-n", "8", "--steps", "2", "--quiet", "--json"}));
  const Json& recognized = member(json, "recognized", "json");
  for (const char* name : {"real_clips", "real_clips_heard", "samples", "samples_heard"}) {
    const double share = to_double(member(member(recognized, name, "json"), "value", "json"), name);
    EXPECT_GE(share, 0);
    EXPECT_LE(share, 1);
  }
  cli::expect_error(2, {"train", "--audio", "shapes", "--out", file("r")}, {"set of images"});
  cli::expect_error(2, {"train", "--audio", "nowhere", "--out", file("r")}, {"spoken-digits"});
  cli::expect_error(2, {"train", "--preset", "sound-64", "--out", file("r")}, {"--audio"});
  cli::expect_error(2, {"train", "--audio", data, "--size", "32", "--out", file("r")}, {"size"});
}

TEST(HeardPictures, AreThoseOfTheirSounds) {
  Sound sound{{}, 8000};
  for (int i = 0; i < 6000; ++i) sound.samples.push_back(float(std::sin(0.3 * i + 1e-5 * i * i)));
  const MelForm form;
  const Image mel = mel_picture(sound, form, "x");
  Dataset set{"one", 64, 64, 1, mel.pixels, {1}, {"a", "b"}};
  const Dataset after = heard(set, form, 2);
  EXPECT_EQ(after.labels, set.labels);
  const auto pixels = after.image(0);
  EXPECT_EQ(std::vector<std::uint8_t>(pixels.begin(), pixels.end()),
            mel_picture(sound_of(mel, form, 2, 0), form, "x").pixels);
}

}  // namespace
}  // namespace diffusion
