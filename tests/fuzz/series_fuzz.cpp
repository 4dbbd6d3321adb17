#include <cmath>
#include <string_view>

#include <diffusion/error.h>
#include "fuzz_input.h"
#include "series/read_series.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffusion;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::expect_only_bad_input(fuzz::kSourceName, [&] {
    const SeriesTable table = read_series(text, fuzz::kSourceName);
    if (table.series.empty()) throw Error(ErrorKind::internal, "no series");
    for (const TimeSeries& series : table.series)
      for (const double value : series.values)
        if (std::isinf(value)) throw Error(ErrorKind::internal, "an infinity");
  });
  return 0;
}
