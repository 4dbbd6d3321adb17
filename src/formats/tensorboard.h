#pragma once

// Event files that TensorBoard reads: events.out.tfevents.*, a TFRecord file of protocol buffers
// (tensorflow's event.proto), of which we write the few fields that scalars need.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace diffusion {

struct Scalar {
  std::string tag;  // "train/loss"; what is before the slash groups the charts
  double value;     // kept in single precision
};

// A file that grows by an event at a time, as TensorBoard expects. Error(io) naming the file when it cannot.
class EventFile {
 public:
  // Creates a new file in `directory`, whose name sorts after those of all event files there. It begins with
  // a mark that the session starts at `first_step`: readers then forget what older files say of this step and
  // later ones.
  EventFile(const std::filesystem::path& directory, std::int64_t first_step);

  // The values at a step, with the time of now.
  void add(std::int64_t step, std::span<const Scalar> scalars);

 private:
  void append(std::string_view event);

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

// The messages, without a frame. `wall_time` is in seconds since 1970.
std::string version_event(double wall_time);
std::string session_start_event(double wall_time, std::int64_t first_step);
std::string scalars_event(double wall_time, std::int64_t step, std::span<const Scalar> scalars);

// A message as a record of the file: length (8 bytes), masked CRC of these, the message, masked CRC of it;
// little-endian.
std::string tfrecord(std::string_view message);

// CRC-32C (Castagnoli), as in RFC 3720, section 12.1 and appendix B.4.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace diffusion
