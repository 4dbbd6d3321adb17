#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace diffusion {

// A format of pictures that is known and not read, and how to make a PNG of it.
struct UnreadFormat {
  std::string_view name;     // with its article: "an AVIF"
  std::string_view command;  // "avifdec FILE.avif FILE.png"
  std::string_view package;  // of Debian, that has the command
};

// By the first bytes: AVIF, HEIC, JPEG XL, JPEG 2000, GIF, BMP. Nothing for anything else.
std::optional<UnreadFormat> find_unread_format(std::span<const std::byte> bytes) noexcept;

// "x.heic is a HEIC image; accepted are PNG, JPEG, TIFF and WebP. This converts it: ..."
std::string describe_conversion(const UnreadFormat& format, const std::string& source_name);

}  // namespace diffusion
