#!/usr/bin/env python3
"""Time the search for change points beside other programs, on the same kind of series in one run.

  cargo build --release --example bench_changepoints
  scripts/bench_changepoints.py target/release/examples/bench_changepoints [--limit 20] [--peers 10000]

Prints a table: series, program, seconds, CPU seconds, changes found, jumps hit.  ruptures, its Rust
port and changeforest (pip install ruptures ruptures-rs changeforest) search for changes of the mean
alone, with a penalty of 3 D log n (changeforest: its default), each in a process of its own (ruptures by
its C code alone: its Pelt in Python takes over 10 s for 2,000 points); cvx
tries seven or eight models and finds its own penalty.  What takes longer than --limit seconds is
ended and said so.  Reading and generating the series is not counted.
"""
import argparse, importlib.util, subprocess, sys, time

SERIES = [(10_000, 1), (100_000, 1), (10_000, 64), (100_000, 64), (4_000, 384), (10_000, 768), (100_000, 768)]
PEERS = {
    "ruptures KernelCPD linear": "ruptures",
    "ruptures-rs KernelCPD linear": "ruptures_rs",
    "ruptures-rs Pelt l2": "ruptures_rs",
    "changeforest change_in_mean": "changeforest",
}


def series(n, dim, changes):
    import numpy as np

    rng = np.random.default_rng(1)
    every = n // (changes + 1)
    x = rng.standard_normal((n, dim))
    jumps = [j * every for j in range(1, changes + 1)]
    for j in jumps:
        step = rng.standard_normal(dim)
        x[j:] += step / np.linalg.norm(step) * (3.0 if dim == 1 else dim**0.5)
    return x, jumps


def peer(name, n, dim, changes):
    """Runs one peer in this process, and prints its row."""
    import importlib
    import numpy as np

    x, jumps = series(n, dim, changes)
    module = importlib.import_module(PEERS[name])
    penalty = 3 * np.log(n) * dim
    start, cpu = time.perf_counter(), time.process_time()
    if "KernelCPD" in name:
        found = module.KernelCPD(kernel="linear", min_size=2, jump=1).fit(x).predict(pen=penalty)[:-1]
    elif "Pelt" in name:
        found = module.Pelt(model="l2", min_size=2, jump=1).fit(x).predict(pen=penalty)[:-1]
    else:
        found = module.changeforest(x, "change_in_mean", "bs").split_points()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    hits = sum(any(abs(f - j) <= 5 for f in found) for j in jumps)
    print(f"{seconds:.3f} {cpu:.3f} {len(found)} {hits}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("--limit", type=float, default=60)
    p.add_argument("--only", help="N,DIM: one size")
    p.add_argument("--changes", default="0,9,99")
    p.add_argument("--peers", type=int, default=100_000, help="longest series that the peers are given")
    p.add_argument("--peer", nargs=4, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.peer:
        return peer(a.peer[0], *map(int, a.peer[1:]))
    sizes = [tuple(map(int, a.only.split(",")))] if a.only else SERIES
    print("| n | D | jumps | program | seconds | CPU | found | hit |\n|---|---|---|---|---|---|---|---|")
    for n, dim in sizes:
        for changes in map(int, a.changes.split(",")):
            size = [str(n), str(dim), str(changes)]
            runs = [(f"cvx, {t} thread{'s' * (t > 1)}", [a.program, *size, str(t)]) for t in (1, 2)]
            for name, module in PEERS.items() if n <= a.peers else ():
                if importlib.util.find_spec(module):
                    runs.append((name, [sys.executable, __file__, "-", "--peer", name, *size]))
            for name, command in runs:
                row = f"| {n} | {dim} | {changes} | {name} |"
                try:
                    # The time to make the series is not the search's.
                    limit = a.limit + 2e-7 * n * dim + 5
                    run = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=True)
                    seconds, cpu, found, hits = run.stdout.split()[-4:]
                    print(f"{row} {seconds} | {cpu} | {found} | {hits} |", flush=True)
                except subprocess.TimeoutExpired:
                    print(f"{row} over {a.limit:.0f} | | | |", flush=True)
                except subprocess.CalledProcessError as e:
                    print(f"{row} failed: {e.stderr.strip().splitlines()[-1][:60]} | | | |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
