// Makes two pictures with the model at argv[1], and prints how bright they are.
#include <cstdio>
#include <numeric>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include <diffusion/generate.h>
#include <diffusion/models.h>

int main(int argc, char** argv) {
  using namespace diffusion;
  try {
    const auto model = read_model(argc > 1 ? argv[1] : "fashion-mnist");
    for (const Image& image : generate(*model, *make_cpu_device(), {.count = 2}))
      std::printf(
          "%d x %d, mean %.1f\n", image.width, image.height,
          std::accumulate(image.pixels.begin(), image.pixels.end(), 0.0) / double(image.pixels.size()));
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return exit_code(error.kind());
  }
}
