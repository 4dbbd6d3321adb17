#!/usr/bin/env python3
"""Writes unet_NAME.json and unet_NAME.safetensors: small UNet2DModels of Hugging Face diffusers with random
weights, one forward and one backward pass each. The C++ tests only read these files; they need no Python.

    python3 -m venv /tmp/golden-venv
    /tmp/golden-venv/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
    /tmp/golden-venv/bin/pip install diffusers safetensors numpy
    /tmp/golden-venv/bin/python tests/golden/make_unet_goldens.py

The JSON is what diffusers saves. The safetensors file, all f32, holds
    param/KEY           every entry of the state dict
    input/sample        [N,C,H,W]
    input/timestep      [N]
    input/class_labels  [N], or [N,temb] for class_embed_type "identity"; absent without class conditioning
    output              [N,Cout,H,W]
    grad_output         [N,Cout,H,W], random
    grad/KEY            d sum(output * grad_output) / d KEY, for every parameter but the Fourier frequencies
    grad_input          the same for input/sample
Parameters and inputs are random numbers rounded to f32. All arithmetic is double, that of the time embedding
too, which diffusers does in f32; only the results are rounded.
"""
import json
import math
import pathlib
import tempfile
import zlib

import diffusers
import numpy as np
import torch
from diffusers.models import embeddings
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent
DOWN, ATTN_DOWN, UP, ATTN_UP = "DownBlock2D", "AttnDownBlock2D", "UpBlock2D", "AttnUpBlock2D"


def small(down, up, channels, groups=4, **fields):
    """A configuration: block types, block_out_channels, norm_num_groups; the rest from `fields`."""
    fields = dict(sample_size=8, in_channels=1, out_channels=1, layers_per_block=1) | fields
    blocks = dict(down_block_types=down, up_block_types=up, block_out_channels=channels)
    return blocks | dict(norm_num_groups=groups) | fields


# name: (config, timesteps, class labels). Between them they move every field off its default.
CASES = {
    # The fields of google/ddpm-*: one head per block, asymmetric padding, [sin, cos]; 28 -> 14 -> 7.
    "google": (small((DOWN, ATTN_DOWN, DOWN), (UP, ATTN_UP, UP), (4, 8, 8), 2, sample_size=28, in_channels=3,
                     out_channels=3, attention_head_dim=None, downsample_padding=0, flip_sin_to_cos=False,
                     freq_shift=1, norm_eps=1e-6), [417], None),
    # The fields of diffusers' training script: two layers; also a fractional timestep.
    "trainer": (small((DOWN, ATTN_DOWN), (ATTN_UP, UP), (8, 8), layers_per_block=2), [0, 999, 31.5], None),
    # Channels that do not fill blocks of 16, nor do concatenations start at one; attention last.
    "channels_18": (small((ATTN_DOWN, DOWN), (UP, ATTN_UP), (4, 18), 2, in_channels=4, out_channels=2,
                          attention_head_dim=2), [250], None),
    # An odd first width: the time embedding ends in a zero. Groups of three.
    "odd_width": (small((DOWN, DOWN), (UP, UP), (9, 9), 3, sample_size=[4, 6], in_channels=3, out_channels=3,
                        attention_head_dim=9), [12, 900, 3], None),
    # Scale and shift; the mid attention then has no group norm.
    "scale_shift": (small((DOWN, ATTN_DOWN), (ATTN_UP, UP), (8, 8), in_channels=3, out_channels=3,
                          attention_head_dim=4, resnet_time_scale_shift="scale_shift", act_fn="gelu"),
                    [100, 700, 5], None),
    # Scale and shift with resampling resnets, and a group norm of its own in the mid attention.
    "scale_shift_resnet": (small((ATTN_DOWN, DOWN), (ATTN_UP, UP), (8, 12), in_channels=3, out_channels=3,
                                 attn_norm_num_groups=2, time_embedding_dim=20, downsample_type="resnet",
                                 upsample_type="resnet", resnet_time_scale_shift="scale_shift"), [640], None),
    # "resnet" resampling, which only the attention blocks follow; a scaled middle; not square; an epsilon so
    # large that every norm shows it.
    "resnet_resample": (small((DOWN, ATTN_DOWN, DOWN), (ATTN_UP, UP, UP), (8, 8, 8), sample_size=[8, 12],
                              in_channels=3, out_channels=3, attention_head_dim=4, attn_norm_num_groups=2,
                              downsample_type="resnet", upsample_type="resnet", downsample_padding=0,
                              mid_block_scale_factor=1.414, act_fn="mish", norm_eps=0.05),
                        [77, 10, 505], None),
    "fourier": (small((DOWN, DOWN), (UP, UP), (8, 8), time_embedding_type="fourier", norm_eps=1e-6,
                      mid_block_scale_factor=math.sqrt(2)), [0.4, 3.25, 1.5], None),
    "learned": (small((DOWN, DOWN), (UP, UP), (8, 8), 2, time_embedding_type="learned",
                      num_train_timesteps=16, num_class_embeds=5, act_fn="relu"), [15, 0, 7], [4, 0, 4]),
    # Head width 3 of 8 channels: 2 heads, 6 inner channels.
    "class_timestep": (small((DOWN, ATTN_DOWN), (ATTN_UP, UP), (8, 8), class_embed_type="timestep",
                             center_input_sample=True, attention_head_dim=3), [321, 8, 950], [2, 40, 0]),
    "class_identity": (small((DOWN, DOWN), (UP, UP), (8, 10), 1, in_channels=3, out_channels=3,
                             class_embed_type="identity", add_attention=False, time_embedding_dim=24),
                       [55, 600, 1], "random"),
    # Widths at which a head width of null and of 8, the default, differ in nothing but the numbers.
    "no_mid_block": (small((DOWN, ATTN_DOWN), (ATTN_UP, UP), (4, 16), 2, out_channels=2, mid_block_type=None,
                           attention_head_dim=None), [444], None),
    # One level: nothing is resampled, so odd sizes work.
    "one_level": (small((ATTN_DOWN,), (UP,), (12,), sample_size=[5, 7], in_channels=3, out_channels=6,
                        time_embedding_dim=16), [2, 400, 998], None),
}


def sinusoids_in_double(timesteps, embedding_dim, flip_sin_to_cos=False, downscale_freq_shift=1, scale=1,
                        max_period=10000):
    """diffusers' get_timestep_embedding without its rounding to f32."""
    half = embedding_dim // 2
    exponent = -math.log(max_period) * torch.arange(half, dtype=torch.float64) / (half - downscale_freq_shift)
    angle = scale * timesteps.double()[:, None] * torch.exp(exponent)[None]
    parts = [angle.cos(), angle.sin()] if flip_sin_to_cos else [angle.sin(), angle.cos()]
    if embedding_dim % 2:
        parts.append(torch.zeros_like(angle[:, :1]))
    return torch.cat(parts, 1)


def randomize(model, rng):
    """Normal weights of gain about 1, norms and biases that matter; all exact in f32."""
    for key, p in model.named_parameters():
        values = rng.standard_normal(tuple(p.shape))
        if key == "time_proj.weight":
            values *= 1 if p.dim() == 2 else 0.5  # table or frequencies
        elif key == "class_embedding.weight":
            pass
        elif p.dim() >= 2:
            values *= (1.5 if "to_q" in key or "to_k" in key else 1) / math.sqrt(np.prod(p.shape[1:]))
        elif "norm" in key and key.endswith("weight"):
            values = 1 + 0.3 * values
        else:
            values *= 0.2
        if model.config.norm_eps < 1e-5 and key.startswith("conv_in"):
            values *= 0.01  # or 1e-6 and 1e-5 would be alike
        p.data = torch.from_numpy(values.astype(np.float32))


def make(name, config, timesteps, labels):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    model = diffusers.UNet2DModel(**config).eval()
    randomize(model, rng)
    params = {k: v.clone() for k, v in model.state_dict().items()}
    size = config["sample_size"]
    height, width = (size, size) if isinstance(size, int) else size
    n, temb = len(timesteps), model.time_embedding.linear_2.out_features

    def normal(*shape):
        return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))

    sample = normal(n, model.config.in_channels, height, width)
    grad_output = normal(n, model.config.out_channels, height, width)
    t = torch.tensor(timesteps, dtype=torch.float32)
    labels = normal(n, temb) if labels == "random" else None if labels is None else torch.tensor(labels)
    looked_up = config.get("time_embedding_type") == "learned"

    with torch.no_grad():  # plain diffusers in f32, to check what follows against
        plain = model(sample, t.long() if looked_up else t, labels).sample

    model.double()
    original, embeddings.get_timestep_embedding = embeddings.get_timestep_embedding, sinusoids_in_double
    x = sample.double().requires_grad_()
    wide_labels = labels.double() if labels is not None and labels.is_floating_point() else labels
    output = model(x, t.long() if looked_up else t.double(), wide_labels).sample
    embeddings.get_timestep_embedding = original
    (output * grad_output.double()).sum().backward()

    tensors = {"input/sample": sample, "input/timestep": t, "output": output.detach(),
               "grad_output": grad_output, "grad_input": x.grad}
    if labels is not None:
        tensors["input/class_labels"] = labels
    tensors |= {"param/" + k: v for k, v in params.items()}
    tensors |= {"grad/" + k: p.grad for k, p in model.named_parameters() if p.requires_grad}
    for key, value in tensors.items():
        assert value is not None and torch.isfinite(value).all(), f"{name}: {key}"
        # A bias of the keys shifts all scores of a query alike, which the softmax does not see.
        vanishes = key.endswith("to_k.bias")
        assert "grad" not in key or vanishes or value.abs().max() > 1e-6, f"{name}: {key} is zero"
    path = HERE / f"unet_{name}.safetensors"
    arrays = {k: np.ascontiguousarray(v.numpy().astype(np.float32)) for k, v in sorted(tensors.items())}
    save_file(arrays, path, metadata={"format": "pt"})
    with tempfile.TemporaryDirectory() as folder:
        model.save_config(folder)
        text = (pathlib.Path(folder) / "config.json").read_text()
    assert json.loads(text)["_class_name"] == "UNet2DModel"
    (HERE / f"unet_{name}.json").write_text(text)

    error = (plain.double() - output).abs().max().item()
    count = sum(p.numel() for p in params.values())
    print(f"{name:20} {count:6d} parameters {path.stat().st_size:7d} bytes  "
          f"output std {output.std().item():.2f}  |f32 - f64| {error:.1e}")
    assert error < 1e-3 and 0.1 < output.std() < 10


def main():
    torch.set_num_threads(1)
    print("diffusers", diffusers.__version__, "torch", torch.__version__)
    for name, (config, timesteps, labels) in CASES.items():
        make(name, config, timesteps, labels)


if __name__ == "__main__":
    main()
