#!/usr/bin/env python3
"""Generates trajectories that look like embeddings over time, and workloads over them.

Entities belong to clusters in a latent space of 64 dimensions, drift by small steps, and now and
then jump to another cluster. A random linear map takes them to D dimensions, a little noise is
added, and rows are scaled to unit length. `--kind gauss` is the degenerate case instead:
independent Gaussian rows, in which nothing is near anything.

Writes into OUT, rows in the order of (timestamp, entity):
  base.f32 times.i64 entities.u64   n x D, n, n, little endian
  queries.f32                       q x D, from entities that are not stored
  workloads.json                    name -> {"from": [..], "to": [..]} or {"at": [..]} or {}, microseconds
"""
import argparse
import json
import pathlib

import numpy as np

DAY = 86_400_000_000


def walk(rng, entities, versions, latent, clusters, step, jump):
    """Latent places (entities, versions, latent)."""
    centres = rng.standard_normal((clusters, latent)).astype(np.float32)
    home = rng.integers(0, clusters, entities)
    offset = (0.6 * rng.standard_normal((entities, latent))).astype(np.float32)
    out = np.empty((entities, versions, latent), np.float32)
    for v in range(versions):
        if v:
            jumps = rng.random(entities) < jump
            home = np.where(jumps, rng.integers(0, clusters, entities), home)
            offset = offset + (step * rng.standard_normal((entities, latent))).astype(np.float32)
        out[:, v] = centres[home] + offset
    return out


def embed(rng, places, matrix, noise):
    x = places @ matrix
    x += noise * rng.standard_normal(x.shape, dtype=np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def trajectories(a):
    rng = np.random.default_rng(a.seed)
    entities = a.n // a.versions
    extra = -(-a.queries // a.versions) * 2
    matrix = rng.standard_normal((64, a.dim), dtype=np.float32) / 8
    places = walk(rng, entities + extra, a.versions, 64, a.clusters, a.step, a.jump)
    flat = places[:entities].reshape(-1, 64)
    x = np.concatenate([embed(rng, flat[i : i + 50_000], matrix, a.noise) for i in range(0, len(flat), 50_000)])
    held = places[entities:].reshape(-1, 64)
    q = embed(rng, held[rng.permutation(len(held))[: a.queries]], matrix, a.noise)
    ids = np.repeat(np.arange(entities, dtype=np.uint64), a.versions)
    return x, q, ids, rng


def gauss(a):
    rng = np.random.default_rng(a.seed)
    x = rng.standard_normal((a.n, a.dim), dtype=np.float32)
    q = rng.standard_normal((a.queries, a.dim), dtype=np.float32)
    ids = np.repeat(np.arange(a.n // a.versions, dtype=np.uint64), a.versions)
    return x / np.linalg.norm(x, axis=1, keepdims=True), q / np.linalg.norm(q, axis=1, keepdims=True), ids, rng


def times(rng, n, versions):
    """Each entity's versions at sorted random instants of ten years; no instant twice."""
    t = np.sort(rng.integers(0, 3650 * DAY, (n // versions, versions)), axis=1)
    return t.reshape(-1) // 1000 * 1000 + np.tile(np.arange(versions), n // versions)


def workloads(rng, t, queries):
    out = {"knn": {}}
    for name, share in [("range_0.1", 0.001), ("range_1", 0.01), ("range_10", 0.1), ("range_50", 0.5)]:
        width = max(1, round(share * len(t)))
        lo = rng.integers(0, len(t) - width + 1, queries)
        hi = np.minimum(lo + width, len(t) - 1)
        out[name] = {"from": t[lo].tolist(), "to": t[hi].tolist()}
    out["asof"] = {"at": t[rng.integers(len(t) // 4, len(t), queries)].tolist()}
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--kind", choices=["trajectories", "gauss"], default="trajectories")
    p.add_argument("-n", type=int, default=100_000)
    p.add_argument("--dim", type=int, default=128)
    p.add_argument("--versions", type=int, default=20, help="points of each entity")
    p.add_argument("--clusters", type=int, default=200)
    p.add_argument("--step", type=float, default=0.05, help="drift of a latent coordinate in a version")
    p.add_argument("--jump", type=float, default=0.01, help="probability of a jump in a version")
    p.add_argument("--noise", type=float, default=0.02)
    p.add_argument("--queries", type=int, default=1000)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    a.n -= a.n % a.versions
    x, q, ids, rng = trajectories(a) if a.kind == "trajectories" else gauss(a)
    t = times(rng, a.n, a.versions)
    order = np.lexsort((ids, t))
    a.out.mkdir(parents=True, exist_ok=True)
    x[order].astype("<f4").tofile(a.out / "base.f32")
    t[order].astype("<i8").tofile(a.out / "times.i64")
    ids[order].astype("<u8").tofile(a.out / "entities.u64")
    q.astype("<f4").tofile(a.out / "queries.f32")
    (a.out / "workloads.json").write_text(json.dumps(workloads(rng, t[order], len(q))))
    settings = {k: str(v) if k == "out" else v for k, v in vars(a).items() if k != "out"}
    (a.out / "settings.json").write_text(json.dumps(settings | {"numpy": np.__version__}, indent=1))


if __name__ == "__main__":
    main()
