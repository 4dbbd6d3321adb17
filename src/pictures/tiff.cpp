#include "pictures/tiff.h"

#include <fmt/format.h>

#ifdef DIFFUSION_TIFF
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "pictures/exif.h"
#include "pictures/tiff_memory.h"
#endif

#include <diffusion/error.h>
#include "pictures/image_checks.h"

namespace diffusion {

namespace {

[[noreturn]] void refuse(const std::string& source_name, const std::string& reason) {
  throw Error(ErrorKind::bad_input, fmt::format("{} is not a readable TIFF image: {}.", source_name, reason));
}

}  // namespace

bool is_tiff(std::span<const std::byte> bytes) {
  if (bytes.size() < 4) return false;
  const auto at = [&](std::size_t i) { return std::to_integer<int>(bytes[i]); };
  const auto is_version = [](int number) { return number == 42 || number == 43; };
  return (at(0) == 'I' && at(1) == 'I' && is_version(at(2)) && at(3) == 0) ||
         (at(0) == 'M' && at(1) == 'M' && at(2) == 0 && is_version(at(3)));
}

#ifndef DIFFUSION_TIFF

Image decode_tiff(std::span<const std::byte>, const std::string& source_name) {
  refuse(source_name,
         "this program was built without TIFF (option DIFFUSION_TIFF); accepted are PNG, JPEG and WebP");
}

#else

namespace {

constexpr int kMaxSamples = 16;                   // channels of a file, most of which would be dropped
constexpr std::int64_t kMaxTileBytes = 64 << 20;  // 4096 x 4096 pixels of RGBA
constexpr std::int64_t kMostCompression = 2048;   // LZW of a picture of one color; CCITT has no such limit
constexpr int kSeparated = 5, kCieLab = 8, kIccLab = 9;  // photometric interpretations, for messages

// What the tags say, checked: nothing else is decoded.
struct Layout {
  std::int64_t width = 0, height = 0;
  int bits = 1, samples = 1;  // bits of a sample, samples of a pixel
  int photometric = PHOTOMETRIC_MINISBLACK;
  bool in_planes = false;
  int colors = 1;  // channels of the result without alpha
  bool has_alpha = false, premultiplied = false;
  std::array<const std::uint16_t*, 3> palette{};

  int channels() const { return colors + (has_alpha ? 1 : 0); }
};

int number(TIFF* tiff, std::uint32_t tag) {
  std::uint16_t value = 0;
  TIFFGetFieldDefaulted(tiff, tag, &value);
  return value;
}

void check_compression(TIFF* tiff, const std::string& source_name) {
  constexpr std::array<int, 9> kAccepted = {
      COMPRESSION_NONE,      COMPRESSION_CCITTRLE,      COMPRESSION_CCITTFAX3,
      COMPRESSION_CCITTFAX4, COMPRESSION_LZW,           COMPRESSION_JPEG,
      COMPRESSION_DEFLATE,   COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS};
  const int compression = number(tiff, TIFFTAG_COMPRESSION);
  if (std::ranges::find(kAccepted, compression) != kAccepted.end()) return;
  const TIFFCodec* codec = TIFFFindCODEC(std::uint16_t(compression));
  refuse(source_name,
         fmt::format("it is compressed by method {} ({}); accepted are none, LZW, Deflate, PackBits, JPEG "
                     "and CCITT",
                     compression, codec != nullptr ? codec->name : "unknown"));
}

void check_numbers(TIFF* tiff, const Layout& layout, const std::string& source_name) {
  const int format = number(tiff, TIFFTAG_SAMPLEFORMAT);
  if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID)
    refuse(source_name, fmt::format("its samples are {}; accepted are unsigned integers",
                                    format == SAMPLEFORMAT_INT      ? "signed integers"
                                    : format == SAMPLEFORMAT_IEEEFP ? "floating-point numbers"
                                                                    : fmt::format("of format {}", format)));
  const bool small = layout.bits == 1 || layout.bits == 2 || layout.bits == 4;
  const bool fits = layout.bits == 8 || layout.bits == 16 || (small && layout.samples == 1);
  if (!fits)
    refuse(source_name,
           fmt::format("it has {} samples of {} bits a pixel; accepted are 8 and 16 bits, and 1, 2 and 4 "
                       "for a single sample",
                       layout.samples, layout.bits));
}

int colors_of(TIFF* tiff, Layout& layout, const std::string& source_name) {
  switch (layout.photometric) {
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_MINISWHITE:
      return 1;
    case PHOTOMETRIC_RGB:
      return 3;
    case PHOTOMETRIC_YCBCR:
      if (number(tiff, TIFFTAG_COMPRESSION) != COMPRESSION_JPEG || layout.in_planes)
        refuse(source_name,
               "it is YCbCr in planes or without JPEG compression; accepted are gray, RGB and palettes");
      TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
      return 3;
    case PHOTOMETRIC_PALETTE: {
      std::uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
      if (TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) != 1)
        refuse(source_name, "its palette is missing");
      if (layout.samples != 1)
        refuse(source_name,
               fmt::format("it has a palette and {} samples a pixel; accepted is 1", layout.samples));
      layout.palette = {red, green, blue};
      return 3;
    }
    default:
      const bool lab = layout.photometric == kCieLab || layout.photometric == kIccLab;
      const std::string_view name = layout.photometric == kSeparated ? "CMYK" : lab ? "L*a*b*" : "unknown";
      refuse(source_name,
             fmt::format("its colors are {} (photometric interpretation {}); accepted are gray, RGB and "
                         "palettes",
                         name, layout.photometric));
  }
}

// Parts of a picture may lie in the same place of the file, so that a small one could hold any number of
// pixels.
void check_file_size(TIFF* tiff, const Layout& layout, std::size_t file_bytes,
                     const std::string& source_name) {
  const int compression = number(tiff, TIFFTAG_COMPRESSION);
  if (compression >= COMPRESSION_CCITTRLE && compression <= COMPRESSION_CCITTFAX4) return;
  const std::int64_t unpacked = layout.width * layout.height * layout.samples * layout.bits / 8;
  if (unpacked / kMostCompression > std::int64_t(file_bytes))
    refuse(source_name, fmt::format("its {} x {} pixels cannot be in a file of {} bytes", layout.width,
                                    layout.height, file_bytes));
}

Layout read_layout(TIFF* tiff, std::size_t file_bytes, const std::string& source_name) {
  std::uint32_t width = 0, height = 0, depth = 1;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_IMAGEDEPTH, &depth);
  if (width < 1 || height < 1 || depth != 1)
    refuse(source_name, fmt::format("its size is {} x {} x {}", width, height, depth));
  check_pixel_count(width, height, source_name);

  Layout layout{.width = width, .height = height};
  layout.bits = number(tiff, TIFFTAG_BITSPERSAMPLE);
  layout.samples = number(tiff, TIFFTAG_SAMPLESPERPIXEL);
  layout.in_planes = number(tiff, TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE;
  std::uint16_t photometric = 0;
  if (TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric) != 1)
    refuse(source_name, "it does not say how colors are stored");
  layout.photometric = photometric;
  check_compression(tiff, source_name);
  check_numbers(tiff, layout, source_name);
  layout.colors = colors_of(tiff, layout, source_name);
  const int stored = layout.photometric == PHOTOMETRIC_PALETTE ? 1 : layout.colors;
  if (layout.samples < stored || layout.samples > kMaxSamples)
    refuse(source_name, fmt::format("it has {} samples a pixel; accepted are {} to {}", layout.samples,
                                    stored, kMaxSamples));
  check_file_size(tiff, layout, file_bytes, source_name);

  std::uint16_t extra_count = 0;
  std::uint16_t* extras = nullptr;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extras);
  if (layout.samples > stored && extra_count > 0 && extras != nullptr) {
    layout.premultiplied = extras[0] == EXTRASAMPLE_ASSOCALPHA;
    layout.has_alpha = layout.premultiplied || extras[0] == EXTRASAMPLE_UNASSALPHA;
  }
  return layout;
}

// Puts samples of the file where they belong in the image.
class Placer {
 public:
  Placer(const Layout& layout, Image& image) : layout_(layout), image_(image) {
    const int largest = (1 << std::min(layout.bits, 8)) - 1;
    for (int value = 0; value <= largest; ++value)
      levels_[std::size_t(value)] = std::uint8_t((value * 255 + largest / 2) / largest);
  }

  // `count` pixels from (x, y) on, as one row of a strip or tile has them: all samples, or only number
  // `plane`.
  void place(const std::uint8_t* row, std::int64_t x, std::int64_t y, std::int64_t count, int plane) {
    const std::size_t channels = std::size_t(image_.channels), pixels = std::size_t(count);
    const std::size_t stored = layout_.in_planes ? 1 : std::size_t(layout_.samples);
    std::uint8_t* first = image_.pixels.data() + std::size_t(y * layout_.width + x) * channels;
    unpack(row, pixels * stored);
    if (layout_.palette[0] != nullptr) {
      for (std::size_t i = 0; i < pixels; ++i)
        for (std::size_t c = 0; c < 3; ++c)
          first[i * 3 + c] = std::uint8_t(layout_.palette[c][samples_[i]] >> 8);
      return;
    }
    for (std::size_t s = 0; s < stored; ++s) {
      const std::size_t channel = layout_.in_planes ? std::size_t(plane) : s;
      if (channel >= channels) break;
      const bool inverted = layout_.photometric == PHOTOMETRIC_MINISWHITE && channel == 0;
      for (std::size_t i = 0; i < pixels; ++i) {
        const std::uint8_t level = eight_bits(samples_[i * stored + s]);
        first[i * channels + channel] = inverted ? std::uint8_t(255 - level) : level;
      }
    }
  }

 private:
  void unpack(const std::uint8_t* row, std::size_t count) {
    samples_.resize(count);
    if (layout_.bits == 8) {
      std::copy_n(row, count, samples_.begin());
    } else if (layout_.bits == 16) {  // libtiff has swapped bytes if need be
      std::memcpy(samples_.data(), row, count * sizeof(std::uint16_t));
    } else {
      const int mask = (1 << layout_.bits) - 1;
      int shift = 8;
      for (std::uint16_t& sample : samples_) {
        shift -= layout_.bits;
        sample = std::uint16_t(*row >> shift & mask);
        if (shift > 0) continue;
        shift = 8;
        ++row;
      }
    }
  }

  std::uint8_t eight_bits(std::uint16_t value) const {
    return layout_.bits == 16 ? std::uint8_t((value * 255u + 32'767) / 65'535) : levels_[value];
  }

  const Layout& layout_;
  Image& image_;
  std::array<std::uint8_t, 256> levels_{};  // of samples of up to 8 bits
  std::vector<std::uint16_t> samples_;
};

// The memory becomes real as pixels come, so a small file that only claims to be large stays cheap.
void grow(Image& image, std::int64_t rows) {
  const std::size_t size = std::size_t(rows) * std::size_t(image.width) * std::size_t(image.channels);
  if (image.pixels.size() < size) image.pixels.resize(size);
}

template <class Check>
void read_strips(TIFF* tiff, const Layout& layout, Image& image, const Check& check) {
  const std::int64_t row_samples = layout.width * (layout.in_planes ? 1 : layout.samples);
  const std::int64_t row_bytes = (row_samples * layout.bits + 7) / 8;
  check(TIFFScanlineSize64(tiff) == std::uint64_t(row_bytes));
  std::vector<std::uint8_t> row;
  row.resize(std::size_t(row_bytes));
  Placer placer(layout, image);
  for (int plane = 0; plane < (layout.in_planes ? layout.channels() : 1); ++plane)
    for (std::int64_t y = 0; y < layout.height; ++y) {
      check(TIFFReadScanline(tiff, row.data(), std::uint32_t(y), std::uint16_t(plane)) == 1);
      grow(image, y + 1);
      placer.place(row.data(), 0, y, layout.width, plane);
    }
}

template <class Check>
void read_tiles(TIFF* tiff, const Layout& layout, Image& image, const Check& check) {
  std::uint32_t tile_width = 0, tile_height = 0;
  TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &tile_width);
  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &tile_height);
  const std::int64_t row_samples = std::int64_t(tile_width) * (layout.in_planes ? 1 : layout.samples);
  const std::int64_t row_bytes = (row_samples * layout.bits + 7) / 8;
  check(row_bytes > 0 && tile_height > 0 && row_bytes <= kMaxTileBytes / std::int64_t(tile_height));
  const std::int64_t tile_bytes = row_bytes * tile_height;
  check(TIFFTileSize64(tiff) == std::uint64_t(tile_bytes));
  std::vector<std::uint8_t> tile;
  tile.resize(std::size_t(tile_bytes));
  Placer placer(layout, image);
  for (int plane = 0; plane < (layout.in_planes ? layout.channels() : 1); ++plane)
    for (std::int64_t top = 0; top < layout.height; top += tile_height) {
      const std::int64_t rows = std::min<std::int64_t>(tile_height, layout.height - top);
      for (std::int64_t left = 0; left < layout.width; left += tile_width) {
        check(TIFFReadTile(tiff, tile.data(), std::uint32_t(left), std::uint32_t(top), 0,
                           std::uint16_t(plane)) == tile_bytes);
        grow(image, top + rows);
        const std::int64_t columns = std::min<std::int64_t>(tile_width, layout.width - left);
        for (std::int64_t y = 0; y < rows; ++y)
          placer.place(tile.data() + y * row_bytes, left, top + y, columns, plane);
      }
    }
}

void undo_premultiplication(Image& image) {
  const std::size_t channels = std::size_t(image.channels);
  for (std::size_t p = 0; p < image.pixels.size(); p += channels) {
    const int alpha = image.pixels[p + channels - 1];
    if (alpha == 0) continue;
    for (std::size_t c = 0; c + 1 < channels; ++c)
      image.pixels[p + c] = std::uint8_t(std::min(255, (image.pixels[p + c] * 255 + alpha / 2) / alpha));
  }
}

}  // namespace

Image decode_tiff(std::span<const std::byte> bytes, const std::string& source_name) {
  TiffMemory source{bytes};
  const TiffPointer tiff = open_tiff(source);
  const auto check = [&](bool succeeded) {
    if (source.message[0] != 0) refuse(source_name, source.message.data());
    if (!succeeded) refuse(source_name, "its tags contradict each other");
  };
  check(tiff != nullptr);
  const Layout layout = read_layout(tiff.get(), bytes.size(), source_name);
  check(true);

  Image image{int(layout.width), int(layout.height), layout.channels(), {}};
  image.pixels.reserve(std::size_t(layout.width * layout.height) * std::size_t(image.channels));
  if (TIFFIsTiled(tiff.get()) != 0)
    read_tiles(tiff.get(), layout, image, check);
  else
    read_strips(tiff.get(), layout, image, check);
  if (layout.premultiplied) undo_premultiplication(image);
  const int orientation = number(tiff.get(), TIFFTAG_ORIENTATION);
  return orient(std::move(image), orientation >= 1 && orientation <= 8 ? orientation : 1);
}

#endif

}  // namespace diffusion
