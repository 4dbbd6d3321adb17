#include "pictures/jpeg.h"
#include <diffusion/picture_files.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <jpeglib.h>

#include <jerror.h>

#include <diffusion/error.h>
#include "files/fs.h"
#include "pictures/exif.h"
#include "pictures/image_checks.h"

namespace diffusion {

namespace {

struct ErrorHandler {
  jpeg_error_mgr manager{};  // first: libjpeg sees only this part
  std::jmp_buf jump{};
  std::array<char, JMSG_LENGTH_MAX> message{};
};

[[noreturn]] void on_error(j_common_ptr decoder) {
  auto* handler = reinterpret_cast<ErrorHandler*>(decoder->err);
  decoder->err->format_message(decoder, handler->message.data());
  std::longjmp(handler->jump, 1);
}

// libjpeg repairs damaged data and only warns; we want the warning. Stray bytes between segments are
// harmless.
void on_message(j_common_ptr decoder, int level) {
  const int code = decoder->err->msg_code;
  if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM) on_error(decoder);
}

// Errors come by longjmp(), which must not skip destructors: `calls` makes libjpeg calls only and owns
// nothing.
template <class Calls>
bool guarded(ErrorHandler& handler, Calls calls) {
  if (setjmp(handler.jump) != 0) return false;
  calls();
  return true;
}

constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr unsigned kMaxMarkerBytes = 0xffff;

// A progressive picture has about ten scans. Each visits every pixel, whatever its size in the file.
constexpr int kMaxScans = 100;

void check_scans(j_common_ptr codec) {
  if (reinterpret_cast<j_decompress_ptr>(codec)->input_scan_number <= kMaxScans) return;
  auto* handler = reinterpret_cast<ErrorHandler*>(codec->err);
  std::snprintf(handler->message.data(), handler->message.size(), "it has more than %d scans", kMaxScans);
  std::longjmp(handler->jump, 1);
}

struct Decoder {
  ErrorHandler handler;
  jpeg_progress_mgr progress{};
  jpeg_decompress_struct state{};

  Decoder() {
    state.err = jpeg_std_error(&handler.manager);
    handler.manager.error_exit = on_error;
    handler.manager.emit_message = on_message;
    progress.progress_monitor = check_scans;
  }
  ~Decoder() { jpeg_destroy_decompress(&state); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

struct Encoder {
  ErrorHandler handler;
  jpeg_compress_struct state{};
  unsigned char* bytes = nullptr;  // malloc()ed by libjpeg
  unsigned long size = 0;

  Encoder() {
    state.err = jpeg_std_error(&handler.manager);
    handler.manager.error_exit = on_error;
    handler.manager.emit_message = on_message;
  }
  ~Encoder() {
    jpeg_destroy_compress(&state);
    std::free(bytes);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
};

// A progressive picture is held as coefficients until its last scan, 128 bytes for 64 of them, and these cost
// the file an eighth of a byte at least. So this is enough for every honest file, and no small one can ask
// for gigabytes.
long memory_limit(std::size_t file_bytes) {
  return (64l << 20) + 1024l * long(file_bytes);
}

J_COLOR_SPACE output_space(J_COLOR_SPACE stored) {
  if (stored == JCS_GRAYSCALE) return JCS_GRAYSCALE;
  if (stored == JCS_YCbCr || stored == JCS_RGB) return JCS_RGB;
  if (stored == JCS_CMYK || stored == JCS_YCCK) return JCS_CMYK;
  return JCS_UNKNOWN;
}

// Files hold the inverse of CMYK (Adobe's habit, which all follow): what is left of the light for cyan,
// magenta, yellow and black. In place.
void cmyk_to_rgb(Image& image) {
  std::vector<std::uint8_t>& pixels = image.pixels;
  std::size_t out = 0;
  for (std::size_t in = 0; in < pixels.size(); in += 4) {
    const int black = pixels[in + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const int absorbed = ((255 - pixels[in + c]) * black + 127) / 255;
      pixels[out++] = std::uint8_t(black - absorbed);
    }
  }
  pixels.resize(out);
  image.channels = 3;
}

int orientation_of(const jpeg_decompress_struct& state) {
  for (auto* marker = state.marker_list; marker != nullptr; marker = marker->next) {
    const auto content = std::as_bytes(std::span(marker->data, marker->data_length));
    if (const int orientation = exif_orientation(content); orientation != 1) return orientation;
  }
  return 1;
}

}  // namespace

bool is_jpeg(std::span<const std::byte> bytes) {
  return bytes.size() >= 3 && bytes[0] == std::byte(0xff) && bytes[1] == std::byte(0xd8) &&
         bytes[2] == std::byte(0xff);
}

Image decode_jpeg(std::span<const std::byte> bytes, const std::string& source_name) {
  Decoder decoder;
  jpeg_decompress_struct& state = decoder.state;
  const auto check = [&](bool succeeded) {
    if (succeeded) return;
    throw Error(ErrorKind::bad_input, fmt::format("{} is not a readable JPEG image: {}.", source_name,
                                                  decoder.handler.message.data()));
  };

  check(guarded(decoder.handler, [&] {
    jpeg_create_decompress(&state);
    state.progress = &decoder.progress;
    state.mem->max_memory_to_use = memory_limit(bytes.size());
    jpeg_save_markers(&state, kExifMarker, kMaxMarkerBytes);
    jpeg_mem_src(&state, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&state, TRUE);
  }));
  check_pixel_count(state.image_width, state.image_height, source_name);
  state.out_color_space = output_space(state.jpeg_color_space);
  if (state.out_color_space == JCS_UNKNOWN) {
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} is a JPEG image with {} color components that is neither gray nor RGB nor CMYK.",
                    source_name, state.num_components));
  }
  const int orientation = orientation_of(state);
  check(guarded(decoder.handler, [&] { jpeg_start_decompress(&state); }));

  Image image{int(state.output_width), int(state.output_height), state.output_components, {}};
  const std::size_t row_bytes = std::size_t(image.width) * std::size_t(image.channels);
  // The memory becomes real row by row, so a small file that only claims to be large stays cheap.
  image.pixels.reserve(row_bytes * std::size_t(image.height));
  for (std::size_t y = 0; y < std::size_t(image.height); ++y) {
    image.pixels.resize((y + 1) * row_bytes);
    JSAMPROW row = image.pixels.data() + y * row_bytes;
    check(guarded(decoder.handler, [&] { jpeg_read_scanlines(&state, &row, 1); }));
  }
  check(guarded(decoder.handler, [&] { jpeg_finish_decompress(&state); }));
  if (image.channels == 4) cmyk_to_rgb(image);
  return orient(std::move(image), orientation);
}

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  check_image(image);
  const bool has_alpha = image.channels == 2 || image.channels == 4;
  if (has_alpha || quality < 1 || quality > 100 || std::max(image.width, image.height) > JPEG_MAX_DIMENSION)
    throw Error(
        ErrorKind::usage,
        fmt::format(
            "An image of {} x {} pixels with {} channels cannot be written as JPEG with quality {}; "
            "accepted are 1 (gray) or 3 (RGB) channels, sides of at most {} pixels and qualities from "
            "1 to 100.",
            image.width, image.height, image.channels, quality, JPEG_MAX_DIMENSION));
  Encoder encoder;
  jpeg_compress_struct& state = encoder.state;
  const bool succeeded = guarded(encoder.handler, [&] {
    jpeg_create_compress(&state);
    jpeg_mem_dest(&state, &encoder.bytes, &encoder.size);
    state.image_width = JDIMENSION(image.width);
    state.image_height = JDIMENSION(image.height);
    state.input_components = image.channels;
    state.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&state);
    jpeg_set_quality(&state, quality, TRUE);
    jpeg_start_compress(&state, TRUE);
    const std::size_t row_bytes = std::size_t(image.width) * std::size_t(image.channels);
    for (std::size_t y = 0; y < std::size_t(image.height); ++y) {
      auto* row = const_cast<JSAMPROW>(image.pixels.data() + y * row_bytes);  // only read
      jpeg_write_scanlines(&state, &row, 1);
    }
    jpeg_finish_compress(&state);
  });
  if (!succeeded)
    throw Error(ErrorKind::memory,
                fmt::format("Encoding a JPEG image failed: {}.", encoder.handler.message.data()));
  const auto* first = reinterpret_cast<const std::byte*>(encoder.bytes);
  return {first, first + encoder.size};
}

void write_jpeg(const std::filesystem::path& path, const Image& image, int quality) {
  write_file_atomically(path, encode_jpeg(image, quality));
}

}  // namespace diffusion
