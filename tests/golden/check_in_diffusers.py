#!/usr/bin/env python3
"""The other direction: do models of the program `diffusion` load in Hugging Face diffusers, and compute and sample the same
there? And are files that Python writes in all its forms the same model to us? Prints the tables of docs/formats.md; exit
code 1 if a row fails. Takes a minute or two; the tests do not run it.

    python3 -m venv /tmp/golden-venv
    /tmp/golden-venv/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
    /tmp/golden-venv/bin/pip install diffusers safetensors numpy scipy
    /tmp/golden-venv/bin/python tests/golden/check_in_diffusers.py build/release/diffusion

Every row compares numbers of the same weights and the same noise, in float32 on both sides:
    network   the raw network at three noise levels, with the noise of seed 0, against what `diffusion convert` records
    others    the state at the end of sampling, before rounding; largest difference of a value, relative to the largest
              value if that is above 1 (without limits, a cosine schedule's last timestep amplifies epsilon 20,000 times)
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import diffusers
import numpy as np
import safetensors
import torch
from safetensors.torch import load_file, save_file

# A network in f32 that is called 20 times by a scheduler in f32 there, and in double here.
NETWORK_TOLERANCE, SAMPLING_TOLERANCE = 1e-5, 1e-3
WEIGHTS = "diffusion_pytorch_model.safetensors"
program = pathlib.Path(sys.argv[1]).resolve()
failures = 0


def run(*arguments):
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"diffusion {' '.join(map(str, arguments))}: {result.stderr}")


def philox_normals(count):
    """fill_normal of base/rng.h with seed 0, Stream::sample_noise, sample 0, step 0: Philox4x32-10, then Box-Muller."""
    numbers, mask = [], 0xFFFFFFFF
    for block in range((count + 3) // 4):
        x, keys = [block, 0, 0, 7], [0, 0]
        for _ in range(10):
            a, b = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
            x = [(b >> 32) ^ x[1] ^ keys[0], b & mask, (a >> 32) ^ x[3] ^ keys[1], a & mask]
            keys = [(keys[0] + 0x9E3779B9) & mask, (keys[1] + 0xBB67AE85) & mask]
        for u, v in ((x[0], x[1]), (x[2], x[3])):
            radius, angle = np.sqrt(-2 * np.log((u + 1) / 2**32)), 2 * np.pi * (v / 2**32)
            numbers += [radius * np.cos(angle), radius * np.sin(angle)]
    return np.array(numbers[:count], dtype=np.float32)


def labels_of(unet, count):
    rows = unet.config.num_class_embeds
    return torch.arange(count) % (rows - 1) if rows else None  # the last row is the null class


def network_difference(directory):
    """Of UNet2DModel against the forward pass that `diffusion convert` recorded."""
    unet = diffusers.UNet2DModel.from_pretrained(directory, subfolder="unet").eval().float()
    golden = json.loads((directory / "diffusion.json").read_text())["golden"]
    shape = (1, unet.config.in_channels, golden["height"], golden["width"])
    sample = torch.from_numpy(philox_normals(int(np.prod(shape))).reshape(shape))
    worst = 0
    for level in golden["levels"]:
        with torch.no_grad():
            output = unet(sample, torch.tensor([level["time"]]), labels_of(unet, 1)).sample.double().numpy()
        first = np.array(level["first"])
        worst = max(worst, np.abs(output.ravel()[:len(first)] - first).max(), abs(output.mean() - level["mean"]),
                    abs(output.std() - level["std"]))
    return worst


def sample_here(directory, noise, steps, scratch):
    np.save(scratch / "noise.npy", noise)
    run("sample", directory, "--noise", scratch / "noise.npy", "--steps", steps, "--raw", scratch / "raw.npy",
        "-o", scratch / "out.npy", "--precision", "f32", "--quiet")
    return np.load(scratch / "raw.npy")


def sample_there(pipeline, noise, steps):
    unet, scheduler = pipeline.unet.eval().float(), pipeline.scheduler
    scheduler.set_timesteps(steps)
    x = torch.from_numpy(noise) * getattr(scheduler, "init_noise_sigma", 1)  # flow matching has neither this
    scale = getattr(scheduler, "scale_model_input", lambda state, t: state)  # nor this
    with torch.no_grad():
        for t in scheduler.timesteps:
            output = unet(scale(x, t), t, labels_of(unet, len(x))).sample
            x = scheduler.step(output, t, x).prev_sample
    return x.numpy()


def distance(here, there):
    return np.abs(here - there).max() / max(1, np.abs(there).max())


def verdict(difference, tolerance):
    global failures
    failures += not difference <= tolerance
    return f"{difference:.0e}" + ("" if difference <= tolerance else " FAILED")


def sampling_columns(directory, objective, scratch):
    """The model with other schedulers, saved by diffusers, sampled on both sides; edm and flow with their own."""
    pipeline = diffusers.DiffusionPipeline.from_pretrained(directory)
    unet = pipeline.unet
    size = unet.config.sample_size
    size = [size, size] if isinstance(size, int) else size
    noise = np.random.default_rng(1).standard_normal((4, unet.config.in_channels, *size)).astype(np.float32)
    own = pipeline.scheduler.config
    cells = []
    for name, steps in (("DDIM", 20), ("DPMSolverMultistep", 10), ("DPMSolverMultistep", 20), ("EulerDiscrete", 20)):
        if objective in ("edm", "flow"):
            if name != "EulerDiscrete":
                cells.append("")
                continue
        else:
            pipeline.scheduler = getattr(diffusers, name + "Scheduler").from_config(own)
        pipeline.save_pretrained(scratch / "other")
        there = sample_there(diffusers.DiffusionPipeline.from_pretrained(scratch / "other"), noise, steps)
        here = sample_here(scratch / "other", noise, steps, scratch)
        shutil.rmtree(scratch / "other")
        cells.append(verdict(distance(here, there), SAMPLING_TOLERANCE))
    return cells


def our_models(scratch):
    print("| our model | class there | network | DDIM, 20 steps | DPM++ 2M, 10 | DPM++ 2M, 20 | Euler of its kind, 20 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, options in (
            ("epsilon, linear", ["--objective", "epsilon", "--schedule", "linear"]),
            ("epsilon, cosine, classes", ["--objective", "epsilon", "--schedule", "cosine"]),
            ("v, cosine, classes", ["--objective", "v"]),
            ("x0, linear", ["--objective", "x0", "--schedule", "linear", "--unconditional"]),
            ("edm, classes", ["--objective", "edm"]),
            ("flow", ["--objective", "flow"])):
        if "classes" not in name and "--unconditional" not in options:
            options = options + ["--unconditional"]
        trained, model = scratch / "run", scratch / "model"
        run("train", "--data", "shapes", "--preset", "tiny", "--steps", 20, "--out", trained, "--quiet", *options)
        run("convert", trained, model)
        kind = type(diffusers.DiffusionPipeline.from_pretrained(trained / "latest")).__name__
        objective = name.split(",")[0]
        cells = sampling_columns(model, objective, scratch)
        print(f"| {name} | {kind} | {verdict(network_difference(model), NETWORK_TOLERANCE)} | {' | '.join(cells)} |")
        for dtype in ("f16", "bf16") if name.startswith("v") else ():
            run("convert", trained, scratch / dtype, "--dtype", dtype)
            cells = sampling_columns(scratch / dtype, objective, scratch)
            print(f"| the same in {dtype} | {kind} | {verdict(network_difference(scratch / dtype), NETWORK_TOLERANCE)} "
                  f"| {' | '.join(cells)} |")
        if name.startswith("x0"):  # DDPMPipeline itself passes no labels
            pipeline = diffusers.DiffusionPipeline.from_pretrained(model)
            pipeline.set_progress_bar_config(disable=True)
            images = pipeline(batch_size=2, num_inference_steps=4, output_type="np").images
            assert np.isfinite(images).all() and images.shape[0] == 2
        shutil.rmtree(model)
        shutil.rmtree(trained)


def rename(state):
    """To the names of before 2023."""
    for now, then in ((".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."), (".to_out.0.", ".proj_attn.")):
        state = {key.replace(now, then): tensor for key, tensor in state.items()}
    return state


def python_files(scratch):
    """One model in every form that diffusers writes or reads; ours must sample the same from each."""
    print("\n| written by Python | difference of 20 DDIM steps |\n| --- | --- |")
    torch.manual_seed(0)
    unet = diffusers.UNet2DModel(sample_size=16, block_out_channels=(32, 64), norm_num_groups=8, layers_per_block=1,
                                 down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                                 up_block_types=("AttnUpBlock2D", "UpBlock2D"))
    pipeline = diffusers.DDPMPipeline(unet, diffusers.DDIMScheduler(timestep_spacing="trailing",
                                                                    prediction_type="v_prediction"))
    noise = np.random.default_rng(2).standard_normal((2, 3, 16, 16)).astype(np.float32)

    def half(dtype):
        copy = diffusers.UNet2DModel(**unet.config)
        copy.load_state_dict({k: v.to(dtype).float() for k, v in unet.state_dict().items()})
        return diffusers.DDPMPipeline(copy, pipeline.scheduler)

    def save(directory, **options):
        pipeline.save_pretrained(directory, **options)

    def old_names(directory):
        save(directory)
        state = rename(load_file(directory / "unet" / WEIGHTS))
        assert any("proj_attn" in key for key in state)
        save_file(state, directory / "unet" / WEIGHTS, metadata={"format": "pt"})

    def flat(directory):
        unet.save_pretrained(directory)
        pipeline.scheduler.save_pretrained(directory)

    def variant(directory, dtype, name):
        half_pipeline = half(dtype)
        half_pipeline.to(dtype=dtype)
        half_pipeline.save_pretrained(directory, variant=name)

    def double(directory):
        save(directory)
        state = {key: tensor.double() for key, tensor in load_file(directory / "unet" / WEIGHTS).items()}
        save_file(state, directory / "unet" / WEIGHTS, metadata={"format": "pt"})

    for name, write, reference in (
            ("safetensors, sub-folders", save, pipeline),
            ("flat, no model_index.json", flat, pipeline),
            ("shards of 200 kB", lambda d: save(d, max_shard_size="200kB"), pipeline),
            ("old names of attention", old_names, pipeline),
            ("float64", double, pipeline),
            ("variant fp16 alone", lambda d: variant(d, torch.float16, "fp16"), half(torch.float16)),
            ("variant bf16 alone", lambda d: variant(d, torch.bfloat16, "bf16"), half(torch.bfloat16)),
    ):
        directory = scratch / "python"
        directory.mkdir()
        write(directory)
        difference = distance(sample_here(directory, noise, 20, scratch), sample_there(reference, noise, 20))
        print(f"| {name} | {verdict(difference, SAMPLING_TOLERANCE)} |")
        shutil.rmtree(directory)


def main():
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(f"diffusers {diffusers.__version__}, torch {torch.__version__}, safetensors {safetensors.__version__}\n")
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        our_models(scratch)
        python_files(scratch)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
