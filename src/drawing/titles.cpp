#include "drawing/titles.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <diffusion/error.h>
#include "drawing/drawing.h"
#include "pictures/image_checks.h"

namespace diffusion {

namespace {

constexpr std::uint8_t kWhite = 255;
constexpr double kAscent = 1.1,
                 kLine = 1.5;  // of the font size: where the baseline is, and the height of a line

// Readable, and in proportion to large pictures.
double font_size(const Image& picture) {
  return std::clamp(picture.height / 10.0, 12.0, 32.0);
}

void check(std::span<const Image> pictures, std::span<const std::string> titles) {
  if (pictures.empty() || pictures.size() != titles.size())
    throw Error(
        ErrorKind::usage,
        fmt::format("{} pictures cannot have {} titles; accepted is one title for each of one or more.",
                    pictures.size(), titles.size()));
  const Image& first = pictures.front();
  for (const Image& picture : pictures) {
    check_image(picture);
    if (picture.channels != 1 && picture.channels != 3)
      throw Error(ErrorKind::usage,
                  fmt::format("A picture with a title has {} channels; accepted are 1 (gray) and 3 "
                              "(RGB).",
                              picture.channels));
    if (picture.width != first.width || picture.height != first.height || picture.channels != first.channels)
      throw Error(
          ErrorKind::usage,
          fmt::format("Pictures with titles must be alike, got {} x {} x {} and {} x {} x {}.", first.width,
                      first.height, first.channels, picture.width, picture.height, picture.channels));
  }
}

int widest(std::span<const std::string> titles, double size) {
  double width = 0;
  for (const std::string& title : titles) width = std::max(width, text_width(title, size));
  return int(std::ceil(width));
}

Image white(std::int64_t width, std::int64_t height, int channels) {
  if (width > kMaxPixels / height)
    throw Error(ErrorKind::usage,
                fmt::format("Pictures with titles of {} x {} pixels are larger than the {} accepted.", width,
                            height, kMaxPixels));
  return {int(width), int(height), channels,
          std::vector<std::uint8_t>(std::size_t(width * height * channels), kWhite)};
}

void paste(Image& onto, const Image& picture, int left, int top) {
  for (int y = 0; y < picture.height; ++y)
    std::copy_n(picture.pixels.begin() + std::ptrdiff_t(y) * picture.width * picture.channels,
                picture.width * picture.channels,
                onto.pixels.begin() + (std::ptrdiff_t(top + y) * onto.width + left) * onto.channels);
}

// One line of text, as wide as asked for.
Image title_picture(const std::string& title, double size, int width, int channels) {
  const Image rgb = render({width,
                            int(std::ceil(kLine * size)),
                            {Text{{width / 2.0, kAscent * size}, title, size, Anchor::center}}});
  if (channels == 3) return rgb;
  Image gray = white(rgb.width, rgb.height, 1);
  for (std::size_t p = 0; p < gray.pixels.size(); ++p) gray.pixels[p] = rgb.pixels[3 * p];  // black on white
  return gray;
}

constexpr double kCaptionSize = 11;  // of the font
constexpr int kCaptionWidth = 104;   // at least: about 16 letters

// The longest beginning of a text that is not wider, without half characters; at least one character.
std::string beginning(std::string_view text, double size, double width) {
  std::size_t end = 0;
  for (std::size_t next = 1; next <= text.size(); ++next) {
    if (next < text.size() && (text[next] & 0xc0) == 0x80) continue;  // inside of a character
    if (end > 0 && text_width(text.substr(0, next), size) > width) break;
    end = next;
  }
  return std::string(text.substr(0, end));
}

// The text in lines of at most that width, broken at spaces, and inside of words that are wider.
std::vector<std::string> wrapped(std::string_view text, double size, double width, std::size_t most_lines) {
  constexpr std::string_view kSpace = " \t\r\n\f\v", kMore = "...";
  std::vector<std::string> lines;
  const auto skip_space = [&] { text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size())); };
  for (skip_space(); !text.empty(); skip_space()) {
    if (lines.size() == most_lines) {
      const double room = width - text_width(kMore, size);
      lines.back() = beginning(lines.back(), size, room) + std::string(kMore);
      break;
    }
    std::string line;
    while (!text.empty()) {
      const std::string_view word = text.substr(0, text.find_first_of(kSpace));
      const std::string longer = line.empty() ? std::string(word) : fmt::format("{} {}", line, word);
      if (text_width(longer, size) > width) break;
      line = longer;
      text.remove_prefix(word.size());
      skip_space();
    }
    if (line.empty()) {
      line = beginning(text.substr(0, text.find_first_of(kSpace)), size, width);
      text.remove_prefix(line.size());
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

// Lines below one another, centered, with room for `most_lines`.
Image caption_picture(const std::vector<std::string>& lines, std::size_t most_lines, int width,
                      int channels) {
  const auto line_height = std::int64_t(std::ceil(kLine * kCaptionSize));
  Image result = white(width, line_height * std::int64_t(most_lines), channels);
  for (std::size_t k = 0; k < lines.size(); ++k)
    paste(result, title_picture(lines[k], kCaptionSize, width, channels), 0, int(k) * int(line_height));
  return result;
}

}  // namespace

std::vector<Image> with_captions(std::span<const Image> pictures, std::span<const std::string> captions,
                                 int lines) {
  check(pictures, captions);
  if (lines < 1)
    throw Error(ErrorKind::usage, fmt::format("A caption has {} lines; accepted is 1 or more.", lines));
  const int width = std::max(pictures.front().width, kCaptionWidth);
  std::vector<std::vector<std::string>> texts;
  std::size_t most_lines = 1;
  for (const std::string& caption : captions) {
    texts.push_back(wrapped(caption, kCaptionSize, width, std::size_t(lines)));
    most_lines = std::max(most_lines, texts.back().size());
  }
  std::vector<Image> results;
  for (std::size_t k = 0; k < pictures.size(); ++k) {
    const Image& picture = pictures[k];
    const Image words = caption_picture(texts[k], most_lines, width, picture.channels);
    Image& result =
        results.emplace_back(white(width, std::int64_t(picture.height) + words.height, picture.channels));
    paste(result, picture, (width - picture.width) / 2, 0);
    paste(result, words, 0, picture.height);
  }
  return results;
}

std::vector<Image> with_titles(std::span<const Image> pictures, std::span<const std::string> titles) {
  check(pictures, titles);
  const Image& first = pictures.front();
  const double size = font_size(first);
  const int width = std::max(first.width, widest(titles, size));

  std::vector<Image> titled;
  for (std::size_t k = 0; k < pictures.size(); ++k) {
    const Image title = title_picture(titles[k], size, width, first.channels);
    Image& result =
        titled.emplace_back(white(width, std::int64_t(title.height) + first.height, first.channels));
    paste(result, title, 0, 0);
    paste(result, pictures[k], (width - first.width) / 2, title.height);
  }
  return titled;
}

Image with_row_titles(std::span<const Image> rows, std::span<const std::string> titles, int gap) {
  check(rows, titles);
  if (gap < 0)
    throw Error(ErrorKind::usage, fmt::format("The gap between rows is {}; accepted is 0 or more.", gap));
  const Image& first = rows.front();
  const double size = font_size(first);
  const int margin = widest(titles, size) + int(size);
  const std::int64_t count = std::int64_t(rows.size());
  // A row is at least as high as its title.
  const std::int64_t row_height = std::max(first.height, int(std::ceil(kLine * size)));
  Image result = white(std::int64_t(margin) + first.width, count * (row_height + gap) - gap, first.channels);
  for (std::int64_t k = 0; k < count; ++k) {
    const int top = int(k * (row_height + gap));
    const Image title = title_picture(titles[std::size_t(k)], size, margin, first.channels);
    paste(result, title, 0, top + int(row_height - title.height) / 2);
    paste(result, rows[std::size_t(k)], margin, top + int(row_height - first.height) / 2);
  }
  return result;
}

}  // namespace diffusion
