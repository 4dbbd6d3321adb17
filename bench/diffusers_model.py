#!/usr/bin/env python3
"""A model of the size and form of google/ddpm-cifar10-32 (35.7 million parameters, random weights) in diffusers and here.

    bench/diffusers_model.py build/release/diffusion [--steps 10] [--images 4] [--rounds 3]

Run it with a Python that has diffusers (pip install diffusers torch safetensors in a virtual environment). It saves the
model with diffusers, samples DDIM from the same noise on both sides, alternately, with 2 threads, and prints the seconds of
whole runs after the first, without loading, and the largest difference of the results before rounding.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

THREADS = 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    import diffusers
    import numpy
    import torch
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    unet = diffusers.UNet2DModel(
        sample_size=32, in_channels=3, out_channels=3, layers_per_block=2, block_out_channels=(128, 256, 256, 256),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"), attention_head_dim=None,
        downsample_padding=0, flip_sin_to_cos=False, freq_shift=1, norm_eps=1e-6)
    scheduler = diffusers.DDIMScheduler(timestep_spacing="trailing")
    noise = numpy.random.default_rng(0).standard_normal((arguments.images, 3, 32, 32)).astype("float32")

    @torch.no_grad()
    def theirs():
        start = time.perf_counter()
        scheduler.set_timesteps(arguments.steps)
        x = torch.from_numpy(noise)
        for t in scheduler.timesteps:
            x = scheduler.step(unet(x, t).sample, t, x).prev_sample
        return x.numpy(), time.perf_counter() - start

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        diffusers.DDIMPipeline(unet, scheduler).save_pretrained(folder / "model")
        numpy.save(folder / "noise.npy", noise)

        def ours(precision):
            command = [arguments.program, "sample", folder / "model", "-n", str(arguments.images), "--steps",
                       str(arguments.steps), "--noise", folder / "noise.npy", "--raw", folder / "raw.npy", "-o",
                       folder / "out.png", "--threads", str(THREADS), "--precision", precision, "--json", "--quiet"]
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
            return numpy.load(folder / "raw.npy"), json.loads(done.stdout)["seconds"]

        sides = {"diffusers f32": theirs, "ours f32": lambda: ours("f32"), "ours bf16": lambda: ours("bf16")}
        expected, _ = theirs()
        seconds = {side: [] for side in sides}
        for _ in range(arguments.rounds):
            print(f"load average {os.getloadavg()[0]:.1f}", flush=True)
            for side, sample in sides.items():
                result, elapsed = sample()
                seconds[side].append(elapsed)
                print(f"  {side:14} {elapsed:.2f} s, largest difference {abs(result - expected).max():.1e}", flush=True)
    base = statistics.median(seconds["diffusers f32"])
    print(f"\n| {arguments.images} images, {arguments.steps} steps | seconds | faster than diffusers |\n|---|---|---|")
    for side, values in seconds.items():
        print(f"| {side} | {statistics.median(values):.2f} ({min(values):.2f} - {max(values):.2f}) | "
              f"{base / statistics.median(values):.2f} |")


if __name__ == "__main__":
    main()
