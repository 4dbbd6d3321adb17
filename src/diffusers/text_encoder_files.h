#pragma once

#include <filesystem>

#include "nn/text_encoder_config.h"
#include "plan/param_store.h"
#include "words/tokenizer.h"

namespace diffusion {

// A text encoder by itself, with the tokenizer whose ids it is told. Its parameters are called as in a
// network of words.
struct TextEncoder {
  TextEncoderConfig config;
  ParamStore params;
  Tokenizer tokenizer;
};

// Reads the text encoder of a pipeline directory (text_encoder/ and tokenizer/), or one that
// CLIPTextModel.save_pretrained of transformers wrote into the directory, with the files of its tokenizer
// beside it. Error(bad_input) or Error(io) naming the file, also if there is no tokenizer, or one of more
// tokens than the encoder knows.
TextEncoder read_text_encoder(const std::filesystem::path& directory);

}  // namespace diffusion
