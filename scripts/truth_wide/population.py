"""Levels, power and effects of `cvx drift population`, over many numbers of points and kinds of data.

Each group of a dataset is a data set of its own: one run with `--by g` tests all of them.
"""
import datetime

import numpy as np

from .common import at_least, at_most, within

TESTS = ["mmd", "energy", "centroid", "norm"]
START = {"ref": datetime.datetime(2023, 1, 1), "cur": datetime.datetime(2024, 1, 1)}
MINUTE = datetime.timedelta(minutes=1)


def repeat(*parts):
    return [sizes for n, sizes in parts for _ in range(n)]


# Numbers of points of each entity in the reference and in the current window.
DESIGNS = {
    "6:6": repeat((20, (6, 6))),
    "12:3": repeat((20, (12, 3))),
    "3:12": repeat((20, (3, 12))),
    "50:1": repeat((20, (50, 1))),
    "8 entities, 9:2": repeat((8, (9, 2))),
    "20 with 50, 20 others with 1": repeat((20, (50, 0)), (20, (0, 1))),
    "30 with 12, 9 others with 2": repeat((30, (12, 0)), (9, (0, 2))),
    "mixture": repeat((10, (12, 3)), (8, (20, 0)), (9, (0, 1)), (2, (1, 30))),
    "one large": repeat((15, (2, 2)), (1, (200, 150))),
    "one large among others": repeat((12, (2, 0)), (1, (120, 0)), (12, (0, 3))),
}


def noise(rng, kind, n, dim):
    """Points of one entity in time order, without its own level."""
    x = rng.standard_normal((n, dim))
    if kind == "autocorrelated":
        for i in range(1, n):
            x[i] = 0.9 * x[i - 1] + np.sqrt(1 - 0.81) * x[i]
    elif kind == "lognormal":
        x = np.exp(x)
    elif kind == "t2":
        x = rng.standard_t(2, (n, dim))
    elif kind == "rare":
        x = (rng.random((n, dim)) < 0.05) * 5.0 + 0.01 * x
    return x


def points(rng, design, groups, dim, kind="normal", spread=0.0, moved=0.0, factor=1.0):
    for g in range(groups):
        for e, (m, n) in enumerate(design):
            own = spread * rng.standard_normal(dim)
            x = own + noise(rng, kind, m + n, dim)
            x[m:] = own + factor * (x[m:] - own) + moved
            if kind == "unit":
                x /= np.linalg.norm(x, axis=1, keepdims=True)
            # Autocorrelated points go on through both windows.
            times = [START["ref"] + 7 * i * MINUTE for i in range(m)] + [START["cur"] + i * MINUTE for i in range(n)]
            for t, v in zip(times, x):
                yield {"entity_id": g * 10_000 + e, "timestamp": t.isoformat() + "Z", "vector": [round(float(a), 5) for a in v], "g": f"g{g:04d}"}


def population(cvx, rng, design, groups, dim, tests=TESTS, **data):
    """Rows of all groups, by test."""
    ask = ["drift", "population", "--ref", "2023", "--cur", "2024", "--by", "g", "--tests", ",".join(tests), "--adjust", "none"]
    with cvx.dataset(points(rng, design, groups, dim, **data), dim) as d:
        rows = cvx.rows("-d", d, *ask, codes=(0, 3))
    return {t: [r for r in rows if r["test"] == t] for t in tests}


def rejected(rows):
    p = [r["p_value"] for r in rows if r["p_value"] is not None]
    return np.mean(np.array(p) <= 0.05) if p else 0.0


def levels(cvx, rng, small):
    groups = 120 if small else 1000
    # Four standard errors: of hundreds of rows hardly one exceeds them by chance.
    bound = 0.05 + 4 * (0.05 * 0.95 / groups) ** 0.5
    kinds = [("normal", 0.0), ("normal", 3.0), ("autocorrelated", 1.0), ("lognormal", 0.0), ("t2", 0.5), ("rare", 0.0), ("unit", 0.5)]
    for i, (name, design) in enumerate(DESIGNS.items()):
        chosen = [kinds[i % len(kinds)]] if small else kinds
        for kind, spread in chosen:
            for dim in ([2] if small else [1, 8]):
                found = population(cvx, rng, design, groups, dim, kind=kind, spread=spread)
                for test, rows in found.items():
                    yield at_most(f"level at .05, {test}", f"{name}, {kind}, entities sd {spread:g}, D = {dim}", rejected(rows), bound)
    for name in ["12:3", "mixture"] if small else DESIGNS:
        groups = 40 if small else 500
        bound = 0.05 + 4 * (0.05 * 0.95 / groups) ** 0.5
        found = population(cvx, rng, DESIGNS[name], groups, 4, tests=["classifier"], spread=1.0)
        yield at_most("level at .05, classifier", f"{name}, normal, entities sd 1, D = 4", rejected(found["classifier"]), bound)


def power(cvx, rng, small):
    groups, tests = (20, ["mmd", "energy", "centroid"]) if small else (200, ["mmd", "energy", "centroid", "classifier"])
    for name in ["6:6", "12:3", "3:12", "50:1", "one large"]:
        found = population(cvx, rng, DESIGNS[name], groups, 8, tests=tests, spread=3.0, moved=1.0)
        for test, rows in found.items():
            yield at_least(f"power, {test}", f"{name}, entities sd 3, move 1, D = 8", rejected(rows), 0.9)
    for name in ["20 with 50, 20 others with 1", "30 with 12, 9 others with 2", "mixture"]:
        found = population(cvx, rng, DESIGNS[name], groups, 8, tests=tests, spread=0.3, moved=1.0)
        for test, rows in found.items():
            yield at_least(f"power, {test}", f"{name}, entities sd 0.3, move 1, D = 8", rejected(rows), 0.9)
    found = population(cvx, rng, DESIGNS["12:3"], groups, 8, tests=["mmd", "norm"], factor=2.0)
    for test, rows in found.items():
        yield at_least(f"power, {test}", "12:3, noise twice as loud, D = 8", rejected(rows), 0.9)


def effects(cvx, rng, small):
    groups = 60 if small else 400
    tests = ["mmd", "energy", "centroid", "norm"]
    for moved in (0.0, 1.0):
        # A mean of few groups of three points an entity scatters by .04.
        room = 0.12 if small else 0.04
        means = {}
        for n in (3, 24):
            found = population(cvx, rng, repeat((15, (n, max(1, n // 3)))), groups, 4, tests=tests, spread=0.5, moved=moved)
            means[n] = {t: np.mean([r["effect"] for r in rows]) for t, rows in found.items()}
        for t in tests:
            if moved == 0:
                for n in means:
                    yield within(f"effect without a drift, {t}", f"{n} points an entity", means[n][t], -0.02, 0.02)
            elif t == "centroid":
                # |move|^2 over the variances of both windows: 4 / (2 * 4 * 1.25).
                yield within("effect, centroid", "24 points, move 1, true value .4", means[24][t], 0.37, 0.43)
            if moved == 1:
                yield within(f"effect of 24 points less that of 3, {t}", "move 1", means[24][t] - means[3][t], -room, room)


def many_rows(cvx, rng, small):
    """A move is found among any number of weeks, and not where there is none."""
    for weeks in (17, 30) if small else (17, 18, 30, 100):
        def stream():
            for e in range(20):
                for i in range(7 * weeks):
                    v = rng.standard_normal(2) + (100.0 if i >= 7 * weeks // 2 else 0.0)
                    day = datetime.date(2024, 1, 1) + datetime.timedelta(days=i)
                    yield {"entity_id": e, "timestamp": day.isoformat(), "vector": [float(a) for a in v]}
        with cvx.dataset(stream(), 2) as d:
            ask = ["-d", d, "drift", "population", "--every", "1w", "--fail-on", "drift = true"]
            code, _, _ = cvx.run(*ask, codes=(0, 3, 4))
            yield at_least("--fail-on fires", f"{weeks} weeks, a move of 100 sd", float(code == 4), 1)
            code, _, said = cvx.run(*ask, "--permutations", "99", codes=(0, 3, 4))
            yield at_least("a run that cannot reach its level says so", f"{weeks} weeks, 99 relabellings", float(code != 4 and "cannot reach" in said), 1)


def check(cvx, size, seed):
    rng, small = np.random.default_rng(seed), size == "small"
    for part in (levels, power, effects, many_rows):
        yield from part(cvx, rng, small)
