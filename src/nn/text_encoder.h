#pragma once

#include "graph/graph.h"
#include "nn/text_encoder_config.h"

namespace diffusion {

// CLIP's text encoder (Radford et al. 2021, arXiv 2103.00020; transformers' CLIPTextModel): token and
// position embedding, then layers of causal self-attention and a feed-forward layer, each after layer
// normalization and added to what comes in; at the end one more normalization.
//
// tokens: [N, 1, T, 1], whole numbers from 0 to vocab_size - 1, T at most max_position_embeddings; the result
// is last_hidden_state, [N, hidden_size, T, 1]. Parameters are called as in transformers, with "text_model."
// before them.
Value text_encoder(Graph& g, const TextEncoderConfig& config, Value tokens);

}  // namespace diffusion
