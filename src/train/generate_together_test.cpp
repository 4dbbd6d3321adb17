// Pictures that several processes make; here they are threads, see tests/mpi.sh for those of MPI.

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include <diffusion/error.h>
#include "diffusers/pipeline.h"
#include "support/memory_wire.h"
#include "support/scratch.h"
#include "train/generate_together.h"

namespace diffusion {
namespace {

using fixtures::run_together;

Model garments() {
  return read_pipeline(std::filesystem::path(DIFFUSION_SOURCE_DIR) / "models" / "fashion-mnist-quick",
                       WeightPlace::as_fits);
}

// A call of on_step, but for where the batches begin and end.
using Told = std::tuple<int, int, double>;  // step, image, first number of its state

void note(const GenerateStep& step, std::vector<Told>& told) {
  const std::size_t size = step.x.size() / std::size_t(step.images);
  for (int k = 0; k < step.images; ++k)
    told.emplace_back(step.step, step.first_image + k, step.x[std::size_t(k) * size]);
}

struct Outcome {
  std::vector<Image> images;
  std::vector<Told> told;
};

Outcome make(int processes, const GenerateOptions& options, StepsTold steps) {
  Outcome of_leader;
  run_together(processes, [&](std::shared_ptr<Wire> wire) {
    const Communicator communicator(std::move(wire));
    const Model model = garments();
    const auto device = make_cpu_device(Precision::f32);
    check_same_pictures(communicator, model, *device, options);
    Outcome mine;
    mine.images = generate_together(communicator, model, *device, options, steps,
                                    [&](const GenerateStep& step) { note(step, mine.told); });
    if (communicator.leads()) {
      of_leader = std::move(mine);
    } else {
      EXPECT_TRUE(mine.images.empty());
    }
  });
  return of_leader;
}

TEST(GenerateTogether, MakesThePicturesOfOneProcess) {
  GenerateOptions options;
  options.count = 5;
  options.first = 3;
  options.batch = 2;
  const Outcome one = make(1, options, StepsTold::all);
  ASSERT_EQ(one.images.size(), 5u);
  for (const int processes : {2, 3, 7}) {
    Outcome several = make(processes, options, StepsTold::all);
    EXPECT_EQ(several.images, one.images) << processes;
    // The same states, batch by batch as each process has them, and those of each image in order.
    Outcome alone = one;
    std::ranges::stable_sort(several.told, {}, [](const Told& told) { return std::get<1>(told); });
    std::ranges::stable_sort(alone.told, {}, [](const Told& told) { return std::get<1>(told); });
    EXPECT_EQ(several.told, alone.told) << processes;
  }
}

TEST(GenerateTogether, TheLeaderIsToldOfTheStepsThatItWants) {
  GenerateOptions options;
  options.count = 4;
  const auto of_others = [](const Outcome& outcome) {
    std::vector<std::pair<int, int>> steps;
    for (const auto& [step, image, x] : outcome.told)
      if (image >= 2) steps.emplace_back(step, image);
    return steps;
  };
  EXPECT_TRUE(of_others(make(2, options, StepsTold::none)).empty());
  EXPECT_EQ(of_others(make(2, options, StepsTold::last)), (std::vector{std::pair{3, 2}, std::pair{3, 3}}));
}

TEST(GenerateTogether, NoiseThatIsGivenGoesToItsImages) {
  GenerateOptions options;
  options.count = 3;
  for (std::size_t k = 0; k < 3 * 28 * 28; ++k) options.noise.push_back(float(k % 7) - 3);
  EXPECT_EQ(make(3, options, StepsTold::none).images, make(1, options, StepsTold::none).images);
}

TEST(GenerateTogether, OtherPicturesAreRefused) {
  std::atomic<int> refused = 0;
  const auto work = [&](std::shared_ptr<Wire> wire) {
    const Communicator communicator(std::move(wire));
    Model model = garments();
    const auto device = make_cpu_device(Precision::f32);
    GenerateOptions options;
    if (communicator.rank() == 1) {
      options.seed = 5;
      model.params.values()[0] += 1;
    }
    if (!communicator.leads())
      return static_cast<void>(check_same_pictures(communicator, model, *device, options));
    const std::string message = scratch::error_of(
        ErrorKind::usage, [&] { check_same_pictures(communicator, model, *device, options); });
    EXPECT_NE(message.find("process 1 of 2"), std::string::npos) << message;
    EXPECT_NE(message.find("seed (5 there, 0 here)"), std::string::npos) << message;
    EXPECT_NE(message.find("an evaluation ("), std::string::npos) << message;
    ++refused;
  };
  // The other hears nothing more.
  EXPECT_THROW(run_together(2, work), Error);
  EXPECT_EQ(refused, 1);
}

}  // namespace
}  // namespace diffusion
