#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace diffusion {

// What the program tells the person who runs it, as lines on one stream: stderr, as stdout is for data. On a
// terminal the last line may be a status line, which is replaced in place; other lines appear above it. Not
// thread-safe.
class Log {
 public:
  // `terminal_columns` gives the width of the terminal, 0 if the stream is none. It is asked for every
  // status, as windows change. The stream must outlive this.
  Log(std::ostream& stream, std::function<int()> terminal_columns);

  bool is_terminal() const { return terminal_columns_() > 0; }

  void line(std::string_view text);
  // "warning: <text>"
  void warning(std::string_view text);

  // Shows `text`, cut to the width of the terminal, in place of the last status; empty removes it. Not on a
  // terminal: does nothing.
  void status(std::string_view text);

 private:
  void erase_status();

  std::ostream& stream_;
  std::function<int()> terminal_columns_;
  std::string status_;
};

// The one for stderr.
Log& stderr_log();

}  // namespace diffusion
