#!/usr/bin/env python3
"""Measure ingest, scan and trajectory reads of the real binary against what bounds them.

  bench_dataset.py --cvx PATH --work DIR [--points 200000] [--dim 768] [--repeat 3]

Makes embedding-like data (a slowly moving entity mean and noise, unit length), writes it as Parquet,
JSON lines and CSV, and reports medians of the repeats, each against its floor in the same run:

  ingest from Parquet    points/s, against appending and fsyncing the same bytes in 64 MiB pieces
  ingest from text       MB/s of text
  peak memory            of each ingest, as the system accounts it
  delta coding           bytes of hot segments over raw f32
  scan                   one exact query over all points, against reading the dataset's files once
  trajectory             one entity: the whole process

Needs numpy and pyarrow.
"""
import argparse, json, os, resource, shutil, statistics, subprocess, sys, time
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def run(cmd, **kw):
    t = time.perf_counter()
    p = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    out, err = p.communicate()
    wall = time.perf_counter() - t
    if p.returncode != 0:
        sys.exit(f"{cmd}: {p.returncode} {err.decode()}")
    return wall, out


def peak(cmd):
    """Runs under a child that reports its child's peak resident memory in MiB."""
    code = ("import resource,subprocess,sys;r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL).returncode;"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024);sys.exit(r)")
    p = subprocess.run([sys.executable, "-c", code, *cmd], capture_output=True, text=True)
    return int(p.stdout.split()[-1])


def points(n, dim, per, rng):
    entities = n // per
    base = rng.standard_normal((entities, dim)).astype(np.float32)
    for start in range(0, n, 20000):
        rows = np.arange(start, min(n, start + 20000))
        x = base[rows // per] + 0.3 * rng.standard_normal((len(rows), dim)).astype(np.float32)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        yield rows // per, 1_700_000_000_000_000 + (rows % per) * 3_600_000_000, x


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cvx", required=True)
    ap.add_argument("--work", required=True)
    ap.add_argument("--points", type=int, default=200_000)
    ap.add_argument("--dim", type=int, default=768)
    ap.add_argument("--per", type=int, default=1000, help="points an entity")
    ap.add_argument("--repeat", type=int, default=3)
    ap.add_argument("--text-points", type=int, default=20_000)
    o = ap.parse_args()
    os.makedirs(o.work, exist_ok=True)
    rng = np.random.default_rng(7)
    parquet = os.path.join(o.work, "in.parquet")
    raw = o.points * o.dim * 4
    if not os.path.exists(parquet):
        schema = pa.schema([("entity_id", pa.uint64()), ("timestamp", pa.timestamp("us", "UTC")),
                            ("vector", pa.list_(pa.float32(), o.dim))])
        with pq.ParquetWriter(parquet, schema, compression="none", use_dictionary=False) as w:
            for e, t, x in points(o.points, o.dim, o.per, rng):
                v = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), o.dim)
                w.write_table(pa.table([pa.array(e.astype(np.uint64)), pa.array(t, pa.timestamp("us", "UTC")), v], schema=schema))
    d = os.path.join(o.work, "d")

    def append():
        path, piece = os.path.join(o.work, "raw"), os.urandom(1 << 20) * 64
        t = time.perf_counter()
        with open(path, "wb") as f:
            for _ in range(max(1, raw // len(piece))):
                f.write(piece)
                f.flush()
                os.fsync(f.fileno())
        wall = time.perf_counter() - t
        size = os.path.getsize(path)
        os.unlink(path)
        return size / wall / o.dim / 4

    def ingest(source, *flags):
        shutil.rmtree(d, ignore_errors=True)
        run([o.cvx, "init", d, "--dim", str(o.dim)])
        wall, _ = run([o.cvx, "-d", d, "-q", "ingest", source, *flags])
        return wall

    floors, rates = [], []
    for _ in range(o.repeat):
        floors.append(append())
        rates.append(o.points / ingest(parquet))
    f, r = statistics.median(floors), statistics.median(rates)
    print(f"ingest Parquet D={o.dim}: {r:,.0f} points/s; append+fsync of the same bytes {f:,.0f} points/s; ratio {r / f:.2f}")
    bytes_hot = sum(os.path.getsize(os.path.join(d, "hot", n)) for n in os.listdir(os.path.join(d, "hot")))
    print(f"hot segments: {bytes_hot / raw:.4f} of raw f32")
    shutil.rmtree(d)
    run([o.cvx, "init", d, "--dim", str(o.dim)])
    print(f"peak memory: {peak([o.cvx, '-d', d, '-q', 'ingest', parquet])} MiB for an input of {os.path.getsize(parquet) >> 20} MiB")

    # A scan against reading the files once.
    q = os.path.join(o.work, "q.json")
    with open(q, "w") as h:
        json.dump(rng.standard_normal(o.dim).tolist(), h)
    files = [os.path.join(d, "hot", n) for n in sorted(os.listdir(os.path.join(d, "hot")))]

    def read_once():
        t = time.perf_counter()
        for n in files:
            with open(n, "rb", buffering=0) as h:
                while h.readinto(buffer):
                    pass
        return time.perf_counter() - t

    buffer = bytearray(1 << 20)
    read_once()
    reads, scans, starts, paths = [], [], [], []
    for _ in range(max(5, o.repeat)):
        reads.append(read_once())
        scans.append(run([o.cvx, "-d", d, "-f", "jsonl", "query", "knn", "--vector", q])[0])
        starts.append(run([o.cvx, "--version"])[0])
        paths.append(run([o.cvx, "-d", d, "-f", "jsonl", "query", "trajectory", "--entity", str(o.points // o.per // 2)])[0])
    m = statistics.median
    print(f"scan of {o.points:,} x {o.dim}: {m(scans) * 1e3:.0f} ms whole process; reading the files once (one thread, read()): "
          f"{m(reads) * 1e3:.0f} ms; ratio {m(scans) / m(reads):.2f}; process start {m(starts) * 1e3:.1f} ms")
    print(f"trajectory of {o.per} points: {m(paths) * 1e3:.1f} ms whole process")

    # Text.
    for form in ["jsonl", "csv"]:
        path = os.path.join(o.work, f"in.{form}")
        if not os.path.exists(path):
            with open(path, "w") as h:
                if form == "csv":
                    h.write("entity_id,timestamp,vector\n")
                for e, t, x in points(o.text_points, o.dim, o.per, rng):
                    for i in range(len(e)):
                        v = "[" + ",".join(repr(float(np.float32(a)))[:12] for a in x[i]) + "]"
                        h.write(f'{{"entity_id":{e[i]},"timestamp":{t[i]},"vector":{v}}}\n' if form == "jsonl" else f'{e[i]},{t[i]},"{v}"\n')
        size = os.path.getsize(path)
        walls = [ingest(path, "--time-unit", "us") for _ in range(o.repeat)]
        print(f"ingest {form}: {size / m(walls) / 1e6:.0f} MB/s of text, {o.text_points / m(walls):,.0f} points/s")
    shutil.rmtree(d)


if __name__ == "__main__":
    main()
