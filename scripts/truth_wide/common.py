"""What the checks share: running cvx, datasets in temporary folders, one row per promise and kind of data."""
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import tempfile


@dataclasses.dataclass
class Row:
    """One promise on one kind of data.

    `measured` is the figure that was seen, `wanted` says which figures keep the promise, and `holds` whether this one
    does. A known limit of cvx has `known=True`: it is reported, and does not fail the run.
    """

    promise: str
    kind: str
    measured: str
    wanted: str
    holds: bool
    known: bool = False


def at_least(promise, kind, value, bound, known=False, digits=3):
    """A row that holds when `value >= bound`."""
    return Row(promise, kind, f"{value:.{digits}f}", f">= {bound:g}", value >= bound, known)


def at_most(promise, kind, value, bound, known=False, digits=3):
    """A row that holds when `value <= bound`."""
    return Row(promise, kind, f"{value:.{digits}f}", f"<= {bound:g}", value <= bound, known)


def within(promise, kind, value, low, high, known=False, digits=3):
    """A row that holds when `low <= value <= high`."""
    return Row(promise, kind, f"{value:.{digits}f}", f"{low:g} to {high:g}", low <= value <= high, known)


class Failed(Exception):
    """cvx ended with an exit code that the check did not expect."""


class Cvx:
    """The program under test."""

    def __init__(self, path):
        self.path = os.path.abspath(path)

    def run(self, *args, data=None, codes=(0,)):
        """Runs cvx and returns (exit code, standard output, standard error)."""
        text = data.encode() if isinstance(data, str) else data
        p = subprocess.run([self.path, *map(str, args)], input=text, capture_output=True)
        out, err = p.stdout.decode(), p.stderr.decode()
        if codes is not None and p.returncode not in codes:
            raise Failed(f"cvx {' '.join(map(str, args))}: exit {p.returncode}\n{err[:2000]}")
        return p.returncode, out, err

    def rows(self, *args, data=None, codes=(0,)):
        """Runs cvx with JSON lines as its output and returns them as objects."""
        _, out, _ = self.run("-q", "-f", "jsonl", *args, data=data, codes=codes)
        return [json.loads(line) for line in out.splitlines() if line.strip()]

    @contextlib.contextmanager
    def dataset(self, points, dim, metric="l2", *init):
        """A dataset in a temporary folder. `points` yields objects as `cvx ingest` takes them; times are text, or microseconds since 1970."""
        work = tempfile.mkdtemp(prefix="cvx-truth-")
        d = os.path.join(work, "d")
        try:
            self.run("init", d, "--dim", dim, "--metric", metric, "-q", *init)
            source = os.path.join(work, "points.jsonl")
            with open(source, "w") as f:
                for p in points:
                    f.write(json.dumps(p) + "\n")
            self.run("-d", d, "-q", "ingest", source, "--time-unit", "us")
            yield d
        finally:
            shutil.rmtree(work, ignore_errors=True)
