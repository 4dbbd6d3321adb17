#include "diffusion/edit_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include <diffusion/error.h>
#include "diffusion/samplers/repaint.h"
#include "diffusion/samplers/some_steps.h"

namespace diffusion {

namespace {

// Of the channels, too.
std::vector<bool> known_numbers(const Image& mask, int channels) {
  std::vector<bool> known;
  for (int c = 0; c < channels; ++c)
    for (const std::uint8_t pixel : mask.pixels) known.push_back(pixel == 0);
  return known;
}

}  // namespace

void check_edit(const EditOptions& options, const PictureSize& size) {
  if (!(options.strength >= 0 && options.strength <= 1))
    throw Error(ErrorKind::usage,
                fmt::format("strength is {}; accepted are 0 (the picture) to 1 (anything)", options.strength),
                {"strength"});
  const Image& mask = options.mask;
  if (mask.pixels.empty()) return;
  if (mask.channels != 1 || mask.height != size.height || mask.width != size.width)
    throw Error(ErrorKind::usage,
                fmt::format("the mask has {} x {} pixels of {} channels; accepted is {} x {} of 1",
                            mask.height, mask.width, mask.channels, size.height, size.width),
                {"mask"});
  const auto drawn = std::size_t(std::ranges::count(mask.pixels, std::uint8_t{255}));
  const auto known = std::size_t(std::ranges::count(mask.pixels, std::uint8_t{0}));
  if (drawn + known != mask.pixels.size())
    throw Error(
        ErrorKind::usage,
        fmt::format("the mask has {} pixels that are neither black nor white; accepted are 0 (kept) and "
                    "255 (drawn anew)",
                    mask.pixels.size() - drawn - known),
        {"mask"});
  if (drawn == 0 || known == 0)
    throw Error(ErrorKind::usage,
                fmt::format("the mask is all {}, so there is nothing to {}; accepted is one of black (kept) "
                            "and white (drawn anew)",
                            drawn == 0 ? "black" : "white", drawn == 0 ? "draw" : "keep"),
                {"mask"});
}

void check_goes_down(const PreparedRecipe& prepared) {
  if (prepared.levels.sigmas.front() < prepared.levels.sigmas.back())
    throw Error(ErrorKind::usage,
                "the scheduler of this model leads from pictures up to noise; give a sampler or a spacing");
}

void keep_known_pixels(const Image& mask, const Image& picture, Image& image) {
  const auto channels = std::size_t(picture.channels);
  for (std::size_t p = 0; p < mask.pixels.size(); ++p)
    if (mask.pixels[p] == 0)
      std::copy_n(picture.pixels.begin() + std::ptrdiff_t(p * channels), channels,
                  image.pixels.begin() + std::ptrdiff_t(p * channels));
}

std::vector<double> EditWalk::sigmas() const {
  const std::vector<double>& all = prepared.levels.sigmas;
  return {all.begin() + std::ptrdiff_t(first_step), all.end()};
}

std::vector<double> EditWalk::start(std::vector<double> noise, std::span<const double> pictures) const {
  const double std = first_step == 0 ? prepared.levels.initial_std : prepared.levels.sigmas[first_step];
  for (std::size_t k = 0; k < noise.size(); ++k)
    noise[k] = std * noise[k] + (first_step == 0 ? 0 : pictures[k]);
  return noise;
}

Sampler EditWalk::sampler(std::vector<double> pictures, int channels) const {
  const std::size_t steps = prepared.levels.sigmas.size() - 1 - first_step;
  Sampler sampler = for_some_steps(prepared.sampler, first_step, steps);
  if (options.mask.pixels.empty()) return sampler;
  return repaint_sampler({.sampler = std::move(sampler),
                          .picture = std::move(pictures),
                          .known = known_numbers(options.mask, channels),
                          .jump = options.jump,
                          .resample = options.resample});
}

int first_step_of(double strength, int steps) {
  if (strength == 0) return steps;
  return steps - std::max(1, std::min(int(steps * strength), steps));
}

}  // namespace diffusion
