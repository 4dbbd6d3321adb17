#include "cli/commands/eval_likelihood.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/progress.h"
#include "cli/options/options.h"
#include "eval/image_sets.h"

namespace diffusion {

void add_likelihood_options(CLI::App& app, LikelihoodRequest& request) {
  CLI::Option* wanted =
      app.add_flag("--bits-per-dimension", request.wanted,
                   "Also how well the MODEL compresses real images: the variational bound (if it has\n"
                   "timesteps) and the likelihood of the ODE, in bits per dimension");
  app.add_option("--images", request.images, "Real images for --bits-per-dimension, at random")
      ->needs(wanted)
      ->check(in_range(2, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str();
}

BitsPerDimension evaluate_likelihood(Model& model, const Dataset& data, const Device& device,
                                     const LikelihoodRequest& request, bool quiet) {
  const int count = std::min(request.images, data.count());
  Progress progress("bits per dimension", count, quiet, "images");
  return bits_per_dimension(model, random_images(data, count, 0), device, {},
                            [&](double share) { progress.update(share); });
}

}  // namespace diffusion
