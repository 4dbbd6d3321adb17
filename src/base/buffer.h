#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace diffusion {

// Page-aligned memory, zero at birth, backed by huge pages where the system gives them. Throws Error(memory)
// with the size asked for.
struct FreePages {
  std::size_t bytes = 0;
  void operator()(void* pages) const noexcept;
};
using Pages = std::unique_ptr<void, FreePages>;
Pages allocate_pages(std::size_t bytes);

// A fixed-size array in such memory; movable, not copyable.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) : pages_(allocate_pages(size * sizeof(T))), size_(size) {}

  T* data() const { return static_cast<T*>(pages_.get()); }
  std::size_t size() const { return size_; }
  std::span<T> span() const { return {data(), size_}; }

 private:
  Pages pages_;
  std::size_t size_ = 0;
};

}  // namespace diffusion
