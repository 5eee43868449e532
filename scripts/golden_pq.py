#!/usr/bin/env python3
"""Golden values for product and scalar codes, computed with numpy alone.

    python3 scripts/golden_pq.py > testdata/golden/pq/codes.json

A small random codebook whose parts differ in width, rows, a query; for each row the codes
(nearest centroid in float64), the reconstruction, and the inner product and squared norm that
an asymmetric scan must give; and the rows in one byte and in half precision a component.
"""
import json
import sys

import numpy as np

rng = np.random.default_rng(20250101)
dim, m, k, n = 10, 3, 16, 12
bounds = [i * dim // m for i in range(m + 1)]
centroids = [rng.normal(size=(k, b - a)).astype("f4") for a, b in zip(bounds, bounds[1:])]
x = rng.normal(size=(n, dim)).astype("f4")
q = rng.normal(size=dim).astype("f4")

codes = np.empty((n, m), int)
for i, (a, b) in enumerate(zip(bounds, bounds[1:])):
    d = ((x[:, None, a:b].astype("f8") - centroids[i][None].astype("f8")) ** 2).sum(-1)
    codes[:, i] = d.argmin(1)
back = np.concatenate([centroids[i][codes[:, i]] for i in range(m)], 1)

least, greatest = x.min(1), x.max(1)
step = ((greatest.astype("f8") - least.astype("f8")) / 255).astype("f4")
sq8 = np.rint((x.astype("f8") - least[:, None].astype("f8")) / step[:, None].astype("f8")).astype(int)

json.dump(
    {
        "made_by": f"scripts/golden_pq.py, numpy {np.__version__}",
        "dim": dim,
        "m": m,
        "k": k,
        "centroids": np.concatenate([c.ravel() for c in centroids]).tolist(),
        "x": x.ravel().tolist(),
        "q": q.tolist(),
        "codes": codes.ravel().tolist(),
        "decoded": back.ravel().tolist(),
        "dots": (back.astype("f8") @ q.astype("f8")).tolist(),
        "norms2": (back.astype("f8") ** 2).sum(1).tolist(),
        "sq8": sq8.ravel().tolist(),
        "f16": x.astype("f2").astype("f4").ravel().tolist(),
        "rel_error": (
            np.linalg.norm(x.astype("f8") - back, axis=1) / np.linalg.norm(x.astype("f8"), axis=1)
        ).tolist(),
    },
    sys.stdout,
    indent=None,
)
print()
