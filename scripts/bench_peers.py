#!/usr/bin/env python3
"""Measures the index beside other engines on the same data, in one run, on one core.

Data: a folder that scripts/gen_trajectories.py wrote. cvx: the program that
`cargo build --profile dist --example index_bench` makes. Engines build once into DATA/peers; with --build only that.
Each is asked every query twice at several depths, the second time counts: processor time of the query,
median and 99th percentile, so that other jobs on the machine count little. Of engines that are called from Python the
time of a call that finds nothing is taken off, and filters (selectors, lists of valid rows) are made before the
clock starts. Recall@10 is judged by distance against brute force with a slack of 1e-6. The table has, for each workload,
an engine's fastest depth with recall >= 0.95.

    python -m venv venv && venv/bin/pip install -r scripts/requirements-bench.txt
    venv/bin/pip download --no-deps --no-binary hnswlib hnswlib==0.8.0 && tar xzf hnswlib-0.8.0.tar.gz
    venv/bin/python scripts/gen_trajectories.py data/t100k --dim 128
    venv/bin/python scripts/bench_peers.py data/t100k --cvx target/dist/examples/index_bench \\
        --hnswlib hnswlib-0.8.0 --out benches/record/peers-t100k
"""
import argparse
import json
import os
import pathlib
import subprocess
import time

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")
import numpy as np  # noqa: E402
from peer_engines import ENGINES, K, Hnswlib  # noqa: E402


class Data:
    def __init__(self, folder):
        self.folder = folder
        self.t = np.fromfile(folder / "times.i64", "<i8")
        self.x = np.fromfile(folder / "base.f32", "<f4").reshape(len(self.t), -1)
        self.q = np.fromfile(folder / "queries.f32", "<f4").reshape(-1, self.x.shape[1])
        entity = np.fromfile(folder / "entities.u64", "<u8")
        self.end_rank = np.full(len(self.t), len(self.t))
        last = {}
        for row, e in enumerate(entity.tolist()):
            if e in last:
                self.end_rank[last[e]] = row
            last[e] = row
        self.workloads = json.loads((folder / "workloads.json").read_text())

    def bounds(self, workload):
        """First and end rank of each query's window; for as-of the rank of the instant, twice."""
        w, n = self.workloads[workload], len(self.t)
        if "at" in w:
            rank = np.searchsorted(self.t, w["at"], "right")
            return np.stack([rank, rank], 1)
        if "from" in w:
            return np.stack([np.searchsorted(self.t, w["from"]), np.searchsorted(self.t, w["to"])], 1)
        return np.tile([0, n], (len(self.q), 1))

    def rows(self, workload, i):
        """A slice, or an array of ascending rows."""
        lo, hi = self.bounds(workload)[i] if self.workloads[workload] else (0, len(self.t))
        if "at" in self.workloads[workload]:
            return np.flatnonzero(self.end_rank[:lo] >= lo)
        return slice(int(lo), int(hi))

    def truth(self, workload):
        """Distance of the k-th neighbour and number of neighbours of each query."""
        kth = []
        for i, q in enumerate(self.q):
            s = 1 - self.x[self.rows(workload, i)] @ q
            k = min(K, len(s))
            kth.append((float(np.partition(s, k - 1)[k - 1]) if k else -1.0, k))
        return kth

    def recall(self, answers, truth):
        found = wanted = 0
        for q, rows, (kth, k) in zip(self.q, answers, truth):
            wanted += k
            rows = np.asarray(rows, np.int64)
            rows = np.unique(rows[rows >= 0])
            found += min(k, int((1 - self.x[rows] @ q <= kth + 1e-6).sum()))
        return found / wanted


def timed(ask, n, limit_s):
    """Answers and nanoseconds of each query in the second of two passes; few queries when they are slow."""
    started, warm = time.process_time(), 0
    while warm < n and time.process_time() - started < limit_s / 2:
        ask(warm)
        warm += 1
    answers, ns = [], []
    for i in range(warm):
        before = time.process_time_ns()
        rows = ask(i)
        ns.append(time.process_time_ns() - before)
        answers.append(rows)
    return answers, ns


def measure(engine, data, workload, truth, limit_s):
    floor = engine.floor_us()
    for depth, ask in engine.depths(workload):
        answers, ns = ask() if isinstance(engine, Hnswlib) else timed(ask, len(data.q), limit_s)
        us = np.maximum(np.array(ns) / 1e3 - floor, 0.1)
        row = {"engine": engine.name, "workload": workload, "depth": depth, "us": float(np.median(us)),
               "p99": float(np.quantile(us, 0.99)), "recall": data.recall(answers, truth), "queries": len(ns)}
        if floor:
            row["call_us"] = floor
        print("{engine:26s} {workload:10s} {depth:10s} {us:9.1f} us  p99 {p99:9.1f}  {recall:.4f}".format(**row), flush=True)
        yield row
        if row["recall"] >= 0.99 or row["us"] > limit_s * 1e4:
            return


def run_cvx(program, folder, data, truths):
    """The program's answers; it builds in memory each time."""
    done = subprocess.run([program, folder, "--recall", "0.9,0.95,0.97,0.99"], capture_output=True, text=True, check=True)
    out = json.loads(done.stdout)
    rows = []
    for r in out["results"]:
        recall = data.recall(r["ids"], truths[r["workload"]])
        rows.append({"engine": "cvx", "workload": r["workload"], "depth": r["effort"], "us": r["p50_us"], "p99": r["p99_us"],
                     "recall": recall, "queries": len(r["ids"]), "paths": r["paths"]})
        print("cvx {workload:10s} {depth:14s} {us:9.1f} us  p99 {p99:9.1f}  {recall:.4f} {paths}".format(**rows[-1]), flush=True)
    return rows, {"engine": "cvx", "build_s": out["build_cpu_s"], "bytes": out["bytes"], "sections": out["sections"]}


def best(rows, engine, workload, least):
    """The fastest depth with enough recall, or the one of most recall; and whether it has enough."""
    mine = [r for r in rows if r["engine"] == engine and r["workload"] == workload]
    good = [r for r in mine if r["recall"] >= least]
    if good:
        return min(good, key=lambda r: r["us"]), True
    return max(mine, key=lambda r: r["recall"], default=None), False


def table(record, least):
    rows, builds = record["rows"], record["builds"]
    workloads = list(dict.fromkeys(r["workload"] for r in rows))
    lines = ["| engine | build CPU s | bytes a point | " + " | ".join(workloads) + " |", "|---" * (len(workloads) + 3) + "|"]
    for b in builds:
        cells = []
        for w in workloads:
            r, good = best(rows, b["engine"], w, least)
            cells.append(f"{r['us']:.0f} / {r['p99']:.0f} @ {r['recall']:.3f}{'' if good else ' (!)'}" if r else "-")
        size = f"{b['bytes'] / record['points']:.0f}" if b.get("bytes") else "-"
        lines.append(f"| {b['engine']} | {b['build_s']:.1f} | {size} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def chart(rows, path, title):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    workloads = list(dict.fromkeys(r["workload"] for r in rows))
    fig, axes = plt.subplots(2, -(-len(workloads) // 2), figsize=(15, 8), squeeze=False)
    engines = list(dict.fromkeys(r["engine"] for r in rows))
    for ax, w in zip(axes.flat, workloads):
        for i, engine in enumerate(engines):
            mine = sorted((r["recall"], 1e6 / r["us"]) for r in rows if r["engine"] == engine and r["workload"] == w)
            if mine:
                bold = {"linewidth": 2.5, "color": "black"} if engine == "cvx" else {"color": f"C{i}"}
                ax.plot(*zip(*mine), marker="o", markersize=4, label=engine, **bold)
        ax.axvline(0.95, color="grey", linewidth=0.5)
        ax.set(title=w, xlabel="recall@10", ylabel="queries a second of one core", yscale="log", xlim=(0.7, 1.005))
    axes.flat[0].legend(fontsize=7)
    fig.suptitle(title)
    fig.tight_layout()
    fig.savefig(path)


def cpu():
    with open("/proc/cpuinfo") as f:
        return next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "unknown processor")


def merged(path, rows, builds):
    """What was measured now, and of earlier runs what was not measured again."""
    old = json.loads(path.read_text()) if path.exists() else {"rows": [], "builds": []}
    new = {b["engine"] for b in builds}
    return ([r for r in old["rows"] if r["engine"] not in new] + rows,
            [b for b in old["builds"] if b["engine"] not in new] + builds)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", type=pathlib.Path)
    p.add_argument("--cvx")
    p.add_argument("--out", type=pathlib.Path, help="prefix of .json, .md and .svg; engines measured before stay")
    p.add_argument("--engines", help="comma list of " + ", ".join(ENGINES))
    p.add_argument("--hnswlib", help="folder of hnswlib's source distribution")
    p.add_argument("--build", action="store_true", help="only build what is missing")
    p.add_argument("--limit", type=float, default=10, help="CPU seconds an engine may take for one depth")
    a = p.parse_args()
    Hnswlib.headers = a.hnswlib
    data = Data(a.data)
    engines, builds, rows = [], [], []
    for name in (a.engines.split(",") if a.engines else ENGINES):
        try:
            engine = ENGINES[name](data, a.data / "peers" / name)
            builds.append(engine.ready())
            engines.append(engine)
            print(builds[-1], flush=True)
        except Exception as e:  # an engine that is missing or refuses is reported, not fatal
            print(f"{name}: left out, {type(e).__name__}: {e}", flush=True)
    if a.build or not a.out:
        return
    truths = {w: data.truth(w) for w in data.workloads}
    if a.cvx:
        rows, build = run_cvx(a.cvx, a.data, data, truths)
        builds.insert(0, build)
    for engine in engines:
        for workload in data.workloads:
            if engine.filters or not data.workloads[workload]:
                rows.extend(measure(engine, data, workload, truths[workload], a.limit))
    write(a.out, a.data, rows, builds, len(data.t))


def write(out, folder, rows, builds, points):
    out.parent.mkdir(parents=True, exist_ok=True)
    rows, builds = merged(out.with_suffix(".json"), rows, builds)
    settings = json.loads((folder / "settings.json").read_text()) if (folder / "settings.json").exists() else {}
    record = {"settings": settings, "points": points, "cpu": cpu(), "builds": builds, "rows": rows}
    out.with_suffix(".json").write_text(json.dumps(record, indent=1))
    text = (f"Microseconds of a query, median / 99th percentile @ recall@{K}: fastest depth with recall >= 0.95 ((!): none). "
            f"One core of {record['cpu']}. {json.dumps(settings)}\n\n")
    out.with_suffix(".md").write_text(text + table(record, 0.95))
    chart(rows, out.with_suffix(".svg"), f"{points:,} points, {json.dumps(settings)}")
    print(out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
