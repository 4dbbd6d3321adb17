#include "files/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <limits>

#include <diffusion/error.h>
#include "files/fs.h"

namespace diffusion {

std::string sha256(std::span<const std::byte> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1)
    throw Error(ErrorKind::internal, "the system's cryptography library cannot compute SHA-256");
  std::string text;
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256_of_file(const std::filesystem::path& path) {
  return sha256(read_file(path, std::numeric_limits<std::uint64_t>::max()));
}

}  // namespace diffusion
