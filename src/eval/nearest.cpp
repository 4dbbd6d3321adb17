#include "eval/nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include <diffusion/error.h>
#include "eval/neighbors.h"

namespace diffusion {

namespace {

// Beyond k, so that rounding of the products in f32 does not lose one of the k nearest.
constexpr int kSpare = 3;
constexpr int kOriginRows = 256;
constexpr std::int64_t kChunkValues = 1 << 23;  // of rows that are in memory as floats at a time

// Rows of numbers, wherever they are.
struct RowSource {
  int count, width;
  std::function<FeatureSet(int first, int count)> rows;
};

// For some rows the indices of those that look nearest so far, in ascending order of the distance.
class Candidates {
 public:
  Candidates(int rows, int kept)
      : kept_(std::size_t(kept)),
        distances_(std::size_t(rows) * kept_, std::numeric_limits<float>::infinity()),
        indices_(distances_.size()) {}

  // A block of squared distances; its columns are number first_index + first_column ... of what is searched.
  void add(const PairBlock& block, int first_index) {
    for (int r = 0; r < block.rows; ++r) {
      const std::size_t place = std::size_t(block.first_row + r) * kept_;
      float* distances = &distances_[place];
      int* indices = &indices_[place];
      const std::span<const float> row = block.row(r);
      for (std::size_t c = 0; c < row.size(); ++c) {
        if (!(row[c] < distances[kept_ - 1])) continue;
        const auto at = std::size_t(std::upper_bound(distances, distances + kept_, row[c]) - distances);
        std::move_backward(distances + at, distances + kept_ - 1, distances + kept_);
        std::move_backward(indices + at, indices + kept_ - 1, indices + kept_);
        distances[at] = row[c];
        indices[at] = first_index + block.first_column + int(c);
      }
    }
  }

  std::span<const int> of(int row) const {
    return std::span(indices_).subspan(std::size_t(row) * kept_, kept_);
  }

 private:
  std::size_t kept_;
  std::vector<float> distances_;
  std::vector<int> indices_;
};

int chunk_rows(int width) {
  return int(std::max<std::int64_t>(1, kChunkValues / width));
}

// squared_distance(i, j): that of row i of `from` and row j of `among`, exactly.
Neighbors nearest(const RowSource& from, const RowSource& among, int k,
                  const std::function<double(int, int)>& squared_distance,
                  const std::function<void(double share)>& progress) {
  if (k < 1 || k > among.count)
    throw Error(ErrorKind::usage, fmt::format("the {} nearest of {} images do not exist", k, among.count));
  const int kept = int(std::min<std::int64_t>(std::int64_t(k) + kSpare, among.count)),
            chunk = chunk_rows(from.width);
  const FeatureSet origin = among.rows(0, std::min(among.count, kOriginRows));
  Neighbors result{k, {}};
  result.all.reserve(std::size_t(from.count) * std::size_t(k));
  for (int first = 0; first < from.count; first += chunk) {
    const FeatureSet queries = from.rows(first, std::min(chunk, from.count - first));
    Candidates candidates(queries.count, kept);
    for (int start = 0; start < among.count; start += chunk) {
      const FeatureSet searched = among.rows(start, std::min(chunk, among.count - start));
      for_each_squared_distance(queries, searched, origin,
                                [&](const PairBlock& block) { candidates.add(block, start); });
      const double part = double(start + searched.count) / among.count;
      if (progress) progress((first + part * queries.count) / from.count);
    }
    for (int i = 0; i < queries.count; ++i) {
      std::vector<std::pair<double, int>> exact;
      for (const int j : candidates.of(i)) exact.emplace_back(squared_distance(first + i, j), j);
      std::ranges::sort(exact);
      for (int n = 0; n < k; ++n)
        result.all.push_back({exact[std::size_t(n)].second, std::sqrt(exact[std::size_t(n)].first)});
    }
  }
  return result;
}

RowSource pixels_of(const Dataset& data) {
  const int width = data.height * data.width * data.channels;
  return {data.count(), width, [&data, width](int first, int count) {
            FeatureSet rows{count, width, {}};
            rows.values.reserve(std::size_t(count) * std::size_t(width));
            for (int i = first; i < first + count; ++i)
              for (const std::uint8_t byte : data.image(i)) rows.values.push_back(float(byte));
            return rows;
          }};
}

RowSource rows_of(const FeatureSet& features) {
  return {features.count, features.width, [&features](int first, int count) {
            const auto width = std::ptrdiff_t(features.width);
            const auto begin = features.values.begin() + first * width;
            return FeatureSet{count, features.width, {begin, begin + count * width}};
          }};
}

}  // namespace

std::vector<double> Neighbors::nearest_distances() const {
  std::vector<double> distances;
  distances.reserve(std::size_t(count()));
  for (int i = 0; i < count(); ++i) distances.push_back(of(i).front().distance);
  return distances;
}

Neighbors nearest_in_pixels(const Dataset& images, const Dataset& among, int k,
                            const std::function<void(double share)>& progress) {
  if (images.count() == 0) throw Error(ErrorKind::usage, fmt::format("{} holds no images", images.name));
  if (images.height != among.height || images.width != among.width || images.channels != among.channels)
    throw Error(ErrorKind::usage,
                fmt::format("the images of {} are {} x {} x {} and those of {} {} x {} x {} (height, width, "
                            "channels); only images of one form can be compared",
                            images.name, images.height, images.width, images.channels, among.name,
                            among.height, among.width, among.channels));
  const auto squared_distance = [&](int i, int j) {
    const std::span<const std::uint8_t> a = images.image(i), b = among.image(j);
    std::int64_t sum = 0;
    for (std::size_t p = 0; p < a.size(); ++p) {
      const int difference = int(a[p]) - int(b[p]);
      sum += std::int64_t(difference) * difference;
    }
    return double(sum);
  };
  return nearest(pixels_of(images), pixels_of(among), k, squared_distance, progress);
}

Neighbors nearest_in_features(const FeatureSet& features, const FeatureSet& among, int k) {
  check_features(features, among, 1);
  const auto squared_distance = [&](int i, int j) {
    const std::span<const float> a = features.row(i), b = among.row(j);
    double sum = 0;
    for (std::size_t c = 0; c < a.size(); ++c) {
      const double difference = double(a[c]) - double(b[c]);
      sum += difference * difference;
    }
    return sum;
  };
  return nearest(rows_of(features), rows_of(among), k, squared_distance, {});
}

}  // namespace diffusion
