#!/usr/bin/env python3
"""Shows that a change of the code leaves what the program writes as it was.

  check_stdout.py record --cvx BIN --out DIR     # small fixed datasets, a fixed list of commands
  check_stdout.py compare A B                    # exit 1 when stdout, a written file or an exit code differs

A record takes two minutes; TMPDIR in memory halves that.

A record holds a directory for each command, with its command line, exit code, stdout, stderr and the files that it
wrote outside datasets. Each line of commands starts from a fresh copy of the datasets. Standard library only.
"""
import argparse, base64, csv, difflib, fcntl, hashlib, json, os, re, shlex, shutil, struct, subprocess, sys, tempfile
from pathlib import Path

from check_stdout_data import BUILD, EVERY_FORMAT, EXAMPLE_CHANGES, ONCE, write_inputs

FORMATS = ["table", "json", "jsonl", "csv", "tsv", "arrow", "parquet"]
FIXED = ["--now", "2024-06-01", "--seed", "7"]
# One thread: with more, the file ids of a compaction depend on which thread comes first.
ENV = {"LC_ALL": "C.UTF-8", "COLUMNS": "100", "TZ": "UTC", "PATH": os.environ["PATH"], "CVX_THREADS": "1",
       "CVX_NOW": FIXED[1], "CVX_SEED": FIXED[3]}

# What differs from run to run, and is masked:
# - columns that a clock fills. Of Arrow and Parquet with such a column only the schema is kept.
CLOCK_COLUMNS = ["seconds", "rows_per_s", "points_per_s", "created", "last_commit"]
CLOCK_IN_JSON = re.compile(rf'("(?:{"|".join(CLOCK_COLUMNS)})": *)("[^"]*"|[-+.0-9e]+)')
# - the time that --stats tells at the end of a note.
CLOCK_IN_NOTES = re.compile(r"; [0-9.]+ m?s$", re.M)
# - dataset ids, which are random: each is replaced by its dataset's name, in as many bytes.
# - the temporary directory, whose name is random: <here>.


def schema_of(data):
    """The schema of Arrow or Parquet bytes, or None for other bytes."""
    if data.startswith(b"PAR1"):
        return base64.b64decode(max(re.findall(rb"[A-Za-z0-9+/]{100,}={0,2}", data), key=len, default=b""))
    at = {b"ARROW1": 8, b"\xff\xff\xff\xff": 0}.get(data[:6] if data[:1] == b"A" else data[:4])
    return None if at is None else data[at:at + 8 + struct.unpack_from("<i", data, at + 4)[0]]


def mask_columns(text):
    """Masks the clock's columns of csv, tsv and tables. A table's widths depend on them, so its spaces go too."""
    lines = text.split("\n")
    header = re.fullmatch(r"\s*[a-z0-9_]+((,|\t| {2,})[a-z0-9_]+)+", lines[0])
    if not header or not any(re.search(rf"\b{c}\b", lines[0]) for c in CLOCK_COLUMNS):
        return text
    sep = "\t" if "\t" in lines[0] else "," if "," in lines[0] else None
    rows = list(csv.reader(lines, delimiter=sep)) if sep else [re.split(" {2,}", x.strip()) for x in lines]
    for row in rows[1:]:
        for i, name in enumerate(rows[0]):
            if name in CLOCK_COLUMNS and i < len(row) and len(row) > 1:
                row[i] = "<clock>"
    return re.sub("─+", "─", "\n".join((sep or "  ").join(r) for r in rows))


class Recorder:
    def __init__(self, cvx, out):
        self.out, self.ids, self.seen = Path(out), {}, set()
        self.work = Path(tempfile.mkdtemp(prefix="cvx-stdout-")).resolve()
        self.template, self.here = self.work / "template", self.work / "run"
        # The program names itself by its file's name.
        self.cvx = self.work / "cvx"
        self.cvx.symlink_to(Path(cvx).resolve())
        self.here.mkdir()

    def call(self, dataset, args):
        stdin = (self.here / args[args.index("<") + 1]).read_bytes() if "<" in args else b""
        args = args[:next((i for i, arg in enumerate(args) if arg in "<>|"), None)]
        env = {**ENV, "HOME": str(self.here), **({"CVX_DATASET": dataset} if dataset else {})}
        return subprocess.run([self.cvx, *args], input=stdin, capture_output=True, cwd=self.here, env=env, timeout=120)

    def build(self):
        """The datasets, as they are before each line of commands."""
        write_inputs(self.here)
        for line in BUILD.strip().splitlines():
            dataset, args = line.split(": ", 1)
            done = self.call(dataset, shlex.split(args))
            if done.returncode not in (0, 3):
                sys.exit(f"{line}\n{done.stderr.decode()}")
        broken = self.here / "broken"
        shutil.copytree(self.here / "tiers", broken)
        for part in ("warm/**/*.parquet", "index/*.idx"):
            path = sorted(broken.glob(part))[0]
            data = bytearray(path.read_bytes())
            data[len(data) // 3:len(data) // 3 + 64] = bytes(64)
            path.write_bytes(data)
        for current in sorted(self.here.glob("*/CURRENT")):
            name = current.parent.name
            info = json.loads(self.call(name, ["info", "-f", "jsonl"]).stdout)
            self.ids[info["dataset_id"].encode()] = f"<id of {name}>".ljust(32, ".").encode()
        shutil.copytree(self.here, self.template)

    def mask(self, data):
        """The bytes, without what differs from run to run."""
        data = self.mask_ids(data).replace(str(self.here).encode(), b"<here>")
        schema = schema_of(data)
        if schema is not None:
            # A Parquet file holds its schema as base64 too, and in it the dataset's id.
            clean = self.mask_ids(schema)
            if any(c.encode() in schema for c in CLOCK_COLUMNS):
                return b"schema alone, for a clock's column\n" + clean
            return data.replace(base64.b64encode(schema), base64.b64encode(clean))
        try:
            text = CLOCK_IN_NOTES.sub("; <clock>", CLOCK_IN_JSON.sub(r"\1<clock>", data.decode()))
            return mask_columns(text).encode()
        except UnicodeDecodeError:
            return data

    def mask_ids(self, data):
        for known, name in self.ids.items():
            data = data.replace(known, name)
        return data

    def case(self, line):
        """Runs `DATASET: COMMAND ; COMMAND ..` in a fresh copy, and stores each command. DATASET may be empty, and
        `locked DATASET` holds the lock meanwhile."""
        if line in self.seen:
            return
        self.seen.add(line)
        shutil.rmtree(self.here, ignore_errors=True)
        datasets = [p.parent.name for p in self.template.glob("*/CURRENT")]
        others = [name for name in datasets if not re.search(rf"\b{name}\b", line)]
        shutil.copytree(self.template, self.here, ignore=lambda at, _: others if at == str(self.template) else [])
        dataset, steps = line.split(":", 1)
        dataset = dataset.split()[-1] if dataset else ""
        lock = open(self.here / dataset / "LOCK", "a") if line.startswith("locked ") else None
        if lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
        steps = steps.split(" ; ")
        for i, step in enumerate(steps):
            done = self.call(dataset, shlex.split(step))
            key = line.split(":", 1)[0] + ":" + " ; ".join(steps[:i + 1])
            short = re.sub(r"[^A-Za-z0-9]+", "-", key.replace(shlex.join(FIXED), "")).strip("-")[:60]
            to = self.out / f"{short}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
            if to.exists():
                continue
            to.mkdir()
            (to / "command").write_text(key + "\n")
            (to / "code").write_text(f"{done.returncode}\n")
            (to / "stdout").write_bytes(self.mask(done.stdout))
            (to / "stderr").write_bytes(self.mask(done.stderr))
        for path in sorted(self.here.rglob("*")):
            name = path.relative_to(self.here)
            # A --target keeps a dataset's files under its id.
            above = [p for p in path.parents if p != self.here]
            inside = any((p / "CURRENT").exists() or p.name.encode() in self.ids for p in above)
            if path.is_file() and not inside and not (self.template / name).exists():
                (to / f"file {str(name).replace('/', '!')}").write_bytes(self.mask(path.read_bytes()))
        if lock:
            lock.close()

    def commands(self, words=()):
        """The words of every command, from the help itself."""
        yield list(words)
        text = self.call("", [*words, "--help"]).stdout.decode()
        listed = re.search(r"^Commands:\n(.*?)\n\n", text, re.S | re.M)
        for name in re.findall(r"^  ([a-z-]+)", listed[1], re.M) if listed else []:
            if name != "help":
                yield from self.commands([*words, name])

    def examples(self, words):
        text = self.call("", [*words, "--help"]).stdout.decode()
        for found in re.findall(r"^  cvx .*(?:\n  (?!cvx )\S.*)*", text, re.M):
            found = re.sub(r"\s*\n\s*", " ", found)
            for old, new in EXAMPLE_CHANGES:
                found = found.replace(old, new)
            yield found.strip().removeprefix("cvx ")

    def record(self):
        self.out.mkdir(parents=True)
        self.build()
        commands = list(self.commands())
        for words in commands:
            name = " ".join(words)
            for line in (f":{name} --help", f":{name} -h", f":{name}", f":help {name}"):
                self.case(line)
            for example in self.examples(words):
                for dataset in ("news", "words", "tiers"):
                    self.case(f"{dataset}:{example}")
        table = csv.DictReader(self.call("", ["schema", "-f", "csv"]).stdout.decode().splitlines())
        for name in dict.fromkeys(row["command"] for row in table):
            self.case(f":schema -f csv {name}" if " -" not in name else f":schema -f csv -- {name}")
        fixed = shlex.join(FIXED)
        for line in EVERY_FORMAT.strip().splitlines():
            for form in FORMATS:
                self.case(line.replace(": ", f":{fixed} -f {form} ", 1))
        for line in ONCE.strip().splitlines():
            self.case(line.replace(": ", f":{fixed} ", 1))
        print(f"{len(list(self.out.iterdir()))} commands in {self.out}")


def compare(a, b):
    """Prints what differs; true when it is more than stderr."""
    read = lambda at: {p.name: {f.name: f.read_bytes() for f in p.iterdir()} for p in Path(at).iterdir()}
    a, b = read(a), read(b)
    results, notes = [], []
    for name in sorted(a.keys() | b.keys()):
        x, y = a.get(name, {}), b.get(name, {})
        command = (x or y)["command"].decode().rstrip()
        if not x or not y:
            results.append(f"== {command}\n   only in the {'second' if y else 'first'} record")
            continue
        for part in sorted(x.keys() | y.keys()):
            old, new = x.get(part, b""), y.get(part, b"")
            if old != new or (part in x) != (part in y):
                lines = lambda data: data.decode(errors="backslashreplace").splitlines()
                diff = [d[:300] for d in difflib.unified_diff(lines(old), lines(new), lineterm="", n=1)][2:14]
                text = f"== {command}\n   {part}: {len(old)} and {len(new)} bytes\n" + "\n".join(diff)
                (notes if part == "stderr" else results).append(text)
    for title, texts in ("stdout, files or exit code differ", results), ("stderr differs", notes):
        print(f"{title}: {len(texts)}", *texts, sep="\n")
    print(f"{len(a.keys() & b.keys())} commands compared")
    return bool(results)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = ap.add_subparsers(dest="job", required=True)
    rec = sub.add_parser("record")
    rec.add_argument("--cvx", required=True)
    rec.add_argument("--out", required=True, help="a directory that does not exist")
    com = sub.add_parser("compare")
    com.add_argument("a")
    com.add_argument("b")
    o = ap.parse_args()
    if o.job == "record":
        recorder = Recorder(o.cvx, o.out)
        try:
            recorder.record()
        finally:
            shutil.rmtree(recorder.work)
    else:
        sys.exit(compare(o.a, o.b))


if __name__ == "__main__":
    main()
