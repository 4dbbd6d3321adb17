#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include <diffusion/device.h>
#include "base/rng.h"
#include "device/device.h"
#include "device/host_numbers.h"
#include "nn/layers.h"
#include "train/muon.h"

namespace diffusion {
namespace {

Graph layered() {
  Graph g;
  Value x = g.input("x", {2, 1, 8, 8});
  x = conv3x3(g, "stem", x, 32);
  x = conv3x3(g, "middle", x, 48);
  conv3x3(g, "head", x, 1);
  return g;
}

std::vector<float> random_numbers(std::size_t size, std::uint32_t sample) {
  std::vector<float> values(size);
  fill_normal({1, Stream::init, sample, 0}, values);
  return values;
}

// An optimizer of layered(), with a gradient.
struct Fixture {
  std::shared_ptr<const Device> device;
  ParamStore params{ParamLayout(layered())};
  LearnedParams learned;
  Optimizer optimizer;
  std::vector<float> gradient;

  explicit Fixture(const OptimizerOptions& options, std::shared_ptr<const Device> on = make_cpu_device())
      : device(std::move(on)),
        learned((params.initialize(0), params), *device),
        optimizer(learned, *device, options),
        gradient(random_numbers(params.values().size(), 3)) {
    learned.queue().write(learned.grads(), gradient);
  }
  std::vector<float> numbers(const Tensor& block) const {
    const HostNumbers on_host(learned.queue(), block);
    return {on_host.span().begin(), on_host.span().end()};
  }
};

TEST(Muon, MovesMatricesAndNothingElse) {
  Fixture f({.kind = OptimizerKind::muon});
  const std::vector<float> before = f.numbers(f.learned.values());
  const double rate = 0.01;
  const std::uint64_t version = f.learned.version();
  f.optimizer.update(1, rate, 1, 0.75);
  EXPECT_GT(f.learned.version(), version) << "plans must hear of new weights";
  const std::vector<float> after = f.numbers(f.learned.values()), ema = f.numbers(f.optimizer.ema()),
                           moment2 = f.numbers(f.optimizer.moment2());
  int matrices = 0;
  for (const ParamLayout::Entry& entry : f.params.layout().entries()) {
    const bool expected = entry.name == "middle.weight";
    EXPECT_EQ(is_muon_matrix(entry), expected) << entry.name;
    matrices += expected ? 1 : 0;
    double change = 0, descent = 0;
    for (std::size_t k = entry.offset; k < entry.offset + entry.size; ++k) {
      const double d = double(after[k]) - double(before[k]);
      change += d * d;
      ASSERT_NEAR(ema[k], before[k] + 0.25 * d, 1e-6) << entry.name;
      ASSERT_EQ(moment2[k] == 0, expected) << entry.name << ": AdamW has a second moment, Muon none";
      descent += d * double(f.gradient[k]);
    }
    if (!expected) continue;
    EXPECT_LT(descent, 0);
    // As large as a step of Adam's in its first steps, where every element moves by about 0.2 of the rate.
    const double rms = std::sqrt(change / double(entry.size));
    EXPECT_GT(rms, 0.1 * rate);
    EXPECT_LT(rms, 0.3 * rate);
  }
  EXPECT_EQ(matrices, 1);
}

TEST(Muon, MomentumRemembersAndWeightsDecay) {
  Fixture f({.kind = OptimizerKind::muon, .weight_decay = 0.5});
  const ParamLayout::Entry& entry = *f.params.layout().find("middle.weight");
  f.optimizer.update(1, 0, 0.5, 0);
  f.optimizer.update(2, 0, 0.5, 0);
  const std::vector<float> momentum = f.numbers(f.optimizer.moment1());
  for (std::size_t k = entry.offset; k < entry.offset + entry.size; ++k)
    ASSERT_NEAR(momentum[k], 0.5 * 1.95 * double(f.gradient[k]), 1e-5);
  f.learned.zero_grads();
  f.learned.queue().fill(f.optimizer.moment1().data, f.optimizer.moment1().desc.bytes(), std::byte{0});
  const float before = f.numbers(f.learned.values())[entry.offset];
  f.optimizer.update(3, 0.1, 1, 0);
  EXPECT_NEAR(f.numbers(f.learned.values())[entry.offset], before * 0.95f, 1e-6f);
}

// The loops of the CPU against the reference's, in f64.
TEST(Optimizer, AgreesWithTheReference) {
  for (const OptimizerKind kind : {OptimizerKind::adamw, OptimizerKind::muon}) {
    Fixture fast({.kind = kind, .weight_decay = 0.1}),
        truth({.kind = kind, .weight_decay = 0.1}, make_reference_device());
    EXPECT_NEAR(fast.optimizer.gradient_norm(), truth.optimizer.gradient_norm(), 1e-9);
    for (int step = 1; step <= 3; ++step)
      for (Fixture* f : {&fast, &truth}) f->optimizer.update(step, 0.01, 0.3, 0.9);
    const auto expect_near = [&](const Tensor& a, const Tensor& b, const char* what) {
      const std::vector<float> ours = fast.numbers(a), expected = truth.numbers(b);
      for (std::size_t i = 0; i < ours.size(); ++i)
        ASSERT_NEAR(ours[i], expected[i], 2e-6) << what << " " << i << ", " << to_string(kind);
    };
    expect_near(fast.learned.values(), truth.learned.values(), "value");
    expect_near(fast.optimizer.moment1(), truth.optimizer.moment1(), "moment1");
    expect_near(fast.optimizer.moment2(), truth.optimizer.moment2(), "moment2");
    expect_near(fast.optimizer.ema(), truth.optimizer.ema(), "ema");
  }
}

TEST(Optimizer, LeavesWhatIsNotTrainable) {
  Graph g;
  const Value x = g.input("x", {1, 4, 1, 1});
  const auto param = [&](const char* name, Shape shape, bool trainable) {
    return g.param({{{name, {shape.n, shape.c}}}, {Init::Kind::normal, 1}, trainable}, shape);
  };
  g.add(Linear{}, {x, param("frozen", {4, 4, 1, 1}, false), param("bias", {1, 4, 1, 1}, true)}, "linear");
  ParamStore params{ParamLayout(g)};
  params.initialize(0);
  const std::vector<float> before(params.values().begin(), params.values().end());
  const auto device = make_cpu_device();
  LearnedParams learned(params, *device);
  Optimizer optimizer(learned, *device, {.weight_decay = 0.1});
  learned.queue().write(learned.grads(), random_numbers(before.size(), 4));
  optimizer.update(1, 0.1, 1, 0.5);
  learned.download();
  for (const ParamLayout::Entry& entry : params.layout().entries())
    for (std::size_t i = entry.offset; i < entry.offset + entry.size; ++i)
      EXPECT_EQ(params.values()[i] == before[i], entry.name == "frozen") << entry.name;
}

}  // namespace
}  // namespace diffusion
