#include "support/small_words.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "diffusers/scheduler_config.h"
#include "words/train_tokenizer.h"

namespace diffusion::fixtures {

namespace {

constexpr const char *kDark = "a dark square", *kBright = "a bright square";

}  // namespace

WordsConfig small_words(int side, int width, int length) {
  WordsConfig words;
  words.text_encoder = {.hidden_size = width,
                        .intermediate_size = 32,
                        .num_hidden_layers = 1,
                        .num_attention_heads = 2,
                        .max_position_embeddings = length};
  ConditionalUNetConfig& unet = words.unet;
  unet.sample_size = {side, side};
  unet.in_channels = unet.out_channels = 1;
  unet.block_out_channels = {16, 16};
  unet.down_block_attention = {false, true};
  unet.up_block_attention = {true, false};
  unet.only_cross_attention = {false, false};
  unet.layers_per_block = {1, 1};
  unet.transformer_layers_per_block = {1, 1};
  unet.heads = {2, 2};
  unet.cross_attention_dim = {width, width};
  unet.norm_num_groups = 4;
  return words;
}

Model small_words_model(int side) {
  constexpr int kLength = 8;
  WordsConfig words = small_words(side, 16, kLength);
  const std::vector<std::string> captions{kDark, kBright};
  Tokenizer tokenizer =
      train_tokenizer(captions, {.vocabulary = kSmallestVocabulary + 20, .max_length = kLength});
  words.text_encoder.vocab_size = int(tokenizer.size());
  const Preconditioner cosine(Objective::v, make_schedule(ScheduleKind::cosine, 100));
  Model model{words, cosine, {}, {}, sampling_of_new_model(cosine, true), ParamStore(layout_of(words))};
  model.tokenizer = std::move(tokenizer);
  model.params.initialize(3);
  return model;
}

Dataset gray_squares(int count, int side) {
  std::vector<Image> images;
  std::vector<std::vector<std::string>> captions;
  for (int k = 0; k < count; ++k) {
    const bool bright = k % 2 == 1;
    const auto gray = std::uint8_t((bright ? 200 : 30) + k % 7);
    images.push_back({side, side, 1, std::vector<std::uint8_t>(std::size_t(side * side), gray)});
    captions.push_back({bright ? kBright : kDark});
  }
  Dataset data = dataset_of(images, "squares");
  data.captions = Captions(captions);
  return data;
}

}  // namespace diffusion::fixtures
