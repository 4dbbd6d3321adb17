#!/usr/bin/env python3
"""A text-to-image model of the configuration of Stable Diffusion 1.5 with random weights (860 million parameters in the
U-Net, 123 in the text encoder), in diffusers and here: the same numbers, time, memory, and where the time goes.

    python bench/sd_size.py build/release/diffusion [--folder /tmp/sd15] [--rounds 3] [--batches 1,2] [--small 16]

Run it with a Python that has diffusers, transformers and torch. It makes the models in the folder once, with bf16 and with
f16 weights (about 2 GB each), and then, with 2 threads on both sides:

  numbers   two steps of DDIM on latents of SMALL x SMALL from the same noise, tokens and files, in f32 in diffusers and in
            both precisions here; and what `diffusion convert` writes of the model, read by diffusers
  times     evaluations of latents of 64x64 and 77 tokens, text encoder included, sides alternating in processes of their own
  memory    the most that a process held (VmHWM), and what of it were pages of the files at the end (RssFile)
  profile   what `diffusion bench` says of the kinds of layers
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

THREADS = 2
TOKENS = 77
VOCABULARY = 49408
PROMPT = "a"
STEPS = 2  # of DDIM, when numbers are compared


def unet_config(sample_size):
    return dict(sample_size=sample_size, in_channels=4, out_channels=4, center_input_sample=False, flip_sin_to_cos=True,
                freq_shift=0, block_out_channels=(320, 640, 1280, 1280), layers_per_block=2, downsample_padding=1,
                mid_block_scale_factor=1, act_fn="silu", norm_num_groups=32, norm_eps=1e-5, cross_attention_dim=768,
                attention_head_dim=8,
                down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"))


def write_tokenizer(folder):
    """The bytes, within and at the end of a word, and two special tokens: ids of a vocabulary that nobody has learned."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {b: chr(b) for b in visible}
    letters.update({b: chr(256 + k) for k, b in enumerate(b for b in range(256) if b not in visible)})
    symbols = [letters[b] for b in range(256)]
    names = [*symbols, *(s + "</w>" for s in symbols)]
    names += [f"<unused{k}>" for k in range(VOCABULARY - len(names) - 2)] + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({name: k for k, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS, "bos_token": "<|startoftext|>",
         "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}))


def make_models(folder):
    import torch
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel
    if (folder / "f16" / "model_index.json").exists():
        return
    for name in ("bf16", "f16"):  # an earlier run may have been interrupted
        shutil.rmtree(folder / name, ignore_errors=True)
    torch.manual_seed(0)
    unet = UNet2DConditionModel(**unet_config(64))
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=VOCABULARY, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
        max_position_embeddings=TOKENS, hidden_act="quick_gelu", bos_token_id=VOCABULARY - 2, eos_token_id=VOCABULARY - 1,
        pad_token_id=VOCABULARY - 1))
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                              set_alpha_to_one=False, steps_offset=1)
    for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16)):
        out = folder / name
        unet.to(dtype).save_pretrained(out / "unet", max_shard_size="20GB")
        text.to(dtype).save_pretrained(out / "text_encoder", max_shard_size="20GB")
        scheduler.save_pretrained(out / "scheduler")
        write_tokenizer(out / "tokenizer")
        (out / "model_index.json").write_text(json.dumps(
            {"_class_name": "DiffusionPipeline", "_diffusers_version": "0.42.1",
             "unet": ["diffusers", "UNet2DConditionModel"], "scheduler": ["diffusers", "DDIMScheduler"],
             "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"]}, indent=2))


def small_folder(folder, name, size):
    """The same files for latents of size x size."""
    small = folder / f"{name}-{size}"
    if not small.exists():
        (small / "unet").mkdir(parents=True)
        for part in ("text_encoder", "tokenizer", "scheduler", "model_index.json"):
            (small / part).symlink_to(folder / name / part)
        config = json.loads((folder / name / "unet/config.json").read_text())
        (small / "unet/config.json").write_text(json.dumps({**config, "sample_size": size}))
        weights = "unet/diffusion_pytorch_model.safetensors"
        (small / weights).symlink_to(folder / name / weights)
    return small


def load(directory, dtype):
    import torch
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel
    from transformers.utils import logging
    logging.disable_progress_bar()
    torch.set_grad_enabled(False)
    torch.set_num_threads(THREADS)
    unet = UNet2DConditionModel.from_pretrained(directory / "unet", torch_dtype=dtype, low_cpu_mem_usage=False)
    return unet.eval(), CLIPTextModel.from_pretrained(directory / "text_encoder", torch_dtype=dtype).eval()


def token_ids():
    """Of PROMPT, a letter that ends a word."""
    return [[VOCABULARY - 2, 256 + ord(PROMPT)] + [VOCABULARY - 1] * (TOKENS - 2)]


def denoise_in_diffusers(directory, noise):
    """DDIM in f32, from the same files."""
    import torch
    from diffusers import DDIMScheduler
    unet, text = load(directory, torch.float32)
    scheduler = DDIMScheduler.from_pretrained(directory / "scheduler")
    scheduler.set_timesteps(STEPS)
    x, words = torch.from_numpy(noise), text(torch.tensor(token_ids())).last_hidden_state
    for t in scheduler.timesteps:
        x = scheduler.step(unet(x, t, words).sample, t, x).prev_sample
    return x.numpy()


def memory_of(pid):
    """VmHWM and RssFile in MB; None: it has ended."""
    try:
        status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status") if ":" in line)
        return tuple(int(status[name].split()[0]) * 1024 / 1e6 for name in ("VmHWM", "RssFile"))
    except (OSError, KeyError):
        return None


def run(command):
    """Its output, and the memory that it held, asked for every 50 ms."""
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    most = (0, 0)
    while process.poll() is None:
        most = memory_of(process.pid) or most
        time.sleep(0.05)
    out, err = process.communicate()
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {err}")
    return out, most


def compare_numbers(program, folder, size):
    import numpy
    noise = numpy.random.default_rng(0).standard_normal((1, 4, size, size)).astype("float32")
    numpy.save(folder / "noise.npy", noise)
    print(f"numbers: {STEPS} steps of DDIM on latents of {size}x{size} in f32, against diffusers with the same file")
    for name in ("bf16", "f16"):
        directory = small_folder(folder, name, size)
        expected = denoise_in_diffusers(directory, noise)
        for precision in ("f32", "bf16"):
            raw = folder / "raw.npy"
            _, memory = run([program, "sample", directory, "--prompt", PROMPT, "-n", 1, "--guidance", 1,
                             "--steps", STEPS, "--noise", folder / "noise.npy", "--raw", raw, "-o", folder / "out.npy",
                             "--threads", THREADS, "--precision", precision, "--quiet"])
            found = numpy.load(raw)
            print(f"  file of {name}, ours in {precision}: largest difference {abs(found - expected).max():.1e}, relative "
                  f"{numpy.sqrt(((found - expected) ** 2).mean() / (expected ** 2).mean()):.1e} in the mean square; "
                  f"{memory[0]:.0f} MB at most", flush=True)


def compare_written(program, folder, size):
    """What `convert` writes of the model is the same to diffusers."""
    import numpy
    out = folder / "converted"
    shutil.rmtree(out, ignore_errors=True)
    run([program, "convert", small_folder(folder, "bf16", size), out, "--dtype", "bf16"])
    noise = numpy.load(folder / "noise.npy")
    same = (denoise_in_diffusers(out, noise) == denoise_in_diffusers(small_folder(folder, "bf16", size), noise)).all()
    print(f"  written by us, read by diffusers: {'the same numbers' if same else 'OTHER NUMBERS'}", flush=True)
    shutil.rmtree(out)


def time_in_diffusers(directory, precision, batch, steps):
    """Prints the seconds of each evaluation, after one that warms up."""
    import torch
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[precision]
    unet, text = load(directory, dtype)
    x, ids = torch.randn(batch, 4, 64, 64).to(dtype), torch.tensor(token_ids() * batch)
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        unet(x, 500, text(ids).last_hidden_state)
        seconds.append(time.perf_counter() - start)
    print(json.dumps(seconds[1:]))


def compare_times(program, folder, batch, rounds, steps):
    seconds, memory, last = {}, {}, {}
    for number in range(rounds):
        print(f"round {number + 1}, batch {batch}, load average {os.getloadavg()[0]:.1f}", flush=True)
        for precision in ("bf16", "f32"):
            for side in ("ours", "diffusers"):
                if side == "ours":
                    out, most = run([program, "bench", folder / "bf16", "--inference", "--batch", batch, "--steps", steps,
                                     "--precision", precision, "--threads", THREADS, "--json"])
                    last[precision] = json.loads(out)
                    values = [last[precision]["seconds_per_step"]]
                else:
                    out, most = run([sys.executable, __file__, program, "--folder", folder, "--time", precision, "--batches",
                                     batch, "--steps", steps])
                    values = [statistics.median(json.loads(out.splitlines()[-1]))]
                key = (side, precision)
                seconds.setdefault(key, []).extend(values)
                memory[key] = max(memory.get(key, (0, 0)), most)
                print(f"  {side:9} {precision:4} {values[0]:7.2f} s   {most[0]:5.0f} MB at most, {most[1]:.0f} of it file pages",
                      flush=True)
    weights = sum(f.stat().st_size for f in (folder / "bf16").rglob("*.safetensors")) / 1e6
    best = min(statistics.median(seconds["diffusers", p]) for p in ("bf16", "f32"))
    print(f"\n| batch {batch} | seconds | diffusers' best takes | MB at most | of the {weights:.0f} MB of weights |\n|---|---|---|---|---|")
    for (side, precision), values in seconds.items():
        median = statistics.median(values)
        print(f"| {side} {precision} | {median:.2f} ({min(values):.2f} - {max(values):.2f}) | {best / median:.2f} times | "
              f"{memory[side, precision][0]:.0f} | {memory[side, precision][0] / weights:.2f} |")
    print(f"\nwhere the time goes, ours in bf16, batch {batch}")
    whole = last["bf16"]["seconds_per_step"]
    for kind in last["bf16"]["kinds"]:
        rate = f"{kind['flops'] / kind['seconds'] * 1e-9:7.0f} GFLOP/s" if kind["flops"] else ""
        print(f"  {1e3 * kind['seconds']:8.1f} ms {100 * kind['seconds'] / whole:5.1f}%  {kind['name']:26} {rate}")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("/tmp/sd15"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="evaluations of a side in a round")
    parser.add_argument("--batches", default="1,2")
    parser.add_argument("--small", type=int, default=16)
    parser.add_argument("--only", choices=("numbers", "times"))
    parser.add_argument("--time", choices=("bf16", "f32"), help=argparse.SUPPRESS)
    o = parser.parse_args()
    o.folder = o.folder.resolve()  # links within it point to it
    if o.time:
        return time_in_diffusers(o.folder / "bf16", o.time, int(o.batches), o.steps)
    make_models(o.folder)
    if o.only != "times":
        compare_numbers(o.program, o.folder, o.small)
        compare_written(o.program, o.folder, o.small)
    if o.only != "numbers":
        for batch in map(int, o.batches.split(",")):
            compare_times(o.program, o.folder, batch, o.rounds, o.steps)


if __name__ == "__main__":
    main()
