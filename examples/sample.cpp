// Makes 16 pictures with a model, given by directory or by the name of one that is shipped: sample MODEL
// FILE.png
#include <vector>

#include "device/cpu/cpu_device.h"
#include "diffusers/pipeline.h"
#include "diffusion/generate.h"
#include "pictures/png.h"
#include "pipeline/find_model.h"

using namespace diffusion;

int main(int argc, char** argv) {
  Model model = read_pipeline(find_pipeline(argc > 1 ? argv[1] : "fashion-mnist"));
  const std::vector<Image> pictures = generate(model, *make_cpu_device(), {.count = 16, .seed = 1});
  write_png(argc > 2 ? argv[2] : "samples.png",
            make_grid(pictures, /*columns=*/4, /*gap=*/2, /*background=*/255));
}
