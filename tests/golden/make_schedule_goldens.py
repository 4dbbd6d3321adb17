#!/usr/bin/env python3
"""Writes schedules.json: noise schedules and 10-step trajectories of Hugging Face diffusers' DDPM and DDIM
schedulers. The C++ tests only read it. For the environment see make_unet_goldens.py.

alphas_cumprod: one entry per schedule, at 12 timesteps.
    table            diffusers' own f32 table
    exact            the same formula in double throughout
trajectories: 10 steps from `initial` with the network output F(x, t) = 0.3 x + 0.1 sin(t / 100), read as
`prediction_type` says; the state is a vector of 4.
    config           the scheduler's configuration, as diffusers saves it
    eta              DDIM only
    use_clipped_model_output   DDIM only; true: epsilon is recomputed from the clipped x0 (default: not)
    timesteps        [10]
    states           [10][4] after each step, double throughout, from the exact alphas_cumprod
    final_from_table [4] the last state when diffusers' f32 table is used as it is
noise: [10][4] the normal numbers of each step (used where the step adds noise).
"""
import json
import math
import pathlib

import diffusers
import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.schedulers import scheduling_ddpm

STEPS, WIDTH = 10, 4


def exact_alphas_cumprod(config):
    """alphas_cumprod in double; what diffusers computes in f32."""
    steps, start, end = config.num_train_timesteps, config.beta_start, config.beta_end
    if config.beta_schedule == "linear":
        betas = np.linspace(start, end, steps)
    elif config.beta_schedule == "scaled_linear":
        betas = np.linspace(math.sqrt(start), math.sqrt(end), steps) ** 2
    elif config.beta_schedule == "sigmoid":
        betas = (end - start) / (1 + np.exp(-np.linspace(-6, 6, steps))) + start
    elif config.beta_schedule == "squaredcos_cap_v2":
        bar = np.cos((np.arange(steps + 1) / steps + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = np.minimum(1 - bar[1:] / bar[:-1], 0.999)
    return torch.from_numpy(np.cumprod(1 - betas))


def schedule(**config):
    scheduler = DDPMScheduler(**config)
    last = scheduler.config.num_train_timesteps - 1
    t = [0, 1, 2, 10, 50, 100] + [round(last * f) for f in (0.25, 0.5, 0.75, 0.9)] + [last - 1, last]
    exact = exact_alphas_cumprod(scheduler.config)
    table = scheduler.alphas_cumprod.double()
    assert ((exact - table).abs() < 1e-6 + 1e-4 * exact).all()
    fields = ("beta_schedule", "num_train_timesteps", "beta_start", "beta_end")
    return {k: scheduler.config[k] for k in fields} | {
        "t": t, "table": [table[i].item() for i in t], "exact": [exact[i].item() for i in t]}


def run(scheduler, initial, noise, **step_arguments):
    x, states = initial[None], []
    for t, z in zip(scheduler.timesteps, noise):
        output = 0.3 * x + 0.1 * math.sin(t.item() / 100)
        if isinstance(scheduler, DDIMScheduler):
            added = {"variance_noise": z[None]} if step_arguments["eta"] > 0 else {}
            x = scheduler.step(output, t, x, **step_arguments, **added).prev_sample
        else:  # draws its own noise
            scheduling_ddpm.randn_tensor = lambda *_, z=z, **__: z[None]
            x = scheduler.step(output, t, x).prev_sample
        states.append(x[0].tolist())
    assert x.dtype == torch.float64 and torch.isfinite(x).all()
    return states


def trajectory(kind, initial, noise, config, **step_arguments):
    scheduler = kind(**config)
    scheduler.set_timesteps(STEPS)
    from_table = run(scheduler, initial, noise, **step_arguments)[-1]
    scheduler.alphas_cumprod = exact_alphas_cumprod(scheduler.config)
    if not config.get("set_alpha_to_one", True):
        scheduler.final_alpha_cumprod = scheduler.alphas_cumprod[0]
    states = run(scheduler, initial, noise, **step_arguments)
    assert np.allclose(states[-1], from_table, rtol=1e-3, atol=1e-4), (config, states[-1], from_table)
    saved = json.loads(scheduler.to_json_string())
    return {"config": saved, **step_arguments, "timesteps": scheduler.timesteps.tolist(), "states": states,
            "final_from_table": from_table}


def main():
    rng = np.random.default_rng(20)
    initial = torch.from_numpy(rng.standard_normal(WIDTH))
    noise = torch.from_numpy(rng.standard_normal((STEPS, WIDTH)))
    names = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid")
    schedules = [schedule(beta_schedule=name) for name in names]
    schedules.append(schedule(beta_schedule="linear", num_train_timesteps=200))
    schedules.append(schedule(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012))

    runs = []
    for prediction in ("epsilon", "v_prediction", "sample"):
        for spacing in ("leading", "trailing", "linspace"):
            for clip in (False, True):
                config = dict(prediction_type=prediction, timestep_spacing=spacing, clip_sample=clip)
                runs.append(trajectory(DDPMScheduler, initial, noise, config))
                for eta in (0.0, 1.0):
                    for reuse in (False, True) if clip else (False,):
                        runs.append(trajectory(DDIMScheduler, initial, noise, config, eta=eta,
                                               use_clipped_model_output=reuse))
    # One field at a time.
    clipped = dict(eta=0.0, use_clipped_model_output=False)
    for changed in (dict(beta_schedule="squaredcos_cap_v2"), dict(num_train_timesteps=200),
                    dict(steps_offset=1), dict(clip_sample_range=0.5)):
        runs.append(trajectory(DDPMScheduler, initial, noise, changed))
        runs.append(trajectory(DDIMScheduler, initial, noise, changed, **clipped))
    runs.append(trajectory(DDPMScheduler, initial, noise, dict(variance_type="fixed_large")))
    runs.append(trajectory(DDIMScheduler, initial, noise, dict(set_alpha_to_one=False), **clipped))

    path = pathlib.Path(__file__).resolve().parent / "schedules.json"
    lines = [json.dumps(r) for r in runs]
    head = {"diffusers": diffusers.__version__, "initial": initial.tolist(), "noise": noise.tolist(),
            "alphas_cumprod": schedules}
    text = json.dumps(head)[:-1] + ', "trajectories": [\n' + ",\n".join(lines) + "\n]}\n"
    json.loads(text)
    path.write_text(text)
    print(len(runs), "trajectories,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
