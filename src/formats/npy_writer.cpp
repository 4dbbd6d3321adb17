#include "formats/npy_writer.h"

#include <fmt/format.h>

#include <bit>
#include <limits>

#include <diffusion/error.h>
#include "formats/npy.h"
#include "formats/npy_format.h"

namespace diffusion {

static_assert(std::endian::native == std::endian::little, "kNpyFloat32 says little-endian");

namespace {

std::uint64_t size_of(NpyType type) {
  return type == NpyType::float32 ? sizeof(float) : 1;
}

[[noreturn]] void refuse_writing(const std::string& path, const std::string& reason) {
  throw Error(ErrorKind::usage, fmt::format("Cannot write {}: {}.", path, reason));
}

std::string header_of(NpyType type, std::span<const std::int64_t> dims) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                   type == NpyType::float32 ? kNpyFloat32 : kNpyUint8, fmt::join(dims, ", "),
                                   dims.size() == 1 ? "," : "");
  while ((kNpyPreamble + header.size() + 1) % kNpyAlignment != 0) header += ' ';
  header += '\n';
  std::string start(kNpyMagic);
  start += char(header.size() & 0xff);
  start += char(header.size() >> 8);
  return start + header;
}

// Of the values of an array; checked.
std::uint64_t value_bytes(const std::string& path, NpyType type, std::span<const std::int64_t> dims) {
  constexpr auto kMost = std::uint64_t(std::numeric_limits<std::int64_t>::max());
  const std::optional<std::size_t> elements = npy_elements(dims);
  if (dims.size() > kNpyMaxRank || !elements || *elements > kMost / size_of(type))
    refuse_writing(path, fmt::format("no array has the shape ({})", fmt::join(dims, ", ")));
  return *elements * size_of(type);
}

template <class T>
void write_whole(const std::filesystem::path& path, NpyType type, std::span<const std::int64_t> dims,
                 std::span<const T> values) {
  if (dims.size() > kNpyMaxRank || npy_elements(dims) != values.size())
    refuse_writing(path.string(), fmt::format("the shape ({}) does not fit {} values", fmt::join(dims, ", "),
                                              values.size()));
  NpyWriter file(path, type, dims);
  file.append(values);
  file.commit();
}

}  // namespace

std::uint64_t npy_bytes(NpyType type, std::span<const std::int64_t> dims) {
  return value_bytes("an array", type, dims);
}

NpyWriter::NpyWriter(const std::filesystem::path& path, NpyType type, std::span<const std::int64_t> dims)
    : path_(path.string()), type_(type), missing_(value_bytes(path_, type, dims)), file_(path) {
  const std::string header = header_of(type, dims);
  file_.append(std::as_bytes(std::span(header)));
}

void NpyWriter::append(std::span<const float> values) {
  append(NpyType::float32, std::as_bytes(values));
}

void NpyWriter::append(std::span<const std::uint8_t> values) {
  append(NpyType::uint8, std::as_bytes(values));
}

void NpyWriter::append(NpyType type, std::span<const std::byte> bytes) {
  if (type != type_) refuse_writing(path_, "values of another type were given");
  if (bytes.size() > missing_)
    refuse_writing(path_, fmt::format("{} bytes were given where {} are left", bytes.size(), missing_));
  file_.append(bytes);
  missing_ -= bytes.size();
}

void NpyWriter::commit() {
  if (missing_ > 0) refuse_writing(path_, fmt::format("{} bytes are missing", missing_));
  file_.commit();
}

void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> dims,
               std::span<const float> data) {
  write_whole(path, NpyType::float32, dims, data);
}

void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> dims,
               std::span<const std::uint8_t> data) {
  write_whole(path, NpyType::uint8, dims, data);
}

}  // namespace diffusion
