//! Builds an index part over files that `scripts/gen_trajectories.py` wrote, answers their
//! workloads on one thread, and prints times and answers as JSON.
//!
//! `index_bench DIR [--k 10] [--recall 0.97,..] [--ef 64,..] [--path lists|graph|scan|listed]
//! [--metric M] [--entity-cap N] [--passes 2] [--index FILE]`: the last pass over the queries counts; an index
//! FILE is made if missing, and kept; `--dataset PATH` takes the largest part of a dataset's index instead.

use cvx::dataset::Snapshot;
use cvx::error::{Code, Error, Result};
use cvx::format::container::{Container, Expect, Finished, Kind, Seal, Writer};
use cvx::fsio::Bytes;
use cvx::index::{
    self, Check, Effort, Filter, Input, Options, Part, Path as SearchPath, Query, Reader, Stats,
};
use cvx::metric::Metric;
use cvx::model::{Key, TimeRange};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

/// Processor time of this thread (all threads with `process`) in seconds.
fn cpu_s(process: bool) -> f64 {
    let clock = if process { ClockId::ProcessCPUTime } else { ClockId::ThreadCPUTime };
    let t = clock_gettime(clock);
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}

struct Files {
    dim: usize,
    base: Vec<f32>,
    times: Vec<i64>,
    entities: Vec<u64>,
}

impl Input for Files {
    fn rows(&self) -> usize {
        self.times.len()
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn key(&self, row: usize) -> Key {
        Key { entity: self.entities[row], t: self.times[row] }
    }

    fn vectors<'a>(&'a self, rows: Range<usize>, _: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        Ok(&self.base[rows.start * self.dim..rows.end * self.dim])
    }
}

fn read<T: bytemuck::Pod>(path: &Path) -> Result<Vec<T>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    Ok(bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect())
}

struct Arguments {
    dir: std::path::PathBuf,
    k: usize,
    efforts: Vec<Effort>,
    force: Option<SearchPath>,
    metric: Metric,
    per_entity: usize,
    passes: usize,
    dim: usize,
    index: Option<std::path::PathBuf>,
    dataset: Option<std::path::PathBuf>,
}

fn arguments() -> Result<Arguments> {
    let mut args = std::env::args().skip(1);
    let usage = || Error::new(Code::Usage, "index_bench DIR [--k N] [--recall R,..] [--ef N,..] [--path P]");
    let dir = args.next().ok_or_else(usage)?.into();
    let mut a = Arguments {
        dir,
        k: 10,
        efforts: Vec::new(),
        force: None,
        metric: Metric::Cosine,
        per_entity: 2,
        passes: 2,
        dim: 0,
        index: None,
        dataset: None,
    };
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(usage)?;
        let numbers = || value.split(',').filter_map(|v| v.parse::<f64>().ok());
        match name.as_str() {
            "--k" => a.k = value.parse().map_err(|_| usage())?,
            "--recall" => a.efforts.extend(numbers().map(Effort::Recall)),
            "--ef" => a.efforts.extend(numbers().map(|ef| Effort::Beam(ef as usize))),
            "--metric" => a.metric = value.parse()?,
            "--entity-cap" => a.per_entity = value.parse().map_err(|_| usage())?,
            "--passes" => a.passes = value.parse().map_err(|_| usage())?,
            "--index" => a.index = Some(value.into()),
            "--dataset" => a.dataset = Some(value.into()),
            "--path" => {
                let all = [SearchPath::Scan, SearchPath::Listed, SearchPath::Lists, SearchPath::Graph];
                a.force = all.into_iter().find(|p| p.as_str() == value);
            }
            _ => return Err(usage()),
        }
    }
    if a.efforts.is_empty() {
        a.efforts.push(Effort::default());
    }
    Ok(a)
}

fn filter(workload: &Value, i: usize) -> Filter<'static> {
    let at = |name: &str| workload.get(name)?.get(i)?.as_i64();
    let range = TimeRange::half_open(at("from"), at("to"));
    Filter { range, as_of: at("at"), ..Filter::default() }
}

fn main() -> Result<()> {
    let mut a = arguments()?;
    let queries: Vec<f32> = read(&a.dir.join("queries.f32"))?;
    let text =
        std::fs::read_to_string(a.dir.join("workloads.json")).unwrap_or_else(|_| "{\"knn\":{}}".into());
    let workloads: Value = serde_json::from_str(&text).map_err(|e| Error::usage(e.to_string()))?;
    let (part, build_cpu_s) = match a.dataset.clone() {
        Some(path) => (of_dataset(&path)?, 0.0),
        None => of_files(&a)?,
    };
    a.dim = part.dim();
    let mut reader = part.reader(Check::Whole)?;
    let mut results = Vec::new();
    for (name, workload) in workloads.as_object().into_iter().flatten() {
        for effort in &a.efforts {
            for _ in 1..a.passes {
                ask(&a, *effort, workload, &queries, &mut reader)?;
            }
            let mut answers = ask(&a, *effort, workload, &queries, &mut reader)?;
            answers["workload"] = json!(name);
            results.push(answers);
        }
    }
    let sections: std::collections::BTreeMap<_, _> = part.sections().into_iter().collect();
    let out = json!({
        "build_cpu_s": build_cpu_s, "bytes": part.bytes(), "rows": part.rows(), "sections": sections, "results": results,
    });
    println!("{out}");
    Ok(())
}

/// The largest part of a dataset's index.
fn of_dataset(path: &Path) -> Result<Part> {
    let snapshot = Snapshot::open(path, None)?;
    let parts = snapshot.manifest().index_parts();
    let largest = parts.iter().max_by_key(|p| p.rows);
    let largest = largest.ok_or_else(|| Error::usage("the dataset has no index"))?;
    Ok(snapshot.index_part(largest)?.part)
}

/// The part in the index file, or a new one of the folder's rows, and the processor time of the build.
fn of_files(a: &Arguments) -> Result<(Part, f64)> {
    let times: Vec<i64> = read(&a.dir.join("times.i64"))?;
    let base: Vec<f32> = read(&a.dir.join("base.f32"))?;
    let files =
        Files { dim: base.len() / times.len(), base, times, entities: read(&a.dir.join("entities.u64"))? };
    let (started, started_cpu) = (Instant::now(), cpu_s(true));
    let mut build_cpu_s = 0.0;
    let expect = |seal: Seal| Expect { kind: Kind::Index, dataset: [0; 16], id: 1, seal };
    let part = match a.index.as_deref().filter(|path| path.exists()) {
        Some(path) => {
            let seal: Vec<u128> = read(&path.with_extension("seal"))?;
            Part::open(path, &expect(Seal { len: seal[0] as u64, root: seal[1] }))?
        }
        None => {
            let mut writer = Writer::in_memory(Kind::Index, [0; 16], 1)?;
            let options = Options { per_entity: a.per_entity, ..Options::new(a.metric) };
            let built = index::build(&files, &options, &mut writer)?;
            build_cpu_s = cpu_s(true) - started_cpu;
            let (Finished::Memory(bytes), seal) = writer.finish()? else {
                return Err(Error::internal("a container in memory became a file"));
            };
            eprintln!("built {built:?} in {:.2} s ({build_cpu_s:.2} CPU s)", started.elapsed().as_secs_f64());
            if let Some(path) = &a.index {
                let write = |path: &Path, bytes: &[u8]| {
                    std::fs::write(path, bytes).map_err(|e| Error::io("write", path, &e))
                };
                write(path, &bytes)?;
                write(&path.with_extension("seal"), bytemuck::bytes_of(&[u128::from(seal.len), seal.root]))?;
            }
            let bytes = Bytes::from_vec(&bytes);
            Part::from_container(Container::from_bytes(Path::new("memory"), bytes, &expect(seal))?)?
        }
    };
    part.verify()?;
    eprintln!("{:?}", part.head().tables);
    Ok((part, build_cpu_s))
}

/// Times and answers of one pass over the queries.
fn ask(
    a: &Arguments,
    effort: Effort,
    workload: &Value,
    queries: &[f32],
    reader: &mut Reader<'_>,
) -> Result<Value> {
    let mut stats = Stats::default();
    let (mut micros, mut ids, mut paths) = (Vec::new(), Vec::new(), std::collections::BTreeMap::new());
    for (i, vector) in queries.chunks_exact(a.dim).enumerate() {
        let filter = filter(workload, i);
        let query = Query { effort, force: a.force, ..Query::nearest(vector, a.k) };
        let started = cpu_s(false);
        let eligible = reader.prepare(&filter)?;
        let hits = reader.search(&query, &eligible, None, &mut stats)?;
        micros.push((cpu_s(false) - started) * 1e6);
        ids.push(hits.iter().map(|h| h.row).collect::<Vec<_>>());
        if let Some(report) = stats.reports.pop() {
            *paths.entry(report.path.as_str()).or_insert(0) += 1;
        }
    }
    let n = micros.len() as f64;
    let mean = micros.iter().sum::<f64>() / n;
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    Ok(json!({
        "effort": format!("{effort:?}"), "mean_us": mean, "p50_us": at(0.5), "p99_us": at(0.99), "paths": paths, "ids": ids,
        "lists": stats.lists as f64 / n, "estimates": stats.estimates as f64 / n,
        "codes": stats.codes as f64 / n, "hops": stats.hops as f64 / n, "exact": stats.exact as f64 / n,
    }))
}
