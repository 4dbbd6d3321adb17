#!/usr/bin/env bash
# Trains, samples and evaluates with several processes of MPI and compares with one: the same bytes.
# Usage: tests/mpi.sh PROGRAM openmpi|mpich [long]
#   long  also ends processes in the middle of a run: killed, stopped, asked to stop. A minute or two.
# Exit code 77: this MPI is not there, or the program has no module for it.
set -euo pipefail
program=$(realpath "$1") mpi=$2 long=${3:-}
start=mpirun.$mpi
if ! command -v "$start" >/dev/null || [ ! -e "$(dirname "$program")/libdiffusion_$mpi.so" ]; then
  echo "skipped: no $start here, or no libdiffusion_$mpi.so beside the program"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# Containers run as root, with fewer cores than processes.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMP_WAIT_POLICY=passive

fail() { echo "failed: $*" >&2; exit 1; }
train=(train --preset tiny --data shapes --slices 4 --batch 8 --seed 3 --threads 1)
options=(--steps 12 --quiet)
together() {  # PROCESSES RUN [OPTION...]
  "$start" -np "$1" "$program" "${train[@]}" --out "$2" "${@:3}"
}
bytes_of() {
  (cd "$1/latest" && sha256sum unet/diffusion_pytorch_model.safetensors training/state.safetensors)
  sed 's/.*"loss": \([^,]*\),.*/\1/' "$1/log.jsonl" | sha256sum
}
expect_same() { diff <(bytes_of "$1") <(bytes_of "$2") || fail "$2 is not $1"; }
expect_code() {  # CODE COMMAND...
  local code=0
  "${@:2}" >out.txt 2>&1 || code=$?
  [ "$code" -eq "$1" ] || { cat out.txt; fail "exit code $code instead of $1: ${*:2}"; }
}

"$program" "${train[@]}" --out one "${options[@]}" >/dev/null
for count in 2 3; do
  together "$count" "run-$count" "${options[@]}" >/dev/null
  expect_same one "run-$count"
done
draw=(sample one -n 14 --steps 3 --threads 1 --quiet)
"$program" "${draw[@]}" -o alone.npy --raw alone-raw.npy --gif alone.gif >/dev/null
"$start" -np 3 "$program" "${draw[@]}" -o several.npy --raw several-raw.npy --gif several.gif >/dev/null
for form in .npy -raw.npy .gif; do cmp "alone$form" "several$form" || fail "several$form is not alone$form"; done
evaluate=(eval one --data alone.npy --features features -n 7 --steps 2 --threads 1 --quiet --json)
"$program" train-features --data shapes --epochs 0.05 --threads 1 --quiet -o features >/dev/null
"$program" "${evaluate[@]}" --save-samples alone-7.npy >alone.json
"$start" -np 2 "$program" "${evaluate[@]}" --save-samples several-7.npy >several.json
cmp alone-7.npy several-7.npy && cmp alone.json several.json || fail "another evaluation"
expect_code 2 "$start" -np 1 "$program" "${draw[@]}" -o other.npy : -np 1 "$program" "${draw[@]}" -o other.npy --seed 1
grep -q "seed (1 there, 0 here)" out.txt || fail "$(cat out.txt)"
[ ! -e other.npy ] || fail "pictures that were refused left a file"
expect_code 2 together 5 refused "${options[@]}"
grep -q "slices is 4" out.txt || fail "$(cat out.txt)"
expect_code 2 "$start" -np 2 "$program" info run-2
grep -q "start one" out.txt || fail "$(cat out.txt)"
expect_code 2 "$start" -np 1 "$program" "${train[@]}" --out other "${options[@]}" : \
  -np 1 "$program" "${train[@]}" --out other "${options[@]}" --lr 0.1
grep -q "learning_rate" out.txt || fail "$(cat out.txt)"
expect_code 2 "$start" -np 1 "$program" "${train[@]}" --out other "${options[@]}" : \
  -np 1 "$program" "${train[@]}" --out other "${options[@]}" --stepz 1
grep -q "process 1 of 2: unknown option" out.txt || fail "$(cat out.txt)"
[ ! -e other ] || fail "a run that was refused left a folder"
[ "$long" = long ] || { echo "$mpi: the same bytes for 1, 2 and 3 processes"; exit 0; }

# The processes of the run, without the one that started them.
processes() { pgrep -f "^$program train.*--out $1 " || true; }
expect_gone() {  # RUN SECONDS
  for _ in $(seq $(($2 * 10))); do [ -n "$(processes "$1")" ] || return 0; sleep 0.1; done
  fail "processes are left: $(processes "$1")"
}
steps=(--steps 400 --save-every 20 --quiet)
"$program" "${train[@]}" --out long-one "${steps[@]}" >/dev/null
wait_for_checkpoint() { for _ in $(seq 300); do [ -e "$1/latest" ] && return; sleep 0.1; done; fail "no checkpoint"; }

for round in $(seq 10); do
  together $((2 + round % 3)) killed "${steps[@]}" >killed.txt 2>&1 & starter=$!
  sleep "0.$((RANDOM % 10))"
  sleep $((RANDOM % 2 + 1))
  victim=$(processes killed | shuf -n 1)
  [ -n "$victim" ] && kill -9 "$victim" 2>/dev/null || true
  code=0; wait $starter || code=$?
  [ -z "$victim" ] || [ "$code" -ne 0 ] || fail "exit code 0 although a process was killed"
  expect_gone killed 10
done
together 2 killed "${steps[@]}" >/dev/null
expect_same long-one killed
echo "$mpi: ten killed processes, the same bytes"

together 3 stopped "${steps[@]}" --comm-timeout 5 >stopped.txt 2>&1 & starter=$!
wait_for_checkpoint stopped
victim=$(processes stopped | shuf -n 1)
kill -STOP "$victim"
code=0; wait $starter || code=$?
[ "$code" -ne 0 ] || fail "exit code 0 although a process stood still"
expect_gone stopped 10
grep -q "does not answer" stopped.txt || fail "$(cat stopped.txt)"
together 2 stopped "${steps[@]}" >/dev/null
expect_same long-one stopped
echo "$mpi: a process that stood still ended all, the same bytes"

together 3 asked "${steps[@]}" >asked.txt 2>&1 & starter=$!
wait_for_checkpoint asked
kill -TERM "$(processes asked | shuf -n 1)"
code=0; wait $starter || code=$?
[ "$code" -eq 75 ] || { cat asked.txt; fail "exit code $code instead of 75"; }
together 4 asked "${steps[@]}" >/dev/null
expect_same long-one asked
echo "$mpi: asked to stop, all saved the same step"
