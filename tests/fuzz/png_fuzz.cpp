#include <zlib.h>

#include <vector>

#include "fuzz_input.h"
#include "pictures/image_checks.h"
#include "pictures/png.h"

namespace {

constexpr std::size_t kSignatureBytes = 8, kSizeBytes = 4, kNameBytes = 4, kChecksumBytes = 4;

// Makes the checksums of all chunks right: otherwise hardly any change would reach what lies behind them.
void repair_checksums(std::vector<std::uint8_t>& png) {
  std::size_t at = kSignatureBytes;
  while (at + kSizeBytes + kNameBytes + kChecksumBytes <= png.size()) {
    const std::size_t size = std::size_t(png[at]) << 24 | std::size_t(png[at + 1]) << 16 |
                             std::size_t(png[at + 2]) << 8 | png[at + 3];
    const std::size_t body = at + kSizeBytes;
    if (size > png.size() - body - kNameBytes - kChecksumBytes) return;
    const auto checksum = crc32(0, png.data() + body, uInt(kNameBytes + size));
    for (std::size_t i = 0; i < kChecksumBytes; ++i)
      png[body + kNameBytes + size + i] = std::uint8_t(checksum >> (24 - 8 * i));
    at = body + kNameBytes + size + kChecksumBytes;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffusion;
  std::vector<std::uint8_t> png(data, data + size);
  repair_checksums(png);
  fuzz::expect_only_bad_input(fuzz::kSourceName, [&] {
    check_image(decode_png(fuzz::bytes_of(png.data(), png.size()), fuzz::kSourceName));
  });
  return 0;
}
