#include <diffusion/error.h>
#include "fuzz_input.h"
#include "pictures/exif.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffusion;
  const int orientation = exif_orientation(fuzz::bytes_of(data, size));
  if (orientation < 1 || orientation > 8) throw Error(ErrorKind::internal, "no orientation");
  return 0;
}
