#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include <diffusion/error.h>
#include "base/float16.h"
#include "base/tensor.h"
#include "formats/json.h"
#include "formats/safetensors.h"

namespace diffusion {

static_assert(std::endian::native == std::endian::little, "safetensors data are little-endian");

namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 16'000'000;
constexpr std::size_t kMaxTensors = 100'000;
constexpr std::size_t kMaxNameBytes = 1024;
constexpr std::size_t kMaxTensorRank = 8;

[[noreturn]] void refuse(const std::string& file, const std::string& reason) {
  throw Error(ErrorKind::bad_input, fmt::format("{} is not a valid safetensors file: {}.", file, reason));
}

struct DTypeBits {
  std::string_view name;
  std::uint64_t bits;
};
constexpr DTypeBits kDTypes[] = {
    {"BOOL", 8},    {"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},   {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8},     {"F8_E8M0", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16}, {"U16", 16},
    {"F16", 16},    {"F8_E4M3FNUZ", 8}, {"BF16", 16},   {"I32", 32},        {"U32", 32}, {"F32", 32},
    {"C64", 64},    {"F64", 64},        {"I64", 64},    {"U64", 64},
};

std::optional<std::uint64_t> bits_of(std::string_view dtype) {
  const auto* found = std::ranges::find(kDTypes, dtype, &DTypeBits::name);
  if (found == std::end(kDTypes)) return std::nullopt;
  return found->bits;
}

// The header's JSON text; all rules about the two lengths hold.
std::string_view header_of(std::span<const std::byte> bytes, const std::string& file) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("version https://git-lfs")) {
    throw Error(
        ErrorKind::bad_input,
        fmt::format(
            "{} is a git-LFS pointer and not the tensors themselves: fetch them with \"git lfs pull\".",
            file));
  }
  if (bytes.size() < kLengthBytes) {
    refuse(file, fmt::format("it has {} bytes, fewer than the 8 of the header length", bytes.size()));
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes) {
    refuse(file,
           fmt::format("it claims a header of {} bytes, more than the {} accepted", length, kMaxHeaderBytes));
  }
  if (length > bytes.size() - kLengthBytes) {
    refuse(file, fmt::format("it claims a header of {} bytes but has only {} bytes after the header length",
                             length, bytes.size() - kLengthBytes));
  }
  return text.substr(kLengthBytes, length);
}

std::uint64_t to_unsigned(const Json& json, const std::string& where) {
  const std::int64_t value = to_int(json, where);
  if (value < 0)
    throw Error(ErrorKind::bad_input, fmt::format("{} is {}, expected 0 or more.", where, value));
  return std::uint64_t(value);
}

struct Entry {
  TensorView view;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// One member of the header, checked as far as it stands alone.
Entry parse_entry(const std::string& name, const Json& json, const std::string& file) {
  if (name.size() > kMaxNameBytes) {
    refuse(file, fmt::format("a tensor's name has {} bytes, more than the {} accepted", name.size(),
                             kMaxNameBytes));
  }
  const std::string source = fmt::format("{}: tensor {}", file, name);
  for (const auto& [key, value] : to_object(json, source)) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      refuse(file, fmt::format("tensor {} has the unknown field {}", name, key));
    }
  }
  Entry entry;
  entry.view.name = name;
  entry.view.file = file;
  entry.view.dtype = to_string(member(json, "dtype", source), source + ": field dtype");
  const auto bits = bits_of(entry.view.dtype);
  if (!bits) refuse(file, fmt::format("tensor {} has the unknown dtype {}", name, entry.view.dtype));

  const Json::Array& shape = to_array(member(json, "shape", source), source + ": field shape");
  if (shape.size() > kMaxTensorRank) {
    refuse(file, fmt::format("tensor {} has {} dimensions, more than the {} accepted", name, shape.size(),
                             kMaxTensorRank));
  }
  std::uint64_t total_bits = 1;
  bool overflow = false;
  for (const Json& extent : shape) {
    const std::uint64_t size = to_unsigned(extent, source + ": an entry of field shape");
    overflow |= __builtin_mul_overflow(total_bits, size, &total_bits);
    entry.view.dims.push_back(std::int64_t(size));
  }
  overflow |= __builtin_mul_overflow(total_bits, *bits, &total_bits);
  if (overflow) refuse(file, fmt::format("the size of tensor {} overflows 64 bits", name));
  if (total_bits % 8 != 0) refuse(file, fmt::format("tensor {} is not a whole number of bytes", name));

  const Json::Array& offsets =
      to_array(member(json, "data_offsets", source), source + ": field data_offsets");
  if (offsets.size() != 2) {
    refuse(file, fmt::format("tensor {} has {} data_offsets instead of 2", name, offsets.size()));
  }
  entry.begin = to_unsigned(offsets[0], source + ": an entry of field data_offsets");
  entry.end = to_unsigned(offsets[1], source + ": an entry of field data_offsets");
  if (entry.end < entry.begin) {
    refuse(file, fmt::format("tensor {} ends at {}, before it begins at {}", name, entry.end, entry.begin));
  }
  if (entry.end - entry.begin != total_bits / 8) {
    refuse(file, fmt::format("tensor {} has {} bytes of data, but its dtype and shape need {}", name,
                             entry.end - entry.begin, total_bits / 8));
  }
  return entry;
}

}  // namespace

std::int64_t TensorView::elements() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : dims) product *= extent;
  return product;
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  SafetensorsFile result{MappedFile(path)};
  const std::string file = path.string();
  const std::span<const std::byte> bytes = result.file_.bytes();
  const std::string_view header = header_of(bytes, file);
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + header.size());

  const Json json = parse_json(header, fmt::format("The header of {}", file));
  const Json::Object& members = to_object(json, fmt::format("The header of {}", file));
  if (members.size() > kMaxTensors) {
    refuse(file, fmt::format("it has {} tensors, more than the {} accepted", members.size(), kMaxTensors));
  }
  std::vector<Entry> entries;
  for (const auto& [name, value] : members) {
    if (name != "__metadata__") {
      entries.push_back(parse_entry(name, value, file));
      continue;
    }
    for (const auto& [key, text] : to_object(value, fmt::format("{}: field __metadata__", file))) {
      result.metadata_[key] = to_string(text, fmt::format("{}: field __metadata__.{}", file, key));
    }
  }

  std::ranges::sort(entries, {}, [](const Entry& entry) { return std::pair(entry.begin, entry.end); });
  std::uint64_t expected_begin = 0;
  for (Entry& entry : entries) {
    if (entry.begin != expected_begin) {
      refuse(file, fmt::format("the data of tensor {} begin at {}, but the data before it end at {}",
                               entry.view.name, entry.begin, expected_begin));
    }
    if (entry.end > data.size()) {
      refuse(
          file,
          fmt::format("the data of tensor {} end at {}, but there are only {} bytes of data: the file is cut "
                      "off",
                      entry.view.name, entry.end, data.size()));
    }
    expected_begin = entry.end;
    entry.view.data = data.subspan(entry.begin, entry.end - entry.begin);
    result.index_[entry.view.name] = result.tensors_.size();
    result.tensors_.push_back(std::move(entry.view));
  }
  if (expected_begin != data.size()) {
    refuse(file, fmt::format("{} bytes follow the last tensor", data.size() - expected_begin));
  }
  return result;
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

bool holds_floats(const TensorView& tensor) {
  constexpr std::string_view kReadable[] = {"F32", "F16", "BF16", "F64"};
  return std::ranges::find(kReadable, tensor.dtype) != std::end(kReadable);
}

void read_f32(const TensorView& tensor, std::span<float> out) {
  if (std::int64_t(out.size()) != tensor.elements()) {
    throw Error(ErrorKind::bad_input, fmt::format("{}: tensor {} has {} elements, expected {}.", tensor.file,
                                                  tensor.name, tensor.elements(), out.size()));
  }
  const auto convert_from = [&]<class T>(T, auto to_float) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      T stored;
      std::memcpy(&stored, tensor.data.data() + i * sizeof(T), sizeof(T));
      out[i] = to_float(stored);
    }
  };
  if (tensor.dtype == "F32") {
    if (!out.empty()) std::memcpy(out.data(), tensor.data.data(), out.size_bytes());
  } else if (tensor.dtype == "F16") {
    convert_from(std::uint16_t(), from_f16);
  } else if (tensor.dtype == "BF16") {
    convert_from(std::uint16_t(), from_bf16);
  } else if (tensor.dtype == "F64") {
    convert_from(double(), [](double value) { return float(value); });
  } else {
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: tensor {} has dtype {}, expected F32, F16, BF16 or F64.", tensor.file,
                            tensor.name, tensor.dtype));
  }
}

}  // namespace diffusion
