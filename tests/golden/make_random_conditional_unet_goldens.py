#!/usr/bin/env python3
"""Writes conditional_unet_random.json: 36 randomly drawn UNet2DConditionModels of Hugging Face diffusers, a part of their
outputs, and digests of all their gradients. Weights and inputs are not stored: both sides compute them with the formula in
golden_uniform.py. The C++ test only reads the file; it needs no Python.

    python3 -m venv /tmp/golden-venv
    /tmp/golden-venv/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
    /tmp/golden-venv/bin/pip install diffusers safetensors numpy
    /tmp/golden-venv/bin/python tests/golden/make_random_conditional_unet_goldens.py

Each case of the file has
    config      fields of the config.json, as drawn; fields that are left out have their defaults
    written     the config.json that we write for it; this script loads it in diffusers and gets the same network
    saved       in the first cases: the config.json that diffusers writes
    timesteps   one for each image of the batch
    labels      one for each image; "vectors" where the network takes vectors; null without classes
    tokens      of each text
    masked      whether there is an encoder_attention_mask
    gain        factor of conv_out's weights and biases, 1 or 0.5, so that diffusers' own rounding stays below 4e-6; networks
                that would need less, or whose gradients it rounds by more than 3e-5, are not taken
    f32, f64    VALUES values of the output, the first, the last, and evenly between; diffusers in float32, and in float64
                with the time embedding in float64, too
    mean, std   of the whole output in float64
    keys        hash() of the names of all parameters
    grads       of sum(output * loss) in float64, loss by the formula: the norm and the product with uniform numbers of the
                gradient of the sample, the words, and every parameter in the order of their names
    grad_sample, grad_words  VALUES values of these two, in diffusers' layout
"""
import itertools
import json
import pathlib
import random
import tempfile

import diffusers
import numpy as np
import torch
from diffusers.models import embeddings

from golden_network import digest, gradient_error, hash_of, some, uniforms, weights
from make_unet_goldens import sinusoids_in_double

HERE = pathlib.Path(__file__).resolve().parent
CASES, VALUES, SAVED = 36, 24, 4
DOWN, ATTN_DOWN, UP, ATTN_UP = "DownBlock2D", "CrossAttnDownBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"
MIDDLES = ["UNetMidBlock2DCrossAttn", "UNetMidBlock2D", None]
ACTIVATIONS = ["silu", "swish", "mish", "gelu", "relu"]
SAMPLE, LABELS, WORDS, MASK, LOSS, DIGEST, PER_CASE = 1000, 1001, 1002, 1003, 1004, 1005, 2000  # numbers of tensors


def draw(rng, number):
    """A configuration, and what is not in it. The number walks through the kinds, so that none is missed."""
    levels = 1 + number % 4
    groups = rng.choice([1, 2, 4])
    widths = [rng.choice([w for w in (4, 6, 8, 9, 12, 16, 18, 20, 24, 32) if w % groups == 0]) for _ in range(levels)]
    unit = 2 ** (levels - 1)
    sides = [unit * rng.randint((6 + unit - 1) // unit, 16 // unit) for _ in range(2)]
    if number % 3 == 0:
        sides[1] = sides[0]

    def one_or_list(draw_one, listed):
        return [draw_one(i) for i in range(levels)] if listed else draw_one(None)

    config = dict(
        sample_size=sides[0] if sides[0] == sides[1] else sides,
        in_channels=1 + number % 4,
        out_channels=rng.randint(1, 4),
        down_block_types=[rng.choice([DOWN, ATTN_DOWN, ATTN_DOWN]) for _ in range(levels)],
        up_block_types=[rng.choice([UP, ATTN_UP, ATTN_UP]) for _ in range(levels)],
        mid_block_type=MIDDLES[(0, 1, 0, 0, 2, 0, 1)[number % 7]],
        block_out_channels=widths,
        layers_per_block=one_or_list(lambda _: rng.randint(1, 2 if levels > 2 else 3), number % 2),
        norm_num_groups=groups,
        cross_attention_dim=one_or_list(lambda _, width=rng.choice([1, 5, 8, 12, 16, 24, 33]): width, number % 5 == 2),
        # Of 9 channels, 4 heads use 8; a level's heads need not divide its channels.
        attention_head_dim=one_or_list(lambda i: rng.randint(1, min(5, min(widths) if i is None else widths[i])),
                                       number % 3),
    )
    optional = dict(
        center_input_sample=rng.random() < 0.5,
        flip_sin_to_cos=rng.random() < 0.5,
        freq_shift=rng.choice([0, 1]),
        only_cross_attention=one_or_list(lambda _: rng.random() < 0.6, number % 4 > 1),
        downsample_padding=rng.choice([0, 1]),
        mid_block_scale_factor=rng.choice([1, 1.4142135, 0.75]),
        dropout=rng.choice([0.0, 0.1, 0.5]),
        act_fn=ACTIVATIONS[number % 5],
        norm_eps=rng.choice([1e-6, 1e-5, 0.01]),
        transformer_layers_per_block=one_or_list(lambda _: rng.randint(1, 2), number % 2 == 0),
        use_linear_projection=rng.random() < 0.5,
        resnet_time_scale_shift=rng.choice(["default", "scale_shift"]),
        time_embedding_dim=rng.choice([None, 12, 20]),
        time_embedding_act_fn=rng.choice([None] + ACTIVATIONS),
        timestep_post_act=rng.choice([None] + ACTIVATIONS),
        conv_in_kernel=rng.choice([1, 3, 5]),
        conv_out_kernel=rng.choice([1, 3, 5]),
        upcast_attention=rng.random() < 0.5,  # changes nothing in f32
        resnet_out_scale_factor=2.0,  # of blocks that we do not have
    )
    config |= {field: value for field, value in optional.items() if rng.random() < 0.8}
    if config.get("freq_shift", 0) == widths[0] // 2:  # division by zero
        config["freq_shift"] = 0
    count = 1 + number % 3
    labels = None
    classes = [None, "table", "timestep", "identity", "projection", "simple_projection"][(number * 5 // 4) % 6]
    if classes == "table":
        config["num_class_embeds"] = 7
        labels = [rng.randrange(7) for _ in range(count)]
    elif classes:
        config["class_embed_type"] = classes
        labels = [rng.randint(1, 50) for _ in range(count)] if classes == "timestep" else "vectors"
    if classes in ("projection", "simple_projection"):
        config["projection_class_embeddings_input_dim"] = rng.choice([1, 7, 16])
    if classes and rng.random() < 0.5:
        config["class_embeddings_concat"] = True
    return dict(config=config, timesteps=[rng.choice([0, 1, 17, 250, 500.5, 999]) for _ in range(count)], labels=labels,
                tokens=[1, 77, 2, 7, 16, 33, 5, 20, 64, 3][number % 10], masked=rng.random() < 0.5)


def as_written(config):
    """What we write for a model's config: lists for each level become one number where all are the same."""
    levels = len(config["block_out_channels"])

    def one(value):
        return value[0] if isinstance(value, list) and len(set(value)) == 1 else value

    def activation(name):
        return "silu" if name == "swish" else name

    only = config["only_cross_attention"]
    same = ("in_channels", "out_channels", "center_input_sample", "flip_sin_to_cos", "freq_shift", "down_block_types",
            "up_block_types", "mid_block_type", "block_out_channels", "downsample_padding", "norm_num_groups",
            "use_linear_projection", "class_embed_type", "num_class_embeds", "projection_class_embeddings_input_dim",
            "class_embeddings_concat", "resnet_time_scale_shift", "time_embedding_dim", "conv_in_kernel", "conv_out_kernel")
    return {field: config[field] for field in same} | {
        field: one(config[field]) for field in ("sample_size", "layers_per_block", "cross_attention_dim",
                                                "transformer_layers_per_block", "attention_head_dim")} | {
        field: float(config[field]) for field in ("mid_block_scale_factor", "dropout", "norm_eps")} | {
        field: activation(config[field]) for field in ("act_fn", "time_embedding_act_fn", "timestep_post_act")} | {
        "only_cross_attention": [only] * levels if isinstance(only, bool) else only,
        "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.30.3"}


def shapes(model):
    return {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}


def files(model):
    """The config.json that we write, after diffusers has made the same network of it, and the one that diffusers writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "config.json"
        model.save_config(folder)
        saved = json.loads(path.read_text())
        written = as_written(saved)
        path.write_text(json.dumps(written))
        loaded = diffusers.UNet2DConditionModel.from_config(diffusers.UNet2DConditionModel.load_config(folder))
        assert shapes(loaded) == shapes(model)
        assert as_written(dict(loaded.config)) == written
        return written, saved


def inputs(model, first, case):
    """sample, timesteps, words, labels, mask in f32."""
    config, n = model.config, len(case["timesteps"])
    size = config.sample_size
    sides = (size, size) if isinstance(size, int) else size
    width = config.cross_attention_dim
    width = width if isinstance(width, int) else width[0]
    labels = case["labels"]
    if labels == "vectors":
        numbers = (model.time_embedding.linear_2.out_features if config.class_embed_type == "identity"
                   else config.projection_class_embeddings_input_dim)
        labels = uniforms(first + LABELS, (n, numbers))
    elif labels is not None:
        labels = torch.tensor(labels)
    mask = None
    if case["masked"]:
        mask = uniforms(first + MASK, (n, case["tokens"])) > -0.3
        mask[:, 0] = True
    return (uniforms(first + SAMPLE, (n, config.in_channels, *sides), np.sqrt(3.0)),
            torch.tensor(case["timesteps"], dtype=torch.float32),
            uniforms(first + WORDS, (n, case["tokens"], width), np.sqrt(3.0)), labels, mask)


def run(model, first, sample, t, words, labels, mask):
    """The output and the gradients of the sample, the words and all parameters."""
    model.zero_grad()
    sample, words = sample.clone().requires_grad_(), words.clone().requires_grad_()
    output = model(sample, t, words, labels, encoder_attention_mask=mask).sample
    (output * uniforms(first + LOSS, output.shape, np.sqrt(3.0)).to(output.dtype)).sum().backward()
    if words.grad is None:  # no block attends
        words.grad = torch.zeros_like(words)
    return output.detach(), [sample.grad, words.grad] + [p.grad.clone() for _, p in sorted(model.named_parameters())]


def compute(number, case, gain):
    """The model, and its output and gradients in f32 and f64."""
    first = PER_CASE * number
    model = diffusers.UNet2DConditionModel(**case["config"]).eval()
    model.load_state_dict({key: weights(key, tuple(tensor.shape), first + i, "conv_out.", gain)
                           for i, (key, tensor) in enumerate(sorted(model.state_dict().items()))})
    sample, t, words, labels, mask = inputs(model, first, case)
    f32 = run(model, first, sample, t, words, labels, mask)
    model.double()
    original, embeddings.get_timestep_embedding = embeddings.get_timestep_embedding, sinusoids_in_double
    wide = labels.double() if labels is not None and labels.is_floating_point() else labels
    f64 = run(model, first, sample.double(), t.double(), words.double(), wide, mask)
    embeddings.get_timestep_embedding = original
    return model, f32, f64


def agreeable(number):
    """A case that f32 arithmetic computes well enough, and all its results."""
    for attempt in itertools.count():
        case = draw(random.Random(number + 1000 * attempt), number)
        for gain in (1.0, 0.5):
            model, f32, f64 = compute(number, case, gain)
            error = (f32[0].double() - f64[0]).abs().max().item()
            if error <= 4e-6 and gradient_error(f32[1], f64[1], PER_CASE * number + DIGEST) <= 3e-5:
                return case | dict(gain=gain), model, f32[0], *f64


def main():
    diffusers.utils.logging.set_verbosity_error()
    torch.set_num_threads(1)
    print("diffusers", diffusers.__version__, "torch", torch.__version__)
    cases = []
    for number in range(CASES):
        case, model, f32, f64, grads = agreeable(number)
        assert torch.isfinite(f64).all() and f64.std() > 0.1, number
        case["written"], saved = files(model)
        if number < SAVED:
            case["saved"] = saved
        case |= dict(f32=some(f32, VALUES), f64=some(f64, VALUES), mean=f64.mean().item(), std=f64.std(correction=0).item(),
                     keys=hash_of(model.state_dict()), grads=[digest(grad, PER_CASE * number + DIGEST) for grad in grads],
                     grad_sample=some(grads[0], VALUES), grad_words=some(grads[1], VALUES))
        cases.append(case)
        print(f"{number:2d} {f64.numel():6d} values, std {f64.std():.2f}, gain {case['gain']:g}, "
              f"|f32 - f64| {(f32.double() - f64).abs().max():.1e}, {len(grads)} gradients", flush=True)
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "conditional_unet_random.json").write_text(
        f'{{"diffusers": "{diffusers.__version__}", "torch": "{torch.__version__}", "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
