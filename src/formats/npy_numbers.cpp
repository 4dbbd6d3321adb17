#include "formats/npy_numbers.h"

#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "formats/npy_format.h"

namespace diffusion {

NpyArray<double> read_npy_numbers(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 2> kAccepted{kNpyFloat32, kNpyFloat64};
  NpyFile file = read_npy_file(path, kAccepted);
  NpyArray<double> array{std::move(file.dims), std::vector<double>(file.elements)};
  const std::byte* from = file.bytes.data() + file.first;
  for (std::size_t i = 0; i < file.elements; ++i) {
    if (file.descr == kNpyFloat64) {
      std::memcpy(&array.data[i], from + i * sizeof(double), sizeof(double));
    } else {
      float single = 0;
      std::memcpy(&single, from + i * sizeof(float), sizeof(float));
      array.data[i] = double(single);
    }
  }
  return array;
}

}  // namespace diffusion
