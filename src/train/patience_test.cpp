#include "train/patience.h"

#include <gtest/gtest.h>

#include <cmath>

namespace diffusion {
namespace {

TEST(Patience, EndsAfterSoManyThatAreNotSmaller) {
  Patience patience(2, {});
  EXPECT_FALSE(patience.is_over());
  EXPECT_TRUE(patience.add(10, 3));
  EXPECT_FALSE(patience.add(20, 3)) << "as large is not smaller";
  EXPECT_TRUE(patience.add(30, 2));
  EXPECT_FALSE(patience.add(40, std::nan("")));
  EXPECT_FALSE(patience.is_over());
  EXPECT_FALSE(patience.add(50, 2.5));
  EXPECT_TRUE(patience.is_over());
  EXPECT_EQ(patience.best_step(), 30);
  EXPECT_EQ(patience.best_loss(), 2);
}

TEST(Patience, GoesOnFromALog) {
  RunLog log;
  log.held_out = {{10, {1.5, {}, {}}}, {20, {2, {}, {}}}};
  Patience patience(2, log);
  EXPECT_FALSE(patience.add(30, 1.75));
  EXPECT_TRUE(patience.is_over());
  EXPECT_EQ(patience.best_step(), 10);
}

}  // namespace
}  // namespace diffusion
