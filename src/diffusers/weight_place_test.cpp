// Weights that stay in their files: the same numbers as those of memory, and no copy of them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include "base/rng.h"
#include "device/cpu/cpu_device.h"
#include "diffusers/pipeline.h"
#include "diffusers/weights.h"
#include "diffusion/network_evaluator.h"
#include "diffusion/param_layout.h"
#include "files/folders.h"
#include "files/fs.h"
#include "nn/network_copies.h"
#include "plan/plan.h"
#include "support/guarded_device.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

constexpr int kPlaceSide = 16, kPlaceBatch = 2;

WordsConfig words_network() {
  WordsConfig words;
  words.text_encoder = {.vocab_size = 50,
                        .hidden_size = 32,
                        .intermediate_size = 64,
                        .num_hidden_layers = 2,
                        .num_attention_heads = 2,
                        .max_position_embeddings = 8};
  ConditionalUNetConfig& unet = words.unet;
  unet.sample_size = {kPlaceSide, kPlaceSide};
  unet.in_channels = unet.out_channels = 4;
  unet.block_out_channels = {64, 80, 96};
  unet.down_block_attention = {true, true, false};
  unet.up_block_attention = {false, true, true};
  unet.only_cross_attention = {false, false, false};
  unet.layers_per_block = {1, 1, 1};
  unet.transformer_layers_per_block = {1, 1, 1};
  unet.heads = {2, 2, 2};
  unet.cross_attention_dim = {32, 32, 32};
  unet.norm_num_groups = 8;
  return words;
}

UNetConfig class_network() {
  UNetConfig c;
  c.sample_size = {kPlaceSide, kPlaceSide};
  c.in_channels = c.out_channels = 3;
  c.block_out_channels = {20, 36};
  c.down_block_attention = {false, true};
  c.up_block_attention = {true, false};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  c.attention_head_dim = 9;
  c.num_class_embeds = 5;
  return c;
}

// Depthwise and transposed convolutions.
ConvNextConfig tutorial_network() {
  return {.sample_size = {kPlaceSide, kPlaceSide}, .dim = 12, .dim_mults = {1, 2}};
}

class WeightPlaces : public ::testing::Test {
 protected:
  // A directory with random weights.
  void write(const NetworkConfig& network, SafetensorsDType dtype) {
    network_ = network;
    ParamStore params(layout_of(network));
    params.initialize(3);
    std::vector<TensorToWrite> unet, text;
    for (const ParamLayout::Entry& e : params.layout().entries())
      (e.name.starts_with("text_model.") ? text : unet).push_back({e.name, e.dims, params.values(e), dtype});
    for (const char* part : {"unet", "text_encoder"}) {
      fs::remove_all(folder_ / part);
      make_folder(folder_ / part);
    }
    write_safetensors(folder_ / "unet" / kWeightsFile, unet);
    if (!text.empty()) write_safetensors(folder_ / "text_encoder" / kTextWeightsFile, text);
  }
  ParamStore read(WeightPlace place) const { return read_params(folder_.path(), network_, place); }

  std::vector<float> evaluate(const ParamStore& params, const Device& device) const {
    NetworkEvaluator evaluator(network_, params, device, kPlaceBatch, kPlaceSide, kPlaceSide);
    const Network& net = evaluator.network();
    std::vector<float> sample(std::size_t(net.graph.shape(net.sample).elements()));
    std::vector<float> output(std::size_t(net.graph.shape(net.output).elements()));
    fill_normal({1, Stream::train_noise, 0, 0}, sample);
    Conditions conditions;
    for (const Network::Condition& condition : net.conditions) {
      std::vector<float>& values = conditions[std::string(condition.traits.name)];
      values.resize(std::size_t(net.graph.shape(condition.value).elements()));
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i % 5);
    }
    evaluator.evaluate(sample, std::vector<float>(kPlaceBatch, 300.f), conditions, output);
    return output;
  }

  NetworkConfig network_;
  scratch::Folder folder_;
};

TEST_F(WeightPlaces, InF32ResultsAreTheSameBytes) {
  const auto device = make_cpu_device(Precision::f32);
  for (const NetworkConfig& network :
       {NetworkConfig(words_network()), NetworkConfig(class_network()), NetworkConfig(tutorial_network())})
    for (const auto dtype : {SafetensorsDType::f32, SafetensorsDType::bf16, SafetensorsDType::f16}) {
      SCOPED_TRACE(std::string(traits_of(network).type) + " " + std::to_string(int(dtype)));
      write(network, dtype);
      const ParamStore in_files = read(WeightPlace::files);
      EXPECT_FALSE(in_files.is_flat());
      EXPECT_EQ(evaluate(in_files, *device), evaluate(read(WeightPlace::memory), *device));
    }
}

TEST_F(WeightPlaces, InBf16ResultsAreNear) {
  if (!multiplies_bf16()) GTEST_SKIP() << "this CPU does not multiply bf16";
  const auto device = make_cpu_device(Precision::bf16);
  for (const auto dtype : {SafetensorsDType::f32, SafetensorsDType::bf16, SafetensorsDType::f16}) {
    write(words_network(), dtype);
    const std::vector<float> expected = evaluate(read(WeightPlace::memory), *make_cpu_device(Precision::f32));
    const std::vector<float> found = evaluate(read(WeightPlace::files), *device);
    double error = 0, norm = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      error += std::pow(double(found[i]) - double(expected[i]), 2);
      norm += std::pow(double(expected[i]), 2);
    }
    EXPECT_LT(std::sqrt(error / norm), 0.02);
  }
}

TEST_F(WeightPlaces, OnlyStackedOnesAndVectorsAreCopied) {
  write(words_network(), SafetensorsDType::bf16);
  const ParamStore in_files = read(WeightPlace::files);
  const ParamLayout& layout = in_files.layout();
  std::size_t expected = 0;
  for (int i = 0; i < int(layout.param_count()); ++i) {
    std::size_t size = 0;
    for (const ParamLayout::Entry& part : layout.parts(i)) size += part.size;
    const bool is_vector = layout.parts(i)[0].dims.size() < 2;
    const bool is_stacked = layout.parts(i).size() > 1;
    EXPECT_EQ(in_files.numbers(i).dtype, is_vector ? DType::f32 : DType::bf16);
    if (is_vector || is_stacked) expected += (size * (is_vector ? 4 : 2) + 63) / 64 * 64;
  }
  EXPECT_EQ(in_files.own_bytes(), expected);
  EXPECT_LT(in_files.own_bytes(), read(WeightPlace::memory).own_bytes() / 8);
  EXPECT_TRUE(read(WeightPlace::as_fits).is_flat());
}

TEST_F(WeightPlaces, OtherDevicesAndTrainingPlansHaveAnF32Copy) {
  write(words_network(), SafetensorsDType::f16);
  const ParamStore in_files = read(WeightPlace::files), in_memory = read(WeightPlace::memory);
  const auto cpu = make_cpu_device(Precision::f32);
  const std::vector<float> expected = evaluate(in_memory, *cpu);
  EXPECT_EQ(evaluate(in_files, *make_guarded_device(cpu)), expected);

  const Network net = frozen(make_network(network_, 1, kPlaceSide, kPlaceSide));
  std::vector<float> sample(std::size_t(net.graph.shape(net.sample).elements()));
  fill_normal({1, Stream::train_noise, 0, 0}, sample);
  std::vector<double> gradients[2];
  for (const ParamStore* params : {&in_files, &in_memory}) {
    Plan plan(net.graph, net.output, *cpu, Mode::training, *params, {.input_grads = true});
    plan.write_input(net.sample, sample);
    plan.write_input(net.timestep, std::vector<float>{300.f});
    for (const Network::Condition& condition : net.conditions)
      plan.write_input(condition.value,
                       std::vector<float>(std::size_t(net.graph.shape(condition.value).elements()), 2.f));
    plan.forward();
    plan.backward(sample);
    auto& gradient = gradients[params == &in_files ? 0 : 1];
    gradient.resize(sample.size());
    plan.read_input_grad(net.sample, gradient);
  }
  EXPECT_EQ(gradients[0], gradients[1]);
}

TEST_F(WeightPlaces, BytesThatAreNotAlignedAreCopied) {
  write(class_network(), SafetensorsDType::bf16);
  const auto device = make_cpu_device(Precision::f32);
  const std::vector<float> expected = evaluate(read(WeightPlace::files), *device);
  const std::size_t before = read(WeightPlace::files).own_bytes();
  // One space more in the header: every number is at an odd address.
  const fs::path file = folder_ / "unet" / kWeightsFile;
  std::string bytes = read_text_file(file, 1 << 24);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes.insert(sizeof header + header, " ");
  ++header;
  std::memcpy(bytes.data(), &header, sizeof header);
  write_file(file, bytes);
  EXPECT_GT(read(WeightPlace::files).own_bytes(), before);
  EXPECT_EQ(evaluate(read(WeightPlace::files), *device), expected);
}

TEST_F(WeightPlaces, AFlatCopyHasAllNumbersAndFilesHaveNoFlatBlock) {
  write(class_network(), SafetensorsDType::f16);
  const ParamStore in_files = read(WeightPlace::files);
  const ParamStore flat = in_files.to_flat(), expected = read(WeightPlace::memory);
  EXPECT_TRUE(std::ranges::equal(flat.values(), expected.values()));
  scratch::error_of(ErrorKind::internal, [&] { static_cast<void>(in_files.values()); });
}

}  // namespace
}  // namespace diffusion
