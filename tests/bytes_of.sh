#!/usr/bin/env bash
# What a build computes, as a line "name  SHA-256" per result: samples, training runs, tuning, scores. Two builds that print
# the same compute the same bytes on this CPU.
# Usage: bytes_of.sh PROGRAM [PART...]    parts: sample spacing train distill eval (default: all); QUICK=1: 20 steps, not 200
# Needs Fashion-MNIST, see docs/data.md. The whole takes about a quarter of an hour on two cores, QUICK=1 four minutes.
set -euo pipefail
program=$(realpath "$1")
shift
parts=${*:-sample spacing train distill eval}
models=$(cd "$(dirname "$0")/../models" && pwd)
export DIFFUSION_MODELS_DIR=$models DIFFUSION_DATA_DIR=${DIFFUSION_DATA_DIR:-$(cd "$(dirname "$0")/../../shared/data" && pwd)}
steps=${QUICK:+20}
steps=${steps:-200}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

hash() { sha256sum "$1" | cut -c1-64; }
diffusion() { "$program" "$@" --quiet >"$work/out.txt" 2>"$work/err.txt"; }
failed() { echo "exit $1, $(tail -n 1 "$work/err.txt" | head -c 100)"; }

# The result before rounding of `sample MODEL ARGUMENTS`; refusals are results, too.
sample() {
  local code=0
  diffusion sample "$@" -n 5 -o "$work/s.npy" --raw "$work/raw.npy" || code=$?
  if [ $code -eq 0 ]; then hash "$work/raw.npy"; else failed $code; fi
}
samplers="ddpm ddim pndm euler euler_ancestral heun dpm2 edm lms ipndm dpmpp_2m dpmpp_3m dpmpp_2m_sde dpmpp_3m_sde unipc
  unipc_3 deis deis_2 flow_heun consistency"
machines=("--threads 1 --precision f32" "--threads 2 --precision f32" "--threads 2 --precision bf16")

sample_part() {
  local machine sampler model
  for machine in "${machines[@]}"; do
    for model in fashion-mnist fashion-mnist-quick; do
      for sampler in $samplers; do
        echo "sample $model $sampler $machine  $(sample $model --sampler "$sampler" --steps 7 $machine)"
      done
      echo "sample $model as configured $machine  $(sample $model --seed 3 $machine)"
    done
  done
  echo "sample eta  $(sample fashion-mnist --sampler ddim --eta 0.5 --steps 6)"
  echo "sample churn  $(sample fashion-mnist --sampler edm --s-churn 10 --s-tmin 0.1 --s-tmax 20 --s-noise 1.003 --steps 6)"
  echo "sample guidance  $(sample fashion-mnist --guidance 2.5 --steps 6)"
  echo "sample guidance interval  $(sample fashion-mnist --guidance 2.5 --guidance-interval 0.3,5 --guidance-rescale 0.7 --steps 6)"
  echo "sample guide  $(sample fashion-mnist --guidance 2 --guide fashion-mnist-quick --steps 6)"
  echo "sample label, batches of 2  $(sample fashion-mnist --label sneaker --first 7 --batch 2 --steps 6)"
}

spacing_part() {
  local spacing sampler
  for spacing in leading trailing linspace ays karras exponential beta logsnr angle; do
    for sampler in ddim heun dpmpp_2m unipc; do
      echo "spacing $spacing $sampler  $(sample fashion-mnist --sampler $sampler --spacing $spacing --steps 5 --precision f32)"
    done
  done
}

# The weights (averaged and not), moments and losses of a run.
run_of() {
  local code=0 name=$1
  shift
  rm -rf "$work/run"
  diffusion "$@" --out "$work/run" --preview-every 0 || code=$?
  if [ $code -ne 0 ]; then echo "$name  $(failed $code)"; return; fi
  echo "$name weights  $(hash "$work/run/latest/unet/diffusion_pytorch_model.safetensors")"
  echo "$name state  $(hash "$work/run/latest/training/state.safetensors")"
  sed -E 's/"(seconds|images_per_second|wall)": ?[^,}]*//g' "$work/run/log.jsonl" >"$work/log.txt"
  echo "$name log  $(hash "$work/log.txt")"
}

train_part() {
  local machine
  for machine in "${machines[@]}"; do
    run_of "train tiny $machine" train --preset tiny --data fashion-mnist --steps $steps $machine
    run_of "train tutorial $machine" train --preset tutorial --steps $steps $machine
  done
  run_of "train fashion-mnist f32" train --preset fashion-mnist --steps $((steps / 4)) --precision f32
  run_of "train fashion-mnist bf16" train --preset fashion-mnist --steps $steps --precision bf16
  for objective in epsilon x0 edm flow; do
    run_of "train $objective" train --preset tiny --data shapes --objective $objective --steps 20 --precision f32
  done
  run_of "train dropout" train --preset tiny --data shapes --dropout 0.2 --steps 20 --precision f32
  run_of "train in parts" train --preset tiny --data shapes --accumulate 4 --steps 20 --precision f32
  run_of "train weights" train --preset tiny --data shapes --loss huber --weight min_snr --flip --steps 20 --precision f32
  run_of "train from" train --from fashion-mnist --steps 6 --precision f32
}

distill_part() {
  run_of "distill f32" distill fashion-mnist --steps $((steps / 10)) --precision f32
  run_of "distill bf16" distill fashion-mnist --steps $((steps / 10)) --precision bf16
}

# The scores, without times.
scores() {
  local code=0
  diffusion eval "$@" --json || code=$?
  if [ $code -ne 0 ]; then failed $code; return; fi
  sed -E 's/"[a-z_]*seconds[a-z_]*": ?[^,}]*//g' "$work/out.txt" >"$work/scores.txt"
  hash "$work/scores.txt"
}

eval_part() {
  echo "eval model  $(scores fashion-mnist --data fashion-mnist -n 300 --steps 5)"
  echo "eval likelihood  $(scores fashion-mnist --data fashion-mnist -n 100 --steps 3 --bits-per-dimension --images 12)"
}

for part in $parts; do "${part}_part"; done
