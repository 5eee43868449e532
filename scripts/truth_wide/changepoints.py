"""Change points: alarms in series without a change of level, hits in series with one, default settings.

Every series is an entity of its own; a dimension is a dataset. How each kind is made is below, so whether it has a
change, and where, is known. Curves and seasons, and in up to eight dimensions walks, are a known limit: a change there
has to carry a warning. The best split of such series, and of independent noise, holds the level of the p-value that is
named after it; t_low to t_high hold nine of ten planted changes.
"""
import datetime
import math
import numpy as np
from .common import at_least, at_most

STILL = ["iid", "louder1.5", "louder2", "louder3", "loud.4", "loud.7", "texts", "offtopic", "t2", "t3", "rowt3",
         "lognormal", "season50", "parabola", "ar.5", "ar.9", "walk", "walk+noise", "trend"]
# What lines and means cannot tell from changes in few dimensions.
WANDER = {"season50", "parabola", "walk", "walk+noise"}
# And what looks like changes to every search so far, in any number of dimensions.
CURVES = {"season50", "parabola"}
JUMPS = ["jump1", "jump2", "jump3", "jump2louder", "jump2t3", "jump2ar.5"]


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def make(kind, n, d, rng):
    """A series and the place of its change, or None."""
    x = rng.standard_normal((n, d))
    way = rng.standard_normal(d)
    t = np.arange(n)[:, None] / n
    if kind.startswith("louder"):
        x[n // 2:] *= float(kind[6:])
    elif kind.startswith("loud"):
        x *= np.exp(float(kind[4:]) * rng.standard_normal((n, 1)))
    elif kind == "texts":
        x = way + x / np.sqrt(rng.integers(1, 50, (n, 1)))
        x = unit(x) if d > 1 else x
    elif kind == "offtopic":
        x = way + 0.5 * x
        x[n // 2] = rng.standard_normal(d)
        x = unit(x) if d > 1 else x
    elif kind in ("t2", "t3"):
        x = rng.standard_t(int(kind[1]), (n, d))
    elif kind == "rowt3":
        x /= np.sqrt(rng.chisquare(3, (n, 1)) / 3)
    elif kind == "lognormal":
        x = np.exp(x)
    elif kind == "season50":
        x += 2 * np.sin(2 * math.pi * np.arange(n)[:, None] / 50) * way
    elif kind == "parabola":
        x += 6 * (2 * t - 1) ** 2 * way
    elif kind == "walk":
        x = np.cumsum(x, 0)
    elif kind == "walk+noise":
        x += 0.3 * np.cumsum(rng.standard_normal((n, d)), 0)
    elif kind == "trend":
        x += 5 * t * way
    elif kind == "jump2louder":
        x[n // 2:] *= 2
    elif kind == "jump2t3":
        x = rng.standard_t(3, (n, d))
    if kind.endswith(("ar.5", "ar.9")):
        phi = float(kind[-2:])
        for i in range(1, n):
            x[i] = phi * x[i - 1] + math.sqrt(1 - phi * phi) * x[i]
    if not kind.startswith("jump"):
        return x, None
    at = int(rng.integers(n // 3, 2 * n // 3))
    x[at:] += float(kind[4]) * math.sqrt(d) * way / np.linalg.norm(way)
    return x, at


def check(cvx, size, seed):
    full = size == "full"
    n, count = (200, 40) if full else (120, 8)
    for d in (1, 2, 8, 64, 384, 768) if full else (1, 8, 64, 384):
        rng = np.random.default_rng(seed * 1000 + d)
        names, places = [], []

        def points():
            for kind in STILL + JUMPS:
                for _ in range(count):
                    x, at = make(kind, n, d, rng)
                    for i, v in enumerate(x):
                        yield {"entity_id": len(names), "timestamp": i, "metadata": {"kind": kind},
                               "vector": [float(f"{a:.7g}") for a in v]}
                    names.append(kind)
                    places.append(at)

        with cvx.dataset(with_unit(points()), d) as ds:
            found = cvx.rows("-d", ds, "--time", "date", "changepoints")
            judged = "kind in (" + ", ".join(f"'{k}'" for k in sorted(WANDER | {"iid"})) + ")"
            best = cvx.rows("-d", ds, "--time", "date", "changepoints", "--best", 1, "--where", judged)
        changes = {}
        for row in found:
            changes.setdefault(row["entity_id"], []).append(row)
        # Four standard errors above 5 %.
        bound = round(0.05 + 4 * math.sqrt(0.05 * 0.95 / count), 3)
        yield from levels(best, names, d, bound)
        for kind in STILL:
            mine = [e for e, k in enumerate(names) if k == kind]
            alarms = [e for e in mine if e in changes]
            limit = kind in WANDER and d <= 8 or kind in CURVES or (kind, d) in (("ar.9", 1), ("lognormal", 1))
            yield at_most("series without a change that have an alarm", f"{kind}, D = {d}", len(alarms) / count,
                          bound, known=limit)
            if limit and alarms:
                told = np.mean([bool(r.get("warning")) for e in alarms for r in changes[e]])
                yield at_least("such an alarm has a warning", f"{kind}, D = {d}", told, 0.8)
        for kind in JUMPS:
            mine = [e for e, k in enumerate(names) if k == kind]
            hits = [any(abs(r["index"] - places[e]) <= 5 for r in changes.get(e, [])) for e in mine]
            weak = d == 1 and kind in ("jump1", "jump2ar.5", "jump2louder")
            yield at_least("changes that are found within five points", f"{kind}, D = {d}", float(np.mean(hits)),
                           0.5 if weak else 0.85)
            yield coverage(kind, d, [(places[e], r) for e in mine for r in changes.get(e, [])])


def levels(best, names, d, bound):
    """P-values of the best split where the null that they are named after holds."""
    for kind in sorted(WANDER | {"iid"}):
        mine = [r for r in best if names[r["entity_id"]] == kind]
        column = "p_any_order" if kind == "iid" else "p_wander"
        yield at_most(f"{column} <= .05 without a change", f"{kind}, D = {d}",
                      float(np.mean([r[column] <= 0.05 for r in mine])), bound)


def coverage(kind, d, found):
    """How often t_low..t_high hold the planted place, of changes within five points of it."""
    near = [(at, r) for at, r in found if abs(r["index"] - at) <= 5]
    held = [r["t_low"] <= date(at) <= r["t_high"] for at, r in near]
    # Four standard errors below 90 %.
    return at_least("t_low to t_high hold the change", f"{kind}, D = {d}", float(np.mean(held)) if held else 1.0,
                    round(0.9 - 4 * math.sqrt(0.09 / max(len(held), 1)), 3))


def date(day):
    """The time of a point, as cvx prints it with --time date."""
    return (datetime.date(2020, 1, 1) + datetime.timedelta(days=day)).isoformat()


def with_unit(points):
    """Times as dates: bare numbers need a unit."""
    for p in points:
        p["timestamp"] = date(p["timestamp"])
        yield p
