#!/usr/bin/env python3
"""Writes inception.safetensors: what the Inception-v3 of torch-fidelity says of a few images, with weights that are not
stored: both sides compute them, and the images, with the formulas below. The C++ test only reads the file; it needs no
Python.

    python3 -m venv /tmp/golden-venv
    /tmp/golden-venv/bin/pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu
    /tmp/golden-venv/bin/pip install torch-fidelity safetensors numpy
    /tmp/golden-venv/bin/python tests/golden/make_inception_goldens.py [--weights FILE.safetensors]

--weights writes the weights, too: a file for `diffusion eval --features`.

For image k of SIZES, [height, width, channels], the file has
    features.k  [2048]; of gray images, with three equal channels
    resized.k   [channels, 20, 20]: every 15th row and column of the image resized to 299 x 299, 0 to 255
and distances [2]: the Frechet distances between set 0 and sets 1 and 2 of SET images of 32 x 32, of bytes as below.
"""
import argparse
import pathlib
from unittest import mock

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from golden_uniform import uniform

HERE = pathlib.Path(__file__).resolve().parent
SIZES = [(28, 28, 1), (32, 32, 3), (64, 64, 3), (299, 299, 3), (200, 350, 3)]
IMAGE, SET_IMAGE, SET = 5000, 6000, 6  # numbers of tensors; images of a set


def weights(name, shape, number):
    """Gain about 1 behind a ReLU, and normalizations that matter. Exact in f32 but for convolutions and fc."""
    values = uniform(number, int(np.prod(shape)))
    if len(shape) >= 2:
        values = values * np.sqrt(6 / np.prod(shape[1:]))
    elif name.endswith((".bn.weight", ".running_var")):
        values = 1 + 0.25 * values
    else:
        values = 0.125 * values
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def network():
    """With the weights above, numbered in the order of their names."""
    with mock.patch("torch.load"), mock.patch.object(FeatureExtractorInceptionV3, "load_state_dict"):
        net = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path="none")
    shapes = {k: v.shape for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    values = {name: weights(name, shapes[name], number) for number, name in enumerate(sorted(shapes))}
    net.load_state_dict(values, strict=False)
    return net


def image(number, height, width, channels):
    """uint8 [channels, height, width]; the numbers are in the order [height, width, channels]."""
    values = uniform(number, height * width * channels)
    return torch.from_numpy(((values + 1) * 128).astype(np.uint8).reshape(height, width, channels)).permute(2, 0, 1)


def set_image(which, k):
    """Bytes of set `which`, larger the higher k is, and in set 2 of less contrast."""
    pixels = image(SET_IMAGE + 100 * which + k, 32, 32, 3).to(torch.int64)
    return (pixels * (k + 1) // SET // (2 if which == 2 else 1)).to(torch.uint8)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    net = network()
    if arguments.weights:
        safetensors.torch.save_file(net.state_dict(), arguments.weights)
    out = {}
    for k, (height, width, channels) in enumerate(SIZES):
        pixels = image(IMAGE + k, height, width, channels)[None]
        resized = interpolate_bilinear_2d_like_tensorflow1x(pixels.float(), size=(299, 299), align_corners=False)
        out[f"resized.{k}"] = resized[0, :, ::15, ::15].contiguous().numpy()
        rgb = pixels.expand(1, 3, height, width)
        features = net(rgb)[0][0].numpy()
        out[f"features.{k}"] = features
        exact = net.double()
        exact.feature_extractor_internal_dtype = torch.float64
        wide = exact(rgb)[0][0].double().numpy()
        net.float().feature_extractor_internal_dtype = torch.float32
        error = np.max(np.abs(features - wide)) / np.mean(wide)
        print(f"{height}x{width}x{channels}: features {features.mean():.4g} +- {features.std():.4g}, "
              f"f32 against f64 {error:.1e}")
    sets = [torch.cat([net(set_image(which, k)[None])[0] for k in range(SET)]) for which in range(3)]
    statistics = [fid_features_to_statistics(features) for features in sets]
    distances = [fid_statistics_to_metric(statistics[0], other, False) for other in statistics[1:]]
    out["distances"] = np.array([d["frechet_inception_distance"] for d in distances], dtype=np.float32)
    print("distances", out["distances"])
    safetensors.numpy.save_file(out, HERE / "inception.safetensors")


if __name__ == "__main__":
    main()
