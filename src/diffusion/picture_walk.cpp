#include "diffusion/picture_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <diffusion/error.h>

namespace diffusion {

void PictureWalk::for_each_batch(const std::function<void(int done, int images)>& make) const {
  for (int done = 0; done < options.count; done += options.batch)
    make(done, std::min(options.batch, options.count - done));
}

NoiseSource PictureWalk::noise_of(int done) const {
  return image_noise(options.seed, std::uint32_t(options.first + done), size.elements());
}

std::vector<double> PictureWalk::finish(int done, int images, const Sampler& sampler,
                                        std::vector<double> sigmas, std::vector<double> x, NoiseSource noise,
                                        const Denoiser& denoise) const {
  std::vector<double> shown;
  const auto show = [&](std::span<const double> state, double sigma) {
    const double scale = model.preconditioner.picture_scale(sigma);
    shown.assign(state.begin(), state.end());
    for (double& value : shown) value *= scale;
  };
  const double end = sigmas.back();
  Sampling sampling(sampler, std::move(sigmas), std::move(x), std::move(noise), [&](const SamplerStep& step) {
    if (!on_step) return;
    show(step.x, step.sigma_next);
    on_step({step.index, step.count, done, images, shown});
  });
  while (const Question* question = sampling.question()) {
    denoise(question->x, question->sigma, question->denoised);
    sampling.answer();
  }
  show(sampling.x(), end);
  return shown;
}

void check_pictures(std::span<const Image> pictures, const PictureSize& size) {
  if (pictures.empty()) throw Error(ErrorKind::usage, "no pictures were given; accepted are 1 or more");
  for (const Image& picture : pictures)
    if (picture.height != size.height || picture.width != size.width || picture.channels != size.channels ||
        picture.pixels.size() != size.elements())
      throw Error(
          ErrorKind::usage,
          fmt::format("a picture has {} x {} pixels of {} channels; accepted is the model's form, {} x {} "
                      "of {}",
                      picture.height, picture.width, picture.channels, size.height, size.width,
                      size.channels));
}

std::vector<double> picture_numbers(std::span<const Image> pictures, const PictureSize& size, int first,
                                    int count) {
  std::vector<double> numbers;
  numbers.reserve(std::size_t(count) * size.elements());
  for (int k = 0; k < count; ++k) {
    const Image& picture = pictures[std::size_t(first + k) % pictures.size()];
    const std::vector<float> x = scale_to_signed(to_tensor(picture));
    numbers.insert(numbers.end(), x.begin(), x.end());
  }
  return numbers;
}

void append_images(std::span<const double> x, const PictureSize& size, std::vector<Image>& images) {
  for (std::size_t first = 0; first < x.size(); first += size.elements())
    images.push_back(to_image(x.subspan(first, size.elements()), size.channels, size.height, size.width));
}

}  // namespace diffusion
