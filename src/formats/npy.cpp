#include "formats/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <diffusion/error.h>
#include "files/fs.h"
#include "formats/npy_format.h"

namespace diffusion {

static_assert(std::endian::native == std::endian::little, "kNpyFloat32 says little-endian");

namespace {

[[noreturn]] void refuse_npy(const std::filesystem::path& path, const std::string& reason) {
  throw Error(ErrorKind::bad_input,
              fmt::format("{} is not a readable .npy file: {}.", path.string(), reason));
}

// Takes a Python dict apart that holds exactly what a .npy header may hold.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::filesystem::path& path) : text_(text), path_(path) {}

  void parse() {
    expect("{");
    while (!take("}")) {
      const std::string_view key = quoted();
      expect(":");
      if (key == "descr" && !descr) {
        descr = std::string(quoted());
      } else if (key == "fortran_order" && !fortran_order) {
        fortran_order = take("True");
        if (!*fortran_order) expect("False");
      } else if (key == "shape" && !dims) {
        dims = shape();
      } else {
        refuse_npy(path_, fmt::format("unexpected key {} in its header", key));
      }
      if (!take(",")) {
        expect("}");
        break;
      }
    }
    skip_spaces();
    if (!text_.empty()) refuse_npy(path_, "its header goes on after the dictionary");
    if (!descr || !fortran_order || !dims)
      refuse_npy(path_, "its header lacks descr, fortran_order or shape");
  }

  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::int64_t>> dims;

 private:
  void skip_spaces() { text_.remove_prefix(std::min(text_.find_first_not_of(" \t\r\n"), text_.size())); }

  bool take(std::string_view token) {
    skip_spaces();
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }

  void expect(std::string_view token) {
    if (!take(token)) refuse_npy(path_, fmt::format("its header lacks an expected {}", token));
  }

  std::string_view quoted() {
    const std::string_view quote = take("\"") ? "\"" : "'";
    if (quote == "'") expect(quote);
    const std::size_t end = text_.find(quote);
    if (end == std::string_view::npos) refuse_npy(path_, "a string in its header does not end");
    const std::string_view content = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return content;
  }

  std::vector<std::int64_t> shape() {
    std::vector<std::int64_t> result;
    expect("(");
    while (!take(")")) {
      skip_spaces();
      std::int64_t extent = -1;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0) refuse_npy(path_, "its shape has an entry that is no size");
      text_.remove_prefix(std::size_t(end - text_.data()));
      result.push_back(extent);
      if (result.size() > kNpyMaxRank)
        refuse_npy(path_, fmt::format("it has more than {} dimensions", kNpyMaxRank));
      if (!take(",")) {
        expect(")");
        break;
      }
    }
    return result;
  }

  std::string_view text_;
  const std::filesystem::path& path_;
};

template <class T>
NpyArray<T> read(const std::filesystem::path& path, std::string_view descr) {
  NpyFile file = read_npy_file(path, {&descr, 1});
  NpyArray<T> array{std::move(file.dims), std::vector<T>(file.elements)};
  if (file.elements > 0)
    std::memcpy(array.data.data(), file.bytes.data() + file.first, file.elements * sizeof(T));
  return array;
}

}  // namespace

std::optional<std::size_t> npy_elements(std::span<const std::int64_t> dims) {
  std::size_t elements = 1;
  for (const std::int64_t extent : dims)
    if (extent < 0 || __builtin_mul_overflow(elements, std::size_t(extent), &elements)) return std::nullopt;
  return elements;
}

NpyFile read_npy_file(const std::filesystem::path& path, std::span<const std::string_view> accepted) {
  constexpr std::uint64_t kMaxFileBytes = std::uint64_t(1) << 36;
  NpyFile file{read_file(path, kMaxFileBytes), {}, {}, 0, 0};
  const std::string_view text(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  if (!text.starts_with(kNpyMagic)) refuse_npy(path, "it does not start with the mark of .npy version 1.0");
  if (text.size() < kNpyPreamble) refuse_npy(path, "it is cut off before the header");
  const std::size_t header_bytes =
      std::to_integer<std::size_t>(file.bytes[8]) | std::to_integer<std::size_t>(file.bytes[9]) << 8;
  if (text.size() - kNpyPreamble < header_bytes) refuse_npy(path, "it is cut off inside the header");

  HeaderParser header(text.substr(kNpyPreamble, header_bytes), path);
  header.parse();
  if (std::ranges::find(accepted, *header.descr) == accepted.end())
    refuse_npy(path, fmt::format("its elements are of type {}, expected {}", *header.descr,
                                 fmt::join(accepted, " or ")));
  if (*header.fortran_order) refuse_npy(path, "it is in Fortran order, expected C order");

  file.first = kNpyPreamble + header_bytes;
  const std::size_t bytes = text.size() - file.first, size = std::size_t(header.descr->back() - '0');
  const auto elements = npy_elements(*header.dims);
  if (!elements || bytes % size != 0 || bytes / size != *elements)
    refuse_npy(path, fmt::format("it has {} bytes of data, which does not fit the shape ({})", bytes,
                                 fmt::join(*header.dims, ", ")));
  file.descr = std::move(*header.descr);
  file.dims = std::move(*header.dims);
  file.elements = *elements;
  return file;
}

NpyArray<float> read_npy_float32(const std::filesystem::path& path) {
  return read<float>(path, kNpyFloat32);
}

NpyArray<std::uint8_t> read_npy_uint8(const std::filesystem::path& path) {
  return read<std::uint8_t>(path, kNpyUint8);
}

}  // namespace diffusion
