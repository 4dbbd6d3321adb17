#include "data/byte_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::uint64_t kBestDeflateRatio = 1032;  // 258 bytes from 2 bits, the limit of the format
constexpr int kGzipWindow = 15 + 16;               // zlib's way to say "gzip, any window"
constexpr std::uint8_t kGzipMagic[2] = {0x1f, 0x8b};

}  // namespace

ByteSource::ByteSource(const std::filesystem::path& path) : path_(path), buffer_(kBufferBytes) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw Error(ErrorKind::bad_input, fmt::format("{} is not a regular file.", path.string()));
  file_.reset(std::fopen(path.c_str(), "rb"));
  if (!file_)
    throw Error(ErrorKind::io, fmt::format("Cannot open {}: {}.", path.string(), std::strerror(errno)));
  file_size_ = std::filesystem::file_size(path, failure);
  if (failure)
    throw Error(ErrorKind::io,
                fmt::format("Cannot get the size of {}: {}.", path.string(), failure.message()));

  refill();
  if (pending_.size() < 2 || !std::equal(kGzipMagic, kGzipMagic + 2, pending_.begin())) return;
  auto stream = std::make_unique<z_stream>();
  if (inflateInit2(stream.get(), kGzipWindow) != Z_OK)
    throw Error(ErrorKind::memory, fmt::format("Not enough memory to unpack {}.", path.string()));
  inflater_.reset(stream.release());
}

std::uint64_t ByteSource::most_bytes() const {
  return inflater_ ? file_size_ * kBestDeflateRatio : file_size_;
}

bool ByteSource::refill() {
  const std::size_t bytes = std::fread(buffer_.data(), 1, buffer_.size(), file_.get());
  if (bytes < buffer_.size() && std::ferror(file_.get()))
    throw Error(ErrorKind::io, fmt::format("Cannot read {}: {}.", path_.string(), std::strerror(errno)));
  pending_ = std::span(buffer_).first(bytes);
  return bytes > 0;
}

std::size_t ByteSource::read(std::span<std::uint8_t> out) {
  const std::size_t bytes = inflater_ ? read_gzip(out) : read_plain(out);
  unpacked_ += bytes;
  return bytes;
}

std::size_t ByteSource::read_plain(std::span<std::uint8_t> out) {
  std::size_t done = 0;
  while (done < out.size() && (!pending_.empty() || refill())) {
    const std::size_t bytes = std::min(pending_.size(), out.size() - done);
    std::copy_n(pending_.begin(), bytes, out.begin() + std::ptrdiff_t(done));
    pending_ = pending_.subspan(bytes);
    done += bytes;
  }
  return done;
}

std::size_t ByteSource::read_gzip(std::span<std::uint8_t> out) {
  z_stream& stream = *inflater_;
  std::size_t done = 0;
  while (done < out.size()) {
    if (pending_.empty() && !refill()) {
      if (!inside_member_) break;
      throw Error(
          ErrorKind::bad_input,
          fmt::format("{} is a truncated gzip file: it ends inside the packed data, after {} unpacked bytes.",
                      path_.string(), unpacked_ + done));
    }
    if (!inside_member_) {  // a gzip file may be several members in a row
      if (pending_.front() != kGzipMagic[0])
        throw Error(ErrorKind::bad_input,
                    fmt::format("{} has trailing data after the end of its gzip stream of {} unpacked bytes.",
                                path_.string(), unpacked_ + done));
      inflateReset(&stream);
      inside_member_ = true;
    }
    const auto room = uInt(std::min<std::size_t>(out.size() - done, 1u << 30));
    stream.next_in = const_cast<Bytef*>(pending_.data());  // zlib reads only; its C type lacks the const
    stream.avail_in = uInt(pending_.size());
    stream.next_out = out.data() + done;
    stream.avail_out = room;
    const int result = inflate(&stream, Z_NO_FLUSH);
    pending_ = pending_.last(stream.avail_in);
    done += room - stream.avail_out;
    if (result == Z_STREAM_END) {
      inside_member_ = false;
    } else if (result == Z_MEM_ERROR) {
      throw Error(ErrorKind::memory, fmt::format("Not enough memory to unpack {}.", path_.string()));
    } else if (result != Z_OK) {
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} is a damaged gzip file: {} after {} unpacked bytes.", path_.string(),
                              stream.msg ? stream.msg : "invalid data", unpacked_ + done));
    }
  }
  return done;
}

}  // namespace diffusion
