#!/usr/bin/env bash
# Lets every call of the file system fail once, in turn, in trainings and what is done with their models, and counts exit
# codes. All must be 4 (I/O), or 0 where the call does not matter; others are listed. About 20 minutes on two cores.
# Usage: io_faults.sh PROGRAM FAILING_CALLS_LIBRARY [JOB...]    jobs: train resume sample folder convert info (default: all)
set -euo pipefail
program=$(realpath "$1") library=$(realpath "$2")
shift 2
jobs=${*:-train resume sample folder convert info}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1
train="train --data shapes --preset tiny --batch 2 --steps 2 --save-every 1 --preview-every 0 --quiet --precision f32"
"$program" $train --out "$work/done" --keep 2 >/dev/null
cp -a "$work/done" "$work/half"
rm -r "$work/half/checkpoints/step-000000002"
ln -sfn checkpoints/step-000000001 "$work/half/latest"

# Arguments of a job; {} is the folder it works in, and `start` what the run there is a copy of.
start=
arguments_of() {
  start=done
  case $1 in
    train) start= && echo "$train --out {}/run --keep 1 --tensorboard" ;;
    resume) start=half && echo "$train --out {}/run --keep 1" ;;
    sample) echo "sample {}/run -n 2 --steps 1 -o {}/s.npy --raw {}/r.npy --quiet" ;;
    folder) echo "sample {}/run -n 2 --steps 1 -o {}/s --quiet" ;;
    convert) echo "convert {}/run {}/out" ;;
    info) echo "info {}/run" ;;
  esac
}

declare -A count=()
for job in $jobs; do
  arguments_of "$job" >"$work/arguments"
  read -ra arguments <"$work/arguments"
  for call in mkdir unlinkat symlink rename fsync write open openat readdir; do
    for ((at = 1; ; ++at)); do
      rm -rf "$work/w" && mkdir "$work/w"
      [ -z "$start" ] || cp -a "$work/$start" "$work/w/run"
      code=0
      FAIL_UNDER=$work/w FAIL_CALL=$call FAIL_AT=$at FAIL_ERRNO=5 LD_PRELOAD=$library \
        "$program" "${arguments[@]//\{\}/$work/w}" >/dev/null 2>"$work/err" || code=$?
      grep -q "^failed $call" "$work/err" || break
      count[$code]=$((${count[$code]:-0} + 1))
      [ $code = 4 ] || echo "$job, $call $at: exit $code, $(grep -v "^failed" "$work/err" | tail -n 1 | head -c 150)"
    done
  done
done
for code in "${!count[@]}"; do echo "exit $code: ${count[$code]}"; done | sort
for code in "${!count[@]}"; do [ "$code" = 0 ] || [ "$code" = 4 ] || exit 1; done
