#!/usr/bin/env python3
"""Writes eval.json: scores of small sets of features by the formulas of the papers in plain NumPy, the Frechet
distance by SciPy. The C++ tests only read it. Needs numpy and scipy (made with 2.4 and 1.17).

cases: name, width, generated and real [count][width] in units of 1/64 (whole numbers), and
    frechet       |m1 - m2|^2 + Tr(S1 + S2 - 2 sqrtm(S1 S2)); where a covariance is singular, sqrtm loses digits, and
                  Tr sqrt is the nuclear norm of X1 X2^T of the centered sets, divided by the roots of count - 1
    frechet_by    "sqrtm" or "nuclear norm"
    kid           squared maximum mean discrepancy, kernel (x y / width + 1)^3, unbiased, of the whole sets
    precision, recall (k = 3), density, coverage (k = 5)
eigenvalues: a symmetric matrix and what numpy.linalg.eigvalsh says of it.
cross_entropy: logits, labels, label smoothing, and loss and gradient by the formula.
"""
import json
import pathlib

import numpy as np
import scipy.linalg


def frechet(x, y, singular):
    m1, m2 = x.mean(0), y.mean(0)
    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    if singular:
        product = (x - m1) @ (y - m2).T / np.sqrt((len(x) - 1) * (len(y) - 1))
        root = np.linalg.svd(product, compute_uv=False).sum()
    else:
        root = np.trace(scipy.linalg.sqrtm(s1 @ s2)).real
    return float(((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * root)


def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    n, m = len(x), len(y)
    kx, ky = kernel(x, x), kernel(y, y)
    return float((kx.sum() - np.trace(kx)) / (n * (n - 1)) + (ky.sum() - np.trace(ky)) / (m * (m - 1))
                 - 2 * kernel(x, y).mean())


def distances(a, b):
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))


def radii(a, k):
    return np.sort(distances(a, a), axis=1)[:, k]  # place 0 is the row itself


def prdc(x, y):  # x generated, y real
    between = distances(x, y)
    in_ball = between <= radii(y, 5)[None]
    return {"precision": float((between <= radii(y, 3)[None]).any(1).mean()),
            "recall": float((between <= radii(x, 3)[:, None]).any(0).mean()),
            "density": float(in_ball.sum(1).mean() / 5),
            "coverage": float(in_ball.any(0).mean())}


def case(name, rng, n, m, width, shift, scale, base=0.0, singular=False):
    mix = rng.normal(size=(width, width)) / np.sqrt(width)
    x = np.round(64 * (scale * rng.normal(size=(n, width)) @ mix + base + shift)).astype(int)
    y = np.round(64 * (rng.normal(size=(m, width)) @ mix + base)).astype(int)
    a, b = x / 64.0, y / 64.0
    return {"name": name, "width": width, "generated": x.tolist(), "real": y.tolist(),
            "frechet": frechet(a, b, singular), "frechet_by": "nuclear norm" if singular else "sqrtm",
            "kid": kid(a, b), **prdc(a, b)}


def cross_entropy(rng, smoothing):
    logits = np.round(64 * 3 * rng.normal(size=(4, 5))).astype(int)
    labels = rng.integers(0, 5, size=4)
    z = logits / 64.0
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    q = np.eye(5)[labels] * (1 - smoothing) + smoothing / 5
    return {"smoothing": smoothing, "logits": logits.tolist(), "labels": labels.tolist(),
            "loss": float(-(q * np.log(p)).sum(1).mean()), "grad": ((p - q) / 4).tolist()}


def main():
    rng = np.random.default_rng(7)
    cases = [case("alike", rng, 60, 70, 5, 0.0, 1.0), case("narrow", rng, 40, 60, 8, 0.2, 0.5),
             case("far from zero", rng, 50, 40, 4, 0.5, 1.3, base=9.0),
             case("fewer images than features", rng, 12, 15, 24, 0.1, 0.9, singular=True),
             case("one set singular", rng, 10, 90, 16, 0.1, 0.9, singular=True)]
    matrix = rng.normal(size=(30, 30))
    matrix = np.round(64 * (matrix + matrix.T)).astype(int)
    golden = {"cases": cases,
              "eigenvalues": {"matrix": matrix.tolist(), "values": np.linalg.eigvalsh(matrix / 64.0).tolist()},
              "cross_entropy": [cross_entropy(rng, 0.0), cross_entropy(rng, 0.1)]}
    path = pathlib.Path(__file__).parent / "eval.json"
    path.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
