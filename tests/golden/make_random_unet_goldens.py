#!/usr/bin/env python3
"""Writes unet_random.json: 48 randomly drawn UNet2DModels of Hugging Face diffusers and a part of their outputs. Weights
and inputs are not stored: both sides compute them with the formula in golden_uniform.py. The C++ test only reads the file; it
needs no Python.

    python3 -m venv /tmp/golden-venv
    /tmp/golden-venv/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
    /tmp/golden-venv/bin/pip install diffusers safetensors numpy
    /tmp/golden-venv/bin/python tests/golden/make_random_unet_goldens.py

Each case of the file has
    config      fields of the config.json, as drawn; fields that are left out have their defaults
    timesteps   one for each image of the batch
    labels      one for each image; "vectors" for class_embed_type "identity"; null without classes
    gain        factor of conv_out's weights and biases, so that diffusers' own rounding stays below 1e-5
    f32, f64    VALUES values of the output, the first, the last, and evenly between; diffusers in float32, and in float64
                with the time embedding in float64, too
    mean, std   of the whole output in float64
"""
import json
import pathlib
import random

import diffusers
import numpy as np
import torch
from diffusers.models import embeddings

from golden_network import uniforms, weights
from make_unet_goldens import ATTN_DOWN, ATTN_UP, DOWN, UP, sinusoids_in_double

HERE = pathlib.Path(__file__).resolve().parent
CASES, VALUES = 48, 24
SAMPLE, LABELS, PER_CASE = 1000, 1001, 2000  # numbers of tensors


def draw(rng, number):
    """A configuration, timesteps and labels. The number walks through the kinds, so that none is missed."""
    levels = 1 + number % 4
    groups = rng.choice([1, 2, 4, 8])
    # Widths that fill blocks of 8 or 16 channels and widths that do not, small ones for large images.
    most = 8 if number % 8 == 3 else 32
    widths = [rng.choice([w for w in (4, 6, 8, 9, 12, 16, 18, 20, 24, 32) if w % groups == 0 and w <= most])
              for _ in range(levels)]
    unit = 2 ** (levels - 1)
    largest = 40 if number % 8 == 3 else 16
    sides = [unit * rng.randint((8 + unit - 1) // unit, largest // unit) for _ in range(2)]
    if number % 3 == 0:
        sides[1] = sides[0]
    if number == 0:
        sides = [8, 8]
    if number == 3:
        sides = [64, 64]
    # Attention only where images are small: the cost grows with the fourth power of the side.
    small = [max(sides) >> level <= 24 for level in range(levels)]
    attends_down = [ok and rng.random() < 0.4 for ok in small]
    attends_up = [ok and rng.random() < 0.4 for ok in reversed(small)]
    add_attention = small[-1] and rng.random() < 0.7
    prefix = "UNetRes" if number % 16 == 5 else ""
    config = dict(
        sample_size=sides[0] if sides[0] == sides[1] else sides,
        in_channels=1 + number % 4,
        out_channels=(1 + number % 4) * (2 if number % 5 == 4 else 1) if number % 7 else rng.randint(1, 4),
        down_block_types=[prefix + (ATTN_DOWN if a else DOWN) for a in attends_down],
        up_block_types=[prefix + (ATTN_UP if a else UP) for a in attends_up],
        block_out_channels=widths,
        layers_per_block=1 + number % 3,
        norm_num_groups=groups,
        attention_head_dim=rng.choice([None, 1, 2, 3, 4]),
        add_attention=add_attention,
    )
    optional = dict(
        center_input_sample=rng.random() < 0.5,
        freq_shift=rng.choice([0, 1, 0.5]),
        flip_sin_to_cos=rng.random() < 0.5,
        mid_block_scale_factor=rng.choice([1, 1.4142135, 0.75]),
        downsample_padding=rng.choice([0, 1]),
        downsample_type=rng.choice(["conv", "resnet"]),
        upsample_type=rng.choice(["conv", "resnet"]),
        dropout=rng.choice([0.0, 0.1, 0.5]),
        act_fn=["silu", "swish", "mish", "gelu", "relu"][number % 5],
        norm_eps=rng.choice([1e-6, 1e-5, 0.01]),
        resnet_time_scale_shift=rng.choice(["default", "scale_shift"]),
        time_embedding_dim=rng.choice([None, 12, 20]),
        attn_norm_num_groups=rng.choice([None] + [g for g in (1, 2, 4) if widths[-1] % g == 0]),
        mid_block_type=rng.choice(["UNetMidBlock2D", "UNetMidBlock2D", "UNetMidBlock2D", None]),
    )
    config |= {field: value for field, value in optional.items() if rng.random() < 0.8}
    if config.get("freq_shift", 0) == widths[0] // 2:  # division by zero
        config["freq_shift"] = 0
    kind = ["positional", "positional", "positional", "fourier", "learned"][number % 5 if number % 2 else 0]
    count = 1 + number % 2
    timesteps = [rng.choice([0, 1, 17, 250, 500.5, 999]) for _ in range(count)]
    if kind != "positional":
        config["time_embedding_type"] = kind
    if kind == "fourier":
        timesteps = [rng.choice([1, 2.5, 31, 400]) for _ in range(count)]  # log(0) is not finite
    if kind == "learned":
        config["num_train_timesteps"] = 12
        timesteps = [rng.randrange(12) for _ in range(count)]
    labels = None
    classes = [None, "table", "timestep", "identity"][(number // 4) % 4]
    if classes == "table":
        config["num_class_embeds"] = 7
        labels = [rng.randrange(7) for _ in range(count)]
    elif classes == "timestep" and kind != "learned":
        config["class_embed_type"] = "timestep"
        labels = [rng.randint(1, 50) for _ in range(count)]
    elif classes == "identity":
        config["class_embed_type"] = "identity"
        labels = "vectors"
    return config, timesteps, labels


def compute(number, config, timesteps, labels, gain):
    """The outputs of diffusers in f32 and f64."""
    first = PER_CASE * number
    model = diffusers.UNet2DModel(**config).eval()
    state = {key: weights(key, tuple(tensor.shape), first + i, "conv_out.", gain)
             for i, (key, tensor) in enumerate(sorted(model.state_dict().items()))}
    model.load_state_dict(state)
    size = config["sample_size"]
    height, width = (size, size) if isinstance(size, int) else size
    n, width_of_embedding = len(timesteps), model.time_embedding.linear_2.out_features
    shape = (n, config["in_channels"], height, width)
    sample = uniforms(first + SAMPLE, shape, np.sqrt(3.0))
    if labels == "vectors":
        labels = uniforms(first + LABELS, (n, width_of_embedding))
    elif labels is not None:
        labels = torch.tensor(labels)
    looked_up = config.get("time_embedding_type") == "learned"
    t = torch.tensor(timesteps, dtype=torch.int64 if looked_up else torch.float32)
    with torch.no_grad():
        f32 = model(sample, t, labels).sample
        model.double()
        original, embeddings.get_timestep_embedding = embeddings.get_timestep_embedding, sinusoids_in_double
        wide = labels.double() if labels is not None and labels.is_floating_point() else labels
        f64 = model(sample.double(), t if looked_up else t.double(), wide).sample
        embeddings.get_timestep_embedding = original
    return f32.double().numpy().ravel(), f64.numpy().ravel()


def main():
    torch.set_num_threads(1)
    print("diffusers", diffusers.__version__, "torch", torch.__version__)
    cases = []
    for number in range(CASES):
        config, timesteps, labels = draw(random.Random(number), number)
        gain = 1.0
        while True:
            f32, f64 = compute(number, config, timesteps, labels, gain)
            error = np.abs(f32 - f64).max()
            if error <= 4e-6:
                break
            gain /= 2
        assert np.isfinite(f64).all() and f64.std() > 0.01, number
        places = [i * (len(f64) - 1) // (VALUES - 1) for i in range(VALUES)]
        cases.append(dict(config=config, timesteps=timesteps, labels=labels, gain=gain,
                          f32=[float(f"{v:.9g}") for v in f32[places]],
                          f64=[float(f"{v:.9g}") for v in f64[places]], mean=f64.mean(), std=f64.std()))
        print(f"{number:2d} {len(f64):6d} values, std {f64.std():.2f}, gain {gain:g}, |f32 - f64| {error:.1e}")
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "unet_random.json").write_text(
        f'{{"diffusers": "{diffusers.__version__}", "torch": "{torch.__version__}", "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
