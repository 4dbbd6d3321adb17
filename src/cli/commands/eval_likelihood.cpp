#include "cli/commands/eval_likelihood.h"

#include <limits>

#include "cli/options/options.h"

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

}  // namespace diffusion
