#!/usr/bin/env bash
# Makes one C++ program of the ```cpp blocks of a page: #include lines first, everything else in main(), in order.
# Messages of the compiler name the lines of the page.
# Usage: tutorial_program.sh PAGE.md PROGRAM.cpp
set -euo pipefail
page=$1 program=$2
awk -v page="$page" '
  /^```/ { inside = ($0 == "```cpp"); fresh = 1; next }
  !inside { next }
  /^#include / { includes = includes $0 "\n"; fresh = 1; next }
  fresh { body = body sprintf("#line %d \"%s\"\n", NR, page); fresh = 0 }
  { body = body $0 "\n"; lines++ }
  END {
    if (lines < 20) { print "too little C++ in " page > "/dev/stderr"; exit 1 }
    printf "%s\nusing namespace diffusion;\n\nint main() {\n%s}\n", includes, body
  }
' "$page" >"$program"
