"""Weights and inputs of networks by the formula of golden_uniform.py, and numbers that tell whole gradients; the same as in
tests/golden_network.h."""
import numpy as np
import torch

from golden_uniform import uniform


def uniforms(number, shape, scale=1.0):
    """A tensor in f32 of numbers in [-scale, scale)."""
    return torch.from_numpy((uniform(number, int(np.prod(shape))) * scale).astype(np.float32).reshape(shape))


def weights(key, shape, number, last, gain):
    """Weights of gain about 1, norms and biases that matter: f64 arithmetic, rounded to f32. What is called `last`... is
    multiplied by `gain`."""
    values = uniform(number, int(np.prod(shape)))
    if key.endswith("embedding.weight") or (key == "time_proj.weight" and len(shape) == 2):
        pass
    elif key == "time_proj.weight":
        values = values * 0.5
    elif len(shape) >= 2:
        values = values * np.sqrt(3 / np.prod(shape[1:]))
        sharp = any(part in key for part in (".to_q.", ".to_k.", ".q_proj.", ".k_proj."))
        values = values * (1.5 if sharp else 1.0)
    elif "norm" in key and key.endswith("weight"):
        values = 1 + 0.3 * values
    else:
        values = 0.2 * values
    if key.startswith(last):
        values = values * gain
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def digest(tensor, number):
    """What is stored of a tensor: its norm, and its product with uniform numbers."""
    values = tensor.detach().double().numpy().ravel()
    return [float(f"{v:.6g}") for v in (np.sqrt((values**2).sum()), (values * uniform(number, len(values))).sum())]


def gradient_error(found, exact, number):
    """The largest difference of a digest, relative to the norm, or to a thousandth of the largest norm."""
    found, exact = (np.array([digest(grad, number) for grad in grads]) for grads in (found, exact))
    return (np.abs(found - exact).max(1) / np.maximum(exact[:, 0], 1e-3 * exact[:, 0].max())).max()


def hash_of(names):
    """FNV-1a of the sorted names, each with a line feed."""
    value = 0x811C9DC5
    for byte in "".join(name + "\n" for name in sorted(names)).encode():
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


def some(tensor, count):
    """Values of a tensor, the first, the last, and evenly between, if it has at least two."""
    values = tensor.detach().double().numpy().ravel()
    return [float(f"{values[i * (len(values) - 1) // (count - 1)]:.9g}") for i in range(count)]
