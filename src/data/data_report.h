#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <diffusion/dataset.h>
#include <diffusion/image.h>

namespace diffusion {

// What there is to know about a data set before training on it.
struct DataReport {
  struct Channel {
    double mean,
        deviation;  // of pixel values 0 to 255; of those in [-1, 1]: mean / 127.5 - 1, deviation / 127.5
  };
  std::vector<Channel> channels;
  std::vector<std::int64_t> class_counts;       // one for each class name
  std::vector<std::pair<int, int>> duplicates;  // each image with the first one that has the same pixels
};

// Reads every pixel once.
DataReport report_on(const Dataset& dataset);

// Examples in a grid, alpha on the background: with labels a row for each class (20 classes, evenly chosen,
// if there are more) and `columns` of its images evenly chosen, without labels `columns` x `columns` evenly
// chosen from all. Small images are enlarged; each has its first caption below, if the data set has captions.
// Error(usage) if the sheet would be larger than kMaxPixels.
Image contact_sheet(const Dataset& dataset, int columns, const std::array<std::uint8_t, 3>& background);

}  // namespace diffusion
