#pragma once

#include <stdexcept>
#include <string>

namespace diffusion {

// What went wrong, as far as a caller can act on it. The program's exit code is exit_code(kind).
enum class ErrorKind {
  internal,    // a bug of ours
  usage,       // an argument, option or configuration that cannot work
  bad_input,   // a file whose content is not what it should be
  io,          // the operating system refused: open, read, write, disk full, network
  non_finite,  // NaN or infinity where training needs a number
  memory,      // not enough memory
};

// The documented exit codes of the program (docs/exit-codes.md).
int exit_code(ErrorKind kind);

inline constexpr int kExitInterrupted = 75;  // stopped by a signal, saved, resumable

// The one exception type of the library. The message is a full sentence for a person: it names the file,
// the field, what was found and what is accepted.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace diffusion
