#include <diffusion/error.h>

namespace diffusion {

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return 2;
    case ErrorKind::bad_input:
      return 3;
    case ErrorKind::io:
      return 4;
    case ErrorKind::non_finite:
      return 5;
    case ErrorKind::memory:
      return 6;
    case ErrorKind::internal:
      break;
  }
  return 1;
}

}  // namespace diffusion
