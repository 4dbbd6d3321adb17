#include "nn/text_encoder_config.h"

#include <gtest/gtest.h>

#include <string>

#include "golden_network.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

TextEncoderConfig parse_encoder(const std::string& fields) {
  return parse_text_encoder_config(parse_json("{" + fields + "}", "config.json"), "config.json");
}

// make_random_text_encoder_goldens.py has loaded what is called `written` in transformers.
TEST(TextEncoderConfigFile, WritesWhatTransformersReads) {
  for (const Json& golden : golden::cases("text_encoder_random.json")) {
    const Json& drawn = golden::at(golden, "config");
    SCOPED_TRACE(dump_json(drawn));
    const Json written = to_json(parse_text_encoder_config(drawn, "drawn"));
    EXPECT_EQ(dump_json(written), dump_json(golden::at(golden, "written")));
    EXPECT_EQ(to_json(parse_text_encoder_config(written, "written")), written);
  }
}

TEST(TextEncoderConfigFile, ReadsWhatTransformersWrites) {
  int found = 0;
  for (const Json& golden : golden::cases("text_encoder_random.json"))
    if (const Json* saved = golden.find("saved")) {
      EXPECT_EQ(to_json(parse_text_encoder_config(*saved, "saved")), golden::at(golden, "written"));
      ++found;
    }
  EXPECT_GT(found, 0);
}

TEST(TextEncoderConfigFile, OfAWholeClipIsItsTextConfig) {
  EXPECT_EQ(parse_encoder(R"("model_type": "clip", "text_config": {"hidden_size": 24})").hidden_size, 24);
}

TEST(TextEncoderConfigFile, RefusesTheImpossibleByName) {
  for (const auto& [field, value] : {std::pair{"num_attention_heads", "7"},
                                     {"num_attention_heads", "0"},
                                     {"hidden_size", "0"},
                                     {"vocab_size", "-1"},
                                     {"num_hidden_layers", "1000"},
                                     {"max_position_embeddings", "0"},
                                     {"intermediate_size", "1.5"},
                                     {"hidden_act", "\"tanh\""},
                                     {"layer_norm_eps", "0"},
                                     {"model_type", "\"t5\""}}) {
    const std::string message = scratch::error_of(
        ErrorKind::bad_input, [&] { parse_encoder(std::string("\"") + field + "\": " + value); });
    EXPECT_NE(message.find(field), std::string::npos) << message;
  }
  TextEncoderConfig config;
  config.num_attention_heads = 0;
  EXPECT_NE(scratch::error_of(ErrorKind::usage, [&] { validate(config); }).find("num_attention_heads"),
            std::string::npos);
}

}  // namespace
}  // namespace diffusion
