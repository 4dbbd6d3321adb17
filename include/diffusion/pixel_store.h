#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace diffusion {

class MappedFile;

// Bytes to read only, of which copies share one memory: a vector, or a part of a mapped file, which the
// system loads when it is read and drops when memory is short. So a data set may be larger than the memory.
class PixelStore {
 public:
  PixelStore() = default;
  PixelStore(std::vector<std::uint8_t> bytes);  // implicit: a vector is the usual source
  // `size` bytes from `offset`; Error(internal) if the file has fewer. For the library itself.
  PixelStore(MappedFile file, std::size_t offset, std::size_t size);

  std::span<const std::uint8_t> bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::shared_ptr<const void> owner_;
  std::span<const std::uint8_t> bytes_;
};

}  // namespace diffusion
