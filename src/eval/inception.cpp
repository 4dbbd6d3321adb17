#include "eval/inception.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include <diffusion/error.h>
#include "eval/inception_graph.h"
#include "plan/plan.h"

namespace diffusion {

namespace {

// Images at a time, of 14 MB each; more are not faster.
constexpr int kBatch = 8;

// Where a row or column of the result lies between two of the image.
struct Between {
  std::size_t low, high;
  float share;  // of the high one
};

std::vector<Between> places(int in, int out) {
  const float scale = float(in) / float(out);
  std::vector<Between> result;
  for (int i = 0; i < out; ++i) {
    const float at = float(i) * scale;
    const auto low = std::size_t(at);
    result.push_back({low, std::min(low + 1, std::size_t(in) - 1), at - float(low)});
  }
  return result;
}

// [3, 299, 299] of (byte - 128) / 128.
void write_sample(const Dataset& data, int i, std::span<float> out) {
  const std::size_t plane = out.size() / 3, given = std::size_t(data.channels) * plane;
  resize_as_tensorflow1(data.image(i), data.height, data.width, data.channels, kInceptionSide, kInceptionSide,
                        out.first(given));
  for (float& v : out.first(given)) v = (v - 128.f) / 128.f;
  for (std::size_t at = given; at < out.size(); at += plane)
    std::ranges::copy(out.first(plane), out.begin() + std::ptrdiff_t(at));
}

}  // namespace

void resize_as_tensorflow1(std::span<const std::uint8_t> pixels, int height, int width, int channels,
                           int out_height, int out_width, std::span<float> out) {
  const auto c_count = std::size_t(channels), row_size = std::size_t(width) * c_count,
             out_plane = std::size_t(out_height) * std::size_t(out_width);
  if (pixels.size() != std::size_t(height) * row_size || out.size() != c_count * out_plane || pixels.empty())
    throw Error(ErrorKind::internal, "resize_as_tensorflow1: pixels or result do not have the size given");
  const std::vector<Between> rows = places(height, out_height), columns = places(width, out_width);
  for (std::size_t c = 0; c < c_count; ++c)
    for (std::size_t y = 0; y < rows.size(); ++y) {
      const std::uint8_t *top = &pixels[rows[y].low * row_size + c],
                         *bottom = &pixels[rows[y].high * row_size + c];
      float* to = &out[c * out_plane + y * columns.size()];
      for (const Between& x : columns) {
        const std::size_t left = x.low * c_count, right = x.high * c_count;
        const float upper = float(top[left]) + (float(top[right]) - float(top[left])) * x.share,
                    lower = float(bottom[left]) + (float(bottom[right]) - float(bottom[left])) * x.share;
        *to++ = upper + (lower - upper) * rows[y].share;
      }
    }
}

FeatureSet inception_features(InceptionNetwork& net, const Dataset& data, const Device& device,
                              const std::function<void(double share)>& progress) {
  if (data.count() == 0) throw Error(ErrorKind::usage, fmt::format("{} holds no images", data.name));
  if (data.channels != 1 && data.channels != 3)
    throw Error(ErrorKind::usage, fmt::format("the images of {} have {} channels; Inception-v3 takes images "
                                              "of 1 (gray) or 3 (RGB)",
                                              data.name, data.channels));
  const int batch = std::min(kBatch, data.count());
  const InceptionGraph inception = make_inception_graph(batch);
  Plan plan(inception.graph, inception.features, device, Mode::inference, net.params);
  std::vector<float> samples(std::size_t(inception.graph.shape(inception.sample).elements())),
      features(std::size_t(batch) * kInceptionFeatures);
  const std::size_t sample_size = samples.size() / std::size_t(batch);
  FeatureSet result{data.count(), kInceptionFeatures, {}};
  for (int first = 0; first < data.count(); first += batch) {
    const int count =
        std::min(batch, data.count() - first);  // what is left of an earlier batch fills the last
    for (int i = 0; i < count; ++i)
      write_sample(data, first + i, std::span(samples).subspan(std::size_t(i) * sample_size, sample_size));
    plan.write_input(inception.sample, samples);
    plan.forward();
    plan.read_output(features);
    result.values.insert(result.values.end(), features.begin(),
                         features.begin() + std::ptrdiff_t(count) * kInceptionFeatures);
    if (progress) progress(double(first + count) / data.count());
  }
  return result;
}

}  // namespace diffusion
