#!/usr/bin/env python3
"""Load on `diffusion serve`, as ratios within one run: batching, short jobs behind long ones, health, memory.

Usage: serve_load.py PROGRAM [MODEL] [--requests N] [--bench BENCH_SAMPLE] [--keep-bytes N]
  --requests    of the long run for memory, half of them with results that are kept, 0: none
  --bench       the program bench_sample, for a lone request against generate() in process; MODEL is a folder then
  --keep-bytes  of the server; without a bound below what the long run makes its memory must grow
Fails if a lone request takes more than 1.05 times what generate() takes, or memory grows by more than 5%.
"""
import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time


def ask(connection, body, path="/v1/images/generations"):
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status in (200, 202), text
    return text


def wish(seed, steps, n=1):
    return {"prompt": "0", "seed": seed, "num_inference_steps": steps, "sampler": "dpmpp_2m", "n": n}


def throughput(port, clients, requests_each, steps):
    """Images a second of so many clients that each ask one after the other."""
    def run(client):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for k in range(requests_each):
            ask(connection, wish(client * 1000 + k, steps))
    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return clients * requests_each / (time.perf_counter() - start)


def latency(port, steps, repeats):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times = []
    for k in range(repeats):
        start = time.perf_counter()
        ask(connection, wish(k, steps))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def health(port, seconds):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        connection.request("GET", "/health")
        connection.getresponse().read()
        times.append(time.perf_counter() - start)
        time.sleep(0.005)
    return sorted(times)[int(len(times) * 0.99)]


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def lone_request(port, bench, model, threads):
    """The time of a lone request through that of generate() in process, the median of five rounds of both."""
    command = [bench, model, "--batch", "1", "--steps", "20", "--runs", "25", "--threads", threads, "--json"]
    ratios = []
    for _ in range(5):
        in_process = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["seconds_per_run"]
        ratios.append(latency(port, 20, 25) / in_process)
    return statistics.median(ratios)


def many_requests(port, requests):
    """From 64 connections, every other one a job whose result is kept."""
    def run(client):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for k in range(requests // 64):
            if k % 2 == 0:
                ask(connection, wish(client * 1000 + k, 2))
                continue
            job = json.loads(ask(connection, {"steps": 2, "seed": k, "previews": 2}, "/diffusion/v1/jobs"))
            connection.request("GET", job["events"])
            connection.getresponse().read()  # until it is done
    threads = [threading.Thread(target=run, args=(client,)) for client in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Background:
    """A job of 64 images and 50 steps, again and again."""
    def __init__(self, port):
        self.port, self.stop, self.count = port, False, 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        time.sleep(0.3)

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        while not self.stop:
            ask(connection, wish(self.count, 50, 64))
            self.count += 1

    def end(self):
        self.stop = True
        self.thread.join()


def measure(server, port, options):
    requests, failures = options.requests, []
    latency(port, 20, 5)
    ones, sixteens = [], []
    for _ in range(3):
        ones.append(throughput(port, 1, 24, 20))
        sixteens.append(throughput(port, 16, 6, 20))
    one, sixteen = statistics.median(ones), statistics.median(sixteens)
    print(f"images/s, 20 steps: {one:.1f} with one client, {sixteen:.1f} with 16: {sixteen / one:.2f} times")
    alone = latency(port, 4, 30)
    background = Background(port)
    beside = latency(port, 4, 30)
    slowest = health(port, 5)
    background.end()
    print(f"4 steps: {alone * 1000:.1f} ms alone, {beside * 1000:.1f} ms beside 64 images of 50: {beside / alone:.2f} times")
    print(f"/health beside them: {slowest * 1000:.1f} ms (99 of 100 are faster)")
    if options.bench:
        ratio = lone_request(port, options.bench, options.model, options.threads)
        print(f"a lone request, 20 steps: {ratio:.3f} times generate() in process")
        if ratio > 1.05:
            failures.append("a lone request takes more than 1.05 times generate() in process")
    if requests:
        many_requests(port, 1024)
        before = memory(server.pid)
        many_requests(port, requests)
        after = memory(server.pid)
        if after > 1.05 * before:
            failures.append("memory has grown by more than 5%")
        print(f"memory: {before} kB after 1,000 requests, {after} kB after {requests} more: {after / before:.3f} times")
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model", nargs="?", default="fashion-mnist")
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--threads", default="0")
    parser.add_argument("--bench")
    parser.add_argument("--keep-bytes", default="1000000")
    options = parser.parse_args()
    server = subprocess.Popen([os.path.abspath(options.program), "serve", options.model, "--listen", "127.0.0.1:0",
                               "--threads", options.threads, "--keep-bytes", options.keep_bytes], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().rstrip("/\n").split(":")[-1])
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/diffusion/v1/capabilities")
        for model in json.load(connection.getresponse())["models"]:
            times = {t["rows"]: t["seconds"] * 1000 / t["rows"] for t in model["evaluation_times"]}
            print("ms a row by rows: " + ", ".join(f"{rows}: {ms:.2f}" for rows, ms in times.items()))
        failures = measure(server, port, options)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    sys.exit("\n".join(failures) or None)


main()
