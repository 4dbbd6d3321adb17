#include "train/communicator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "base/pair_sums.h"
#include "base/rng.h"
#include "device/host_queue.h"
#include "support/memory_wire.h"

namespace diffusion {
namespace {

using fixtures::run_together;

TEST(TreeNodes, AreTheLargestInTheRange) {
  using Nodes = std::vector<SliceRange>;
  EXPECT_EQ(tree_nodes({0, 8}, 8), (Nodes{{0, 8}}));
  EXPECT_EQ(tree_nodes({0, 5}, 8), (Nodes{{0, 4}, {4, 1}}));
  EXPECT_EQ(tree_nodes({1, 6}, 8), (Nodes{{1, 1}, {2, 2}, {4, 2}, {6, 1}}));
  EXPECT_EQ(tree_nodes({4, 3}, 7), (Nodes{{4, 3}}));  // what there is of the slices 4 to 7
  EXPECT_EQ(tree_nodes({0, 3}, 3), (Nodes{{0, 3}}));
  EXPECT_EQ(tree_nodes({2, 0}, 4), Nodes{});
}

TEST(Communicator, SharesAllSlicesInOrder) {
  run_together(3, [](std::shared_ptr<Wire> wire) {
    const Communicator c(std::move(wire));
    for (const int slices : {1, 3, 4, 8}) {
      int next = 0;
      for (int rank = 0; rank < 3; ++rank) {
        EXPECT_EQ(c.share_of(slices, rank).first, next);
        next = c.share_of(slices, rank).end();
        EXPECT_LE(c.share_of(slices, rank).count, (slices + 2) / 3);
      }
      EXPECT_EQ(next, slices);
    }
  });
  EXPECT_EQ(Communicator().share_of(4, 0), (SliceRange{0, 4}));
}

TEST(Communicator, GathersInOrderAndBroadcasts) {
  for (int size = 1; size <= 7; ++size)
    run_together(size, [size](std::shared_ptr<Wire> wire) {
      const Communicator c(std::move(wire));
      const std::array mine{double(c.rank()), 0.5};
      const std::vector<double> numbers = c.gather(mine);
      ASSERT_EQ(numbers.size(), std::size_t(2 * size));
      for (int r = 0; r < size; ++r) EXPECT_EQ(numbers[std::size_t(2 * r)], r);
      const std::vector<std::string> texts = c.gather(std::string(std::size_t(c.rank()), 'x'));
      for (int r = 0; r < size; ++r) EXPECT_EQ(texts[std::size_t(r)], std::string(std::size_t(r), 'x'));
      std::vector<float> values(5, c.leads() ? 7.f : 0.f);
      c.broadcast(values);
      EXPECT_EQ(values, std::vector<float>(5, 7.f));
      c.follow_leader();
      c.close();
    });
}

// The bits of one process, whoever computes which slices.
TEST(Communicator, AddsAsOneProcessDoes) {
  constexpr int kNumbers = 1001;
  for (const int slices : {1, 2, 3, 4, 6, 7, 8}) {
    std::vector<std::vector<float>> gradients(static_cast<std::size_t>(slices), std::vector<float>(kNumbers));
    for (int k = 0; k < slices; ++k)
      fill_normal({9, Stream::init, std::uint32_t(k), 0}, gradients[std::size_t(k)]);
    std::vector<std::vector<float>> copies = gradients;
    std::vector<float*> blocks;
    for (std::vector<float>& block : copies) blocks.push_back(block.data());
    std::vector<float> expected(kNumbers, 0.25f);
    add_in_pairs(blocks, 0, kNumbers);
    add_scaled(blocks[0], 0.3f, expected.data(), 0, kNumbers);

    for (int size = 2; size <= slices; ++size)
      run_together(size, [&](std::shared_ptr<Wire> wire) {
        const Communicator c(std::move(wire));
        std::vector<std::vector<float>> mine = gradients;  // of which it reads its own
        std::vector<Tensor> nodes;
        for (const SliceRange& node : tree_nodes(c.share_of(slices, c.rank()), slices)) {
          std::vector<float*> of_node;
          for (int k = node.first; k < node.end(); ++k) of_node.push_back(mine[std::size_t(k)].data());
          add_in_pairs(of_node, 0, kNumbers);
          nodes.push_back(flat_block(of_node[0], kNumbers));
        }
        std::vector<float> found(kNumbers, 0.25f);
        const auto queue = make_host_queue();
        const Tensor sum = flat_block(found.data(), kNumbers);
        std::vector<ParamRange> owned(static_cast<std::size_t>(size),
                                      {kNumbers, kNumbers});  // nothing, after the first two
        owned[0] = {0, 300};
        owned[1] = {300, kNumbers};
        c.add_over_slices(slices, *queue, nodes, 0.3f, sum, owned);
        c.gather_owned(*queue, sum, owned);
        EXPECT_EQ(found, expected) << slices << " slices, process " << c.rank() << " of " << size;
      });
  }
}

class SilentWire final : public Wire {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  std::optional<int> carry(std::span<const Send>, std::span<const Receive> receives) override {
    if (said_its_name_ == 2) return 1;
    ++said_its_name_;  // the length of the host's name, and the name
    for (const Receive& r : receives) std::ranges::fill(r.bytes, std::byte());
    return std::nullopt;
  }
  void close() override {}

 private:
  int said_its_name_ = 0;
};

TEST(Communicator, NamesWhoDoesNotAnswer) {
  const Communicator c(std::make_shared<SilentWire>());
  try {
    c.follow_leader();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::io);
    EXPECT_NE(std::string(e.what()).find("process 1 of 2"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace diffusion
