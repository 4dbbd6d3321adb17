#include "cli/options/picture_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include <diffusion/dataset.h>
#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "data/image_form.h"
#include "eval/image_sets.h"
#include "pictures/resize.h"

namespace diffusion {

namespace {

std::vector<Image> read_images(const std::string& path) {
  if (std::filesystem::path(path).extension() != ".npy") return {read_image(path)};
  const Dataset data = read_image_array(path);
  std::vector<Image> images;
  for (int k = 0; k < data.count(); ++k) {
    const auto bytes = data.image(k);
    images.push_back({data.width, data.height, data.channels, {bytes.begin(), bytes.end()}});
  }
  return images;
}

}  // namespace

std::array<int, 3> picture_form(const Model& model) {
  const NetworkTraits traits = model.traits();
  if (traits.sample_size[0] == 0)
    throw Error(ErrorKind::usage,
                "the model does not tell the size of its images (sample_size in its config.json)");
  return {traits.in_channels, traits.sample_size[0], traits.sample_size[1]};
}

GivenPictures read_pictures(const std::string& path, const Model& model) {
  return read_pictures(path, picture_form(model));
}

GivenPictures read_pictures(const std::string& path, std::array<int, 3> form) {
  if (form[0] != 1 && form[0] != 3 && form[0] != 4)
    throw Error(
        ErrorKind::usage,
        fmt::format("the model makes images of {} channels; pictures can be brought to 1, 3 or 4", form[0]));
  GivenPictures given{read_images(path), {}};
  given.size = {given.images.front().height, given.images.front().width};
  for (Image& image : given.images)
    image = fit_image(image, {.height = form[1], .width = form[2], .channels = form[0]});
  return given;
}

Image read_mask(const std::string& path, const GivenPictures& pictures, const Model& model) {
  const auto [channels, height, width] = picture_form(model);
  const ImageForm form{.height = height, .width = width, .channels = 1};
  const Image mask = to_channels(read_image(path), 1, form.background);
  const std::array<int, 2> size{mask.height, mask.width};
  if (size != pictures.size && size != std::array{form.height, form.width})
    throw Error(
        ErrorKind::bad_input,
        fmt::format("--mask {} has {} x {} pixels; accepted is the size of the picture, {} x {}, or of the "
                    "model's, {} x {}.",
                    path, size[1], size[0], pictures.size[1], pictures.size[0], form.width, form.height));
  const auto gray = std::ranges::find_if(mask.pixels, [](std::uint8_t v) { return v != 0 && v != 255; });
  if (gray != mask.pixels.end())
    throw Error(
        ErrorKind::bad_input,
        fmt::format("--mask {} has a pixel of {}; accepted are 0 (black, kept) and 255 (white, drawn anew).",
                    path, int(*gray)));
  Image fitted = fit_image(mask, form);
  constexpr int kHalf = 128;
  for (std::uint8_t& value : fitted.pixels) value = value >= kHalf ? 255 : 0;
  if (std::ranges::count(fitted.pixels, fitted.pixels.front()) == std::ptrdiff_t(fitted.pixels.size()))
    throw Error(ErrorKind::bad_input,
                fmt::format("--mask {} is all {}, so there is nothing to {}; accepted is one of "
                            "black (kept) and white (drawn anew).",
                            path, fitted.pixels.front() == 0 ? "black" : "white",
                            fitted.pixels.front() == 0 ? "draw" : "keep"));
  return fitted;
}

}  // namespace diffusion
