#include "diffusers/weights.h"

#include <gtest/gtest.h>

#include <diffusion/error.h>
#include "diffusion/model.h"
#include "files/fs.h"
#include "formats/json.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

UNetConfig tiny_config() {
  UNetConfig c;
  c.in_channels = c.out_channels = 1;
  c.block_out_channels = {4};
  c.down_block_attention = {true};
  c.up_block_attention = {false};
  c.layers_per_block = 1;
  c.norm_num_groups = 2;
  c.attention_head_dim = 2;
  return c;
}

// A directory with the weights of a tiny network in forms that diffusers or people make.
class Weights : public ::testing::Test {
 protected:
  Weights() : params_(layout_of(tiny_config())) { params_.initialize(5); }

  std::vector<TensorToWrite> tensors(SafetensorsDType dtype = SafetensorsDType::f32) {
    std::vector<TensorToWrite> all;
    for (const ParamLayout::Entry& e : params_.layout().entries())
      all.push_back({e.name, e.dims, params_.values(e), dtype});
    return all;
  }
  void write(const std::string& name, const std::vector<TensorToWrite>& tensors) {
    write_safetensors(folder_ / name, tensors);
  }
  // Two shards and their index, which `change` may spoil.
  void write_shards(const std::function<void(Json::Object&)>& change = {},
                    const std::string& index = "diffusion_pytorch_model.safetensors.index.json") {
    const std::vector<TensorToWrite> all = tensors();
    const std::size_t half = all.size() / 2;
    write(kFirst, {all.begin(), all.begin() + std::ptrdiff_t(half)});
    write(kSecond, {all.begin() + std::ptrdiff_t(half), all.end()});
    Json::Object map;
    for (std::size_t i = 0; i < all.size(); ++i) map[all[i].name] = i < half ? kFirst : kSecond;
    if (change) change(map);
    const Json json =
        Json::Object{{"metadata", Json::Object{{"total_size", -5}}}, {"weight_map", std::move(map)}};
    write_file(folder_ / index, dump_json(json));
  }
  ParamStore read() { return read_weights(WeightFiles::open(folder_.path()), layout_of(tiny_config())); }
  void expect_same() {
    const ParamStore back = read();
    for (const ParamLayout::Entry& e : params_.layout().entries())
      for (std::size_t i = e.offset; i < e.offset + e.size; ++i)
        ASSERT_EQ(back.values()[i], params_.values()[i]) << e.name;
  }
  void expect_refused(std::initializer_list<const char*> words, ErrorKind kind = ErrorKind::bad_input) {
    const std::string message = scratch::error_of(kind, [&] { read(); });
    for (const char* word : words) EXPECT_NE(message.find(word), std::string::npos) << message;
  }

  static constexpr const char *kFirst = "diffusion_pytorch_model-00001-of-00002.safetensors",
                              *kSecond = "diffusion_pytorch_model-00002-of-00002.safetensors";
  scratch::Folder folder_;
  ParamStore params_;
};

TEST_F(Weights, OneFileIsRead) {
  write(kWeightsFile, tensors());
  expect_same();
  const WeightFiles files = WeightFiles::open(folder_.path());
  EXPECT_EQ(files.dtypes(), std::vector<std::string>{"F32"});
  EXPECT_EQ(files.data_bytes(), std::uint64_t(params_.layout().parameter_count()) * 4);
}

TEST_F(Weights, HalfPrecisionIsReadAsWritten) {
  for (const SafetensorsDType dtype : {SafetensorsDType::f16, SafetensorsDType::bf16}) {
    write(kWeightsFile, tensors(dtype));
    const ParamStore back = read();
    double largest = 0;
    for (std::size_t i = 0; i < back.values().size(); ++i)
      largest = std::max(largest, double(std::abs(back.values()[i] - params_.values()[i])));
    EXPECT_GT(largest, 0);
    EXPECT_LT(largest, dtype == SafetensorsDType::f16 ? 1e-3 : 8e-3);
  }
}

TEST_F(Weights, TheOnlyVariantIsReadAndThePlainFileWins) {
  write("diffusion_pytorch_model.fp16.safetensors", tensors());
  expect_same();
  write(kWeightsFile, tensors());
  write("diffusion_pytorch_model.fp16.safetensors", {});
  expect_same();
}

TEST_F(Weights, SeveralVariantsAreListed) {
  write("diffusion_pytorch_model.fp16.safetensors", tensors());
  write("diffusion_pytorch_model.bf16.safetensors", tensors());
  expect_refused({"fp16", "bf16", "several variants"});
}

TEST_F(Weights, ShardsAreRead) {
  write_shards();
  expect_same();
  EXPECT_EQ(WeightFiles::open(folder_.path()).paths().size(), 2u);
}

TEST_F(Weights, TheIndexOfAVariantIsRead) {
  write_shards({}, "diffusion_pytorch_model.safetensors.index.fp16.json");
  expect_same();
}

TEST_F(Weights, ShardsThatDoNotFitTheIndexAreRefused) {
  const std::string last = params_.layout().entries().back().name;
  write_shards([&](Json::Object& map) { map["made.up"] = kFirst; });
  expect_refused({"made.up", "is not in", kFirst});
  write_shards([&](Json::Object& map) { map.erase(last); });
  expect_refused({last.c_str(), "weight_map"});
  write_shards([&](Json::Object& map) { map[last] = kFirst; });
  expect_refused({last.c_str(), kSecond});
  write_shards([&](Json::Object& map) { map[last] = "diffusion_pytorch_model-00003-of-00003.safetensors"; });
  expect_refused({last.c_str(), kSecond, "00003-of-00003"});
  std::filesystem::remove(folder_ / kSecond);
  expect_refused({kSecond}, ErrorKind::io);
  for (const char* path :
       {"../x.safetensors", "/etc/x.safetensors", "a/b.safetensors", "..", "", "x.bin", "a\\b.safetensors"}) {
    write_shards([&](Json::Object& map) { map[last] = path; });
    expect_refused({last.c_str(), "beside the index"});
  }
  write_shards([&](Json::Object& map) { map[last] = nullptr; });
  expect_refused({last.c_str()});
  write_shards([&](Json::Object& map) { map.clear(); });
  expect_refused({"weight_map is empty"});
  write_file(folder_ / "diffusion_pytorch_model.safetensors.index.json", std::string("{}"));
  expect_refused({"weight_map"});
}

TEST_F(Weights, ATensorInTwoShardsIsRefused) {
  write_shards();
  write(kSecond, tensors());  // holds those of the first, too
  expect_refused({"another shard"});
}

TEST_F(Weights, ABrokenShardIsNamed) {
  write_shards();
  fs::resize_file(folder_ / kSecond, fs::file_size(folder_ / kSecond) - 1);
  expect_refused({kSecond});
}

TEST_F(Weights, OldNamesOfAttentionAreRead) {
  std::vector<TensorToWrite> old = tensors();
  std::size_t renamed = 0;
  for (TensorToWrite& tensor : old)
    for (const auto& [now, then] : {std::pair<std::string, std::string>{".to_q.", ".query."},
                                    {".to_k.", ".key."},
                                    {".to_v.", ".value."},
                                    {".to_out.0.", ".proj_attn."}})
      if (const auto at = tensor.name.find(now); at != std::string::npos) {
        tensor.name.replace(at, now.size(), then);
        ++renamed;
      }
  EXPECT_EQ(renamed, 16u);  // two attentions, four layers each, weight and bias
  write(kWeightsFile, old);
  expect_same();

  old.push_back(tensors()[0]);
  old.back().name = "mid_block.attentions.0.to_q.weight";  // both names
  old.back().dims = {4, 4};
  old.back().values = params_.values(*params_.layout().find("mid_block.attentions.0.to_q.weight"));
  write(kWeightsFile, old);
  expect_refused({"mid_block.attentions.0.query.weight", "not part of the network"});
}

TEST_F(Weights, MissingUnknownAndMisshapenTensorsAreNamed) {
  std::vector<TensorToWrite> some = tensors();
  some.erase(some.begin(), some.begin() + 2);
  write(kWeightsFile, some);
  expect_refused({"time_embedding.linear_1.weight and 1 more", "missing"});

  some = tensors();
  const std::vector<float> one{1};
  some.push_back({"extra.a", {1}, one});
  some.push_back({"extra.b", {1}, one});
  write(kWeightsFile, some);
  expect_refused({"extra.a and 1 more", "not part of the network"});

  some = tensors();
  for (TensorToWrite& tensor : some)
    if (tensor.name == "conv_in.weight") tensor.dims = {1, 4, 3, 3};
  write(kWeightsFile, some);
  expect_refused({"conv_in.weight", "[1, 4, 3, 3]", "[4, 1, 3, 3]"});
}

TEST_F(Weights, NoMemoryIsTakenForANetworkThatTheFileDoesNotHold) {
  write(kWeightsFile, tensors());
  UNetConfig huge = tiny_config();
  huge.block_out_channels = {1'000'000};
  huge.attention_head_dim = {};
  const std::string message = scratch::error_of(
      ErrorKind::bad_input, [&] { read_weights(WeightFiles::open(folder_.path()), layout_of(huge)); });
  EXPECT_NE(message.find("has shape"), std::string::npos) << message;
}

TEST_F(Weights, IntegersAreRefused) {
  write(kWeightsFile, tensors());
  std::string bytes = read_text_file(folder_ / kWeightsFile, 1 << 20);
  bytes.replace(bytes.find("\"F32\""), 5, "\"I32\"");
  write_file(folder_ / kWeightsFile, bytes);
  expect_refused({"I32", "F32, F16, BF16 or F64"});
}

TEST_F(Weights, PicklesAreNeverReadAndTheWayToConvertIsTold) {
  write_file(folder_ / "diffusion_pytorch_model.bin", std::string("\x80\x02}q"));
  expect_refused({"diffusion_pytorch_model.bin", "pickle", "save_pretrained"});
  fs::rename(folder_ / "diffusion_pytorch_model.bin", folder_ / "model.ckpt");
  expect_refused({"model.ckpt", "pickle", "torch.load"});
  write(kWeightsFile, tensors());
  expect_same();  // beside safetensors a pickle does no harm
}

TEST_F(Weights, NothingIsToldAsSuch) {
  expect_refused({kWeightsFile}, ErrorKind::io);
}

TEST_F(Weights, PointersOfGitLfsAreToldApart) {
  write_file(folder_ / kWeightsFile,
             std::string("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"));
  expect_refused({"git lfs pull"});
}

}  // namespace
}  // namespace diffusion
