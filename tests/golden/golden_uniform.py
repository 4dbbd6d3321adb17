"""Numbers that Python and C++ (tests/golden_uniform.h) both compute, for goldens whose weights are too large to store."""
import numpy as np


def uniform(tensor, count):
    """`count` numbers in [-1, 1), exact in f32, of the tensor of that number: the finalizer of MurmurHash3."""
    x = np.arange(count, dtype=np.uint64) * 0x9E3779B1 + np.uint64(tensor * 0x85EBCA77 + 1)
    x = x.astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float64) / 2**23 - 1
