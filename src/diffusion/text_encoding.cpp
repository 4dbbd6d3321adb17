#include "diffusion/text_encoding.h"

#include "nn/network_copies.h"

namespace diffusion {

namespace {

constexpr std::size_t kMostBytes = std::size_t(64) << 20;

// The whole network of one picture; its smallest will do, as only the encoder is computed.
Network network_of_one_text(const NetworkConfig& config) {
  const int side = traits_of(config).size_multiple;
  return frozen(make_network(config, 1, side, side));
}

}  // namespace

TextEncoding::TextEncoding(const NetworkConfig& network, const ParamStore& params, const Device& device)
    : params_(params),
      network_(network_of_one_text(network)),
      plan_(network_.graph, *network_.hidden_states, device, Mode::inference, params),
      length_(std::size_t(traits_of(network).text_length())),
      state_size_(std::size_t(network_.graph.shape(*network_.hidden_states).elements())) {}

std::span<const float> TextEncoding::hidden_states(std::span<const float> tokens) {
  if (version_ != params_.version()) texts_.clear();
  version_ = params_.version();
  ++call_;
  states_.clear();
  for (; !tokens.empty(); tokens = tokens.subspan(length_)) {
    const std::vector<float>& states = states_of(tokens.first(length_));
    states_.insert(states_.end(), states.begin(), states.end());
  }
  forget_others();
  return states_;
}

const std::vector<float>& TextEncoding::states_of(std::span<const float> tokens) {
  const auto [found, is_new] = texts_.try_emplace(std::vector<float>(tokens.begin(), tokens.end()));
  Text& text = found->second;
  text.call = call_;
  if (!is_new) return text.states;
  text.states.resize(state_size_);
  plan_.write_input(network_.condition(kTokensCondition)->value, tokens);
  plan_.forward();
  plan_.read_output(text.states);
  ++computed_;
  return text.states;
}

void TextEncoding::forget_others() {
  if (texts_.size() * (state_size_ + length_) * sizeof(float) <= kMostBytes) return;
  std::erase_if(texts_, [&](const auto& entry) { return entry.second.call != call_; });
}

}  // namespace diffusion
