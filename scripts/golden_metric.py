"""Writes testdata/golden/metric.json: distances and angles of f32 vectors, computed from the same
f32 values by numpy in extended precision (longdouble) and by scipy in float64.

Made with numpy 2.4.6 and scipy 1.17.1 on x86-64, where longdouble has 64 bits of mantissa.
Usage: python scripts/golden_metric.py > testdata/golden/metric.json
"""

import json

import numpy as np
from scipy.spatial import distance

rng = np.random.default_rng(20261122)


def row(q, x):
    q, x = np.asarray(q, np.float32), np.asarray(x, np.float32)
    a, b = q.astype(np.longdouble), x.astype(np.longdouble)
    u, v = a / np.sqrt((a * a).sum()), b / np.sqrt((b * b).sum())
    chord, plus = np.sqrt(((u - v) ** 2).sum()), np.sqrt(((u + v) ** 2).sum())
    return {
        "q": [float(value) for value in q],
        "x": [float(value) for value in x],
        "cosine": float(chord * chord / 2),
        "cosine_scipy": float(distance.cosine(q.astype(np.float64), x.astype(np.float64))),
        "l2": float(np.sqrt(((a - b) ** 2).sum())),
        "dot": float(-(a * b).sum()),
        "angle": float(2 * np.arctan2(chord, plus)),
    }


rows = []
for dim in (1, 2, 3, 8, 9, 17, 64, 100):
    rows.append(row(rng.normal(size=dim), rng.normal(size=dim)))
    rows.append(row(100 * rng.normal(size=dim), 0.01 * rng.uniform(size=dim)))
for scale in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6):
    q = rng.normal(size=64).astype(np.float32)
    rows.append(row(q, q + scale * rng.normal(size=64)))
    rows.append(row(q, -q + scale * rng.normal(size=64)))
print("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]")
