#!/usr/bin/env python3
"""Writes edits.json: trajectories of Hugging Face diffusers' RePaintScheduler, and of picture-to-picture as its pipelines do
it, for src/diffusers/edit_golden_test.cpp, which only reads it. For the environment see make_unet_goldens.py.

The network is F(x, t) = 0.3 x + 0.1 sin(t / 100), epsilon; the picture is PICTURE, [1, 1, 2, 2]. Numbers are in f32, as
diffusers computes them; states are in VP form.

repaint: one entry for each eta.
    steps, jump, resample   of set_timesteps(); the schedule has `steps` timesteps, so that a jump goes up as it came down
    states                  [moves][4] after every move of the path, which begins at NOISE[0]; move i draws NOISE[i + 1]
img2img: one entry for each class of scheduler.
    class, strength, steps  as Stable Diffusion's pipeline takes them
    states                  [n][4] after every step, from PICTURE with the noise NOISE[0]; step i draws NOISE[i + 1]
"""
import importlib
import json
import math
import pathlib

import diffusers
import torch

PICTURE = [0.8, -0.6, 0.1, -1.0]
KNOWN = [1.0, 0.0, 0.0, 1.0]
NOISE = [[1.3 * math.sin(1.7 * i + 0.9 * j + 0.3) for j in range(4)] for i in range(256)]


def tensor(numbers):
    return torch.tensor(numbers, dtype=torch.float32).reshape(1, 1, 2, 2)


def network(x, t):
    return 0.3 * x + 0.1 * math.sin(float(t) / 100)


def draws_for(kind, states):
    module = importlib.import_module(kind.__module__)
    module.randn_tensor = lambda *_, **__: tensor(NOISE[len(states) + 1])


def repaint(eta, steps=24, jump=4, resample=3):
    kind = diffusers.RePaintScheduler
    scheduler = kind(num_train_timesteps=steps, beta_start=0.02, beta_end=0.3, eta=eta)
    scheduler.set_timesteps(steps, jump, resample)
    scheduler.eta = eta
    states = []
    draws_for(kind, states)
    x, picture, known = tensor(NOISE[0]), tensor(PICTURE), tensor(KNOWN)
    last = scheduler.timesteps[0] + 1
    for t in scheduler.timesteps:  # as in RePaintPipeline
        if t < last:
            x = scheduler.step(network(x, t), t, x, picture, known).prev_sample
        else:
            x = scheduler.undo_step(x, last)
        states.append(x.flatten().tolist())
        last = t
    return {"eta": eta, "steps": steps, "jump": jump, "resample": resample, "states": states}


def img2img(name, config, strength, steps):
    kind = getattr(diffusers, name + "Scheduler")
    scheduler = kind(**config)
    scheduler.set_timesteps(steps)
    taken = min(int(steps * strength), steps)
    first = steps - taken
    timesteps = scheduler.timesteps[first:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    states = []
    draws_for(kind, states)
    x = scheduler.add_noise(tensor(PICTURE), tensor(NOISE[0]), timesteps[:1])
    for t in timesteps:
        x = scheduler.step(network(scheduler.scale_model_input(x, t), t), t, x).prev_sample
        states.append(x.flatten().tolist())
    return {"class": name + "Scheduler", "config": config, "strength": strength, "steps": steps, "states": states}


def main():
    linear = dict(timestep_spacing="trailing")
    entries = {
        "picture": PICTURE,
        "known": KNOWN,
        "noise": NOISE,
        "repaint": [repaint(0.0), repaint(1.0)],
        "img2img": [
            img2img("DDIM", linear, 0.6, 20),
            img2img("DDPM", linear, 0.35, 50),
            img2img("DPMSolverMultistep", linear | dict(use_karras_sigmas=False), 0.8, 20),
        ],
    }
    path = pathlib.Path(__file__).with_name("edits.json")
    path.write_text(json.dumps(entries) + "\n")
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
