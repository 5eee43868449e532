#!/usr/bin/env python3
"""Hold change points against documented events.

  cvx changepoints -f csv -o found.csv && scripts/score_events.py EVENTS.csv found.csv

EVENTS.csv has `entity_id,name,date,days,seen,what`; `days` says how far off the date may be and
`seen` how visible the event is: strong, clear, faint, no, start, end, or control for an entity in
which nothing is documented.  An event counts as found when a change of its entity lies at most
`days` (and at least --least days) from its date: either the interval between the last point before
and the first point after the change touches that range, or the change itself lies in it.

Only the standard library is needed.
"""
import argparse, csv, datetime, sys


def date(text):
    return datetime.date.fromisoformat(text[:10])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("events")
    p.add_argument("found")
    p.add_argument("--least", type=int, default=400, help="days that any event may be off")
    p.add_argument("--list", action="store_true", help="print every event")
    a = p.parse_args()
    found = {}
    with open(a.found, newline="") as f:
        for row in csv.DictReader(f):
            change = (date(row["t_before"]), date(row["t"]), row)
            found.setdefault(int(row["entity_id"]), []).append(change)
    total, used = {}, set()
    with open(a.events, newline="") as f:
        for row in csv.DictReader(f):
            if "control" in (row["what"] + row["seen"]) or not row["date"]:
                continue
            slack = datetime.timedelta(days=max(a.least, int(float(row["days"] or 0))))
            at = date(row["date"])
            hits = [c for c in found.get(int(row["entity_id"]), []) if c[0] <= at + slack and c[1] >= at - slack]
            hit = min(hits, key=lambda c: abs((c[1] - at).days), default=None)
            n, k = total.get(row["seen"], (0, 0))
            total[row["seen"]] = (n + 1, k + (hit is not None))
            used.update(id(c) for c in hits)
            if a.list:
                at_found = f"{hit[0]}..{hit[1]}" if hit else "-"
                print(f"{row['seen']:8}{row['name']:30.30}{row['date']:12}{at_found:24}{row['what'][:60]}")
    for seen, (n, k) in sorted(total.items()):
        print(f"{seen}: {k} of {n} found")
    changes = sum(map(len, found.values()))
    print(f"{changes} changes, {sum(id(c) in used for l in found.values() for c in l)} of them at an event")


if __name__ == "__main__":
    sys.exit(main())
