#!/usr/bin/env bash
# Installs to a new prefix, then builds and runs examples/minimal and tests/core_only against it, as another project would.
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

build_against_it examples/minimal
"$work/minimal/minimal" "$work/noise.png"
[ "$(head -c 4 "$work/noise.png" | tail -c 3)" = PNG ] || { echo "the example wrote no PNG"; exit 1; }

# The core: sampling with fmt, oneDNN, OpenMP and the language's own libraries.
build_against_it tests/core_only
pictures=$("$work/core_only/core_only" "$work/prefix/share/diffusion/models/fashion-mnist")
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
