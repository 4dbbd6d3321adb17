#include "eval/picture_views.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include <diffusion/image.h>

namespace diffusion {

namespace {

constexpr int kGrid = 4;  // places of a warp, along a side

// The random numbers of a view, one after the other.
class Draws {
 public:
  explicit Draws(const RandomKey& key) : key_(key) {}
  double up_to(double most) { return most * uniform(key_, position_++); }
  double around(double most) { return up_to(2 * most) - most; }
  bool coin() { return up_to(1) < 0.5; }

 private:
  RandomKey key_;
  std::uint32_t position_ = 0;
};

struct Picture {
  int channels, height, width;
  std::span<float> values;

  int longer() const { return std::max(height, width); }
  std::span<float> channel(int c) const {
    const auto area = std::size_t(height) * std::size_t(width);
    return values.subspan(std::size_t(c) * area, area);
  }
};

float value_at(const Picture& p, std::span<const float> channel, int y, int x) {
  return channel[std::size_t(std::clamp(y, 0, p.height - 1)) * std::size_t(p.width) +
                 std::size_t(std::clamp(x, 0, p.width - 1))];
}

float between_pixels(const Picture& p, std::span<const float> channel, double y, double x) {
  const double top = std::floor(y), left = std::floor(x);
  const auto b = float(y - top), r = float(x - left);
  const int i = int(top), j = int(left);
  return (1 - b) * ((1 - r) * value_at(p, channel, i, j) + r * value_at(p, channel, i, j + 1)) +
         b * ((1 - r) * value_at(p, channel, i + 1, j) + r * value_at(p, channel, i + 1, j + 1));
}

// Displacements at the places of a grid, and linear between them.
struct Warp {
  std::array<std::array<double, 2>, kGrid * kGrid> moves;

  double at(int axis, double v, double u) const {  // v, u: 0 to 1, from the top and from the left
    const double y = v * (kGrid - 1), x = u * (kGrid - 1);
    const int i = std::min(int(y), kGrid - 2), j = std::min(int(x), kGrid - 2);
    const double b = y - i, r = x - j;
    const auto move = [&](int row, int column) {
      return moves[std::size_t(row * kGrid + column)][std::size_t(axis)];
    };
    return (1 - b) * ((1 - r) * move(i, j) + r * move(i, j + 1)) +
           b * ((1 - r) * move(i + 1, j) + r * move(i + 1, j + 1));
  }
};

void move_pixels(const Picture& p, const PictureViews& views, Draws& draws) {
  const double zoom = std::exp(draws.around(views.zoom)), angle = draws.around(views.rotation),
               down = draws.around(views.shift) * p.longer(), right = draws.around(views.shift) * p.longer(),
               most = draws.up_to(views.warp) * p.longer();
  Warp warp;
  for (auto& move : warp.moves) move = {draws.around(most), draws.around(most)};
  const double cosine = std::cos(angle) / zoom, sine = std::sin(angle) / zoom;
  const double middle_y = (p.height - 1) / 2.0, middle_x = (p.width - 1) / 2.0;
  const std::vector<float> before(p.values.begin(), p.values.end());
  const auto area = std::size_t(p.height) * std::size_t(p.width);
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x) {
      const double v = double(y) / std::max(p.height - 1, 1), u = double(x) / std::max(p.width - 1, 1);
      const double dy = y - middle_y - down, dx = x - middle_x - right;
      const double from_y = middle_y + cosine * dy - sine * dx + warp.at(0, v, u),
                   from_x = middle_x + sine * dy + cosine * dx + warp.at(1, v, u);
      for (int c = 0; c < p.channels; ++c)
        p.channel(c)[std::size_t(y * p.width + x)] =
            between_pixels(p, std::span(before).subspan(std::size_t(c) * area, area), from_y, from_x);
    }
}

void blur(const Picture& p, double deviation) {
  constexpr double kTooLittle = 0.3;  // of a pixel
  if (deviation < kTooLittle) return;
  const int reach = int(std::ceil(2.5 * deviation));
  std::vector<float> weights;
  float sum = 0;
  for (int k = -reach; k <= reach; ++k) {
    weights.push_back(float(std::exp(-0.5 * k * k / (deviation * deviation))));
    sum += weights.back();
  }
  for (float& weight : weights) weight /= sum;
  for (int c = 0; c < p.channels; ++c)
    for (const bool along_rows : {true, false}) {
      const auto channel = p.channel(c);
      const std::vector<float> before(channel.begin(), channel.end());
      for (int y = 0; y < p.height; ++y)
        for (int x = 0; x < p.width; ++x) {
          float value = 0;
          for (int k = -reach; k <= reach; ++k)
            value += weights[std::size_t(k + reach)] *
                     value_at(p, before, along_rows ? y : y + k, along_rows ? x + k : x);
          channel[std::size_t(y * p.width + x)] = value;
        }
    }
}

void change_colors(const Picture& p, const PictureViews& views, Draws& draws) {
  const auto contrast = float(1 + draws.around(views.contrast));
  for (int c = 0; c < p.channels; ++c) {
    const auto offset = float(draws.around(views.color));
    for (float& value : p.channel(c)) value = 1 - contrast * (1 - value) + offset;
  }
}

void cover(const Picture& p, const PictureViews& views, Draws& draws) {
  const int height = int(std::lround(draws.up_to(views.cover) * p.height)),
            width = int(std::lround(draws.up_to(views.cover) * p.width));
  const int top = int(draws.up_to(p.height - height + 1)), left = int(draws.up_to(p.width - width + 1));
  for (int c = 0; c < p.channels; ++c) {
    const auto color = float(draws.around(1));
    for (int y = top; y < top + height; ++y)
      for (int x = left; x < left + width; ++x) p.channel(c)[std::size_t(y * p.width + x)] = color;
  }
}

void add_noise(const Picture& p, double deviation, const RandomKey& key) {
  std::vector<float> noise(p.values.size());
  fill_normal(key, noise);
  for (std::size_t i = 0; i < noise.size(); ++i) p.values[i] += float(deviation) * noise[i];
}

}  // namespace

void make_view(const PictureViews& views, const RandomKey& key, std::array<int, 3> shape,
               std::span<float> image) {
  const Picture picture{shape[0], shape[1], shape[2], image};
  if (image.size() != std::size_t(shape[0]) * std::size_t(shape[1]) * std::size_t(shape[2]))
    throw Error(ErrorKind::internal, "a view of a picture of another size than was said");
  Draws draws(key);
  move_pixels(picture, views, draws);
  blur(picture, draws.up_to(views.blur) * picture.longer());
  change_colors(picture, views, draws);
  if (draws.coin()) cover(picture, views, draws);
  const double noise = draws.up_to(views.noise);
  if (draws.coin()) add_noise(picture, noise, {key.seed, Stream::train_noise, key.sample, key.step});
}

Dataset views_of(const Dataset& data, const PictureViews& views, std::uint64_t seed) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < data.count(); ++i) {
    const auto bytes = data.image(i);
    std::vector<float> view =
        scale_to_signed(to_tensor({data.width, data.height, data.channels, {bytes.begin(), bytes.end()}}));
    make_view(views, {seed, Stream::transform, std::uint32_t(i), 0}, {data.channels, data.height, data.width},
              view);
    const Image image = to_image(std::span<const float>(view), data.channels, data.height, data.width);
    pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
  }
  return {data.name,         data.height, data.width,      data.channels,
          std::move(pixels), data.labels, data.class_names};
}

}  // namespace diffusion
