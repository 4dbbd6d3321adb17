#include "nn/conditional_unet_config.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <diffusion/error.h>

#include "golden_network.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

ConditionalUNetConfig parse_conditional(const std::string& fields) {
  return parse_conditional_unet_config(parse_json("{" + fields + "}", "config.json"), "config.json");
}

std::string refused_conditional(const std::string& fields) {
  return scratch::error_of(ErrorKind::bad_input, [&] { parse_conditional(fields); });
}

// make_random_conditional_unet_goldens.py has loaded what is called `written` in diffusers.
TEST(ConditionalUNetConfigFile, WritesWhatDiffusersReads) {
  for (const Json& golden : golden::cases("conditional_unet_random.json")) {
    const Json& drawn = golden::at(golden, "config");
    SCOPED_TRACE(dump_json(drawn));
    const Json written = to_json(parse_conditional_unet_config(drawn, "drawn"));
    EXPECT_EQ(dump_json(written), dump_json(golden::at(golden, "written")));
    EXPECT_EQ(to_json(parse_conditional_unet_config(written, "written")), written);
  }
}

TEST(ConditionalUNetConfigFile, ReadsWhatDiffusersWrites) {
  int found = 0;
  for (const Json& golden : golden::cases("conditional_unet_random.json")) {
    const Json* saved = golden.find("saved");
    if (!saved) continue;
    std::vector<std::string> ignored;
    EXPECT_EQ(to_json(parse_conditional_unet_config(*saved, "saved", &ignored)),
              golden::at(golden, "written"));
    EXPECT_EQ(ignored, std::vector<std::string>());
    ++found;
  }
  EXPECT_GT(found, 0);
}

TEST(ConditionalUNetConfigFile, SaysWhereTheClassComesFrom) {
  ConditionalUNetConfig config;
  EXPECT_EQ(to_json(config).find("class_labels_from"), nullptr);
  config.class_embed_type = ConditionalUNetConfig::ClassEmbedding::projection;
  config.projection_class_embeddings_input_dim = config.words_width();
  config.class_is_mean_of_words = true;
  std::vector<std::string> ignored;
  EXPECT_TRUE(parse_conditional_unet_config(to_json(config), "written", &ignored).class_is_mean_of_words);
  EXPECT_TRUE(ignored.empty());
  config.projection_class_embeddings_input_dim = 7;
  EXPECT_THROW(validate(config), Error);
}

TEST(ConditionalUNetConfigFile, RefusesWhatItDoesNotHaveByName) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"addition_embed_type", "\"text\""},
      {"encoder_hid_dim", "32"},
      {"encoder_hid_dim_type", "\"text_proj\""},
      {"num_attention_heads", "8"},
      {"reverse_transformer_layers_per_block", "[1, 1, 1, 1]"},
      {"time_cond_proj_dim", "8"},
      {"cross_attention_norm", "\"layer_norm\""},
      {"dual_cross_attention", "true"},
      {"attention_type", "\"gated\""},
      {"time_embedding_type", "\"fourier\""},
      {"down_block_types", R"(["SimpleCrossAttnDownBlock2D", "DownBlock2D", "DownBlock2D", "DownBlock2D"])"},
      {"up_block_types", R"(["ResnetUpsampleBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D"])"},
      {"mid_block_type", "\"UNetMidBlock2DSimpleCrossAttn\""},
      {"class_embed_type", "\"text\""},
      {"cross_attention_dim", "[8, 8, 8, 16]"},
      {"cross_attention_dim", "0"},
      {"attention_head_dim", "[8, 8, 8]"},
      {"attention_head_dim", "0"},
      {"attention_head_dim", "null"},
      {"transformer_layers_per_block", "[[1, 1], 1, 1, 1]"},
      {"transformer_layers_per_block", "1000"},
      {"layers_per_block", "[2, 2, 0, 2]"},
      {"only_cross_attention", "[true]"},
      {"only_cross_attention", "[1, 1, 1, 1]"},
      {"norm_num_groups", "null"},
      {"norm_num_groups", "7"},
      {"conv_in_kernel", "2"},
      {"conv_out_kernel", "4"},
      {"downsample_padding", "2"},
      {"freq_shift", "160"},
      {"projection_class_embeddings_input_dim", R"(null, "class_embed_type": "projection")"},
      {"class_embeddings_concat", "true"},
      {"class_labels_from", "\"pooler_output\""},
      {"class_labels_from", "\"mean of encoder_hidden_states\""},  // without a projection
      {"act_fn", "\"elu\""},
      {"_class_name", "\"UNet2DModel\""}};
  for (const auto& [field, value] : cases) {
    const std::string message = refused_conditional("\"" + field + "\": " + value);
    const bool groups = field == "norm_num_groups" && value == "7";  // what they do not divide is named
    EXPECT_NE(message.find(groups ? "block_out_channels" : field), std::string::npos)
        << field << ": " << message;
  }
}

}  // namespace
}  // namespace diffusion
