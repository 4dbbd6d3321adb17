#!/usr/bin/env python3
"""Measures this project and PyTorch alternately, in one run, and prints the ratios.

    bench/compare.py --ours build/release --python /usr/bin/python3 [--python OTHER] [--task step|forward|sample]
                     [--case base64|base32|fashion-mnist] [--rounds 3] [--steps 5] [--compile] [--runtimes]

Both sides get the same U-Net, weights, input, batch and 2 threads.
  step     forward, smooth L1 loss (beta 1, mean) of the output against a target, full backward, AdamW
  forward  one evaluation without gradients
  sample   a whole run of DDIM with 20 steps (trailing, eta 0, estimates limited to [-1, 1])
The first step is timed from the start of the process; the time reported is the median of the --steps that follow. The losses of
the first step (sample: the root mean squares of the results) must agree, or the comparison is void and the script
fails. Without --ours only PyTorch is measured. --compile adds torch.compile (PyTorch 2 or newer), --runtimes adds ONNX
Runtime and OpenVINO to forward, for each Python that has them (pip install onnx onnxruntime openvino).

Our side is bench_step and bench_sample of the folder --ours. They are given safetensors files, all f32: the state dict,
and sample [B,C,H,W], timestep [B], target [B,C,H,W], and class_labels [B] for a class-conditional network; bench_sample
a pipeline directory.

This script needs Python alone; the PyTorch side is this file run by --python as a child. On Debian 12 that Python comes
from: apt-get install python3-torch libopenblas0-openmp. A current PyTorch is best taken into a virtual environment.
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
CASES = {  # configuration, batch of each task
    "base64": ("unet-base64.json", {"step": 64, "forward": 64, "sample": 64}),
    "base32": ("unet-base32.json", {"step": 128, "forward": 1, "sample": 1}),
    "fashion-mnist": ("unet-fashion-mnist.json", {"step": 128, "forward": 64, "sample": 64})}
SAMPLER_STEPS = 20
LOSS_TOLERANCE = {"f32": 1e-4, "bf16": 2e-2}  # relative; a wrong head width moves the loss by 6e-4
VARIANTS = {  # name: precision, channels_last, torch.compile
    "f32": ("f32", False, False),
    "f32 channels_last": ("f32", True, False),
    "bf16 autocast channels_last": ("bf16", True, False),
    "f32 channels_last compiled": ("f32", True, True),
    "bf16 autocast channels_last compiled": ("bf16", True, True),
}
RUNTIMES = {"ONNX Runtime f32": "f32", "OpenVINO f32": "f32", "OpenVINO bf16": "bf16"}  # of forward; name: precision


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
    variant, task = request["variant"], request["task"]
    model = torch_unet.UNet(request["config"])
    model.load_state_dict(read_safetensors(request["weights"], torch))
    data = read_safetensors(request["input"], torch)
    sample, target, timestep = data["sample"], data["target"], data["timestep"]
    labels = data["class_labels"].long() if "class_labels" in data else None
    loss_of = torch.nn.functional.smooth_l1_loss
    if task == "sample" and labels is not None:  # as bench_sample does
        labels = torch.arange(len(labels)) % request["config"]["num_class_embeds"]
    if variant in RUNTIMES:
        precision = RUNTIMES[variant]
        evaluate = runtime(variant, model, (sample, timestep, labels), torch)

        def step():
            start = time.perf_counter()
            output = evaluate()
            seconds = time.perf_counter() - start
            return loss_of(torch.from_numpy(output), target).item(), seconds
    else:
        precision, channels_last, compiled = VARIANTS[variant]
        if channels_last:
            model = model.to(memory_format=torch.channels_last)
            sample = sample.to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(model.parameters(), 2e-4)
        if compiled:
            model = torch.compile(model)

        def evaluate(x, t):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                return model(x, t, labels).float()

        def training_step():
            start = time.perf_counter()
            loss = loss_of(evaluate(sample, timestep), target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            return loss.item(), time.perf_counter() - start

        @torch.no_grad()
        def forward():
            start = time.perf_counter()
            output = evaluate(sample, timestep)
            seconds = time.perf_counter() - start
            return loss_of(output, target).item(), seconds

        @torch.no_grad()
        def ddim():
            start = time.perf_counter()
            alphas = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
            levels = [round(1000 - 1000 * i / SAMPLER_STEPS) - 1 for i in range(SAMPLER_STEPS)]
            x = sample
            for t, following in zip(levels, levels[1:] + [None]):
                a, b = alphas[t].item(), 1.0 if following is None else alphas[following].item()
                epsilon = evaluate(x, torch.full((len(x),), float(t)))
                x0 = ((x - (1 - a) ** 0.5 * epsilon) / a ** 0.5).clamp(-1, 1)
                x = b ** 0.5 * x0 + (1 - b) ** 0.5 * epsilon
            seconds = time.perf_counter() - start
            return x.double().square().mean().sqrt().item(), seconds

        step = {"step": training_step, "forward": forward, "sample": ddim}[task]

    loss, _ = step()
    first = time.time() - request["started"]
    seconds = [step()[1] for _ in range(request["steps"])]
    return {"seconds_per_step": statistics.median(seconds), "first_step_seconds": first, "loss": loss,
            "peak_rss_mib": peak_rss_mib(), "precision": precision}


def runtime(name, model, inputs, torch):
    """The model as a function without arguments, in ONNX Runtime or OpenVINO."""
    names = ["sample", "timestep", "labels"]
    given = {n: value for n, value in zip(names, inputs) if value is not None}
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/model.onnx"
        torch.onnx.export(model.eval(), tuple(given.values()), path, input_names=list(given), output_names=["out"],
                          opset_version=17, dynamo=False)
        arrays = {n: value.numpy() for n, value in given.items()}
        if name.startswith("ONNX"):
            import onnxruntime
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = THREADS
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            return lambda: session.run(None, arrays)[0]
        import openvino
        hint = {"f32": "f32", "bf16": "bf16"}[RUNTIMES[name]]
        compiled = openvino.Core().compile_model(
            path, "CPU", {"INFERENCE_NUM_THREADS": THREADS, "INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"})
        return lambda: next(iter(compiled(arrays).values()))


# --- the parent ---------------------------------------------------------------------------------------------


def call(command):
    """Runs it and returns the JSON of its last line."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(THREADS), PYTHONDONTWRITEBYTECODE="1",
                       BENCH_STARTED=repr(time.time()))
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command[:2])} failed with status {done.returncode}:\n{done.stdout}{done.stderr}")
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        sys.exit(f"{' '.join(command[:2])} did not end in a line of JSON:\n{done.stdout}{done.stderr}")


def write_npy(path, shape, values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(shape)}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values.tobytes())


def write_pipeline(folder, config_file, weights):
    """The model as a pipeline of diffusers whose scheduler is the DDIM of the child."""
    (folder / "unet").mkdir(parents=True)
    (folder / "scheduler").mkdir()
    (folder / "unet/config.json").write_bytes(config_file.read_bytes())
    os.link(weights, folder / "unet/diffusion_pytorch_model.safetensors")
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(
        {"_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02,
         "beta_schedule": "linear", "clip_sample": True, "timestep_spacing": "trailing"}))


def measure(case, arguments, folder):
    """One dict of results per round: (side, variant) -> what that side printed."""
    name, batches = CASES[case]
    task, batch = arguments.task, batches[arguments.task]
    config_file = HERE / name
    config = json.loads(config_file.read_text())
    weights, data = str(folder / f"{case}-weights.safetensors"), str(folder / f"{case}-input.safetensors")

    def torch_child(python, **request):
        request = json.dumps(dict(request, config=config, started=time.time()))
        return call([python, str(pathlib.Path(__file__).resolve()), "--child", request])

    def ours(precision):
        common = ["--batch", str(batch), "--precision", precision, "--json"]
        if task != "sample":
            return call([arguments.ours + "/bench_step", "--config", str(config_file), "--weights", weights, "--input", data,
                         "--steps", str(arguments.steps)] + common + ["--inference"] * (task == "forward"))
        result = call([arguments.ours + "/bench_sample", str(folder / case), "--noise", str(folder / f"{case}.npy"),
                       "--steps", str(SAMPLER_STEPS), "--runs", str(arguments.steps)] + common)
        return dict(result, seconds_per_step=result["seconds_per_run"], loss=result["root_mean_square"])

    pythons = {}
    for python in arguments.python:
        described = torch_child(python, task="describe")
        pythons[f"PyTorch {described['torch'].split('+')[0]}"] = python
    tensors, inputs = random_weights(described["shapes"]), random_input(config, batch)
    write_safetensors(weights, tensors)
    write_safetensors(data, inputs)
    if task == "sample":
        write_pipeline(folder / case, config_file, weights)
        write_npy(folder / f"{case}.npy", *inputs["sample"])
    count = sum(math.prod(shape) for shape in described["shapes"].values())
    print(f"\n{case} {task}: {count} parameters, batch {batch}", flush=True)

    plan = []  # alternating
    for variant, (precision, _, compiled) in VARIANTS.items():
        if arguments.ours and variant in ("f32", "bf16 autocast channels_last"):
            plan.append(("ours", precision))
        for label in pythons:
            if not compiled or (arguments.compile and label >= "PyTorch 2"):
                plan.append((label, variant))
    if arguments.runtimes and task == "forward":
        plan += [(label, variant) for label in pythons if label >= "PyTorch 2" for variant in RUNTIMES]
    rounds = []
    for index in range(arguments.rounds):
        print(f"  load average {os.getloadavg()[0]:.1f}", flush=True)
        results = {}
        for side, variant in plan:
            if side == "ours":
                result = ours(variant)
            else:
                result = torch_child(pythons[side], task=task, variant=variant, weights=weights, input=data,
                                     steps=arguments.steps)
            results[side, variant] = result
            print(f"  round {index + 1} {side:14} {variant:37} {result['seconds_per_step']:.4f} s  "
                  f"loss {result['loss']:.6f}", flush=True)
        rounds.append(results)
    return rounds


def check_losses(rounds):
    reference = next(r["loss"] for (side, variant), r in rounds[0].items() if side != "ours" and variant == "f32")
    for results in rounds:
        for (side, variant), result in results.items():
            tolerance = LOSS_TOLERANCE[result["precision"]]
            if result["precision"] not in variant:
                sys.exit(f"{side} was asked for {variant} and reports {result['precision']}.")
            if not abs(result["loss"] / reference - 1) <= tolerance:
                sys.exit(f"The first losses differ: {side} {variant} {result['loss']!r}, PyTorch f32 "
                         f"{reference!r}, relative tolerance {tolerance}. The two do not compute the same.")


def spread(values, form):
    """median (lowest - highest)"""
    low, middle, high = (format(f(values), form) for f in (min, statistics.median, max))
    return middle if len(values) == 1 else f"{middle} ({low} - {high})"


def table(rounds):
    """Ratios are taken within a round: above 1 means faster than f32 of that PyTorch, and than the fastest row of others."""
    others = [key for key in rounds[0] if key[0] != "ours"]
    eager = [key for key in others if key[1] == "f32"]
    names = [f"vs {side} f32" for side, _ in eager] + ["vs best of others"]
    lines = ["| | seconds | " + " | ".join(names) + " | first step from process start, s | peak RSS, MiB |",
             "|---|---|" + "---|" * len(names) + "---|---|"]
    for key in rounds[0]:
        cells = [" ".join(key), spread([r[key]["seconds_per_step"] for r in rounds], ".4g")]
        bases = [[r[base]["seconds_per_step"] for r in rounds] for base in eager]
        bases.append([min(r[other]["seconds_per_step"] for other in others) for r in rounds])
        for base in bases:
            cells.append(spread([b / r[key]["seconds_per_step"] for b, r in zip(base, rounds)], ".2f"))
        first = [r[key]["first_step_seconds"] for r in rounds if "first_step_seconds" in r[key]]
        cells.append(spread(first, ".2f") if first else "")
        cells.append(format(max(r[key]["peak_rss_mib"] for r in rounds), ".0f"))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ours", help="folder of bench_step and bench_sample; absent: only PyTorch is measured")
    parser.add_argument("--python", action="append", help="a Python that has PyTorch; may be given more than once")
    parser.add_argument("--task", choices=["step", "forward", "sample"], default="step")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="timed steps per run")
    parser.add_argument("--case", choices=CASES, help="default: all")
    parser.add_argument("--compile", action="store_true", help="torch.compile too")
    parser.add_argument("--runtimes", action="store_true", help="ONNX Runtime and OpenVINO too")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(json.loads(arguments.child))))
        return
    arguments.python = arguments.python or [sys.executable]
    if min(arguments.rounds, arguments.steps) < 1:
        parser.error("--rounds and --steps must be at least 1")

    with tempfile.TemporaryDirectory() as folder:
        for case in [arguments.case] if arguments.case else CASES:
            rounds = measure(case, arguments, pathlib.Path(folder))
            check_losses(rounds)
            print("\n" + table(rounds), flush=True)


if __name__ == "__main__":
    main()
