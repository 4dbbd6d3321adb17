#!/usr/bin/env python3
"""Writes unet_convnext*.{json,safetensors}: the ConvNeXt U-Net of the annotated tutorials, written here in PyTorch from
its description (shapes, order of operations), tiny, in double precision: weights, inputs, output, every gradient of
loss = sum(output * grad_output). For the environment see make_unet_goldens.py.
"""
import json
import math
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, dim, dim_out, act, mult, time_dim=None):
        super().__init__()
        if time_dim:
            self.mlp = nn.Sequential(act(), nn.Linear(time_dim, dim))
        self.ds_conv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim, bias=False)
        inner = mult * dim_out
        self.net = nn.Sequential(
            nn.GroupNorm(1, dim), nn.Conv2d(dim, inner, 3, padding=1, bias=False), act(),
            nn.GroupNorm(1, inner), nn.Conv2d(inner, dim_out, 3, padding=1, bias=False))
        if dim != dim_out:
            self.res_conv = nn.Conv2d(dim, dim_out, 1, bias=False)

    def forward(self, x, t=None):
        h = self.ds_conv(x)
        if t is not None:
            h = h + self.mlp(t)[:, :, None, None]
        return self.net(h) + (self.res_conv(x) if hasattr(self, "res_conv") else x)


class ChannelNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, dim, 1, 1))

    def forward(self, x):
        mean, variance = x.mean(1, keepdim=True), x.var(1, unbiased=False, keepdim=True)
        return (x - mean) / (variance + 1e-5).sqrt() * self.g


class Heads(nn.Module):
    def __init__(self, dim, heads, head_dim, linear):
        super().__init__()
        self.heads, self.head_dim, self.linear = heads, head_dim, linear
        width = heads * head_dim
        self.to_qkv = nn.Conv2d(dim, 3 * width, 1, bias=False)
        out = nn.Conv2d(width, dim, 1)
        self.to_out = nn.Sequential(out, ChannelNorm(dim)) if linear else out

    def forward(self, x):
        n, _, height, width = x.shape
        q, k, v = (part.reshape(n, self.heads, self.head_dim, height * width)
                   for part in self.to_qkv(x).chunk(3, 1))
        scale = self.head_dim ** -0.5
        if self.linear:
            context = torch.einsum("bhdn,bhen->bhde", k.softmax(-1), v / (height * width))
            out = torch.einsum("bhde,bhdn->bhen", context, q.softmax(-2) * scale)
        else:
            weights = torch.einsum("bhdi,bhdj->bhij", q * scale, k).softmax(-1)
            out = torch.einsum("bhij,bhdj->bhdi", weights, v)
        return self.to_out(out.reshape(n, -1, height, width))


class PreNorm(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.norm, self.fn = nn.GroupNorm(1, dim), fn

    def forward(self, x):
        return self.fn(self.norm(x))


class Residual(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return x + self.fn(x)


class Sinusoids(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, t):
        half = self.dim // 2
        angle = t[:, None] * torch.exp(torch.arange(half, dtype=t.dtype) * -(math.log(10000) / (half - 1)))
        return torch.cat([angle.sin(), angle.cos()], 1)


class ConvNextUNet(nn.Module):
    def __init__(self, c):
        super().__init__()
        act = nn.GELU if c["activation"] == "gelu" else lambda: nn.GELU(approximate="tanh")
        dim, heads, head_dim, mult = c["dim"], c["heads"], c["head_dim"], c["block_mult"]
        dims = [dim // 3 * 2] + [dim * m for m in c["dim_mults"]]
        time = 4 * dim
        block = lambda a, b, t=time: Block(a, b, act, mult, t)
        attend = lambda d, linear: Residual(PreNorm(d, Heads(d, heads, head_dim, linear)))
        self.first_skip = c["first_skip"]
        self.init_conv = nn.Conv2d(c["channels"], dims[0], 7, padding=3)
        self.time_mlp = nn.Sequential(Sinusoids(dim), nn.Linear(dim, time), act(), nn.Linear(time, time))
        pairs = list(zip(dims[:-1], dims[1:]))
        self.downs = nn.ModuleList(
            nn.ModuleList([block(a, b), block(b, b), attend(b, True),
                           nn.Identity() if i == len(pairs) - 1 else nn.Conv2d(b, b, 4, 2, 1, bias=False)])
            for i, (a, b) in enumerate(pairs))
        self.mid_block1, self.mid_attn = block(dims[-1], dims[-1]), attend(dims[-1], False)
        self.mid_block2 = block(dims[-1], dims[-1])
        self.ups = nn.ModuleList(
            nn.ModuleList([block(2 * b, a), block(a, a), attend(a, True),
                           nn.ConvTranspose2d(a, a, 4, 2, 1, bias=False)])
            for a, b in reversed(pairs[1:]))
        self.final_conv = nn.Sequential(block(2 * dim if self.first_skip else dim, dim, None),
                                        nn.Conv2d(dim, c["channels"], 1, bias=False))

    def forward(self, x, t):
        x, t, kept = self.init_conv(x), self.time_mlp(t), []
        for first, second, attention, down in self.downs:
            x = attention(second(first(x, t), t))
            kept.append(x)
            x = down(x)
        x = self.mid_block2(self.mid_attn(self.mid_block1(x, t)), t)
        for first, second, attention, up in self.ups:
            x = up(attention(second(first(torch.cat([x, kept.pop()], 1), t), t)))
        if self.first_skip:
            x = torch.cat([x, kept.pop()], 1)
        return self.final_conv(x)


def golden(name, size, batch, **changes):
    config = {"_class_name": "ConvNextUNet", "sample_size": size, "channels": 1, "dim": 6, "dim_mults": [1, 2],
              "block_mult": 2, "heads": 2, "head_dim": 4, "activation": "gelu_tanh", "first_skip": False} | changes
    torch.manual_seed(len(name))
    model = ConvNextUNet(config).double()
    with torch.no_grad():  # numbers that f32 holds
        for p in model.parameters():
            p.copy_((p + 0.1 * torch.randn_like(p)).float().double())
    x = torch.randn(batch, config["channels"], *size).double().float().double().requires_grad_()
    t = (torch.rand(batch) * 200).double()
    t = t.float().double()
    out = model(x, t)
    seed = torch.randn_like(out).float().double()
    (out * seed).sum().backward()
    tensors = {"input/sample": x.detach(), "input/timestep": t.reshape(-1, 1, 1, 1), "output": out.detach(),
               "grad_output": seed, "grad_input": x.grad}
    for key, p in model.named_parameters():
        tensors["param/" + key] = p.detach()
        tensors["grad/" + key] = p.grad
    return config, tensors


def main():
    here = pathlib.Path(__file__).resolve().parent
    for name, arguments in {
            "convnext": dict(size=[8, 8], batch=2),
            "convnext_first_skip": dict(size=[8, 12], batch=1, channels=3, first_skip=True, activation="gelu",
                                        dim_mults=[1, 2], block_mult=1)}.items():
        config, tensors = golden(name, **arguments)
        (here / f"unet_{name}.json").write_text(json.dumps(config, indent=2) + "\n")
        save_file({k: v.float().contiguous() for k, v in tensors.items()}, here / f"unet_{name}.safetensors")
    tutorial = ConvNextUNet({"channels": 1, "dim": 28, "dim_mults": [1, 2, 4], "block_mult": 2, "heads": 4,
                             "head_dim": 32, "activation": "gelu_tanh", "first_skip": False})
    sizes = [p.numel() for p in tutorial.parameters()]
    print(len(sizes), "tensors,", sum(sizes), "parameters")


if __name__ == "__main__":
    main()
