#!/usr/bin/env python3
"""diffusers' UNet2DModel in plain torch.nn, for speed comparisons: same configuration file, same state dict,
same numbers, nothing needed but PyTorch (1.13 or newer). Written as a careful PyTorch user would; what the
benchmarks do not use is refused.

    python bench/torch_unet.py bench/unet-base32.json     compares with diffusers, where that is installed
"""
import json
import math
import sys

import torch
import torch.nn.functional as F
from torch import nn

TORCH = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
DEFAULTS = dict(
    center_input_sample=False, time_embedding_type="positional", time_embedding_dim=None, freq_shift=0,
    flip_sin_to_cos=True, mid_block_type="UNetMidBlock2D", mid_block_scale_factor=1, downsample_padding=1,
    downsample_type="conv", upsample_type="conv", dropout=0.0, act_fn="silu", attn_norm_num_groups=None,
    resnet_time_scale_shift="default", add_attention=True, class_embed_type=None, num_train_timesteps=None)


class GroupNorm(nn.GroupNorm):
    """PyTorch 1.13 has no group norm of bf16 with f32 weights, which autocast asks for."""

    def forward(self, x):
        return super().forward(x if TORCH >= (2, 1) else x.float())


class Resnet(nn.Module):
    def __init__(self, cin, cout, temb, groups, eps):
        super().__init__()
        self.norm1 = GroupNorm(groups, cin, eps)
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1)
        self.time_emb_proj = nn.Linear(temb, cout)
        self.norm2 = GroupNorm(groups, cout, eps)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(cin, cout, 1) if cin != cout else None

    def forward(self, x, temb):
        h = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(F.silu(temb))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Attention(nn.Module):
    def __init__(self, channels, head_dim, groups, eps):
        super().__init__()
        self.heads = channels // head_dim
        inner = self.heads * head_dim
        self.group_norm = GroupNorm(groups, channels, eps)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, inner) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(inner, channels)])

    def forward(self, x):
        n, c, height, width = x.shape
        h = self.group_norm(x).flatten(2).transpose(1, 2)  # [n, pixels, c]
        q, k, v = (layer(h).unflatten(2, (self.heads, -1)).transpose(1, 2)
                   for layer in (self.to_q, self.to_k, self.to_v))  # [n, heads, pixels, head_dim]
        if TORCH >= (2, 0):
            h = F.scaled_dot_product_attention(q, k, v)
        else:
            h = torch.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(2, 3), -1) @ v
        h = self.to_out[0](h.transpose(1, 2).flatten(2))
        return x + h.transpose(1, 2).reshape(n, c, height, width)


class Sampler(nn.Module):
    """A 3x3 convolution of stride 2, or one after nearest-neighbor upsampling."""

    def __init__(self, channels, up):
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(channels, channels, 3, stride=1 if up else 2, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest") if self.up else x)


class Block(nn.Module):
    """Resnets, each followed by attention if `head_dim`, then perhaps a sampler."""

    def __init__(self, resnet_channels, temb, groups, eps, head_dim, sampler):
        super().__init__()
        out = resnet_channels[-1][1]
        self.resnets = nn.ModuleList([Resnet(i, o, temb, groups, eps) for i, o in resnet_channels])
        if head_dim:
            self.attentions = nn.ModuleList([Attention(out, head_dim, groups, eps) for _ in resnet_channels])
        if sampler == "down":
            self.downsamplers = nn.ModuleList([Sampler(out, False)])
        elif sampler == "up":
            self.upsamplers = nn.ModuleList([Sampler(out, True)])

    def layers(self):
        attentions = getattr(self, "attentions", [None] * len(self.resnets))
        return zip(self.resnets, attentions)


class Middle(nn.Module):
    def __init__(self, channels, temb, groups, eps, head_dim):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(channels, channels, temb, groups, eps) for _ in range(2)])
        self.attentions = nn.ModuleList([Attention(channels, head_dim, groups, eps)])

    def forward(self, x, temb):
        return self.resnets[1](self.attentions[0](self.resnets[0](x, temb)), temb)


class TimeMlp(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(cin, cout), nn.Linear(cout, cout)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


class UNet(nn.Module):
    def __init__(self, config):
        super().__init__()
        for field, only in DEFAULTS.items():
            if config.get(field, only) != only:
                raise ValueError(f"{field} is {config[field]!r}; this U-Net supports only {only!r}")
        widths, layers = config["block_out_channels"], config.get("layers_per_block", 2)
        groups, eps = config.get("norm_num_groups", 32), config.get("norm_eps", 1e-5)
        head_dim = config.get("attention_head_dim", 8)
        self.width, temb, last = widths[0], 4 * widths[0], len(widths) - 1

        def heads(block_type, channels):
            if block_type not in ("DownBlock2D", "UpBlock2D", "AttnDownBlock2D", "AttnUpBlock2D"):
                raise ValueError(f"unknown block type {block_type}")
            return (head_dim or channels) if block_type.startswith("Attn") else None

        self.conv_in = nn.Conv2d(config["in_channels"], widths[0], 3, padding=1)
        self.time_embedding = TimeMlp(widths[0], temb)
        if config.get("num_class_embeds"):
            self.class_embedding = nn.Embedding(config["num_class_embeds"], temb)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        x, skips = widths[0], [widths[0]]
        for i, kind in enumerate(config["down_block_types"]):
            channels = [(x, widths[i])] + [(widths[i], widths[i])] * (layers - 1)
            x = widths[i]
            skips += [x] * (layers + (i < last))
            sampler = "down" if i < last else None
            self.down_blocks.append(Block(channels, temb, groups, eps, heads(kind, x), sampler))
        self.mid_block = Middle(x, temb, groups, eps, head_dim or x)
        for i, kind in enumerate(config["up_block_types"]):
            channels = []
            for _ in range(layers + 1):
                channels.append((x + skips.pop(), widths[last - i]))
                x = widths[last - i]
            sampler = "up" if i < last else None
            self.up_blocks.append(Block(channels, temb, groups, eps, heads(kind, x), sampler))
        self.conv_norm_out = GroupNorm(groups, x, eps)
        self.conv_out = nn.Conv2d(x, config["out_channels"], 3, padding=1)

    def forward(self, x, timestep, class_labels=None):
        half = self.width // 2
        frequency = torch.exp(torch.arange(half, device=x.device) * (-math.log(10000) / half))
        angle = timestep.float()[:, None] * frequency[None]
        temb = self.time_embedding(torch.cat([angle.cos(), angle.sin()], 1))
        if class_labels is not None:
            temb = temb + self.class_embedding(class_labels)
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            for resnet, attention in block.layers():
                x = resnet(x, temb)
                x = x if attention is None else attention(x)
                skips.append(x)
            for sampler in getattr(block, "downsamplers", []):
                x = sampler(x)
                skips.append(x)
        x = self.mid_block(x, temb)
        for block in self.up_blocks:
            for resnet, attention in block.layers():
                x = resnet(torch.cat([x, skips.pop()], 1), temb)
                x = x if attention is None else attention(x)
            for sampler in getattr(block, "upsamplers", []):
                x = sampler(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


def compare_with_diffusers(path):
    from diffusers import UNet2DModel
    with open(path) as file:
        config = json.load(file)
    torch.manual_seed(0)
    theirs, ours = UNet2DModel.from_config(config), UNet(config)
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(torch.randn_like(p) * 0.05)
    ours.load_state_dict(theirs.state_dict())  # refuses missing, extra and misshapen keys
    x = torch.randn(2, config["in_channels"], *[config["sample_size"]] * 2)
    t = torch.tensor([3, 977])
    labels = torch.tensor([0, 1]) if config.get("num_class_embeds") else None
    with torch.no_grad():
        a, b = theirs(x, t, labels).sample, ours(x, t, labels)
    error = ((a - b).abs().max() / a.abs().max()).item()
    count = sum(p.numel() for p in ours.parameters())
    print(f"{path}: {len(ours.state_dict())} tensors, {count} parameters, "
          f"largest output {a.abs().max().item():.2f}, relative difference {error:.1e}")
    assert error < 1e-5


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        compare_with_diffusers(argument)
