// Training that starts from a trained model: what `diffusion train --from` runs.

#include "train/starting_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "data/image_form.h"
#include "data/shapes.h"
#include "diffusers/pipeline.h"
#include "support/scratch.h"
#include "train/presets.h"
#include "train/run.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

const TrainingRun::Report kSilent = [](const std::string&) {};
const std::atomic<bool> kGoOn = false;
constexpr int kImages = 60;

TrainConfig quick(TrainConfig c, std::int64_t steps) {
  c.data = "shapes";
  c.batch = 8;
  c.precision = Precision::f32;
  c.preview_every = 0;
  c.budget.steps = steps;
  return c;
}

class StartingModel : public ::testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  Model model(const std::string& run) const { return read_pipeline(path(run) / "latest"); }

  // The losses of a run that starts from `start` if there is one.
  std::vector<double> train(const TrainConfig& c, const std::string& run,
                            std::optional<Model> start = {}) const {
    std::vector<double> losses;
    TrainingRun(c, make_shapes(kImages, 0), path(run), kSilent, {}, std::move(start))
        .train([&](const StepReport& r) { losses.push_back(r.loss); }, kGoOn);
    return losses;
  }

  scratch::Folder folder_;
};

TEST_F(StartingModel, ItsNetworkObjectiveAndClassesStay) {
  TrainConfig c = quick(preset_config("tiny"), 2);
  c.objective = Objective::flow;
  c.timesteps = 500;
  train(c, "flow");
  const Model start = model("flow");
  const TrainConfig further = starting_from(start, preset_config("fashion-mnist"));
  EXPECT_EQ(further.objective, Objective::flow);
  EXPECT_EQ(further.timesteps, 500);
  EXPECT_EQ(to_json(further.network), to_json(start.network));
  EXPECT_EQ(further.start, fingerprint_of(start));
  EXPECT_TRUE(further.conditional);
  EXPECT_EQ(further.optimizer, OptimizerKind::muon);  // the preset's
  EXPECT_EQ(further.batch, 128);

  const TrainingRun run(quick(further, 1), make_shapes(kImages, 0), path("further"), kSilent, {},
                        model("flow"));
  EXPECT_TRUE(std::ranges::equal(run.model().params.values(), start.params.values()));
  EXPECT_EQ(run.model().class_names, start.class_names);
  EXPECT_EQ(run.model().null_class, start.null_class);
  EXPECT_EQ(name_of(run.model().sampling.sampler), name_of(start.sampling.sampler));
}

TEST_F(StartingModel, TrainingGoesOnWhereTheModelWas) {
  train(quick(preset_config("tiny"), 150), "first");
  TrainConfig c = quick(starting_from(model("first"), preset_config("tiny")), 40);
  c.learning_rate = 2e-4;
  c.seed = 1;
  const std::vector<double> further = train(c, "further", model("first"));
  TrainConfig fresh = quick(preset_config("tiny"), 40);
  fresh.seed = 1;
  const std::vector<double> from_noise = train(fresh, "fresh");
  const auto mean = [](const std::vector<double>& v) {
    double sum = 0;
    for (const double x : v) sum += x / double(v.size());
    return sum;
  };
  EXPECT_LT(mean(further), 0.5 * mean(from_noise));
  const Model after = model("further"), before = model("first");
  EXPECT_FALSE(std::ranges::equal(after.params.values(), before.params.values()));
  EXPECT_EQ(name_of(after.sampling.sampler), name_of(before.sampling.sampler));
  EXPECT_EQ(scheduler_config_of(after), scheduler_config_of(before));
}

TEST_F(StartingModel, AnotherStartIsAnotherRun) {
  train(quick(preset_config("tiny"), 2), "first");
  const TrainConfig c = quick(starting_from(model("first"), preset_config("tiny")), 4);
  train(c, "run", model("first"));
  Model other = model("first");
  other.params.values()[0] += 1e-3f;
  const auto message_of = [&](const TrainConfig& config, std::optional<Model> start) {
    return scratch::error_of(ErrorKind::usage, [&] {
      TrainingRun(config, make_shapes(kImages, 0), path("run"), kSilent, {}, std::move(start));
    });
  };
  const TrainConfig changed = quick(starting_from(other, preset_config("tiny")), 4);
  for (const std::string& message :
       {message_of(changed, std::move(other)), message_of(quick(preset_config("tiny"), 4), {})}) {
    EXPECT_NE(message.find("other settings"), std::string::npos) << message;
    EXPECT_NE(message.find("start (\"" + *c.start), std::string::npos) << message;
  }
}

TEST_F(StartingModel, AnotherSizeIsTakenWhenItIsAskedFor) {
  train(quick(preset_config("tiny"), 2), "small");
  const Model small = model("small");
  const auto large = [] { return reform(make_shapes(kImages, 0), {.size = std::array{40, 48}}); };
  const auto start_from_small = [&](const TrainConfig& c) {
    TrainingRun run(c, large(), path("large"), kSilent, {}, model("small"));
    run.train([](const StepReport&) {}, kGoOn);
  };
  TrainConfig c = quick(starting_from(small, preset_config("tiny")), 2);
  const std::string message = scratch::error_of(ErrorKind::usage, [&] { start_from_small(c); });
  EXPECT_NE(message.find("those of the data 40x48x"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(path("large")));

  c.form.size = {40, 48};
  start_from_small(c);
  EXPECT_EQ(model("large").traits().sample_size, (std::array{40, 48}));
  EXPECT_EQ(model("large").params.layout().parameter_count(), small.params.layout().parameter_count());
  start_from_small(c);  // resumes
}

TEST_F(StartingModel, TheSizeOfAPresetGivesWayToThatOfTheModel) {
  train(quick(preset_config("tiny"), 2), "small");
  const std::array size = model("small").traits().sample_size;
  EXPECT_EQ(starting_from(model("small"), preset_config("folder-64")).form.size, size);
  EXPECT_FALSE(starting_from(model("small"), preset_config("tiny")).form.size);
}

TEST_F(StartingModel, ATunedModelIsRefused) {
  train(quick(preset_config("tiny"), 2), "first");
  train(quick(tuning_config(model("first")), 2), "tuned", model("first"));
  const std::string message = scratch::error_of(ErrorKind::usage, [&] {
    train(quick(starting_from(model("tuned"), preset_config("tiny")), 2), "refused", model("tuned"));
  });
  EXPECT_NE(message.find("few evaluations"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(path("refused")));
}

}  // namespace
}  // namespace diffusion
