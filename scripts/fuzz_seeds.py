#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets into fuzz/corpus: CVX=target/debug/cvx scripts/fuzz_seeds.py

Storage formats are taken from a small dataset that the program makes, inputs from testdata/writers.
"""
import json, os, pathlib, shutil, subprocess, tempfile, time

root = pathlib.Path(__file__).resolve().parent.parent
cvx = os.environ.get("CVX", str(root / "target/debug/cvx"))
corpus = root / "fuzz/corpus"
LARGEST = 16 << 10


def seed(target, name, content):
    if len(content) > LARGEST:
        return
    # Of the same length; the targets check no checksums.
    own = os.fsencode(workplace)
    content = content.replace(own, b"/data".ljust(len(own), b"x"))
    place = corpus / target
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(content)


def texts(target, *lines):
    for i, line in enumerate(lines):
        seed(target, f"text-{i}", line.encode())


def storage(work):
    def run(*args, **more):
        subprocess.run([cvx, "-d", work / "d", "-q", *args], check=True, stdout=subprocess.DEVNULL, **more)

    for ids in ("string", "u64"):
        shutil.rmtree(work / "d", ignore_errors=True)
        subprocess.run([cvx, "init", work / "d", "--dim", "4", "--ids", ids, "-q"], check=True, stdout=subprocess.DEVNULL)
        rows = [
            {"entity": str(i % 4), "t": f"2024-01-{1 + i // 4:02}", "vector": [i % 7 + 0.5, i, 1 / (i + 1), (i * i) % 5], "lang": "de" if i % 3 else "en"}
            for i in range(40)
        ]
        text = "".join(json.dumps(r) + "\n" for r in rows)
        log(work / "d", ids, text)
        (work / "one.jsonl").write_text(text)
        run("ingest", work / "one.jsonl", "--on-conflict", "skip")
        seed("ledger", ids, (work / "d/results/ledger").read_bytes())
        seed("config", ids, (work / "d/cvx.toml").read_bytes())
        take(work / "d", ids, "hot", "segment", "*.seg")
        run("compact")
        run("index", "build")
        for command in (["velocity"], ["changepoints", "--save", "a"], ["drift", "population", "--ref", "2024-01-01..2024-01-05", "--cur", "2024-01-05..2024-01-11", "--baseline", "save=a"]):
            subprocess.run([cvx, "-d", work / "d", "-q", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        take(work / "d", ids, "hot", "segment", "*")
        take(work / "d", ids, "dict", "dictionary", "*.dict")
        take(work / "d", ids, "index", "index", "*.idx")
        take(work / "d", ids, "warm", "warm", "*.parquet")
        results = sorted(f for f in (work / "d/results").rglob("*") if f.is_file() and f.name != "ledger")
        for i, file in enumerate(results):
            for kind in range(6):
                seed("results", f"{ids}-{i}-{kind}", bytes([kind]) + file.read_bytes())
        for codec in ("zstd", "pq:2", "sq8"):
            subprocess.run([cvx, "-d", work / "d", "-q", "tier", "run", "--older-than", "1d", "--codec", codec, "--yes"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for file in sorted((work / "d/cold").rglob("*")):
                if file.is_file():
                    name = f"{ids}-{codec.split(':')[0]}-{file.suffix[1:]}"
                    seed("codebook" if "book" in file.name or "cb" in file.suffix else "cold", name, file.read_bytes())
            subprocess.run([cvx, "-d", work / "d", "-q", "tier", "restore", "--yes"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        take(work / "d", ids, "manifest", "manifest", "*.cvxm")


def log(dataset, ids, text):
    """The log of an ingest whose input has not ended."""
    run = subprocess.Popen([cvx, "-d", dataset, "-q", "ingest", "-", "--model", "m@1"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    run.stdin.write(text.encode())
    run.stdin.flush()
    for _ in range(100):
        time.sleep(0.1)
        files = [f for f in (dataset / "wal").glob("*.wal") if f.stat().st_size > 64 + 24]
        if files:
            break
    for file in files:
        raw = bytearray(file.read_bytes())
        # The target reads file 7.
        raw[32:40] = (7).to_bytes(8, "little")
        seed("log", f"{ids}.wal", bytes(raw))
        seed("batch", f"{ids}.batch", bytes(raw[64 + 24 :]))
    run.communicate()


def take(dataset, ids, part, target, pattern):
    files = [f for f in sorted((dataset / part).rglob(pattern)) if f.is_file()]
    for i, file in enumerate(files[-3:]):
        seed(target, f"{ids}-{i}{file.suffix}", file.read_bytes())


def inputs():
    jsonl = b'{"entity":"a","t":"2024-01-01","vector":[1,2.5,-3e-2,0],"lang":"en","data":{"x":[1,null]}}\n{"entity_id":7,"timestamp":1700000000,"embedding":"[1,2,3,4]","metadata":{"a":{"b":1}}}\n'
    csv = b'entity,t,v0,v1,v2,v3,lang\n7,2024-01-01,1,2.5,-3e-2,0,"a ""b"", c"\n8,2024-01-02 00:00:00 +0100,1,2,3,4,\n'
    for flags in (0, 1, 33, 96):
        head = bytes([flags])
        seed("input_jsonl", f"rows-{flags}", head + jsonl)
        seed("input_csv", f"rows-{flags}", head + csv)
        seed("input_tsv", f"rows-{flags}", head + csv.replace(b",", b"\t"))
    files = root / "testdata/writers"
    for target, names in {
        "arrow": ["coded.arrow", "polars.arrow", "part1.arrows", "lz4.arrow", "nested.arrow"],
        "parquet": ["int96.parquet", "map.parquet", "nested.parquet", "uuid.parquet", "blob.parquet", "brotli.parquet"],
        "npy": ["x.npy", "days.npy"],
        "npz": ["arrays.npz", "packed.npz"],
        "w2v": ["gensim.vec"],
        "w2v_bin": ["gensim.bin", "word2vec.bin"],
        "glove": ["glove.txt"],
        "fvecs": ["base.fvecs"],
        "fbin": ["base.fbin"],
    }.items():
        for name in names:
            seed(f"input_{target}", name, b"\1" + (files / name).read_bytes())
    four = b"2 4\na 1 2 3 4\nb 0.5 -1 2e3 0\n"
    seed("input_w2v", "four", b"\1" + four)
    seed("input_glove", "four", b"\1" + four[4:])
    vectors = b"".join(n.to_bytes(4, "little") for n in (0x3F800000, 0, 0xBF000000, 0x40490FDB))
    seed("input_w2v_bin", "four", b"\1" + b"2 4\na " + vectors + b"b " + vectors)
    seed("input_fvecs", "four", b"\0" + ((4).to_bytes(4, "little") + vectors) * 2)
    seed("input_fbin", "four", b"\0" + (2).to_bytes(4, "little") + (4).to_bytes(4, "little") + vectors * 2)


def others():
    texts("filter", 'lang = "en" and score >= 0.5', "a.b in (1, 2, null) or not exists(n)", 'lang like "e%"', "p <= 0.05", "cosine > 0.3 and status = 'ok'")
    texts("lookup", '{"a":{"b":[1,null,"x"]},"n":9007199254740993}', '{"a":null}', '{"\\u0061":{"b":"\\ud83d\\ude00"}}')
    texts("time", "2024-03-01T12:00:00.123456Z", "2024-W09", "now-30d", "1990..2000", "max-1mo", "1h30m", "-0044-03-15", "2024Q2", "1d", "3mo")
    table = b'{"entity_id":1,"timestamp":"2024-01-01T00:00:00Z","cosine":0.5}\n'
    for i, content in enumerate((table * 2, b"a,b\n1,2\na,b\n3,4\n", b"a\tb\n1\t2\n")):
        seed("merge", f"two-{i}", bytes([i]) + content)
    seed("merge", "json", bytes([5 + 64]) + b'[{"a":1}]\n')
    files = root / "testdata/writers"
    for choice, name in ((3, "map.parquet"), (4, "part1.arrows")):
        seed("merge", name, bytes([choice + 64]) + (files / name).read_bytes())


with tempfile.TemporaryDirectory() as workplace:
    storage(pathlib.Path(workplace))
inputs()
others()
