#include <cmath>

#include <diffusion/error.h>
#include "fuzz_input.h"
#include "sound/wav.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffusion;
  fuzz::expect_only_bad_input(fuzz::kSourceName, [&] {
    const Sound sound = decode_wav(fuzz::bytes_of(data, size), fuzz::kSourceName);
    if (sound.samples.empty() || sound.sample_rate < 1) throw Error(ErrorKind::internal, "no sound");
    for (const float x : sound.samples)
      if (!std::isfinite(x)) throw Error(ErrorKind::internal, "not finite");
  });
  return 0;
}
