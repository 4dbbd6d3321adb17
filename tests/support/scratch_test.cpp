#include "support/scratch.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "files/fs.h"
#include "pictures/image_checks.h"

namespace diffusion::scratch {

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "diffusion-io-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> Folder::files() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path_))
    names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

std::string error_of(ErrorKind kind, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(int(error.kind()), int(kind)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

Image synthetic_picture(int width, int height, int channels) {
  Image image{width, height, channels, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c)
        image.pixels.push_back(std::uint8_t(7 * x * x + 13 * y + 3 * x * y + 91 * c));
  return image;
}

std::vector<std::byte> pillow_file(std::string_view name) {
  return read_file(std::filesystem::path(DIFFUSION_SOURCE_DIR) / "tests/golden" / name, 1 << 20);
}

Json pillow_golden(std::string_view key) {
  const std::vector<std::byte> bytes = pillow_file("pillow_images.json");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return member(parse_json(text, "pillow_images.json"), key, "pillow_images.json");
}

std::vector<std::uint8_t> golden_pixels(const Json& array) {
  std::vector<std::uint8_t> pixels;
  for (const Json& value : to_array(array, "golden pixels"))
    pixels.push_back(std::uint8_t(to_int(value, "a golden pixel")));
  return pixels;
}

void expect_refuses_truncation(std::span<const std::byte> bytes, const Decode& decode) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // A copy of that size, so that AddressSanitizer sees any step beyond it.
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + std::ptrdiff_t(size));
    const std::string message = error_of(ErrorKind::bad_input, [&] { decode(part, "cut.file"); });
    EXPECT_NE(message.find("cut.file"), std::string::npos) << size << " bytes: " << message;
  }
}

std::size_t expect_survives_damage(std::span<const std::byte> bytes, const Decode& decode) {
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::vector<std::byte> damaged(bytes.begin(), bytes.end());
    damaged[bit / 8] ^= std::byte(1 << (bit % 8));
    try {
      const Image image = decode(damaged, "damaged.file");
      EXPECT_NO_THROW(check_image(image)) << "bit " << bit;
    } catch (const Error& error) {
      EXPECT_EQ(int(error.kind()), int(ErrorKind::bad_input)) << "bit " << bit << ": " << error.what();
      EXPECT_NE(std::string_view(error.what()).find("damaged.file"), std::string_view::npos) << error.what();
      ++refused;
    }
  }
  return refused;
}

FileSizeLimit::FileSizeLimit(std::size_t bytes) : handler_before_(std::signal(SIGXFSZ, SIG_IGN)) {
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  before_ = limit.rlim_cur;
  limit.rlim_cur = bytes;
  setrlimit(RLIMIT_FSIZE, &limit);
}

FileSizeLimit::~FileSizeLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = before_;
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler_before_);
}

}  // namespace diffusion::scratch
