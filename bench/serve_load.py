#!/usr/bin/env python3
"""Load on `diffusion serve`, as ratios within one run: batching, short jobs behind long ones, health, memory.

Usage: serve_load.py PROGRAM [MODEL] [--requests N]    N: of the long run for memory, 0: none
"""
import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
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


def measure(server, port, requests):
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
    if requests:
        throughput(port, 64, max(1000 // 64, 1), 2)
        before = memory(server.pid)
        throughput(port, 64, requests // 64, 2)
        after = memory(server.pid)
        print(f"memory: {before} kB after 1,000 requests, {after} kB after {requests} more: {after / before:.3f} times")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model", nargs="?", default="fashion-mnist")
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--threads", default="0")
    options = parser.parse_args()
    server = subprocess.Popen([os.path.abspath(options.program), "serve", options.model, "--listen", "127.0.0.1:0",
                               "--threads", options.threads], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().rstrip("/\n").split(":")[-1])
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/diffusion/v1/capabilities")
        for model in json.load(connection.getresponse())["models"]:
            times = {t["rows"]: t["seconds"] * 1000 / t["rows"] for t in model["evaluation_times"]}
            print("ms a row by rows: " + ", ".join(f"{rows}: {ms:.2f}" for rows, ms in times.items()))
        measure(server, port, options.requests)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


main()
