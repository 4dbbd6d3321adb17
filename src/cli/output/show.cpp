#include "cli/output/show.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

#include "drawing/terminal_picture.h"
#include "pictures/resize.h"

namespace diffusion {

namespace {

constexpr std::chrono::milliseconds kAnswerTime(100);
constexpr int kDefaultColumns = 80, kColumnPixels = 8;

// The terminal of the process, with characters delivered one by one, unseen, and without signals from the
// keyboard, so that nothing comes between the change and its end. Not usable if there is no terminal or we
// are in the background, where changing it would stop the process.
class RawTerminal {
 public:
  RawTerminal() : fd_(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    if (fd_ < 0 || ::tcgetpgrp(fd_) != ::getpgrp() || ::tcgetattr(fd_, &before_) != 0) return;
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &signals_before_);
    termios raw = before_;
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    usable_ = true;
    ::tcsetattr(fd_, TCSADRAIN, &raw);
  }
  ~RawTerminal() {
    if (usable_) {
      ::tcsetattr(fd_, TCSADRAIN, &before_);
      ::pthread_sigmask(SIG_SETMASK, &signals_before_, nullptr);
    }
    if (fd_ >= 0) ::close(fd_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  bool usable() const { return usable_; }

  void write(std::string_view text) const {
    if (::write(fd_, text.data(), text.size()) < 0) return;  // then there is no answer, either
  }

  // What comes until `last`, or until the time is over.
  std::string read_until(char last) const {
    const auto end = std::chrono::steady_clock::now() + kAnswerTime;
    std::string text;
    while (text.empty() || text.back() != last) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      pollfd waiting{fd_, POLLIN, 0};
      if (left.count() <= 0 || ::poll(&waiting, 1, int(left.count())) <= 0) break;
      char character = 0;
      if (::read(fd_, &character, 1) != 1) break;
      text += character;
    }
    return text;
  }

 private:
  int fd_ = -1;
  bool usable_ = false;
  termios before_{};
  sigset_t signals_before_{};
};

bool terminal_reports_sixel() {
  const RawTerminal terminal;
  if (!terminal.usable()) return false;
  terminal.write("\x1b[c");  // DA1: who are you?
  return attributes_have_sixel(terminal.read_until('c'));
}

struct Window {
  int columns = kDefaultColumns;
  int pixels = kDefaultColumns * kColumnPixels;  // width
};

Window window() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_xpixel > 0 ? size.ws_xpixel : size.ws_col * kColumnPixels};
}

}  // namespace

bool show_picture(const Image& image, bool legible) {
  const TerminalEnvironment environment = terminal_environment();
  const TerminalProtocol protocol = choose_protocol(environment, terminal_reports_sixel);
  const Window space = window();
  const bool fits = image.width <= space.pixels;
  std::string text;
  switch (protocol) {
    case TerminalProtocol::none:
      return false;
    case TerminalProtocol::kitty:
      text = kitty_picture(image, fits ? 0 : space.columns);
      break;
    case TerminalProtocol::sixel:
      text = sixel_picture(fits ? image : resize_to_width(image, space.pixels));
      break;
    case TerminalProtocol::half_blocks:
      if (legible) return false;
      text = half_block_picture(image, std::min(image.width, space.columns), choose_colors(environment));
      break;
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  return true;
}

}  // namespace diffusion
