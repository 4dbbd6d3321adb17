#include <diffusion/models.h>

#include <gtest/gtest.h>

#include <diffusion/device.h>
#include <diffusion/generate.h>
#include "support/scratch.h"

namespace diffusion {
namespace {

const std::string kShipped = std::string(DIFFUSION_SOURCE_DIR) + "/models/fashion-mnist";

TEST(Models, SayWhatTheyAre) {
  const ModelFacts facts = facts_of(*read_model(kShipped));
  EXPECT_EQ(facts.network, "UNet2DModel");
  EXPECT_EQ(facts.objective, "v");
  EXPECT_EQ(facts.channels, 1);
  EXPECT_EQ(facts.height, 28);
  EXPECT_EQ(facts.width, 28);
  EXPECT_EQ(facts.size_multiple, 4);
  EXPECT_EQ(facts.timesteps, 1000);
  EXPECT_GT(facts.sigma_max, facts.sigma_min);
  EXPECT_GT(facts.parameters, 1'000'000);
  EXPECT_EQ(facts.class_count, 10);
  ASSERT_EQ(facts.class_names.size(), 10u);
  EXPECT_EQ(facts.class_names[9], "Ankle boot");
  EXPECT_TRUE(facts.has_guidance);
  ASSERT_EQ(facts.conditions.size(), 1u);
  EXPECT_EQ(facts.conditions[0].name, "class");
  EXPECT_EQ(facts.conditions[0].size, 1);
}

TEST(Models, ComeBackAsTheyWereSaved) {
  const scratch::Folder folder;
  const auto model = read_model(kShipped);
  save_model(*model, folder / "copy");
  EXPECT_EQ(folder.files(), std::vector<std::string>{"copy"});
  const auto device = make_cpu_device(Precision::f32);
  const GenerateOptions two{.count = 2, .seed = 3};
  EXPECT_EQ(generate(*read_model(folder / "copy"), *device, two), generate(*model, *device, two));
  const std::string message =
      scratch::error_of(ErrorKind::usage, [&] { save_model(*model, folder / "copy"); });
  EXPECT_NE(message.find("copy exists"), std::string::npos) << message;
  scratch::error_of(ErrorKind::bad_input, [&] { read_model(folder / "no such model"); });
}

}  // namespace
}  // namespace diffusion
