#include <diffusion/picture_files.h>

#include <fmt/format.h>

#include <cstdint>

#include <diffusion/error.h>
#include "files/fs.h"
#include "pictures/jpeg.h"
#include "pictures/png.h"
#include "pictures/tiff.h"
#include "pictures/unread_formats.h"
#include "pictures/webp.h"

namespace diffusion {

Image read_image(const std::filesystem::path& path) {
  constexpr std::uint64_t kMaxFileBytes = 1 << 30;
  return decode_image(read_file(path, kMaxFileBytes), path.string());
}

Image decode_image(std::span<const std::byte> bytes, const std::string& source_name) {
  if (is_png(bytes)) return decode_png(bytes, source_name);
  if (is_jpeg(bytes)) return decode_jpeg(bytes, source_name);
  if (is_tiff(bytes)) return decode_tiff(bytes, source_name);
  if (is_webp(bytes)) return decode_webp(bytes, source_name);
  if (const auto format = find_unread_format(bytes))
    throw Error(ErrorKind::bad_input, describe_conversion(*format, source_name));
  throw Error(ErrorKind::bad_input,
              fmt::format("{} is not an image that can be read: its content is neither PNG nor JPEG nor TIFF "
                          "nor WebP.",
                          source_name));
}

}  // namespace diffusion
