// A sampler of one's own on D(x; sigma): the midpoint method, second order, on dx/dsigma = (x - D) / sigma.
// Makes 9 pictures: own_sampler MODEL FILE.png
#include <vector>

#include "device/cpu/cpu_device.h"
#include "diffusers/pipeline.h"
#include "diffusion/evaluator.h"
#include "diffusion/samplers.h"
#include "pictures/image_tensor.h"
#include "pictures/png.h"
#include "pipeline/find_model.h"

using namespace diffusion;

int main(int argc, char** argv) {
  const Model model = read_pipeline(find_pipeline(argc > 1 ? argv[1] : "fashion-mnist"));
  const auto device = make_cpu_device();
  const auto [height, width] = model.traits().sample_size;
  const std::size_t count = 9, size = std::size_t(model.traits().in_channels * height * width);
  Evaluator evaluator(model, *device, int(count), height, width);
  const Conditions sneakers = class_labels(model, std::vector<int>(count, 7));

  const std::vector<double> sigmas =
      noise_levels(model.preconditioner, 12, {.spacing = Spacing::karras}).sigmas;
  std::vector<double> x(count * size), middle(x.size()), d(x.size());
  image_noise(/*seed=*/1, /*first_image=*/0, size)(0, x);
  for (double& value : x) value *= sigmas.front();
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], step = sigmas[i + 1] - sigma, half = sigma + step / 2;
    evaluator.denoise(x, std::vector<SampleLevel>(count, {sigma}), sneakers, d);
    for (std::size_t k = 0; k < x.size(); ++k) middle[k] = x[k] + step / 2 * (x[k] - d[k]) / sigma;
    evaluator.denoise(middle, std::vector<SampleLevel>(count, {half}), sneakers, d);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] += step * (middle[k] - d[k]) / half;
  }
  std::vector<Image> pictures;
  for (std::size_t k = 0; k < x.size(); k += size)
    pictures.push_back(to_image(std::span(x).subspan(k, size), model.traits().in_channels, height, width));
  write_png(argc > 2 ? argv[2] : "midpoint.png", make_grid(pictures, 3, 2, 255));
}
