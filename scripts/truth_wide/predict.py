"""Does the radius of a prediction hold the truth as often as `--level` says, at each horizon by itself?

Histories end before the truths are drawn, so nothing here depends on what cvx says of itself. All entities of a data set
have their own level, loudness (one to four), slope and wave.
"""
import json
import math

import numpy as np

from .common import Row

DAY = 86_400_000_000
START = 1_600_000_000_000_000
STEPS = range(1, 17)
# kind: what each entity does
KINDS = ("walk", "reverting", "noise", "trend", "season", "unit")


def make(kind, irregular, entities, points, dim, rng, loud=True):
    """Times in days and vectors of each entity: `points` of history and the 16 days after the last of them."""
    out = []
    for _ in range(entities):
        gaps = rng.exponential(1.0, points) + 1e-4 if irregular else np.ones(points)
        t = np.cumsum(gaps)
        t = np.concatenate([t, t[-1] + np.arange(1, 17)])
        dt = np.diff(t, prepend=t[0] - 1.0)
        z = rng.normal(size=(len(t), dim))
        level = rng.normal(size=dim)
        if kind == "walk":
            x = np.cumsum(z * np.sqrt(dt)[:, None], axis=0)
        elif kind == "reverting":
            x, keep = np.empty_like(z), np.exp(-0.25 * dt)
            x[0] = z[0]
            for i in range(1, len(t)):
                x[i] = x[i - 1] * keep[i] + z[i] * math.sqrt(1 - keep[i] ** 2)
            x += 3 * level
        elif kind == "noise":
            x = z + 3 * level
        elif kind == "trend":
            x = rng.normal(size=dim) * 0.5 * t[:, None] + z
        elif kind == "season":
            x = 3 * rng.normal(size=dim) * np.sin(2 * np.pi * t / 12)[:, None] + z
        else:  # embeddings of unit length that stay where they are
            x = level + 0.5 * z
            x /= np.linalg.norm(x, axis=1, keepdims=True)
        out.append((t, x * 4 ** rng.random() if loud and kind != "unit" else x))
    return out


def rows_of(series, points):
    for e, (t, x) in enumerate(series):
        n = points if isinstance(points, int) else points[e]
        skip = len(t) - 16 - n
        for i in range(skip, skip + n):
            yield {"entity_id": e, "timestamp": START + round(t[i] * DAY), "vector": [float("%.6g" % v) for v in x[i]]}


def coverage(cvx, series, points, dim, options=()):
    """Share of truths within the radius at each of 1 to 16 days, and within the intervals of dimensions; what had none."""
    hit, inside, without = [[] for _ in STEPS], [[] for _ in STEPS], 0
    with cvx.dataset(rows_of(series, points), dim, "l2") as d:
        asked = [w for h in STEPS for w in ("--horizon", f"{h}d")]
        for r in cvx.rows("-d", d, "predict", *asked, "--vectors", "list", *options):
            if r["radius"] is None:
                without += 1
                continue
            k = round(r["horizon_s"] / 86400) - 1
            truth = series[r["entity_id"]][1][len(series[r["entity_id"]][0]) - 16 + k]
            hit[k].append(math.dist(truth, r["vector"]) <= r["radius"])
            within = (np.array(r["lower"]) <= truth) & (truth <= np.array(r["upper"]))
            inside[k].append(within.mean())
    share = lambda lists: [float(np.mean(v)) if v else float("nan") for v in lists]
    return share(hit), share(inside), without


def spread(promise, kind, shares, low, high, known=False):
    seen = [s for s in shares if not math.isnan(s)]
    if not seen:
        return Row(promise, kind, "no radius", f"{low:g} to {high:g} at each", False, known)
    text = f"{min(seen):.3f} to {max(seen):.3f}, mean {np.mean(seen):.3f}"
    return Row(promise, kind, text, f"{low:g} to {high:g} at each", low <= min(seen) and max(seen) <= high, known)


def averaged(cvx, kind, irregular, entities, points, dim, seeds, options=(), loud=True):
    """Averages over data sets: of one, a few hundred truths scatter by two hundredths."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        series = make(kind, irregular, entities, points, dim, rng, loud)
        found.append(coverage(cvx, series, points, dim, options))
    mean = lambda i: list(np.nanmean([f[i] for f in found], axis=0))
    return mean(0), mean(1), sum(f[2] for f in found)


def grid(cvx, size, seed):
    """(kind, irregular, entities, points, D, data sets)"""
    if size == "small":
        for i, kind in enumerate(KINDS):
            yield kind, i % 2 == 1, 300, 40, 24, 1
            yield kind, i % 2 == 0, 300, 40, 1, 2
        return
    for kind in KINDS:
        for irregular in (False, True):
            for entities, points, dim, sets in ((400, 40, 2, 4), (400, 40, 64, 2), (300, 40, 384, 2), (60, 120, 16, 8), (12, 300, 8, 24)):
                yield kind, irregular, entities, points, dim, sets
    for kind in KINDS:
        yield kind, False, 400, 60, 1, 4


def imbalanced(cvx, seed, size):
    """Few long histories beside many short ones: each row counts once."""
    rng = np.random.default_rng(seed)
    for kind in ("noise", "walk", "trend"):
        series = make(kind, False, 320, 240, 16, rng)
        points = [240] * 20 + [24] * 300
        hit, _, without = coverage(cvx, series, points, 16)
        yield spread("radius holds .9 at each horizon that the short ones reach", f"{kind}, 20 entities of 240 points beside 300 of 24, D=16", hit[:12], 0.84, 0.96)


def methods(cvx, seed):
    for method in ("last", "mean", "trend", "ou", "holt", "linear"):
        for kind in ("walk", "noise", "trend"):
            hit, _, _ = averaged(cvx, kind, False, 400, 60, 8, [seed, seed + 1], ("--method", method))
            # The mean of a wandering history is off by more the longer it is: the growth is extrapolated.
            known = method == "mean" and kind != "noise"
            yield spread("radius of a named method holds .9 at each horizon", f"{kind}, --method {method}, D=8", hit, 0.85, 0.95, known)


def evaluation(cvx, seed):
    """`predict eval` says at each horizon what later comes true, and no choice is worse than `last` without a word."""
    for kind, irregular in (("unit", False), ("walk", True), ("season", False)):
        rng = np.random.default_rng(seed)
        series = make(kind, irregular, 300, 48, 16, rng)
        with cvx.dataset(rows_of(series, 48), 16, "l2") as d:
            rows = cvx.rows("-d", d, "predict", "eval", "--method", "auto")
            _, out, said = cvx.run("-d", d, "-f", "jsonl", "predict", "--horizon", "1d", "--horizon", "9d")
        steps = [r for r in rows if r["horizon_s"] < 16.5 * 86400 and r["n_radius"] >= 100]
        name = f"{kind}, {'irregular' if irregular else 'regular'}, D=16"
        yield Row("predict eval has a row for each step", name, str(len(steps)), "16", len(steps) >= 15)
        yield spread("predict eval reports about .9 at each step", name, [r["coverage"] for r in steps], 0.84, 0.96)
        worst = max((json.loads(l)["vs_last"] or 0) for l in out.splitlines())
        yield Row("auto is not worse than last in its own row", name, f"{worst:.3f}", "<= 1, or said", worst <= 1 or "vs_last" in said)


def few(cvx, seed):
    """Too little past: a status, and no radius."""
    rng = np.random.default_rng(seed)
    series = make("walk", False, 4, 30, 3, rng)
    with cvx.dataset(rows_of(series, 30), 3, "l2") as d:
        rows = cvx.rows("-d", d, "predict", "--horizon", "16d", "--horizon", "300d")
    bad = [r for r in rows if r["radius"] is not None or r["status"] != "uncalibrated"]
    yield Row("no radius without independent cases", "4 entities of 30 points, 16 and 300 steps ahead", f"{len(bad)} with one", "0", not bad)


def check(cvx, size, seed):
    low, high = (0.83, 0.97) if size == "small" else (0.85, 0.95)
    for kind, irregular, entities, points, dim, sets in grid(cvx, size, seed):
        hit, inside, without = averaged(cvx, kind, irregular, entities, points, dim, range(seed, seed + sets))
        name = f"{kind}, {'irregular' if irregular else 'regular'} times, {entities} entities of {points} points, D={dim}"
        row = spread("radius holds .9 at each of 1 to 16 steps", name, hit, low, high)
        # Long horizons of short histories that revert get radii that are too wide.
        row.known = kind == "reverting"
        yield row
        yield spread("intervals of dimensions hold .9", name, inside, low, high)
    yield from imbalanced(cvx, seed, size)
    yield from evaluation(cvx, seed)
    yield from few(cvx, seed)
    if size == "full":
        yield from methods(cvx, seed)
