// Makes two pictures with the model at argv[1], and prints how bright they are.
#include <diffusion/error.h>
#include <cstdio>
#include <numeric>

#include "device/cpu/cpu_device.h"
#include "diffusers/pipeline.h"
#include "diffusion/generate.h"
#include "pipeline/find_model.h"

int main(int argc, char** argv) {
  using namespace diffusion;
  try {
    Model model = read_pipeline(find_pipeline(argc > 1 ? argv[1] : "fashion-mnist"));
    GenerateOptions options;
    options.count = 2;
    for (const Image& image : generate(model, *make_cpu_device(), options))
      std::printf(
          "%d x %d, mean %.1f\n", image.width, image.height,
          std::accumulate(image.pixels.begin(), image.pixels.end(), 0.0) / double(image.pixels.size()));
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return exit_code(error.kind());
  }
}
