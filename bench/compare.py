#!/usr/bin/env python3
"""Measures training steps of this project and of PyTorch alternately, in one run, and prints the ratios.

    bench/compare.py --ours build/release/bench_step --python /usr/bin/python3 [--rounds 3] [--steps 5]
                     [--case base64|base32|fashion-mnist] [--compile]

Both sides get the same U-Net, weights, input, batch and 2 threads. A step is forward, smooth L1 loss (beta
1, mean) of the output against a target, full backward, AdamW. The first step is timed alone; the time
reported is the median of the --steps that follow. Losses of the first step must agree, or the comparison is
void and the script fails. Without --ours only PyTorch is measured. --compile adds torch.compile variants
(PyTorch 2 or newer).

Our side is called as
    bench_step --config FILE.json --batch B --precision f32|bf16 --steps K --json --weights W --input I
and prints, as its last line, {"seconds_per_step", "first_step_seconds", "peak_rss_mib", "loss", "precision"};
"loss" is that of the first step. W and I are safetensors files, all f32: the state dict, and sample
[B,C,H,W], timestep [B], target [B,C,H,W], and class_labels [B] for a class-conditional network.

This script needs Python alone; the PyTorch side is this file run by --python as a child. On Debian 12 that
Python comes from: apt-get install python3-torch libopenblas0-openmp
"""
import argparse
import array
import json
import math
import os
import pathlib
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
THREADS = 2
CASES = {"base64": ("unet-base64.json", 64), "base32": ("unet-base32.json", 128),
         "fashion-mnist": ("unet-fashion-mnist.json", 64)}  # configuration, batch
LOSS_TOLERANCE = {"f32": 1e-4, "bf16": 2e-2}  # relative; a wrong head width moves the loss by 6e-4
VARIANTS = {  # name: precision, channels_last, torch.compile
    "f32": ("f32", False, False),
    "f32 channels_last": ("f32", True, False),
    "bf16 autocast channels_last": ("bf16", True, False),
    "f32 channels_last compiled": ("f32", True, True),
    "bf16 autocast channels_last compiled": ("bf16", True, True),
}


def write_safetensors(path, tensors):
    """tensors: name -> (shape, array('f'))."""
    header, offset = {}, 0
    for name, (shape, values) in tensors.items():
        assert len(values) == math.prod(shape), name
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + 4 * len(values)]}
        offset += 4 * len(values)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in tensors.values():
            file.write(values.tobytes())


def read_safetensors(path, torch):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = bytearray(file.read())
    return {name: torch.frombuffer(data, dtype=torch.float32, offset=t["data_offsets"][0],
                                   count=math.prod(t["shape"])).reshape(t["shape"]).clone()
            for name, t in header.items()}


def random_weights(shapes):
    """PyTorch's usual scale, except that the output is large enough for the loss to depend on it."""
    rng = random.Random(1)
    weights = {}
    for name, shape in shapes.items():
        count = math.prod(shape)
        bound = 0.2 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape[1:]))
        bound *= 4 if name == "conv_out.weight" else 1
        center = 1 if "norm" in name and name.endswith("weight") else 0
        values = [center + bound * (2 * rng.random() - 1) for _ in range(count)]
        weights[name] = (shape, array.array("f", values))
    return weights


def random_input(config, batch):
    rng = random.Random(2)
    size = config["sample_size"]
    height, width = (size, size) if isinstance(size, int) else size

    def normal(channels):
        shape = [batch, channels, height, width]
        return shape, array.array("f", [rng.gauss(0, 1) for _ in range(math.prod(shape))])

    tensors = {"sample": normal(config["in_channels"]), "target": normal(config["out_channels"]),
               "timestep": ([batch], array.array("f", [rng.randrange(1000) for _ in range(batch)]))}
    if config.get("num_class_embeds"):
        labels = [rng.randrange(config["num_class_embeds"]) for _ in range(batch)]
        tensors["class_labels"] = ([batch], array.array("f", labels))
    return tensors


# --- the child, in the Python that has PyTorch --------------------------------------------------------------


def peak_rss_mib():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


def refuse_reference_blas():
    """Debian's PyTorch takes whatever libblas.so.3 there is; the reference one makes it far too slow."""
    with open("/proc/self/maps") as file:
        if "/blas/libblas.so" in file.read():
            sys.exit("PyTorch runs on the reference BLAS, no fair baseline. Install libopenblas0-openmp.")


def child(request):
    import torch
    import torch_unet
    refuse_reference_blas()
    if request["task"] == "describe":
        model = torch_unet.UNet(request["config"])
        shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
        return {"torch": torch.__version__, "shapes": shapes}

    torch.set_num_threads(THREADS)
    precision, channels_last, compiled = VARIANTS[request["variant"]]
    model = torch_unet.UNet(request["config"])
    model.load_state_dict(read_safetensors(request["weights"], torch))
    data = read_safetensors(request["input"], torch)
    sample, target, timestep = data["sample"], data["target"], data["timestep"]
    labels = data["class_labels"].long() if "class_labels" in data else None
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        sample = sample.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-4)
    if compiled:
        model = torch.compile(model)

    def step():
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            output = model(sample, timestep, labels)
        loss = torch.nn.functional.smooth_l1_loss(output.float(), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item(), time.perf_counter() - start

    loss, first = step()
    seconds = [step()[1] for _ in range(request["steps"])]
    return {"seconds_per_step": statistics.median(seconds), "first_step_seconds": first, "loss": loss,
            "peak_rss_mib": peak_rss_mib(), "precision": precision}


# --- the parent ---------------------------------------------------------------------------------------------


def call(command):
    """Runs it and returns the JSON of its last line."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(THREADS), PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command[:2])} failed with status {done.returncode}:\n{done.stdout}{done.stderr}")
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        sys.exit(f"{' '.join(command[:2])} did not end in a line of JSON:\n{done.stdout}{done.stderr}")


def measure(case, arguments, folder):
    """One dict of results per round: (side, variant) -> what that side printed."""
    name, batch = CASES[case]
    config_file = HERE / name
    config = json.loads(config_file.read_text())
    weights, data = str(folder / f"{case}-weights.safetensors"), str(folder / f"{case}-input.safetensors")

    def torch_child(**request):
        request = json.dumps(dict(request, config=config))
        return call([arguments.python, str(pathlib.Path(__file__).resolve()), "--child", request])

    described = torch_child(task="describe")
    write_safetensors(weights, random_weights(described["shapes"]))
    write_safetensors(data, random_input(config, batch))
    count = sum(math.prod(shape) for shape in described["shapes"].values())
    print(f"\n{case}: {count} parameters, batch {batch}, PyTorch {described['torch']}", flush=True)

    plan = []  # alternating
    for variant, (precision, _, compiled) in VARIANTS.items():
        if arguments.ours and variant in ("f32", "bf16 autocast channels_last"):
            plan.append(("ours", precision))
        if not compiled or arguments.compile:
            plan.append(("PyTorch", variant))
    rounds = []
    for index in range(arguments.rounds):
        print(f"  load average {os.getloadavg()[0]:.1f}", flush=True)
        results = {}
        for side, variant in plan:
            if side == "ours":
                result = call([arguments.ours, "--config", str(config_file), "--batch", str(batch),
                               "--precision", variant, "--steps", str(arguments.steps), "--json",
                               "--weights", weights, "--input", data])
            else:
                result = torch_child(task="step", variant=variant, weights=weights, input=data,
                                     steps=arguments.steps)
            results[side, variant] = result
            print(f"  round {index + 1} {side:8} {variant:37} {result['seconds_per_step']:.3f} s/step  "
                  f"loss {result['loss']:.6f}", flush=True)
        rounds.append(results)
    return rounds


def check_losses(rounds):
    reference = rounds[0]["PyTorch", "f32"]["loss"]
    for results in rounds:
        for (side, variant), result in results.items():
            tolerance = LOSS_TOLERANCE[result["precision"]]
            if variant.split()[0] != result["precision"]:
                sys.exit(f"{side} was asked for {variant} and reports {result['precision']}.")
            if not abs(result["loss"] / reference - 1) <= tolerance:
                sys.exit(f"The first losses differ: {side} {variant} {result['loss']!r}, PyTorch f32 "
                         f"{reference!r}, relative tolerance {tolerance}. The two do not compute the same.")


def spread(values, form):
    """median (lowest - highest)"""
    low, middle, high = (format(f(values), form) for f in (min, statistics.median, max))
    return middle if len(values) == 1 else f"{middle} ({low} - {high})"


def table(rounds):
    """Ratios are taken within a round: above 1 means faster than that PyTorch variant."""
    lines = ["| | s/step | vs PyTorch f32 | vs PyTorch bf16 | first step, s | peak RSS, MiB |",
             "|---|---|---|---|---|---|"]
    for key in rounds[0]:
        cells = [" ".join(key), spread([r[key]["seconds_per_step"] for r in rounds], ".3f")]
        for base in ("f32", "bf16 autocast channels_last"):
            ratios = [r["PyTorch", base]["seconds_per_step"] / r[key]["seconds_per_step"] for r in rounds]
            cells.append(spread(ratios, ".2f"))
        cells.append(spread([r[key]["first_step_seconds"] for r in rounds], ".2f"))
        cells.append(format(max(r[key]["peak_rss_mib"] for r in rounds), ".0f"))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ours", help="the bench_step program; absent: only PyTorch is measured")
    parser.add_argument("--python", default=sys.executable, help="a Python that has PyTorch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="timed steps per run")
    parser.add_argument("--case", choices=CASES, help="default: all")
    parser.add_argument("--compile", action="store_true", help="torch.compile too")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(json.loads(arguments.child))))
        return
    if min(arguments.rounds, arguments.steps) < 1:
        parser.error("--rounds and --steps must be at least 1")

    with tempfile.TemporaryDirectory() as folder:
        for case in [arguments.case] if arguments.case else CASES:
            rounds = measure(case, arguments, pathlib.Path(folder))
            check_losses(rounds)
            print("\n" + table(rounds), flush=True)


if __name__ == "__main__":
    main()
