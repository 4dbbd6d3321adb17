#include "base/log.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace diffusion {

namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr int kUsualColumns = 80;

int stderr_columns() {
  if (::isatty(STDERR_FILENO) == 0) return 0;
  const char* kind = std::getenv("TERM");
  if (kind != nullptr && std::string_view(kind) == "dumb") return 0;
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsualColumns;
}

// The first `columns` characters; a UTF-8 sequence is never cut.
std::string_view cut(std::string_view text, int columns) {
  int used = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts_character = (text[i] & 0xC0) != 0x80;
    if (starts_character && used++ == columns) return text.substr(0, i);
  }
  return text;
}

}  // namespace

Log::Log(std::ostream& stream, std::function<int()> terminal_columns)
    : stream_(stream), terminal_columns_(std::move(terminal_columns)) {}

void Log::erase_status() {
  if (!status_.empty()) stream_ << kEraseLine;
}

void Log::line(std::string_view text) {
  erase_status();
  stream_ << text << '\n' << status_ << std::flush;
}

void Log::warning(std::string_view text) {
  line("warning: " + std::string(text));
}

void Log::status(std::string_view text) {
  const int columns = terminal_columns_();
  if (columns <= 0) return;
  erase_status();
  // The last column stays free: a character there makes some terminals begin a new line.
  status_ = cut(text, columns - 1);
  stream_ << status_ << std::flush;
}

Log& stderr_log() {
  static Log log(std::cerr, stderr_columns);
  return log;
}

}  // namespace diffusion
