#include <diffusion/dataset.h>

#include "data/registry.h"

namespace diffusion {

Dataset load_images(const std::string& name_or_path, const FormOptions& form, Split split) {
  return load_dataset(name_or_path, {.split = split, .prepare = {.form = form}});
}

}  // namespace diffusion
