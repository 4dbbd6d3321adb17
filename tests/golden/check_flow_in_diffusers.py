#!/usr/bin/env python3
"""Trains a small flow with our program and samples it in Hugging Face diffusers: the loop of DDPMPipeline, from the same noise,
must give the same pictures as `diffusion sample`. For the environment see make_unet_goldens.py.

    check_flow_in_diffusers.py PATH_OF_THE_PROGRAM

docs/samplers.md has what it printed.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import diffusers
import numpy as np
import torch
from diffusers.pipelines.ddpm import pipeline_ddpm

IMAGES = 4


def program(*arguments):
    subprocess.run([sys.argv[1], *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def theirs(model, noise, steps, scheduler=None):
    pipeline = diffusers.DDPMPipeline.from_pretrained(model)
    if scheduler:
        pipeline.scheduler = scheduler
    pipeline.set_progress_bar_config(disable=True)
    pipeline_ddpm.randn_tensor = lambda *_, **__: torch.from_numpy(noise)
    pictures = pipeline(batch_size=len(noise), num_inference_steps=steps, output_type="np").images
    return type(pipeline.scheduler).__name__, pictures


def ours(model, noise_file, steps, folder, *options):
    program("sample", model, "--noise", noise_file, "--steps", steps, "--precision", "f32", "--raw", folder / "raw.npy",
            "-o", folder / "x.npy", "--quiet", *options)
    raw = np.load(folder / "raw.npy")
    return np.clip(raw / 2 + 0.5, 0, 1).transpose(0, 2, 3, 1), raw


def main():
    print(f"diffusers {diffusers.__version__}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program("train", "--data", "shapes", "--preset", "tiny", "--objective", "flow", "--unconditional", "--steps", 20,
                "--preview-every", 0, "--out", folder / "run", "--quiet")
        model = folder / "run" / "latest"
        noise = np.random.default_rng(7).standard_normal((IMAGES, 1, 28, 28)).astype(np.float32)
        np.save(folder / "noise.npy", noise)
        for steps in (1, 2, 10, 50):
            scheduler, expected = theirs(model, noise, steps)
            found, raw = ours(model, folder / "noise.npy", steps, folder)
            print(f"{scheduler}, {steps} steps: largest difference {np.abs(found - expected).max():.1e} of pixels in [0, 1], "
                  f"raw values from {raw.min():.2f} to {raw.max():.2f}")
        # The same model with another shift, and with DPM-Solver.
        config = model / "scheduler" / "scheduler_config.json"
        shifted = json.loads(config.read_text()) | {"shift": 3.0}
        config.write_text(json.dumps(shifted))
        _, expected = theirs(model, noise, 10)
        found, _ = ours(model, folder / "noise.npy", 10, folder)
        print(f"FlowMatchEulerDiscreteScheduler with shift 3, 10 steps: {np.abs(found - expected).max():.1e}")
        dpm = {"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": True, "prediction_type": "flow_prediction"}
        config.write_text(json.dumps(dpm))
        _, expected = theirs(model, noise, 10, diffusers.DPMSolverMultistepScheduler.from_config(dpm))
        found, _ = ours(model, folder / "noise.npy", 10, folder)
        print(f"DPMSolverMultistepScheduler with use_flow_sigmas, 10 steps: {np.abs(found - expected).max():.1e}")


if __name__ == "__main__":
    main()
