#include "support/tiny_run.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <sstream>

#include "data/shapes.h"
#include "train/presets.h"
#include "train/run.h"

namespace diffusion::fixtures {

namespace fs = std::filesystem;

TrainConfig tiny_config(std::int64_t steps) {
  TrainConfig c = preset_config("tiny");
  c.data = "shapes";
  c.batch = 8;
  c.seed = 3;
  std::get<UNetConfig>(c.network).dropout = 0.1;
  c.budget.steps = steps;
  c.preview_every = 0;
  return c;
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

Session train(const TrainConfig& config, const fs::path& folder, int stop_after,
              const Communicator& communicator) {
  Session session;
  TrainingRun run(
      config, make_shapes(200, 0), folder, [&](const std::string& m) { session.messages.push_back(m); }, {},
      {}, {}, communicator);
  std::atomic<bool> stop = false;
  session.complete = run.train(
      [&](const StepReport& r) {
        session.losses.push_back(r.loss);
        if (int(session.losses.size()) == stop_after) stop = true;
      },
      stop);
  return session;
}

void expect_same_model(const fs::path& a, const fs::path& b) {
  for (const char* file :
       {"unet/diffusion_pytorch_model.safetensors", "training/state.safetensors", "unet/config.json"})
    EXPECT_TRUE(text_of(a / "latest" / file) == text_of(b / "latest" / file)) << file << " differs";
}

}  // namespace diffusion::fixtures
