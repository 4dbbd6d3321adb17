#include "cli/output/picture_stream.h"

#include <fmt/format.h>

#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "base/log.h"
#include "files/file_descriptor.h"
#include "files/folders.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

std::string gigabytes(std::uint64_t bytes) {
  return fmt::format("{:.3g} GB", double(bytes) / 1e9);
}

}  // namespace

PictureStream::PictureStream(const PictureOutput& output, std::int64_t count, int width, int height,
                             int channels) {
  if (output.form == PictureForm::npy) {
    array_.emplace(output.path, NpyType::uint8, std::vector<std::int64_t>{count, height, width, channels});
  } else if (is_folder(output.path)) {
    folder_ = output.path;
  } else {
    fresh_ = std::make_unique<AtomicDirectory>(output.path);
    folder_ = fresh_->path();
  }
}

void PictureStream::append(const Image& picture, const std::string& name) {
  if (array_) return array_->append(picture.pixels);
  const fs::path file = folder_ / (name + ".png");
  if (fresh_) return write_file(file, encode_png(picture));
  write_png(file, picture);
}

void PictureStream::commit() {
  if (array_) array_->commit();
  if (fresh_) fresh_->commit();
}

void write_pictures(const PictureOutput& output, std::span<const Image> pictures,
                    std::span<const std::string> names) {
  const Image& first = pictures.front();
  PictureStream stream(output, std::int64_t(pictures.size()), first.width, first.height, first.channels);
  for (std::size_t k = 0; k < pictures.size(); ++k) stream.append(pictures[k], names[k]);
  stream.commit();
}

void check_disk_space(std::span<const PlannedFile> files) {
  constexpr std::uint64_t kMuch = 1'000'000'000;
  std::uint64_t all = 0;
  for (const PlannedFile& file : files) {
    const fs::path folder = parent_of(file.path);
    std::uint64_t needed = 0;  // by the files of this disk
    for (const PlannedFile& other : files)
      if (on_one_disk(folder, parent_of(other.path))) needed += other.bytes;
    if (const std::uint64_t room = free_bytes(folder); needed > room)
      throw Error(ErrorKind::io, fmt::format("Cannot write {}: {} are needed on its disk, which has {} left.",
                                             file.path.string(), gigabytes(needed), gigabytes(room)));
    all += file.bytes;
  }
  if (all >= kMuch) stderr_log().line(fmt::format("{} will be written", gigabytes(all)));
}

}  // namespace diffusion
