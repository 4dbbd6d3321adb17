#include <diffusion/purify.h>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include <diffusion/error.h>
#include "diffusion/model.h"
#include "diffusion/picture_walk.h"
#include "diffusion/purification.h"

namespace diffusion {

SamplingRecipe purification_recipe(const Model& model) {
  constexpr int kSteps = 1;
  SamplingRecipe recipe = with_sampler(scheduler_recipe(model), Ddpm{}, model);
  recipe.steps = kSteps;
  return recipe;
}

SamplingRecipe from_level(SamplingRecipe recipe, const Model& model, double level) {
  const double least = model.preconditioner.sigma_min(), most = model.preconditioner.sigma_max();
  if (!(level > least && level <= most))
    throw Error(
        ErrorKind::usage,
        fmt::format("level is {}; accepted are those of the model, sigma above {:.3g} and up to {:.3g}",
                    level, least, most),
        {"level"});
  recipe = with_spacing(std::move(recipe), Spacing::angle);
  recipe.levels.sigma_max = level;
  return recipe;
}

std::vector<Image> purify(const Model& model, const Device& device, std::span<const Image> pictures,
                          const PurifyOptions& options,
                          const std::function<void(const GenerateStep&)>& on_step) {
  Purification purification(model, device, options, NetworkEvaluator::Use::values);
  const PictureSize& size = purification.size();
  check_pictures(pictures, size);
  const GenerateOptions& sampling = options.sampling;
  std::vector<Image> images;
  for (int done = 0; done < sampling.count; done += purification.batch()) {
    const int count = std::min(purification.batch(), sampling.count - done);
    std::vector<int> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), sampling.first + done);
    const std::vector<double> x = picture_numbers(pictures, size, sampling.first + done, count);
    std::vector<double> clean(x.size());
    purification.run(x, numbers, sampling.seed, clean, [&](const SamplerStep& step) {
      if (!on_step) return;
      std::vector<double> shown(step.x.begin(), step.x.end());
      for (double& value : shown) value *= model.preconditioner.picture_scale(step.sigma_next);
      on_step({step.index, step.count, done, count, shown});
    });
    append_images(clean, size, images);
  }
  return images;
}

}  // namespace diffusion
