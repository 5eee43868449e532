#!/usr/bin/env python3
"""Hold cvx's answers over warm and cold files against those over hot ones and a truth file.

  check_tiers.py --cvx PATH --data DIR [--set commits] [--dim 384] [--now TIME] CODEC ...

DIR as for check_truth.py. The set is ingested, every query of every mode is asked; after `compact` the answers
must be the same bytes, else exit 1. Then for each CODEC the files whose points are older than --now go to cold,
with and without kept originals, and recall@10 against the truth is printed for each mode. Standard library only.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile

MODES = {
    "all": ("knn", lambda q: {}),
    "range": ("range", lambda q: {"from": q["t1"], "to": q["t2"]}),
    "before": ("knn", lambda q: {"to": q["t"].replace("Z", ".000001Z")}),
    "asof": ("asof", lambda q: {"at": q["t"]}),
}


def cvx(o, *args):
    p = subprocess.run([o.cvx, *args], capture_output=True, text=True)
    if p.returncode != 0:
        sys.exit(f"cvx {' '.join(args)}: exit {p.returncode}\n{p.stderr}")
    return p.stdout


def answers(o, d, queries, mode):
    command, extra = MODES[mode]
    file = os.path.join(o.work, "queries.jsonl")
    with open(file, "w") as f:
        for q in queries:
            f.write(json.dumps({"query": q["query"], "vector": q["vector"], **extra(q)}) + "\n")
    args = ["-d", d, "-f", "jsonl", "--time", "us", "query", command, "--queries", file, "-k", "10"]
    return cvx(o, *args, *{"range": ["--from", "min"], "asof": ["--at", "max"]}.get(command, []))


def recall(text, truth, queries, mode):
    got = {}
    for r in map(json.loads, text.splitlines()):
        got.setdefault(str(r["query"]), set()).add((int(r["entity_id"]), r["t"]))
    hits = want = 0
    for q in queries:
        true = {(e, t) for e, t, _ in truth[(q["query"], mode)]}
        want += len(true)
        hits += len(true & got.get(str(q["query"]), set()))
    return hits / want


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cvx", required=True)
    ap.add_argument("--data", required=True)
    ap.add_argument("--set", default="commits")
    ap.add_argument("--dim", default="384")
    ap.add_argument("--now", default="max")
    ap.add_argument("codecs", nargs="*")
    o = ap.parse_args()
    o.work = tempfile.mkdtemp(prefix="cvx-tiers-")
    path = lambda n: os.path.join(o.data, f"{o.set}.{n}")
    queries = [json.loads(l) for l in open(path("queries.jsonl"))]
    truth = {(t["query"], t["mode"]): t["neighbors"] for t in map(json.loads, open(path("truth.jsonl")))}
    d = os.path.join(o.work, "d")
    cvx(o, "init", d, "--dim", o.dim, "--partition", "month")
    cvx(o, "-d", d, "-q", "ingest", path("parquet"))
    before = {mode: answers(o, d, queries, mode) for mode in MODES}
    done = json.loads(cvx(o, "-d", d, "-f", "jsonl", "compact", "--target-file", "8MiB", "--keep-for", "0s"))
    print(f"compact: {done['points']} points, {done['bytes_before']} -> {done['bytes_after']} bytes, {done['files_out']} files")
    failed = False
    for mode in MODES:
        same = answers(o, d, queries, mode) == before[mode]
        failed |= not same
        r = recall(before[mode], truth, queries, mode)
        print(f"{mode:7} {len(queries)} queries: {'the same bytes' if same else 'OTHER ANSWERS'} after compact, recall@10 {r:.4f}")
    for codec in o.codecs:
        for kept in [["--yes"], ["--keep-original"]]:
            copy = os.path.join(o.work, "copy")
            shutil.copytree(d, copy)
            run = json.loads(cvx(o, "-d", copy, "-f", "jsonl", "--now", o.now, "tier", "run", "--older-than", "1us", "--codec", codec, *kept))
            cold = json.loads(cvx(o, "-d", copy, "-f", "jsonl", "tier", "status").splitlines()[-1])
            found = {mode: recall(answers(o, copy, queries, mode), truth, queries, mode) for mode in MODES}
            text = "  ".join(f"{mode} {r:.3f}" for mode, r in found.items())
            share = run["points"] / done["points"]
            print(f"{codec:10} {kept[0]:15} {share:.0%} cold, {cold['bytes'] / max(run['points'], 1):.0f} bytes a point, recall@10: {text}", flush=True)
            shutil.rmtree(copy)
    shutil.rmtree(o.work)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
