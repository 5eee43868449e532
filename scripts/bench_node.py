#!/usr/bin/env python3
"""Training schemes of the neural ODE, and the speed of the same model in torchdiffeq.

    python3 scripts/bench_node.py [--epochs N] [--threads N] [PARQUET]

On circles at irregular times (30 entities to learn from, 20 with other phases to be judged on) it
trains the same field by three schemes and prints seconds an epoch and the held-out median error
over that of repeating the last point, by horizon:

  direct       gradients through classical Runge-Kutta steps
  adjoint      the adjoint equation (torchdiffeq.odeint_adjoint), the same steps
  collocation  the field fitted to difference quotients of neighbouring points, no solver

With a Parquet file of points it times epochs of 50 batches of 128 pairs on the first 16 principal
components, with the default field of the library: to be set beside the seconds of `cvx predict train`
on the same points over its epochs. Needs numpy, torch, torchdiffeq, and pyarrow for a file.
"""
import argparse
import time

import numpy as np
import torch
import torchdiffeq

BATCH, BATCHES, OCTAVES = 128, 50, 5


class Field(torch.nn.Module):
    """dz/ds = time * f(z, c): each row's own time is part of the state, so that all end at s = 1."""

    def __init__(self, k, context, hidden):
        super().__init__()
        sizes = [k + context, *hidden, k]
        layers = []
        for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
            layers += [torch.nn.Linear(a, b), torch.nn.Tanh()]
            if i == len(sizes) - 2:
                torch.nn.init.zeros_(layers[-2].weight)
                torch.nn.init.zeros_(layers[-2].bias)
        self.net = torch.nn.Sequential(*layers[:-1])
        self.context = self.time = None

    def slope(self, z):
        return self.net(z if self.context is None else torch.cat([z, self.context], 1))

    def forward(self, s, z):
        return self.time * self.slope(z)


class Paths:
    def __init__(self, series, context):
        self.series = [(t, z, np.cumsum(z, 0) / np.arange(1, len(z) + 1)[:, None]) for t, z in series if len(t) > 1]
        self.context = context
        self.reach = [np.sum(np.diff(z, axis=0) ** 2) / (t[-1] - t[0]) for t, z, _ in self.series]

    def batch(self, rng, octave, rows):
        out = []
        for _ in range(rows):
            e = rng.integers(len(self.series))
            t, z, c = self.series[e]
            i = rng.integers(len(t) - 1)
            j = np.clip(np.searchsorted(t, t[i] + 2.0 ** (octave + rng.random() - 0.5)), i + 1, len(t) - 1)
            if t[j] - t[i] <= 2.0 ** (octave + 1):
                out.append((z[i], c[i], z[j], t[j] - t[i], 1 / (self.reach[e] * (t[j] - t[i]))))
        cols = [torch.tensor(np.array(col), dtype=torch.float32) for col in zip(*out)]
        z0, c, z1, span, inverse = cols
        return z0, c if self.context else None, z1, span[:, None], inverse


def carry(field, z0, context, span, solver):
    field.context, field.time = context, span
    steps = max(2, int(np.ceil(float(span.max()))))
    s = torch.tensor([0.0, 1.0])
    return solver(field, z0, s, method="rk4", options={"step_size": 1.0 / steps})[-1]


def loss_of(field, batch, scheme, weights):
    z0, context, z1, span, inverse = batch
    if scheme == "collocation":
        field.context = context
        off = field.slope((z0 + z1) / 2) * span - (z1 - z0)
    else:
        solver = torchdiffeq.odeint_adjoint if scheme == "adjoint" else torchdiffeq.odeint
        off = carry(field, z0, context, span, solver) - z1
    return (torch.sqrt(1 + (off**2 * weights).sum(1) * inverse) - 1).mean()


def train(field, paths, scheme, epochs, weights, rate=3e-3):
    rng = np.random.default_rng(1)
    optimiser = torch.optim.AdamW(field.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    solving = 0.0
    for _ in range(epochs):
        for _ in range(BATCHES):
            # A difference quotient only knows its neighbours.
            batch = paths.batch(rng, 0 if scheme == "collocation" else int(rng.integers(OCTAVES)), BATCH)
            start = time.perf_counter()
            optimiser.zero_grad()
            loss_of(field, batch, scheme, weights).backward()
            torch.nn.utils.clip_grad_norm_(field.parameters(), 1.0)
            optimiser.step()
            solving += time.perf_counter() - start
        schedule.step()
    return solving / epochs


def circles(rng, plane, entities, n=40, noise=0.02):
    out = []
    for _ in range(entities):
        t = np.cumsum(rng.exponential(1.0, n))
        angle = rng.uniform(0, 2 * np.pi) + 2 * np.pi * t / 20
        x = rng.uniform(0.8, 1.2) * (np.outer(np.cos(angle), plane[0]) + np.outer(np.sin(angle), plane[1]))
        out.append((t, x + noise * rng.normal(size=x.shape)))
    return out


def compare(epochs, noise):
    rng = np.random.default_rng(7)
    plane = rng.normal(size=(2, 4))
    known, new = circles(rng, plane, 30, noise=noise), circles(rng, plane, 20, noise=noise)
    v = np.linalg.svd(np.vstack([x for _, x in known]), full_matrices=False)[2][:2]
    scale = np.vstack([x for _, x in known]) @ v.T
    scale = scale.std(0)
    project = lambda series: [(t, x @ v.T / scale) for t, x in series]
    paths, judged = Paths(project(known), False), Paths(project(new), False)
    weights = torch.tensor(scale**2, dtype=torch.float32)
    print(f"circles, noise {noise}, {epochs} epochs of {BATCHES} batches of {BATCH}")
    print("| scheme | s/epoch | 1 step | 2 | 4 | 8 | 16 |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for scheme in ("direct", "adjoint", "collocation"):
        torch.manual_seed(0)
        field = Field(2, 0, [32, 32])
        seconds = train(field, paths, scheme, epochs, weights)
        cells = []
        for octave in range(OCTAVES):
            z0, c, z1, span, _ = judged.batch(np.random.default_rng(3), octave, 400)
            with torch.no_grad():
                ahead = carry(field, z0, c, span, torchdiffeq.odeint)
            error = lambda a: np.median(torch.sqrt(((a - z1) ** 2 * weights).sum(1)).numpy())
            cells.append(f"{error(ahead) / error(z0):.3f}")
        print(f"| {scheme} | {seconds:.2f} | " + " | ".join(cells) + " |", flush=True)


def real(path, epochs):
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    entity = table["entity_id"].to_numpy()
    t = table["timestamp"].cast("int64").to_numpy()
    x = np.stack(table["vector"].to_numpy(zero_copy_only=False)).astype(np.float64)
    cuts = np.flatnonzero(np.diff(entity)) + 1
    unit = np.median([np.median(np.diff(s)) for s in np.split(t, cuts) if len(s) > 1])
    v = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:16]
    z = (x - x.mean(0)) @ v.T
    scale = z.std(0)
    series = [((a - a[0]) / unit, b) for a, b in zip(np.split(t, cuts), np.split(z / scale, cuts))]
    weights = torch.tensor(scale**2, dtype=torch.float32)
    print(f"{path.rsplit('/', 1)[-1]}: 16 components, field 32-64-64-16, {epochs} epochs")
    for scheme in ("direct", "adjoint"):
        torch.manual_seed(0)
        seconds = train(Field(16, 16, [64, 64]), Paths(series, True), scheme, epochs, weights)
        print(f"{scheme}: {seconds:.2f} s an epoch, {seconds / BATCHES * 1e3:.1f} ms a step", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, torchdiffeq {torchdiffeq.__version__}, {args.threads} thread(s)\n")
    if args.file:
        real(args.file, args.epochs)
    else:
        compare(args.epochs, 0.02)
        compare(args.epochs, 0.1)


if __name__ == "__main__":
    main()
