#include <vector>
#include "fuzz_input.h"

#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffusion;
  const fuzz::File file({data, size});
  fuzz::expect_only_bad_input(file.path(), [&] {
    const SafetensorsFile tensors = SafetensorsFile::open(file.path());
    for (const TensorView& tensor : tensors.tensors()) {
      std::vector<float> values(std::size_t(tensor.elements()));
      read_f32(tensor, values);
    }
  });
  return 0;
}
