#!/usr/bin/env bash
# Runs every line of README.md and docs/ that begins with "diffusion " in a block of shell commands, in order, in an empty
# folder. Training takes seconds instead of minutes; where Fashion-MNIST is absent, the built-in shapes take its place.
# Usage: docs_test.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
if [ -z "${DIFFUSION_DATA_DIR:-}" ] && [ -d "$source/../shared/data" ]; then
  export DIFFUSION_DATA_DIR=$source/../shared/data
fi
data=fashion-mnist
"$program" train --data fashion-mnist --offline --out probe --preset tiny --steps 1 --quiet >/dev/null 2>&1 || data=shapes
echo "data: $data"

# The reader's own photograph.
"$program" train --data shapes --out maker --preset tiny --steps 1 --quiet >/dev/null
"$program" sample maker -n 4 --steps 2 --scale 5 -o photo.png --quiet >/dev/null

count=0
for page in "$source"/README.md "$source"/docs/*.md; do
  while IFS= read -r command; do
    command=${command%%   *}  # a comment after the command
    command=$(sed -E "s/--minutes [0-9.]+/--minutes 0.05/; s/fashion-mnist/$data/" <<<"$command")
    [ $data = fashion-mnist ] || command=$(sed -E 's/--label "[^"]*"/--label 0/' <<<"$command")
    echo "$(basename "$page"): $command"
    eval "${command/#diffusion/\"$program\"} </dev/null" >out 2>err || { cat out err; echo "FAILED"; exit 1; }
    count=$((count + 1))
  done < <(awk '/^```sh/{shell=1;next} /^```/{shell=0} shell && /^diffusion /' "$page")
done
for file in samples.png denoise.gif noise.png boots/000000.png run/latest/model_index.json; do
  [ -s "$file" ] || { echo "no $file"; exit 1; }
done
[ "$count" -ge 6 ] || { echo "only $count commands found: is the search broken?"; exit 1; }
echo "$count commands ran"
