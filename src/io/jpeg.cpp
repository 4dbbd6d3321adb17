#include "io/jpeg.h"

#include <fmt/format.h>

#include <array>
#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include <jerror.h>

#include "base/error.h"

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

struct Decoder {
  ErrorHandler handler;
  jpeg_decompress_struct state{};

  Decoder() {
    state.err = jpeg_std_error(&handler.manager);
    handler.manager.error_exit = on_error;
    handler.manager.emit_message = on_message;
  }
  ~Decoder() { jpeg_destroy_decompress(&state); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

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
    jpeg_mem_src(&state, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&state, TRUE);
  }));
  if (std::int64_t(state.image_width) > kMaxPixels / std::int64_t(state.image_height)) {
    throw Error(ErrorKind::bad_input,
                fmt::format("{} has {} x {} pixels, more than the {} accepted.", source_name,
                            state.image_width, state.image_height, kMaxPixels));
  }
  const bool is_gray = state.jpeg_color_space == JCS_GRAYSCALE;
  if (!is_gray && state.jpeg_color_space != JCS_YCbCr && state.jpeg_color_space != JCS_RGB) {
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is a JPEG image with {} color components that is neither gray nor RGB.",
                            source_name, state.num_components));
  }
  state.out_color_space = is_gray ? JCS_GRAYSCALE : JCS_RGB;
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
  return image;
}

}  // namespace diffusion
