#!/usr/bin/env bash
# Installs to a new prefix, then builds and runs examples/minimal against it, as another project would. Also: every
# installed header compiles with nothing but what is installed.
# Usage: install_test.sh CMAKE BUILD_DIR GENERATOR COMPILER
set -euo pipefail
cmake=$1 build=$2 generator=$3 compiler=$4
example=$(cd "$(dirname "$0")/../examples/minimal" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
include=$work/prefix/include/diffusion
for path in bin/diffusion include/diffusion/nn/unet.h include/diffusion/base/error.h; do
  [ -f "$work/prefix/$path" ] || { echo "not installed: $path"; exit 1; }
done
internal=$(cd "$include" && find . -name '*_test.h' -o -path '*kernels*' -o -name fixtures.h -o -name scratch.h -o -path './cli*')
[ -z "$internal" ] || { echo "internal headers are installed: $internal"; exit 1; }

(cd "$include" && find . -name '*.h' | sort | sed 's|^\./\(.*\)|#include "\1"|') >"$work/all_headers.cpp"
"$compiler" -std=c++20 -Wall -Wextra -Werror -fsyntax-only -I"$include" "$work/all_headers.cpp"
echo "$(wc -l <"$work/all_headers.cpp") installed headers compile"

"$work/prefix/bin/diffusion" --help | grep -q train || { echo "the installed program does not answer --help"; exit 1; }

"$cmake" -S "$example" -B "$work/build" -G "$generator" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$work/prefix" --log-level=WARNING
"$cmake" --build "$work/build"
"$work/build/minimal" "$work/noise.png"
[ "$(head -c 4 "$work/noise.png" | tail -c 3)" = PNG ] || { echo "the example wrote no PNG"; exit 1; }
