#include "nn/text_encoder.h"

#include <fmt/format.h>

#include "nn/layers.h"

namespace diffusion {

namespace {

Value embed(Graph& g, const TextEncoderConfig& c, Value tokens) {
  const std::int64_t width = c.hidden_size, rows = c.vocab_size, positions = c.max_position_embeddings;
  const std::string name = "text_model.embeddings";
  const Init init{Init::Kind::normal, 0.02};
  const Value table =
      g.param({{{name + ".token_embedding.weight", {rows, width}}}, init}, {rows, width, 1, 1});
  const Value place =
      g.param({{{name + ".position_embedding.weight", {positions, width}}}, init}, {positions, width, 1, 1});
  const Value x = g.add(Embedding{}, {tokens, table}, name + ".token_embedding");
  return g.add(AddPosition{}, {x, place}, name + ".position_embedding");
}

Value layer(Graph& g, const TextEncoderConfig& c, const std::string& name, Value x) {
  const auto whole = g.block();
  const Value first = layer_norm(g, name + ".layer_norm1", x, c.layer_norm_eps);
  const Value qkv = stacked_pointwise(g, name + ".self_attn", {".q_proj", ".k_proj", ".v_proj"}, first,
                                      c.hidden_size, true);
  const Value seen = g.add(Attention{c.num_attention_heads, true}, {qkv}, name + ".self_attn.softmax");
  const Value mixed = pointwise(g, name + ".self_attn.out_proj", seen, c.hidden_size);
  x = g.add(Add{}, {x, mixed}, name + ".add1");
  const Value second = layer_norm(g, name + ".layer_norm2", x, c.layer_norm_eps);
  const Value inner = pointwise(g, name + ".mlp.fc1", second, c.intermediate_size);
  const Value active = g.add(Activate{c.hidden_act}, {inner}, name + ".mlp.act");
  return g.add(Add{}, {x, pointwise(g, name + ".mlp.fc2", active, c.hidden_size)}, name);
}

}  // namespace

Value text_encoder(Graph& g, const TextEncoderConfig& c, Value tokens) {
  Value x = embed(g, c, tokens);
  for (int k = 0; k < c.num_hidden_layers; ++k)
    x = layer(g, c, fmt::format("text_model.encoder.layers.{}", k), x);
  return layer_norm(g, "text_model.final_layer_norm", x, c.layer_norm_eps);
}

}  // namespace diffusion
