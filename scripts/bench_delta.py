#!/usr/bin/env python3
"""What delta coding saves: bytes of hot segments over raw f32, lossless and within 1e-7.

  bench_delta.py --cvx PATH --work DIR [REAL.parquet ...]

Generated: 500 entities x 200 steps, D = 128, unit-length start; at each step a tenth of the dimensions
(chosen anew) move by N(0, 0.001) [sparse], or all move by N(0, 1e-6) [small]. `error` is the largest
difference of an exported value; `scan` is one query over all points, decoding included, whole process.
Needs numpy and pyarrow.
"""
import argparse, os, shutil, subprocess, time
import numpy as np
import pyarrow.parquet as pq


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cvx", required=True)
    ap.add_argument("--work", required=True)
    ap.add_argument("real", nargs="*")
    o = ap.parse_args()
    os.makedirs(o.work, exist_ok=True)
    rng = np.random.default_rng(3)
    n, steps, dim = 500, 200, 128
    sets = {}
    for name in ["sparse", "small"]:
        x = rng.standard_normal((n, 1, dim))
        x /= np.linalg.norm(x, axis=2, keepdims=True)
        if name == "sparse":
            step = rng.standard_normal((n, steps, dim)) * 1e-3 * (rng.random((n, steps, dim)) < 0.1)
        else:
            step = rng.standard_normal((n, steps, dim)) * 1e-6
        step[:, 0] = 0
        v = (x + np.cumsum(step, axis=1)).astype(np.float32).reshape(-1, dim)
        p = lambda s: os.path.join(o.work, f"{name}-{s}.npy")
        np.save(p("v"), v)
        np.save(p("i"), np.repeat(np.arange(n, dtype=np.uint64), steps))
        np.save(p("t"), np.tile(np.arange(steps, dtype=np.int64), n))
        sets[name] = (["ingest", p("v"), "--ids-file", p("i"), "--times-file", p("t"), "--time-unit", "us"], v)
    for path in o.real:
        v = pq.read_table(path, columns=["vector"])["vector"].combine_chunks()
        v = v.flatten().to_numpy().reshape(len(v), -1)
        sets[os.path.basename(path)] = (["ingest", path], v)
    d, out = os.path.join(o.work, "d"), os.path.join(o.work, "out.parquet")
    for name, (ingest, v) in sets.items():
        for tolerance in ["0", "1e-7"]:
            shutil.rmtree(d, ignore_errors=True)
            run = lambda *a: subprocess.run([o.cvx, *a], check=True, capture_output=True)
            run("init", d, "--dim", str(v.shape[1]), "--delta-tolerance", tolerance)
            run("-d", d, *ingest)
            size = sum(os.path.getsize(os.path.join(d, "hot", f)) for f in os.listdir(os.path.join(d, "hot")))
            run("-d", d, "export", "-o", out)
            back = pq.read_table(out, columns=["vector"])["vector"].combine_chunks().flatten().to_numpy().reshape(v.shape)
            error = np.abs(back.astype(np.float64) - v).max()
            times = []
            for _ in range(5):
                t = time.perf_counter()
                run("-d", d, "query", "knn", "--like", "1", "-f", "jsonl")
                times.append(time.perf_counter() - t)
            rate = len(v) / sorted(times)[2]
            print(f"{name:24} tolerance {tolerance:5} {size / (v.size * 4):.4f} of raw  error {error:.1e}  scan {rate:,.0f} vectors/s")


if __name__ == "__main__":
    main()
