#!/usr/bin/env bash
# Installs to a new prefix, then builds and runs the examples and tests/core_only against it, as another project would.
# Also: every installed header compiles with nothing but what is installed, and what links the core alone is small and
# needs few libraries.
# Usage: install_test.sh CMAKE BUILD_DIR GENERATOR COMPILER
set -euo pipefail
cmake=$1 build=$2 generator=$3 compiler=$4
source=$(cd "$(dirname "$0")/.." && pwd)
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

build_against_it() {  # build_against_it PROJECT: in $work/NAME
  "$cmake" -S "$source/$1" -B "$work/${1##*/}" -G "$generator" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$work/prefix" --log-level=WARNING
  "$cmake" --build "$work/${1##*/}"
}

models=$work/prefix/share/diffusion/models
build_against_it examples
is_png() { [ "$(head -c 4 "$1" | tail -c 3)" = PNG ] || { echo "$1 is no PNG"; exit 1; }; }
for example in sample own_sampler; do
  "$work/examples/$example" "$models/fashion-mnist" "$work/$example.png"
  is_png "$work/$example.png"
done
# Garments are mostly background, which compresses; noise does not (13 and 7 KB).
[ "$(stat --format=%s "$work/sample.png")" -lt 10000 ] || { echo "sample.png looks like noise"; exit 1; }
[ "$(stat --format=%s "$work/own_sampler.png")" -lt 5600 ] || { echo "own_sampler.png looks like noise"; exit 1; }
"$work/examples/train" "$work/discs" >"$work/train.txt"
awk -F '[ ,]+' '/^step/ { loss[$2] = $4 } END { exit !(loss[300] < loss[100]) }' "$work/train.txt" ||
  { echo "the loss of the training example did not fall:"; cat "$work/train.txt"; exit 1; }
"$work/examples/sample" "$work/discs" "$work/discs.png"
is_png "$work/discs.png"

# The core: sampling with fmt, oneDNN, OpenMP and the language's own libraries.
build_against_it tests/core_only
pictures=$("$work/core_only/core_only" "$models/fashion-mnist")
[ "$(grep -c '^28 x 28, mean' <<<"$pictures")" = 2 ] || { echo "core_only printed: $pictures"; exit 1; }
for program in core_only core_whole; do
  others=$(readelf -d "$work/core_only/$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -vE '^(libfmt|libdnnl|libgomp|libstdc\+\+|libgcc_s|libm|libc|ld-linux.*)\.so' || true)
  [ -z "$others" ] || { echo "$program needs $others"; exit 1; }
done
strip -o "$work/stripped" "$work/core_only/core_only"
size=$(stat --format=%s "$work/stripped")
echo "a program that links the core: $((size / 1024)) KiB"
[ "$size" -lt 6000000 ] || { echo "must be under 6 MB stripped"; exit 1; }
