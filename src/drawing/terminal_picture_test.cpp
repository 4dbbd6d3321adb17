#include "drawing/terminal_picture.h"

#include <gtest/gtest.h>

#include <array>
#include <charconv>
#include <map>
#include <vector>

#include "pictures/png.h"
#include "pictures/resize.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::synthetic_picture;

Image few_colors(int width, int height) {
  Image image{width, height, 3, {}};
  for (int i = 0; i < width * height; ++i)
    image.pixels.insert(image.pixels.end(), {std::uint8_t(i % 3 * 51), std::uint8_t(i % 5 * 51), 255});
  return image;
}

int take_number(std::string_view& text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  EXPECT_EQ(error, std::errc()) << text.substr(0, 20);
  text.remove_prefix(std::size_t(end - text.data()));
  return value;
}

void take(std::string_view& text, std::string_view expected) {
  EXPECT_TRUE(text.starts_with(expected)) << text.substr(0, 20);
  text.remove_prefix(std::min(expected.size(), text.size()));
}

std::vector<std::byte> decode_base64(std::string_view text) {
  std::vector<std::byte> bytes;
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    const int digit = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                      : c == '/'             ? 63
                                             : -1;
    EXPECT_GE(digit, 0) << c;
    group = group << 6 | std::uint32_t(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(std::byte(group >> bits & 255));
    }
  }
  return bytes;
}

TEST(KittyPicture, HoldsThePngInPieces) {
  for (const int channels : {1, 2, 3, 4})
    for (const int size : {1, 2, 3, 120}) {
      const Image image = synthetic_picture(size, size, channels);
      const std::string whole = kitty_picture(image, 0);
      std::string_view text = whole;
      std::string data;
      for (bool first = true, more = true; more; first = false) {
        take(text, first ? "\x1b_Ga=T,f=100,q=2,m=" : "\x1b_Gm=");
        more = take_number(text) == 1;
        take(text, ";");
        const std::string_view piece = text.substr(0, text.find('\x1b'));
        EXPECT_LE(piece.size(), 4096u);
        EXPECT_EQ(piece.size() % 4, 0u);
        data += piece;
        text.remove_prefix(piece.size());
        take(text, "\x1b\\");
      }
      EXPECT_EQ(text, "\n");
      EXPECT_EQ(decode_png(decode_base64(data), "memory"), image);
    }
  EXPECT_EQ(kitty_picture(synthetic_picture(2, 2, 1), 40).find("\x1b_Ga=T,f=100,q=2,c=40,m=0;"), 0u);
}

// What a terminal does with the subset of sixel that we write.
Image decode_sixel(std::string_view text) {
  take(text, "\x1bP0;1;0q\"1;1;");
  Image image;
  image.channels = 3;
  image.width = take_number(text);
  take(text, ";");
  image.height = take_number(text);
  const std::size_t width = std::size_t(image.width), height = std::size_t(image.height);
  image.pixels.resize(width * height * 3);
  std::vector<int> painted(width * height);
  std::map<int, std::array<int, 3>> palette;
  int color = -1;
  std::size_t x = 0, top = 0;
  while (!text.empty() && text[0] != '\x1b') {
    int repeat = 1;
    if (text[0] == '#') {
      text.remove_prefix(1);
      color = take_number(text);
      if (text.starts_with(";")) {
        take(text, ";2;");
        for (std::size_t c = 0; c < 3; ++c) {
          if (c > 0) take(text, ";");
          palette[color][c] = take_number(text);
        }
      }
      continue;
    }
    if (text[0] == '!') {
      text.remove_prefix(1);
      repeat = take_number(text);
    }
    const char character = text.empty() ? '\0' : text[0];
    text.remove_prefix(1);
    if (character == '$') x = 0;
    if (character == '-') x = 0, top += 6;
    if (character == '$' || character == '-') continue;
    EXPECT_TRUE(character >= '?' && character <= '~') << character;
    for (int i = 0; i < repeat; ++i, ++x)
      for (std::size_t k = 0; k < 6; ++k) {
        if ((character - '?') >> k & 1) {
          const std::size_t pixel = (top + k) * width + x;
          if (x >= width || top + k >= height) return ADD_FAILURE() << "outside", image;
          ++painted[pixel];
          for (std::size_t c = 0; c < 3; ++c)
            image.pixels[pixel * 3 + c] = std::uint8_t((palette.at(color)[c] * 255 + 50) / 100);
        }
      }
  }
  take(text, "\x1b\\");
  EXPECT_EQ(text, "\n");
  EXPECT_EQ(painted, std::vector<int>(width * height, 1)) << "each pixel once";
  EXPECT_LE(palette.size(), 256u);
  return image;
}

TEST(SixelPicture, FewColorsAreExact) {
  for (const auto& [width, height] : {std::pair{1, 1}, {7, 5}, {20, 6}, {3, 13}, {300, 7}}) {
    const Image image = few_colors(width, height);  // multiples of 20%
    EXPECT_EQ(decode_sixel(sixel_picture(image)), image);
  }
}

TEST(SixelPicture, ManyColorsStayClose) {
  Image image{64, 64, 3, {}};
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x)
      image.pixels.insert(image.pixels.end(),
                          {std::uint8_t(4 * x), std::uint8_t(4 * y), std::uint8_t(2 * (x + y))});
  const Image decoded = decode_sixel(sixel_picture(image));
  ASSERT_EQ(decoded.pixels.size(), image.pixels.size());
  double mean_error = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    mean_error += std::abs(int(decoded.pixels[i]) - image.pixels[i]) / double(image.pixels.size());
  EXPECT_LT(mean_error, 10);
}

TEST(SixelPicture, GrayAndTransparent) {
  EXPECT_EQ(decode_sixel(sixel_picture(Image{1, 1, 1, {51}})), (Image{1, 1, 3, {51, 51, 51}}));
  EXPECT_EQ(decode_sixel(sixel_picture(Image{1, 1, 4, {51, 51, 51, 0}})), (Image{1, 1, 3, {255, 255, 255}}));
}

TEST(HalfBlockPicture, TwoPixelsAreOneCharacter) {
  const Image image{2, 3, 3, {1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
  EXPECT_EQ(half_block_picture(image, 2, TerminalColors::rgb),
            "\x1b[38;2;1;2;3m\x1b[48;2;4;5;6m\u2580\x1b[48;2;7;8;9m\u2580\x1b[0m\n"
            "\x1b[38;2;10;11;12m\u2580\x1b[38;2;13;14;15m\u2580\x1b[0m\n");
}

TEST(HalfBlockPicture, IsScaledToColumns) {
  const std::string text = half_block_picture(synthetic_picture(64, 48, 1), 20, TerminalColors::rgb);
  std::size_t blocks = 0, lines = 0;
  for (std::size_t at = text.find("\u2580"); at != std::string::npos; at = text.find("\u2580", at + 1))
    ++blocks;
  for (const char c : text) lines += c == '\n' ? 1u : 0u;
  EXPECT_EQ(lines, 8u);  // 15 rows
  EXPECT_EQ(blocks, 160u);
}

TEST(HalfBlockPicture, NearestOf256Colors) {
  const auto code = [](std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
    const std::string text =
        half_block_picture(Image{1, 1, 3, {red, green, blue}}, 1, TerminalColors::palette_256);
    std::string_view rest = text;
    take(rest, "\x1b[38;5;");
    return take_number(rest);
  };
  EXPECT_EQ(code(0, 0, 0), 16);
  EXPECT_EQ(code(255, 255, 255), 231);
  EXPECT_EQ(code(255, 0, 0), 196);
  EXPECT_EQ(code(95, 135, 175), 67);  // 16 + 36 + 12 + 3
  EXPECT_EQ(code(8, 8, 8), 232);
  EXPECT_EQ(code(238, 238, 238), 255);
  EXPECT_EQ(code(128, 128, 128), 244);
  EXPECT_EQ(code(120, 121, 119), 243);
  EXPECT_EQ(code(0, 0, 1), 16);
}

TEST(ChooseProtocol, IsAFunctionOfTheEnvironment) {
  const TerminalEnvironment xterm{.stdout_is_terminal = true, .term = "xterm-256color"};
  int questions = 0;
  const auto choose = [&](const TerminalEnvironment& environment, bool answer = false) {
    return choose_protocol(environment, [&] { return ++questions, answer; });
  };
  using enum TerminalProtocol;
  EXPECT_EQ(choose(xterm, false), half_blocks);
  EXPECT_EQ(choose(xterm, true), sixel);
  EXPECT_EQ(questions, 2);

  const auto with = [&](auto member, const std::string& value) {
    TerminalEnvironment environment = xterm;
    environment.*member = value;
    return environment;
  };
  using E = TerminalEnvironment;
  EXPECT_EQ(choose(with(&E::kitty_window_id, "1")), kitty);
  EXPECT_EQ(choose(with(&E::term, "xterm-kitty")), kitty);
  EXPECT_EQ(choose(with(&E::term, "xterm-ghostty")), kitty);
  EXPECT_EQ(choose(with(&E::term_program, "WezTerm")), kitty);
  EXPECT_EQ(choose(with(&E::term_program, "ghostty")), kitty);
  EXPECT_EQ(choose(with(&E::term, "foot")), sixel);
  EXPECT_EQ(choose(with(&E::term, "mlterm-256color")), sixel);
  EXPECT_EQ(choose(with(&E::term, "yaft-sixel")), sixel);
  EXPECT_EQ(choose(with(&E::no_color, "1")), none);
  EXPECT_EQ(choose(with(&E::term, "dumb")), none);
  EXPECT_EQ(choose(with(&E::term, "")), none);
  EXPECT_EQ(questions, 2) << "asked although it was clear";
  EXPECT_EQ(choose(with(&E::term_program, "Apple_Terminal")), half_blocks);
  EXPECT_EQ(choose(with(&E::no_color, ""), true), sixel);

  TerminalEnvironment nested = with(&E::kitty_window_id, "1");
  nested.term = "tmux-256color";
  EXPECT_EQ(choose(nested), half_blocks);
  EXPECT_EQ(choose(nested, true), sixel);
  TerminalEnvironment file = with(&E::kitty_window_id, "1");
  file.stdout_is_terminal = false;
  EXPECT_EQ(choose(file, true), none);
}

TEST(ChooseColors, GoesByColorterm) {
  EXPECT_EQ(choose_colors({.colorterm = "truecolor"}), TerminalColors::rgb);
  EXPECT_EQ(choose_colors({.colorterm = "24bit"}), TerminalColors::rgb);
  EXPECT_EQ(choose_colors({.colorterm = ""}), TerminalColors::palette_256);
  EXPECT_EQ(choose_colors({}), TerminalColors::palette_256);
}

TEST(AttributesHaveSixel, LooksForFourAmongTheAbilities) {
  EXPECT_TRUE(attributes_have_sixel("\x1b[?62;4c"));
  EXPECT_TRUE(attributes_have_sixel("typed\x1b[?64;1;2;4;22c"));
  EXPECT_FALSE(attributes_have_sixel("\x1b[?4;1c"));  // a kind of terminal, not an ability
  EXPECT_FALSE(attributes_have_sixel("\x1b[?62;14;40;44c"));
  EXPECT_FALSE(attributes_have_sixel("\x1b[?62;4"));
  EXPECT_FALSE(attributes_have_sixel("\x1b[?62c;4"));
  EXPECT_FALSE(attributes_have_sixel("\x1b[?"));
  EXPECT_FALSE(attributes_have_sixel(""));
}

}  // namespace
}  // namespace diffusion
