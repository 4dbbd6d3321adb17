#include "formats/npy.h"
#include "fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffusion;
  const fuzz::File file({data, size});
  fuzz::expect_only_bad_input(file.path(), [&] { read_npy_float32(file.path()); });
  fuzz::expect_only_bad_input(file.path(), [&] { read_npy_uint8(file.path()); });
  return 0;
}
