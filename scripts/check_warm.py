"""Reads warm files with other people's readers and holds them against `cvx export`.

    python3 scripts/check_warm.py [CVX]

Makes a small dataset with CVX (target/release/cvx unless given), compacts it, and reads its Parquet files
with pyarrow, DuckDB, polars and pandas, as far as they are installed, with the lines of README.md. Every
reader must see the same points as the export: keys, every bit of the vectors, metadata. Exits 1 if one does
not, 2 if none is installed.
"""

import importlib
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

DIM = 6


def run(cvx, *args, stdin=None):
    done = subprocess.run([cvx, *args], input=stdin, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"cvx {' '.join(args)}: {done.stderr}")
    return done.stdout


def bits(vector):
    return struct.pack(f"<{DIM}f", *vector)


def dataset(cvx, root):
    """Three months of forty entities; every vector value has a pattern of its own."""
    rows = []
    for e in range(40):
        for m in range(3):
            vector = [(e * 31 + m * 7 + i) / 9 - 3 for i in range(DIM)]
            rows.append({"entity_id": e, "timestamp": f"2024-0{m + 1}-02T03:04:05.000006Z", "vector": vector, "n": e})
    run(cvx, "init", str(root), "--dim", str(DIM))
    run(cvx, "-d", str(root), "ingest", "-", stdin="\n".join(map(json.dumps, rows)))
    run(cvx, "-d", str(root), "compact", "--keep-for", "0s")
    points = {}
    for line in run(cvx, "-d", str(root), "export", "-f", "jsonl", "--time", "us").splitlines():
        row = json.loads(line)
        points[row["entity_id"], row["timestamp"]] = (bits(row["vector"]), json.dumps(row["metadata"], separators=(",", ":")))
    return points


def with_pyarrow(root):
    import pyarrow.parquet as pq

    table = pq.read_table(root / "warm")
    assert str(table.schema.field("vector").type).startswith("fixed_size_list<"), table.schema
    return [(r["entity_id"], r["timestamp"], r["vector"], r["metadata"]) for r in table.to_pylist()]


def with_duckdb(root):
    import duckdb

    # As a number: DuckDB gives times with a zone to Python only where pytz is installed.
    columns = "entity_id, epoch_us(timestamp), vector, metadata"
    query = f"SELECT {columns} FROM read_parquet('{root}/warm/**/*.parquet', hive_partitioning = true)"
    return duckdb.sql(query + " ORDER BY entity_id, timestamp").fetchall()


def with_polars(root):
    import polars

    frame = polars.scan_parquet(f"{root}/warm/**/*.parquet").collect()
    assert frame.schema["vector"] == polars.Array(polars.Float32, DIM), frame.schema
    return frame.select("entity_id", "timestamp", "vector", "metadata").rows()


def with_pandas(root):
    import pandas

    frame = pandas.read_parquet(root / "warm")
    return zip(frame.entity_id, frame.timestamp, frame.vector, frame.metadata)


def main():
    cvx = sys.argv[1] if len(sys.argv) > 1 else "target/release/cvx"
    cvx = str(pathlib.Path(cvx).resolve())
    readers = {"pyarrow": with_pyarrow, "duckdb": with_duckdb, "polars": with_polars, "pandas": with_pandas}
    checked = 0
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch) / "news"
        points = dataset(cvx, root)
        for name, read in readers.items():
            try:
                version = importlib.import_module(name).__version__
            except ImportError:
                print(f"{name}: not installed")
                continue
            seen = {}
            for entity, t, vector, metadata in read(root):
                us = t if isinstance(t, int) else int(t.replace(microsecond=0).timestamp()) * 1_000_000 + t.microsecond
                seen[int(entity), us] = (bits([float(v) for v in vector]), metadata)
            if seen != points:
                sys.exit(f"{name} {version} sees other points than cvx export")
            print(f"{name} {version}: {len(seen)} points, the same as cvx export")
            checked += 1
    sys.exit(0 if checked else 2)


if __name__ == "__main__":
    main()
