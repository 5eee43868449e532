#!/usr/bin/env python3
"""Kills compact and tier at random moments, with readers beside them.

  tiers_loop.py --cvx PATH [--rounds 200] [--seed 1] [--readers 2]

A dataset of random walks is exported once. Then each round runs one of ingest (the same rows again), compact,
compact --rewrite --purge, tier run (lossless, inside the dataset or in a directory beside it) and tier restore,
and kills it after a random time, while readers export everything again and again: every answer must be the same
bytes. After each round `verify --level full` may name only what the next writer sweeps; at the end every command runs undisturbed, a point is
deleted and must be gone from every tier after compact --purge, and nothing may be left in tmp/. Standard library only.
"""
import argparse, hashlib, os, random, subprocess, sys, tempfile, threading, time


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cvx", required=True)
    ap.add_argument("--rounds", type=int, default=200)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--readers", type=int, default=2)
    o = ap.parse_args()
    rng = random.Random(o.seed)
    work = tempfile.mkdtemp(prefix="cvx-tiers-")
    d, source, beside = (os.path.join(work, f) for f in ["d", "in", "store"])
    os.mkdir(source)
    for year in range(4):
        with open(os.path.join(source, f"{year}.csv"), "w") as f:
            f.write("entity_id,timestamp,a,b,c,d\n")
            for e in range(60):
                v = [float(year)] * 4
                for i in range(20):
                    v = [x + rng.gauss(0, 1) for x in v]
                    day = f"{2020 + year}-{1 + i // 2:02}-{1 + 14 * (i % 2) + e % 13:02}"
                    f.write(f"{e},{day}," + ",".join(f"{x:.4f}" for x in v) + "\n")
    ingest = ["ingest", source, "--vector-cols", "a..d"]

    def cvx(*args, check=True):
        p = subprocess.run([o.cvx, "-d", d, "-q", *args], capture_output=True, text=True)
        if check and p.returncode != 0:
            sys.exit(f"cvx {' '.join(args)}: exit {p.returncode}\n{p.stderr}")
        return p

    def export():
        p = cvx("export", "-f", "csv", check=False)
        return p.returncode, hashlib.sha256(p.stdout.encode()).hexdigest(), p.stderr

    subprocess.run([o.cvx, "init", d, "--dim", "4"], check=True, capture_output=True)
    for year in range(4):
        cvx("ingest", os.path.join(source, f"{year}.csv"), *ingest[2:])
    right = export()[:2]
    tier = ["tier", "run", "--older-than", "30d", "--codec", "zstd", "--keep-for", "0s"]
    jobs = [ingest, ["compact", "--keep-for", "0s"], ["compact", "--rewrite", "--purge", "--target-file", "64KiB", "--keep-for", "0s"],
            tier, [*tier, "--keep-original"], [*tier, "--target", beside], ["tier", "restore", "--all", "--keep-for", "0s"]]
    running, wrong, answers = [True], [], [0]

    def read():
        while running[0] and not wrong:
            code, digest, said = export()
            if (code, digest) != right:
                wrong.append(f"exit {code}: {said or 'another answer'}")
            answers[0] += 1

    readers = [threading.Thread(target=read) for _ in range(o.readers)]
    for r in readers:
        r.start()
    kills, ends = 0, 0
    for n in range(o.rounds):
        if wrong:
            break
        job = rng.choice(jobs)
        p = subprocess.Popen([o.cvx, "-d", d, "-q", *job], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            p.wait(timeout=rng.random() ** 2 * 0.12)
            ends += 1
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            kills += 1
        if p.returncode not in (0, -9):
            wrong.append(f"round {n}, {' '.join(job)}: exit {p.returncode} {p.stderr.read()}")
        checked = cvx("verify", "--level", "full", check=False)
        if checked.returncode not in (0, 4) or "damaged" in checked.stdout:
            wrong.append(f"round {n}, verify after {' '.join(job)}: {checked.stdout} {checked.stderr}")
    running[0] = False
    for r in readers:
        r.join()
    if not wrong:
        for job in jobs:
            cvx(*job)
            if export()[:2] != right:
                wrong.append(f"undisturbed {' '.join(job)}")
        for last in [["compact"], tier, ["tier", "run", "--older-than", "30d", "--codec", "rabitq:1", "--yes"]]:
            cvx("tier", "restore", "--all")
            cvx(*last)
            cvx("delete", "--entity", str(len(last)), "--yes")
            cvx("compact", "--rewrite", "--purge", "--keep-for", "0s")
            dead = [l for l in cvx("info", "--partitions", "-f", "csv").stdout.splitlines()[1:] if l.split(",")[3] != "0"]
            if dead:
                wrong.append(f"dead rows stay: {dead}")
        cvx("verify", "--level", "deep")
        left = os.listdir(os.path.join(d, "tmp"))
        if left:
            wrong.append(f"left in tmp: {left}")
    print(f"{o.rounds} rounds: {kills} kills, {ends} runs to the end; {answers[0]} answers of {o.readers} readers, all the same")
    if wrong:
        sys.exit(f"wrong ({work}): {wrong}")


if __name__ == "__main__":
    main()
