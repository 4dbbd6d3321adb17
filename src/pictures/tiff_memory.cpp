#include "pictures/tiff_memory.h"

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>

namespace diffusion {

namespace {

constexpr std::int64_t kMaxAllocation = 256 << 20;  // by libtiff, at once

TiffMemory& memory_of(thandle_t handle) {
  return *static_cast<TiffMemory*>(handle);
}

tmsize_t read_bytes(thandle_t handle, void* out, tmsize_t size) {
  TiffMemory& memory = memory_of(handle);
  if (size < 0 || memory.position > memory.bytes.size()) return 0;
  const std::size_t count = std::min(std::size_t(size), memory.bytes.size() - memory.position);
  if (count > 0) std::memcpy(out, memory.bytes.data() + memory.position, count);
  memory.position += count;
  return tmsize_t(count);
}

tmsize_t write_nothing(thandle_t, void*, tmsize_t) {
  return -1;
}

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  TiffMemory& memory = memory_of(handle);
  if (whence == SEEK_CUR) offset += memory.position;
  if (whence == SEEK_END) offset += memory.bytes.size();
  memory.position = offset;
  return offset;
}

int close_nothing(thandle_t) {
  return 0;
}

toff_t size_of(thandle_t handle) {
  return memory_of(handle).bytes.size();
}

// libtiff reads through this pointer only, as the file is open for reading.
int map(thandle_t handle, void** base, toff_t* size) {
  *base = const_cast<std::byte*>(memory_of(handle).bytes.data());
  *size = memory_of(handle).bytes.size();
  return 1;
}

void unmap(thandle_t, void*, toff_t) {}

int on_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  TiffMemory& memory = *static_cast<TiffMemory*>(user);
  if (memory.message[0] == 0) std::vsnprintf(memory.message.data(), memory.message.size(), format, arguments);
  return 1;
}

int on_warning(TIFF*, void*, const char*, const char*, va_list) {
  return 1;
}

}  // namespace

TiffPointer open_tiff(TiffMemory& memory) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 TIFFOpenOptionsFree);
  if (options == nullptr) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxAllocation);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &memory);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &memory);
  return TiffPointer(TIFFClientOpenExt("memory", "r", &memory, read_bytes, write_nothing, seek, close_nothing,
                                       size_of, map, unmap, options.get()));
}

}  // namespace diffusion
