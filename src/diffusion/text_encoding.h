#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "device/device.h"
#include "nn/network.h"
#include "plan/plan.h"

namespace diffusion {

// What the text encoder of a network of words makes of texts, computed once for each text: sampling asks for
// the same prompts at every step. A text's result does not depend on the others of a call.
class TextEncoding {
 public:
  // `network` is one that is told tokens; `params` and `device` must outlive this.
  TextEncoding(const NetworkConfig& network, const ParamStore& params, const Device& device);

  // The encoder's last_hidden_state, [N, D, T, 1], of tokens [N, T]. It stays valid until the next call.
  std::span<const float> hidden_states(std::span<const float> tokens);

  // How many texts were computed so far, those again that had to go (beyond 64 MiB, all texts go that are not
  // of the call) or whose weights have changed since.
  std::size_t computed() const { return computed_; }

 private:
  struct Text {
    std::vector<float> states;
    std::uint64_t call;  // the last one that asked for it
  };

  const std::vector<float>& states_of(std::span<const float> tokens);
  void forget_others();

  const ParamStore& params_;
  Network network_;
  Plan plan_;  // of one text
  std::size_t length_, state_size_;
  std::uint64_t version_ = 0, call_ = 0;
  std::size_t computed_ = 0;
  std::map<std::vector<float>, Text> texts_;  // by tokens
  std::vector<float> states_;
};

}  // namespace diffusion
