#include "data/data_report.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

#include "data/content_hash.h"
#include "drawing/titles.h"
#include "pictures/resize.h"

namespace diffusion {

namespace {

constexpr int kMostRows = 20, kGap = 2, kVisibleSide = 48, kCaptionLines = 4;
constexpr std::uint8_t kGapColor = 255;

using Histogram = std::array<std::int64_t, 256>;

DataReport::Channel summarize(const Histogram& histogram) {
  double count = 0, sum = 0, squares = 0;
  for (std::size_t value = 0; value < histogram.size(); ++value) {
    count += double(histogram[value]);
    sum += double(histogram[value]) * double(value);
  }
  const double mean = sum / count;
  for (std::size_t value = 0; value < histogram.size(); ++value)
    squares += double(histogram[value]) * (double(value) - mean) * (double(value) - mean);
  return {mean, std::sqrt(squares / count)};
}

// `count` of the numbers, evenly spaced; all if there are fewer.
std::vector<int> choose(const std::vector<int>& numbers, int count) {
  if (numbers.size() <= std::size_t(count)) return numbers;
  std::vector<int> chosen;
  for (std::size_t i = 0; i < std::size_t(count); ++i)
    chosen.push_back(numbers[i * numbers.size() / std::size_t(count)]);
  return chosen;
}

std::vector<int> first_numbers(int count) {
  std::vector<int> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(i);
  return numbers;
}

// Which image is shown at each place of the grid, row by row; nothing: the place stays empty.
std::vector<std::optional<int>> choose_images(const Dataset& dataset, int columns) {
  std::vector<std::optional<int>> places;
  if (dataset.labels.empty()) {
    for (const int i : choose(first_numbers(dataset.count()), columns * columns)) places.emplace_back(i);
    return places;
  }
  std::vector<std::vector<int>> members(dataset.class_names.size());
  for (int i = 0; i < dataset.count(); ++i) members[dataset.labels[std::size_t(i)]].push_back(i);
  for (const int label : choose(first_numbers(int(members.size())), kMostRows)) {
    const std::vector<int> chosen = choose(members[std::size_t(label)], columns);
    for (std::size_t i = 0; i < std::size_t(columns); ++i)
      places.push_back(i < chosen.size() ? std::optional(chosen[i]) : std::nullopt);
  }
  return places;
}

}  // namespace

DataReport report_on(const Dataset& dataset) {
  DataReport report;
  report.class_counts.resize(dataset.class_names.size());
  for (const std::uint16_t label : dataset.labels) ++report.class_counts[label];

  const auto channels = std::size_t(dataset.channels);
  std::vector<Histogram> histograms(channels, Histogram{});
  std::unordered_map<std::uint64_t, int> first_with;
  for (int i = 0; i < dataset.count(); ++i) {
    const auto image = dataset.image(i);
    for (std::size_t p = 0; p < image.size(); p += channels)
      for (std::size_t c = 0; c < channels; ++c) ++histograms[c][image[p + c]];
    const auto [place, is_new] = first_with.emplace(hash_of(image), i);
    if (!is_new && std::ranges::equal(dataset.image(place->second), image))
      report.duplicates.emplace_back(i, place->second);
  }
  for (const Histogram& histogram : histograms) report.channels.push_back(summarize(histogram));
  return report;
}

Image contact_sheet(const Dataset& dataset, int columns, const std::array<std::uint8_t, 3>& background) {
  const int scale = std::max(1, kVisibleSide / std::max(dataset.height, dataset.width));
  std::vector<Image> tiles;
  std::vector<std::string> captions;
  for (const std::optional<int> index : choose_images(dataset, columns)) {
    Image image{dataset.width, dataset.height, dataset.channels, {}};
    if (index) {
      const auto bytes = dataset.image(*index);
      image.pixels.assign(bytes.begin(), bytes.end());
    } else {
      image.pixels.assign(dataset.image(0).size(), kGapColor);
    }
    const bool has_alpha = image.channels == 4;
    tiles.push_back(enlarge(has_alpha ? to_channels(image, 3, background) : image, scale));
    const bool has_caption = index && !dataset.captions.empty() && dataset.captions.count(*index) > 0;
    captions.emplace_back(has_caption ? dataset.captions.text(*index, 0) : "");
  }
  if (!dataset.captions.empty()) tiles = with_captions(tiles, captions, kCaptionLines);
  return make_grid(tiles, columns, kGap, kGapColor);
}

}  // namespace diffusion
