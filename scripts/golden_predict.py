#!/usr/bin/env python3
"""Reference values for the forecasts: testdata/golden/predict.json.

Run from the repository root: python3 scripts/golden_predict.py
Needs numpy, scipy and statsmodels; their versions are written into the file.
"""
import json
import warnings

import numpy as np
import scipy
import statsmodels
from scipy.integrate import solve_ivp
from scipy.optimize import minimize, minimize_scalar
from statsmodels.tsa.holtwinters import Holt

warnings.filterwarnings("ignore")
DAY = 86_400_000_000


def flat(a):
    return [float(v) for v in np.asarray(a, dtype=np.float64).ravel()]


# --- series ---------------------------------------------------------------

def irregular_days(rng, n):
    return np.cumsum(rng.exponential(1.0, n) * DAY + 1).astype(np.int64)


def series():
    rng = np.random.default_rng(20)
    t = irregular_days(rng, 40)
    dt = np.diff(t) / DAY
    steps = rng.normal(size=(39, 3)) * np.sqrt(dt)[:, None]
    yield "random_walk", t, np.vstack([np.zeros(3), np.cumsum(steps, 0)]) + 5
    t = irregular_days(rng, 30)
    age = (t - t[0]) / DAY
    yield "trend", t - 10**16, age[:, None] * [0.3, -0.1, 0.0, 2.0] + rng.normal(size=(30, 4)) * 0.5
    t = irregular_days(rng, 80)
    x = np.zeros((80, 5))
    for i in range(1, 80):
        d = (t[i] - t[i - 1]) / DAY
        p = np.exp(-0.5 * d)
        x[i] = 2 + (x[i - 1] - 2) * p + rng.normal(size=5) * np.sqrt((1 - p * p) / (2 * 0.5))
    yield "mean_reverting", t, x
    t = irregular_days(rng, 120)
    x = np.zeros((120, 2))
    for i in range(1, 120):
        p = np.exp(-2.0 * (t[i] - t[i - 1]) / DAY)
        x[i] = x[i - 1] * p + rng.normal(size=2) * 0.1 * np.sqrt((1 - p * p) / 4)
    yield "fast_reverting", t, x
    yield "two_points", np.array([0, DAY]), np.array([[1.0, 2.0], [1.5, 1.0]])


# --- baselines ------------------------------------------------------------

def line(t, x, window, horizons):
    u = (t[-window:] - t[-1]) / 1e6
    scale = max(np.ptp(u), 1.0)
    c = np.polyfit(u / scale, x[-window:], 1)
    return c[0] * (horizons / scale)[:, None] + c[1]


def holt_run(t, x, alpha, gamma, phi):
    """Damped trend at irregular times, written independently: sums of phi by their definition."""
    time = t / 1e6
    unit = (time[-1] - time[0]) / (len(t) - 1)
    level, slope, v, w, sse = x[0].copy(), np.zeros(x.shape[1]), alpha, gamma, 0.0
    for i in range(1, len(t)):
        u = (t[i] - t[i - 1]) / 1e6 / unit
        v = v / (v + (1 - alpha) ** u)
        w = w / (w + (1 - gamma) ** u)
        reach = phi * (1 - phi**u) / (1 - phi)
        ahead = level + reach * slope
        sse += np.sum((x[i] - ahead) ** 2)
        new = (1 - v) * ahead + v * x[i]
        slope = (1 - w) * phi**u * slope + w * phi**u * (new - level) / reach
        level = new
    return level, slope, unit, sse


def holt(t, x, constants, horizons):
    level, slope, unit, _ = holt_run(t, x, *constants)
    phi = constants[2]
    reach = phi * (1 - phi ** (horizons / unit)) / (1 - phi)
    return level + reach[:, None] * slope


def holt_best(t, x):
    bounds = [(0.02, 1.0), (0.0, 1.0), (0.5, 0.98)]
    starts = [(a, g, p) for a in (0.1, 0.5, 0.95) for g in (0.02, 0.5) for p in (0.6, 0.95)]
    fun = lambda c: holt_run(t, x, *c)[3]
    return min(minimize(fun, s, method="Nelder-Mead", bounds=bounds).fun for s in starts)


def ou(t, x, horizons):
    dt = np.diff(t) / 1e6

    def parts(ln_theta):
        theta = np.exp(ln_theta)
        p = np.exp(-theta * dt)
        q = -np.expm1(-2 * theta * dt) / (2 * theta)
        w = -np.expm1(-theta * dt) / q
        mu = (w[:, None] * (x[1:] - p[:, None] * x[:-1])).sum(0) / (w * -np.expm1(-theta * dt)).sum()
        r = x[1:] - mu - p[:, None] * (x[:-1] - mu)
        s2 = np.mean(r**2 / q[:, None])
        return theta, mu, s2, 0.5 * (np.log(s2) + np.mean(np.log(q)))

    low, high = np.log(0.01 / (t[-1] - t[0]) * 1e6), np.log(50 / dt.min())
    grid = np.linspace(low, high, 200)
    at = int(np.argmin([parts(g)[3] for g in grid]))
    a, b = grid[max(at - 1, 0)], grid[min(at + 1, 199)]
    best = minimize_scalar(lambda g: parts(g)[3], bounds=(a, b), method="bounded", options={"xatol": 1e-10})
    theta, mu, s2, _ = parts(best.x)
    bound = bool(min(best.x - low, high - best.x) < 1e-3 * (high - low))
    ahead = mu + (x[-1] - mu) * np.exp(-theta * horizons)[:, None]
    variance = s2 * (1 - np.exp(-2 * theta * horizons[0])) / (2 * theta)
    return {"theta": theta, "mu": flat(mu), "sigma": float(np.sqrt(s2)), "at_bound": bound,
            "forecast": flat(ahead), "variance": float(variance)}


def series_cases():
    out = []
    horizons = np.array([3600.0, 86400.0, 10 * 86400.0])
    for name, t, x in series():
        x = x.astype(np.float32).astype(np.float64)
        n = len(t)
        constants = (0.4, 0.3, 0.9)
        out.append({
            "name": name, "dim": x.shape[1], "t": [int(v) for v in t], "x": flat(x),
            "horizons_s": flat(horizons),
            "last": flat(np.repeat(x[-1:], 3, 0)), "mean": flat(np.repeat(x.mean(0)[None], 3, 0)),
            "linear": flat(line(t, x, 2, horizons)), "trend": flat(line(t, x, min(20, n), horizons)),
            "holt_constants": constants, "holt": flat(holt(t, x, constants, horizons)),
            "holt_best_squared_errors": float(holt_best(t, x)),
            "ou": ou(t, x, horizons) if n >= 10 else None,
        })
    return out


def holt_regular():
    rng = np.random.default_rng(3)
    x = np.cumsum(rng.normal(size=(25, 2)), 0).astype(np.float32).astype(np.float64)
    constants = (0.7, 0.35, 0.85)
    steps = 6
    ahead = []
    for d in range(2):
        model = Holt(x[:, d], damped_trend=True, initialization_method="known",
                     initial_level=x[0, d], initial_trend=0.0)
        fitted = model.fit(smoothing_level=constants[0], smoothing_trend=constants[1],
                           damping_trend=constants[2], optimized=False)
        ahead.append(fitted.forecast(steps))
    return {"dim": 2, "t": [i * DAY for i in range(25)], "x": flat(x), "holt_constants": constants,
            "horizons_s": [86400.0 * k for k in range(1, steps + 1)], "statsmodels": flat(np.array(ahead).T)}


# --- solver ---------------------------------------------------------------

FIELDS = {
    "pendulum": (lambda t, y: [y[1], -np.sin(y[0])], [2.5, 0.0], 20.0),
    "van_der_pol": (lambda t, y: [y[1], 2.0 * (1 - y[0] ** 2) * y[1] - y[0]], [2.0, 0.0], 12.0),
    "lotka_volterra": (lambda t, y: [1.5 * y[0] - y[0] * y[1], -3.0 * y[1] + y[0] * y[1]], [10.0, 5.0], 6.0),
    "forced": (lambda t, y: [-2.0 * y[0] + np.sin(t)], [1.0], 10.0),
}


def ode_cases():
    out = []
    for name, (field, y0, end) in FIELDS.items():
        t = np.concatenate([[0.0], np.sort(np.random.default_rng(1).uniform(0, end, 12)), [end]])
        truth = solve_ivp(field, (0, end), y0, method="DOP853", t_eval=t, rtol=1e-13, atol=1e-13).y.T
        for rtol, atol in [(1e-5, 1e-6), (1e-8, 1e-10)]:
            y = solve_ivp(field, (0, end), y0, method="RK45", t_eval=t, rtol=rtol, atol=atol).y.T
            out.append({"name": name, "rtol": rtol, "atol": atol, "y0": y0, "t": flat(t),
                        "rk45": flat(y), "truth": flat(truth)})
    return out


# --- principal components -------------------------------------------------

def pca_case():
    rng = np.random.default_rng(9)
    x = rng.normal(size=(60, 12)) * (0.7 ** np.arange(12)) @ np.linalg.qr(rng.normal(size=(12, 12)))[0] + 3
    x = x.astype(np.float32).astype(np.float64)
    u, s, vt = np.linalg.svd(x - x.mean(0), full_matrices=False)
    v = vt[:4]
    v = v * np.sign(v[np.arange(4), np.abs(v).argmax(1)])[:, None]
    return {"x": flat(x), "mean": flat(x.mean(0)), "variances": flat(s[:4] ** 2 / 60),
            "components": flat(v), "total": float(np.sum(s**2) / 60)}


def main():
    golden = {
        "made_by": "scripts/golden_predict.py",
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__},
        "series": series_cases(),
        "holt_regular": holt_regular(),
        "ode": ode_cases(),
        "pca": pca_case(),
    }
    with open("testdata/golden/predict.json", "w") as f:
        json.dump(golden, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
