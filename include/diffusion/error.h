#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

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

// The one exception type of the library. The message is a full sentence for a person: it names the file,
// the field, what was found and what is accepted.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::vector<std::string> fields = {})
      : std::runtime_error(message), kind_(kind), fields_(std::move(fields)) {}
  ErrorKind kind() const { return kind_; }
  // The fields of a configuration that the sentence is about or that would help, by name ("learning_rate"):
  // for a face that calls them otherwise, as the command line does (--lr).
  const std::vector<std::string>& fields() const { return fields_; }

 private:
  ErrorKind kind_;
  std::vector<std::string> fields_;
};

}  // namespace diffusion
