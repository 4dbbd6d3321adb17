#pragma once

// Models of words that are small enough for tests, and pictures with words; implemented in
// small_words_test.cpp, not part of the library.

#include <diffusion/dataset.h>
#include "diffusion/model.h"
#include "nn/network.h"

namespace diffusion::fixtures {

// Pictures [1, side, side], two levels of 16 channels of which the lower attends to words; a text encoder of
// one layer and two heads, that is `width` wide and reads texts of `length` tokens.
WordsConfig small_words(int side, int width, int length);

// small_words() of this side, 16 wide and for texts of 8 tokens, with random weights; its tokenizer knows the
// words of gray_squares().
Model small_words_model(int side);

// Squares [1, side, side] of one gray: number 0 dark, number 1 bright and so on, with words that say which.
Dataset gray_squares(int count, int side);

}  // namespace diffusion::fixtures
