#!/usr/bin/env python3
"""Write the golden values of the analytics tests: testdata/golden/analytics_*.json.

  python3 scripts/golden_analytics.py [NAME ...]

Needs numpy, scipy, ruptures and scikit-learn; each file records the versions that made it.
Inputs are rounded to f32 and written in full, so that the tests compute from the same numbers.
"""
import json
import pathlib
import sys

import numpy as np
import scipy
import scipy.stats

OUT = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "golden"
DAY_US = 86_400_000_000


def f32(x):
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def irregular_times(rng, n, start):
    return start + np.cumsum(rng.integers(DAY_US // 50, 3 * DAY_US, n))


def walk(rng, n, d):
    return f32(np.cumsum(rng.standard_normal((n, d)), 0) + 3.0)


def velocity():
    cases = []
    for seed, (n, d, start) in enumerate([(9, 4, 0), (3, 2, -5_000 * DAY_US), (2, 3, 7), (30, 16, 1 << 50)]):
        rng = np.random.default_rng(seed)
        t, x = irregular_times(rng, n, start), walk(rng, n, d)
        days = (t - t[0]) / DAY_US
        v = np.gradient(x, days, axis=0, edge_order=2 if n > 2 else 1)
        a = None
        if n > 2:
            inner = [2 * np.polyfit(days[i - 1:i + 2] - days[i], x[i - 1:i + 2], 2)[0] for i in range(1, n - 1)]
            a = np.array([inner[0], *inner, inner[-1]]).tolist()
        cases.append({"t": t.tolist(), "x": x.tolist(), "velocity": v.tolist(), "accel": a})
    return {"cases": cases}


def drift():
    from scipy.spatial import distance
    cases = []
    for seed, (n, d) in enumerate([(12, 5), (9, 3), (40, 64)]):
        rng = np.random.default_rng(100 + seed)
        t, x = irregular_times(rng, n, 0), walk(rng, n, d)
        x = f32(x + np.linspace(0, 1 + seed, n)[:, None])
        delta, dx, dt = x[-1] - x[0], np.diff(x, axis=0), np.diff(t) / 1e6
        r = dx / np.sqrt(dt)[:, None]
        share = delta ** 2 / (delta ** 2).sum()
        order = np.lexsort((np.arange(d), -share))
        # Signs of the numbers 1..n stand for signs of the steps, so that whole steps are flipped.
        flipped_sum = lambda s, axis=-1: (np.einsum("...i,id->...d", np.sign(s), r) ** 2).sum(-1)
        result = scipy.stats.permutation_test(
            (np.arange(len(r)) + 1.0,), flipped_sum, permutation_type="samples", vectorized=True,
            n_resamples=20_000, alternative="greater", rng=rng)
        cases.append({
            "t": t.tolist(), "x": x.tolist(), "l2": distance.euclidean(x[0], x[-1]),
            "cosine": distance.cosine(x[0], x[-1]),
            "angle_deg": float(np.degrees(np.arccos(1 - distance.cosine(x[0], x[-1])))),
            "norm_ratio": float(np.linalg.norm(x[-1]) / np.linalg.norm(x[0])),
            "rate_per_day": float(np.linalg.norm(delta) / ((t[-1] - t[0]) / DAY_US)),
            "path_l2": float(np.linalg.norm(dx, axis=1).sum()),
            "top_dims": order.tolist(), "shares": share[order].tolist(),
            "pareto80": int(np.searchsorted(np.cumsum(share[order]), 0.8) + 1),
            "t2_stat": float((r.sum(0) ** 2).sum() / (r ** 2).sum()), "p_value": float(result.pvalue),
        })
    return {"cases": cases}


def least_objective(x, penalty, min_size):
    """The full dynamic programme of optimal partitioning."""
    n = len(x)
    best = np.full(n + 1, np.inf)
    best[0] = -penalty
    cost = lambda a, b: ((x[a:b] - x[a:b].mean(0)) ** 2).sum()
    for t in range(min_size, n + 1):
        best[t] = min(best[s] + cost(s, t) + penalty for s in range(t - min_size + 1))
    return best[n]


def pelt():
    import ruptures
    cases = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        n, d, min_size = int(rng.integers(12, 40)), int(rng.integers(1, 3)), int(rng.integers(1, 6))
        steps = np.repeat(rng.standard_normal((n // 6 + 1, d)) * 2, 6, axis=0)[:n]
        x, penalty = f32(steps + rng.standard_normal((n, d))), float(rng.uniform(0.5, 8))
        found = ruptures.Pelt(model="l2", min_size=min_size, jump=1).fit_predict(x, penalty)[:-1]
        cases.append({"x": x.tolist(), "penalty": penalty, "min_size": min_size, "ruptures": found,
                      "optimum": float(least_objective(x, penalty, min_size))})
    return {"cases": cases}


def auc(x, y, entity_x, entity_y):
    """Held-out AUC: logistic regression on standardised principal components, folds by entity in turn."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    z, label = np.vstack([x, y]), np.repeat([0, 1], [len(x), len(y)])
    entity = np.concatenate([entity_x, entity_y])
    fold = np.searchsorted(np.unique(entity), entity) % 5
    u, s, _ = np.linalg.svd(z - z.mean(0), full_matrices=False)
    f = (u * np.sqrt(len(z)))[:, s > 1e-9][:, :50]
    score = np.empty(len(z))
    for k in range(5):
        model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12, max_iter=200)
        score[fold == k] = model.fit(f[fold != k], label[fold != k]).decision_function(f[fold == k])
    return float(roc_auc_score(label, score))


def population():
    from scipy.spatial.distance import cdist
    cases = []
    for seed, (m, n, d) in enumerate([(25, 30, 1), (40, 35, 4), (30, 30, 12)]):
        rng = np.random.default_rng(300 + seed)
        x, y = f32(rng.standard_normal((m, d))), f32(0.3 + 1.2 * rng.standard_normal((n, d)))
        z = np.vstack([x, y])
        square = cdist(z, z, "sqeuclidean")
        scale = np.median(square[np.tril_indices(len(z), -1)])
        k = np.exp(-square / scale)
        np.fill_diagonal(k, 0)
        mmd = k[:m, :m].sum() / (m * (m - 1)) + k[m:, m:].sum() / (n * (n - 1)) - 2 * k[:m, m:].mean()
        dist = np.sqrt(square)
        biased = lambda a, b: 2 * dist[np.ix_(a, b)].mean() - dist[np.ix_(a, a)].mean() - dist[np.ix_(b, b)].mean()
        # Without the zeros of the diagonals: the mean is 0 when nothing has moved.
        within = lambda a: dist[np.ix_(a, a)].sum() / (len(a) * (len(a) - 1))
        energy = lambda a, b: 2 * dist[np.ix_(a, b)].mean() - within(a) - within(b)
        observed = energy(np.arange(m), np.arange(m, m + n))
        if d == 1:
            v = biased(np.arange(m), np.arange(m, m + n))
            assert abs(v - scipy.stats.energy_distance(x[:, 0], y[:, 0]) ** 2) < 1e-12
        draws = []
        for _ in range(4000):
            order = rng.permutation(m + n)
            draws.append(energy(order[:m], order[m:]))
        lx, ly = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
        norm = np.hypot(ly.mean() / lx.mean() - 1, ly.std() / lx.std() - 1)
        ex, ey = np.arange(m), 1000 + np.arange(n)
        cases.append({
            "x": x.tolist(), "y": y.tolist(), "entity_x": ex.tolist(), "entity_y": ey.tolist(),
            "mmd": float(mmd), "energy": float(observed), "centroid": float(np.linalg.norm(x.mean(0) - y.mean(0))),
            "norm": float(norm), "classifier": auc(x, y, ex, ey),
            "energy_p": float((1 + (np.array(draws) >= observed).sum()) / 4001)})
    return {"cases": cases}


MAKERS = {"velocity": velocity, "drift": drift, "pelt": pelt, "population": population}


def versions():
    import ruptures
    import sklearn
    from importlib.metadata import version
    return {"numpy": np.__version__, "scipy": scipy.__version__, "ruptures": version("ruptures"),
            "scikit-learn": sklearn.__version__}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or MAKERS:
        data = {"made_by": "scripts/golden_analytics.py", "versions": versions(), **MAKERS[name]()}
        (OUT / f"analytics_{name}.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
