#include "sound/mel_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>

#include <diffusion/error.h>
#include "sound/resample.h"
#include "sound/stft.h"

namespace diffusion {

namespace {

constexpr double kHzOfMel = 200.0 / 3, kLinearTo = 1000, kLinearMels = kLinearTo / kHzOfMel;
const double kLogStep = std::log(6.4) / 27;  // of a mel above 1 kHz
constexpr double kLeastPower = 1e-10;

double to_mel(double hz) {
  return hz < kLinearTo ? hz / kHzOfMel : kLinearMels + std::log(hz / kLinearTo) / kLogStep;
}

double to_hz(double mel) {
  return mel < kLinearMels ? mel * kHzOfMel : kLinearTo * std::exp(kLogStep * (mel - kLinearMels));
}

// Where the `count` samples with the most energy begin.
std::size_t loudest_part(std::span<const float> samples, std::size_t count) {
  double energy = 0;
  const auto square = [&](std::size_t i) { return double(samples[i]) * samples[i]; };
  for (std::size_t i = 0; i < count; ++i) energy += square(i);
  double most = energy;
  std::size_t best = 0;
  for (std::size_t begin = 1; begin + count <= samples.size(); ++begin) {
    energy += square(begin + count - 1) - square(begin - 1);
    if (energy > most) {
      most = energy;
      best = begin;
    }
  }
  return best;
}

}  // namespace

std::vector<double> mel_filters(const MelForm& form) {
  const int bins = form.n_fft / 2 + 1;
  const double highest = to_mel(form.sample_rate / 2.0);
  const auto frequency = [&](int i) { return to_hz(highest * i / (form.y_res + 1)); };
  std::vector<double> filters(std::size_t(form.y_res) * std::size_t(bins));
  for (int m = 0; m < form.y_res; ++m) {
    const double low = frequency(m), middle = frequency(m + 1), high = frequency(m + 2);
    for (int k = 0; k < bins; ++k) {
      const double hz = double(form.sample_rate) * k / form.n_fft;
      const double height = std::min((hz - low) / (middle - low), (high - hz) / (high - middle));
      filters[std::size_t(m) * std::size_t(bins) + std::size_t(k)] = std::max(0.0, height) * 2 / (high - low);
    }
  }
  return filters;
}

std::vector<double> clip_of(const Sound& sound, const MelForm& form) {
  const std::vector<float> samples = resampled(sound.samples, sound.sample_rate, form.sample_rate);
  const auto count = std::size_t(form.clip_samples());
  const std::size_t begin = samples.size() > count ? loudest_part(samples, count) : 0;
  std::vector<double> clip(count, 0.0);
  std::copy_n(samples.begin() + std::ptrdiff_t(begin), std::min(count, samples.size()), clip.begin());
  return clip;
}

Image mel_picture(std::span<const double> clip, const MelForm& form, const std::string& source) {
  ShortTimeFourier fourier(form.n_fft, form.hop_length);
  const auto bins = std::size_t(fourier.bins()), frames = std::size_t(form.x_res);
  std::vector<std::complex<double>> spectrum(frames * bins);
  fourier.forward(clip, spectrum);
  const std::vector<double> filters = mel_filters(form);
  std::vector<double> power(std::size_t(form.y_res) * frames);
  for (std::size_t m = 0; m < std::size_t(form.y_res); ++m)
    for (std::size_t k = 0; k < bins; ++k)
      if (const double weight = filters[m * bins + k]; weight > 0)
        for (std::size_t t = 0; t < frames; ++t)
          power[m * frames + t] += weight * std::norm(spectrum[t * bins + k]);
  const double loudest = *std::ranges::max_element(power);
  if (!(loudest > kLeastPower))
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: this is silence, of which there is no picture", source));
  Image picture{form.x_res, form.y_res, 1, std::vector<std::uint8_t>(power.size())};
  for (std::size_t i = 0; i < power.size(); ++i) {
    const double below = 10 * std::log10(std::max(power[i], kLeastPower) / loudest);
    picture.pixels[i] = std::uint8_t(std::clamp((below + form.top_db) * 255 / form.top_db, 0.0, 255.0) + 0.5);
  }
  return picture;
}

Image mel_picture(const Sound& sound, const MelForm& form, const std::string& source) {
  return mel_picture(clip_of(sound, form), form, source);
}

Image upright(const Image& mel) {
  Image turned = mel;
  const std::size_t row = std::size_t(mel.width) * std::size_t(mel.channels);
  for (std::size_t y = 0; y < std::size_t(mel.height); ++y)
    std::copy_n(mel.pixels.begin() + std::ptrdiff_t(y * row), row,
                turned.pixels.end() - std::ptrdiff_t((y + 1) * row));
  return turned;
}

}  // namespace diffusion
