#!/usr/bin/env python3
"""Measure what cvx promises on many kinds of data: levels, power, recall, coverage, false alarms.

  check_truth_wide.py --cvx PATH [--only AREA,...] [--size small|full] [--seed N] [--markdown FILE]

Each area is a module of scripts/truth_wide/ with a function `check(cvx, size, seed)` that yields one row per promise and
kind of data. The right value comes from how the data was made, or from an independent computation in numpy, never from
cvx itself. Exits with 1 when a promise does not hold. Needs numpy.
"""
import argparse
import importlib
import os
import pkgutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import truth_wide
from truth_wide.common import Cvx


def areas():
    return sorted(m.name for m in pkgutil.iter_modules(truth_wide.__path__) if m.name != "common")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cvx", required=True, help="the program under test")
    ap.add_argument("--only", help=f"areas, separated by commas: {', '.join(areas())}")
    ap.add_argument("--size", choices=["small", "full"], default="small")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--markdown", help="also write the table to this file")
    o = ap.parse_args()
    chosen = o.only.split(",") if o.only else areas()
    unknown = [a for a in chosen if a not in areas()]
    if unknown:
        sys.exit(f"no such area: {', '.join(unknown)}; there are {', '.join(areas())}")
    program, failed, lines = Cvx(o.cvx), 0, []
    for area in chosen:
        began = time.monotonic()
        for row in importlib.import_module(f"truth_wide.{area}").check(program, o.size, o.seed):
            verdict = "holds" if row.holds else "known limit" if row.known else "DOES NOT HOLD"
            failed += not row.holds and not row.known
            line = f"| {area} | {row.promise} | {row.kind} | {row.measured} | {row.wanted} | {verdict} |"
            print(line, flush=True)
            lines.append(line)
        print(f"# {area}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    if o.markdown:
        with open(o.markdown, "w") as f:
            f.write("| area | promise | data | measured | wanted | verdict |\n|---|---|---|---|---|---|\n")
            f.write("\n".join(lines) + "\n")
    if failed:
        sys.exit(f"{failed} promises do not hold")


if __name__ == "__main__":
    main()
