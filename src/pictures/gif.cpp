#include <diffusion/picture_files.h>

#include <fmt/format.h>
#include <gif_lib.h>

#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include <diffusion/error.h>
#include "files/fs.h"
#include "pictures/image_checks.h"
#include "pictures/palette.h"

namespace diffusion {

namespace {

constexpr int kPaletteBits = 8;
constexpr std::size_t kPaletteSize = 1 << kPaletteBits;
constexpr int kMaxSide = 65'535;
constexpr int kMaxDelayMs = 655'350;

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& reason) {
  throw Error(ErrorKind::usage, fmt::format("Cannot write the animation {}: {}.", path.string(), reason));
}

void check_frames(const std::filesystem::path& path, std::span<const Image> frames, int delay_ms,
                  int last_delay_ms) {
  if (frames.empty()) refuse(path, "it has no frames");
  for (const int delay : {delay_ms, last_delay_ms}) {
    if (delay < 0 || delay > kMaxDelayMs) {
      refuse(path, fmt::format("a delay of {} ms is outside 0 to {} ms", delay, kMaxDelayMs));
    }
  }
  const Image& first = frames.front();
  for (const Image& frame : frames) {
    check_image(frame);
    if (frame.width != first.width || frame.height != first.height || frame.channels != first.channels) {
      refuse(path, fmt::format("its frames differ, {} x {} x {} and {} x {} x {}", first.width, first.height,
                               first.channels, frame.width, frame.height, frame.channels));
    }
  }
  if (first.channels != 1 && first.channels != 3) {
    refuse(path, fmt::format("frames have {} channels, expected 1 (gray) or 3 (RGB)", first.channels));
  }
  if (first.width > kMaxSide || first.height > kMaxSide) {
    refuse(path, fmt::format("a GIF has at most {0} x {0} pixels, not {1} x {2}", kMaxSide, first.width,
                             first.height));
  }
}

// Encodes into memory.
class GifWriter {
 public:
  GifWriter() {
    int error = 0;
    gif_ = EGifOpen(&bytes_, append_bytes, &error);
    if (gif_ == nullptr) throw std::bad_alloc();
    EGifSetGifVersion(gif_, true);
  }
  ~GifWriter() {
    if (gif_ != nullptr) EGifCloseFile(gif_, nullptr);
  }
  GifWriter(const GifWriter&) = delete;
  GifWriter& operator=(const GifWriter&) = delete;

  void begin(int width, int height, std::span<const Rgb> palette) {
    const auto free_map = [](ColorMapObject* map) { GifFreeMapObject(map); };
    const std::unique_ptr<ColorMapObject, decltype(free_map)> map(GifMakeMapObject(kPaletteSize, nullptr),
                                                                  free_map);
    if (map == nullptr) throw std::bad_alloc();
    for (std::size_t i = 0; i < palette.size(); ++i)
      map->Colors[i] = {palette[i][0], palette[i][1], palette[i][2]};
    check(EGifPutScreenDesc(gif_, width, height, kPaletteBits, 0, map.get()));

    // The Netscape application block: sub-block 1, repeat count 0 = forever.
    const GifByteType repeat[] = {1, 0, 0};
    check(EGifPutExtensionLeader(gif_, APPLICATION_EXT_FUNC_CODE));
    check(EGifPutExtensionBlock(gif_, 11, "NETSCAPE2.0"));
    check(EGifPutExtensionBlock(gif_, sizeof(repeat), repeat));
    check(EGifPutExtensionTrailer(gif_));
  }

  void add_frame(int width, int height, std::span<std::uint8_t> indices, int delay_ms) {
    GraphicsControlBlock control{};
    control.DisposalMode = DISPOSE_DO_NOT;
    control.DelayTime = (delay_ms + 5) / 10;
    control.TransparentColor = NO_TRANSPARENT_COLOR;
    GifByteType extension[4];
    check(EGifPutExtension(gif_, GRAPHICS_EXT_FUNC_CODE, int(EGifGCBToExtension(&control, extension)),
                           extension));
    check(EGifPutImageDesc(gif_, 0, 0, width, height, false, nullptr));
    for (std::size_t y = 0; y < std::size_t(height); ++y) {
      check(EGifPutLine(gif_, indices.data() + y * std::size_t(width), width));
    }
  }

  std::vector<std::byte> finish() {
    int error = 0;
    if (EGifCloseFile(std::exchange(gif_, nullptr), &error) != GIF_OK) fail(error);
    return std::move(bytes_);
  }

 private:
  static int append_bytes(GifFileType* gif, const GifByteType* data, int size) {
    auto* bytes = static_cast<std::vector<std::byte>*>(gif->UserData);
    try {
      const auto* first = reinterpret_cast<const std::byte*>(data);
      bytes->insert(bytes->end(), first, first + size);
    } catch (const std::bad_alloc&) {
      return 0;  // giflib reports a failed write
    }
    return size;
  }

  [[noreturn]] static void fail(int error) {
    const char* reason = GifErrorString(error);
    throw Error(ErrorKind::memory, fmt::format("Encoding a GIF animation failed: {}.",
                                               reason != nullptr ? reason : "unknown reason"));
  }

  void check(int result) {
    if (result != GIF_OK) fail(gif_->Error);
  }

  std::vector<std::byte> bytes_;
  GifFileType* gif_ = nullptr;
};

std::vector<Rgb> gray_palette() {
  std::vector<Rgb> palette;
  for (std::size_t i = 0; i < kPaletteSize; ++i) {
    const auto gray = std::uint8_t(i);
    palette.push_back({gray, gray, gray});
  }
  return palette;
}

}  // namespace

void write_gif(const std::filesystem::path& path, std::span<const Image> frames, int delay_ms,
               int last_delay_ms) {
  check_frames(path, frames, delay_ms, last_delay_ms);
  const int width = frames.front().width;
  const int height = frames.front().height;
  const bool gray = frames.front().channels == 1;

  const std::vector<Rgb> palette = gray ? gray_palette() : median_cut_palette(frames, kPaletteSize);
  std::optional<PaletteMapper> mapper;
  if (!gray) mapper.emplace(palette);

  GifWriter writer;
  writer.begin(width, height, palette);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    std::vector<std::uint8_t> indices = gray ? frames[i].pixels : mapper->dither(frames[i]);
    writer.add_frame(width, height, indices, i + 1 < frames.size() ? delay_ms : last_delay_ms);
  }
  write_file_atomically(path, writer.finish());
}

}  // namespace diffusion
