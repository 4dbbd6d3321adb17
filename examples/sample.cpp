// Makes 16 pictures with a model, given by directory or by the name of one that is shipped: sample MODEL
// FILE.png
#include <vector>

#include <diffusion/device.h>
#include <diffusion/generate.h>
#include <diffusion/models.h>
#include <diffusion/picture_files.h>

using namespace diffusion;

int main(int argc, char** argv) {
  const auto model = read_model(argc > 1 ? argv[1] : "fashion-mnist");
  const std::vector<Image> pictures = generate(*model, *make_cpu_device(), {.count = 16, .seed = 1});
  write_png(argc > 2 ? argv[2] : "samples.png",
            make_grid(pictures, /*columns=*/4, /*gap=*/2, /*background=*/255));
}
