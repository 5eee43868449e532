"""`cvx drift` between two periods and between two instants: levels, power, coverage, bias.

Every entity of a dataset is one repetition. Truth comes from how the points were made.
"""
import numpy as np

from .common import at_least, at_most, within

def remembering(rng, n, dim, phi):
    """First-order memory phi, variance 1."""
    x = np.empty((n, dim))
    x[0] = rng.normal(size=dim)
    e = rng.normal(size=(n, dim)) * np.sqrt(1 - phi * phi)
    for i in range(1, n):
        x[i] = phi * x[i - 1] + e[i]
    return x


def bursts(rng, n, dim):
    """Points in runs of one to seven about a common centre, as texts of one affair are."""
    rows = []
    while len(rows) < n:
        centre = rng.normal(size=dim)
        rows += [centre + 0.3 * rng.normal(size=dim) for _ in range(rng.integers(1, 8))]
    return np.array(rows[:n])


def unit(rng, n, dim):
    """Unit vectors about one direction, as sentence embeddings are."""
    x = rng.normal(size=(n, dim))
    x[:, 0] += 2 * np.sqrt(dim)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def few_dims(rng, n, dim):
    """Noise in three directions of many."""
    basis = np.random.default_rng(dim).normal(size=(3, dim))
    return rng.normal(size=(n, 3)) @ basis + 0.05 * rng.normal(size=(n, dim))


KINDS = {
    "independent": lambda r, n, d: r.normal(size=(n, d)),
    "memory 0.3": lambda r, n, d: remembering(r, n, d, 0.3),
    "memory 0.5": lambda r, n, d: remembering(r, n, d, 0.5),
    "memory 0.8": lambda r, n, d: remembering(r, n, d, 0.8),
    "heavy tails (t2)": lambda r, n, d: r.standard_t(2, size=(n, d)),
    "lognormal": lambda r, n, d: np.exp(r.normal(size=(n, d))),
    "bursts": bursts,
    "unit vectors": unit,
    "noise in 3 directions": few_dims,
}


def lines(entity, x, start=0, extra=None):
    for i, row in enumerate(x):
        p = {"entity_id": entity, "timestamp": day(start + i), "vector": [float(f"{v:.7g}") for v in row]}
        if extra is not None:
            p.update(extra[i])
        yield p


def day(n):
    return str(np.datetime64("1970-01-01") + np.timedelta64(n, "D"))


def periods(cvx, make, reps, dim, sizes, metric="l2", args=()):
    """Rows of drift between the first `sizes[0]` days and the `sizes[1]` days after, one entity a repetition."""
    points = (p for e in range(reps) for p in lines(e, make(e)))
    with cvx.dataset(points, dim, metric) as d:
        a, b = sizes
        span = ["--from", f"{day(0)}..{day(a - 1)}", "--to", f"{day(a)}..{day(a + b - 1)}"]
        return cvx.rows("-d", d, "drift", *span, *args, codes=(0, 3))


def share(rows, holds):
    return sum(map(bool, map(holds, rows))) / len(rows)


def low(r):
    return r["p_value"] is not None and r["p_value"] <= 0.05


def level_bound(reps):
    """0.07, and what chance adds to it in so many repetitions (2.3 standard errors)."""
    return 0.07 if reps >= 500 else 0.07 + 2.3 * (0.05 * 0.95 / reps) ** 0.5


def nulls(cvx, full, rng, reps):
    kinds = list(KINDS) if full else ["independent", "memory 0.5", "bursts", "unit vectors"]
    dims = [1, 8, 64, 384] if full else [1, 32]
    sizes = [(24, 45), (60, 12), (100, 100)] if full else [(24, 45), (60, 60)]
    for kind in kinds:
        for dim in dims:
            if kind in ("unit vectors", "noise in 3 directions") and dim < 8:
                continue
            for a, b in sizes:
                metric = "cosine" if kind == "unit vectors" else "l2"
                rows = periods(cvx, lambda e: KINDS[kind](rng, a + b, dim), reps, dim, (a, b), metric, ["--permutations", 999])
                name = f"{kind}, D = {dim}, {a} and {b} points"
                yield at_most("drift of periods: p <= 0.05 without a change", name, share(rows, low), level_bound(reps))
                held = [r for r in rows if r["ci_low"] is not None]
                if len(held) > reps / 2:
                    # An interval that begins at 0 holds the truth.
                    yield at_least("drift of periods: the interval holds 0 without a change", name,
                                   share(held, lambda r: r["ci_low"] == 0), 0.90 if full else 0.85)
                    mean = np.mean([r["change"] for r in held]) / np.mean([r["noise_floor"] ** 2 for r in held])
                    error = np.std([r["change"] for r in held]) / np.sqrt(len(held)) / np.mean([r["noise_floor"] ** 2 for r in held])
                    if kind != "heavy tails (t2)":
                        yield within("drift of periods: mean of change over noise without a change", name, mean,
                                     -max(4 * error, 0.12), max(4 * error, 0.12))


def moves(cvx, full, rng, reps):
    for kind, dim, (a, b), size in [
        ("independent", 1, (24, 45), 1.0),
        ("independent", 32, (12, 60), 2.5),
        ("memory 0.5", 8, (100, 100), 2.5),
        ("unit vectors", 64, (24, 45), 0.25),
        ("lognormal", 8, (60, 60), 4.0),
        ("bursts", 32, (100, 100), 4.0),
    ] + ([("independent", 384, (24, 45), 4.0), ("memory 0.5", 384, (100, 100), 6.0), ("heavy tails (t2)", 8, (60, 60), 6.0)] if full else []):
        step = np.zeros(dim)
        step[-1] = size

        def make(e):
            x = KINDS[kind](rng, a + b, dim)
            x[a:] += step
            return x

        rows = periods(cvx, make, reps, dim, (a, b), args=["--permutations", 999])
        name = f"{kind}, D = {dim}, {a} and {b} points, moved by {size:g}"
        yield at_least("drift of periods: p <= 0.05 for a real move", name, share(rows, low), 0.75)
        held = [r for r in rows if r["ci_low"] is not None]
        yield at_least("drift of periods: the interval holds the distance", name,
                       share(held, lambda r: r["ci_low"] <= size * (1 + 1e-6) and size * (1 - 1e-6) <= r["ci_high"]), 0.88)


def clusters(cvx, full, rng, reps):
    """Authors with a bias of their own; single points would be called in most runs."""
    for own, both in [(8, 0), (5, 4), (0, 10)]:
        def points():
            for e in range(reps):
                place = [0, 0]
                for author in range(2 * own + both):
                    bias = rng.normal(size=4)
                    for side in (0, 1):
                        if author >= both and (author - both) % 2 != side:
                            continue
                        n = int(rng.integers(2, 9))
                        x = bias + 0.4 * rng.normal(size=(n, 4))
                        extra = [{"author": f"a{author}"}] * n
                        yield from lines(e, x, start=side * 1000 + place[side], extra=extra)
                        place[side] += n

        with cvx.dataset(points(), 4) as d:
            span = ["--from", f"{day(0)}..{day(999)}", "--to", f"{day(1000)}..{day(1999)}", "--permutations", 999]
            rows = cvx.rows("-d", d, "drift", *span, "--cluster", "metadata.author", codes=(0, 3))
            name = f"{own} authors in each period, {both} in both"
            yield at_most("drift of periods: p <= 0.05 without a change, by clusters", name, share(rows, low), level_bound(reps))


def false_share(cvx, full, rng, reps):
    """q-values: a tenth of the entities moved."""
    moved, total = reps // 5, reps * 2

    def make(e):
        x = rng.normal(size=(70, 8))
        if e < moved:
            x[30:, 0] += 2.5
        return x

    rows = periods(cvx, make, total, 8, (30, 40))
    called = [r for r in rows if r["q_value"] is not None and r["q_value"] <= 0.1]
    found = sum(r["entity_id"] < moved for r in called)
    kind = f"{moved} of {total} entities moved by 2.5, D = 8"
    yield at_least("drift of periods: moved entities with q <= 0.1", kind, found / moved, 0.9)
    yield at_most("drift of periods: false ones among q <= 0.1", kind, 1 - found / max(len(called), 1), 0.2)


def directions(cvx, full, rng, reps):
    """direction_p of steps without a common direction."""
    for phi in ([0.0, 0.3, 0.5, 0.8] if full else [0.0, 0.5]):
        for n in ([20, 50, 150] if full else [50, 150]):
            for dim in ([1, 8, 64] if full else [1, 16]):
                points = (p for e in range(reps) for p in lines(e, np.cumsum(remembering(rng, n, dim, phi), axis=0)))
                with cvx.dataset(points, dim) as d:
                    rows = cvx.rows("-d", d, "drift", "--flips", 499)
                p = lambda r: r["direction_p"] is not None and r["direction_p"] <= 0.05
                # With 20 to 50 steps in one dimension memory is hard to see, and 0.8 leaves few blocks.
                known = dim == 1 and n <= 50 and phi >= 0.5
                yield at_most("drift of instants: direction_p <= 0.05 without a direction",
                              f"steps remember by {phi:g}, D = {dim}, {n} steps", share(rows, p), level_bound(reps) + 0.02, known)
    points = (p for e in range(reps) for p in lines(e, np.cumsum(rng.normal(size=(60, 8)) + 0.35, axis=0)))
    with cvx.dataset(points, 8) as d:
        rows = cvx.rows("-d", d, "drift")
    yield at_least("drift of instants: direction_p <= 0.05 for a common direction", "independent steps, D = 8, 60 steps",
                   share(rows, lambda r: r["direction_p"] is not None and r["direction_p"] <= 0.05), 0.9)


def check(cvx, size, seed):
    full = size == "full"
    rng = np.random.default_rng(seed)
    reps = 500 if full else 150
    yield from nulls(cvx, full, rng, reps)
    yield from moves(cvx, full, rng, 200 if full else 60)
    yield from clusters(cvx, full, rng, reps)
    yield from false_share(cvx, full, rng, 500 if full else 100)
    yield from directions(cvx, full, rng, reps)
