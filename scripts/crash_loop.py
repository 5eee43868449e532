#!/usr/bin/env python3
"""Kill the real binary at random moments and hold what is left against the promises.

  crash_loop.py --cvx PATH [--rounds 1000] [--seed 1] [--mode kill|strace|failpoint] [--verbose]

Each round makes a small dataset and a random input (new rows, repeats, replacements), then

  kill       sends SIGKILL to `cvx ingest` after a random time;
  strace     lets one system call of a random kind fail (EIO, ENOSPC) or kill the process;
  failpoint  stops at the n-th durable step, n = 1, 2, ... (needs a build with --features failpoints).

Afterwards: every row that was reported durable is there, what is there is a prefix of the input,
`verify` finds no damage; the same command again succeeds and ends in the state of an undisturbed
run; `verify` is clean and no file is left over. Standard library only.
"""
import argparse, json, os, random, re, shutil, signal, subprocess, sys, tempfile, time

CALLS = ["write", "fsync", "fdatasync", "rename", "linkat,link", "unlink,unlinkat", "openat"]


def rows_of(rng, n):
    """Rows as (entity, t, value); keys repeat now and then, with the same or other content."""
    out = []
    for i in range(n):
        if out and rng.random() < 0.1:
            entity, t, value = rng.choice(out)
            out.append((entity, t, value if rng.random() < 0.5 else rng.random()))
        else:
            out.append((rng.randrange(20), rng.randrange(10**9), rng.random()))
    return out


def state(rows):
    return {(e, t): v for e, t, v in rows}


class Case:
    def __init__(self, o, rng, work):
        self.o, self.rng = o, rng
        self.dir = os.path.join(work, "d")
        self.input = os.path.join(work, "in.jsonl")
        self.rows = rows_of(rng, rng.randrange(1, o.rows))
        with open(self.input, "w") as f:
            for e, t, v in self.rows:
                f.write(json.dumps({"entity_id": e, "timestamp": t, "vector": [v, 1.0, -v]}) + "\n")
        self.run("init", "--dim", "3", "--delta-tolerance", "0")
        # Half of the rounds start with points that are sealed already.
        self.before = []
        if rng.random() < 0.5:
            self.before = rows_of(rng, 30)
            seed = os.path.join(work, "seed.jsonl")
            with open(seed, "w") as f:
                for e, t, v in self.before:
                    f.write(json.dumps({"entity_id": e, "timestamp": t, "vector": [v, 1.0, -v]}) + "\n")
            self.run("ingest", seed, *self.flags())

    def flags(self):
        return ["--time-unit", "us", "--on-conflict", "replace"]

    def run(self, *args, check=True):
        p = subprocess.run([self.o.cvx, "-d", self.dir, *args], capture_output=True, text=True)
        if check and p.returncode != 0:
            raise AssertionError(f"cvx {' '.join(args)}: exit {p.returncode}\n{p.stderr}")
        return p

    def export(self):
        out = {}
        for line in self.run("export", "-f", "jsonl", "--time", "us").stdout.splitlines():
            r = json.loads(line)
            key = (r["entity_id"], r["timestamp"])
            assert key not in out, f"{key} twice"
            out[key] = r["vector"][0]
        return out

    def ingest(self, prefix=(), env=None, kill_after=None, kill_at=None):
        """Runs ingest; returns the last durable count, and the exit status. `kill_after` seconds
        from the start, or from the commit line number `kill_at`, it is killed."""
        cmd = [*prefix, self.o.cvx, "-d", self.dir, "--progress", "json", "ingest", self.input, *self.flags()]
        cmd += ["--batch-rows", str(self.batch)]
        p = subprocess.Popen(cmd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                             env={**os.environ, **(env or {})})
        if kill_after is not None and kill_at is None:
            time.sleep(kill_after)
            p.send_signal(signal.SIGKILL)
        durable = lines = 0
        for line in p.stderr:
            lines += 1
            if lines == kill_at:
                time.sleep(kill_after)
                p.send_signal(signal.SIGKILL)
            # A fault may hit the write of a line itself; only a whole one says anything.
            found = re.fullmatch(r'\{"event":"commit","rows_durable":(\d+),"commit":\d+\}\n', line)
            durable = int(found[1]) if found else durable
        return durable, p.wait()

    def check(self, durable):
        worst = self.run("verify", "--level", "full", check=False)
        assert worst.returncode in (0, 4), f"verify: exit {worst.returncode}\n{worst.stdout}{worst.stderr}"
        found = {k: v for k, v in self.export().items()}
        for n in range(len(self.rows), durable - 1, -1):
            want = state(self.before + self.rows[:n])
            if len(want) == len(found) and all(abs(found.get(k, 9) - v) < 1e-6 for k, v in want.items()):
                break
        else:
            raise AssertionError(f"no prefix of at least {durable} rows is what was found ({len(found)} points)")
        after, code = self.ingest()
        assert code == 0, f"the same command again: exit {code}"
        found, want = self.export(), state(self.before + self.rows)
        assert len(want) == len(found) and all(abs(found[k] - v) < 1e-6 for k, v in want.items())
        self.run("verify", "--level", "deep")
        return n


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cvx", required=True)
    ap.add_argument("--rounds", type=int, default=1000)
    ap.add_argument("--rows", type=int, default=300)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--mode", choices=["kill", "strace", "failpoint"], default="kill")
    ap.add_argument("--verbose", action="store_true")
    o = ap.parse_args()
    o.cvx = os.path.abspath(o.cvx)
    hit = early = 0
    base = "/dev/shm" if o.mode == "kill" and os.path.isdir("/dev/shm") else None
    step = 0
    for i in range(o.rounds):
        rng = random.Random(o.seed * 1_000_003 + i)
        work = tempfile.mkdtemp(prefix="cvx-crash-", dir=base)
        try:
            c = Case(o, rng, work)
            c.batch = rng.choice([1, 3, 10, 50, 1000])
            log = os.path.join(work, "strace.log")
            if o.mode == "kill":
                if rng.random() < 0.3:
                    durable, code = c.ingest(kill_after=rng.random() * 0.03)
                else:
                    c.batch = rng.choice([1, 3, 10])
                    durable, code = c.ingest(kill_after=rng.random() ** 2 * 0.01, kill_at=rng.randrange(1, 30))
                hit += code == -signal.SIGKILL
                early += durable > 0 and code != 0
            elif o.mode == "strace":
                call, when = rng.choice(CALLS), rng.randrange(1, 40)
                fault = rng.choice(["error=EIO", "error=ENOSPC", "signal=KILL"])
                prefix = ["strace", "-f", "-qq", "-o", log, "-e", f"trace={call}", "-P", c.dir,
                          "-e", f"inject={call}:{fault}:when={when}"]
                prefix = [a for a in prefix if a not in ("-P", c.dir)]
                durable, code = c.ingest(prefix=prefix)
                fired = os.path.exists(log) and "INJECTED" in open(log).read()
                hit += fired
                early += fired and durable > 0
                if code == 0 and fired and o.verbose:
                    print(f"round {i}: {call} {fault} {when} did not matter")
            else:
                step += 1
                mode = rng.choice(["abort", "once", "from"])
                durable, code = c.ingest(env={"CVX_FAULT": f"{os.path.realpath(c.dir)}:{step}:{mode}"})
                hit += code != 0
                early += code != 0 and durable > 0
                if code == 0:
                    step = 0
            n = c.check(durable)
            if o.verbose:
                print(f"round {i}: {durable} acknowledged, {n} found, exit {code}")
        except AssertionError as e:
            print(f"round {i} (seed {o.seed}) failed: {e}\nkept: {work}")
            sys.exit(1)
        shutil.rmtree(work)
    print(f"{o.rounds} rounds, {hit} with a fault, {early} of them after rows were acknowledged: "
          "nothing lost, nothing twice, verify clean")
    if hit < o.rounds / 10:
        sys.exit("too few faults fired for this to mean anything")


if __name__ == "__main__":
    main()
