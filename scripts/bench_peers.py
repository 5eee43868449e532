#!/usr/bin/env python3
"""Measures the index beside other engines on the same data, in one run, on one thread.

Data: a folder that scripts/gen_trajectories.py wrote. cvx: the program that
`cargo build --profile dist --example index_bench` makes. Times are processor time of the thread
(of the process where an engine keeps threads), means over all queries, so that other jobs on the
machine count little. Recall@10 is judged by distance against brute force with a slack of 1e-6. Every engine
is run at several depths; the table has, for each workload, its fastest one with recall >= 0.95.

    python -m venv venv && venv/bin/pip install -r scripts/requirements-bench.txt
    venv/bin/python scripts/gen_trajectories.py data/t100k --dim 128
    venv/bin/python scripts/bench_peers.py data/t100k --cvx target/dist/examples/index_bench --out benches/record/t100k

Not here: Qdrant. Its in-process mode is a sorted scan in numpy, measured below as such; the engine
itself is a server and cannot be measured on one thread beside the others.
"""
import argparse
import json
import os
import pathlib
import subprocess
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np  # noqa: E402

K = 10


class Data:
    def __init__(self, folder):
        self.t = np.fromfile(folder / "times.i64", "<i8")
        self.x = np.fromfile(folder / "base.f32", "<f4").reshape(len(self.t), -1)
        self.q = np.fromfile(folder / "queries.f32", "<f4").reshape(-1, self.x.shape[1])
        entity = np.fromfile(folder / "entities.u64", "<u8")
        self.end = np.full(len(self.t), np.iinfo(np.int64).max)
        last = {}
        for row, e in enumerate(entity):
            if e in last:
                self.end[last[e]] = self.t[row]
            last[e] = row
        self.workloads = json.loads((folder / "workloads.json").read_text())

    def rows(self, workload, i):
        """A slice, or an array of ascending rows."""
        w = self.workloads[workload]
        if "at" in w:
            return np.flatnonzero((self.t <= w["at"][i]) & (self.end > w["at"][i]))
        if "from" in w:
            return slice(np.searchsorted(self.t, w["from"][i]), np.searchsorted(self.t, w["to"][i]))
        return slice(0, len(self.t))

    def truth(self, workload):
        """Distance of the k-th neighbour and number of neighbours of each query."""
        kth = []
        for i, q in enumerate(self.q):
            s = 1 - self.x[self.rows(workload, i)] @ q
            k = min(K, len(s))
            kth.append((np.partition(s, k - 1)[k - 1] if k else -1.0, k))
        return kth

    def recall(self, answers, truth):
        found = wanted = 0
        for q, rows, (kth, k) in zip(self.q, answers, truth):
            wanted += k
            rows = np.asarray(rows, np.int64)
            rows = np.unique(rows[rows >= 0])
            found += min(k, int((1 - self.x[rows] @ q <= kth + 1e-6).sum()))
        return found / wanted


def timed(ask, data, limit_s):
    """Answers and mean microseconds; stops early when the queries take too long."""
    answers, started = [], time.process_time()
    for i in range(len(data.q)):
        answers.append(ask(i))
        if time.process_time() - started > limit_s:
            break
    return answers, (time.process_time() - started) / len(answers) * 1e6


class Scan:
    name = "numpy sorted scan"

    def __init__(self, d):
        self.d, self.bytes = d, d.x.nbytes

    def depths(self, workload):
        def ask(i):
            rows = self.d.rows(workload, i)
            s = self.d.x[rows] @ self.d.q[i]
            k = min(K, len(s))
            best = np.argpartition(-s, k - 1)[:k] if k else np.empty(0, int)
            return rows[best] if isinstance(rows, np.ndarray) else best + rows.start
        yield "", ask


class Hnswlib:
    name = "hnswlib M16 efC200"

    def __init__(self, d):
        import hnswlib
        self.d = d
        self.h = hnswlib.Index(space="ip", dim=d.x.shape[1])
        self.h.init_index(len(d.x), M=16, ef_construction=200, random_seed=1)
        self.h.add_items(d.x, num_threads=1)

    def depths(self, workload):
        w = self.d.workloads[workload]
        for ef in [10, 16, 24, 32, 48, 64, 96, 128, 256, 512]:
            def ask(i):
                self.h.set_ef(ef)
                if not w:
                    return self.h.knn_query(self.d.q[i], K, num_threads=1)[0][0]
                rows = self.d.rows(workload, i)
                allowed = (lambda r: rows.start <= r < rows.stop) if isinstance(rows, slice) else set(rows.tolist()).__contains__
                try:
                    return self.h.knn_query(self.d.q[i], K, num_threads=1, filter=allowed)[0][0]
                except RuntimeError:  # fewer than k rows found
                    return []
            yield f"ef {ef}", ask


class Faiss:
    def __init__(self, d, name, index, depths):
        import faiss
        faiss.omp_set_num_threads(1)
        self.d, self.name, self.settings, self.faiss = d, name, depths, faiss
        self.index = index
        if not index.is_trained:
            index.train(d.x)
        index.add(d.x)
        self.bytes = len(faiss.serialize_index(index))

    def depths(self, workload):
        faiss, w = self.faiss, self.d.workloads[workload]
        for depth in self.settings:
            hnsw = "HNSW" in self.name
            make = (lambda sel: faiss.SearchParametersHNSW(efSearch=depth, sel=sel)) if hnsw else (
                lambda sel: faiss.SearchParametersIVF(nprobe=depth, sel=sel))
            def ask(i):
                rows = self.d.rows(workload, i) if w else None
                if rows is None:
                    sel = None
                elif isinstance(rows, slice):
                    sel = faiss.IDSelectorRange(rows.start, rows.stop, True) if not hnsw else faiss.IDSelectorRange(rows.start, rows.stop)
                else:
                    sel = faiss.IDSelectorBatch(rows.astype("int64"))
                return self.index.search(self.d.q[i : i + 1], K, params=make(sel))[1][0]
            yield f"{'ef' if hnsw else 'nprobe'} {depth}", ask


class Usearch:
    name = "usearch bf16 M16 ea128"

    def __init__(self, d):
        from usearch.index import Index
        self.d = d
        self.index = Index(ndim=d.x.shape[1], metric="ip", dtype="bf16", connectivity=16, expansion_add=128)
        self.index.add(np.arange(len(d.x)), d.x, threads=1)
        self.bytes = self.index.memory_usage

    def depths(self, workload):
        if self.d.workloads[workload]:
            return
        for ef in [10, 16, 32, 64, 128, 256]:
            def ask(i):
                self.index.expansion_search = ef
                return self.index.search(self.d.q[i], K, threads=1).keys
            yield f"ef {ef}", ask


class Symphony:
    name = "SymphonyQG deg32 random init"

    def __init__(self, d):
        import rabitqlib
        self.d = d
        self.index = rabitqlib.SymqgIndex(d.x.shape[1], len(d.x), 32)
        self.index.build(d.x, 200, num_threads=1, init="random")

    def depths(self, workload):
        if self.d.workloads[workload]:
            return
        for ef in [16, 24, 32, 48, 64, 96, 128, 256]:
            yield f"ef {ef}", lambda i: np.asarray(self.index.search(self.d.q[i : i + 1], K, ef)[0]).reshape(-1)[:K]


def engines(d, wanted):
    import faiss
    dim, lists = d.x.shape[1], int(4 * len(d.x) ** 0.5)
    ip = faiss.METRIC_INNER_PRODUCT
    make = {
        "scan": lambda: Scan(d),
        "ivf": lambda: Faiss(d, f"faiss IVF{lists}-flat", faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, ip), [1, 2, 4, 8, 16, 32, 64, 128, 256]),
        "hnswlib": lambda: Hnswlib(d),
        "faiss-hnsw": lambda: Faiss(d, "faiss HNSW16", faiss.IndexHNSWFlat(dim, 16, ip), [16, 32, 64, 128, 256]),
        "faiss-sq8": lambda: Faiss(d, "faiss HNSW16-SQ8", faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_8bit, 16, ip), [16, 32, 64, 128, 256]),
        "usearch": lambda: Usearch(d),
        "symphony": lambda: Symphony(d),
    }
    for name in wanted or make:
        started = time.process_time()
        try:
            engine = make[name]()
        except Exception as e:  # an engine that is missing or refuses is reported, not fatal
            yield name, None, f"{type(e).__name__}: {e}"
            continue
        yield name, engine, time.process_time() - started


def run_cvx(program, folder, data, truths):
    efforts = "0.9,0.95,0.97,0.99"
    done = subprocess.run([program, folder, "--recall", efforts], capture_output=True, text=True, check=True)
    out = json.loads(done.stdout)
    rows = []
    for r in out["results"]:
        recall = data.recall(r["ids"], truths[r["workload"]])
        rows.append({"engine": "cvx", "workload": r["workload"], "depth": r["effort"], "us": r["cpu_us"],
                     "recall": recall, "paths": r["paths"]})
    return rows, {"engine": "cvx", "build_s": out["build_cpu_s"], "bytes": out["bytes"], "sections": out["sections"]}


def table(rows, builds, least):
    """Markdown: the fastest depth of each engine with enough recall, else its best recall."""
    workloads = list(dict.fromkeys(r["workload"] for r in rows))
    lines = ["| engine | build CPU s | " + " | ".join(workloads) + " |", "|---" * (len(workloads) + 2) + "|"]
    for b in builds:
        cells = []
        for w in workloads:
            mine = [r for r in rows if r["engine"] == b["engine"] and r["workload"] == w]
            good = [r for r in mine if r["recall"] >= least]
            best = min(good, key=lambda r: r["us"]) if good else max(mine, key=lambda r: r["recall"], default=None)
            mark = "" if good else " (!)"
            cells.append(f"{best['us']:.0f} @ {best['recall']:.3f}{mark}" if best else "-")
        lines.append(f"| {b['engine']} | {b['build_s']:.1f} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def chart(rows, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    workloads = list(dict.fromkeys(r["workload"] for r in rows))
    fig, axes = plt.subplots(2, -(-len(workloads) // 2), figsize=(15, 8))
    for ax, w in zip(axes.flat, workloads):
        for engine in dict.fromkeys(r["engine"] for r in rows):
            mine = sorted((r["recall"], 1e6 / r["us"]) for r in rows if r["engine"] == engine and r["workload"] == w)
            if mine:
                ax.plot(*zip(*mine), marker="o", label=engine)
        ax.set(title=w, xlabel="recall@10", ylabel="queries a CPU second", yscale="log", xlim=(0.7, 1.005))
    axes.flat[0].legend(fontsize=7)
    fig.tight_layout()
    fig.savefig(path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", type=pathlib.Path)
    p.add_argument("--cvx", required=True)
    p.add_argument("--out", type=pathlib.Path, required=True, help="prefix of .json, .md and .svg")
    p.add_argument("--engines", help="comma list of scan, ivf, hnswlib, faiss-hnsw, faiss-sq8, usearch, symphony")
    p.add_argument("--limit", type=float, default=20, help="CPU seconds an engine may take for one depth")
    a = p.parse_args()
    data = Data(a.data)
    truths = {w: data.truth(w) for w in data.workloads}
    rows, build = run_cvx(a.cvx, a.data, data, truths)
    builds = [build]
    for name, engine, note in engines(data, a.engines and a.engines.split(",")):
        if engine is None:
            print(f"{name}: left out, {note}")
            continue
        builds.append({"engine": engine.name, "build_s": note, "bytes": getattr(engine, "bytes", None)})
        for workload in data.workloads:
            for depth, ask in engine.depths(workload):
                answers, us = timed(ask, data, a.limit)
                recall = data.recall(answers, truths[workload])
                rows.append({"engine": engine.name, "workload": workload, "depth": depth, "us": us, "recall": recall})
                print(f"{engine.name:30s} {workload:10s} {depth:10s} {us:9.1f} us  {recall:.4f}", flush=True)
                if recall >= 0.99 or us > a.limit * 1e4:
                    break
    a.out.parent.mkdir(parents=True, exist_ok=True)
    settings = json.loads((a.data / "settings.json").read_text()) if (a.data / "settings.json").exists() else {}
    record = {"settings": settings, "cpu": cpu(), "builds": builds, "rows": rows}
    a.out.with_suffix(".json").write_text(json.dumps(record, indent=1))
    text = f"CPU microseconds a query @ recall@{K}, fastest depth with recall >= 0.95 ((!): none). {cpu()}. {json.dumps(settings)}\n\n"
    a.out.with_suffix(".md").write_text(text + table(rows, builds, 0.95))
    chart(rows, a.out.with_suffix(".svg"))
    print(a.out.with_suffix(".md").read_text())


def cpu():
    with open("/proc/cpuinfo") as f:
        return next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "unknown processor")


if __name__ == "__main__":
    main()
