#pragma once

// What every network is made into, and how its inputs are described.

#include <optional>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace diffusion {

// Something that a network is told of each sample besides its noisy numbers and its timestep.
struct ConditionTraits {
  enum class Kind {
    row,     // of a learned table: whole numbers from 0 to rows - 1
    number,  // any number, embedded as timesteps are
    vector,  // `size` numbers, taken as they are
    map,     // `size` channels as large as the sample
  };
  std::string_view name;  // kClassCondition
  Kind kind;
  int size;      // numbers per sample; of a map, channels
  int rows = 0;  // Kind::row: of the table
};

// The condition "class": the class of the picture to make.
inline constexpr std::string_view kClassCondition = "class";

// The condition "tokens": a text, as a tokenizer has it.
inline constexpr std::string_view kTokensCondition = "tokens";

// The condition "known", a map: what is known of the sample. Of a sample of C channels the first C are known
// values, the next C are 1 where these are known and 0 elsewhere; any others are what the data have more.
inline constexpr std::string_view kKnownCondition = "known";

// The condition "encoder_hidden_states": what a text encoder makes of a text, in the place of its tokens.
inline constexpr std::string_view kHiddenStatesCondition = "encoder_hidden_states";

// The timesteps that a network can be told.
struct TimeTraits {
  int rows = 0;           // of a learned embedding, which takes whole timesteps; 0: not learned
  bool positive = false;  // it takes the logarithm (Fourier features)
};

// A network as a graph.
struct Network {
  struct Condition {
    ConditionTraits traits;
    // [N, size, 1, 1]; tokens: [N, 1, size, 1]; maps: [N, size, H, W]; hidden states: [N, D, T, 1] with
    // size = D T
    Value value;
  };

  Graph graph;
  Value sample;    // [N, in_channels, H, W]
  Value timestep;  // [N, 1, 1, 1], as told_timestep() gives them
  std::vector<Condition> conditions;
  // Of a network that is told tokens: what its text encoder makes of them, [N, D, T, 1].
  std::optional<Value> hidden_states;
  Value output;  // [N, out_channels, H, W]

  const Condition* condition(std::string_view name) const;  // nullptr if the network does not take it
};

// Error(usage) unless both sides of images are multiples of `multiple`, a power of two, so that a network can
// halve them as often as it does.
void validate_image_size(int multiple, int height, int width);

}  // namespace diffusion
