#!/usr/bin/env python3
"""The same bytes out: with one thread and two, and from files ingested in another order.

  check_same.py --cvx PATH --set FILE.parquet [--dim 384]

Standard library only.
"""
import argparse, os, subprocess, sys, tempfile


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cvx", required=True)
    ap.add_argument("--set", required=True)
    ap.add_argument("--dim", default="384")
    o = ap.parse_args()
    work = tempfile.mkdtemp(prefix="cvx-same-")
    run = lambda *a: subprocess.run([o.cvx, *a], check=True, capture_output=True).stdout
    a, b = os.path.join(work, "a"), os.path.join(work, "b")
    run("init", a, "--dim", o.dim)
    run("-d", a, "ingest", o.set)
    rows = run("-d", a, "export", "-f", "jsonl").splitlines(keepends=True)
    parts = []
    for i in range(4):
        parts.append(os.path.join(work, f"{i}.jsonl"))
        with open(parts[-1], "wb") as f:
            f.writelines(rows[i::4])
    run("init", b, "--dim", o.dim)
    for p in reversed(parts):
        run("-d", b, "ingest", p, "--batch-rows", "777")
    first = str(__import__("json").loads(rows[0])["entity_id"])
    jobs = {
        "export": ["export", "-f", "csv", "--vectors", "list"],
        "knn": ["query", "knn", "--like", first, "-k", "50", "-f", "csv"],
        "asof": ["query", "asof", "--at", "2010", "-f", "csv", "--vectors", "list"],
        "velocity": ["velocity", "-f", "csv"],
        "drift": ["drift", "-f", "csv"],
    }
    bad = False
    for name, args in jobs.items():
        one, two = run("-d", a, "-j", "1", *args), run("-d", a, "-j", "2", *args)
        other = run("-d", b, "-j", "2", *args)
        # seq depends on the order in which rows came, as documented.
        cut = lambda text: [l.rsplit(b",", 2)[0] for l in text.splitlines()] if name == "export" else text
        same = one == two, cut(one) == cut(other)
        bad |= not all(same)
        print(f"{name:9} {len(one):>10} bytes  -j 1 and 2: {'same' if same[0] else 'DIFFER'}  other order: {'same' if same[1] else 'DIFFER'}")
    sys.exit(bad)


if __name__ == "__main__":
    main()
