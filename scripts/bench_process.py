#!/usr/bin/env python3
"""What one question costs a new process: wall and processor time above the bare start of the program, with the files in
the page cache, and the bytes read when they are not.

    bench_process.py --cvx PATH --data DATASET --vector q.json [--repeat 40]

Rows: the bare start (`--version`), `query knn` through the index, for the last instant (`query asof`), and with --exact;
medians and the largest. Evicted: the dataset's files are dropped from the page cache (posix_fadvise) before each start.
"""
import argparse
import os
import pathlib
import statistics
import time


def run(cmd):
    """Wall and processor milliseconds, and bytes read from disk."""
    started = time.perf_counter()
    pid = os.posix_spawn(cmd[0], cmd, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    if status:
        raise SystemExit(f"{' '.join(cmd)}: status {status}")
    return wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3, used.ru_inblock * 512


def evict(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cvx", required=True)
    p.add_argument("--data", type=pathlib.Path, required=True)
    p.add_argument("--vector", required=True, help="a JSON file with one vector")
    p.add_argument("--repeat", type=int, default=40)
    a = p.parse_args()
    common = ["--vector", a.vector, "-d", str(a.data), "-f", "csv", "-k", "10"]
    runs = {
        "bare start": [a.cvx, "--version"],
        "query knn": [a.cvx, "query", "knn", *common],
        "query asof": [a.cvx, "query", "asof", "--at", "max", *common],
        "query knn --exact": [a.cvx, "query", "knn", "--exact", *common],
    }
    print("| process | wall ms, median (largest) | above bare start | processor ms | evicted: wall ms | MB read |\n" + "|---" * 6 + "|")
    bare = None
    for name, cmd in runs.items():
        exact = "--exact" in cmd
        warm = [run(cmd) for _ in range(3 if exact else a.repeat + 3)][1 if exact else 3:]
        wall = statistics.median(r[0] for r in warm)
        bare = bare or wall
        cold = "- | -"
        if name.startswith("query") and not exact:
            colds = []
            for _ in range(5):
                evict(a.data)
                colds.append(run(cmd))
            cold = f"{statistics.median(r[0] for r in colds):.1f} | {statistics.median(r[2] for r in colds) / 1e6:.1f}"
        print(f"| {name} | {wall:.2f} ({max(r[0] for r in warm):.2f}) | {wall - bare:.2f} | "
              f"{statistics.median(r[1] for r in warm):.2f} | {cold} |", flush=True)


if __name__ == "__main__":
    main()
