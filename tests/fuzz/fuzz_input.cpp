#include "fuzz_input.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <diffusion/error.h>

namespace diffusion::fuzz {

void expect_only_bad_input(const std::string& source_name, const std::function<void()>& read) {
  try {
    read();
  } catch (const Error& error) {
    const bool names_source = std::string(error.what()).find(source_name) != std::string::npos;
    if (error.kind() == ErrorKind::bad_input && names_source) return;
    std::fprintf(stderr, "unexpected error of kind %d: %s\n", int(error.kind()), error.what());
    std::abort();
  }
}

File::File(std::span<const std::uint8_t> bytes) : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
  if (fd_ < 0 || ::write(fd_, bytes.data(), bytes.size()) != ssize_t(bytes.size())) std::abort();
}

File::~File() {
  ::close(fd_);
}

std::filesystem::path File::path() const {
  return "/proc/self/fd/" + std::to_string(fd_);
}

}  // namespace diffusion::fuzz
