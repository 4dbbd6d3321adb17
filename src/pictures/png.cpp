#include "pictures/png.h"
#include <diffusion/picture_files.h>

#include <fmt/format.h>
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <new>
#include <utility>

#include <diffusion/error.h>
#include "files/fs.h"
#include "pictures/exif.h"
#include "pictures/image_checks.h"

namespace diffusion {

namespace {

// libpng reports errors by longjmp(), which must not skip destructors. So each call into libpng goes through
// guarded(), whose argument makes libpng calls only and owns nothing.
template <class Calls>
bool guarded(png_structp png, Calls calls) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  calls();
  return true;
}

struct Message {
  std::array<char, 128> text{};
};

void on_error(png_structp png, png_const_charp text) {
  auto* message = static_cast<Message*>(png_get_error_ptr(png));
  std::strncpy(message->text.data(), text, message->text.size() - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

struct ByteSource {
  std::span<const std::byte> rest;
};

void read_bytes(png_structp png, png_bytep out, png_size_t size) {
  auto* source = static_cast<ByteSource*>(png_get_io_ptr(png));
  if (size > source->rest.size()) png_error(png, "the file is cut off");
  std::memcpy(out, source->rest.data(), size);
  source->rest = source->rest.subspan(size);
}

// Texts and color profiles may unpack to a thousand times their size, and nothing here wants them.
constexpr std::size_t kChunkNameBytes = 5;
constexpr std::array<png_byte, 6 * kChunkNameBytes> kUnusedChunks = {
    'i', 'C', 'C', 'P', 0, 'i', 'T', 'X', 't', 0, 't', 'E', 'X', 't', 0,
    'z', 'T', 'X', 't', 0, 's', 'P', 'L', 'T', 0, 'p', 'C', 'A', 'L', 0};
constexpr png_alloc_size_t kMaxChunkBytes = 1 << 20;  // any other than pixels

class PngReader {
 public:
  explicit PngReader(std::span<const std::byte> bytes) : source_{bytes} {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &message_, on_error, on_warning);
    if (png_ == nullptr) throw std::bad_alloc();
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(png_, &source_, read_bytes);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  png_structp png() { return png_; }
  png_infop info() { return info_; }
  const char* message() const { return message_.text.data(); }

 private:
  Message message_;
  ByteSource source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

class PngWriter {
 public:
  PngWriter() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, &message_, on_error, on_warning);
    if (png_ == nullptr) throw std::bad_alloc();
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_write_struct(&png_, nullptr);
      throw std::bad_alloc();
    }
    png_set_write_fn(png_, &bytes_, append_bytes, [](png_structp) {});
  }
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  png_structp png() { return png_; }
  png_infop info() { return info_; }
  const char* message() const { return message_.text.data(); }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  static void append_bytes(png_structp png, png_bytep data, png_size_t size) {
    auto* bytes = static_cast<std::vector<std::byte>*>(png_get_io_ptr(png));
    bool fits = true;
    try {
      const auto* first = reinterpret_cast<const std::byte*>(data);
      bytes->insert(bytes->end(), first, first + size);
    } catch (const std::bad_alloc&) {
      fits = false;
    }
    if (!fits) png_error(png, "not enough memory");
  }

  Message message_;
  std::vector<std::byte> bytes_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

bool is_png(std::span<const std::byte> bytes) {
  return bytes.size() >= 8 && png_sig_cmp(reinterpret_cast<png_const_bytep>(bytes.data()), 0, 8) == 0;
}

Image decode_png(std::span<const std::byte> bytes, const std::string& source_name) {
  PngReader reader(bytes);
  png_structp png = reader.png();
  png_infop info = reader.info();
  const auto check = [&](bool succeeded) {
    if (succeeded) return;
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is not a readable PNG image: {}.", source_name, reader.message()));
  };

  check(guarded(png, [&] {
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, kUnusedChunks.data(),
                                int(kUnusedChunks.size() / kChunkNameBytes));
    png_set_chunk_malloc_max(png, kMaxChunkBytes);
    png_read_info(png, info);
  }));
  const std::int64_t width = png_get_image_width(png, info);
  const std::int64_t height = png_get_image_height(png, info);
  check_pixel_count(width, height, source_name);
  int passes = 1;
  check(guarded(png, [&] {
    png_set_expand(png);  // palette to RGB, gray to 8 bits, a transparent color to alpha
    png_set_scale_16(png);
    passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
  }));

  Image image{int(width), int(height), png_get_channels(png, info), {}};
  const std::size_t row_bytes = std::size_t(width) * std::size_t(image.channels);
  if (png_get_rowbytes(png, info) != row_bytes) {
    throw Error(ErrorKind::internal,
                fmt::format("The PNG decoder's rows do not fit the image {}.", source_name));
  }
  // The memory becomes real row by row, so a small file that only claims to be large stays cheap.
  image.pixels.reserve(row_bytes * std::size_t(height));
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t y = 0; y < std::size_t(height); ++y) {
      if (pass == 0) image.pixels.resize((y + 1) * row_bytes);
      png_bytep row = image.pixels.data() + y * row_bytes;
      check(guarded(png, [&] { png_read_row(png, row, nullptr); }));
    }
  }
  check(guarded(png, [&] { png_read_end(png, info); }));

  png_uint_32 exif_bytes = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(png, info, &exif_bytes, &exif) == 0) return image;
  return orient(std::move(image), exif_orientation(std::as_bytes(std::span(exif, exif_bytes))));
}

std::vector<std::byte> encode_png(const Image& image) {
  check_image(image);
  constexpr std::array<int, 5> kColorTypes = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                              PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  PngWriter writer;
  png_structp png = writer.png();
  png_infop info = writer.info();
  const std::size_t row_bytes = std::size_t(image.width) * std::size_t(image.channels);
  const bool succeeded = guarded(png, [&] {
    png_set_IHDR(png, info, png_uint_32(image.width), png_uint_32(image.height), 8,
                 kColorTypes[std::size_t(image.channels)], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (std::size_t y = 0; y < std::size_t(image.height); ++y) {
      png_write_row(png, image.pixels.data() + y * row_bytes);
    }
    png_write_end(png, nullptr);
  });
  if (!succeeded) {
    throw Error(ErrorKind::usage, fmt::format("An image of {} x {} pixels cannot be written as PNG: {}.",
                                              image.width, image.height, writer.message()));
  }
  return writer.take();
}

void write_png(const std::filesystem::path& path, const Image& image) {
  write_file_atomically(path, encode_png(image));
}

}  // namespace diffusion
