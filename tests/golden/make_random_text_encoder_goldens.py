#!/usr/bin/env python3
"""Writes text_encoder_random.json: 36 randomly drawn CLIPTextModels of Hugging Face transformers, a part of their outputs,
and digests of all their gradients. Weights and tokens are not stored: both sides compute them with the formula in
golden_uniform.py. The C++ test only reads the file; it needs no Python.

    python3 -m venv /tmp/golden-venv
    /tmp/golden-venv/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
    /tmp/golden-venv/bin/pip install transformers safetensors numpy
    /tmp/golden-venv/bin/python tests/golden/make_random_text_encoder_goldens.py

Each case of the file has
    config      fields of the config.json, as drawn; fields that are left out have their defaults
    written     the config.json that we write for it; this script loads it in transformers, with weights whose names have
                "text_model." before them, and gets the same network
    saved       in the first cases: the config.json that transformers writes
    texts       the batch
    tokens      of each text: token i of the batch is floor((u + 1) / 2 * vocab_size), u number i by the formula
    f32, f64    VALUES values of last_hidden_state [N,T,C], the first, the last, and evenly between, in float32 and float64
    mean, std   of the whole output in float64
    keys        hash() of the names of all parameters, with "text_model." before them
    grads       of sum(last_hidden_state * loss) in float64, loss by the formula: the norm and the product with uniform
                numbers of the gradient of every parameter in the order of their names
"""
import itertools
import json
import pathlib
import random
import tempfile

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

from golden_network import digest, gradient_error, hash_of, some, uniforms, weights

HERE = pathlib.Path(__file__).resolve().parent
CASES, VALUES, SAVED = 36, 24, 4
TOKENS, LOSS, DIGEST, PER_CASE = 1000, 1001, 1002, 2000  # numbers of tensors
PREFIX = "text_model."  # of names in files that transformers before version 5 has written
ACTIVATIONS = ["quick_gelu", "gelu", "gelu_new", "gelu_pytorch_tanh", "silu", "swish", "mish", "relu"]


def draw(rng, number):
    """A configuration, and what is not in it. The number walks through the kinds, so that none is missed."""
    heads = rng.choice([1, 2, 3, 4, 8])
    positions = rng.choice([1, 5, 16, 33, 77])
    config = dict(
        hidden_size=heads * rng.choice([1, 2, 3, 5, 8, 16]),
        num_attention_heads=heads,
        intermediate_size=rng.choice([1, 7, 16, 24, 50, 64, 100]),
        num_hidden_layers=1 + number % 4,
        vocab_size=rng.choice([2, 17, 100, 1000]),
        max_position_embeddings=positions,
    )
    if config["hidden_size"] < 4:  # a layer norm of one or two values says little
        config["hidden_size"] *= 8
    optional = dict(hidden_act=ACTIVATIONS[number % 8], layer_norm_eps=rng.choice([1e-6, 1e-5, 1e-3, 0.1]))
    config |= {field: value for field, value in optional.items() if number < 8 or rng.random() < 0.8}
    return dict(config=config, texts=1 + number % 3, tokens=positions if number % 2 else rng.randint(1, positions))


def as_written(config):
    """What we write for a model's config."""
    names = {"gelu_pytorch_tanh": "gelu_new", "swish": "silu"}
    same = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "max_position_embeddings", "layer_norm_eps")
    last = config["vocab_size"] - 1
    return {field: config[field] for field in same} | {
        "hidden_act": names.get(config["hidden_act"], config["hidden_act"]), "projection_dim": config["hidden_size"],
        "architectures": ["CLIPTextModel"], "model_type": "clip_text_model",
        "bos_token_id": last - 1, "eos_token_id": last, "pad_token_id": last}


def files(model):
    """The config.json that we write, after transformers has made the same network of it, and the one that transformers
    writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        model.config.save_pretrained(folder)
        saved = json.loads((path / "config.json").read_text())
        written = as_written(model.config.to_dict())
        (path / "config.json").write_text(json.dumps(written))
        save_file({PREFIX + key: tensor for key, tensor in model.state_dict().items()}, path / "model.safetensors",
                  metadata={"format": "pt"})
        loaded, report = transformers.CLIPTextModel.from_pretrained(folder, output_loading_info=True)
        assert not any(report[part] for part in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
        assert all(torch.equal(tensor, model.state_dict()[key]) for key, tensor in loaded.state_dict().items())
        tokens = torch.zeros(1, 1, dtype=torch.int64)
        same_activation = torch.allclose(loaded(tokens).last_hidden_state, model(tokens).last_hidden_state, atol=1e-6)
        assert same_activation and as_written(loaded.config.to_dict()) == written
        return written, saved


def run(model, first, tokens):
    """The output and the gradients of all parameters."""
    model.zero_grad()
    output = model(tokens).last_hidden_state
    (output * uniforms(first + LOSS, output.shape, np.sqrt(3.0)).to(output.dtype)).sum().backward()
    return output.detach(), [p.grad.clone() for _, p in sorted(model.named_parameters())]


def compute(number, case):
    """The model in f32, and its output and gradients in f32 and f64."""
    first = PER_CASE * number
    model = transformers.CLIPTextModel(transformers.CLIPTextConfig(**case["config"])).eval()
    model.load_state_dict({key: weights(key, tuple(tensor.shape), first + i, "-", 1)
                           for i, (key, tensor) in enumerate(sorted(model.state_dict().items()))})
    rows = case["config"]["vocab_size"]
    tokens = ((uniforms(first + TOKENS, (case["texts"], case["tokens"])).double() + 1) / 2 * rows).long()
    f32 = run(model, first, tokens)
    f64 = run(model.double(), first, tokens)
    return model.float(), f32, f64


def agreeable(number):
    """A case that f32 arithmetic computes well enough, and all its results."""
    for attempt in itertools.count():
        case = draw(random.Random(number + 1000 * attempt), number)
        model, f32, f64 = compute(number, case)
        error = (f32[0].double() - f64[0]).abs().max().item()
        if error <= 4e-6 and gradient_error(f32[1], f64[1], PER_CASE * number + DIGEST) <= 3e-5:
            return case, model, f32[0], *f64


def main():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    print("transformers", transformers.__version__, "torch", torch.__version__)
    cases = []
    for number in range(CASES):
        case, model, f32, f64, grads = agreeable(number)
        assert torch.isfinite(f64).all() and f64.std() > 0.5, number
        case["written"], saved = files(model)
        if number < SAVED:
            case["saved"] = saved
        case |= dict(f32=some(f32, VALUES), f64=some(f64, VALUES), mean=f64.mean().item(), std=f64.std(correction=0).item(),
                     keys=hash_of(PREFIX + key for key in model.state_dict()),
                     grads=[digest(grad, PER_CASE * number + DIGEST) for grad in grads])
        cases.append(case)
        print(f"{number:2d} {f64.numel():6d} values, std {f64.std():.2f}, |f32 - f64| {(f32.double() - f64).abs().max():.1e}, "
              f"{len(grads)} gradients", flush=True)
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "text_encoder_random.json").write_text(
        f'{{"transformers": "{transformers.__version__}", "torch": "{torch.__version__}", "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
