#!/usr/bin/env python3
"""Quality and time of samplers: a Markdown table of the Frechet distance of their samples and of the time for 64 images.

    bench/sampler_quality.py --ours build/release/diffusion MODEL --data fashion-mnist [-n 2048]
                             [--runs dpmpp_3m:10,ipndm:10,ddpm:200] [--rounds 3]

All make images from the same noise. A run is SAMPLER:STEPS or SAMPLER:STEPS:SPACING; ddpm's spacing is trailing unless it is
said. The distances are those of `diffusion eval` (5% to 95%), the time is the median of --rounds of `diffusion sample -n 64`,
all runs in turn; measure it with nothing else running. Needs Python alone.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile

RUNS = ("dpmpp_3m:5,ipndm:5,unipc:5,dpmpp_3m_sde:5,"
        "dpmpp_3m:10,ipndm:10,unipc:10,deis:10,lms:10,heun:10,ddim:10,dpmpp_2m_sde:10,dpmpp_3m_sde:10,"
        "dpmpp_3m:20,ipndm:20,unipc:20,heun:20,ddim:20,euler_ancestral:20,dpmpp_2m_sde:20,dpmpp_3m_sde:20,"
        "ddim:50,dpmpp_2m_sde:50,ddpm:200")


def options(run):
    sampler, steps, *spacing = run.split(":")
    spacing = spacing or (["trailing"] if sampler == "ddpm" else [])
    return ["--sampler", sampler, "--steps", steps] + [part for s in spacing for part in ("--spacing", s)]


def json_of(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:  # it said why
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--ours", default="build/release/diffusion")
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--features")
    parser.add_argument("-n", type=int, default=2048)
    parser.add_argument("--runs", default=RUNS)
    parser.add_argument("--rounds", type=int, default=3, help="0: distances alone")
    parser.add_argument("--no-quality", action="store_true", help="times alone")
    arguments = parser.parse_args()
    runs = arguments.runs.split(",")

    seconds = {run: [] for run in runs}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for run in runs:
                result = json_of([arguments.ours, "sample", arguments.model, "-n", "64", "-o", folder + "/x.npy", "--json",
                                  "--quiet"] + options(run))
                seconds[run].append(result["seconds"])

    print("| sampler | steps | Frechet distance | precision | recall | 64 images, s |\n"
          "| --- | --- | --- | --- | --- | --- |", flush=True)
    for run in runs:
        cells = [""] * 3
        if not arguments.no_quality:
            command = [arguments.ours, "eval", arguments.model, "--data", arguments.data, "-n", str(arguments.n), "--json",
                       "--quiet"] + options(run)
            scores = json_of(command + (["--features", arguments.features] if arguments.features else []))["scores"]
            distance = scores["frechet_distance"]
            cells = [f"{distance['value']:.3f} ({distance['low']:.3f} to {distance['high']:.3f})",
                     f"{scores['precision']['value']:.3f}", f"{scores['recall']['value']:.3f}"]
        sampler, steps, *spacing = run.split(":")
        print("| " + " | ".join([f"`{' '.join([sampler] + spacing)}`", steps, *cells,
                                 f"{statistics.median(seconds[run]):.2f}" if seconds[run] else ""]) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
