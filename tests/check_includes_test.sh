#!/usr/bin/env bash
# Tests scripts/check_includes on made-up trees: what must not be is found, with file, line and rule; a clean tree passes.
# Usage: check_includes_test.sh SOURCE_DIR
set -euo pipefail
check=$1/scripts/check_includes
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

write() { mkdir -p "$tree/$(dirname "$1")"; printf '%s\n' "${@:2}" >"$tree/$1"; }
make_clean_tree() {
  rm -rf "${tree:?}"/*
  write docs/design.md '| folder | is | may use |' '| --- | --- | --- |' '| `src/cli` | the program | all below |' \
    '| `src/cli/options` | its options | all below |' '| `src/data` | data | base |' \
    '| `src/diffusion` | maths | nn, base |' '| `src/nn` | nets | base |' \
    '| `src/base` | the rest | nothing |' '' '| header | room |' '| --- | --- |' '| `<diffusion/error.h>` | base | errors |' \
    '| `<diffusion/net.h>` | nn | nets |'
  write src/cli/main.cpp '#include "cli/options/options.h"' '#include "data/set.h"'
  write src/cli/options/options.h '#include "nn/net.h"'
  write src/data/set.h '#include "base/error.h"'
  write src/data/set.cpp '#include "data/set.h"'
  write src/data/set_test.cpp '#include "data/set.h"' '#include "cli/options/options.h"' '#include "support/scratch.h"'
  write src/nn/net.h '#include <vector>'
  write src/base/error.h ''
  write include/diffusion/error.h '#include <string>'
  write include/diffusion/net.h '#include <diffusion/error.h>'
  write src/diffusion/net_of.h '#include <diffusion/net.h>' '#include <fmt/format.h>'
  write tests/support/scratch.h '#include "base/error.h"'
  write bench/step.cpp '#include "nn/net.h"'
}
expect() {  # expect PATTERN: the tree is refused, and one line of the answer has the pattern
  local answer
  if answer=$("$check" "$tree"); then echo "accepted, but expected: $1" >&2; exit 1; fi
  grep -qE "$1" <<<"$answer" || { printf 'expected: %s\nfound: %s\n' "$1" "$answer" >&2; exit 1; }
  make_clean_tree
}

make_clean_tree
"$check" "$tree"
# Upward; across; from an outer folder's inner one to the outer.
write src/base/error.h '' '#include "nn/net.h"'
expect '^src/base/error\.h:2: src/base may not use src/nn'
write src/data/set.cpp '#include "data/set.h"' '#include "nn/net.h"'
expect '^src/data/set\.cpp:2: src/data may not use src/nn'
write src/cli/table.h ''
write src/cli/options/options.h '#include "cli/table.h"'
expect '^src/cli/options/options\.h:1: src/cli/options may not use src/cli,'
# A circle of three, one of whose arrows starts in a .cpp.
write src/nn/net.h '#include "nn/layer.h"'
write src/nn/layer.h '#include "nn/block.h"'
write src/nn/block.cpp '' '#include "nn/net.h"'
write src/nn/block.h ''
expect '^  src/nn/block\.cpp:2: includes "net\.h"'
# Tests belong to tests.
write src/data/set.cpp '#include "support/scratch.h"'
expect '^src/data/set\.cpp:1: only tests may include "support/scratch\.h"'
write bench/step.cpp '#include "support/scratch.h"'
expect '^bench/step\.cpp:1: only tests may include'
write src/cli/main.cpp '#include "data/set_test.cpp"'
expect '^src/cli/main\.cpp:1: only tests may include'
# The table and the tree are about the same folders.
write src/new/a.h ''
expect '^src/new/a\.h: its folder has no row'
rm -r "$tree/src/nn"
write src/cli/options/options.h ''
write bench/step.cpp ''
expect '^docs/design\.md: the row of src/nn'
write src/base/error.h '#include "gone.h"'
expect '^src/base/error\.h:1: "gone\.h" is in neither'
# A public header belongs to a room; it includes what users have, and nobody can take another for it.
write src/base/error.h '#include <diffusion/net.h>'
expect '^src/base/error\.h:1: src/base may not use src/nn, of which this is "diffusion/net\.h"'
write include/diffusion/error.h '#include <diffusion/net.h>'
expect '^include/diffusion/error\.h:1: src/base may not use src/nn'
write include/diffusion/net.h '' '#include "nn/net.h"'
expect '^include/diffusion/net\.h:2: a public header may include .* not "nn/net\.h"'
write include/diffusion/net.h '#include <fmt/format.h>'
expect '^include/diffusion/net\.h:1: a public header may include .* not <fmt/format\.h>'
write src/nn/net.h '#include "diffusion/error.h"'
expect '^src/nn/net\.h:1: "diffusion/error\.h" is in neither'
write src/nn/net.h '#include <diffusion/gone.h>'
expect '^src/nn/net\.h:1: <diffusion/gone\.h> is not in include/'
write src/diffusion/net.h ''
expect '^include/diffusion/net\.h: src/diffusion/net\.h is of the same name'
write include/diffusion/new.h ''
expect '^include/diffusion/new\.h: has no row in the table of public headers'
rm "$tree/include/diffusion/net.h"
write src/diffusion/net_of.h ''
expect '^docs/design\.md: the row of include/diffusion/net\.h'
