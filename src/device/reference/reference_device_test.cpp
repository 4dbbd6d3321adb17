// Values from definitions, worked out by hand: the truth that op_gradient_test and op_device_test build on.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <diffusion/error.h>
#include "base/rng.h"
#include "device/device.h"
#include "device/reference/activation.h"

namespace diffusion {
namespace {

using Numbers = std::vector<double>;

struct Given {
  Shape shape;
  Numbers values;
};

Tensor view(const Shape& shape, Numbers& values) {
  return {{shape, {DType::f64, 1}}, values.data()};
}

// Runs an op once, forward.
Numbers run(const Op& op, std::vector<Given> in, Mode mode = Mode::inference,
            const RunContext& context = {}) {
  std::vector<Shape> shapes;
  std::vector<Tensor> tensors;
  std::vector<TensorDesc> descs;
  for (Given& g : in) {
    shapes.push_back(g.shape);
    tensors.push_back(view(g.shape, g.values));
    descs.push_back(tensors.back().desc);
  }
  const Shape out_shape = infer(op, shapes);
  Numbers out(std::size_t(out_shape.elements()), std::numeric_limits<double>::quiet_NaN());
  const Tensor out_tensor = view(out_shape, out);
  const auto kernel = make_reference_device()->compile({op, descs, out_tensor.desc, mode, {}});
  kernel->forward({tensors, out_tensor, nullptr, nullptr, &context});
  return out;
}

void expect_near(const Numbers& actual, const Numbers& expected, double tolerance = 1e-12) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], tolerance) << i;
}

TEST(ReferenceActivation, HasTheKnownValues) {
  EXPECT_NEAR(activate(Activation::silu, 1), 0.7310585786300049, 1e-15);
  EXPECT_NEAR(activate(Activation::gelu, 1), 0.8413447460685429, 1e-15);  // the tanh form gives 0.84119
  EXPECT_NEAR(activate(Activation::gelu_tanh, 1), 0.841191990607477, 1e-12);
  EXPECT_NEAR(activate(Activation::mish, 1), 0.8650983882673103, 1e-15);
  EXPECT_EQ(activate(Activation::relu, -1), 0);
  EXPECT_EQ(activate(Activation::relu, 2), 2);
  EXPECT_EQ(activate(Activation::none, -3), -3);
  EXPECT_EQ(activate_derivative(Activation::relu, 0), 0);
  EXPECT_NEAR(activate(Activation::gelu, -10), -7.61985302416e-23, 1e-33);  // the tail is not cut off
}

TEST(ReferenceActivation, IsFiniteFarOut) {
  for (Activation act :
       {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::mish, Activation::relu}) {
    EXPECT_NEAR(activate(act, 2000), 2000, 1e-9) << to_string(act);
    EXPECT_NEAR(activate_derivative(act, 2000), 1, 1e-12) << to_string(act);
    EXPECT_NEAR(activate(act, -2000), 0, 1e-12) << to_string(act);
    EXPECT_NEAR(activate_derivative(act, -2000), 0, 1e-12) << to_string(act);
  }
}

TEST(ReferenceConv2d, IsCrossCorrelation) {
  const Given x{{1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}, weight{{1, 1, 2, 2}, {1, 2, 3, 4}};
  expect_near(run(Conv2d{}, {x, weight, {{1, 1, 1, 1}, {100}}}), {137, 147, 167, 177});
}

TEST(ReferenceConv2d, PadsEachSideAsAsked) {
  const Given x{{1, 1, 2, 2}, {1, 2, 3, 4}}, weight{{1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  expect_near(run(Conv2d{2, 0, 0, 1, 1}, {x, weight}), {37});
  expect_near(run(Conv2d{1, 1, 0, 1, 2}, {x, weight}), {67, 36, 37, 18});
}

TEST(ReferenceConv2d, SumsInputChannelsPerOutputChannel) {
  const Given x{{2, 2, 1, 1}, {1, 2, 3, 4}}, weight{{3, 2, 1, 1}, {1, 10, 0, 1, 2, 0}};
  expect_near(run(Conv2d{}, {x, weight}), {21, 2, 2, 43, 4, 6});
}

TEST(ReferenceLinear, MultipliesByTheTransposedWeight) {
  const Given x{{2, 2, 1, 1}, {1, 2, 3, 4}}, weight{{3, 2, 1, 1}, {1, 10, 0, 1, 2, 0}};
  expect_near(run(Linear{}, {x, weight, {{1, 3, 1, 1}, {0.5, 0, -1}}}), {21.5, 2, 1, 43.5, 4, 5});
}

const Given kNormInput{{1, 2, 1, 2}, {1, 3, 2, 6}};
const Given kGamma{{1, 2, 1, 1}, {2, 3}}, kBeta{{1, 2, 1, 1}, {10, 20}};

TEST(ReferenceGroupNorm, NormalizesEachGroupByItsBiasedVariance) {
  // Groups {1, 3} (variance 1) and {2, 6} (variance 4); eps 0 and 12 make the roots whole.
  expect_near(run(GroupNorm{.groups = 2, .eps = 0}, {kNormInput, kGamma, kBeta}), {8, 12, 17, 23});
  expect_near(run(GroupNorm{.groups = 2, .eps = 12}, {kNormInput, kGamma, kBeta}),
              {10 - 2 / std::sqrt(13), 10 + 2 / std::sqrt(13), 20 - 1.5, 20 + 1.5});
  // One group: mean 3, variance 3.5.
  const double r = 1 / std::sqrt(3.5);
  expect_near(run(GroupNorm{.groups = 1, .eps = 0}, {kNormInput, kGamma, kBeta}),
              {10 - 4 * r, 10, 20 - 3 * r, 20 + 9 * r});
}

TEST(ReferenceGroupNorm, ShiftsBeforeTheStatistics) {
  // Within one group, a shift of channel 1 by -1 changes the mean to 2.5: values 1, 3, 1, 5.
  const double r = 1 / std::sqrt((2.25 + 0.25 + 2.25 + 6.25) / 4);
  const GroupNorm op{.groups = 1, .eps = 0, .modulation = Modulation::shift_before};
  expect_near(run(op, {kNormInput, kGamma, kBeta, {{1, 2, 1, 1}, {0, -1}}}),
              {10 - 3 * r, 10 + 1 * r, 20 - 4.5 * r, 20 + 7.5 * r});
}

TEST(ReferenceGroupNorm, ScalesAndShiftsAfterThenActivates) {
  const GroupNorm op{
      .groups = 2, .eps = 0, .activation = Activation::relu, .modulation = Modulation::scale_shift_after};
  const Given modulation{{1, 4, 1, 1}, {1, 0, -20, 5}};  // scales 1, 0, then shifts -20, 5
  expect_near(run(op, {kNormInput, kGamma, kBeta, modulation}), {0, 4, 22, 28});
}

TEST(ReferenceAttention, WeighsValuesBySoftmaxOfScaledScores) {
  // Two tokens, head_dim 4, so scores are halved. q = (2 ln 3, 0, ...) for token 0 and 0 for token 1;
  // k = (0, 1) in the first channel. Token 0: weights 1/4, 3/4. Token 1: even.
  Numbers qkv(24, 0.0);
  qkv[0] = 2 * std::log(3.0);
  qkv[8 + 1] = 1;
  for (std::size_t i = 0; i < 8; ++i) qkv[16 + i] = i % 2 == 0 ? 0 : 4;
  expect_near(run(Attention{1}, {{{1, 12, 1, 2}, qkv}}), {3, 2, 3, 2, 3, 2, 3, 2});
}

TEST(ReferenceAttention, KeepsHeadsApart) {
  // head_dim 1, two heads; head 0 attends to token 1 alone, head 1 to both.
  const Numbers qkv{1000, 1000, 0, 0, /*k*/ 0, 1, 7, 7, /*v*/ 1, 2, 10, 30};
  expect_near(run(Attention{2}, {{{1, 6, 1, 2}, qkv}}), {2, 2, 20, 20});
}

TEST(ReferenceElementwise, FollowsItsFormulas) {
  const Given a{{1, 1, 1, 2}, {1, 2}}, b{{1, 1, 1, 2}, {10, 30}};
  expect_near(run(Add{0.5}, {a, b}), {5.5, 16});
  expect_near(run(Affine{2, -1}, {a}), {1, 3});
  expect_near(run(DivideBy{}, {{{2, 1, 1, 2}, {1, 2, 3, 4}}, {{2, 1, 1, 1}, {2, 4}}}), {0.5, 1, 0.75, 1});
}

TEST(ReferenceConcat, PutsChannelsOfEachSampleSideBySide) {
  expect_near(run(Concat{}, {{{2, 1, 1, 2}, {1, 2, 3, 4}}, {{2, 2, 1, 2}, {5, 6, 7, 8, 9, 10, 11, 12}}}),
              {1, 2, 5, 6, 7, 8, 3, 4, 9, 10, 11, 12});
}

TEST(ReferenceResample, RepeatsAndAverages) {
  expect_near(run(Upsample{}, {{{1, 2, 1, 2}, {1, 2, 3, 4}}}),
              {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4});
  // 3 x 5: the last row and column are dropped.
  expect_near(run(AvgPool{}, {{{1, 1, 3, 5}, {1, 2, 3, 4, 99, 5, 6, 7, 8, 99, 99, 99, 99, 99, 99}}}),
              {3.5, 5.5});
}

TEST(ReferenceTimestepEmbedding, HasSineAndCosineInTheAskedOrder) {
  const Given t{{1, 1, 1, 1}, {3}};
  const double slow = 3 * std::pow(10000, -0.5), slowest = 3 * std::pow(10000, -1);
  expect_near(run(TimestepEmbedding{.dim = 4}, {t}),
              {std::cos(3), std::cos(slow), std::sin(3), std::sin(slow)});
  expect_near(run(TimestepEmbedding{.dim = 4, .freq_shift = 1, .flip_sin_to_cos = false}, {t}),
              {std::sin(3), std::sin(slowest), std::cos(3), std::cos(slowest)});
  expect_near(run(TimestepEmbedding{.dim = 3, .max_period = 7}, {t}), {std::cos(3), std::sin(3), 0});
}

TEST(ReferenceFourierEmbedding, TakesTheLogarithm) {
  const Given t{{1, 1, 1, 1}, {std::numbers::e}}, w{{1, 2, 1, 1}, {0.25, 1.0 / 12}};
  const double half_root3 = std::sqrt(3.0) / 2;
  expect_near(run(FourierEmbedding{true}, {t, w}), {0, half_root3, 1, 0.5});
  expect_near(run(FourierEmbedding{false}, {t, w}), {1, 0.5, 0, half_root3});
}

TEST(ReferenceEmbedding, TakesRows) {
  const Given table{{3, 2, 1, 1}, {1, 2, 3, 4, 5, 6}};
  expect_near(run(Embedding{}, {{{2, 1, 1, 1}, {2, 0}}, table}), {5, 6, 1, 2});
}

TEST(ReferenceEmbedding, RefusesWhatIsNoRow) {
  const Given table{{3, 2, 1, 1}, {1, 2, 3, 4, 5, 6}};
  for (double index : {-1.0, 3.0, 0.5, 1e300, std::nan(""), HUGE_VAL}) try {
      run(Embedding{}, {{{2, 1, 1, 1}, {0, index}}, table});
      ADD_FAILURE() << index << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(e.what()).find("sample 1"), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("from 0 to 2"), std::string::npos) << e.what();
    }
}

TEST(ReferenceDropout, DrawsItsMaskByPosition) {
  const Shape shape{2, 3, 2, 2};
  const Dropout op{.probability = 0.25, .layer = 5};
  const Numbers out = run(op, {{shape, Numbers(24, 3)}}, Mode::training, {.seed = 11, .step = 4});
  std::size_t i = 0;
  for (std::uint32_t n = 0; n < 2; ++n)
    for (std::uint32_t position = 0; position < 12; ++position, ++i) {
      const RandomKey key{11, Stream::dropout, 5 << 16 | n, 4};
      EXPECT_EQ(out[i], uniform(key, position) < 0.25 ? 0.0 : 4.0) << i;
    }
  expect_near(run(op, {{shape, Numbers(24, 3)}}, Mode::inference), Numbers(24, 3));
}

// Samples 65,535 and 65,536 of a step: the number of the second does not fit the half that it has in the key.
TEST(ReferenceDropout, CountsSamplesOverAllRunsOfAStep) {
  const Dropout op{.probability = 0.5, .layer = 3};
  const auto masked = [&](int n, std::uint32_t first) {
    const Shape shape{n, 2, 8, 8};
    return run(op, {{shape, Numbers(std::size_t(n) * 128, 1)}}, Mode::training,
               {.seed = 11, .step = 4, .first_sample = first});
  };
  const Numbers together = masked(2, 65535), first = masked(1, 65535), second = masked(1, 65536);
  EXPECT_EQ(Numbers(together.begin(), together.begin() + 128), first);
  EXPECT_EQ(Numbers(together.begin() + 128, together.end()), second);
  EXPECT_NE(first, second);
  EXPECT_NE(second, masked(1, 0));
}

TEST(ReferenceDropout, KeepsTheAskedShareAndDependsOnTheStep) {
  const Shape shape{1, 16, 32, 32};
  const Given ones{shape, Numbers(16384, 1)};
  const Numbers out = run(Dropout{.probability = 0.1}, {ones}, Mode::training, {.seed = 1, .step = 1});
  const auto dropped = double(std::ranges::count(out, 0.0));
  EXPECT_NEAR(dropped / 16384, 0.1, 5 * std::sqrt(0.09 / 16384));  // five standard deviations
  EXPECT_NE(out, run(Dropout{.probability = 0.1}, {ones}, Mode::training, {.seed = 1, .step = 2}));
}

// Backward of one sum, with the three gradient modes, on f32 gradients as parameters have them.
TEST(ReferenceBackward, HonorsGradientModes) {
  for (GradMode mode : {GradMode::skip, GradMode::overwrite, GradMode::accumulate}) {
    const TensorDesc f64{{1, 2, 1, 1}, {DType::f64, 1}}, f32{{1, 2, 1, 1}, {DType::f32, 1}};
    Numbers dout{3, 5}, da(2, 100);
    std::vector<float> db(2, 100);
    // The data of inputs may be gone by the backward of a sum.
    const std::vector<Tensor> in{{f64, nullptr}, {f32, nullptr}}, din{{f64, da.data()}, {f32, db.data()}};
    const std::vector<GradMode> modes{GradMode::overwrite, mode};
    const std::vector<TensorDesc> descs{f64, f32};
    const auto kernel = make_reference_device()->compile({Add{2}, descs, f64, Mode::training, {}});
    const RunContext context;
    kernel->backward({in, {}, {f64, dout.data()}, din, modes, nullptr, nullptr, &context});
    EXPECT_EQ(da, (Numbers{6, 10}));
    const float base = mode == GradMode::accumulate ? 100 : 0;
    const std::vector<float> expected =
        mode == GradMode::skip ? std::vector<float>{100, 100} : std::vector<float>{base + 6, base + 10};
    EXPECT_EQ(db, expected) << int(mode);
  }
}

// Another device may run these kernels on its own formats.
TEST(ReferenceKernel, ReadsAndWritesBlockedTensors) {
  const TensorDesc blocked{{1, 3, 1, 2}, {DType::bf16, 2}};
  std::vector<std::uint16_t> x(8), out(8, 0xffff);
  for (std::size_t i = 0; i < 8; ++i) x[i] = to_bf16(float(i));
  const std::vector<TensorDesc> descs{blocked};
  const std::vector<Tensor> in{{blocked, x.data()}};
  const auto kernel = make_reference_device()->compile({Affine{2, 1}, descs, blocked, Mode::inference, {}});
  const RunContext context;
  kernel->forward({in, {blocked, out.data()}, nullptr, nullptr, &context});
  // Channels 0 and 1 of pixels 0 and 1, then channel 2 with zeros beside it.
  const std::vector<float> expected{1, 3, 5, 7, 9, 0, 13, 0};
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(from_bf16(out[i]), expected[i]) << i;
}

}  // namespace
}  // namespace diffusion
