"""What `check_stdout.py` runs, and on which files. A line is `DATASET: COMMAND ; COMMAND ..`, without `cvx`."""
import bz2, csv, gzip, io, json, random, struct, zipfile


# A dataset of numbers with metadata, two models and saved results; one of names; one with cold, warm and hot points
# and an index; one with rows that came twice; one without points.
BUILD = """
news: init news --dim 8
news: ingest news-1.jsonl --model e5@1
news: ingest news-2.jsonl --model e5@2 --source late
news: changepoints --now 2024-06-01 --save spring --in 2022-06..2024-05
news: changepoints --now 2024-06-01 --method bocpd --arl 365d --state daily
news: drift population --ref 2022 --baseline save prod
news: drift population --ref 2023 --baseline save spring
words: init words --dim 4 --ids string --metric l2 --partition year
words: ingest emb/ --map entity=word,t=year,vector=emb --time-unit year --model sgns@1
tiers: init tiers --dim 8 --partition year
tiers: ingest tiers-1.jsonl --model e5@2
tiers: compact
tiers: tier run --now 2024-06-01 --older-than 1y --codec rabitq:1 --keep-original
tiers: index build
tiers: ingest tiers-2.jsonl --model e5@2 --batch-rows 50
twice: init twice --dim 8 --metric dot --delta-tolerance 0.001
twice: ingest points.jsonl --model e5@2
twice: ingest twice.jsonl --on-conflict replace --max-errors all
twice: delete --entity 60 --yes
none: init none --dim 8
none4: init none4 --dim 4
names4: init names4 --dim 4 --ids string
news: drift --shard 1/2 -o drift.1.parquet
news: drift --shard 2/2 -o drift.2.parquet
news: changepoints --shard 1/2 -o changes.1.csv
news: changepoints --shard 2/2 -o changes.2.csv
news: export -o points.parquet --entity 42,43
news: export -o points.arrow --entity 42,43
"""

# Examples of the help, made to fit what is here.
EXAMPLE_CHANGES = [
    ("/mnt/", "mnt/"),
    ("~/", "home/"),
    ("v0..v383", "v0..v7"),
    ("lake/dt=*/*.parquet", "lake/dt=*/*.jsonl"),
    ("init news", "init new"),
    ("init words --like emb/part-0.parquet", "init new --like points.parquet"),
    ("changes.*.csv", "changes.1.csv changes.2.csv"),
    ("0.1, -0.2, 0.3", "0.1, -0.2, 0.3, 0.4"),
    ("'[0.1, 0.2]'", "'[0.1, 0.2, 0.3, 0.4]'"),
    ("opq:96", "opq:4"),
    ("--read-at 41", "--read-at 3"),
]

# Commands whose result is rows: in each output format.
EVERY_FORMAT = """
none: init d --dim 3
none: info
news: info
tiers: info
news: info --entities
words: info --entities
news: info --partitions
tiers: info --partitions
tiers: info --tiers
news: info --models
news: verify
tiers: verify --level deep
broken: verify --level full
news: ingest points.jsonl --model e5@2 ; export --entity 42 --from 2024-05 --vectors columns
news: ingest --dry-run points.jsonl bad.jsonl
none: ingest bad.jsonl --max-errors all --rejects r.jsonl
news: query knn --like 42@2024-01-01 -k 5 --meta
words: query knn --like apple@1990 -k 5 --vectors list
tiers: query knn --like 42@2024-01-01 -k 5 --vectors columns
news: query knn --queries queries.jsonl -k 3
news: query knn --vector q.json -k 4 --alpha 0.7 --half-life 90d --at 2024-01-01
news: query range --vector q.json --in 2023-03 --radius 0.9
tiers: query range --like 42@2023-01-01 --in 2022 -k 4 --metric l2
news: query asof --at 2023-06-15
words: query asof --at 1990-06-01 --vectors columns
tiers: query asof --at 2022-06-01 --like 42 -k 3
news: query trajectory --entity 42 --meta
words: query trajectory --entity apple,cell --every 5y --interpolate linear --vectors list
tiers: query trajectory --entity 42 --from 2023-12 --vectors base64
news: export --entity 42,43
words: export --where "lang = 'en'" --in 1990..1995 --vectors columns
tiers: export --in 2022-01 --vectors base64
twice: export
none: export
news: velocity --entity 42 --from 2024
news: velocity --at 2023-06-01 --per 30d --vectors list
words: velocity --order 2 --entity apple --vectors columns
news: drift --from 2022-06 --to 2024-01 --sort cosine
news: drift --from 2022..2022 --to 2023..2023
words: drift --reference centroid
words: drift --from 1985..1999 --to 2000..2015 --cluster lang
tiers: drift
news: drift population --ref 2022 --cur 2023
news: drift population --every 6mo --by lang --adjust fdr --alpha 0.1
news: drift population --baseline use prod --cur 2023
news: changepoints
news: changepoints --summary
words: changepoints --best 1
news: changepoints --segments --entity 42
tiers: changepoints --method bocpd --warmup 50
tiers: changepoints --summary --method bocpd
news: changepoints --saved spring
news: predict --horizon 30d
words: predict --entity apple --at 2020 --vectors list
words: predict --horizon 1y --horizon 2y --method trend --vectors columns
words: predict --entity apple --horizon 1y --rank-like 3
words: predict eval
words: predict eval --cases --entity apple --method last
news: predict models
news: predict train --name daily --epochs 2
news: merge drift.1.parquet drift.2.parquet
news: merge changes.1.csv changes.2.csv
news: delete --entity 42 --yes ; info --entities
news: delete --where "lang = 'xx'" --dry-run
news: erase --entity 42 --yes ; export --limit 1
tiers: erase --entity 43 --dry-run
news: compact ; info --partitions
tiers: compact --dry-run
tiers: tier status
tiers: tier plan --older-than 30d --codec zstd
tiers: tier run --older-than 30d --codec zstd ; tier status
tiers: tier restore --all --yes
news: index build ; index status
tiers: index status
tiers: index drop --yes
news: backup copy ; backup copy
news: results list
news: results show baseline prod
news: results show changepoints spring
news: results show states daily
news: results drop states daily --yes ; results list
news: config show --origin
news: schema
news: schema --errors
news: schema query knn
"""

# Commands in one format, and mistakes.
ONCE = """
: --version
: completions bash
: completions zsh
: completions fish
: completions elvish
: completions powershell
: man pages
none: ingest points.jsonl ; ingest points.jsonl ; export -f jsonl
none: ingest points.json ; export -f jsonl
none: ingest points.jsonl.gz --model a@1 --source s ; export -f jsonl
none: ingest table.csv --vector-cols v0..v7 ; export -f jsonl
none: ingest table.csv.bz2 --vector-cols v0..v7 --meta lang --normalize ; export -f jsonl
none: ingest table.tsv --vector-cols v0..v7 --meta none ; export -f jsonl
none: ingest points.parquet points.arrow ; export -f jsonl
none: ingest 'lake/dt=*/*.jsonl' --map entity=user.id,t=dt,vector=data.emb ; export -f jsonl
none: ingest - < points.jsonl
none: ingest - --input-format csv --vector-cols v0..v7 --progress json < table.csv
none: ingest points.jsonl --progress json --log-format json --batch-rows 2 -v
none: ingest points.jsonl --compact ; info --partitions -f table
none: ingest missing*.jsonl --allow-empty
none4: ingest words.npy --ids-file ids.npy --times-file years.npy --time-unit year ; export -f jsonl
none4: ingest words.npy --ids-file ids.csv --times-file years.npy --time-unit year ; export -f jsonl
none4: ingest words.npz --time-unit year ; export -f jsonl
none4: ingest v.fvecs --ids-file ids.npy --times-file years.npy --time-unit year ; export -f jsonl
none4: ingest v.fbin --ids-file ids.npy --times-file years.npy --time-unit year ; export -f jsonl
names4: ingest words.npy --ids-file ids.npy --times-file years.npy --time-unit year --names vocabulary.csv ; export -f jsonl
names4: ingest w2v-1990.vec.gz --at 1990-01-01 --source decade ; export -f jsonl
names4: ingest glove.txt --input-format glove --at 1990-01-01 ; export -f jsonl
tiers: changepoints --method bocpd --arl 100 --warmup 50 --state day ; ingest today.jsonl --model e5@2 --detect bocpd:arl=100,warmup=50,state=day --events changes.jsonl ; results list
news: export --npy arrays
tiers: export --duckdb
news: export -o x.csv --as-of 2023-01-15 --time us --digits 3
news: query trajectory --entity 42 --time date --ids-json string -f json
news: query trajectory --entity 42 --to 2022-03 --time ms -f csv
news: query trajectory --entity 42 --to 2022-03 --vectors list --digits 3 -f table --color always
news: query knn --like 42 -k 3 -j 2
news: query knn --like 42 -k 3 --per-entity best --include-self --model latest
news: query knn --like 42 -k 3 --where "lang = 'en' and (score >= 0.5 or not exists(author))"
tiers: query knn --like 42 -k 3 --exact
tiers: query knn --like 42 -k 3 --stats
news: query asof --at 2023 --like 42 -k 3 --stats
news: drift --from 2022..2022 --to 2023..2023 --cluster author -f csv
tiers: query knn --like 42 -k 3 --recall 0.98
tiers: query knn --like 42 -k 3 --ef 200
news: query asof --at 2023 --queries queries.jsonl -k 2
news: query asof --read-at 2 --at 2023
news: info --read-at 1
news: changepoints --summary --cost mean --penalty 20 --noise ar1
news: changepoints --method bocpd --state daily
tiers: changepoints --method bocpd --state daily ; ingest today.jsonl --model e5@2 ; changepoints --method bocpd --state daily
news: changepoints --outliers --sensitive
news: drift --shard 1/3 -f csv
news: drift --sample 3 -f csv
news: drift --from max-1y --to max --align off --unordered
news: drift --entities-from requests.txt
news: config set time date ; config get time ; info --entities --limit 2
news: config set --user format csv ; config show --origin ; info --entities --limit 2
news: --config cvx.toml.example info --entities --limit 2
news: compact --rewrite ; verify --level full
news: compact --purge --keep-for 0s ; verify --level full
tiers: tier run --older-than 10d --codec opq:4 --yes ; tier status ; query asof --at 2024-01-01
tiers: tier run --older-than 10d --codec rabitq:1 --keep-original --target archive ; verify --level full
tiers: tier restore --entity 42 --yes ; tier status
tiers: index build --rebuild --metric l2 --lean --check-recall 0.5 ; query knn --metric l2 --like 42 -k 3
broken: query knn --like 42 -k 3
broken: export -f csv
news: query nearest
news: query knn --like 42 --nn 3
news: query knn --like 42 -k none
news: query knn --like 42 --where "lang ="
news: query knn
news: query knn --vector '[1,2]'
news: query knn --like 999
news: query asof --at yesterday
news: query trajectory --entity 999
words: query trajectory --entity aple
news: export --entity 42,999
news: velocity --in 1999
news: drift --in 1999
news: changepoints --in 1999
news: predict --in 1999 --horizon 30d
news: query asof --at 1999
news: info --entities --in 1999
news: drift population --ref 1999 --cur 2023
news: ingest missing.jsonl
news: ingest missing.jsonl --errors json
news: ingest bad.jsonl
news: ingest bad.jsonl --errors json
news: ingest bad.jsonl --max-errors 1%
news: ingest broken.jsonl points.jsonl
news: ingest table.csv
news: ingest words.npy
twice: ingest twice.jsonl
twice: ingest twice.jsonl --on-conflict skip
twice: ingest twice.jsonl --on-conflict replace
none: ingest twice.jsonl
none: ingest twice.jsonl --max-errors all --rejects bad-rows.jsonl
news: drift --fail-on "cosine > 0.1"
words: drift --fail-on "cosine > 10"
news: drift --fail-on "nothing > 1"
news: changepoints --fail-on "severity > 0"
news: drift population --ref 2022 --cur 2023 --fail-on "p_value <= 1"
news: delete --entity 42
news: delete
news: erase --entity 42 --yes ; ingest points.jsonl --model e5@1 ; ingest points.jsonl --allow-erased --model e5@1
news: results show baseline none
news: config set colour red
news: config get nothing
news: schema nothing
news: merge drift.1.parquet
news: merge drift.1.parquet changes.2.csv
news: tier run --older-than 10d --codec zip
news: tier run --older-than 10d --codec opq:4
news: index status
news: index drop
news: init news --dim 8
news: init news --dim 8 --exist-ok
news: init news --dim 9 --exist-ok
news: init
news: export -o missing/dir/x.csv
news: info -f yaml
news: info --read-at 99
missing: info
missing: ingest points.jsonl
empty: info
locked news: ingest points.jsonl
locked news: compact --skip-if-locked
locked news: compact --skip-if-locked=75 --lock-timeout 1s
locked news: info --entities --limit 1
news: -q drift --entity 48,49 -f csv
news: -v info --entities --limit 1
"""


def numbers(r, n, shift=0.0):
    return [round(r.gauss(shift, 1), 4) for _ in range(n)]


def npy(values, kind):
    """One array as a .npy file: rows of f4, or a list of i8."""
    shape = (len(values), len(values[0])) if kind == "f4" else (len(values),)
    flat = [x for row in values for x in row] if kind == "f4" else values
    head = f"{{'descr': '<{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    code = {"f4": "f", "i8": "q"}[kind]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + struct.pack(f"<{len(flat)}{code}", *flat)


def delimited(rows, sep):
    """A table with a column for each component of the vector."""
    out = io.StringIO()
    w = csv.writer(out, delimiter=sep, lineterminator="\n")
    w.writerow(["entity_id", "timestamp", *(f"v{i}" for i in range(len(rows[0]["vector"]))), "lang", "score"])
    w.writerows([x["entity_id"], x["timestamp"], *x["vector"], x["lang"], x["score"]] for x in rows)
    return out.getvalue().encode()


def write_inputs(at):
    """The files that are ingested and asked for, all from one seed."""
    r = random.Random(20240601)
    lines = lambda rows: "".join(json.dumps(x) + "\n" for x in rows).encode()
    months = [f"{y}-{m:02}-01" for y in (2022, 2023, 2024) for m in range(1, 13)][:32]
    point = lambda e, t, shift=0.0: {"entity_id": e, "timestamp": t, "vector": numbers(r, 8, shift), "lang": r.choice(
        ["en", "de", "xx"]), "score": round(r.random(), 3), "author": f"a{r.randrange(6)}"}
    news = [point(e, t, 4.0 * (e == 42 and i > 14) + 0.1 * i * (e == 43)) for e in range(40, 54)
            for i, t in enumerate(months)]
    names = ["apple", "cell", "user42", "42", "43", "tree", "river", "stone", "cloud", "bread"]
    words = [{"word": n, "year": y, "emb": numbers(r, 4, 3.0 * (n == "cell" and y > 2000)), "lang": "en"}
             for n in names for y in range(1985, 2016)]
    weeks = [f"{y}-{m:02}-{d:02}" for y in (2022, 2023, 2024) for m in range(1, 13) for d in (3, 10, 17, 24)][:116]
    tiers = [point(e, t, 6.0 * (e == 43 and i > 105)) for e in range(40, 48) for i, t in enumerate(weeks)]
    few = [point(e, t) for e in (42, 60) for t in ("2024-05-04", "2024-05-05", "2024-05-06")]
    today = [point(42, f"2024-08-{d:02}", 9.0) for d in range(2, 24)]
    vectors, ids, times = [x["vector"][:4] for x in few], [1, 2, 3] * 2, [1990] * 3 + [1991] * 3
    packed = {"vectors": npy(vectors, "f4"), "ids": npy(ids, "i8"), "times": npy(times, "i8")}
    npz = io.BytesIO()
    with zipfile.ZipFile(npz, "w") as z:
        for name, data in packed.items():
            z.writestr(zipfile.ZipInfo(name + ".npy"), data)
    vec = f"{len(names)} 4\n" + "".join(f"{n} {' '.join(map(str, numbers(r, 4)))}\n" for n in names)
    floats = [struct.pack("<4f", *v) for v in vectors]
    nested = [{"user": {"id": x["entity_id"]}, "data": {"emb": x["vector"]}} for x in few[::3]]
    bad = [few[0], {**few[1], "vector": [1, 2]}, {**few[2], "timestamp": "soon"}, {**few[3], "entity_id": None}, few[4]]
    twice = [few[0], few[0], {**few[0], "vector": numbers(r, 8)}, {**few[1], "lang": "fr"}, few[1]]
    first = [x for x in news if x["timestamp"] < "2023-06" or x["entity_id"] < 52]
    files = {
        "news-1.jsonl": lines(first), "news-2.jsonl": lines(x for x in news if x not in first),
        "emb/words.jsonl": lines(words), "lake/dt=2024-05-09/part.jsonl": lines(nested),
        "tiers-1.jsonl": lines(x for x in tiers if x["timestamp"] < "2024-02"),
        "tiers-2.jsonl": lines(x for x in tiers if x["timestamp"] >= "2024-02"),
        "points.jsonl": lines(few), "points.json": json.dumps(few).encode(), "table.csv": delimited(few, ","),
        "table.tsv": delimited(few, "\t"), "today.jsonl": lines(today),
        "points.jsonl.gz": gzip.compress(lines(few), mtime=0), "table.csv.bz2": bz2.compress(delimited(few, ",")),
        "words.npy": packed["vectors"], "ids.npy": packed["ids"], "years.npy": packed["times"],
        "words.npz": npz.getvalue(), "ids.csv": b"entity_id\n" + b"".join(b"%d\n" % i for i in ids),
        "vocabulary.csv": b"id,name\n1,apple\n2,cell\n3,moon\n", "w2v-1990.vec.gz": gzip.compress(vec.encode(), mtime=0),
        "glove.txt": vec.split("\n", 1)[1].encode(), "v.fvecs": b"".join(struct.pack("<i", 4) + f for f in floats),
        "v.fbin": struct.pack("<ii", len(floats), 4) + b"".join(floats), "bad.jsonl": lines(bad),
        "twice.jsonl": lines(twice), "broken.jsonl": lines(few)[:300], "requests.txt": b"42\n43\n",
        "q.json": json.dumps(few[0]["vector"]).encode(), "queries.jsonl": lines(
            [{"query": "a", "vector": few[0]["vector"]}, {"query": "b", "entity": 43, "k": 2}, {"entity": 999}]),
        "empty/README": b"No dataset.\n", "mnt/backup/README": b"For copies.\n", "cvx.toml.example": b'format = "csv"\n',
    }
    for name, data in files.items():
        path = at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
