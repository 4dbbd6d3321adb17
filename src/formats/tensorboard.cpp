#include "formats/tensorboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <system_error>

#include <diffusion/error.h>
#include "files/folders.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.";

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  constexpr std::uint32_t kPolynomial = 0x82f63b78;  // of Castagnoli, bits reversed
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) remainder = remainder >> 1 ^ (remainder & 1 ? kPolynomial : 0);
    table[byte] = remainder;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kCrcTable = make_crc_table();

// So that a CRC of bytes that hold CRCs is not a special one.
std::uint32_t masked(std::uint32_t crc) {
  return std::rotr(crc, 15) + 0xa282ead8;
}

void add_little_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += char(value >> 8 * i & 0xff);
}

// Protocol buffers: a key (field number and wire type), then the value.
enum class Wire : std::uint32_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };

void add_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += char((value & 0x7f) | 0x80);
  out += char(value);
}

void add_key(std::string& out, std::uint32_t field, Wire wire) {
  add_varint(out, field << 3 | std::uint32_t(wire));
}

void add_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
  add_key(out, field, Wire::length);
  add_varint(out, bytes.size());
  out += bytes;
}

// Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7.
std::string begin_event(double wall_time, std::int64_t step) {
  std::string event;
  add_key(event, 1, Wire::fixed64);
  add_little_endian(event, std::bit_cast<std::uint64_t>(wall_time), 8);
  if (step != 0) {  // which is what an absent one is
    add_key(event, 2, Wire::varint);
    add_varint(event, std::uint64_t(step));
  }
  return event;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Readers take the files in the order of their names: the time, or one more than the newest there.
std::string next_name(const fs::path& directory) {
  constexpr std::int64_t kMostSeconds = 9'999'999'998;  // ten digits, and room for one more
  auto stamp = std::int64_t(now());
  for (const fs::path& entry : entries_of(directory)) {
    const std::string name = entry.filename().string();
    std::int64_t other = 0;
    if (name.starts_with(kPrefix))
      std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), other);
    if (other <= kMostSeconds) stamp = std::max(stamp, other + 1);
  }
  return fmt::format("{}{:010}.diffusion", kPrefix, stamp);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ std::uint8_t(byte)) & 0xff];
  return ~crc;
}

std::string tfrecord(std::string_view message) {
  std::string record;
  add_little_endian(record, message.size(), 8);
  add_little_endian(record, masked(crc32c(record)), 4);
  record += message;
  add_little_endian(record, masked(crc32c(message)), 4);
  return record;
}

std::string version_event(double wall_time) {
  std::string event = begin_event(wall_time, 0);
  add_bytes(event, 3, "brain.Event:2");
  return event;
}

std::string session_start_event(double wall_time, std::int64_t first_step) {
  std::string session, event = begin_event(wall_time, first_step);
  add_key(session, 1, Wire::varint);  // SessionLog: status = 1
  add_varint(session, 1);             // START
  add_bytes(event, 7, session);
  return event;
}

std::string scalars_event(double wall_time, std::int64_t step, std::span<const Scalar> scalars) {
  std::string summary, event = begin_event(wall_time, step);
  for (const Scalar& scalar : scalars) {
    std::string value;  // Summary.Value: tag = 1, simple_value = 2
    add_bytes(value, 1, scalar.tag);
    add_key(value, 2, Wire::fixed32);
    add_little_endian(value, std::bit_cast<std::uint32_t>(float(scalar.value)), 4);
    add_bytes(summary, 1, value);  // Summary: value = 1, repeated
  }
  add_bytes(event, 5, summary);
  return event;
}

EventFile::EventFile(const fs::path& directory, std::int64_t first_step)
    : path_(directory / next_name(directory)), file_(std::fopen(path_.c_str(), "wbxe"), std::fclose) {
  if (!file_)
    throw Error(ErrorKind::io,
                fmt::format("{}: cannot be created: {}", path_.string(), std::strerror(errno)));
  append(version_event(now()));
  append(session_start_event(now(), first_step));
}

void EventFile::add(std::int64_t step, std::span<const Scalar> scalars) {
  append(scalars_event(now(), step, scalars));
}

void EventFile::append(std::string_view event) {
  const std::string record = tfrecord(event);
  if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size() ||
      std::fflush(file_.get()) != 0)
    throw Error(ErrorKind::io,
                fmt::format("{}: cannot be written: {}", path_.string(), std::strerror(errno)));
}

}  // namespace diffusion
