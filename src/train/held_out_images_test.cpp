#include "train/held_out_images.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <diffusion/error.h>
#include "data/shapes.h"

namespace diffusion {
namespace {

TEST(HeldOutImages, AreLoadedOnlyIfTheyAreWanted) {
  const Dataset training = make_shapes(8, 1);
  TrainConfig config;
  config.held_out_every = 0;
  bool loaded = false;
  const auto load = [&] {
    loaded = true;
    return make_shapes(8, 2);
  };
  const HeldOutImages none = load_held_out(config, training, load);
  EXPECT_FALSE(none.images || loaded);
  EXPECT_EQ(none.why_not, "");
  config.held_out_every.reset();
  const HeldOutImages some = load_held_out(config, training, load);
  ASSERT_TRUE(some.images);
  EXPECT_EQ(some.images->fingerprint(), make_shapes(8, 2).fingerprint());
  EXPECT_EQ(some.why_not, "");
}

TEST(HeldOutImages, AreMissedOnlyIfTheyWereAskedFor) {
  const Dataset training = make_shapes(8, 1);
  for (const bool loads : {true, false}) {
    const auto load = [&]() -> Dataset {
      if (loads) return training;  // as of a data set without a test split
      throw Error(ErrorKind::io, "the network is down");
    };
    const std::string reason = loads ? "no test images apart from those for training" : "the network is down";
    TrainConfig config;
    const HeldOutImages none = load_held_out(config, training, load);
    EXPECT_FALSE(none.images);
    EXPECT_NE(none.why_not.find(reason), std::string::npos) << none.why_not;
    config.held_out_every = 5;
    try {
      load_held_out(config, training, load);
      FAIL() << "not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
      EXPECT_EQ(error.fields(), std::vector<std::string>{"held_out_every"});
    }
  }
}

}  // namespace
}  // namespace diffusion
