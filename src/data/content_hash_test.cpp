#include "data/content_hash.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace diffusion {
namespace {

// The definition, word by word.
std::uint64_t step(std::uint64_t state, std::uint64_t word) {
  state = (state ^ word) * 0xd6e8feb86659fd93;
  return state ^ state >> 32;
}

TEST(ContentHash, FollowsItsDefinitionOnEveryMachine) {
  ContentHash hash;
  hash.add("abcdefghij");
  std::uint64_t expected = step(0x9e3779b97f4a7c15, 10);
  expected = step(expected, 0x6867666564636261);
  EXPECT_EQ(hash.value(), step(expected, 0x6a69));
}

TEST(ContentHash, EveryBitAndEveryBoundaryCounts) {
  std::vector<std::uint8_t> bytes(41, 0);
  std::set<std::uint64_t> hashes{hash_of(bytes)};
  for (std::uint8_t& byte : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      byte ^= std::uint8_t(1 << bit);
      hashes.insert(hash_of(bytes));
      byte ^= std::uint8_t(1 << bit);
    }
  for (std::size_t size = 0; size < bytes.size(); ++size)
    hashes.insert(hash_of(std::span(bytes).first(size)));
  EXPECT_EQ(hashes.size(), 1 + 41 * 8 + 41u);

  ContentHash a, b;
  a.add("ab");
  a.add("c");
  b.add("a");
  b.add("bc");
  EXPECT_NE(a.value(), b.value());
}

}  // namespace
}  // namespace diffusion
