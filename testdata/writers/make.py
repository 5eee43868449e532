#!/usr/bin/env python3
"""Writes the files of this directory, each by the library that users have them from.

Needs pyarrow, polars, pandas, numpy and gensim. README.md says what each file is for.
"""
import bz2, datetime as dt, gzip, pathlib, subprocess, numpy as np
import pyarrow as pa, pyarrow.ipc as ipc, pyarrow.parquet as pq, pyarrow.feather as feather

here = pathlib.Path(__file__).parent
vec = pa.list_(pa.float32())


def table(n, **more):
    t = [dt.datetime(2024, 1, 1 + i) for i in range(n)]
    columns = {
        "entity_id": pa.array(range(1, n + 1), pa.uint64()),
        "timestamp": pa.array(t, pa.timestamp("us")),
        "vector": pa.array([[i + 0.5, i] for i in range(n)], vec),
    }
    columns.update(more)
    return pa.table(columns)


def parquet(name, table, **options):
    pq.write_table(table, here / name, **options)


far = pa.array([dt.datetime(9999, 12, 31, 23, 59, 59), dt.datetime(1, 1, 1), dt.datetime(2024, 5, 6, 7, 8, 9, 10)], pa.timestamp("us"))
nested = pa.StructArray.from_arrays([far], ["until"])
parquet("int96.parquet", table(3, timestamp=far, valid_to=far, span=nested), use_deprecated_int96_timestamps=True)
parquet("brotli.parquet", table(2), compression="brotli")
parquet("map.parquet", table(2, metadata=pa.array([[("b", 1), ("a", 2)], None], pa.map_(pa.string(), pa.int64()))))
tags = pa.array([[("k", "v"), ("l", "x"), ("k", "w")], None], pa.map_(pa.string(), pa.string()))
held = pa.array([None, [("k", "u"), ("k", "v")]], pa.map_(pa.string(), pa.string()))
parquet("map-twice.parquet", table(2, tags=tags, metadata=held))
days = pa.array([2**31 - 1, -(2**31) + 1, 19000], pa.int32()).cast(pa.date32())
parquet("infinity.parquet", table(3, until=days, at=pa.array([2**63 - 1, -(2**63), 0], pa.timestamp("us")), far=pa.array([10**15, 0, 0], pa.timestamp("s"))), store_schema=True)
parquet("uuid.parquet", table(2, entity_id=pa.array([bytes(range(16)), b"\xff" * 16], pa.binary(16))))
parquet("blob.parquet", table(2, vector=pa.array([np.array([i, 0.5], "<f4").tobytes() for i in range(2)], pa.binary())))
parquet("blob-fixed.parquet", table(2, vector=pa.array([np.array([i, 0.5], "<f4").tobytes() for i in range(2)], pa.binary(8))))
parquet("floats.parquet", table(3, entity_id=pa.array([1.0, 2.0, 3.5]), timestamp=pa.array([1.5, 1700000000.1, 2.0])))
parquet("nan-meta.parquet", table(2, score=pa.array([float("nan"), 0.5])))

# A checksum of a page that no longer holds.
parquet("crc.parquet", table(2), write_page_checksum=True, compression="none", use_dictionary=False)
raw = bytearray((here / "crc.parquet").read_bytes())
at = raw.find(np.array([0.5, 0, 1.5, 1], "<f4").tobytes())
raw[at] ^= 1
(here / "crc.parquet").write_bytes(raw)

# A row of 30 million floats in a kilobyte, and a text of a megabyte that 20,000 rows name.
longest = pa.ListArray.from_arrays(pa.array([0, 30_000_000], pa.int32()), pa.array(np.zeros(30_000_000, "f4")))
parquet("long-list.parquet", table(1, vector=longest), compression="zstd")
n = 5000
texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, "i4")), pa.array(["x" * 300_000])).cast(pa.string())
times = pa.array(np.arange(n), pa.timestamp("us"))
many = pa.table({"entity_id": pa.array(np.ones(n, "u8")), "timestamp": times, "vector": pa.array([[0.0, 1.0]] * n, vec), "text": texts})
parquet("long-text.parquet", many, compression="zstd")

with ipc.new_file(here / "lz4.arrow", table(2).schema, options=ipc.IpcWriteOptions(compression="lz4")) as w:
    w.write_table(table(2))
coded = table(3, entity_id=pa.array([7, 9, 7], pa.int64()).dictionary_encode(), timestamp=pa.array([dt.datetime(2024, 1, 1 + i) for i in range(3)], pa.timestamp("ms")).dictionary_encode(), lang=pa.array(["en", None, "de"]).dictionary_encode())
with ipc.new_file(here / "coded.arrow", coded.schema) as w:
    w.write_table(coded)
for i in (1, 2):
    part = table(i).slice(i - 1)
    with ipc.new_stream(here / f"part{i}.arrows", part.schema) as w:
        w.write_table(part)

import polars
for name, packing in (("polars.arrow", "uncompressed"), ("polars-zstd.arrow", "zstd")):
    polars.from_arrow(table(3, lang=pa.array(["en", "de", None]))).write_ipc(here / name, compression=packing)

save = lambda name, a: np.save(here / name, a)
save("x.npy", np.array([[1, 2], [3, 4], [5, 6]], "f4"))
save("nat.npy", np.array(["2024-01-01", "NaT", "1969-12-31T23:59:59.999999"], "M8[us]"))
save("nat-ns.npy", np.array(["2024-01-01", "NaT", "1969-12-31"], "M8[ns]"))
save("days.npy", np.array(["2024-01-01", "1969-12-31", "1970-01-02"], "M8[D]"))
save("names.npy", np.array(["alice", "bøb", "c"]))
save("float-ids.npy", np.array([1.0, 2.0, 3.0]))
save("fortran.npy", np.asfortranarray(np.ones((3, 2), "f4")))
(here / "twice.npy").write_bytes((here / "x.npy").read_bytes() * 2)

text = b"entity_id,t,v0,v1\n1,2024-01-01 00:00:00 UTC,1,2\n2.0,2024-01-02 01:00:00 +0100,3,4\n"
(here / "rows.csv.gz").write_bytes(gzip.compress(text[:40], mtime=0) + gzip.compress(text[40:], mtime=0))
(here / "rows.csv.bz2").write_bytes(bz2.compress(text))
subprocess.run(["zstd", "-q", "-f", "-", "-o", here / "rows.csv.zst"], input=text, check=True)

# Fields inside structs, keys of a path, and INT96 beyond 64-bit microseconds.
inner = pa.array([{"emb": [i + 0.5, i], "lang": "en"} for i in range(2)], pa.struct([("emb", vec), ("lang", pa.string())]))
user = pa.array([{"id": 7, "name": "alice"}, {"id": 8, "name": "bob"}])
nested = pa.table({"user": user, "data": inner, "timestamp": table(2)["timestamp"], "metadata": pa.array(['{"term":"x","n":1}', '{"term":"y"}'])})
parquet("nested.parquet", nested)
with ipc.new_file(here / "nested.arrow", nested.schema) as w:
    w.write_table(nested)
pq.write_to_dataset(table(2, dt=pa.array(["2024-01-01", "2024-01-02"])).drop(["timestamp"]), here / "hive", partition_cols=["dt"], basename_template="part-{i}.parquet", existing_data_behavior="delete_matching")
parquet("int96-far.parquet", table(2, timestamp=far[:2], until=far[:2]), use_deprecated_int96_timestamps=True, compression="none", use_dictionary=False)
raw = (here / "int96-far.parquet").read_bytes()
julian = (dt.date(9999, 12, 31).toordinal() + 1721425).to_bytes(4, "little")
assert raw.count(julian) == 2
first = raw.index(julian)
(here / "int96-far.parquet").write_bytes(raw[:first] + bytes.fromhex("ffffff7f") + raw[first + 4 :])

# Several arrays by name, as numpy.savez writes them.
vectors, years = np.array([[1, 2], [3, 4], [5, 6]], "f4"), np.array(["1990", "2000", "2010"], "M8[Y]").astype("M8[s]")
np.savez(here / "arrays.npz", vectors=vectors, ids=np.array(["a", "b", "c"]), times=years, other=np.arange(9))
np.savez_compressed(here / "packed.npz", vectors, np.array([1, 2, 3]), np.array([1990, 2000, 2010]))

# Words: text and binary by gensim; what fastText adds (a blank at the end of each line), GloVe (no first line, and a
# blank inside a word) and word2vec (a line end behind each vector).
from gensim.models import KeyedVectors

words = {"the": [0.5, -1.25, 3e-5], "caf\u00e9": [1, 2, 3]}
keyed = KeyedVectors(3)
keyed.add_vectors(list(words), [np.array(v, "f4") for v in words.values()])
keyed.save_word2vec_format(here / "gensim.vec")
keyed.save_word2vec_format(here / "gensim.bin", binary=True)
head, *text = (here / "gensim.vec").read_text().splitlines()
(here / "fasttext.vec.gz").write_bytes(gzip.compress("".join(line + " \n" for line in [head, *text]).encode(), mtime=0))
(here / "glove.txt").write_text("".join(line + "\n" for line in [*text, ". . 0.125 0 -0.0"]))
vectors = b"".join(w.encode() + b" " + np.array(v, "<f4").tobytes() + b"\n" for w, v in words.items())
(here / "word2vec.bin").write_bytes(head.encode() + b"\n" + vectors)

# Vectors of benchmarks.
base = np.array([[0.5, 1, 2], [3, 4, 5]], "<f4")
(here / "base.fvecs").write_bytes(b"".join(np.array([3], "<i4").tobytes() + row.tobytes() for row in base))
(here / "base.fbin").write_bytes(np.array([2, 3], "<u4").tobytes() + base.tobytes())
