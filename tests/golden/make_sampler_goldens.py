#!/usr/bin/env python3
"""Writes schedules_samplers.json: how Hugging Face diffusers' schedulers sample, for diffusers_golden_test.cpp, which only
reads it. For the environment see make_unet_goldens.py; LMS and the beta spacing need scipy, too.

The network is F(x, t) = 0.3 x + 0.1 sin(t / 100) (for EDM and IPNDM F(x, t) = 0.3 x + 0.1 sin(t)), read as the configuration's
prediction_type says; the state is a picture [1, 1, 2, 2]. It starts from init_noise_sigma times START, and what a scheduler
draws in step i is NOISE[i].

Everything is computed in double: diffusers' modules get a torch and a numpy whose float32 is float64. `f32` is by how much
their own precision changes the last state.

runs: one entry per configuration and number of steps.
    class, config    the scheduler's class and the arguments that are not its defaults
    eta              of step() of DDIM (absent: 0) and TCD (absent: its default)
    steps            what set_timesteps() was asked for
    sigmas           [4] of the steps 0, n // 2 and n - 1 of n, and the end that the last goes to; a DDPM, DDIM, PNDM, LCM,
                     TCD, IPNDM or DDIMInverse scheduler has none of its own, so they are computed from its alphas
    timesteps        [3] what the network was told in these steps
    initial_std      init_noise_sigma in VE form; of a flow as it is, 1
    states           [3][4] after these steps, as diffusers has them: VE for Euler, Heun, KDPM2, LMS and EDM, else VP

A DDIMInverse scheduler begins with START as the picture. The first level of an IPNDM scheduler is infinite; its first step
is left out, so that its runs have one step less.

For a flow (FlowMatch* and use_flow_sigmas) sigmas are times t, and states x_t = (1 - t) y + t n.
"""
import importlib
import json
import math
import pathlib

import diffusers
import numpy as np
import torch

START = [1.2 * math.cos(1 + 2 * j) for j in range(4)]
NOISE = [[1.3 * math.sin(1.7 * i + 0.9 * j + 0.3) for j in range(4)] for i in range(64)]
VE = ("EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete", "KDPM2Discrete", "LMSDiscrete", "EDMEuler",
      "EDMDPMSolverMultistep")


class Double:
    """A module whose float32 is float64."""

    def __init__(self, module):
        self._module = module
        self.float32 = module.float64

    def __getattr__(self, name):
        return getattr(self._module, name)


def double_precision(module, on):
    torch.set_default_dtype(torch.float64 if on else torch.float32)
    module.torch = Double(torch) if on else torch
    if hasattr(module, "np"):
        module.np = Double(np) if on else np


def network(x, t, is_small):
    return 0.3 * x + 0.1 * math.sin(t.item() if is_small else t.item() / 100)


def sample(name, module, config, steps, eta):
    """eta: None, or what step() is told."""
    dtype = torch.get_default_dtype()
    kind = getattr(diffusers, name + "Scheduler")
    scheduler = kind(**config)
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):  # else it looks for its place by timestep, which can come twice
        scheduler.set_begin_index(0)
    timesteps = scheduler.timesteps
    order = 2 if name in ("HeunDiscrete", "KDPM2Discrete", "FlowMatchHeunDiscrete") else 1
    x = torch.tensor(START, dtype=dtype).reshape(1, 1, 2, 2) * getattr(scheduler, "init_noise_sigma", 1.0)
    first = x.clone()
    states, told, index = [], [], 0
    drawn = lambda *_, **__: torch.tensor(NOISE[len(states)], dtype=dtype).reshape(1, 1, 2, 2)
    module.randn_tensor = drawn
    while index < len(timesteps):
        told.append(timesteps[index].item())
        evaluations = order if index + 1 < len(timesteps) else 1
        if name == "PNDM" and not config.get("skip_prk_steps"):
            evaluations = 4 if len(states) < 3 else 1
        elif name == "PNDM" and index == 0 and steps > 1:
            evaluations = 2
        for _ in range(evaluations):
            t = timesteps[index]
            scaled = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
            output = network(scaled, t, name in ("EDMEuler", "EDMDPMSolverMultistep", "IPNDM"))
            extra = {"eta": eta} if eta is not None else {}
            x = scheduler.step(output, t, x, **extra).prev_sample
            index += 1
        states.append(x.flatten().tolist())
    assert len(states) == len(told) and torch.isfinite(x).all(), (name, config, steps)

    if name in ("DDPM", "DDIM", "PNDM", "LCM", "TCD", "DDIMInverse"):
        table = torch.sqrt((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod)
        end = 0.0
        if name in ("DDIM", "PNDM"):
            last = scheduler.final_alpha_cumprod
            end = torch.sqrt((1 - last) / last).item()
        if name == "TCD":
            end = table[0].item()
        sigmas = [table[int(t)].item() for t in told] + [end]
        if name == "DDIMInverse":
            first_alpha = scheduler.initial_alpha_cumprod
            sigmas = [torch.sqrt((1 - first_alpha) / first_alpha).item()] + sigmas[:-1]
    elif name == "IPNDM":
        sigmas = (scheduler.betas / scheduler.alphas).tolist()[1:]
        told, states = told[1:], states[1:]
    else:
        sigmas = scheduler.sigmas.tolist()
        if name in ("HeunDiscrete", "FlowMatchHeunDiscrete"):
            sigmas = sigmas[:1] + sigmas[1:-1:2] + sigmas[-1:]
        if name == "KDPM2Discrete":
            sigmas = sigmas[:1] + sigmas[1:-1:2]
    assert len(sigmas) == len(told) + 1, (name, config, steps, len(sigmas), len(told))
    std = (first.flatten()[0] / START[0]).item()
    if name == "IPNDM":
        std = sigmas[0]
    elif name not in VE and not is_flow(name, config):
        std *= math.sqrt(1 + sigmas[0] ** 2)
    return {"sigmas": sigmas, "timesteps": told, "initial_std": std, "states": states}


def is_flow(name, config):
    return name.startswith("FlowMatch") or config.get("use_flow_sigmas", False)


def digits(value):
    return float(f"{value:.12g}")


def run(name, config, steps, eta=None):
    module = importlib.import_module(getattr(diffusers, name + "Scheduler").__module__)
    double_precision(module, False)
    single = sample(name, module, config, steps, eta)
    double_precision(module, True)
    exact = sample(name, module, config, steps, eta)
    double_precision(module, False)
    f32 = max(abs(a - b) for a, b in zip(single["states"][-1], exact["states"][-1]))
    told = max(abs(a - b) for a, b in zip(single["timesteps"], exact["timesteps"]))
    levels = max(abs(a - b) / (a + 1e-9) for a, b in zip(single["sigmas"], exact["sigmas"]))
    if f32 > 1e-4 or told > 1e-2 or levels > 2e-4:
        print(f"{name} {config} {steps} steps: f32 changes the result by {f32:.1e}, timesteps by {told:.1e}, "
              f"sigmas by {levels:.1e} of their value")
    n = len(exact["timesteps"])
    at = [0, n // 2, n - 1]
    entry = {"class": name + "Scheduler", "config": config, "steps": steps,
             "sigmas": [digits(exact["sigmas"][i]) for i in at + [n]],
             "timesteps": [digits(exact["timesteps"][i]) for i in at], "initial_std": digits(exact["initial_std"]),
             "states": [[digits(v) for v in exact["states"][i]] for i in at], "f32": digits(f32)}
    return entry | ({"eta": eta} if eta is not None else {})


def configurations():
    """(class, config, and if step() is told it: eta)"""
    latent = dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    cosine = dict(beta_schedule="squaredcos_cap_v2")
    v = dict(prediction_type="v_prediction")
    zero_snr = latent | dict(rescale_betas_zero_snr=True, timestep_spacing="trailing") | v
    leading, trailing = (dict(timestep_spacing=s) for s in ("leading", "trailing"))
    threshold = dict(thresholding=True, dynamic_thresholding_ratio=0.7, sample_max_value=1.5)
    karras, exponential, beta = (dict([(f"use_{k}_sigmas", True)]) for k in ("karras", "exponential", "beta"))
    sigma_min = dict(final_sigmas_type="sigma_min")

    for config in ({}, trailing, dict(timestep_spacing="linspace"), cosine | v, dict(variance_type="fixed_large"), threshold,
                   zero_snr, dict(clip_sample_range=0.8), dict(prediction_type="sample")):
        yield "DDPM", config, None
    for config in ({}, trailing, dict(clip_sample=False), latent | dict(clip_sample=False, set_alpha_to_one=False,
                   steps_offset=1), threshold, zero_snr, cosine | v, dict(clip_sample=False, prediction_type="sample")):
        yield "DDIM", config, None
    yield "DDIM", dict(clip_sample=False) | trailing, 1.0
    yield "DDIM", {}, 0.5
    for config in (latent | dict(steps_offset=1), dict(set_alpha_to_one=True), cosine):
        yield "PNDM", config | dict(skip_prk_steps=True), None
    for config in ({}, leading | dict(steps_offset=1), trailing, latent | karras, latent | karras | leading, exponential,
                   latent | beta, cosine | v, zero_snr, latent | sigma_min, dict(prediction_type="sample"),
                   latent | karras | dict(sigma_min=0.05, sigma_max=12.0)):
        yield "EulerDiscrete", config, None
    for config in ({}, latent | leading | dict(steps_offset=1), trailing | v, zero_snr):
        yield "EulerAncestralDiscrete", config, None
    for config in ({}, karras, beta, trailing | v, dict(clip_sample=True, clip_sample_range=1.5), latent | leading):
        yield "HeunDiscrete", config, None
    for config in ({}, karras, latent | exponential, trailing | v):
        yield "KDPM2Discrete", config, None
    for config in ({}, latent | karras, leading | v, latent | trailing):
        yield "LMSDiscrete", config, None
    for config in ({}, dict(solver_order=1), dict(solver_order=3), latent | karras, karras | dict(solver_order=3), trailing,
                   latent | leading | dict(steps_offset=1), latent | dict(use_lu_lambdas=True, euler_at_final=True),
                   exponential, latent | beta, v | cosine | dict(lambda_min_clipped=-5.1), cosine | karras,
                   threshold | latent, zero_snr, dict(prediction_type="sample"), sigma_min,
                   latent | karras | sigma_min,
                   dict(algorithm_type="sde-dpmsolver++"), latent | karras | dict(algorithm_type="sde-dpmsolver++"),
                   dict(algorithm_type="sde-dpmsolver++", solver_order=1)):
        yield "DPMSolverMultistep", config, None
    for config in ({}, dict(solver_order=3), latent | karras, latent | karras | dict(solver_order=3), trailing | v,
                   latent | leading | dict(steps_offset=1), latent | exponential, beta, cosine, threshold | latent, zero_snr,
                   latent | sigma_min):
        yield "UniPCMultistep", config, None
    for config in ({}, dict(solver_order=1), dict(solver_order=3), latent | karras, latent | karras | dict(solver_order=3),
                   trailing | v, latent | exponential, threshold | latent):
        yield "DEISMultistep", config, None
    yield from more_of_the_classes_above(latent, cosine, v, zero_snr, leading, trailing, threshold, karras, exponential, beta,
                                         sigma_min)

    shift = dict(shift=3.0)
    for config in ({}, shift, dict(shift=0.5, num_train_timesteps=500), karras, shift | karras, exponential, shift | beta,
                   dict(shift_terminal=0.1), shift | dict(shift_terminal=0.02)):
        yield "FlowMatchEulerDiscrete", config, None
    for config in ({}, shift):
        yield "FlowMatchHeunDiscrete", config, None
    flow = dict(use_flow_sigmas=True, prediction_type="flow_prediction")
    flow_3 = flow | dict(flow_shift=3.0)
    for config in (flow, flow_3, flow | dict(solver_order=3), flow_3 | dict(algorithm_type="sde-dpmsolver++"),
                   flow | threshold | dict(solver_order=1), flow_3 | dict(lower_order_final=False, num_train_timesteps=200)):
        yield "DPMSolverMultistep", config, None
    for config in (flow, flow_3, flow_3 | dict(solver_order=3), flow | dict(shift_terminal=0.1), flow | sigma_min):
        yield "UniPCMultistep", config, None
    for config in (flow, flow_3 | dict(solver_order=3)):
        yield "DEISMultistep", config, None

    edm = dict(sigma_data=0.7, sigma_min=0.01, sigma_max=30.0, rho=5.0)
    for config in ({}, dict(sigma_schedule="exponential"), edm, sigma_min):
        yield "EDMEuler", config, None
    yield from few_steps(latent, cosine, v, threshold)
    yield from solvers_of_other_forms(latent, cosine, v, leading, trailing, threshold, karras, exponential, beta, sigma_min,
                                      edm, flow, flow_3)
    yield from upwards(latent, cosine, v, trailing)


def more_of_the_classes_above(latent, cosine, v, zero_snr, leading, trailing, threshold, karras, exponential, beta,
                              sigma_min):
    """Fields together that change the same numbers."""
    sample, sigmoid = dict(prediction_type="sample"), dict(beta_schedule="sigmoid")
    offset = leading | dict(steps_offset=1)
    linear_zero_snr = v | trailing | dict(rescale_betas_zero_snr=True)
    for config in (latent | offset, sigmoid | trailing, dict(variance_type="fixed_small_log"), v | threshold, zero_snr | threshold,
                   linear_zero_snr, dict(num_train_timesteps=100) | cosine | trailing, zero_snr | leading):
        yield "DDPM", config, None
    for config in (linear_zero_snr, v | threshold, cosine | sample | trailing,
                   latent | offset | v | dict(clip_sample_range=2.0)):
        yield "DDIM", config, None
    yield "DDIM", zero_snr | dict(clip_sample=False), None
    for config in (trailing, latent | dict(set_alpha_to_one=True, steps_offset=1)):
        yield "PNDM", config | dict(skip_prk_steps=True), None
    for config in ({}, latent | dict(steps_offset=1), dict(set_alpha_to_one=True)):
        yield "PNDM", config, None
    for config in (latent | karras | v | offset, latent | exponential | trailing, beta | v, sample | karras,
                   zero_snr | karras, linear_zero_snr, zero_snr | sigma_min):
        yield "EulerDiscrete", config, None
    for config in (cosine | v, linear_zero_snr):
        yield "EulerAncestralDiscrete", config, None
    for config in (latent | karras | v, exponential | sample, latent | beta | trailing):
        yield "HeunDiscrete", config, None
    for config in (latent | beta, leading | v, v | karras):
        yield "KDPM2Discrete", config, None
    for config in (latent | exponential, latent | beta | v, sample):
        yield "LMSDiscrete", config, None
    third, full, lu = dict(solver_order=3), dict(lower_order_final=False), dict(use_lu_lambdas=True)
    sde = dict(algorithm_type="sde-dpmsolver++")
    for config in (full, full | third | sigma_min, sigma_min | dict(euler_at_final=True), full | sigma_min | sde,
                   sigma_min | third | dict(euler_at_final=True), v | karras, sample | karras | third, cosine | exponential,
                   v | trailing | third, latent | offset | third, zero_snr | third, zero_snr | sde, lu | cosine, lu | v | third,
                   threshold | v | third, linear_zero_snr, zero_snr | karras, zero_snr | lu):
        yield "DPMSolverMultistep", config, None
    for config in (full | sigma_min, full | sigma_min | third, third | trailing, latent | beta | third, exponential | v,
                   sample | karras, linear_zero_snr, zero_snr | third, zero_snr | karras, threshold | v | third):
        yield "UniPCMultistep", config, None
    for config in (full, full | third, latent | beta, v | leading, sample | third):
        yield "DEISMultistep", config, None
    heun, bh1 = dict(solver_type="heun"), dict(solver_type="bh1")
    for config in (heun, heun | third, heun | sde, heun | latent | karras, heun | full | sigma_min, heun | dict(solver_order=1)):
        yield "DPMSolverMultistep", config, None
    for config in ({}, third, latent | karras, full, v | trailing):  # a last step to 0 is NaN with bh1
        yield "UniPCMultistep", bh1 | sigma_min | config, None
    trained = dict(num_train_timesteps=60, trained_betas=[round(2e-3 * 1.08 ** i, 6) for i in range(60)])
    for name, config in (("DDPM", v | trailing), ("DDIM", dict(clip_sample=False)), ("EulerDiscrete", karras),
                         ("DPMSolverMultistep", cosine | karras), ("UniPCMultistep", linear_zero_snr)):
        yield name, config | trained, None


def few_steps(latent, cosine, v, threshold):
    """Models that are distilled, and whatever else is sampled as they are."""
    clip, sample = dict(clip_sample=True), dict(prediction_type="sample")
    zero_snr = dict(rescale_betas_zero_snr=True)
    for config in ({}, v, cosine | sample, clip, threshold, dict(timestep_scaling=0.02),
                   dict(original_inference_steps=100, num_train_timesteps=500), v | zero_snr,
                   clip | v | dict(timestep_scaling=0.1, clip_sample_range=0.8, original_inference_steps=70)):
        yield "LCM", config, None
    for config in ({}, v, cosine | sample, clip, dict(original_inference_steps=70), v | zero_snr):
        yield "TCD", config, None
    for eta in (0.0, 0.55, 1.0):
        yield "TCD", v, eta


def solvers_of_other_forms(latent, cosine, v, leading, trailing, threshold, karras, exponential, beta, sigma_min, edm, flow,
                           flow_3):
    first, third, full = dict(solver_order=1), dict(solver_order=3), dict(lower_order_final=False)
    heun, sde, sample = dict(solver_type="heun"), dict(algorithm_type="sde-dpmsolver++"), dict(prediction_type="sample")
    for config in ({}, first, third, heun, heun | third, sde, sde | third, sde | heun, sde | first, v | karras,
                   latent | karras | third, exponential, latent | beta, cosine | karras, cosine | v | third, threshold | latent,
                   sigma_min, sigma_min | third, sigma_min | third | heun, sigma_min | dict(lower_order_final=True),
                   sigma_min | third | dict(lower_order_final=True), sigma_min | latent | karras, sample | third,
                   v | cosine | dict(lambda_min_clipped=-5.1), flow, flow_3 | third, flow_3 | sde):
        yield "DPMSolverSinglestep", config, None
    for config in ({}, first, third, heun, full, sde, sde | heun, sde | first, threshold, sigma_min, third | sigma_min | dict(euler_at_final=True),
                   dict(euler_at_final=True), dict(sigma_schedule="exponential"), edm, edm | third | full):
        yield "EDMDPMSolverMultistep", config, None
    orders = lambda predictor, corrector: dict(predictor_order=predictor, corrector_order=corrector)
    for config in ({}, orders(1, 1), orders(1, 2), orders(2, 3), orders(3, 2), orders(3, 3), orders(3, 4), full,
                   full | orders(3, 3), v | karras, latent | karras | orders(3, 3), latent | exponential, latent | beta,
                   cosine | v, latent | leading | dict(steps_offset=1), trailing | v, threshold | latent, sample,
                   v | cosine | dict(lambda_min_clipped=-5.1), dict(num_train_timesteps=500), dict(num_train_timesteps=150),
                   flow, flow_3 | orders(3, 3)):
        yield "SASolver", config, None
    for config in ({}, dict(num_train_timesteps=200)):
        yield "IPNDM", config, None


def upwards(latent, cosine, v, trailing):
    unlimited, sample = dict(clip_sample=False), dict(prediction_type="sample")
    for config in ({}, unlimited, v, cosine | v | unlimited, trailing, latent | dict(steps_offset=1, set_alpha_to_one=False),
                   unlimited | sample | dict(steps_offset=1, set_alpha_to_one=False), dict(clip_sample_range=2.0)):
        yield "DDIMInverse", config, None


def main():
    runs = [run(name, config, steps, eta) for name, config, eta in configurations() for steps in (10, 20, 50)]
    path = pathlib.Path(__file__).resolve().parent / "schedules_samplers.json"
    head = json.dumps({"diffusers": diffusers.__version__, "start": START})[:-1]
    text = head + ', "runs": [\n' + ",\n".join(json.dumps(r) for r in runs) + "\n]}\n"
    json.loads(text)
    path.write_text(text)
    print(len(runs), "runs,", path.stat().st_size, "bytes; f32 changes a result by at most",
          max(r["f32"] for r in runs))


if __name__ == "__main__":
    main()
