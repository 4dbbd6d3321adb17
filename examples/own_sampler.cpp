// A sampler of one's own on D(x; sigma): the midpoint method, second order, on dx/dsigma = (x - D) / sigma.
// Makes 9 pictures: own_sampler MODEL FILE.png
#include <span>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/generate.h>
#include <diffusion/models.h>
#include <diffusion/picture_files.h>
#include <diffusion/sampling.h>

using namespace diffusion;

SamplerCoroutine midpoint(SamplerState& state) {
  const std::span<double> x = state.x;
  std::vector<double> middle(x.size()), d(x.size());
  for (int i = 0; i < state.steps(); ++i) {
    const double sigma = state.sigmas[i], step = state.sigmas[i + 1] - sigma, half = sigma + step / 2;
    co_yield Question{x, sigma, d};  // whoever drives it writes D(x; sigma) to d
    for (std::size_t k = 0; k < x.size(); ++k) middle[k] = x[k] + step / 2 * (x[k] - d[k]) / sigma;
    co_yield Question{middle, half, d};
    for (std::size_t k = 0; k < x.size(); ++k) x[k] += step * (middle[k] - d[k]) / half;
    state.report(i, d);
  }
}

int main(int argc, char** argv) {
  const auto model = read_model(argc > 1 ? argv[1] : "fashion-mnist");
  SamplingRecipe recipe = default_recipe(*model);
  recipe.sampler = OwnSampler{.name = "midpoint", .walk = midpoint};
  recipe.levels = {.spacing = Spacing::karras};
  recipe.steps = 12;
  const std::vector<Image> pictures =
      generate(*model, *make_cpu_device(), {.recipe = recipe, .count = 9, .seed = 1, .label = 7});
  write_png(argc > 2 ? argv[2] : "midpoint.png", make_grid(pictures, 3, 2, 255));
}
