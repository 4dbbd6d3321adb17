// For LD_PRELOAD: lets one call of the C library fail, so that tests see what the program makes of it.
//   FAIL_CALL   its name, one of those below
//   FAIL_AT     which, from 1, of those that concern something below FAIL_UNDER
//   FAIL_ERRNO  the reason, a number
// "failed CALL PATH" on stderr tells that it happened.

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string path_of(int fd) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), path, sizeof path);
  return size > 0 ? std::string(path, std::size_t(size)) : std::string();
}

std::string path_of(int folder, const char* path) {
  return path[0] == '/' || folder == AT_FDCWD ? path : path_of(folder) + "/" + path;
}

// True, and errno is set, if this call is the one.
bool fails(const char* call, const std::string& path) {
  static std::atomic<int> calls = 0;
  const std::string under = environment("FAIL_UNDER");
  if (under.empty() || !path.starts_with(under) || environment("FAIL_CALL") != call) return false;
  if (++calls != std::atoi(environment("FAIL_AT").c_str())) return false;
  ::dprintf(STDERR_FILENO, "failed %s %s\n", call, path.c_str());
  errno = std::atoi(environment("FAIL_ERRNO").c_str());
  return true;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int mkdir(const char* path, mode_t mode) noexcept {
  return fails("mkdir", path) ? -1 : real<int(const char*, mode_t)>("mkdir")(path, mode);
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  if (fails("unlinkat", path_of(folder, path))) return -1;
  return real<int(int, const char*, int)>("unlinkat")(folder, path, flags);
}

int symlink(const char* target, const char* path) noexcept {
  return fails("symlink", path) ? -1 : real<int(const char*, const char*)>("symlink")(target, path);
}

int rename(const char* from, const char* to) noexcept {
  return fails("rename", to) ? -1 : real<int(const char*, const char*)>("rename")(from, to);
}

int fsync(int fd) {
  return fails("fsync", path_of(fd)) ? -1 : real<int(int)>("fsync")(fd);
}

ssize_t write(int fd, const void* bytes, std::size_t size) {
  if (fails("write", path_of(fd))) return -1;
  return real<ssize_t(int, const void*, std::size_t)>("write")(fd, bytes, size);
}

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  return fails("open", path) ? -1 : real<int(const char*, int, ...)>("open")(path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  if (fails("openat", path_of(folder, path))) return -1;
  return real<int(int, const char*, int, ...)>("openat")(folder, path, flags, mode);
}

dirent* readdir(DIR* folder) {
  return fails("readdir", path_of(::dirfd(folder))) ? nullptr : real<dirent*(DIR*)>("readdir")(folder);
}

}  // extern "C"
