#include <diffusion/evaluator.h>

#include <gtest/gtest.h>

#include <vector>

#include <diffusion/device.h>
#include <diffusion/models.h>
#include <diffusion/sampling.h>
#include "diffusion/model.h"
#include "diffusion/network_evaluator.h"

namespace diffusion {
namespace {

constexpr std::size_t kSize = 28 * 28;

// The public evaluator says what the one inside says, of images of the model's size unless told otherwise.
TEST(Evaluator, SaysWhatTheNetworksEvaluatorSays) {
  const auto model = read_model(std::string(DIFFUSION_SOURCE_DIR) + "/models/fashion-mnist");
  const auto device = make_cpu_device(Precision::f32);
  const Conditions labels = class_labels(*model, std::vector<int>{3, 7});
  const std::vector<SampleLevel> levels{{0.5}, {20, 900}};
  std::vector<double> x(2 * kSize), probe(x.size(), 1), d(x.size()), product(x.size()), expected(x.size()),
      expected_product(x.size());
  image_noise(1, 0, kSize)(0, x);

  Evaluator made(model, device, 2, 0, 0, Evaluator::Use::products);
  Evaluator evaluator = std::move(made);
  EXPECT_EQ(evaluator.input_size(), kSize);
  EXPECT_EQ(evaluator.output_size(), kSize);
  NetworkEvaluator inside(*model, *device, 2, 28, 28, NetworkEvaluator::Use::products);
  evaluator.denoise(x, levels, labels, probe, d, product);
  inside.denoise(x, levels, labels, probe, expected, expected_product);
  EXPECT_EQ(d, expected);
  EXPECT_EQ(product, expected_product);

  const std::vector<float> input(x.begin(), x.end()), timesteps{10, 500};
  std::vector<float> output(x.size()), expected_output(x.size());
  evaluator.evaluate(input, timesteps, labels, output);
  inside.evaluate(input, timesteps, labels, expected_output);
  EXPECT_EQ(output, expected_output);

  Evaluator larger(model, device, 1, 32, 36);
  EXPECT_EQ(larger.input_size(), 32u * 36);
}

}  // namespace
}  // namespace diffusion
