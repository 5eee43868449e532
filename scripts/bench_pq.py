#!/usr/bin/env python3
"""Cold codecs beside faiss: bytes, recall@10, and rates of one core, in one run.

  bench_pq.py --example PATH --work DIR (--parquet X.parquet --queries Q.jsonl | --generate N DIM) CODEC ...

PATH is the built example (cargo build --release --example cold_codecs). Rows are the column `vector` of a
Parquet file and the queries of a file of JSON lines with "vector"; or N generated rows: a thousand entities that
walk around fifty centres in 64 of DIM dimensions, and queries from a hundred entities that are not stored. Truth is brute
force by cosine. faiss codes the same rows with ProductQuantizer (after OPQ where asked), learns from the same
third of them, and ranks by cosine with the reconstruction, as cvx does; its scan rate is that of IndexPQ (8-bit)
and IndexPQFastScan (4-bit) for one query after the other. Needs numpy, pyarrow and faiss-cpu.
"""
import argparse, json, os, subprocess, time
import numpy as np
import faiss

K = 10


def real(parquet, queries):
    import pyarrow.parquet as pq
    table = pq.read_table(parquet, columns=["vector"])["vector"].combine_chunks()
    x = table.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(table), -1)
    q = np.array([json.loads(line)["vector"] for line in open(queries)], dtype=np.float32)
    return x, q


def generated(n, dim):
    rng = np.random.default_rng(7)
    latent = 64
    centres = rng.standard_normal((50, latent))
    spread = rng.standard_normal((latent, dim)) / np.sqrt(latent) * (np.arange(1, latent + 1) ** -0.5)[:, None]
    steps = n // 1000
    start = centres[rng.integers(0, 50, 1100)] + 0.7 * rng.standard_normal((1100, latent))
    walk = start[:, None, :] + 0.05 * np.cumsum(rng.standard_normal((1100, steps, latent)), axis=1)
    x = walk @ spread + 0.02 * rng.standard_normal((1100, steps, dim))
    x = (x / np.linalg.norm(x, axis=2, keepdims=True)).astype(np.float32)
    return x[:1000].reshape(-1, dim), x[1000:, steps // 2]


def truth_of(x, q):
    unit = lambda v: v / np.linalg.norm(v, axis=1, keepdims=True)
    dots = unit(q.astype(np.float64)) @ unit(x.astype(np.float64)).T
    return np.argsort(-dots, axis=1)[:, :K].astype(np.uint32)


def by_faiss(codec, x, q, truth):
    kind, m = codec.split(":")
    bits = 4 if m.endswith("x4") else 8
    m, dim, sample = int(m.split("x")[0]), x.shape[1], x[::3]
    t = time.perf_counter()
    rotation = None
    if kind == "opq":
        rotation = faiss.OPQMatrix(dim, m)
        rotation.niter = 8
        rotation.train(sample)
    turned = rotation.apply(x) if rotation else x
    pq = faiss.ProductQuantizer(dim, m, bits)
    pq.train(turned[::3].copy())
    train_s = time.perf_counter() - t
    t = time.perf_counter()
    codes = pq.compute_codes(rotation.apply(x) if rotation else x)
    encode_s = time.perf_counter() - t
    t = time.perf_counter()
    back = pq.decode(codes)
    back = rotation.reverse_transform(back) if rotation else back
    decode_s = time.perf_counter() - t
    back /= np.maximum(np.linalg.norm(back, axis=1, keepdims=True), 1e-30)
    found = np.argsort(-(q @ back.T), axis=1)[:, :100]
    hits = [np.isin(f[:K], t).sum() for f, t in zip(found, truth)]
    index = faiss.IndexPQFastScan(dim, m, 4) if bits == 4 else faiss.IndexPQ(dim, m, 8)
    index.train(turned[::3].copy())
    index.add(turned)
    turned_q = rotation.apply(q) if rotation else q
    t = time.perf_counter()
    for one in turned_q:
        index.search(one[None], 100)
    scan_s = time.perf_counter() - t
    n = len(x)
    return dict(codec=codec, bytes=m * bits / 8, recall=np.sum(hits) / (len(q) * K), train_s=train_s,
                encode_per_s=n / encode_s, decode_per_s=n / decode_s, scan_per_s=n * len(q) / scan_s)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--example", required=True)
    ap.add_argument("--work", required=True)
    ap.add_argument("--parquet")
    ap.add_argument("--queries")
    ap.add_argument("--generate", nargs=2, type=int, metavar=("N", "DIM"))
    ap.add_argument("codecs", nargs="+")
    o = ap.parse_args()
    faiss.omp_set_num_threads(1)
    os.makedirs(o.work, exist_ok=True)
    x, q = generated(*o.generate) if o.generate else real(o.parquet, o.queries)
    truth = truth_of(x, q)
    files = [os.path.join(o.work, f) for f in ["x.f32", "q.f32", "truth.u32"]]
    for array, file in zip([x, q, truth], files):
        np.ascontiguousarray(array).tofile(file)
    print(f"{len(x)} rows, {len(q)} queries, D = {x.shape[1]}; one thread each")
    print("| who | codec | bytes | recall | C50 | C100 | error p50 | train s | encode/s | decode/s | scan M/s |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for codec in o.codecs:
        env = {**os.environ, "RAYON_NUM_THREADS": "1"}
        p = subprocess.run([o.example, *files, str(x.shape[1]), codec], capture_output=True, text=True, env=env, check=True)
        rows = [("cvx", json.loads(p.stdout))]
        if codec.split(":")[0] in ("pq", "opq"):
            rows.append(("faiss", by_faiss(codec, x, q, truth)))
        for who, r in rows:
            cell = lambda key, form: format(r[key], form) if key in r else ""
            print("|", " | ".join([who, codec, cell("bytes", ".0f"), cell("recall", ".3f"), cell("recall_rerank50", ".3f"),
                  cell("recall_rerank100", ".3f"), cell("error_p50", ".3f"), cell("train_s", ".1f"),
                  cell("encode_per_s", ",.0f"), cell("decode_per_s", ",.0f"), format(r["scan_per_s"] / 1e6, ".1f")]), "|", flush=True)


if __name__ == "__main__":
    main()
