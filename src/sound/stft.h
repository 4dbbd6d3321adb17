#pragma once

#include <complex>
#include <span>
#include <vector>

namespace diffusion {

// The Fourier transform of real numbers, radix 2. (Own code: FFTW is under the GPL, under which a program
// with it comes, too; and of all that such a library does, this is 50 lines.)
class RealFourier {
 public:
  // `size`: a power of two, 4 or more.
  explicit RealFourier(int size);

  int size() const { return 2 * int(half_twiddles_.size()); }
  int bins() const { return size() / 2 + 1; }
  // X_k = sum_n x_n e^(-2 pi i k n / size), k = 0 to size / 2. in: [size], out: [bins].
  void forward(std::span<const double> in, std::span<std::complex<double>> out);
  // The way back, with the factor 1 / size; imaginary parts of the first and the last bin do not count.
  void inverse(std::span<const std::complex<double>> in, std::span<double> out);

 private:
  void transform_half();

  std::vector<std::complex<double>> half_twiddles_;  // e^(-2 pi i k / size), k < size / 2
  std::vector<std::size_t> reversed_;
  std::vector<std::complex<double>> work_;
};

// Short-time Fourier transforms as librosa's defaults have them: a periodic Hann window of the transform's
// size, frame t in the middle of it at sample t hop, zeros beyond the ends.
class ShortTimeFourier {
 public:
  // `size`: a power of two; 1 <= hop <= size / 2.
  ShortTimeFourier(int size, int hop);

  int bins() const { return fourier_.bins(); }
  int hop() const { return hop_; }
  int frames_of(std::size_t samples) const { return 1 + int(samples) / hop_; }

  // [frames, bins].
  void forward(std::span<const double> samples, std::span<std::complex<double>> out);
  // The signal of (frames - 1) hop samples whose transform is nearest (Griffin & Lim 1984): windowed frames
  // are added, and divided by the sum of the squared windows.
  void inverse(std::span<const std::complex<double>> spectrum, std::span<double> out);

 private:
  RealFourier fourier_;
  int hop_;
  std::vector<double> window_, frame_, padded_, weight_;
};

}  // namespace diffusion
