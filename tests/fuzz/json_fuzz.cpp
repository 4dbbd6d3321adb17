#include <string_view>
#include "fuzz_input.h"

#include <diffusion/error.h>
#include "formats/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffusion;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::expect_only_bad_input(fuzz::kSourceName, [&] {
    // What is read can be written, and is read again as the same.
    const std::string dumped = dump_json(parse_json(text, fuzz::kSourceName));
    if (dump_json(parse_json(dumped, "our own JSON")) != dumped) throw Error(ErrorKind::internal, dumped);
  });
  return 0;
}
