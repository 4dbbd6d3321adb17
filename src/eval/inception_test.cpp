// Inception-v3 against torch-fidelity's: tests/golden/inception.safetensors, made by
// make_inception_goldens.py. Weights and images come from the formulas that the script documents; the weights
// pass through a file as a user has it.

#include "eval/inception.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "eval/frechet.h"
#include "eval/inception_graph.h"
#include "formats/safetensors.h"
#include "golden_uniform.h"
#include "inception_tensors.h"
#include "support/scratch.h"

namespace diffusion {

InceptionTensors zero_inception_tensors() {
  InceptionTensors tensors{{"fc.weight", {{1008, 2048}}}, {"fc.bias", {{1008}}}};
  const Graph graph = make_inception_graph(1).graph;
  for (const Param& param : graph.params()) {
    const ParamPart& part = param.parts.front();
    if (part.dims.size() != 4) continue;
    const std::string name = part.name.substr(0, part.name.rfind('.'));
    tensors[name + ".conv.weight"] = {part.dims};
    for (const char* of_norm : {".bn.weight", ".bn.bias", ".bn.running_mean", ".bn.running_var"})
      tensors[name + of_norm] = {{part.dims.front()}};
  }
  for (auto& [name, tensor] : tensors) {
    std::int64_t size = 1;
    for (const std::int64_t d : tensor.dims) size *= d;
    tensor.values.resize(std::size_t(size));
  }
  return tensors;
}

std::filesystem::path write_inception_tensors(const InceptionTensors& tensors,
                                              const std::filesystem::path& path) {
  std::vector<TensorToWrite> to_write;
  for (const auto& [name, tensor] : tensors) to_write.push_back({name, tensor.dims, tensor.values});
  write_safetensors(path, to_write);
  return path;
}

namespace {

constexpr std::uint32_t kImage = 5000, kSetImage = 6000;  // numbers of tensors
constexpr int kSet = 6;
constexpr std::array<std::array<int, 3>, 5> kSizes{
    {{28, 28, 1}, {32, 32, 3}, {64, 64, 3}, {299, 299, 3}, {200, 350, 3}}};

// With a gain of about 1.
InceptionTensors golden_tensors() {
  InceptionTensors tensors = zero_inception_tensors();
  std::uint32_t number = 0;
  for (auto& [name, tensor] : tensors) {
    const bool around_one = name.ends_with(".bn.weight") || name.ends_with(".running_var");
    const double inputs = double(tensor.values.size()) / double(tensor.dims.front());
    const double scale = tensor.dims.size() > 1 ? std::sqrt(6 / inputs) : around_one ? 0.25 : 0.125;
    for (std::size_t i = 0; i < tensor.values.size(); ++i)
      tensor.values[i] = float((around_one ? 1 : 0) + golden_uniform(number, i) * scale);
    ++number;
  }
  return tensors;
}

std::vector<std::uint8_t> image(std::uint32_t number, int height, int width, int channels) {
  std::vector<std::uint8_t> pixels(std::size_t(height) * std::size_t(width) * std::size_t(channels));
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = std::uint8_t((golden_uniform(number, i) + 1) * 128);
  return pixels;
}

std::vector<float> golden_tensor(const std::string& name) {
  static const SafetensorsFile file =
      SafetensorsFile::open(DIFFUSION_SOURCE_DIR "/tests/golden/inception.safetensors");
  std::vector<float> values(std::size_t(file.find(name)->elements()));
  read_f32(*file.find(name), values);
  return values;
}

class Inception : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    tensors_ = std::make_unique<InceptionTensors>(golden_tensors());
    net_ = std::make_unique<InceptionNetwork>(
        read_inception(write_inception_tensors(*tensors_, *folder_ / "all.safetensors")));
  }
  static void TearDownTestSuite() {
    net_.reset();
    tensors_.reset();
    folder_.reset();
  }
  static FeatureSet features(const Dataset& data) {
    return inception_features(*net_, data, *make_cpu_device(Precision::f32));
  }

  static inline std::unique_ptr<scratch::Folder> folder_;
  static inline std::unique_ptr<InceptionTensors> tensors_;
  static inline std::unique_ptr<InceptionNetwork> net_;
};

TEST_F(Inception, FeaturesAreThoseOfTorchFidelity) {
  for (std::size_t k = 0; k < kSizes.size(); ++k) {
    const auto [height, width, channels] = kSizes[k];
    const FeatureSet ours = features({"one image",
                                      height,
                                      width,
                                      channels,
                                      image(kImage + std::uint32_t(k), height, width, channels),
                                      {},
                                      {}});
    const std::vector<float> theirs = golden_tensor("features." + std::to_string(k));
    ASSERT_EQ(ours.values.size(), theirs.size());
    double mean = 0, difference = 0;
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      mean += double(theirs[i]) / double(theirs.size());
      difference = std::max(difference, std::abs(double(ours.values[i]) - double(theirs[i])));
    }
    EXPECT_LE(difference, 2e-5 * mean) << k;
    RecordProperty("error_" + std::to_string(k), std::to_string(difference / mean));
  }
}

TEST(InceptionResize, IsThatOfTensorFlow1) {
  for (std::size_t k = 0; k < kSizes.size(); ++k) {
    const auto [height, width, channels] = kSizes[k];
    const auto pixels = image(kImage + std::uint32_t(k), height, width, channels);
    std::vector<float> resized(std::size_t(channels) * 299 * 299);
    resize_as_tensorflow1(pixels, height, width, channels, 299, 299, resized);
    const std::vector<float> theirs = golden_tensor("resized." + std::to_string(k));
    ASSERT_EQ(theirs.size(), std::size_t(channels) * 400);
    for (std::size_t i = 0; i < theirs.size(); ++i)
      EXPECT_NEAR(resized[i / 400 * 299 * 299 + i % 400 / 20 * 15 * 299 + i % 20 * 15], theirs[i], 1e-5)
          << k << " " << i;
  }
}

// Sets of images of bytes, larger the higher k is, and in set 2 of less contrast.
TEST_F(Inception, FrechetDistancesAreThoseOfTorchFidelity) {
  std::vector<FeatureSet> sets;
  for (std::uint32_t which = 0; which < 3; ++which) {
    std::vector<std::uint8_t> pixels;
    for (std::uint32_t k = 0; k < kSet; ++k)
      for (const std::uint8_t byte : image(kSetImage + 100 * which + k, 32, 32, 3))
        pixels.push_back(std::uint8_t(byte * (k + 1) / kSet / (which == 2 ? 2 : 1)));
    sets.push_back(features({"a set", 32, 32, 3, std::move(pixels), {}, {}}));
  }
  const std::vector<float> theirs = golden_tensor("distances");
  EXPECT_NEAR(frechet_distance(sets[0], sets[1]), theirs[0], 0.01);
  EXPECT_NEAR(frechet_distance(sets[0], sets[2]), theirs[1], 0.01);
}

// Nine images are a batch and one more; of gray ones each channel is the same.
TEST_F(Inception, EachImageStandsForItself) {
  const Dataset gray{"gray", 8, 8, 1, image(1, 9 * 8, 8, 1), {}, {}};
  std::vector<double> shares;
  const FeatureSet all = inception_features(*net_, gray, *make_cpu_device(Precision::f32),
                                            [&](double share) { shares.push_back(share); });
  EXPECT_EQ(shares, (std::vector<double>{8.0 / 9, 1}));
  EXPECT_EQ(all.count, 9);
  std::vector<std::uint8_t> last;
  for (const std::uint8_t byte : gray.image(8)) last.insert(last.end(), 3, byte);
  const FeatureSet alone = features({"in color", 8, 8, 3, std::move(last), {}, {}});
  EXPECT_TRUE(std::ranges::equal(alone.values, all.row(8)));
  EXPECT_THROW(features({"none", 8, 8, 1, std::vector<std::uint8_t>{}, {}, {}}), Error);
  EXPECT_THROW(features({"alpha", 8, 8, 4, image(1, 8, 8, 4), {}, {}}), Error);
}

// What is said of a file that differs from the right one in a tensor.
class InceptionRefusal : public Inception {
 protected:
  static std::filesystem::path changed(const InceptionTensors& changes, const std::string& without = "") {
    InceptionTensors tensors = *tensors_;
    for (const auto& [name, tensor] : changes) tensors[name] = tensor;
    tensors.erase(without);
    return write_inception_tensors(tensors, *folder_ / "changed.safetensors");
  }
  static std::string refusal(const InceptionTensors& changes, const std::string& without = "") {
    const auto path = changed(changes, without);
    const std::string message = scratch::error_of(ErrorKind::bad_input, [&] { read_inception(path); });
    EXPECT_NE(message.find(path.string()), std::string::npos) << message;
    return message;
  }
  static void expect(const std::string& message, const std::vector<const char*>& words) {
    for (const char* word : words) EXPECT_NE(message.find(word), std::string::npos) << message;
  }
};

TEST_F(InceptionRefusal, NamesTheTensor) {
  const std::string name = "Mixed_6c.branch7x7_2";
  expect(refusal({}, name + ".conv.weight"),
         {"Mixed_6c.branch7x7_2.conv.weight", "accepted", ".bn.running_var", "[1008, 2048]"});
  expect(refusal({}, "fc.weight"), {"fc.weight", "accepted"});
  expect(refusal({{name + ".conv.weight", {{160, 160, 7, 1}, std::vector<float>(179200)}}}),
         {"Mixed_6c.branch7x7_2.conv.weight", "[160, 160, 7, 1]", "[160, 160, 1, 7]"});
  expect(refusal({{"AuxLogits.fc.bias", {{1008}, std::vector<float>(1008)}}}), {"AuxLogits.fc.bias"});
  InceptionTensor variance = tensors_->at(name + ".bn.running_var");
  variance.values[3] = -1e-4f;
  expect(refusal({{name + ".bn.running_var", variance}}), {"Mixed_6c.branch7x7_2.bn.running_var", "-0.0001"});
  InceptionTensor mean = tensors_->at(name + ".bn.running_mean");
  mean.values[3] = std::nanf("");
  expect(refusal({{name + ".bn.running_mean", mean}}), {"Mixed_6c.branch7x7_2", "finite"});
}

TEST_F(InceptionRefusal, OfTorchvisionsWeights) {
  expect(refusal({{"fc.weight", {{1000, 2048}, std::vector<float>(2048000)}},
                  {"fc.bias", {{1000}, std::vector<float>(1000)}}}),
         {"[1000, 2048]", "torchvision"});
}

TEST_F(InceptionRefusal, NotOfCountersOfBatches) {
  EXPECT_NO_THROW(read_inception(changed({{"Mixed_6c.branch7x7_2.bn.num_batches_tracked", {{}, {0}}}})));
}

TEST(InceptionGraph, HasTheLayersOfThePorts) {
  const Graph graph = make_inception_graph(2).graph;
  EXPECT_EQ(graph.params().size(), 2u * 94);
  EXPECT_EQ(ParamLayout(graph).parameter_count(), 21785568 - 17216);
  const auto shape_of = [&](const std::string& name) {
    for (const Graph::Node& node : graph.nodes())
      if (node.name == name) return node.shape;
    return Shape{};
  };
  EXPECT_EQ(shape_of("Conv2d_1a_3x3"), (Shape{2, 32, 149, 149}));
  EXPECT_EQ(shape_of("pool2"), (Shape{2, 192, 35, 35}));
  EXPECT_EQ(shape_of("Mixed_6a.concat2"), (Shape{2, 768, 17, 17}));
  EXPECT_EQ(shape_of("Mixed_7c.concat5"), (Shape{2, 2048, 8, 8}));
}

}  // namespace
}  // namespace diffusion
