#include "nn/unet_config.h"

#include <gtest/gtest.h>

#include "support/scratch.h"

namespace diffusion {
namespace {

UNetConfig parse(const std::string& fields) {
  return parse_unet_config(parse_json("{" + fields + "}", "config.json"), "config.json");
}

std::string refused(const std::string& fields) {
  return scratch::error_of(ErrorKind::bad_input, [&] { parse(fields); });
}

TEST(UNetConfigFile, UseDefaultValuesMakesFieldsAbsent) {
  const UNetConfig config = parse(
      R"("norm_eps": 0.5, "attention_head_dim": null, "mid_block_type": null, "act_fn": "elu",
         "down_block_types": ["Unknown"], "sample_size": "large", "flip_sin_to_cos": false,
         "_use_default_values": ["norm_eps", "attention_head_dim", "mid_block_type", "act_fn", "down_block_types",
                                 "sample_size"])");
  EXPECT_EQ(config.norm_eps, UNetConfig().norm_eps);
  EXPECT_EQ(config.attention_head_dim, 8);
  EXPECT_TRUE(config.mid_block);
  EXPECT_EQ(config.act_fn, Activation::silu);
  EXPECT_EQ(config.down_block_attention, UNetConfig().down_block_attention);
  EXPECT_EQ(config.sample_size, (std::array<int, 2>{0, 0}));
  EXPECT_FALSE(config.flip_sin_to_cos);  // not named
  refused(R"("_use_default_values": [3])");
}

TEST(UNetConfigFile, OldPrefixOfBlockTypesIsIgnored) {
  const UNetConfig config = parse(
      R"("down_block_types": ["UNetResDownBlock2D", "UNetResAttnDownBlock2D"], "block_out_channels": [32, 32],
               "up_block_types": ["UNetResAttnUpBlock2D", "UpBlock2D"])");
  EXPECT_EQ(config.down_block_attention, (std::vector<bool>{false, true}));
  EXPECT_EQ(config.up_block_attention, (std::vector<bool>{true, false}));
  EXPECT_NE(refused(R"("down_block_types": ["UNetResSkipDownBlock2D"])").find("SkipDownBlock2D"),
            std::string::npos);
  refused(R"("down_block_types": ["UNetRes"])");
}

TEST(UNetConfigFile, SizesAreOneNumberOrHeightAndWidth) {
  EXPECT_EQ(parse(R"("sample_size": 24)").sample_size, (std::array<int, 2>{24, 24}));
  EXPECT_EQ(parse(R"("sample_size": [16, 24])").sample_size, (std::array<int, 2>{16, 24}));
  EXPECT_EQ(parse(R"("sample_size": null)").sample_size, (std::array<int, 2>{0, 0}));
  for (const char* size : {"[1, 2, 3]", "[16, null]", "16.0", "-8", "[]", "true", "99999999999"})
    EXPECT_NE(refused(std::string(R"("sample_size": )") + size).find("sample_size"), std::string::npos)
        << size;
}

TEST(UNetConfigFile, TheFirstVersionsOfDiffusersAreToldApart) {
  for (const char* name : {"UNetModel", "UNetUnconditionalModel"}) {
    const std::string message = refused(std::string(R"("_class_name": ")") + name + "\"");
    EXPECT_NE(message.find(name), std::string::npos) << message;
    EXPECT_NE(message.find("newer revision"), std::string::npos) << message;
  }
  EXPECT_EQ(refused(R"("_class_name": "UNet2DConditionModel")").find("newer revision"), std::string::npos);
}

TEST(UNetConfigFile, AGraphWithoutEndIsRefused) {
  EXPECT_NE(refused(R"("layers_per_block": 1000000)").find("1 to 64"), std::string::npos);
}

TEST(UNetConfigFile, AFrequencyShiftThatDividesByZeroIsRefused) {
  const std::string two =
      R"("block_out_channels": [2], "norm_num_groups": 1, "down_block_types": ["DownBlock2D"],
                             "up_block_types": ["UpBlock2D"], "add_attention": false)";
  EXPECT_NE(refused(two + R"(, "freq_shift": 1)").find("freq_shift"), std::string::npos);
  EXPECT_NO_THROW(parse(two + R"(, "freq_shift": 0.5)"));
  EXPECT_NO_THROW(parse(two + R"(, "freq_shift": 1, "time_embedding_type": "fourier")"));
}

}  // namespace
}  // namespace diffusion
