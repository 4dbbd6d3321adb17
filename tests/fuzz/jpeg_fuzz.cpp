#include "fuzz_input.h"
#include "pictures/image_checks.h"
#include "pictures/jpeg.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffusion;
  fuzz::expect_only_bad_input(
      fuzz::kSourceName, [&] { check_image(decode_jpeg(fuzz::bytes_of(data, size), fuzz::kSourceName)); });
  return 0;
}
