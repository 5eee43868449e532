#!/usr/bin/env python3
"""Hold cvx's exact queries against a truth file made by brute force.

  check_truth.py --cvx PATH --data DIR [--set commits] [--work DIR]

DIR holds SET.parquet, SET.queries.jsonl ({"query", "t1", "t2", "t", "vector"}) and SET.truth.jsonl
({"query", "mode", "neighbors": [[entity, us, distance], ...]}) with modes all, range, before, asof.
The set is ingested from Parquet, and from the CSV and JSONL that cvx exports of it; each dataset
answers all queries in each mode. Recall is counted by distance: a point is a hit when it is at most
as far as the k-th true one + 1e-6. Standard library only.
"""
import argparse, json, os, subprocess, sys, tempfile


def cvx(o, *args):
    p = subprocess.run([o.cvx, *args], capture_output=True, text=True)
    if p.returncode != 0:
        sys.exit(f"cvx {' '.join(args)}: exit {p.returncode}\n{p.stderr}")
    return p.stdout


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cvx", required=True)
    ap.add_argument("--data", required=True)
    ap.add_argument("--set", default="commits")
    ap.add_argument("--dim", default="384")
    ap.add_argument("--work")
    o = ap.parse_args()
    work = o.work or tempfile.mkdtemp(prefix="cvx-truth-")
    os.makedirs(work, exist_ok=True)
    path = lambda n: os.path.join(o.data, f"{o.set}.{n}")
    queries = [json.loads(l) for l in open(path("queries.jsonl"))]
    truth = {(t["query"], t["mode"]): t["neighbors"] for t in map(json.loads, open(path("truth.jsonl")))}
    modes = {
        "all": ("knn", lambda q: {}),
        "range": ("range", lambda q: {"from": q["t1"], "to": q["t2"]}),
        "before": ("knn", lambda q: {"to_closed": q["t"]}),
        "asof": ("asof", lambda q: {"at": q["t"]}),
    }
    first = os.path.join(work, "parquet")
    sources = {"parquet": path("parquet"), "csv": os.path.join(work, "set.csv"), "jsonl": os.path.join(work, "set.jsonl")}
    failed = False
    for form, source in sources.items():
        d = os.path.join(work, form)
        if not os.path.exists(source):
            cvx(o, "-d", first, "export", "-o", source)
        if not os.path.exists(d):
            cvx(o, "init", d, "--dim", o.dim)
            cvx(o, "-d", d, "-q", "ingest", source)
        for mode, (command, extra) in modes.items():
            file = os.path.join(work, f"{mode}.jsonl")
            with open(file, "w") as f:
                for q in queries:
                    e = extra(q)
                    if "to_closed" in e:
                        # `before` holds its last instant; cvx's ranges do not, so a microsecond more.
                        t = e.pop("to_closed")
                        e["to"] = t.replace("Z", ".000001Z")
                    f.write(json.dumps({"query": q["query"], "vector": q["vector"], **e}) + "\n")
            args = ["-d", d, "-f", "jsonl", "--time", "us", "query", command, "--queries", file, "-k", "10"]
            if command == "range":
                args += ["--from", "min"]
            if command == "asof":
                args += ["--at", "max"]
            got = {}
            for r in map(json.loads, cvx(o, *args).splitlines()):
                got.setdefault(r["query"], []).append(r)
            hits = want = 0
            worst = 0.0
            for q in queries:
                true = truth[(q["query"], mode)]
                mine = got.get(q["query"], got.get(str(q["query"]), []))
                want += len(true)
                if len(mine) != len(true):
                    print(f"{form} {mode} query {q['query']}: {len(mine)} answers, {len(true)} true ones")
                    failed = True
                limit = true[-1][2] + 1e-6 if true else 0
                hits += sum(r["distance"] <= limit for r in mine)
                worst = max([worst] + [abs(r["distance"] - t[2]) for r, t in zip(mine, true)])
            failed |= hits != want or worst > 1e-6
            print(f"{form:8} {mode:7} {len(queries)} queries  recall {hits / max(want, 1):.4f}  largest difference {worst:.1e}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
