#include "pictures/read_image.h"

#include <gtest/gtest.h>

#include "files/fs.h"
#include "pictures/png.h"
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

  for (const std::string_view content : {""sv, "GIF"sv, "BM"sv, "\x89PNG"sv, "\xff\xd8"sv, "text"sv}) {
    write_file(folder / "odd.png", content);
    const std::string message = error_of(ErrorKind::bad_input, [&] { read_image(folder / "odd.png"); });
    EXPECT_NE(message.find((folder / "odd.png").string()), std::string::npos) << message;
    EXPECT_NE(message.find("neither PNG nor JPEG nor TIFF"), std::string::npos) << message;
  }
  error_of(ErrorKind::io, [&] { read_image(folder / "missing.png"); });
  error_of(ErrorKind::io, [&] { read_image(folder.path()); });
}

}  // namespace
}  // namespace diffusion
