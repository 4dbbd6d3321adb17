#pragma once

#include <tiffio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace diffusion {

// A TIFF file in memory, and the first thing that libtiff found wrong with it. libtiff goes on after many
// errors, with zeros in place of pixels, so what counts is the message, not the result of a call.
struct TiffMemory {
  std::span<const std::byte> bytes;
  std::size_t position = 0;
  std::array<char, 256> message{};  // empty: nothing wrong so far
};

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using TiffPointer = std::unique_ptr<TIFF, CloseTiff>;

// For reading; `memory` must outlive the result. Null if the file cannot be opened. Nothing is printed.
TiffPointer open_tiff(TiffMemory& memory);

}  // namespace diffusion
