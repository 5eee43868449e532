#!/usr/bin/env python3
"""Readers beside a writer: every answer must be that of some committed prefix of the input.

  readers_loop.py --cvx PATH [--readers 4] [--points 20000]

One `cvx ingest` takes points whose value is their position in the input, in small batches; meanwhile
readers export the dataset again and again. What a reader sees must be exactly the first n points for
some n that does not fall from one answer of the same reader to the next. Then a second writer is
started beside the first and must end with exit 11, or wait and change nothing. Standard library only.
"""
import argparse, json, os, subprocess, sys, tempfile, threading


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cvx", required=True)
    ap.add_argument("--readers", type=int, default=4)
    ap.add_argument("--points", type=int, default=20_000)
    o = ap.parse_args()
    work = tempfile.mkdtemp(prefix="cvx-readers-")
    d, source = os.path.join(work, "d"), os.path.join(work, "in.jsonl")
    with open(source, "w") as f:
        for i in range(o.points):
            f.write(json.dumps({"entity_id": i * 7919 % 101, "timestamp": i, "vector": [i, 1]}) + "\n")
    subprocess.run([o.cvx, "init", d, "--dim", "2"], check=True, capture_output=True)
    ingest = [o.cvx, "-d", d, "-q", "ingest", source, "--time-unit", "us", "--batch-rows", "100"]
    writer = subprocess.Popen(ingest, stdout=subprocess.DEVNULL)
    wrong, answers, sizes = [], [0] * o.readers, set()

    def read(me):
        last = 0
        while writer.poll() is None and not wrong:
            p = subprocess.run([o.cvx, "-d", d, "export", "-f", "jsonl"], capture_output=True, text=True)
            values = sorted(json.loads(l)["vector"][0] for l in p.stdout.splitlines())
            if p.returncode != 0 or values != list(range(len(values))) or len(values) < last:
                wrong.append(f"exit {p.returncode}, {len(values)} points after {last}: {p.stderr}")
            last = len(values)
            answers[me] += 1
            sizes.add(last)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(o.readers)]
    for t in threads:
        t.start()
    codes = []
    while writer.poll() is None:
        codes.append(subprocess.run([*ingest], capture_output=True).returncode)
    for t in threads:
        t.join()
    print(f"{sum(answers)} answers of {o.readers} readers at {len(sizes)} different versions; "
          f"second writers: {len(codes)}, exit codes {sorted(set(codes))}")
    if wrong or writer.returncode != 0 or not set(codes) <= {0, 11} or len(sizes) < 3:
        sys.exit(f"wrong: {wrong or writer.returncode or codes}")


if __name__ == "__main__":
    main()
