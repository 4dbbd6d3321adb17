#include <diffusion/dataset.h>

#include <fmt/format.h>

#include <utility>

#include <diffusion/error.h>
#include "files/mapped_file.h"

namespace diffusion {

PixelStore::PixelStore(std::vector<std::uint8_t> bytes) {
  const auto owner = std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes));
  bytes_ = *owner;
  owner_ = owner;
}

PixelStore::PixelStore(MappedFile file, std::size_t offset, std::size_t size) {
  const auto owner = std::make_shared<const MappedFile>(std::move(file));
  const std::size_t available = owner->bytes().size();
  if (offset > available || size > available - offset)
    throw Error(ErrorKind::internal,
                fmt::format("PixelStore: bytes {} to {} of a file of {}.", offset, offset + size, available));
  bytes_ = {reinterpret_cast<const std::uint8_t*>(owner->bytes().data()) + offset, size};
  owner_ = owner;
}

}  // namespace diffusion
