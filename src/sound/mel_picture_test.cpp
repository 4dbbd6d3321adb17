#include "sound/mel_picture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numbers>

#include "formats/json.h"
#include "sound/griffin_lim.h"
#include "sound/resample.h"
#include "sound/stft.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

// The form and the signal of tests/golden/make_mel_goldens.py.
const MelForm kSmall{.x_res = 16, .y_res = 12, .n_fft = 64, .hop_length = 16};

std::vector<double> golden_signal() {
  std::vector<double> signal;
  for (int i = 0; i < kSmall.clip_samples(); ++i)
    signal.push_back(0.5 * std::sin(0.002 * i * i) * std::exp(-0.01 * i) + 1e-3 * std::cos(2.5 * i));
  return signal;
}

Json golden() {
  std::ifstream file(DIFFUSION_SOURCE_DIR "/tests/golden/mel.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return parse_json(text, "mel.json");
}

std::vector<double> numbers(const Json& json, const char* key) {
  std::vector<double> all;
  for (const Json& row : to_array(member(json, key, "mel.json"), key))
    for (const Json& value : to_array(row, key)) all.push_back(to_double(value, key));
  return all;
}

TEST(MelPicture, FiltersAndTransformAreThoseOfLibrosa) {
  const Json json = golden();
  const std::vector<double> filters = numbers(json, "filters"), ours = mel_filters(kSmall);
  ASSERT_EQ(ours.size(), filters.size());
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], filters[i], 1e-10) << i;
  const std::vector<double> real = numbers(json, "stft_real"), imaginary = numbers(json, "stft_imag");
  ShortTimeFourier fourier(kSmall.n_fft, kSmall.hop_length);
  std::vector<std::complex<double>> spectrum(real.size());
  fourier.forward(golden_signal(), spectrum);
  for (std::size_t i = 0; i < spectrum.size(); ++i) {
    EXPECT_NEAR(spectrum[i].real(), real[i], 1e-7) << i;
    EXPECT_NEAR(spectrum[i].imag(), imaginary[i], 1e-7) << i;
  }
}

TEST(MelPicture, IsThatOfDiffusersAndLibrosa) {
  const std::vector<double> expected = numbers(golden(), "picture");
  const Image picture = mel_picture(golden_signal(), kSmall, "signal");
  ASSERT_EQ(picture.pixels.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(picture.pixels[i], int(expected[i])) << i;
}

TEST(MelPicture, SilenceHasNone) {
  const std::string message = scratch::error_of(ErrorKind::bad_input, [] {
    mel_picture(Sound{std::vector<float>(8192, 0), 8000}, {}, "quiet.wav");
  });
  EXPECT_NE(message.find("quiet.wav: this is silence"), std::string::npos) << message;
}

TEST(MelPicture, OfALongSoundItShowsTheLoudestPart) {
  Sound sound{std::vector<float>(30000, 1e-3F), 8000};
  for (std::size_t i = 20000; i < 22000; ++i) sound.samples[i] = 0.5F;
  const std::vector<double> clip = clip_of(sound, {});
  EXPECT_EQ(clip.size(), 8191u);
  EXPECT_EQ(std::ranges::count(clip, 0.5), 2000);
  sound.samples.resize(100);
  EXPECT_EQ(std::ranges::count(clip_of(sound, {}), 0.0), 8191 - 100);
}

TEST(MelPicture, UprightTurnsRows) {
  const Image mel{2, 3, 1, {1, 2, 3, 4, 5, 6}};
  EXPECT_EQ(upright(mel).pixels, (std::vector<std::uint8_t>{5, 6, 3, 4, 1, 2}));
}

TEST(RealFourier, IsTheSumThatItSays) {
  RealFourier fourier(16);
  std::vector<double> in(16), back(16);
  for (std::size_t i = 0; i < 16; ++i) in[i] = std::sin(1.7 * double(i * i));
  std::vector<std::complex<double>> out(9);
  fourier.forward(in, out);
  for (std::size_t k = 0; k < 9; ++k) {
    std::complex<double> sum = 0;
    for (std::size_t i = 0; i < 16; ++i)
      sum += in[i] * std::polar(1.0, -2 * std::numbers::pi * double(k * i) / 16);
    EXPECT_NEAR(std::abs(out[k] - sum), 0, 1e-12) << k;
  }
  fourier.inverse(out, back);
  for (std::size_t i = 0; i < 16; ++i) EXPECT_NEAR(back[i], in[i], 1e-12) << i;
}

TEST(ShortTimeFourier, LeadsBack) {
  ShortTimeFourier fourier(64, 16);
  std::vector<double> signal = golden_signal(), back;
  signal.resize(15 * 16);
  back.resize(signal.size());
  std::vector<std::complex<double>> spectrum(std::size_t(fourier.frames_of(signal.size()) * fourier.bins()));
  fourier.forward(signal, spectrum);
  fourier.inverse(spectrum, back);
  for (std::size_t i = 0; i < back.size(); ++i) EXPECT_NEAR(back[i], signal[i], 1e-12) << i;
}

// The error of a tone of 440 Hz in the middle of a second at another rate.
double tone_error(int from, int to) {
  const auto tone = [](int rate) {
    std::vector<float> samples;
    for (int i = 0; i < rate; ++i)
      samples.push_back(float(std::sin(2 * std::numbers::pi * 440 * i / double(rate))));
    return samples;
  };
  const std::vector<float> ours = resampled(tone(from), from, to), exact = tone(to);
  EXPECT_EQ(ours.size(), exact.size());
  double worst = 0;
  for (std::size_t i = exact.size() / 4; i < exact.size() * 3 / 4; ++i)
    worst = std::max(worst, std::abs(double(ours[i]) - exact[i]));
  return worst;
}

TEST(Resampled, KeepsTones) {
  EXPECT_EQ(tone_error(8000, 8000), 0);
  for (const auto& [from, to] : {std::pair{44100, 8000}, {8000, 44100}, {16000, 8000}, {11025, 8000}})
    EXPECT_LT(tone_error(from, to), 1e-3) << from << " to " << to;
}

TEST(Resampled, DampsWhatTheNewRateCannotHave) {
  std::vector<float> high;
  for (int i = 0; i < 16000; ++i) high.push_back(float(std::sin(2 * std::numbers::pi * 6000 * i / 16000.0)));
  const std::vector<float> low = resampled(high, 16000, 8000);
  EXPECT_LT(peak_of(std::span(low).subspan(1000, 6000)), 1e-3F);
}

// A voice, more or less: harmonics that move, for half a second.
Sound voice() {
  Sound sound{{}, 8000};
  for (int i = 0; i < 4000; ++i) {
    const double t = i / 8000.0, pitch = 120 + 40 * t;
    double sum = 0;
    for (int k = 1; k < 20; ++k)
      sum += std::sin(2 * std::numbers::pi * pitch * k * t) * std::exp(-std::pow((k * pitch - 700) / 500, 2));
    sound.samples.push_back(float(0.1 * sum * std::sin(std::numbers::pi * i / 4000.0)));
  }
  return sound;
}

TEST(GriffinLim, LeadsBackToThePicture) {
  const MelForm form;
  const Image mel = mel_picture(voice(), form, "voice");
  const Sound sound = sound_of(mel, form, 3, 5);
  EXPECT_EQ(sound.samples.size(), 63u * 128);
  EXPECT_NEAR(peak_of(sound.samples), 0.9F, 1e-6F);
  const Image again = mel_picture(sound, form, "again");
  double difference = 0;
  for (std::size_t i = 0; i < mel.pixels.size(); ++i)
    difference += std::abs(int(mel.pixels[i]) - int(again.pixels[i])) * 80 / 255.0;
  EXPECT_LT(difference / double(mel.pixels.size()), 2.5);  // decibels
}

TEST(GriffinLim, IsAFunctionOfSeedAndIndex) {
  const MelForm form{.x_res = 16, .y_res = 12, .n_fft = 64, .hop_length = 16, .n_iter = 3};
  const Image mel = mel_picture(golden_signal(), form, "signal");
  EXPECT_EQ(sound_of(mel, form, 1, 2).samples, sound_of(mel, form, 1, 2).samples);
  EXPECT_NE(sound_of(mel, form, 1, 2).samples, sound_of(mel, form, 1, 3).samples);
  EXPECT_NE(sound_of(mel, form, 1, 2).samples, sound_of(mel, form, 2, 2).samples);
  EXPECT_THROW(sound_of(mel, {}, 1, 2), Error);
}

TEST(MelForm, SurvivesItsFile) {
  const MelForm form{.x_res = 32,
                     .y_res = 16,
                     .sample_rate = 11025,
                     .n_fft = 256,
                     .hop_length = 64,
                     .top_db = 60,
                     .n_iter = 7};
  EXPECT_EQ(parse_mel_form(to_json(form), "x"), form);
  EXPECT_EQ(parse_mel_form(Json::Object{}, "x"), (MelForm{256, 256, 22050, 2048, 512, 80, 32}));
  const auto refused = [](Json::Object object) {
    return scratch::error_of(ErrorKind::bad_input, [&] { parse_mel_form(object, "mel.json"); });
  };
  EXPECT_NE(refused({{"n_fft", 500}}).find("n_fft is 500"), std::string::npos);
  EXPECT_NE(refused({{"n_fft", 64}, {"hop_length", 64}}).find("hop_length is 64"), std::string::npos);
  EXPECT_NE(refused({{"sample_rate", 0}}).find("sample_rate is 0"), std::string::npos);
}

}  // namespace
}  // namespace diffusion
