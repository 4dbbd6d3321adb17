#include <diffusion/picture_files.h>

#include <gif_lib.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>

#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;

struct Decoded {
  int width = 0;
  int height = 0;
  std::vector<Image> frames;  // RGB
  std::vector<int> delays;    // 1/100 s
  bool loops_forever = false;
};

Decoded decode(const std::filesystem::path& path) {
  Decoded result;
  int error = 0;
  GifFileType* gif = DGifOpenFileName(path.c_str(), &error);
  if (gif == nullptr || DGifSlurp(gif) != GIF_OK) {
    ADD_FAILURE() << "not a GIF";
    return result;
  }
  result.width = gif->SWidth;
  result.height = gif->SHeight;
  for (int i = 0; i < gif->ImageCount; ++i) {
    const SavedImage& saved = gif->SavedImages[i];
    Image image{saved.ImageDesc.Width, saved.ImageDesc.Height, 3, {}};
    for (int p = 0; p < image.width * image.height; ++p) {
      const GifColorType& color = gif->SColorMap->Colors[saved.RasterBits[p]];
      image.pixels.insert(image.pixels.end(), {color.Red, color.Green, color.Blue});
    }
    result.frames.push_back(image);
    GraphicsControlBlock control{};
    EXPECT_EQ(DGifSavedExtensionToGCB(gif, i, &control), GIF_OK);
    EXPECT_EQ(control.TransparentColor, NO_TRANSPARENT_COLOR);
    result.delays.push_back(control.DelayTime);
    for (int e = 0; e + 1 < saved.ExtensionBlockCount; ++e) {
      const ExtensionBlock& name = saved.ExtensionBlocks[e];
      const ExtensionBlock& data = saved.ExtensionBlocks[e + 1];
      if (name.Function == APPLICATION_EXT_FUNC_CODE && name.ByteCount == 11 &&
          std::memcmp(name.Bytes, "NETSCAPE2.0", 11) == 0) {
        result.loops_forever = data.ByteCount == 3 && std::memcmp(data.Bytes, "\1\0\0", 3) == 0;
      }
    }
  }
  DGifCloseFile(gif, &error);
  return result;
}

TEST(WriteGif, KeepsGrayValuesExactly) {
  const scratch::Folder folder;
  std::vector<Image> frames;
  for (int f = 0; f < 5; ++f) {
    Image image{31, 17, 1, {}};
    for (int i = 0; i < 31 * 17; ++i) image.pixels.push_back(std::uint8_t(i * 7 + f * 50));
    frames.push_back(image);
  }
  write_gif(folder / "a.gif", frames, 40, 2004);
  const Decoded decoded = decode(folder / "a.gif");
  EXPECT_EQ(decoded.width, 31);
  EXPECT_EQ(decoded.height, 17);
  EXPECT_TRUE(decoded.loops_forever);
  EXPECT_EQ(decoded.delays, (std::vector<int>{4, 4, 4, 4, 200}));
  ASSERT_EQ(decoded.frames.size(), 5u);
  for (std::size_t f = 0; f < 5; ++f) {
    ASSERT_EQ(decoded.frames[f].pixels.size(), 31u * 17 * 3);
    for (std::size_t i = 0; i < 31 * 17; ++i) {
      for (std::size_t c = 0; c < 3; ++c) ASSERT_EQ(decoded.frames[f].pixels[i * 3 + c], frames[f].pixels[i]);
    }
  }
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a.gif"});
}

TEST(WriteGif, FewColorsAreKeptExactly) {
  const scratch::Folder folder;
  std::vector<Image> frames;
  for (int f = 0; f < 3; ++f) {
    Image image{16, 8, 3, {}};
    for (int i = 0; i < 16 * 8; ++i) {
      image.pixels.insert(image.pixels.end(), {std::uint8_t(i % 80), std::uint8_t(f), std::uint8_t(200)});
    }
    frames.push_back(image);
  }
  write_gif(folder / "a.gif", frames, 100, 100);
  EXPECT_EQ(decode(folder / "a.gif").frames, frames);
}

TEST(WriteGif, ManyColorsStayClose) {
  const scratch::Folder folder;
  Image image{64, 64, 3, {}};
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      image.pixels.insert(image.pixels.end(),
                          {std::uint8_t(4 * x), std::uint8_t(4 * y), std::uint8_t(2 * (x + y))});
    }
  }
  write_gif(folder / "a.gif", std::span(&image, 1), 100, 100);
  const Decoded decoded = decode(folder / "a.gif");
  ASSERT_EQ(decoded.frames.size(), 1u);
  double mean_error = 0, mean_signed_error = 0;
  int largest = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    const int error = int(decoded.frames[0].pixels[i]) - image.pixels[i];
    mean_error += std::abs(error) / double(image.pixels.size());
    mean_signed_error += error / double(image.pixels.size());
    largest = std::max(largest, std::abs(error));
  }
  EXPECT_LT(mean_error, 8);
  EXPECT_LT(std::abs(mean_signed_error), 0.5);
  EXPECT_LT(largest, 64);
}

TEST(WriteGif, OnePixel) {
  const scratch::Folder folder;
  const Image image{1, 1, 3, {1, 2, 3}};
  write_gif(folder / "a.gif", std::span(&image, 1), 0, 655'350);
  EXPECT_EQ(decode(folder / "a.gif").frames.at(0), image);
  EXPECT_EQ(decode(folder / "a.gif").delays, std::vector<int>{65'535});
}

TEST(WriteGif, RefusesWhatCannotBe) {
  const scratch::Folder folder;
  const Image gray{2, 1, 1, {0, 0}};
  const auto refused = [&](const std::vector<Image>& frames, int delay_ms, int last_delay_ms) {
    const std::string message =
        error_of(ErrorKind::usage, [&] { write_gif(folder / "a.gif", frames, delay_ms, last_delay_ms); });
    EXPECT_FALSE(message.empty());
  };
  refused({}, 10, 10);
  refused({gray}, -1, 10);
  refused({gray}, 10, 655'351);
  refused({gray, {1, 2, 1, {0, 0}}}, 10, 10);
  refused({gray, {2, 1, 3, {0, 0, 0, 0, 0, 0}}}, 10, 10);
  refused({{1, 1, 2, {0, 0}}}, 10, 10);
  refused({{1, 1, 1, {0, 0}}}, 10, 10);
  refused({{65'536, 1, 1, std::vector<std::uint8_t>(65'536)}}, 10, 10);
  EXPECT_TRUE(folder.files().empty());
}

TEST(WriteGif, IsAtomic) {
  const scratch::Folder folder;
  const Image small{1, 1, 1, {9}};
  write_gif(folder / "a.gif", std::span(&small, 1), 10, 10);
  std::mt19937 random(1);
  Image large{100, 100, 1, {}};
  for (int i = 0; i < 10'000; ++i) large.pixels.push_back(std::uint8_t(random()));
  {
    const scratch::FileSizeLimit limit(2000);
    error_of(ErrorKind::io, [&] { write_gif(folder / "a.gif", std::span(&large, 1), 10, 10); });
  }
  EXPECT_EQ(decode(folder / "a.gif").frames.at(0).pixels, (std::vector<std::uint8_t>{9, 9, 9}));
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a.gif"});
}

}  // namespace
}  // namespace diffusion
