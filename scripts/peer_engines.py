"""The engines that scripts/bench_peers.py puts beside cvx, each on one thread.

An engine builds into a folder (`build`, which returns processor seconds), opens it again
(`open`), and offers for a workload its depths, each with a function from a query's number to the rows found.
What a filter needs (selectors, lists of valid rows) is made before the clock starts.
"""
import json
import pathlib
import subprocess
import time

import numpy as np

K = 10
EFS = [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024]


class Engine:
    """An engine over `data`, kept in `folder`."""

    name = ""
    filters = True

    def __init__(self, data, folder):
        self.d, self.folder = data, folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def built(self):
        return self.folder / "built.json"

    def ready(self):
        """Builds unless that was done; returns what is known of the build."""
        if not self.built.exists():
            seconds = self.build()
            size = sum(f.stat().st_size for f in self.folder.rglob("*") if f.is_file())
            self.built.write_text(json.dumps({"engine": self.name, "build_s": seconds, "bytes": size}))
        self.open()
        return json.loads(self.built.read_text())

    def build(self):
        return 0.0

    def open(self):
        pass

    def depths(self, workload):
        """Pairs of a name and a function from a query's number to rows."""
        raise NotImplementedError

    def floor_us(self):
        """Microseconds of a call that finds nothing: what the way from Python costs."""
        return 0.0


def floor(call, repeat=300):
    times = []
    for _ in range(repeat):
        started = time.process_time_ns()
        call()
        times.append(time.process_time_ns() - started)
    return float(np.median(times)) / 1e3


class Scan(Engine):
    name = "numpy sorted scan"

    def depths(self, workload):
        rows = [self.d.rows(workload, i) for i in range(len(self.d.q))]

        def ask(i):
            s = self.d.x[rows[i]] @ self.d.q[i]
            k = min(K, len(s))
            best = np.argpartition(-s, k - 1)[:k] if k else np.empty(0, int)
            return rows[i][best] if isinstance(rows[i], np.ndarray) else best + rows[i].start
        yield "", ask


class Hnswlib(Engine):
    """The C++ library itself (scripts/peer_hnswlib.cpp), whose filters are compiled in."""

    name = "hnswlib M16 efC200"
    headers = None

    def program(self):
        if not self.headers:
            raise RuntimeError("give --hnswlib, the folder of its source distribution")
        here = pathlib.Path(__file__).parent
        out = self.folder / "peer_hnswlib"
        if not out.exists():
            subprocess.run(["g++", "-O3", "-march=native", "-std=c++17", f"-I{self.headers}",
                            str(here / "peer_hnswlib.cpp"), "-o", str(out)], check=True)
        return str(out)

    def build(self):
        d = self.d
        done = subprocess.run([self.program(), "build", d.folder / "base.f32", str(d.x.shape[1]), "16", "200",
                               self.folder / "index"], check=True, capture_output=True, text=True)
        return float(done.stdout)

    def depths(self, workload):
        d = self.d
        bounds, end = self.folder / "bounds.i64", self.folder / "end.i64"
        d.bounds(workload).astype("<i8").tofile(bounds)
        d.end_rank.astype("<i8").tofile(end)
        asof = ["asof"] if "at" in d.workloads[workload] else []
        for ef in EFS:
            yield f"ef {ef}", (lambda ef=ef: self.run(ef, bounds, end, asof))

    def run(self, ef, bounds, end, asof):
        """All queries at once: rows and nanoseconds of each."""
        d = self.d
        done = subprocess.run([self.program(), "search", self.folder / "index", str(d.x.shape[1]),
                               d.folder / "queries.f32", bounds, end, str(K), str(ef), *asof],
                              check=True, capture_output=True, text=True)
        lines = [[int(n) for n in line.split()] for line in done.stdout.splitlines()]
        return [line[1:] for line in lines], [line[0] for line in lines]


class Faiss(Engine):
    settings = EFS

    def make(self, faiss):
        raise NotImplementedError

    def build(self):
        import faiss
        faiss.omp_set_num_threads(1)
        started = time.process_time()
        index = self.make(faiss)
        if not index.is_trained:
            index.train(self.d.x)
        index.add(self.d.x)
        seconds = time.process_time() - started
        faiss.write_index(index, str(self.folder / "index"))
        return seconds

    def open(self):
        import faiss
        faiss.omp_set_num_threads(1)
        self.faiss, self.index = faiss, faiss.read_index(str(self.folder / "index"))

    def parameters(self, depth, selector):
        return self.faiss.SearchParametersHNSW(efSearch=depth, sel=selector)

    def selector(self, rows):
        if isinstance(rows, slice):
            return self.faiss.IDSelectorRange(rows.start, rows.stop)
        bits = np.zeros(-(-len(self.d.t) // 8) * 8, np.uint8)
        bits[rows] = 1
        bits = np.packbits(bits, bitorder="little")
        selector = self.faiss.IDSelectorBitmap(len(bits), self.faiss.swig_ptr(bits))
        selector.bits = bits
        return selector

    def depths(self, workload):
        w, n = self.d.workloads[workload], len(self.d.q)
        selectors = [self.selector(self.d.rows(workload, i)) if w else None for i in range(n)]
        for depth in self.settings:
            made = [self.parameters(depth, s) for s in selectors]
            yield f"depth {depth}", lambda i, made=made: self.index.search(self.d.q[i : i + 1], K, params=made[i])[1][0]

    def floor_us(self):
        small = self.faiss.IndexFlatIP(self.d.x.shape[1])
        parameters = self.faiss.SearchParameters(sel=self.faiss.IDSelectorRange(0, 1))
        return floor(lambda: small.search(self.d.q[:1], K, params=parameters)[1][0])


class FaissHnsw(Faiss):
    name = "faiss HNSW16 efC200"

    def make(self, faiss):
        index = faiss.IndexHNSWFlat(self.d.x.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        return index


class FaissSq8(Faiss):
    name = "faiss HNSW16-SQ8 efC200"

    def make(self, faiss):
        kind = faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexHNSWSQ(self.d.x.shape[1], kind, 16, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        return index


class FaissIvf(Faiss):
    name = "faiss IVF-flat"
    settings = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256]

    def make(self, faiss):
        dim, lists = self.d.x.shape[1], int(4 * len(self.d.x) ** 0.5)
        self.quantizer = faiss.IndexFlatIP(dim)
        return faiss.IndexIVFFlat(self.quantizer, dim, lists, faiss.METRIC_INNER_PRODUCT)

    def parameters(self, depth, selector):
        return self.faiss.SearchParametersIVF(nprobe=depth, sel=selector)

    def selector(self, rows):
        if isinstance(rows, slice):
            return self.faiss.IDSelectorRange(rows.start, rows.stop, True)
        return super().selector(rows)


class Usearch(Engine):
    """Its Python interface has no filters."""

    name = "usearch bf16 M16 ea128"
    filters = False

    def make(self):
        from usearch.index import Index
        return Index(ndim=self.d.x.shape[1], metric="ip", dtype="bf16", connectivity=16, expansion_add=128)

    def build(self):
        started = time.process_time()
        index = self.make()
        index.add(np.arange(len(self.d.x)), self.d.x, threads=1)
        seconds = time.process_time() - started
        index.save(str(self.folder / "index"))
        return seconds

    def open(self):
        self.index = self.make()
        self.index.load(str(self.folder / "index"))

    def depths(self, workload):
        for ef in EFS:
            def ask(i, ef=ef):
                self.index.expansion_search = ef
                return self.index.search(self.d.q[i], K, threads=1).keys
            yield f"ef {ef}", ask

    def floor_us(self):
        small = self.make()
        small.add(np.arange(1), self.d.x[:1])
        return floor(lambda: small.search(self.d.q[0], K, threads=1).keys)


class Symphony(Engine):
    """SymphonyQG; its pipnn start fails on near duplicates, so it starts at random. No filters."""

    name = "SymphonyQG deg32 efC200"
    filters = False

    def build(self):
        import rabitqlib
        started = time.process_time()
        index = rabitqlib.SymqgIndex(self.d.x.shape[1], 32)
        index.build(self.d.x, 200, num_threads=1, init="random")
        seconds = time.process_time() - started
        index.save(str(self.folder / "index"))
        return seconds

    def open(self):
        import rabitqlib
        self.index = rabitqlib.SymqgIndex.load(str(self.folder / "index"))

    def depths(self, workload):
        for ef in EFS:
            yield f"ef {ef}", lambda i, ef=ef: np.asarray(self.index.search(self.d.q[i : i + 1], K, ef)[0]).reshape(-1)[:K]

    def floor_us(self):
        return 0.0


class Qdrant(Engine):
    """The engine in process (qdrant-edge-py), one segment, integer payload indexes for both bounds."""

    name = "Qdrant edge M16 efC200"
    acorn = False

    def build(self):
        import qdrant_edge as qe
        started = time.process_time()
        config = qe.EdgeConfig(
            vectors=qe.EdgeVectorParams(size=self.d.x.shape[1], distance=qe.Distance.Dot),
            hnsw_config=qe.HnswIndexConfig(16, 200, 10, max_indexing_threads=1),
            optimizers=qe.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=10),
            wal_enabled=False,
        )
        shard = qe.EdgeShard.create(str(self.folder / "shard"), config)
        for field in ("start", "end"):
            schema = qe.IntegerIndexParams(lookup=False, range=True)
            shard.update(qe.UpdateOperation.create_field_index(field, schema))
        for at in range(0, len(self.d.x), 1000):
            rows = range(at, min(at + 1000, len(self.d.x)))
            points = [qe.Point(r, self.d.x[r].tolist(), {"start": r, "end": int(self.d.end_rank[r])}) for r in rows]
            shard.update(qe.UpdateOperation.upsert_points(points))
        shard.optimize()
        shard.flush()
        shard.close()
        return time.process_time() - started

    def open(self):
        import qdrant_edge as qe
        self.qe, self.shard = qe, qe.EdgeShard.load(str(self.folder / "shard"))

    def filter(self, workload, i):
        qe, (lo, hi) = self.qe, map(int, self.d.bounds(workload)[i])
        if "at" in self.d.workloads[workload]:
            must = [qe.FieldCondition("start", range=qe.RangeFloat(lt=lo)), qe.FieldCondition("end", range=qe.RangeFloat(gte=lo))]
        else:
            must = [qe.FieldCondition("start", range=qe.RangeFloat(gte=lo, lt=hi))]
        return qe.Filter(must=must) if self.d.workloads[workload] else None

    def depths(self, workload):
        qe = self.qe
        bounds = [self.filter(workload, i) for i in range(len(self.d.q))]
        for ef in EFS[::2]:
            acorn = qe.AcornSearchParams(enable=True) if self.acorn else None
            params = qe.SearchParams(hnsw_ef=ef, acorn=acorn)
            asked = [qe.SearchRequest(qe.Query.Nearest(self.d.q[i].tolist()), K, filter=b, params=params) for i, b in enumerate(bounds)]
            yield f"ef {ef}", lambda i, asked=asked: [p.id for p in self.shard.search(asked[i])]


class QdrantAcorn(Qdrant):
    """The same shard searched with ACORN."""

    name = "Qdrant edge ACORN"
    acorn = True

    def __init__(self, data, folder):
        super().__init__(data, folder.with_name("qdrant"))

    def ready(self):
        return super().ready() | {"engine": self.name}


ENGINES = {
    "scan": Scan, "ivf": FaissIvf, "hnswlib": Hnswlib, "faiss-hnsw": FaissHnsw, "faiss-sq8": FaissSq8,
    "usearch": Usearch, "symphony": Symphony, "qdrant": Qdrant, "qdrant-acorn": QdrantAcorn,
}
