#!/usr/bin/env python3
"""Writes likelihood.json: the variational bound (Ho et al. 2020, eq. 5) in the VP form of the papers, in nats of one
number, by NumPy and mpmath. The C++ tests only read it. Needs numpy and mpmath.

steps: schedules with terms KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) by the means and variances of both, and the KL of the
    prior by a numerical integral.
decoder: logarithms of the mass of N(mean, std^2) in the bin of an 8-bit level, to 30 digits before rounding.
gaussian: a chain of few steps with D exact for data N(m, s^2). For some levels: the bound with both variances, every
    expectation and every KL a numerical integral, and -log p(x_0) of the chain itself, whose marginals are computed on a
    grid from x_T down to x_1.
"""
import json
import pathlib

import mpmath
import numpy as np

mpmath.mp.dps = 60


def linear(T, start, end):
    return np.linspace(start, end, T)


def cosine(T):
    bar = np.cos((np.arange(T + 1) / T + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.minimum(1 - bar[1:] / bar[:-1], 0.999)


class Chain:
    def __init__(self, betas):
        self.betas = betas
        self.a = np.cumprod(1 - betas)
        self.a_before = np.append(1.0, self.a[:-1])
        self.posterior_variance = betas * (1 - self.a_before) / (1 - self.a)

    def variance(self, t, kind):
        return self.posterior_variance[t] if kind == "posterior" else self.betas[t]

    def mean(self, t, x0, xt):
        return (np.sqrt(self.a_before[t]) * self.betas[t] * x0
                + np.sqrt(1 - self.betas[t]) * (1 - self.a_before[t]) * xt) / (1 - self.a[t])


def normal_log(x, mean, variance):
    return -0.5 * (np.log(2 * np.pi * variance) + (x - mean) ** 2 / variance)


def normal_kl(mean1, variance1, mean2, variance2):
    return 0.5 * (np.log(variance2 / variance1) + variance1 / variance2 - 1 + (mean1 - mean2) ** 2 / variance2)


def integral(log_weight, values, x):  # of exp(log_weight) values; smooth, and 0 at both ends
    return float((np.exp(log_weight) * values).sum() * (x[1] - x[0]))


def around(mean, variance, n=4001, widths=12):
    return mean + np.sqrt(variance) * np.linspace(-widths, widths, n)


def prior_kl(chain, x0):
    mean, variance = np.sqrt(chain.a[-1]) * x0, 1 - chain.a[-1]
    x = around(mean, variance)
    log_q = normal_log(x, mean, variance)
    return integral(log_q, log_q - normal_log(x, 0, 1), x)


def log_bin(level, mean, std):
    x = mpmath.mpf(2 * level) / 255 - 1

    def cdf(edge):
        return mpmath.erfc((mean - edge) / (std * mpmath.sqrt(2))) / 2

    high = cdf(x + mpmath.mpf(1) / 255) if level < 255 else mpmath.mpf(1)
    low = cdf(x - mpmath.mpf(1) / 255) if level > 0 else mpmath.mpf(0)
    return float(mpmath.log(high - low))


def step_cases():
    cases = []
    rng = np.random.default_rng(1)
    for name, T, betas in [("linear", 10, linear(10, 0.01, 0.3)), ("cosine", 12, cosine(12))]:
        chain = Chain(betas)
        terms = []
        for t in range(1, T):
            x0, estimate, xt = (float(v) for v in rng.normal(size=3))
            q_mean, q_variance = chain.mean(t, x0, xt), chain.posterior_variance[t]
            terms.append({"t": t, "x0": x0, "estimate": estimate} | {
                kind: normal_kl(q_mean, q_variance, chain.mean(t, estimate, xt), chain.variance(t, kind))
                for kind in ("posterior", "beta")})
        cases.append({"schedule": name, "T": T, "beta_start": 0.01, "beta_end": 0.3, "terms": terms,
                      "decoder_std": float(np.sqrt(chain.posterior_variance[1])),
                      "prior": [{"x0": x0, "kl": prior_kl(chain, x0)} for x0 in (-1.0, 0.0, 0.7)]})
    return cases


def decoder_cases():
    cases = []
    for level in (0, 1, 127, 254, 255):
        for mean in (-1.2, -1.0, 2 * level / 255 - 1, 0.3, 1.0):
            for std in (0.005, 0.02, 0.5):
                cases.append({"level": level, "mean": mean, "std": std,
                              "log_probability": log_bin(level, mpmath.mpf(mean), mpmath.mpf(std))})
    return cases


def gaussian_case():
    m, s, T = 0.2, 0.4, 6
    chain = Chain(linear(T, 0.02, 0.6))
    a = chain.a

    def estimate(t, xt):  # E[x0 | x_t]
        keep = s * s * np.sqrt(a[t]) / (s * s * a[t] + 1 - a[t])
        return m + keep * (xt - np.sqrt(a[t]) * m)

    decoder_std = np.sqrt(chain.posterior_variance[1])

    def log_decoder(level, x1):
        mean = estimate(0, x1)
        return np.array([log_bin(level, mpmath.mpf(float(v)), mpmath.mpf(float(decoder_std))) for v in mean])

    grid = np.linspace(-7, 7, 2801)
    width = grid[1] - grid[0]
    marginals = {}
    for kind in ("posterior", "beta"):
        p = np.exp(normal_log(grid, 0, 1))
        for t in range(T - 1, 0, -1):
            kernel = np.exp(normal_log(grid[:, None], chain.mean(t, estimate(t, grid), grid)[None], chain.variance(t, kind)))
            p = kernel @ p * width
        marginals[kind] = p

    levels = []
    for level in (0, 100, 153, 230, 255):
        x0 = 2 * level / 255 - 1
        x1 = around(np.sqrt(a[0]) * x0, 1 - a[0], 801)
        decoder = -integral(normal_log(x1, np.sqrt(a[0]) * x0, 1 - a[0]), log_decoder(level, x1), x1)
        result = {"level": level, "prior": prior_kl(chain, x0), "decoder": decoder}
        on_grid = np.exp(log_decoder(level, grid))
        for kind in ("posterior", "beta"):
            steps = 0
            for t in range(1, T):
                xt = around(np.sqrt(a[t]) * x0, 1 - a[t], 401)
                inner = np.empty_like(xt)
                for i, x in enumerate(xt):
                    q_mean, q_variance = chain.mean(t, x0, x), chain.posterior_variance[t]
                    before = around(q_mean, q_variance, 1001)
                    log_q = normal_log(before, q_mean, q_variance)
                    log_p = normal_log(before, chain.mean(t, estimate(t, x), x), chain.variance(t, kind))
                    inner[i] = integral(log_q, log_q - log_p, before)
                steps += integral(normal_log(xt, np.sqrt(a[t]) * x0, 1 - a[t]), inner, xt)
            result[kind + "_steps"] = steps
            result[kind + "_nll"] = -float(np.log((marginals[kind] * on_grid).sum() * width))
        levels.append(result)
    return {"mean": m, "std": s, "T": T, "beta_start": 0.02, "beta_end": 0.6, "levels": levels}


out = {"steps": step_cases(), "decoder": decoder_cases(), "gaussian": gaussian_case()}
path = pathlib.Path(__file__).with_name("likelihood.json")
path.write_text(json.dumps(out, indent=1) + "\n")
