"""Measures hot -> warm -> cold on generated points, beside pyarrow.

    python3 scripts/bench_tiers.py CVX DIR [POINTS] [DIM] [CODEC ...]

Makes POINTS (1,000,000) points of DIM (128) values: a thousand entities, each a random walk over three months
on the unit sphere, in Parquet files that are ingested one after the other; then `compact`, `verify --level deep`,
one trajectory, and `tier run` with each CODEC given. Prints one line a step: seconds, points/s, MB/s of raw f32,
peak memory, bytes. In the same run pyarrow writes the same rows with its zstd defaults. Needs numpy and pyarrow.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ENTITIES = 1000
START_US = 1_704_067_200_000_000
SPAN_US = 90 * 86_400_000_000


def batches(points, dim):
    """The points by entity, a hundred entities a batch."""
    rng = np.random.default_rng(1)
    each = points // ENTITIES
    for first in range(0, ENTITIES, 100):
        x = rng.standard_normal((100, 1, dim)) + 0.05 * np.cumsum(rng.standard_normal((100, each, dim)), axis=1)
        x = (x / np.linalg.norm(x, axis=2, keepdims=True)).astype(np.float32)
        entity = np.repeat(np.arange(first, first + 100, dtype=np.uint64), each)
        t = np.tile(START_US + np.arange(each) * (SPAN_US // each), 100)
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), dim)
        yield pa.table({"entity_id": entity, "timestamp": pa.array(t, pa.timestamp("us", "UTC")), "vector": vectors})


def run(what, points, dim, command):
    """Runs a command; returns its first row, and prints what it took."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    peak = [0]

    def watch():
        while process.poll() is None:
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                # Pages of mapped files belong to the page cache.
                anonymous = next(line for line in status.splitlines() if line.startswith("RssAnon"))
                peak[0] = max(peak[0], int(anonymous.split()[1]))
            except (OSError, StopIteration):
                pass
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    out = process.stdout.read().decode()
    code = process.wait()
    watcher.join()
    seconds = time.monotonic() - started
    if code:
        sys.exit(f"{what}: exit {code}")
    print(
        f"{what}: {seconds:.1f} s, {points / seconds:,.0f} points/s, {points * dim * 4 / seconds / 1e6:.0f} MB/s, "
        f"peak {peak[0] / 1024:.0f} MiB anonymous",
        flush=True,
    )
    return json.loads(out.splitlines()[0]) if out.startswith("{") else {}


def main():
    cvx, root = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2])
    points = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
    dim = int(sys.argv[4]) if len(sys.argv) > 4 else 128
    print(f"{points:,} points, {dim} dimensions, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    shutil.rmtree(root, ignore_errors=True)
    (root / "in").mkdir(parents=True)
    d = ["-d", str(root / "d"), "-f", "jsonl"]
    subprocess.run([cvx, "init", str(root / "d"), "--dim", str(dim)], check=True, stdout=subprocess.DEVNULL)
    for i, table in enumerate(batches(points, dim)):
        pq.write_table(table, root / f"in/{i}.parquet", compression="none")
    run("ingest", points, dim, [cvx, *d, "ingest", str(root / "in")])
    started = time.monotonic()
    files = sorted((root / "in").iterdir(), key=lambda p: int(p.stem))
    with pq.ParquetWriter(root / "plain.parquet", pq.read_schema(files[0]), compression="zstd") as out:
        for path in files:
            out.write_table(pq.read_table(path))
    seconds = time.monotonic() - started
    size = (root / "plain.parquet").stat().st_size
    print(f"pyarrow, read and write: {seconds:.1f} s, {points / seconds:,.0f} points/s, {points * dim * 4 / seconds / 1e6:.0f} MB/s, {size:,} bytes")
    row = run("compact", points, dim, [cvx, *d, "compact", "--keep-for", "0s"])
    raw = points * dim * 4
    print(f"  {row['files_out']} files, {row['bytes_after']:,} bytes, {row['bytes_after'] / raw:.3f} of raw f32; pyarrow {size / raw:.3f}")
    run("verify --level deep", points, dim, [cvx, *d, "verify", "--level", "deep"])
    run("one trajectory from warm", points // ENTITIES, dim, [cvx, *d, "query", "trajectory", "--entity", "500"])
    run("knn over warm", points, dim, [cvx, *d, "query", "knn", "--like", "500"])
    for codec in sys.argv[5:]:
        row = run(f"tier run {codec}", points, dim, [cvx, *d, "tier", "run", "--older-than", "1d", "--codec", codec, "--keep-original", "--keep-for", "0s"])
        status = subprocess.run([cvx, *d, "tier", "status"], capture_output=True, text=True, check=True).stdout
        cold = json.loads(status.splitlines()[-1])
        print(f"  {cold['bytes'] / points:.1f} bytes a point, error p99 {row['err_p99']:.4f}")
        run(f"knn over {codec}, ranked by originals", points, dim, [cvx, *d, "query", "knn", "--like", "500"])
        run("tier restore", points, dim, [cvx, *d, "tier", "restore", "--all", "--keep-for", "0s"])


if __name__ == "__main__":
    main()
