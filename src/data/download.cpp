#include "data/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr std::uint64_t kMaxBytes = 256 * 1024 * 1024;  // the largest file in the table has 170 MB

[[noreturn]] void fail_with_errno(const std::string& what, const std::filesystem::path& path) {
  throw Error(ErrorKind::io, fmt::format("Cannot {} {}: {}.", what, path.string(), std::strerror(errno)));
}

// A file under a temporary name, which disappears unless publish() succeeds.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& destination)
      : destination_(destination), name_(destination.string() + ".part-XXXXXX") {
    descriptor_ = mkostemp(name_.data(), O_CLOEXEC);
    if (descriptor_ < 0) fail_with_errno("create a file for the download in", destination.parent_path());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0) close(descriptor_);
    if (!published_) unlink(name_.c_str());
  }

  // False, with errno set, if the system refuses.
  bool append(const char* data, std::size_t size) {
    while (size > 0) {
      const ssize_t written = write(descriptor_, data, size);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return false;
      data += written;
      size -= std::size_t(written);
    }
    return true;
  }

  void publish() {
    if (fchmod(descriptor_, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH) != 0)
      fail_with_errno("set the mode of", name_);
    if (fsync(descriptor_) != 0) fail_with_errno("write", name_);
    if (close(std::exchange(descriptor_, -1)) != 0) fail_with_errno("write", name_);
    if (rename(name_.c_str(), destination_.c_str()) != 0) fail_with_errno("create", destination_);
    published_ = true;
  }

 private:
  std::filesystem::path destination_;
  std::string name_;
  int descriptor_ = -1;
  bool published_ = false;
};

class Md5 {
 public:
  Md5() : context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr) != 1)
      throw Error(ErrorKind::io, "The OpenSSL library of this system refuses to compute MD5 sums.");
  }
  bool add(const char* data, std::size_t size) { return EVP_DigestUpdate(context_.get(), data, size) == 1; }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string text;
    for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, FreeContext> context_;
};

// What the C callbacks of one transfer share. No exception may pass through libcurl: a callback leaves it
// here and makes libcurl stop.
struct Transfer {
  TemporaryFile& file;
  Md5& md5;
  const DownloadProgress& progress;
  std::string name;
  std::uint64_t bytes = 0;
  std::string refusal;             // why on_data() stopped the transfer
  std::exception_ptr from_caller;  // what the progress callback threw
};

std::size_t on_data(char* data, std::size_t unit, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t size = unit * count;
  transfer.bytes += size;
  if (transfer.bytes > kMaxBytes) {
    transfer.refusal = fmt::format("the server sends more than {} bytes", kMaxBytes);
  } else if (!transfer.file.append(data, size)) {
    transfer.refusal = fmt::format("the file cannot be written ({})", std::strerror(errno));
  } else if (!transfer.md5.add(data, size)) {
    transfer.refusal = "the MD5 sum cannot be computed";
  }
  return transfer.refusal.empty() ? size : 0;
}

int on_progress(void* user, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    if (transfer.progress) transfer.progress(transfer.name, std::uint64_t(now), std::uint64_t(total));
  } catch (...) {
    transfer.from_caller = std::current_exception();
    return 1;
  }
  return 0;
}

struct CleanUpCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

void perform(const std::string& url, Transfer& transfer) {
  static std::once_flag initialized;
  std::call_once(initialized, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  const std::unique_ptr<CURL, CleanUpCurl> handle(curl_easy_init());
  if (!handle) throw Error(ErrorKind::memory, "Not enough memory to start a download.");
  std::array<char, CURL_ERROR_SIZE> reason{};
  CURL* const curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1000L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 30L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "diffusion.cpp");
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason.data());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_data);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);

  const CURLcode result = curl_easy_perform(curl);
  if (transfer.from_caller) std::rethrow_exception(transfer.from_caller);
  if (result == CURLE_OK) return;
  const std::string why = !transfer.refusal.empty() ? transfer.refusal
                          : reason[0] != '\0'       ? std::string(reason.data())
                                                    : std::string(curl_easy_strerror(result));
  throw Error(ErrorKind::io, fmt::format("Cannot download {}: {}.", url, why));
}

}  // namespace

void download_file(const std::string& url, const std::filesystem::path& destination, const std::string& md5,
                   const DownloadProgress& progress) {
  TemporaryFile file(destination);
  Md5 sum;
  Transfer transfer{file, sum, progress, destination.filename().string(), 0, {}, {}};
  perform(url, transfer);
  if (const std::string found = sum.hex(); !md5.empty() && found != md5)
    throw Error(ErrorKind::bad_input,
                fmt::format("The download of {} ({} bytes) has the MD5 sum {}, but the published one is {}.",
                            url, transfer.bytes, found, md5));
  file.publish();
}

}  // namespace diffusion
