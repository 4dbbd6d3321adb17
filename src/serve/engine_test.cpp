#include "serve/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>

#include <diffusion/error.h>
#include <diffusion/generate.h>
#include "base/rng.h"
#include "cli_program.h"
#include "device/cpu/cpu_device.h"
#include "train/presets.h"

namespace diffusion::serve {
namespace {

using namespace std::chrono_literals;

std::shared_ptr<const Model> served_tiny(std::uint64_t seed = 7, bool guidance = true) {
  return std::make_shared<const Model>(cli::tiny_model({.guidance = guidance, .seed = seed}));
}

// The channel counts, and so the kernels, of the model that comes with the program.
std::shared_ptr<const Model> served_small() {
  UNetConfig unet = std::get<UNetConfig>(preset_config("fashion-mnist").network);
  unet.sample_size = {12, 12};
  unet.in_channels = unet.out_channels = 1;
  unet.class_embed_type = ClassEmbedding::table;
  unet.num_class_embeds = 11;
  auto model =
      std::make_shared<Model>(Model{unet,
                                    Preconditioner(Objective::v, make_schedule(ScheduleKind::cosine, 1000)),
                                    {},
                                    10,
                                    {},
                                    ParamStore(layout_of(unet))});
  model->params.initialize(1);
  return model;
}

// A job that somebody waits for.
struct Asked {
  std::shared_ptr<std::promise<void>> finished = std::make_shared<std::promise<void>>();
  std::shared_ptr<Job> job;

  Asked(Engine& engine, JobRequest request, Job::Listener listen = {}) {
    job =
        engine.submit(std::move(request), [finished = finished, listen](const Job& j, const JobEvent& event) {
          if (listen) listen(j, event);
          if (event.finished) finished->set_value();
        });
  }
  JobProgress wait() const {
    finished->get_future().wait();
    return job->progress();
  }
};

JobRequest request_for(const std::string& name, int count, int steps) {
  JobRequest request;
  request.model = name;
  request.options.sampling.count = count;
  request.options.sampling.recipe = SamplingRecipe{.sampler = Dpmpp{}, .steps = steps};
  return request;
}

// Number k of many different ones: all samplers, few and many steps, guidance, labels, edits.
JobRequest random_request(const std::string& name, const Model& model, std::uint32_t k) {
  const auto any = [&](std::uint32_t bound, std::uint32_t what) {
    return int(uniform_below({11, Stream::shuffle, k, what}, bound));
  };
  const std::span<const SamplerEntry> all = samplers();
  const int side = model.traits().sample_size[0];
  JobRequest request;
  request.model = name;
  GenerateOptions& o = request.options.sampling;
  o.count = 1 + any(2, 0);
  o.first = any(40, 1);
  o.seed = std::uint64_t(any(1000, 2));
  if (any(2, 3) == 0) o.label = any(std::uint32_t(model.class_count()), 4);
  SamplingRecipe recipe = with_sampler(default_recipe(model), all[k % all.size()].sampler, model);
  recipe.steps = any(16, 5) == 0 ? 1 + any(50, 6) : 1 + any(5, 6);
  if (model.null_class && any(3, 7) == 0)
    recipe.guidance = {.scale = 2.5, .sigma_low = 0.1, .rescale = any(2, 8) == 0 ? 0.5 : 0.0};
  o.recipe = recipe;
  request.previews = any(3, 9);
  if (any(4, 10) == 0) {
    Image picture{side, side, 1, std::vector<std::uint8_t>(std::size_t(side) * std::size_t(side))};
    for (std::size_t p = 0; p < picture.pixels.size(); ++p)
      picture.pixels[p] = std::uint8_t(uniform_below({12, Stream::shapes, k, 0}, 256, std::uint32_t(p)));
    if (any(2, 11) == 0) {
      request.options.mask = picture;
      for (std::size_t p = 0; p < picture.pixels.size(); ++p)
        request.options.mask.pixels[p] = p % 2 == 0 ? 0 : 255;
      request.options.jump = request.options.resample = 2;
    }
    request.options.strength = double(any(5, 12)) / 4;
    request.pictures.push_back(std::move(picture));
  }
  return request;
}

std::vector<Image> made_alone(const Model& model, const Device& device, const JobRequest& request) {
  return request.pictures.empty() ? generate(model, device, request.options.sampling)
                                  : edit(model, device, request.pictures, request.options);
}

// Makes the engine's thread wait in a job's first step, until it is opened.
struct Gate {
  std::promise<void> reached, opened;
  std::atomic<bool> first = true;
  Job::Listener listener() {
    return [this](const Job&, const JobEvent&) {
      if (!first.exchange(false)) return;
      reached.set_value();
      opened.get_future().wait();
    };
  }
};

// Requests that come at any time, half of them while the engine is held up, some of which are cancelled at
// any time.
void expect_the_pictures_of_each_alone(const std::shared_ptr<const Model>& model, Precision precision,
                                       std::uint32_t requests) {
  if (precision == Precision::bf16 && !multiplies_bf16())
    GTEST_SKIP() << "skipped: this CPU does not multiply bf16";
  const std::shared_ptr<const Device> device = make_cpu_device(precision);
  Engine engine({{"a", model}}, device,
                {.threads = 1, .waiting = int(requests), .most_rows = 12, .most_seconds = 10, .enough = 0});
  Gate gate;
  const Asked holder(engine, request_for("a", 1, 1), gate.listener());
  std::vector<Asked> asked;
  for (std::uint32_t k = 0; k < requests; ++k) {
    if (k == requests / 2) gate.opened.set_value();
    const std::uint32_t delay = uniform_below({13, Stream::shuffle, k, 0}, 2000);
    if (k % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(delay));
    asked.emplace_back(engine, random_request("a", *model, k));
    ASSERT_TRUE(asked.back().job);
    if (k % 7 == 6) asked[k - delay % 7].job->cancel();
  }
  std::uint32_t done = std::uint32_t(holder.wait().state == JobState::done);
  for (std::uint32_t k = 0; k < requests; ++k) {
    const JobProgress progress = asked[k].wait();
    if (progress.state == JobState::cancelled) continue;
    ASSERT_EQ(progress.state, JobState::done) << progress.error;
    EXPECT_EQ(progress.steps_done, progress.steps);
    EXPECT_EQ(asked[k].job->images(), made_alone(*model, *device, asked[k].job->request()))
        << "request " << k;
    ++done;
  }
  EXPECT_GE(done, requests * 6 / 7);
  const EngineCounts counts = engine.counts();
  EXPECT_EQ(counts.done, done);
  EXPECT_EQ(counts.done + counts.cancelled, requests + 1);
  EXPECT_GT(counts.rows, counts.evaluations * 3 / 2);  // they did have company
}

// Run for every instruction set that the machine has (CMakeLists.txt), hence the name.
TEST(EngineOnCpu, MakesThePicturesOfEachRequestAloneInF32) {
  expect_the_pictures_of_each_alone(served_small(), Precision::f32, 21);
}

TEST(EngineOnCpu, MakesThePicturesOfEachRequestAloneInBf16) {
  expect_the_pictures_of_each_alone(served_small(), Precision::bf16, 21);
}

TEST(Engine, MakesThePicturesOfManyRequestsAlone) {
  expect_the_pictures_of_each_alone(served_tiny(), Precision::f32, 100);
}

TEST(Engine, ServesSeveralModelsInTurns) {
  const auto device = make_cpu_device(Precision::f32);
  const auto a = served_tiny(1), b = served_tiny(2, false);
  Engine engine({{"a", a}, {"b", b}}, device, {.threads = 1, .most_rows = 4});
  std::vector<Asked> asked;
  for (std::uint32_t k = 0; k < 12; ++k)
    asked.emplace_back(engine, random_request(k % 2 == 0 ? "a" : "b", k % 2 == 0 ? *a : *b, k));
  for (std::uint32_t k = 0; k < 12; ++k) {
    ASSERT_EQ(asked[k].wait().state, JobState::done);
    EXPECT_EQ(asked[k].job->images(), made_alone(k % 2 == 0 ? *a : *b, *device, asked[k].job->request()));
  }
}

TEST(Engine, TellsOfStepsAndPreviewsAndTheEnd) {
  const auto model = served_tiny();
  Engine engine({{"a", model}}, make_cpu_device(Precision::f32), {.threads = 1, .most_rows = 4});
  JobRequest request = request_for("a", 2, 6);
  request.previews = 3;
  std::vector<int> previewed, steps(2);
  std::vector<Image> last(2);
  const Asked asked(engine, request, [&](const Job&, const JobEvent& event) {
    if (event.finished) return;
    EXPECT_EQ(event.step, ++steps[std::size_t(event.image)]);
    if (!event.preview) return;
    previewed.push_back(event.step);
    last[std::size_t(event.image)] = *event.preview;
  });
  ASSERT_EQ(asked.wait().state, JobState::done);
  EXPECT_EQ(previewed, (std::vector{2, 2, 4, 4, 6, 6}));
  EXPECT_EQ(steps, (std::vector{6, 6}));
  EXPECT_EQ(last, asked.job->images());  // the last state is the result
}

TEST(Engine, DropsACancelledJobBeforeTheNextEvaluation) {
  Engine engine({{"a", served_tiny()}}, make_cpu_device(Precision::f32), {.threads = 1, .most_rows = 4});
  Gate gate;
  const Asked asked(engine, request_for("a", 1, 50), gate.listener());
  gate.reached.get_future().wait();
  asked.job->cancel();
  gate.opened.set_value();
  EXPECT_EQ(asked.wait().state, JobState::cancelled);
  EXPECT_EQ(engine.counts().evaluations, 1u);
  EXPECT_EQ(engine.counts().cancelled, 1u);
  EXPECT_TRUE(asked.job->images().empty());
}

TEST(Engine, RefusesMoreThanMayWait) {
  Engine engine({{"a", served_tiny()}}, make_cpu_device(Precision::f32),
                {.threads = 1, .running = 1, .waiting = 2, .most_rows = 4});
  Gate gate;
  const Asked first(engine, request_for("a", 1, 50), gate.listener());
  gate.reached.get_future().wait();
  const Asked second(engine, request_for("a", 1, 50)), third(engine, request_for("a", 1, 50)),
      fourth(engine, request_for("a", 1, 50));
  EXPECT_EQ(engine.place_of(*first.job), 0);
  EXPECT_EQ(engine.place_of(*second.job), 1);
  EXPECT_EQ(engine.place_of(*third.job), 2);
  EXPECT_FALSE(fourth.job);
  second.job->cancel();
  gate.opened.set_value();
  EXPECT_EQ(second.wait().state, JobState::cancelled);
  EXPECT_EQ(third.wait().state, JobState::done);
}

TEST(Engine, LetsAShortJobPassALongOne) {
  const auto model = served_tiny();
  Engine engine({{"a", model}}, make_cpu_device(Precision::f32), {.threads = 1});
  Gate gate;
  const Asked slow(engine, request_for("a", 64, 50), gate.listener());
  gate.reached.get_future().wait();
  const std::uint64_t before = engine.counts().evaluations;
  std::uint64_t after = 0;
  const Asked quick(engine, request_for("a", 1, 4), [&](const Job&, const JobEvent& event) {
    if (event.finished) after = engine.counts().evaluations;
  });
  gate.opened.set_value();
  quick.wait();
  EXPECT_EQ(after - before, 4u);  // one of each
  EXPECT_EQ(slow.wait().state, JobState::done);
}

TEST(Engine, SaysWhatARequestCannotBe) {
  const auto model = served_tiny();
  Engine engine({{"a", model}}, make_cpu_device(Precision::f32), {.threads = 1, .most_rows = 2});
  EXPECT_THROW(engine.submit(request_for("b", 1, 4)), Error);
  JobRequest request = request_for("a", 1, 4);
  request.options.sampling.label = 3;
  EXPECT_THROW(engine.submit(request), Error);
  request = request_for("a", 1, 4);
  request.options.sampling.height = 16;
  EXPECT_THROW(engine.submit(request), Error);
  request = request_for("a", 1, 4);
  request.pictures.push_back({4, 4, 1, std::vector<std::uint8_t>(16)});
  EXPECT_THROW(engine.submit(request), Error);
}

TEST(Engine, CancelsWhatIsLeftWhenItEnds) {
  std::vector<Asked> asked;
  {
    Engine engine({{"a", served_tiny()}}, make_cpu_device(Precision::f32), {.threads = 1, .running = 2});
    for (int k = 0; k < 5; ++k) asked.emplace_back(engine, request_for("a", 64, 50));
  }
  for (const Asked& a : asked) EXPECT_EQ(a.wait().state, JobState::cancelled);
}

}  // namespace
}  // namespace diffusion::serve
