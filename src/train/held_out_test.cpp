#include "train/held_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <diffusion/device.h>
#include "data/shapes.h"
#include "support/scratch.h"
#include "train/presets.h"
#include "train/run.h"
#include "train/run_log.h"

namespace diffusion {
namespace {

// Windows of 16 x 16, to be quick.
Dataset small_shapes(int count, std::uint64_t seed) {
  Dataset shapes = make_shapes(count, seed);
  shapes.margin = {12, 12};
  return shapes;
}

// A network with random weights for the shapes, which answers nothing of use.
struct Fresh {
  explicit Fresh(Objective objective = Objective::v, bool conditional = true) {
    config = preset_config("tiny");
    config.objective = objective;
    config.precision = Precision::f32;
    std::get<UNetConfig>(config.network).block_out_channels = {16, 16};
    const Dataset shapes = small_shapes(10, 0);
    config.network = fitted_to(config.network, {16, 16}, 1, conditional ? 11 : 0);
    model.emplace(Model{config.network,
                        make_preconditioner(config),
                        shapes.class_names,
                        10,
                        {},
                        ParamStore(layout_of(config.network))});
    if (!conditional) model->null_class.reset();
    model->params.initialize(1);
    device = make_cpu_device(Precision::f32);
  }
  HeldOut held_out(int images = 500) const {
    return {small_shapes(images, 1), config, model->preconditioner};
  }

  TrainConfig config;
  std::optional<Model> model;
  std::shared_ptr<const Device> device;
};

TEST(HeldOut, IsTheSameNumberEveryTime) {
  Fresh s;
  const HeldOut held_out = s.held_out();
  const HeldOutLoss first = held_out.measure(*s.model, *s.device),
                    again = s.held_out().measure(*s.model, *s.device);
  EXPECT_EQ(first.loss, again.loss);
  EXPECT_EQ(first.by_sigma, again.by_sigma);
  s.config.seed = 77;
  EXPECT_EQ(s.held_out().measure(*s.model, *s.device).loss, first.loss) << "whatever the seed of the run";
  s.model->params.initialize(2);
  s.model->params.mark_changed();
  EXPECT_NE(held_out.measure(*s.model, *s.device).loss, first.loss);
}

TEST(HeldOut, BinsHaveEqualSharesOfTheNoiseLevelsOfTraining) {
  for (const Objective objective : {Objective::v, Objective::edm, Objective::flow}) {
    Fresh s(objective);
    const HeldOutLoss measured = s.held_out().measure(*s.model, *s.device);
    ASSERT_EQ(measured.by_sigma.size(), std::size_t(HeldOut::kBins));
    ASSERT_EQ(measured.sigma.size(), std::size_t(HeldOut::kBins) + 1);
    EXPECT_TRUE(std::ranges::is_sorted(measured.sigma));
    const double mean =
        std::accumulate(measured.by_sigma.begin(), measured.by_sigma.end(), 0.0) / HeldOut::kBins;
    EXPECT_NEAR(measured.loss, mean, 1e-12);
    constexpr int kDraws = 6000;
    for (int bin = 1; bin < HeldOut::kBins; ++bin) {
      int below = 0;
      for (std::uint32_t i = 0; i < kDraws; ++i)
        below += s.model->preconditioner.sigma_at((i + 0.5) / kDraws) < measured.sigma[std::size_t(bin)];
      EXPECT_NEAR(double(below) / kDraws, double(bin) / HeldOut::kBins, 0.02) << to_string(objective);
    }
  }
}

// A fresh network answers little, so the loss is the mean square of the target: for epsilon that of N(0, 1).
TEST(HeldOut, IsTheTrainingLoss) {
  Fresh s(Objective::epsilon);
  std::ranges::fill(s.model->params.values(), 0.f);
  s.model->params.mark_changed();
  const HeldOutLoss measured = s.held_out().measure(*s.model, *s.device);
  for (const double loss : measured.by_sigma) EXPECT_NEAR(loss, 1, 0.03);
  s.config.loss = LossKind::huber;
  EXPECT_NEAR(s.held_out().measure(*s.model, *s.device).loss, 0.42466, 0.005);
  s.config.loss = LossKind::mse;
  s.config.weighting.kind = WeightingKind::min_snr;
  const HeldOutLoss weighted = s.held_out().measure(*s.model, *s.device);
  EXPECT_LT(weighted.by_sigma.front(), 0.5) << "little noise: gamma / SNR is small";
  EXPECT_NEAR(weighted.by_sigma.back(), 1, 0.03) << "much noise: SNR is below gamma";
}

TEST(HeldOut, LabelsReachTheNetwork) {
  Fresh with;
  const double right = with.held_out().measure(*with.model, *with.device).loss;
  Dataset wrong = small_shapes(500, 1);
  for (std::uint16_t& label : wrong.labels) label = std::uint16_t((label + 1) % 10);
  const HeldOut other(std::move(wrong), with.config, with.model->preconditioner);
  EXPECT_NE(other.measure(*with.model, *with.device).loss, right);
  Fresh without(Objective::v, false);
  EXPECT_TRUE(std::isfinite(without.held_out().measure(*without.model, *without.device).loss));
}

TEST(HeldOut, FewImagesAreShownAgain) {
  Fresh s;
  EXPECT_TRUE(std::isfinite(s.held_out(3).measure(*s.model, *s.device).loss));
}

TEST(HeldOut, IsDueAtMultiplesAndAtTheEndOfLongRuns) {
  Fresh s;
  EXPECT_EQ(held_out_interval(64), 200);
  EXPECT_EQ(held_out_interval(16), 800);
  EXPECT_EQ(held_out_interval(1'000'000), 1);
  s.config.batch = 64;
  const HeldOut automatic = s.held_out();
  EXPECT_FALSE(automatic.is_due(199, false));
  EXPECT_TRUE(automatic.is_due(200, false));
  EXPECT_FALSE(automatic.is_due(150, true)) << "a short run is not held up";
  EXPECT_TRUE(automatic.is_due(250, true));
  s.config.held_out_every = 7;
  EXPECT_TRUE(s.held_out().is_due(14, false));
  s.config.held_out_every = 0;
  EXPECT_FALSE(s.held_out().is_due(200, false));
  EXPECT_FALSE(s.held_out().is_due(200, true));
}

TEST(HeldOut, OnlyOtherImagesOfTheSameKindAreAccepted) {
  const Dataset training = make_shapes(50, 0);
  EXPECT_EQ(why_not_held_out(training, make_shapes(50, 1), true), "");
  EXPECT_NE(why_not_held_out(training, make_shapes(50, 0), true).find("no test images apart"),
            std::string::npos);
  Dataset renamed = make_shapes(50, 1);
  renamed.class_names[3] = "other";
  EXPECT_NE(why_not_held_out(training, renamed, true).find("classes"), std::string::npos);
  EXPECT_EQ(why_not_held_out(training, renamed, false), "");
  Dataset narrow = make_shapes(50, 1);
  narrow.margin = {0, 4};
  EXPECT_NE(why_not_held_out(training, narrow, false).find("28x24x1"), std::string::npos);
  Dataset whole = make_shapes(50, 0), shard = make_shapes(50, 0);  // as of a folder without test/
  whole.content_hash = shard.content_hash = 9;
  EXPECT_NE(why_not_held_out(take_shard(shard, 5, 1), whole, true), "");
}

TrainConfig run_config(std::int64_t steps) {
  TrainConfig c = preset_config("tiny");
  std::get<UNetConfig>(c.network).block_out_channels = {16, 16};
  c.data = "shapes";
  c.batch = 8;
  c.budget.steps = steps;
  c.preview_every = 0;
  c.held_out_every = 3;
  return c;
}

RunLog train(const TrainConfig& config, const std::filesystem::path& folder, bool measured,
             int stop_after = 0) {
  std::optional<Dataset> held_out;
  if (measured) held_out = small_shapes(100, 1);
  TrainingRun run(
      config, small_shapes(100, 0), folder, [](const std::string&) {}, std::move(held_out));
  std::atomic<bool> stop = false;
  int steps = 0;
  run.train([&](const StepReport&) { stop = ++steps == stop_after; }, stop);
  return read_run_log(folder);
}

std::vector<std::pair<double, double>> measurements(const RunLog& log) {
  std::vector<std::pair<double, double>> found;
  for (const auto& [step, loss] : log.held_out) found.emplace_back(step, loss.loss);
  return found;
}

TEST(TrainingRun, MeasuresTheSameHeldOutLossAcrossResumesAndWithoutChangingTheRun) {
  const scratch::Folder folder;
  const RunLog whole = train(run_config(8), folder.path() / "whole", true);
  ASSERT_EQ(whole.held_out.size(), 3u);
  EXPECT_EQ(whole.held_out[0].step, 3);
  EXPECT_EQ(whole.held_out[2].step, 8) << "the end";
  EXPECT_NE(whole.held_out[0].measured.loss, whole.held_out[1].measured.loss);
  train(run_config(8), folder.path() / "parts", true, 3);
  train(run_config(8), folder.path() / "parts", true, 2);
  const RunLog parts = train(run_config(8), folder.path() / "parts", true);
  EXPECT_EQ(measurements(parts), measurements(whole));
  EXPECT_EQ(parts.loss, whole.loss);
  const RunLog without = train(run_config(8), folder.path() / "without", false);
  EXPECT_EQ(without.loss, whole.loss);
  EXPECT_TRUE(without.held_out.empty());
}

}  // namespace
}  // namespace diffusion
