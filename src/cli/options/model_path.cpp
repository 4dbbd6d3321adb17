#include "cli/options/model_path.h"

#include "base/log.h"
#include "train/newest_pipeline.h"

namespace diffusion {

CLI::Option* add_model_option(CLI::App& app, std::string& model) {
  return app
      .add_option(
          "MODEL", model,
          "Directory of a training run (its newest checkpoint) or of a diffusers pipeline,\nor the name "
          "of a model that comes with the program: fashion-mnist, for four steps\nfashion-mnist-quick, and "
          "digits, which speaks")
      ->type_name("");
}

std::filesystem::path chosen_pipeline(const std::filesystem::path& model) {
  return find_newest_pipeline(model, [](const std::string& message) { stderr_log().line(message); });
}

}  // namespace diffusion
