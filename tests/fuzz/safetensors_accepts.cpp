// Which files our safetensors reader takes, for tests/golden/mutate_safetensors.py: a filter from stdin to
// stdout.
//   in   u32 length, then so many bytes of a file; again and again, little-endian
//   out  'a' and the u32 CRC-32 of what was read; or 'r', u32 length and the message. Anything but
//        Error(bad_input) ends the program, as a crash would.
// What is read: for each tensor, by name, "<name> <dtype> <extent>,<extent>,", then its data.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "formats/safetensors.h"

namespace {

using namespace diffusion;

std::uint32_t checksum_of(const SafetensorsFile& file) {
  std::vector<const TensorView*> tensors;
  for (const TensorView& tensor : file.tensors()) tensors.push_back(&tensor);
  std::ranges::sort(tensors, {}, [](const TensorView* tensor) { return tensor->name; });
  uLong sum = crc32(0, nullptr, 0);
  const auto add = [&](const void* bytes, std::size_t size) {
    sum = crc32(sum, static_cast<const Bytef*>(bytes), uInt(size));
  };
  for (const TensorView* tensor : tensors) {
    std::string head = tensor->name + " " + tensor->dtype + " ";
    for (const std::int64_t extent : tensor->dims) head += std::to_string(extent) + ",";
    add(head.data(), head.size());
    if (!tensor->data.empty()) add(tensor->data.data(), tensor->data.size());
    if (!holds_floats(*tensor)) continue;
    std::vector<float> values(std::size_t(tensor->elements()));
    read_f32(*tensor, values);
  }
  return std::uint32_t(sum);
}

void put(std::uint32_t number) {
  std::fwrite(&number, sizeof number, 1, stdout);
}

void answer(const std::string& path) {
  try {
    const std::uint32_t sum = checksum_of(SafetensorsFile::open(path));
    std::fputc('a', stdout);
    put(sum);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) throw;
    const std::string message = error.what();
    std::fputc('r', stdout);
    put(std::uint32_t(message.size()));
    std::fwrite(message.data(), 1, message.size(), stdout);
  }
}

}  // namespace

int main() {
  const int memory = ::memfd_create("mutated", 0);
  const std::string path = fmt::format("/proc/self/fd/{}", memory);
  std::uint32_t length = 0;
  std::string bytes;
  while (std::fread(&length, sizeof length, 1, stdin) == 1) {
    bytes.resize(length);
    if (std::fread(bytes.data(), 1, length, stdin) != length) return 1;
    if (::ftruncate(memory, 0) != 0 || ::pwrite(memory, bytes.data(), length, 0) != ssize_t(length)) return 1;
    answer(path);
  }
  std::fflush(stdout);
}
