#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace diffusion {

// The bytes of a file, unpacked on the way if its first two bytes are those of gzip (RFC 1952), whatever its
// name. Memory use does not depend on the content: no more is unpacked than read() has room for.
class ByteSource {
 public:
  // Throws Error(io) if the file cannot be opened, Error(bad_input) if it is no regular file.
  explicit ByteSource(const std::filesystem::path& path);

  // Fills `out` and returns the number of bytes written, which is less than out.size() only at the end of the
  // data. A gzip checksum is verified by the read() that finds the end. Throws Error(bad_input) for a damaged
  // or truncated gzip stream and for bytes after its end, Error(io) if the system fails to read.
  std::size_t read(std::span<std::uint8_t> out);

  // No more than this many bytes can come out of the file: its size, times the best ratio that deflate can
  // reach if it is packed. Lets a reader refuse an absurd header before it allocates anything.
  std::uint64_t most_bytes() const;

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct EndInflate {
    void operator()(z_stream* stream) const {
      inflateEnd(stream);
      delete stream;
    }
  };

  bool refill();
  std::size_t read_plain(std::span<std::uint8_t> out);
  std::size_t read_gzip(std::span<std::uint8_t> out);

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::uint64_t file_size_ = 0;
  std::vector<std::uint8_t> buffer_;
  std::span<const std::uint8_t> pending_;           // the part of buffer_ not used yet
  std::unique_ptr<z_stream, EndInflate> inflater_;  // null for a plain file
  bool inside_member_ = true;                       // between the header and the trailer of a gzip member
  std::uint64_t unpacked_ = 0;
};

}  // namespace diffusion
