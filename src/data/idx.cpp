#include "data/idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include <diffusion/error.h>
#include "data/byte_source.h"

namespace diffusion {

namespace {

constexpr std::uint8_t kUnsignedByte = 0x08;

[[noreturn]] void reject(const std::filesystem::path& path, const std::string& reason) {
  throw Error(ErrorKind::bad_input, fmt::format("{} {}.", path.string(), reason));
}

std::string printable(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t b : bytes) text += b >= 0x20 && b < 0x7f ? char(b) : '.';
  return text;
}

void check_magic(const std::filesystem::path& path, std::span<const std::uint8_t> magic, std::uint8_t rank) {
  if (magic.size() < 4)
    reject(path, fmt::format("is not an IDX file: it holds only {} bytes, and the header alone has {}",
                             magic.size(), 4 + 4 * rank));
  if (magic[0] != 0 || magic[1] != 0)
    reject(path,
           fmt::format("is not an IDX file: it starts with {:02x} (\"{}\"), but 00 00 08 {:02x} is accepted",
                       fmt::join(magic, " "), printable(magic), rank));
  if (magic[2] != kUnsignedByte)
    reject(path,
           fmt::format("has the IDX element type 0x{:02x}; only 0x08, unsigned byte, is accepted", magic[2]));
  if (magic[3] != rank)
    reject(path, fmt::format(
                     "is an IDX array of rank {}, but rank {} is accepted here (3 for images, 1 for labels)",
                     magic[3], rank));
}

std::uint32_t big_endian(std::span<const std::uint8_t> b) {
  return std::uint32_t(b[0]) << 24 | std::uint32_t(b[1]) << 16 | std::uint32_t(b[2]) << 8 | b[3];
}

// The product of the extents.
std::uint64_t count_elements(const std::filesystem::path& path, std::span<const std::uint32_t> extents) {
  std::uint64_t elements = 1;
  for (const std::uint32_t extent : extents) {
    if (extent == 0)
      reject(path, fmt::format("has the extents [{}]; each must be at least 1", fmt::join(extents, ", ")));
    if (extent > kMaxIdxElements / elements)
      reject(path, fmt::format("has the extents [{}]; at most {} elements are accepted",
                               fmt::join(extents, ", "), kMaxIdxElements));
    elements *= extent;
  }
  return elements;
}

}  // namespace

IdxArray read_idx(const std::filesystem::path& path, std::uint8_t rank) {
  ByteSource source(path);
  std::array<std::uint8_t, 4> magic{};
  check_magic(path, std::span(magic).first(source.read(magic)), rank);

  std::vector<std::uint8_t> header(4 * std::size_t(rank));
  if (const std::size_t bytes = source.read(header); bytes < header.size())
    reject(path,
           fmt::format("ends inside its IDX header, after {} of {} bytes", 4 + bytes, 4 + header.size()));
  IdxArray array;
  for (std::size_t i = 0; i < rank; ++i)
    array.extents.push_back(big_endian(std::span(header).subspan(4 * i, 4)));

  const std::uint64_t elements = count_elements(path, array.extents);
  const auto promise =
      fmt::format("its header promises {} elements, [{}]", elements, fmt::join(array.extents, ", "));
  const std::uint64_t needed = 4 + header.size() + elements;
  if (needed > source.most_bytes())
    reject(path, fmt::format("is truncated: {}, {} bytes in all, but the file can hold at most {}", promise,
                             needed, source.most_bytes()));
  array.values.resize(elements);
  if (const std::size_t bytes = source.read(array.values); bytes < elements)
    reject(path, fmt::format("is truncated: {}, but only {} follow", promise, bytes));
  std::array<std::uint8_t, 1> extra{};
  if (source.read(extra) > 0) reject(path, fmt::format("has trailing data: {}, and more follows", promise));
  return array;
}

Dataset read_idx_pair(const std::filesystem::path& images_path, const std::filesystem::path& labels_path,
                      const std::string& name, std::span<const std::string> class_names) {
  const IdxArray labels = read_idx(labels_path, 1);
  IdxArray images = read_idx(images_path, 3);
  if (images.extents[0] != labels.extents[0])
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} holds {} images, but {} holds {} labels; the counts must agree.",
                    images_path.string(), images.extents[0], labels_path.string(), labels.extents[0]));
  Dataset dataset;
  dataset.name = name;
  dataset.height = int(images.extents[1]);
  dataset.width = int(images.extents[2]);
  dataset.channels = 1;
  dataset.pixels = std::move(images.values);
  dataset.labels.assign(labels.values.begin(), labels.values.end());
  dataset.class_names.assign(class_names.begin(), class_names.end());

  const auto largest = std::max_element(labels.values.begin(), labels.values.end());
  if (class_names.empty()) {
    for (int i = 0; i <= *largest; ++i) dataset.class_names.push_back(std::to_string(i));
  } else if (*largest >= class_names.size()) {
    reject(
        labels_path,
        fmt::format("has the label {} at position {}, but {} has {} classes: 0 to {} are accepted", *largest,
                    largest - labels.values.begin(), name, class_names.size(), class_names.size() - 1));
  }
  return dataset;
}

}  // namespace diffusion
