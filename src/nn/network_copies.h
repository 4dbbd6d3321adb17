#pragma once

// Networks that are made of another one.

#include "nn/network_graph.h"

namespace diffusion {

// The same function for evaluations: nothing to train, so that a plan makes no gradients of weights, and no
// dropout, which a plan in training mode would apply. Its parameters lie where those of `net` do.
Network frozen(const Network& net);

// The part of a network of words behind its text encoder, which is told what that makes of a text (the
// condition "encoder_hidden_states") instead of the tokens. Its parameters lie where those of `net` do; those
// of the encoder are there, too, and not used. A network without a text encoder stays as it is.
Network without_text_encoder(const Network& net);

// The same network of words, in which the parameters of the text encoder are none to be trained.
Network with_fixed_text_encoder(const Network& net);

}  // namespace diffusion
