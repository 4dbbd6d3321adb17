#pragma once

// Examples that are numbers, not pixels.

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"

namespace diffusion {

// Where the parts of an example go.
struct ExampleParts {
  std::span<float> x;  // [C, H, W]
  // [K, H, W]: what the network is told of the example. The first C channels are values of x, the next C are
  // 1 where these are known and 0 elsewhere; any others belong to the data. Empty if K is 0.
  std::span<float> known = {};
  std::span<float> counted = {};  // [C, H, W]: 1 where the loss counts, else 0. Empty if K is 0.
};

// What a Dataset has in place of pixels. Examples are a function of number and `draw`, the same whoever asks,
// on whatever thread.
class NumberExamples {
 public:
  virtual ~NumberExamples() = default;

  virtual int count() const = 0;
  // K; 0: the network is told nothing, and the loss counts everywhere.
  virtual int known_channels() const = 0;
  // Example i, 0 <= i < count(); the parts have the sizes of the Dataset. `draw` decides what of it is random
  // (its stream is Stream::hidden): most examples have nothing that is.
  virtual void write(int i, const RandomKey& draw, const ExampleParts& parts) const = 0;
  // Of all that decides what write() says.
  virtual std::uint64_t fingerprint() const = 0;
};

// Numbers as they are, [N, C, H, W], of which nothing is known.
class NumberArray final : public NumberExamples {
 public:
  // `example_size` is C * H * W. Error(internal) unless the values are whole examples.
  NumberArray(std::vector<float> values, int example_size);

  int count() const override;
  int known_channels() const override { return 0; }
  void write(int i, const RandomKey& draw, const ExampleParts& parts) const override;
  std::uint64_t fingerprint() const override;

 private:
  std::vector<float> values_;
  std::size_t example_size_;
};

}  // namespace diffusion
