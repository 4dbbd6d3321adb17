"""How fast a folder of pictures becomes a data set: diffusion against Pillow on the same number of processes or threads.

    python3 bench/decode.py FOLDER PROGRAM [--workers 2] [--size 64]

Pillow reads, decodes and (with --size) resizes and crops each picture to an array, in worker processes that take the files
in chunks. `diffusion data` does the same, stores the result in a fresh cache and reports on it; then it opens the cache.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from multiprocessing import Pool

import numpy
from PIL import Image

ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")


def decode(job):
    path, size = job
    with Image.open(path) as picture:
        if picture.mode in ("RGBA", "LA", "P"):  # on white, as diffusion does
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert("RGB")
        if size:
            scale = size / min(picture.size)
            width, height = (max(size, int(side * scale)) for side in picture.size)
            picture = picture.resize((width, height), Image.BILINEAR)
            left, top = (width - size) // 2, (height - size) // 2
            picture = picture.crop((left, top, left + size, top + size))
        return int(numpy.asarray(picture).sum())


def pillow(files, size, workers):
    start = time.perf_counter()
    with Pool(workers) as pool:
        total = sum(pool.imap_unordered(decode, [(f, size) for f in files], chunksize=256))
    return time.perf_counter() - start, total


def diffusion(program, folder, size, workers, cache):
    command = [program, "data", folder, "--channels", "3", "--workers", str(workers), "--quiet", "--json"]
    if size:
        command += ["--size", str(size)]
    start = time.perf_counter()
    output = subprocess.run(command, env={**os.environ, "DIFFUSION_CACHE_DIR": cache}, check=True, capture_output=True)
    return time.perf_counter() - start, json.loads(output.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("program")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--size", type=int, default=0)
    a = parser.parse_args()
    files = [os.path.join(d, f) for d, _, names in os.walk(a.folder) for f in names if f.lower().endswith(ENDINGS)]
    pillow(files[:1000], a.size, a.workers)  # the disk cache and the libraries are warm for both
    print(f"{len(files)} pictures, {a.workers} workers, load before: {os.getloadavg()[0]:.1f}")
    seconds, total = pillow(files, a.size, a.workers)
    print(f"Pillow              {seconds:6.1f} s  {len(files) / seconds:7.0f} pictures/s")
    with tempfile.TemporaryDirectory() as cache:
        seconds, report = diffusion(a.program, a.folder, a.size, a.workers, cache)
        print(f"diffusion, decoding {seconds:6.1f} s  {len(files) / seconds:7.0f} pictures/s")
        opening, _ = diffusion(a.program, a.folder, a.size, a.workers, cache)
        print(f"diffusion, opening  {opening:6.1f} s")
    mean = total / (report["count"] * report["height"] * report["width"] * 3)
    print(f"mean pixel value: {mean:.4f}, {sum(c['mean'] for c in report['channels']) / 3:.4f}")


if __name__ == "__main__":
    main()
