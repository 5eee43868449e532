#!/usr/bin/env python3
"""Latency of searches beside a writer: as many searchers as there are cores, each one new process after another, first
alone, then while another process ingests points and works them into the index again and again.

    bench_beside.py --cvx PATH --data DATASET --vector q.json [--seconds 20] [--points 2000]

The dataset grows: use a copy. Prints the median, 99th percentile and largest wall time of `query knn`, and what was written
meanwhile. Every answer must be whole (exit 0, ten rows), and at the end `verify` must be clean.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import threading
import time


def search(a, until, times, failures):
    cmd = [a.cvx, "query", "knn", "-d", a.data, "--vector", a.vector, "-k", "10", "-f", "jsonl"]
    while time.perf_counter() < until:
        started = time.perf_counter()
        done = subprocess.run(cmd, capture_output=True, text=True)
        times.append((time.perf_counter() - started) * 1e3)
        if done.returncode or len(done.stdout.splitlines()) != 10:
            failures.append((done.returncode, done.stderr))


def write(a, dim, until, counts, failures):
    rng = random.Random(1)
    t = int(time.time() * 1e6)
    while time.perf_counter() < until:
        lines = []
        for _ in range(a.points):
            t += 1000
            lines.append(json.dumps({"entity_id": rng.randrange(1000), "timestamp": t,
                                     "vector": [round(rng.gauss(0, 1), 4) for _ in range(dim)]}))
        ingest = [a.cvx, "ingest", "-", "-d", a.data, "--input-format", "jsonl", "--time-unit", "us", "-q"]
        for cmd, text in [(ingest, "\n".join(lines)), ([a.cvx, "index", "build", "-d", a.data, "-q"], "")]:
            done = subprocess.run(cmd, input=text, capture_output=True, text=True)
            if done.returncode:
                failures.append((done.returncode, done.stderr))
                return
        counts.append(a.points)


def phase(a, dim, writing):
    until = time.perf_counter() + a.seconds
    times, failures, counts = [], [], []
    threads = [threading.Thread(target=search, args=(a, until, times, failures)) for _ in range(os.cpu_count())]
    if writing:
        threads.append(threading.Thread(target=write, args=(a, dim, until, counts, failures)))
    [t.start() for t in threads]
    [t.join() for t in threads]
    times.sort()
    p99 = times[int(len(times) * 0.99)]
    what = f"beside a writer of {sum(counts):,} points in {len(counts)} rounds" if writing else "alone"
    print(f"| {what} | {len(times)} | {statistics.median(times):.1f} | {p99:.1f} | {times[-1]:.1f} | {len(failures)} |", flush=True)
    return failures


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cvx", required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--vector", required=True)
    p.add_argument("--seconds", type=float, default=20)
    p.add_argument("--points", type=int, default=2000)
    a = p.parse_args()
    dim = len(json.load(open(a.vector)))
    print("| searches | processes | median ms | 99 % ms | largest ms | failures |\n|---|---|---|---|---|---|")
    failures = phase(a, dim, False) + phase(a, dim, True)
    subprocess.run([a.cvx, "verify", "-d", a.data, "-q"], check=True, stdout=subprocess.DEVNULL)
    if failures:
        raise SystemExit(f"failed: {failures[:3]}")


if __name__ == "__main__":
    main()
