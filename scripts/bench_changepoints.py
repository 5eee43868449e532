#!/usr/bin/env python3
"""Time the search for change points beside ruptures, on the same kind of series in one run.

  cargo build --release --example bench_changepoints
  scripts/bench_changepoints.py target/release/examples/bench_changepoints [--quick]

Prints a table: series, CPU seconds, changes found, jumps hit.  ruptures (pip install ruptures) is
run as KernelCPD(kernel="linear"), its fastest exact search for changes of the mean, and as
Pelt(model="l2", jump=1); with a penalty of 3 log n noise traces.  What would take longer than
--limit seconds is left out.
"""
import argparse, subprocess, sys, time

SERIES = [(10_000, 1), (100_000, 1), (10_000, 64), (100_000, 64), (10_000, 768), (100_000, 768)]


def series(n, dim, changes):
    import numpy as np

    rng = np.random.default_rng(1)
    every = n // (changes + 1)
    x = rng.standard_normal((n, dim)).astype(np.float32)
    jumps = [j * every for j in range(1, changes + 1)]
    for j in jumps:
        step = rng.standard_normal(dim)
        x[j:] += step / np.linalg.norm(step) * (3.0 if dim == 1 else dim**0.5)
    return x, jumps


def ours(program, n, dim, changes, threads, limit):
    run = subprocess.run(
        [program, str(n), str(dim), str(changes), str(threads)], capture_output=True, text=True, timeout=limit
    )
    *_, seconds, found, hits = run.stdout.split()
    return float(seconds), int(found), int(hits)


def rupture(kind, n, dim, changes):
    import numpy as np, ruptures

    x, jumps = series(n, dim, changes)
    penalty = 3 * np.log(n) * dim
    start = time.process_time()
    if kind == "kernel":
        algo = ruptures.KernelCPD(kernel="linear", min_size=2, jump=1).fit(x)
    else:
        algo = ruptures.Pelt(model="l2", min_size=2, jump=1).fit(x)
    found = algo.predict(pen=penalty)[:-1]
    seconds = time.process_time() - start
    return seconds, len(found), sum(any(abs(f - j) <= 5 for f in found) for j in jumps)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("--limit", type=float, default=300)
    p.add_argument("--quick", action="store_true", help="only 10,000 points")
    p.add_argument("--peers", type=int, default=10_000, help="longest series that the peers are given")
    a = p.parse_args()
    print("| n | D | jumps | program | seconds | found | hit |\n|---|---|---|---|---|---|---|")
    for n, dim in SERIES:
        if a.quick and n > 10_000:
            continue
        for changes in (0, 9, 99):
            rows = [(f"cvx, {t} thread{'s' * (t > 1)}", lambda t=t: ours(a.program, n, dim, changes, t, a.limit)) for t in (1, 2)]
            if n <= a.peers:
                rows.append(("ruptures KernelCPD", lambda: rupture("kernel", n, dim, changes)))
            if n <= a.peers and dim <= 64 and changes:
                rows.append(("ruptures Pelt", lambda: rupture("pelt", n, dim, changes)))
            for name, run in rows:
                try:
                    seconds, found, hits = run()
                    print(f"| {n} | {dim} | {changes} | {name} | {seconds:.3f} | {found} | {hits} |", flush=True)
                except subprocess.TimeoutExpired:
                    print(f"| {n} | {dim} | {changes} | {name} | over {a.limit:.0f} | | |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
