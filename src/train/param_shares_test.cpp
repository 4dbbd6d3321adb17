#include "train/param_shares.h"

#include <gtest/gtest.h>

#include <vector>

#include "diffusion/param_layout.h"
#include "train/presets.h"

namespace diffusion {
namespace {

TEST(ParamShares, CutBetweenParametersAndLeaveNothingOut) {
  const ParamLayout layout = layout_of(preset_config("fashion-mnist").network);
  const std::vector<ParamRange> units = units_of(layout);
  EXPECT_GT(units.size(), 8u);
  std::size_t next = 0;
  for (const ParamRange& unit : units) {
    EXPECT_EQ(unit.begin, next);
    next = unit.end;
    for (const ParamLayout::Entry& entry : layout.entries())
      EXPECT_FALSE(entry.offset < unit.begin && entry.offset + entry.size > unit.begin) << entry.name;
    if (&unit != &units.back()) {
      EXPECT_GE(unit.size(), 65'536u);
    }
  }
  EXPECT_EQ(next, layout.block_size());

  for (const int processes : {1, 2, 3, 8, 100}) {
    const std::vector<ParamRange> shares = shares_of(units, processes);
    ASSERT_EQ(shares.size(), std::size_t(processes));
    next = 0;
    for (const ParamRange& share : shares) {
      EXPECT_EQ(share.begin, next);
      next = share.end;
      if (processes <= 3) {
        EXPECT_NEAR(double(share.size()) * processes / double(layout.block_size()), 1, 0.25);
      }
    }
    EXPECT_EQ(next, layout.block_size());
  }
}

}  // namespace
}  // namespace diffusion
