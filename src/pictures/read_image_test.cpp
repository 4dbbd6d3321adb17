#include <diffusion/picture_files.h>

#include <gtest/gtest.h>

#include "files/fs.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;
using namespace std::string_view_literals;

TEST(ReadImage, GoesByContentNotByName) {
  const scratch::Folder folder;
  const Image image = scratch::synthetic_picture(3, 2, 1);
  write_png(folder / "really-png.jpg", image);
  EXPECT_EQ(read_image(folder / "really-png.jpg"), image);
  write_file(folder / "really-webp.png", scratch::pillow_file("pillow_lossless.webp"));
  EXPECT_EQ(read_image(folder / "really-webp.png"), scratch::synthetic_picture(19, 11, 3));

  for (const std::string_view content :
       {""sv, "GIF"sv, "BM"sv, "\x89PNG"sv, "\xff\xd8"sv, "RIFF"sv, "text"sv}) {
    write_file(folder / "odd.png", content);
    const std::string message = error_of(ErrorKind::bad_input, [&] { read_image(folder / "odd.png"); });
    EXPECT_NE(message.find((folder / "odd.png").string()), std::string::npos) << message;
    EXPECT_NE(message.find("neither PNG nor JPEG nor TIFF nor WebP"), std::string::npos) << message;
  }
  error_of(ErrorKind::io, [&] { read_image(folder / "missing.png"); });
  error_of(ErrorKind::io, [&] { read_image(folder.path()); });
}

TEST(ReadImage, TellsHowToConvertWhatItKnowsAndDoesNotRead) {
  const auto heic =
      "\0\0\0\x18"
      "ftypheic\0\0\0\0mif1heic"sv;
  EXPECT_EQ(
      error_of(ErrorKind::bad_input, [&] { decode_image(std::as_bytes(std::span(heic)), "IMG_1.HEIC"); }),
      "IMG_1.HEIC is a HEIC image; accepted are PNG, JPEG, TIFF and WebP. This converts it: heif-convert "
      "FILE.heic FILE.png (Debian package libheif-examples).");
}

}  // namespace
}  // namespace diffusion
