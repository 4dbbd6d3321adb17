// TrainingRun with TrainConfig::consistency: what `diffusion distill` runs.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "data/shapes.h"
#include "diffusers/pipeline.h"
#include "files/fs.h"
#include "support/scratch.h"
#include "train/presets.h"
#include "train/run.h"
#include "train/starting_model.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

TrainConfig tiny_config() {
  TrainConfig c = preset_config("tiny");
  c.data = "shapes";
  c.batch = 8;
  c.precision = Precision::f32;
  c.preview_every = 0;
  c.budget.steps = 4;
  std::get<UNetConfig>(c.network).dropout = 0.1;  // the same in both evaluations, and after a resume
  return c;
}

const TrainingRun::Report kSilentTuning = [](const std::string&) {};
const std::atomic<bool> kGoOnTuning = false;

class Tuning : public ::testing::Test {
 protected:
  // A model after a few steps of training, with its averaged weights.
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    make_teacher("teacher", tiny_config());
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static fs::path path(const std::string& name) { return folder_->path() / name; }
  static void make_teacher(const std::string& name, const TrainConfig& config) {
    TrainingRun(config, make_shapes(60, 0), path(name), kSilentTuning)
        .train([](const StepReport&) {}, kGoOnTuning);
  }
  static Model teacher(const std::string& name = "teacher") { return read_pipeline(path(name) / "latest"); }

  static TrainConfig config(const Model& model, std::int64_t steps = 8) {
    TrainConfig c = tuning_config(model);
    c.data = "shapes";
    c.batch = 8;
    c.precision = Precision::f32;
    c.preview_every = 0;
    c.budget.steps = steps;
    return c;
  }

  // Stops after `stop_after` steps of this session if that is not 0.
  static std::vector<double> tune(const TrainConfig& c, const std::string& name, int stop_after = 0) {
    TrainingRun run(c, make_shapes(60, 0), path(name), kSilentTuning, {}, teacher());
    std::vector<double> losses;
    std::atomic<bool> stop = false;
    run.train(
        [&](const StepReport& r) {
          losses.push_back(r.loss);
          if (int(losses.size()) == stop_after) stop = true;
        },
        stop);
    return losses;
  }

  static std::string refusal(const TrainConfig& c, Dataset dataset, Model model) {
    const std::string message = scratch::error_of(ErrorKind::usage, [&] {
      TrainingRun(c, std::move(dataset), path("refused"), kSilentTuning, {}, std::move(model));
    });
    EXPECT_FALSE(fs::exists(path("refused")));
    return message;
  }

  static inline std::unique_ptr<scratch::Folder> folder_;
};

TEST_F(Tuning, StartsFromTheWeightsOfTheTeacher) {
  const TrainingRun run(config(teacher()), make_shapes(60, 0), path("start"), kSilentTuning, {}, teacher());
  const Model start = teacher();
  EXPECT_TRUE(std::ranges::equal(run.model().params.values(), start.params.values()));
  EXPECT_EQ(run.model().class_names, start.class_names);
  EXPECT_EQ(run.model().null_class, start.null_class);
}

TEST_F(Tuning, ResumedRunIsTheSameBytes) {
  const TrainConfig c = config(teacher());
  const std::vector<double> whole = tune(c, "whole");
  std::vector<double> parts = tune(c, "parts", 3);
  EXPECT_EQ(parts.size(), 3u);
  for (const double loss : tune(c, "parts")) parts.push_back(loss);
  EXPECT_EQ(parts, whole);
  for (const char* file : {"unet/diffusion_pytorch_model.safetensors", "training/state.safetensors",
                           "diffusion.json", "scheduler/scheduler_config.json"})
    EXPECT_EQ(read_text_file(path("whole") / "latest" / file, 1 << 24),
              read_text_file(path("parts") / "latest" / file, 1 << 24))
        << file;
}

TEST_F(Tuning, TheFilesSayHowToSample) {
  tune(config(teacher(), 2), "files");
  const Model tuned = teacher("files"), before = teacher();
  EXPECT_EQ(name_of(tuned.sampling.sampler), "consistency");
  EXPECT_EQ(tuned.sampling.levels.spacing, Spacing::angle);
  EXPECT_EQ(tuned.sampling.limit.kind, before.sampling.limit.kind);
  EXPECT_EQ(name_of(before.sampling.sampler), "ddpm");
  EXPECT_EQ(scheduler_config_of(tuned), scheduler_config_of(before));  // diffusers reads it as before
  EXPECT_NE(fingerprint_of(tuned), fingerprint_of(before));
}

TEST_F(Tuning, AccumulationComputesTheSameLoss) {
  Model plain = teacher();
  std::get<UNetConfig>(plain.network).dropout = 0;
  TrainConfig c = config(plain, 5);
  const auto losses = [&](const std::string& run, int accumulate, int slices = 1) {
    Model model = teacher();
    model.network = plain.network;
    c.accumulate = accumulate;
    c.slices = slices;
    std::vector<double> all;
    TrainingRun(c, make_shapes(60, 0), path(run), kSilentTuning, {}, std::move(model))
        .train([&](const StepReport& r) { all.push_back(r.loss); }, kGoOnTuning);
    return all;
  };
  const std::vector<double> at_once = losses("at-once", 1), in_parts = losses("in-parts", 4),
                            in_slices = losses("in-slices", 2, 2);
  ASSERT_EQ(at_once.size(), in_parts.size());
  ASSERT_EQ(at_once.size(), in_slices.size());
  for (std::size_t i = 0; i < at_once.size(); ++i) {
    EXPECT_NEAR(in_parts[i], at_once[i], 1e-3 * at_once[i]) << i;
    EXPECT_NEAR(in_slices[i], at_once[i], 1e-3 * at_once[i]) << i;
  }
}

TEST_F(Tuning, EveryObjectiveIsTuned) {
  for (const Objective objective : {Objective::epsilon, Objective::edm, Objective::flow}) {
    const std::string name(to_string(objective));
    TrainConfig c = tiny_config();
    c.objective = objective;
    make_teacher(name, c);
    std::vector<double> losses;
    TrainingRun(config(teacher(name), 6), make_shapes(60, 0), path(name + "-tuned"), kSilentTuning, {},
                teacher(name))
        .train([&](const StepReport& r) { losses.push_back(r.loss); }, kGoOnTuning);
    EXPECT_EQ(losses.size(), 6u) << name;
    EXPECT_TRUE(std::ranges::all_of(losses, [](double loss) { return loss > 0 && loss < 100; })) << name;
  }
}

TEST_F(Tuning, AnObjectiveWithoutAFixedEndIsRefused) {
  TrainConfig c = tiny_config();
  c.objective = Objective::x0;
  make_teacher("x0", c);
  const std::string message = refusal(config(teacher("x0")), make_shapes(60, 0), teacher("x0"));
  EXPECT_NE(message.find("x0"), std::string::npos) << message;
  EXPECT_NE(message.find("epsilon, v, edm or flow"), std::string::npos) << message;
}

TEST_F(Tuning, AnotherTeacherIsRefused) {
  const TrainConfig c = config(teacher());
  tune(c, "mine", 1);
  Model other = teacher();
  other.params.values()[0] += 1e-3f;
  TrainConfig changed = config(other);
  EXPECT_NE(changed.start, c.start);
  const std::string message = scratch::error_of(ErrorKind::usage, [&] {
    TrainingRun(changed, make_shapes(60, 0), path("mine"), kSilentTuning, {}, std::move(other));
  });
  for (const char* part : {"other settings", "start (", "another folder"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST_F(Tuning, ImagesThatTheTeacherDoesNotMakeAreRefused) {
  const TrainConfig c = config(teacher());
  const auto expect = [](const std::string& message, const std::vector<const char*>& parts) {
    for (const char* part : parts) EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  Dataset wide = make_shapes(60, 0);
  wide.margin = {0, 8};
  expect(refusal(c, wide, teacher()), {"28x28x1", "28x20x1", wide.name.c_str()});
  Dataset unlabeled = make_shapes(60, 0);
  unlabeled.labels.clear();
  unlabeled.class_names.clear();
  expect(refusal(c, unlabeled, teacher()), {"no labels"});
  Dataset renamed = make_shapes(60, 0);
  renamed.class_names[3] = "egg";
  expect(refusal(c, renamed, teacher()), {"class 3", "frame", "egg"});
  Dataset more = make_shapes(60, 0);
  more.class_names.emplace_back("egg");
  expect(refusal(c, more, teacher()), {"10 classes", "11"});

  Model always_a_class = teacher();
  always_a_class.null_class.reset();
  more.class_names.back() = "no class";
  always_a_class.class_names.clear();
  expect(refusal(c, more, std::move(always_a_class)), {"label_dropout is 0.1", "no null class"});
}

TEST_F(Tuning, AnUnconditionalTeacherNeedsNoLabels) {
  TrainConfig c = tiny_config();
  c.conditional = false;
  make_teacher("unconditional", c);
  Dataset unlabeled = make_shapes(60, 0);
  unlabeled.labels.clear();
  unlabeled.class_names.clear();
  for (const Dataset& dataset : {unlabeled, make_shapes(60, 0)})
    EXPECT_TRUE(TrainingRun(config(teacher("unconditional"), 2), dataset,
                            path("of-" + std::to_string(dataset.labels.size())), kSilentTuning, {},
                            teacher("unconditional"))
                    .train([](const StepReport&) {}, kGoOnTuning));
}

}  // namespace
}  // namespace diffusion
