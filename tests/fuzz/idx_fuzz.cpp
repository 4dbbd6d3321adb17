#include "data/idx.h"
#include "fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffusion;
  const fuzz::File file({data, size});
  fuzz::expect_only_bad_input(file.path(), [&] { read_idx(file.path(), 1); });
  fuzz::expect_only_bad_input(file.path(), [&] { read_idx(file.path(), 3); });
  return 0;
}
