#!/usr/bin/env bash
# Runs every line of README.md and docs/ that begins with "diffusion " in a block of shell commands, in order, in an empty
# folder, and then the C++ of docs/tutorial.md (tutorial_program.sh). Trainings take seconds, samplings few steps and
# images; where Fashion-MNIST is absent, the built-in shapes take its place.
# Usage: docs_test.sh PROGRAM SOURCE_DIR TUTORIAL_PROGRAM
set -euo pipefail
program=$1 source=$2 tutorial=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
if [ -z "${DIFFUSION_DATA_DIR:-}" ] && [ -d "$source/../shared/data" ]; then
  export DIFFUSION_DATA_DIR=$source/../shared/data
fi
data=fashion-mnist
"$program" train --data fashion-mnist --offline --out probe --preset tiny --steps 1 --quiet >/dev/null 2>&1 || data=shapes
echo "data: $data"

# The reader's own photographs.
"$program" train --data shapes --out maker --preset tiny --steps 1 --quiet >/dev/null
"$program" sample maker -n 4 --steps 2 --scale 5 -o photo.png --quiet >/dev/null
"$program" sample maker -n 8 --steps 2 -o pictures --quiet >/dev/null
echo $'file\tname' >names.tsv
for picture in pictures/*.png; do
  echo "a shape" >"${picture%.png}.txt"
  echo "${picture##*/}"$'\tanother shape' >>names.tsv
done
awk 'BEGIN {
  print "date,load,wind"
  for (i = 0; i < 720; ++i)
    printf "2024-01-%02d %02d:00,%.3f,%.3f\n", i / 24 + 1, i % 24, 50 + 9 * sin(i / 3.82) + i % 5, 20 + 7 * cos(i / 3.82)
}' >history.csv
# A day of the first series is missing.
sed '300,323s/,[^,]*,/,,/' history.csv >gaps.csv

# Ten short sounds, each twice, called as spoken digits are: a tone of eight bits.
tone() {  # tone FILE SAMPLES_PER_PERIOD
  {
    printf 'RIFF\x84\x03\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x60\x03\0\0'
    LC_ALL=C awk -v period="$2" 'BEGIN { for (i = 0; i < 864; ++i) printf "%c", 128 + int(100 * sin(6.2832 * i / period)) }'
  } >"$1"
}
mkdir tones
for digit in 0 1 2 3 4 5 6 7 8 9; do
  for index in 0 5; do tone tones/${digit}_me_$index.wav $((4 + digit + digit * index)); done
done
cp "${DIFFUSION_DATA_DIR:-}/images/000000039769.png" cat.png 2>/dev/null || cp photo.png cat.png

# A mask: 28 x 28 pixels, the left half white.
base64 -d >hole.png <<<iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAFklEQVR42mP4jwIYUMGo5KjkqCQMAAAXroaIhbj8iAAAAABJRU5ErkJggg==

# The command as a test can afford it.
shorten() {
  case $1 in
    *--steps*) sed -E 's/--steps [0-9]+/--steps 2/' <<<"$1" ;;
    *--minutes*) sed -E 's/--minutes [0-9.]+/--minutes 0.05/' <<<"$1" ;;
    *"--epochs 60"*) echo "${1/--epochs 60/--epochs 1}" ;;
    "diffusion train "* | "diffusion sample "*) echo "$1 --steps 2" ;;
    *) echo "$1" ;;
  esac | sed -E 's/(sample .*)-n [0-9]{2,}/\1-n 9/; s/series m4-hourly/series history.csv/; s/(--audio|data) spoken-digits/\1 tones/; s/eval digits (.*)-n [0-9]+/eval digits \1-n 9 --steps 2/; s/--paths [0-9]+/--paths 3/'
}

count=0
for page in "$source"/README.md "$source"/docs/*.md; do
  while IFS= read -r command; do
    command=${command%%   *}  # a comment after the command
    # The classifier that is attacked knows garments.
    [ $data = fashion-mnist ] || [[ $command != *attack* ]] || continue
    command=$(shorten "$command" | sed "s/data fashion-mnist/data $data/")
    [ $data = fashion-mnist ] || command=$(sed -E 's/--label "[^"]*"/--label 0/' <<<"$command")
    echo "$(basename "$page"): $command"
    eval "${command/#diffusion/\"$program\"} </dev/null" >out 2>err || { cat out err; echo "FAILED"; exit 1; }
    count=$((count + 1))
  done < <(awk '/^```sh/{shell=1;next} /^```/{shell=0} shell && /^diffusion /' "$page")
done
"$tutorial" >out 2>err || { cat out err; echo "FAILED: the C++ of docs/tutorial.md"; exit 1; }
for file in particles.png cat-160.png wrap.png schedules.svg schedule-rows.png; do
  [ -s "$file" ] || { echo "the C++ of docs/tutorial.md wrote no $file"; exit 1; }
done
for file in samples.png denoise.gif noise.png boots/000000.png run/latest/model_index.json; do
  [ -s "$file" ] || { echo "no $file"; exit 1; }
done
[ "$count" -ge 6 ] || { echo "only $count commands found: is the search broken?"; exit 1; }
echo "$count commands ran"
