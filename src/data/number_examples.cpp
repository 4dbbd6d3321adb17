#include "data/number_examples.h"

#include <algorithm>
#include <utility>

#include <diffusion/error.h>
#include "data/content_hash.h"

namespace diffusion {

NumberArray::NumberArray(std::vector<float> values, int example_size)
    : values_(std::move(values)), example_size_(std::size_t(example_size)) {
  if (example_size < 1 || values_.size() % example_size_ != 0)
    throw Error(ErrorKind::internal, "NumberArray: these are no whole examples");
}

int NumberArray::count() const {
  return int(values_.size() / example_size_);
}

void NumberArray::write(int i, const RandomKey&, const ExampleParts& parts) const {
  std::ranges::copy(std::span(values_).subspan(std::size_t(i) * example_size_, example_size_),
                    parts.x.begin());
}

std::uint64_t NumberArray::fingerprint() const {
  ContentHash hash;
  hash.add(std::uint64_t(example_size_));
  hash.add(std::string_view(reinterpret_cast<const char*>(values_.data()), values_.size() * sizeof(float)));
  return hash.value();
}

}  // namespace diffusion
