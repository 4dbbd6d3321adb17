#!/usr/bin/env python3
"""Training steps of a model of words in PyTorch, for speed comparisons: diffusers' UNet2DConditionModel and transformers'
CLIPTextModel with the configurations of a model directory that `diffusion train` wrote, AdamW, mean squared error.

    python bench/words_in_torch.py RUN/latest --batch 32 --steps 5 --threads 2

Prints a line of JSON for each way: f32, f32 channels-last, bf16 (autocast), bf16 channels-last; the median of the
steps in seconds, and the peak memory of the process so far in MiB.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel


def measure(directory, batch, steps, bf16, channels_last):
    torch.manual_seed(0)
    unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(directory, subfolder="unet")).train()
    text = CLIPTextModel.from_pretrained(directory, subfolder="text_encoder").train()
    if channels_last:
        unet = unet.to(memory_format=torch.channels_last)
    size, channels = unet.config.sample_size, unet.config.in_channels
    tokens = torch.randint(0, text.config.vocab_size, (batch, text.config.max_position_embeddings))
    x, target = torch.randn(batch, channels, size, size), torch.randn(batch, channels, size, size)
    if channels_last:
        x, target = (v.contiguous(memory_format=torch.channels_last) for v in (x, target))
    timesteps = torch.randint(0, 1000, (batch,))
    optimizer = torch.optim.AdamW([*unet.parameters(), *text.parameters()], lr=1e-4, fused=True)
    times = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            words = text(tokens).last_hidden_state
            loss = torch.nn.functional.mse_loss(unet(x, timesteps, words).sample.float(), target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*unet.parameters(), *text.parameters()], 1.0)
        optimizer.step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for bf16 in (False, True):
        for channels_last in (False, True):
            seconds = measure(options.directory, options.batch, options.steps, bf16, channels_last)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(json.dumps({"precision": "bf16" if bf16 else "f32", "channels_last": channels_last,
                              "seconds": round(seconds, 3), "peak_mib": round(peak)}), flush=True)


if __name__ == "__main__":
    main()
