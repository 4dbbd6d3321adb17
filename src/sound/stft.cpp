#include "sound/stft.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>

namespace diffusion {

using Complex = std::complex<double>;

namespace {

// Without the care for infinities that makes the operator's product many times slower.
Complex times(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

Complex times_i(Complex a) {
  return {-a.imag(), a.real()};
}

}  // namespace

RealFourier::RealFourier(int size)
    : half_twiddles_(std::size_t(size) / 2), reversed_(std::size_t(size) / 2), work_(std::size_t(size) / 2) {
  const std::size_t half = half_twiddles_.size();
  for (std::size_t k = 0; k < half; ++k)
    half_twiddles_[k] = std::polar(1.0, -2 * std::numbers::pi * double(k) / size);
  for (std::size_t i = 1, j = 0; i < half; ++i) {
    std::size_t bit = half >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    reversed_[i] = j;
  }
}

// The complex transform of half the size, in place (Cooley and Tukey).
void RealFourier::transform_half() {
  const std::size_t half = work_.size();
  for (std::size_t i = 0; i < half; ++i)
    if (i < reversed_[i]) std::swap(work_[i], work_[reversed_[i]]);
  for (std::size_t length = 2; length <= half; length *= 2) {
    const std::size_t stride = 2 * half / length;
    for (std::size_t begin = 0; begin < half; begin += length)
      for (std::size_t k = 0; k < length / 2; ++k) {
        Complex& a = work_[begin + k];
        Complex& b = work_[begin + k + length / 2];
        const Complex turned = times(b, half_twiddles_[k * stride]);
        b = a - turned;
        a += turned;
      }
  }
}

// Even samples as real and odd ones as imaginary parts: one transform of half the size, then apart.
void RealFourier::forward(std::span<const double> in, std::span<Complex> out) {
  const std::size_t half = work_.size();
  for (std::size_t i = 0; i < half; ++i) work_[i] = {in[2 * i], in[2 * i + 1]};
  transform_half();
  for (std::size_t k = 0; k <= half; ++k) {
    const Complex z = work_[k % half], mirrored = std::conj(work_[(half - k) % half]);
    const Complex even = 0.5 * (z + mirrored), odd = -0.5 * times_i(z - mirrored);
    out[k] = k == half ? even - odd : even + times(half_twiddles_[k], odd);
  }
}

void RealFourier::inverse(std::span<const Complex> in, std::span<double> out) {
  const std::size_t half = work_.size();
  const auto bin = [&](std::size_t k) { return k == 0 || k == half ? Complex(in[k].real()) : in[k]; };
  for (std::size_t k = 0; k < half; ++k) {
    const Complex a = bin(k), mirrored = std::conj(bin(half - k));
    const Complex even = 0.5 * (a + mirrored),
                  odd = times(0.5 * (a - mirrored), std::conj(half_twiddles_[k]));
    work_[k] = std::conj(even + times_i(odd));  // conjugated, so that the forward leads back
  }
  transform_half();
  for (std::size_t i = 0; i < half; ++i) {
    out[2 * i] = work_[i].real() / double(half);
    out[2 * i + 1] = -work_[i].imag() / double(half);
  }
}

ShortTimeFourier::ShortTimeFourier(int size, int hop)
    : fourier_(size), hop_(hop), window_(std::size_t(size)), frame_(std::size_t(size)) {
  for (std::size_t i = 0; i < window_.size(); ++i)
    window_[i] = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * double(i) / size);
}

void ShortTimeFourier::forward(std::span<const double> samples, std::span<Complex> out) {
  const std::size_t size = window_.size(), bins = std::size_t(fourier_.bins());
  padded_.assign(samples.size() + size, 0.0);
  std::ranges::copy(samples, padded_.begin() + std::ptrdiff_t(size / 2));
  for (std::size_t t = 0; t * bins < out.size(); ++t) {
    for (std::size_t i = 0; i < size; ++i) frame_[i] = padded_[t * std::size_t(hop_) + i] * window_[i];
    fourier_.forward(frame_, out.subspan(t * bins, bins));
  }
}

void ShortTimeFourier::inverse(std::span<const Complex> spectrum, std::span<double> out) {
  const std::size_t size = window_.size(), bins = std::size_t(fourier_.bins());
  const std::size_t frames = spectrum.size() / bins;
  padded_.assign((frames - 1) * std::size_t(hop_) + size, 0.0);
  weight_.assign(padded_.size(), 0.0);
  for (std::size_t t = 0; t < frames; ++t) {
    fourier_.inverse(spectrum.subspan(t * bins, bins), frame_);
    for (std::size_t i = 0; i < size; ++i) {
      padded_[t * std::size_t(hop_) + i] += frame_[i] * window_[i];
      weight_[t * std::size_t(hop_) + i] += window_[i] * window_[i];
    }
  }
  constexpr double kTiny = 1e-38;  // at the very ends, where windows are zero
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double weight = weight_[size / 2 + i];
    out[i] = weight > kTiny ? padded_[size / 2 + i] / weight : padded_[size / 2 + i];
  }
}

}  // namespace diffusion
