// Trains a small network on images that the program makes itself: train RUN. RUN is a directory; interrupted,
// the same command goes on. RUN/latest is then a model, for the example `sample` among others.
#include <atomic>
#include <cstdio>
#include <utility>

#include "train/presets.h"
#include "train/run.h"

using namespace diffusion;

// Bright discs of different sizes, [count, 16, 16, 1].
Dataset discs(int count) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < count; ++i)
    for (int y = -15; y <= 15; y += 2)
      for (int x = -15; x <= 15; x += 2) pixels.push_back(x * x + y * y < 40 + 2 * (i % 80) ? 230 : 20);
  Dataset images;
  images.name = "discs";
  images.height = images.width = 16;
  images.channels = 1;
  images.pixels = std::move(pixels);
  return images;
}

int main(int argc, char** argv) {
  TrainConfig config = preset_config("tiny");
  config.data = "discs";
  config.budget.steps = 300;
  const auto talk = [](const std::string& message) { std::puts(message.c_str()); };
  TrainingRun run(config, discs(640), argc > 1 ? argv[1] : "discs", talk);
  const auto show = [](const StepReport& step) {
    if (step.step % 100 == 0) std::printf("step %d, loss %.4f\n", int(step.step), step.loss_average);
  };
  run.train(show, std::atomic<bool>(false));
}
