#include "nn/unet.h"

#include <gtest/gtest.h>

#include <diffusion/error.h>
#include "plan/param_store.h"

namespace diffusion {
namespace {

UNetConfig parse_config(const std::string& fields, std::vector<std::string>* ignored = nullptr) {
  return parse_unet_config(parse_json("{" + fields + "}", "config.json"), "config.json", ignored);
}

struct Size {
  std::size_t tensors;
  std::int64_t parameters;
  bool operator==(const Size&) const = default;
};

Size size_of(const UNetConfig& config) {
  const ParamLayout layout(make_unet(config, 1, config.size_multiple(), config.size_multiple()).graph);
  return {layout.entries().size(), layout.parameter_count()};
}

// Counts of models on the Hugging Face hub and of the class defaults.
TEST(UNet, KnownModelsHaveTheirNumbersOfParameters) {
  const std::string cifar =
      R"("block_out_channels": [128, 256, 256, 256], "attention_head_dim": null,
         "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
         "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"])";
  EXPECT_EQ(size_of(parse_config(cifar)), (Size{328, 35'746'307}));
  EXPECT_EQ(size_of(parse_config("")), (Size{432, 274'056'163}));
}

TEST(UNetConfig, SurvivesItsJson) {
  const std::string fields =
      R"("sample_size": [16, 24], "in_channels": 4, "out_channels": 4, "block_out_channels": [8, 16], "norm_num_groups": 4,
         "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
         "attention_head_dim": null, "norm_eps": 1e-06, "freq_shift": 1, "flip_sin_to_cos": false, "dropout": 0.25,
         "resnet_time_scale_shift": "scale_shift", "num_class_embeds": 11, "mid_block_type": null, "act_fn": "gelu")";
  const UNetConfig config = parse_config(fields);
  const Json json = to_json(config);
  EXPECT_EQ(dump_json(to_json(parse_unet_config(json, "again"))), dump_json(json));
  EXPECT_FALSE(config.attention_head_dim.has_value());
  EXPECT_EQ(config.sample_size, (std::array<int, 2>{16, 24}));
  EXPECT_FALSE(config.mid_block);
  EXPECT_EQ(config.class_embed_type, ClassEmbedding::table);
}

TEST(UNetConfig, AbsentAndNullHeadDimDiffer) {
  EXPECT_EQ(parse_config("").attention_head_dim, 8);
  EXPECT_EQ(parse_config(R"("attention_head_dim": null)").attention_head_dim, std::nullopt);
}

TEST(UNetConfig, UnknownFieldsAreReported) {
  std::vector<std::string> ignored;
  parse_config(R"("_note": 1, "new_field": 2)", &ignored);
  EXPECT_EQ(ignored, std::vector<std::string>{"new_field"});
}

TEST(UNetConfig, WrongFilesAreRefusedByFieldName) {
  const auto message = [](const std::string& fields) {
    try {
      parse_config(fields);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::bad_input);
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  for (const auto& [fields, word] : std::vector<std::pair<std::string, std::string>>{
           {R"("_class_name": "UNet2DConditionModel")", "_class_name"},
           {R"("down_block_types": ["SkipDownBlock2D"])", "SkipDownBlock2D"},
           {R"("up_block_types": "UpBlock2D")", "up_block_types"},
           {R"("block_out_channels": [224, 448, 672])", "down_block_types"},
           {R"("block_out_channels": [33, 448, 672, 896])", "norm_num_groups"},
           {R"("block_out_channels": [])", "block_out_channels"},
           {R"("layers_per_block": 0)", "layers_per_block"},
           {R"("layers_per_block": 1.5)", "layers_per_block"},
           {R"("in_channels": -1)", "in_channels"},
           {R"("norm_eps": 0)", "norm_eps"},
           {R"("act_fn": "elu")", "act_fn"},
           {R"("attention_head_dim": 4096)", "attention_head_dim"},
           {R"("resnet_time_scale_shift": "spatial")", "resnet_time_scale_shift"},
           {R"("time_embedding_type": "learned")", "num_train_timesteps"},
           {R"("class_embed_type": "projection")", "class_embed_type"},
           {R"("sample_size": [28])", "sample_size"},
           {R"("downsample_padding": 2)", "downsample_padding"}}) {
    EXPECT_NE(message(fields).find(word), std::string::npos) << fields << ": " << message(fields);
    EXPECT_NE(message(fields).find("config.json"), std::string::npos) << message(fields);
  }
}

TEST(UNet, SizesThatCannotBeHalvedNameTheNearestOnes) {
  const UNetConfig config = parse_config("");
  try {
    make_unet(config, 1, 28, 32);
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(e.what()).find("24 or 32"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace diffusion
