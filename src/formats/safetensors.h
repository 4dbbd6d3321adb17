#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "files/mapped_file.h"

namespace diffusion {

// The safetensors format of Hugging Face: 8 bytes header length N (little-endian), N bytes of JSON
// {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {"key":
// "text"}}, then the data, to which the offsets are relative: little-endian, C order, without gaps and
// overlaps.

// One tensor of an open file. `data` may be unaligned.
struct TensorView {
  std::string name;
  std::string dtype;               // as in the file: "F32", "BF16", "I64", ...
  std::vector<std::int64_t> dims;  // empty: one element
  std::span<const std::byte> data;
  std::string file;  // for messages

  std::int64_t elements() const;
};

// A validated file, mapped into memory: its views live as long as it does. Truncating the file meanwhile,
// which no writer of ours does, would be a bus error.
class SafetensorsFile {
 public:
  // Error(bad_input) naming the file and the broken rule for everything the format forbids, and for more than
  // 16 MB of header, 100,000 tensors, 1,024 bytes of name or 8 dimensions.
  static SafetensorsFile open(const std::filesystem::path& path);

  // In the order of their data.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  const TensorView* find(std::string_view name) const;  // nullptr if there is none
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  explicit SafetensorsFile(MappedFile file) : file_(std::move(file)) {}

  MappedFile file_;
  std::vector<TensorView> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::map<std::string, std::string> metadata_;
};

// Whether read_f32 knows the dtype.
bool holds_floats(const TensorView& tensor);

// Converts F32, F16, BF16 or F64 values to f32 (rounding to nearest). Another dtype, or out.size() different
// from the number of elements, is Error(bad_input) naming file and tensor.
void read_f32(const TensorView& tensor, std::span<float> out);

enum class SafetensorsDType : std::uint8_t { f32, bf16, f16 };

struct TensorToWrite {
  std::string name;
  std::vector<std::int64_t> dims;
  std::span<const float> values;  // C order
  SafetensorsDType dtype = SafetensorsDType::f32;
};

// Writes the file as the Hugging Face library does: sorted by dtype (F32, BF16, F16), then name; header
// padded to a multiple of 8 bytes. Not atomic: meant for files inside an AtomicDirectory. Error(usage) for a
// name that is used twice or reserved, for dims that do not fit the values, and for finite values that F16
// cannot hold; then nothing is written.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace diffusion
