#!/usr/bin/env bash
# Installs to a new prefix, then builds and runs the examples and tests/core_only against it, as another project would.
# Also: the public headers are all that is installed of headers, each compiles alone, with nothing but what is installed,
# and what links the core alone is small and needs few libraries.
# Usage: install_test.sh CMAKE BUILD_DIR GENERATOR COMPILER
set -euo pipefail
cmake=$1 build=$2 generator=$3 compiler=$4
source=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
include=$work/prefix/include
[ -f "$work/prefix/bin/diffusion" ] || { echo "not installed: bin/diffusion"; exit 1; }
diff <(cd "$source/include" && find . -type f | sort) <(cd "$include" && find . -type f | sort) ||
  { echo "installed are other headers than those of include/"; exit 1; }

headers=$(cd "$include" && ls diffusion/*.h)
for header in $headers; do
  echo "#include <$header>" >"$work/header.cpp"
  "$compiler" -std=c++20 -Wall -Wextra -Werror -fsyntax-only -I"$include" "$work/header.cpp" ||
    { echo "<$header> does not compile alone"; exit 1; }
done
echo "$(wc -w <<<"$headers") installed headers compile, each alone"

"$work/prefix/bin/diffusion" --help | grep -q train || { echo "the installed program does not answer --help"; exit 1; }

# It finds its modules: two processes train one model.
if command -v mpirun.openmpi >/dev/null && [ -e "$build/libdiffusion_openmpi.so" ]; then
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
    mpirun.openmpi -np 2 "$work/prefix/bin/diffusion" train --preset tiny --data shapes --batch 4 --slices 2 --threads 1 \
    --steps 1 --out "$work/run" --quiet >"$work/mpi.txt" 2>&1 || { cat "$work/mpi.txt"; exit 1; }
  [ -e "$work/run/latest" ] || { echo "two installed processes left no model"; exit 1; }
fi

build_against_it() {  # build_against_it PROJECT: in $work/NAME
  "$cmake" -S "$source/$1" -B "$work/${1##*/}" -G "$generator" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$work/prefix" --log-level=WARNING
  "$cmake" --build "$work/${1##*/}"
}

for example in "$source"/examples/*.cpp; do
  [ "$(wc -l <"$example")" -lt 40 ] || { echo "$example has 40 lines or more"; exit 1; }
  others=$(grep '^#include' "$example" | grep -vE '<(diffusion/[a-z_]+\.h|[a-z_]+)>$' || true)
  [ -z "$others" ] || { echo "$example includes $others"; exit 1; }
done

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

# The core: sampling with fmt, utf8proc, oneDNN, OpenMP and the language's own libraries.
build_against_it tests/core_only
pictures=$("$work/core_only/core_only" "$models/fashion-mnist")
[ "$(grep -c '^28 x 28, mean' <<<"$pictures")" = 2 ] || { echo "core_only printed: $pictures"; exit 1; }
for program in core_only core_whole; do
  others=$(readelf -d "$work/core_only/$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -vE '^(libfmt|libutf8proc|libdnnl|libgomp|libstdc\+\+|libgcc_s|libm|libc|ld-linux.*)\.so' || true)
  [ -z "$others" ] || { echo "$program needs $others"; exit 1; }
done
strip -o "$work/stripped" "$work/core_only/core_only"
size=$(stat --format=%s "$work/stripped")
echo "a program that links the core: $((size / 1024)) KiB"
[ "$size" -lt 6000000 ] || { echo "must be under 6 MB stripped"; exit 1; }
