#include "nn/convnext_unet.h"

#include <gtest/gtest.h>

#include <diffusion/error.h>
#include "nn/network.h"
#include "plan/param_store.h"

namespace diffusion {
namespace {

// Against PyTorch, numbers included: unet_golden_test.cpp.

TEST(ConvNextUNet, HasTheTutorialsTensorsAndParameters) {
  const ParamLayout layout(make_convnext_unet({}, 1, 28, 28).graph);
  EXPECT_EQ(layout.entries().size(), 166u);
  EXPECT_EQ(layout.parameter_count(), 2'992'180);
}

TEST(ConvNextUNet, FirstSkipWidensTheLastBlock) {
  const ParamLayout layout(make_convnext_unet({.first_skip = true}, 1, 28, 28).graph);
  ASSERT_NE(layout.find("final_conv.0.ds_conv.weight"), nullptr);
  EXPECT_EQ(layout.find("final_conv.0.ds_conv.weight")->dims, (std::vector<std::int64_t>{56, 1, 7, 7}));
  EXPECT_NE(layout.find("final_conv.0.res_conv.weight"), nullptr);
}

TEST(ConvNextConfig, SurvivesItsJson) {
  const ConvNextConfig config{.sample_size = {16, 24},
                              .channels = 3,
                              .dim = 16,
                              .dim_mults = {1, 3},
                              .block_mult = 1,
                              .heads = 2,
                              .head_dim = 8,
                              .activation = Activation::gelu,
                              .first_skip = true};
  const NetworkConfig again = parse_network_config(to_json(NetworkConfig(config)), "config.json");
  ASSERT_TRUE(std::holds_alternative<ConvNextConfig>(again));
  EXPECT_EQ(dump_json(to_json(again)), dump_json(to_json(config)));
  EXPECT_EQ(traits_of(again).sample_size, (std::array<int, 2>{16, 24}));
}

std::string message_for(const std::string& field, const Json& value) {
  Json::Object fields = to_object(to_json(ConvNextConfig{.sample_size = {28, 28}}), "");
  fields[field] = value;
  try {
    parse_convnext_config(Json(fields), "config.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_input);
    return e.what();
  }
  return "accepted";
}

TEST(ConvNextConfig, RefusesWhatCannotBe) {
  EXPECT_EQ(message_for("dim", 28), "accepted");
  EXPECT_NE(message_for("dim", 27).find("dim"), std::string::npos);
  EXPECT_NE(message_for("dim", -1).find("1 to 4096"), std::string::npos);
  EXPECT_NE(message_for("dim_mults", Json::Array{}).find("dim_mults"), std::string::npos);
  EXPECT_NE(message_for("activation", "silu").find("gelu_tanh"), std::string::npos);
  EXPECT_NE(message_for("sample_size", Json::Array{28}).find("[height, width]"), std::string::npos);
  EXPECT_NE(message_for("heads", "4").find("heads"), std::string::npos);
}

TEST(Network, NamesTheNearestSizes) {
  try {
    make_network(ConvNextConfig{}, 1, 30, 28);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(e.what()).find("height 28 or 32"), std::string::npos) << e.what();
  }
}

TEST(Network, OnlyTheUNetTakesClasses) {
  EXPECT_EQ(traits_of(fitted_to(UNetConfig{}, {28, 28}, 1, 11)).class_rows(), 11);
  EXPECT_EQ(traits_of(fitted_to(ConvNextConfig{}, {28, 28}, 3, 0)).in_channels, 3);
  EXPECT_THROW(fitted_to(ConvNextConfig{}, {28, 28}, 1, 11), Error);
}

}  // namespace
}  // namespace diffusion
