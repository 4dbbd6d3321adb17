#include "sound/griffin_lim.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <numbers>
#include <vector>

#include <diffusion/error.h>
#include "base/rng.h"
#include "sound/mel_picture.h"
#include "sound/stft.h"

namespace diffusion {

namespace {

using Complex = std::complex<double>;

constexpr double kMomentum = 0.99, kTiny = 1e-16;
constexpr int kPowerSteps = 60;
constexpr float kPeak = 0.9F;

// What of the filters is not zero: bins [begin, end) of each band.
struct Band {
  std::size_t begin, end;
};

std::vector<Band> bands_of(const std::vector<double>& filters, std::size_t bands, std::size_t bins) {
  std::vector<Band> result;
  for (std::size_t m = 0; m < bands; ++m) {
    Band band{bins, 0};
    for (std::size_t k = 0; k < bins; ++k)
      if (filters[m * bins + k] > 0) band = {std::min(band.begin, k), k + 1};
    result.push_back(band);
  }
  return result;
}

// Powers x [bins] >= 0 of one frame with F x = mel. Bins of no band stay 0.
class PowerFinder {
 public:
  PowerFinder(const MelForm& form, std::size_t bins)
      : bins_(bins),
        filters_(mel_filters(form)),
        bands_(bands_of(filters_, std::size_t(form.y_res), bins)),
        sums_(bins, 0.0),
        ratio_(bands_.size()) {
    for (std::size_t m = 0; m < bands_.size(); ++m)
      for (std::size_t k = bands_[m].begin; k < bands_[m].end; ++k) sums_[k] += filters_[m * bins + k];
  }

  void find(std::span<const double> mel, std::span<double> power) {
    std::ranges::fill(power, 1.0);
    for (int step = 0; step < kPowerSteps; ++step) {
      for (std::size_t m = 0; m < bands_.size(); ++m) {
        double sum = kTiny;
        for (std::size_t k = bands_[m].begin; k < bands_[m].end; ++k)
          sum += filters_[m * bins_ + k] * power[k];
        ratio_[m] = mel[m] / sum;
      }
      std::vector<double>& pull = pull_;
      pull.assign(bins_, 0.0);
      for (std::size_t m = 0; m < bands_.size(); ++m)
        for (std::size_t k = bands_[m].begin; k < bands_[m].end; ++k)
          pull[k] += filters_[m * bins_ + k] * ratio_[m];
      for (std::size_t k = 0; k < bins_; ++k) power[k] = sums_[k] > 0 ? power[k] * pull[k] / sums_[k] : 0;
    }
  }

 private:
  std::size_t bins_;
  std::vector<double> filters_;
  std::vector<Band> bands_;
  std::vector<double> sums_, ratio_, pull_;
};

// |X| of all frames, [frames, bins].
std::vector<double> magnitudes_of(const Image& mel, const MelForm& form, std::size_t bins) {
  PowerFinder finder(form, bins);
  const auto frames = std::size_t(form.x_res), bands = std::size_t(form.y_res);
  std::vector<double> column(bands), magnitudes(frames * bins);
  for (std::size_t t = 0; t < frames; ++t) {
    for (std::size_t m = 0; m < bands; ++m)
      column[m] = std::pow(10.0, (mel.pixels[m * frames + t] / 255.0 - 1) * form.top_db / 10.0);
    const std::span<double> frame = std::span(magnitudes).subspan(t * bins, bins);
    finder.find(column, frame);
    for (double& x : frame) x = std::sqrt(x);
  }
  return magnitudes;
}

std::vector<Complex> random_phases(std::size_t count, const RandomKey& key) {
  std::vector<Complex> phases(count);
  for (std::size_t i = 0; i < count; ++i)
    phases[i] = std::polar(1.0, 2 * std::numbers::pi * uniform(key, std::uint32_t(i)));
  return phases;
}

}  // namespace

Sound sound_of(const Image& mel, const MelForm& form, std::uint64_t seed, std::uint32_t index) {
  if (mel.width != form.x_res || mel.height != form.y_res || mel.channels != 1)
    throw Error(ErrorKind::usage,
                fmt::format("a picture of {} x {} with {} channels is no sound of this form, which has {} x "
                            "{} and one",
                            mel.width, mel.height, mel.channels, form.x_res, form.y_res));
  ShortTimeFourier fourier(form.n_fft, form.hop_length);
  const auto bins = std::size_t(fourier.bins());
  const std::vector<double> magnitudes = magnitudes_of(mel, form, bins);
  std::vector<Complex> phases = random_phases(magnitudes.size(), {seed, Stream::transform, index, 0});
  std::vector<Complex> spectrum(magnitudes.size()), rebuilt(magnitudes.size()), before(magnitudes.size());
  std::vector<double> signal(std::size_t(form.x_res - 1) * std::size_t(form.hop_length));
  const auto to_signal = [&] {
    for (std::size_t i = 0; i < spectrum.size(); ++i) spectrum[i] = magnitudes[i] * phases[i];
    fourier.inverse(spectrum, signal);
  };
  for (int step = 0; step < form.n_iter; ++step) {
    to_signal();
    fourier.forward(signal, rebuilt);
    for (std::size_t i = 0; i < phases.size(); ++i) {
      const Complex next = rebuilt[i] - kMomentum / (1 + kMomentum) * before[i];
      phases[i] = next / (std::sqrt(std::norm(next)) + kTiny);
    }
    std::swap(before, rebuilt);
  }
  to_signal();
  Sound sound{{signal.begin(), signal.end()}, form.sample_rate};
  if (const float peak = peak_of(sound.samples); peak > 0)
    for (float& x : sound.samples) x *= kPeak / peak;
  return sound;
}

}  // namespace diffusion
