#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include <diffusion/error.h>
#include "base/float16.h"
#include "base/tensor.h"
#include "files/file_descriptor.h"
#include "formats/json.h"
#include "formats/safetensors.h"

namespace diffusion {

namespace {

std::string_view name_of(SafetensorsDType dtype) {
  switch (dtype) {
    case SafetensorsDType::bf16:
      return "BF16";
    case SafetensorsDType::f16:
      return "F16";
    case SafetensorsDType::f32:
      break;
  }
  return "F32";
}

std::size_t bytes_of(const TensorToWrite& tensor) {
  return tensor.values.size() * (tensor.dtype == SafetensorsDType::f32 ? 4 : 2);
}

[[noreturn]] void refuse_to_write(const std::filesystem::path& path, const std::string& reason) {
  throw Error(ErrorKind::usage, fmt::format("Cannot write {}: {}.", path.string(), reason));
}

void check(const std::filesystem::path& path, const TensorToWrite& tensor) {
  if (tensor.name == "__metadata__") refuse_to_write(path, "a tensor cannot be called __metadata__");
  std::uint64_t elements = 1;
  bool wrong = false;
  for (const std::int64_t extent : tensor.dims) {
    wrong |= extent < 0 || __builtin_mul_overflow(elements, std::uint64_t(extent), &elements);
  }
  if (wrong || elements != tensor.values.size()) {
    refuse_to_write(path, fmt::format("tensor {} has the shape [{}] but {} values", tensor.name,
                                      fmt::join(tensor.dims, ", "), tensor.values.size()));
  }
  if (tensor.dtype != SafetensorsDType::f16) return;
  const auto too_large = [](float value) { return std::isfinite(value) && std::fabs(value) >= 65520.0f; };
  const auto found = std::ranges::find_if(tensor.values, too_large);
  if (found != tensor.values.end()) {
    refuse_to_write(
        path, fmt::format("tensor {} holds {}, beyond the largest F16 number 65504", tensor.name, *found));
  }
}

// Compact JSON, metadata first, as the reference writes it; not dump_json(), which puts spaces like Python.
std::string header_of(std::span<const TensorToWrite* const> sorted,
                      const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, text] : metadata) header += fmt::format("{}:{},", dump_json(key), dump_json(text));
    header.back() = '}';
    header += ',';
  }
  std::size_t offset = 0;
  for (const TensorToWrite* tensor : sorted) {
    const std::size_t end = offset + bytes_of(*tensor);
    header += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}},",
                          dump_json(tensor->name), name_of(tensor->dtype), fmt::join(tensor->dims, ","),
                          offset, end);
    offset = end;
  }
  if (header.back() == ',') header.pop_back();
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  return header;
}

void write_values(const FileDescriptor& file, const TensorToWrite& tensor,
                  const std::filesystem::path& path) {
  if (tensor.dtype == SafetensorsDType::f32) {
    write_all(file, std::as_bytes(tensor.values), path);
    return;
  }
  std::vector<std::uint16_t> converted(tensor.values.size());
  std::ranges::transform(tensor.values, converted.begin(),
                         tensor.dtype == SafetensorsDType::bf16 ? to_bf16 : to_f16);
  write_all(file, std::as_bytes(std::span(converted)), path);
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const TensorToWrite*> sorted;
  for (const TensorToWrite& tensor : tensors) {
    check(path, tensor);
    sorted.push_back(&tensor);
  }
  std::ranges::sort(sorted, {}, [](const TensorToWrite* tensor) {
    return std::pair(tensor->dtype, std::string_view(tensor->name));
  });
  std::set<std::string_view> names;
  for (const TensorToWrite& tensor : tensors) {
    if (!names.insert(tensor.name).second)
      refuse_to_write(path, fmt::format("two tensors are called {}", tensor.name));
  }

  const std::string header = header_of(sorted, metadata);
  const std::uint64_t length = header.size();
  FileDescriptor file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  write_all(file, std::as_bytes(std::span(&length, 1)), path);
  write_all(file, std::as_bytes(std::span(header)), path);
  for (const TensorToWrite* tensor : sorted) write_values(file, *tensor, path);
  file.close(path);
}

}  // namespace diffusion
