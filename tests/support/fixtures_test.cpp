#include "support/fixtures.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace diffusion::fixtures {

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "diffusion-data-XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ScopedEnvironment::ScopedEnvironment(const std::string& name, const std::optional<std::string>& value)
    : name_(name) {
  if (const char* before = std::getenv(name.c_str())) before_ = before;
  if (value)
    setenv(name.c_str(), value->c_str(), 1);
  else
    unsetenv(name.c_str());
}

ScopedEnvironment::~ScopedEnvironment() {
  if (before_)
    setenv(name_.c_str(), before_->c_str(), 1);
  else
    unsetenv(name_.c_str());
}

std::filesystem::path write_file(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
  return path;
}

Bytes gzip(const Bytes& bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("deflateInit2");
  Bytes packed(deflateBound(&stream, uLong(bytes.size())));
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = uInt(bytes.size());
  stream.next_out = packed.data();
  stream.avail_out = uInt(packed.size());
  const int result = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) throw std::runtime_error("deflate");
  return packed;
}

Bytes idx(const std::vector<std::uint32_t>& extents, const Bytes& values) {
  Bytes bytes{0, 0, 8, std::uint8_t(extents.size())};
  for (const std::uint32_t extent : extents)
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(std::uint8_t(extent >> shift));
  return bytes + values;
}

Bytes text(const std::string& characters) {
  return {characters.begin(), characters.end()};
}

// The ustar format: a header of 512 bytes, the content filled up to whole blocks, and two empty blocks at the
// end.
Bytes tar(const std::vector<Member>& members) {
  Bytes bytes;
  for (const Member& member : members) {
    std::string header(512, '\0');
    header.replace(0, member.name.size(), member.name);
    header.replace(100, 7, "0000644");
    char size[12];
    std::snprintf(size, sizeof size, "%011o", unsigned(member.content.size()));
    header.replace(124, 11, size);
    header.replace(136, 11, "00000000000");
    header.replace(148, 8, "        ");
    header[156] = '0';
    header.replace(257, 8, std::string("ustar\00000", 8));
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    char checksum[8];
    std::snprintf(checksum, sizeof checksum, "%06o", sum);
    header.replace(148, 7, std::string(checksum, 7));
    bytes = bytes + text(header) + member.content;
    bytes.resize((bytes.size() + 511) / 512 * 512);
  }
  bytes.resize(bytes.size() + 1024);
  return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void write_idx_set(const std::filesystem::path& folder, std::uint32_t count, std::uint8_t value) {
  std::filesystem::create_directories(folder);
  Bytes labels(count);
  for (std::uint32_t i = 0; i < count; ++i) labels[i] = std::uint8_t(i % 3);
  for (const std::string stem : {"train", "t10k"}) {
    write_file(folder / (stem + "-images-idx3-ubyte"), idx({count, 2, 2}, Bytes(4 * count, value)));
    write_file(folder / (stem + "-labels-idx1-ubyte"), idx({count}, labels));
  }
}

Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no Error was thrown";
  return Error(ErrorKind::internal, "no Error was thrown");
}

std::optional<std::filesystem::path> real_data() {
  const char* folder = std::getenv("DIFFUSION_DATA_DIR");
  for (const std::filesystem::path& place : {std::filesystem::path(folder ? folder : ""),
                                             std::filesystem::path(DIFFUSION_SOURCE_DIR) / "../shared/data"})
    if (!place.empty() && std::filesystem::is_directory(place / "fashion-mnist")) return place;
  return std::nullopt;
}

}  // namespace diffusion::fixtures
