#include "base/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace diffusion {
namespace {

const auto kNothing = [](int) {};

TEST(Workers, EveryPieceIsDoneOnceByOneOfTheThreads) {
  for (const int threads : {1, 2, 5}) {
    Workers workers(threads, kNothing);
    for (const std::size_t pieces : {0, 1, 3, 100}) {
      std::vector<std::atomic<int>> done(pieces);
      workers.run(int(pieces), [&](int worker, int piece) {
        EXPECT_GE(worker, 0);
        EXPECT_LT(worker, threads);
        ++done[std::size_t(piece)];
      });
      for (const auto& count : done) EXPECT_EQ(count, 1);
    }
  }
}

TEST(Workers, AThreadThatIsHeldUpHoldsUpItsPieceAlone) {
  Workers workers(2, kNothing);
  std::atomic<int> others = 0, by_the_slow_one = 0;
  workers.run(20, [&](int, int piece) {
    if (piece > 0) {
      ++others;
      return;
    }
    for (int waited = 0; others < 19 && waited < 10'000; ++waited)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    by_the_slow_one = int(others);
  });
  EXPECT_EQ(by_the_slow_one, 19);
}

TEST(Workers, EachThreadBeginsOnceAndBeforeItsFirstPiece) {
  std::vector<std::atomic<int>> begun(3);
  Workers workers(3, [&](int worker) { ++begun[std::size_t(worker)]; });
  for (const auto& count : begun) EXPECT_EQ(count, 1);
}

TEST(Workers, AnErrorStopsTheWorkAndIsRethrown) {
  Workers workers(2, kNothing);
  std::atomic<int> done = 0;
  const auto fail = [&](int, int piece) {
    if (piece == 3) throw std::runtime_error("piece 3");
    ++done;
  };
  try {
    workers.run(1000, fail);
    ADD_FAILURE() << "no error";
  } catch (const std::runtime_error& e) {
    EXPECT_EQ(std::string(e.what()), "piece 3");
  }
  EXPECT_LT(done, 1000);
  done = 0;
  workers.run(3, fail);  // and they work again
  EXPECT_EQ(done, 3);
}

TEST(Workers, AnErrorAtTheBeginningEndsAll) {
  EXPECT_THROW(Workers(3,
                       [](int worker) {
                         if (worker == 1) throw std::runtime_error("no memory");
                       }),
               std::runtime_error);
}

}  // namespace
}  // namespace diffusion
