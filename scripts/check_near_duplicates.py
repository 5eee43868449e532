#!/usr/bin/env python3
"""Recall of the graph and of whole searches on near-duplicate trajectories, with the entity cap and without it.

Data: `gen_trajectories.py DIR --dim 128` (5,000 entities of 20 slowly drifting versions, so that a row's
nearest rows are versions of itself). Program: the example index_bench. Without the cap the versions fill each
other's lists of neighbours, and the graph falls apart: the negative control. Exit 1 when a search with the cap
finds less than 0.95.

    check_near_duplicates.py DIR --cvx target/release/examples/index_bench
"""
import argparse
import json
import pathlib
import subprocess
import sys

from bench_peers import Data

OFF = str(2**63)


def recalls(data, truths, program, *options):
    done = subprocess.run([program, data.folder, "--passes", "1", *options], capture_output=True, text=True, check=True)
    return {r["workload"]: data.recall(r["ids"], truths[r["workload"]]) for r in json.loads(done.stdout)["results"]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", type=pathlib.Path)
    p.add_argument("--cvx", required=True)
    a = p.parse_args()
    data = Data(a.data)
    truths = {w: data.truth(w) for w in data.workloads}
    runs = {
        "planned": [],
        "graph, ef 64": ["--path", "graph", "--ef", "64"],
        "planned, no cap": ["--entity-cap", OFF],
        "graph, ef 64, no cap": ["--path", "graph", "--ef", "64", "--entity-cap", OFF],
    }
    print("| search | " + " | ".join(data.workloads) + " |\n" + "|---" * (len(data.workloads) + 1) + "|")
    low = False
    for name, options in runs.items():
        found = recalls(data, truths, a.cvx, *options)
        low |= name == "planned" and min(found.values()) < 0.95
        print(f"| {name} | " + " | ".join(f"{found[w]:.4f}" for w in data.workloads) + " |", flush=True)
    sys.exit(1 if low else 0)


if __name__ == "__main__":
    main()
