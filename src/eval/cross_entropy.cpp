#include "eval/cross_entropy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <diffusion/error.h>

namespace diffusion {

double cross_entropy_and_grad(std::span<const float> logits, std::span<const int> labels, double smoothing,
                              std::span<float> grad) {
  const std::size_t images = labels.size();
  if (images == 0 || logits.empty() || logits.size() % images != 0 ||
      (!grad.empty() && grad.size() != logits.size()))
    throw Error(ErrorKind::usage,
                fmt::format("cross-entropy: {} logits do not fit {} labels and {} gradients", logits.size(),
                            images, grad.size()));
  if (!(smoothing >= 0 && smoothing < 1))
    throw Error(ErrorKind::usage,
                fmt::format("cross-entropy: label smoothing is {}; accepted is 0 to below 1", smoothing));
  const std::size_t classes = logits.size() / images;
  double total = 0;
  for (std::size_t n = 0; n < images; ++n) {
    if (labels[n] < 0 || std::size_t(labels[n]) >= classes)
      throw Error(
          ErrorKind::usage,
          fmt::format("cross-entropy: label {} of image {} is not one of {} classes", labels[n], n, classes));
    const std::span<const float> row = logits.subspan(n * classes, classes);
    const double largest = double(*std::ranges::max_element(row));
    double sum = 0;
    for (const float logit : row) sum += std::exp(double(logit) - largest);
    const double log_sum = largest + std::log(sum);
    for (std::size_t k = 0; k < classes; ++k) {
      const double q = smoothing / double(classes) + (k == std::size_t(labels[n]) ? 1 - smoothing : 0);
      const double log_p = double(row[k]) - log_sum;
      total -= q == 0 ? 0 : q * log_p;
      if (!grad.empty()) grad[n * classes + k] = float((std::exp(log_p) - q) / double(images));
    }
  }
  return total / double(images);
}

}  // namespace diffusion
