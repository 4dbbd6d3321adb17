#include "pictures/webp.h"

#include <fmt/format.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include <diffusion/error.h>
#include "pictures/exif.h"
#include "pictures/image_checks.h"

namespace diffusion {

namespace {

constexpr int kRgb = 3, kRgba = 4;  // channels

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
using Demuxer = std::unique_ptr<WebPDemuxer, DeleteDemuxer>;

struct FreeWebp {
  void operator()(std::uint8_t* pixels) const { WebPFree(pixels); }
};
using Pixels = std::unique_ptr<std::uint8_t, FreeWebp>;

[[noreturn]] void refuse(const std::string& source_name, std::string_view reason) {
  throw Error(ErrorKind::bad_input, fmt::format("{} is not a readable WebP image: {}.", source_name, reason));
}

const std::uint8_t* as_uint8(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

// Releases what libwebp keeps for it at the end.
struct FirstFrame {
  WebPIterator iterator{};
  bool found;

  explicit FirstFrame(const WebPDemuxer* demuxer) : found(WebPDemuxGetFrame(demuxer, 1, &iterator) != 0) {}
  ~FirstFrame() { WebPDemuxReleaseIterator(&iterator); }
  FirstFrame(const FirstFrame&) = delete;
  FirstFrame& operator=(const FirstFrame&) = delete;
};

int read_orientation(const WebPDemuxer* demuxer) {
  WebPChunkIterator iterator{};
  int orientation = 1;
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &iterator) != 0)
    orientation = exif_orientation(std::as_bytes(std::span(iterator.chunk.bytes, iterator.chunk.size)));
  WebPDemuxReleaseChunkIterator(&iterator);
  return orientation;
}

// Size and channels of the canvas, without pixels.
Image read_canvas(std::span<const std::byte> bytes, const std::string& source_name) {
  WebPBitstreamFeatures features{};
  const VP8StatusCode status = WebPGetFeatures(as_uint8(bytes), bytes.size(), &features);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA) refuse(source_name, "the file is cut off");
  if (status != VP8_STATUS_OK || features.width < 1 || features.height < 1)
    refuse(source_name, "its header is damaged");
  check_pixel_count(features.width, features.height, source_name);
  return {features.width, features.height, features.has_alpha != 0 ? kRgba : kRgb, {}};
}

// [height, width, channels] of the frame. libwebp's own memory becomes real as pixels come, so a small file
// that only claims to be large stays cheap.
Pixels decode_frame(const WebPIterator& frame, int channels, const std::string& source_name) {
  const auto decode = channels == kRgba ? WebPDecodeRGBA : WebPDecodeRGB;
  int width = 0, height = 0;
  Pixels pixels(decode(frame.fragment.bytes, frame.fragment.size, &width, &height));
  if (!pixels) refuse(source_name, "its pixels are damaged");
  if (width != frame.width || height != frame.height) refuse(source_name, "its sizes contradict each other");
  return pixels;
}

// The pixels of `frame` in `image`, which has the size of the canvas and none yet.
void place(const Pixels& pixels, const WebPIterator& frame, Image& image) {
  const std::size_t channels = std::size_t(image.channels), width = std::size_t(image.width);
  const std::size_t size = width * std::size_t(image.height) * channels;
  if (frame.width == image.width && frame.height == image.height) {
    image.pixels.assign(pixels.get(), pixels.get() + size);
    return;
  }
  image.pixels.resize(size);
  const std::size_t row = std::size_t(frame.width) * channels;
  for (std::size_t y = 0; y < std::size_t(frame.height); ++y) {
    const std::size_t pixel = (std::size_t(frame.y_offset) + y) * width + std::size_t(frame.x_offset);
    std::copy_n(pixels.get() + y * row, row, image.pixels.data() + pixel * channels);
  }
}

}  // namespace

bool is_webp(std::span<const std::byte> bytes) {
  const std::string_view file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return file.starts_with("RIFF") && file.size() >= 12 && file.substr(8, 4) == "WEBP";
}

Image decode_webp(std::span<const std::byte> bytes, const std::string& source_name) {
  Image image = read_canvas(bytes, source_name);
  const WebPData data{as_uint8(bytes), bytes.size()};
  const Demuxer demuxer(WebPDemux(&data));
  if (!demuxer) refuse(source_name, "the file is cut off or damaged");
  {
    const FirstFrame first(demuxer.get());
    if (!first.found) refuse(source_name, "it holds no picture");
    const Pixels pixels = decode_frame(first.iterator, image.channels, source_name);
    place(pixels, first.iterator, image);
  }
  return orient(std::move(image), read_orientation(demuxer.get()));
}

}  // namespace diffusion
