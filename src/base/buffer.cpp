#include "base/buffer.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>

#include <diffusion/error.h>

namespace diffusion {

void FreePages::operator()(void* pages) const noexcept {
  munmap(pages, bytes);
}

Pages allocate_pages(std::size_t bytes) {
  bytes = std::max<std::size_t>(bytes, 1);
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    throw Error(ErrorKind::memory,
                fmt::format("not enough memory: {:.1f} MiB could not be had", double(bytes) / (1 << 20)));
  madvise(pages, bytes, MADV_HUGEPAGE);  // a hint; failure changes speed only
  return Pages(pages, FreePages{bytes});
}

}  // namespace diffusion
