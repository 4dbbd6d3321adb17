// The tutorial's training, on its data, against the losses it printed.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "cli_program.h"
#include "formats/json.h"
#include "support/fixtures.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

std::vector<double> losses_of_tutorial(const std::filesystem::path& run) {
  std::ifstream log(run / "log.jsonl");
  std::vector<double> losses;
  for (std::string line; std::getline(log, line);)
    losses.push_back(to_double(*parse_json(line, "log.jsonl").find("loss"), "loss"));
  return losses;
}

// Printed there, single batches of 16: step 0 0.43375, step 500 0.11377 (the older tutorial: 0.4648 at step
// 0). Single batches scatter by about 0.023 around their mean at step 500 (measured over 50 of them). One
// thread, because two that wait for each other starve where tests run at once.
TEST(Tutorial, FirstFiveHundredLossesLieInThePrintedBand) {
  const auto data = fixtures::real_data();
  if (!data || !std::filesystem::exists(*data / "fashion-mnist"))
    GTEST_SKIP() << "skipped: no Fashion-MNIST in DIFFUSION_DATA_DIR or ../shared/data";
  const scratch::Folder folder;
  const auto run = folder.path() / "run";
  const cli::Outcome outcome =
      cli::run({"train", "--preset", "tutorial", "--steps", "501", "--preview-every", "0", "--threads", "1",
                "--quiet", "--data-dir", data->string(), "--out", run.string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("epoch 0 step 0: loss 0."), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("epoch 0 step 500: loss 0."), std::string::npos) << outcome.err;

  const std::vector<double> losses = losses_of_tutorial(run);
  ASSERT_EQ(losses.size(), 501u);
  // A network that answers zero starts at 0.42466; this one starts with small random answers.
  EXPECT_GT(losses[0], 0.40);
  EXPECT_LT(losses[0], 0.53);
  const double around_500 = std::accumulate(losses.end() - 50, losses.end(), 0.0) / 50;
  EXPECT_NEAR(around_500, 0.11377, 0.023);
  EXPECT_LT(*std::max_element(losses.end() - 50, losses.end()), 0.11377 + 4 * 0.023);
  // It falls all the way, and neither collapses nor stalls on the way.
  const auto mean_at = [&](std::ptrdiff_t step) {
    return std::accumulate(losses.begin() + step - 25, losses.begin() + step + 25, 0.0) / 50;
  };
  EXPECT_GT(mean_at(50), mean_at(150));
  EXPECT_GT(mean_at(150), mean_at(300));
  EXPECT_GT(mean_at(300), around_500);
}

}  // namespace
}  // namespace diffusion
