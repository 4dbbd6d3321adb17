// Trains a small network on images that the program makes itself: train RUN. RUN is a directory; interrupted,
// the same command goes on. RUN/latest is then a model, for the example `sample` among others.
#include <cstdio>
#include <string>
#include <vector>

#include <diffusion/train.h>

using namespace diffusion;

// A bright disc, larger or smaller.
Image disc(int number) {
  Image image{.width = 16, .height = 16, .channels = 1, .pixels = {}};
  for (int y = -15; y <= 15; y += 2)
    for (int x = -15; x <= 15; x += 2)
      image.pixels.push_back(x * x + y * y < 40 + 2 * (number % 80) ? 230 : 20);
  return image;
}

int main(int argc, char** argv) {
  std::vector<Image> discs;
  for (int number = 0; number < 640; ++number) discs.push_back(disc(number));
  Training training(dataset_of(discs, "discs"), argc > 1 ? argv[1] : "discs",
                    {.preset = "tiny", .fields = {{"steps", 300}}, .report = [](const std::string& message) {
                       std::puts(message.c_str());
                     }});
  training.run([](const StepReport& step) {
    if (step.step % 100 == 0) std::printf("step %d, loss %.4f\n", int(step.step), step.loss_average);
  });
}
