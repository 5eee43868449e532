//! Builds an index part over files that `scripts/gen_trajectories.py` wrote, answers their
//! workloads on one thread, and prints times and answers as JSON.
//!
//! `index_bench DIR [--k 10] [--recall 0.97,..] [--ef 64,..] [--path lists|graph|scan|listed]`

use cvx::error::{Code, Error, Result};
use cvx::format::container::{Container, Expect, Finished, Kind, Writer};
use cvx::fsio::Bytes;
use cvx::index::{self, Check, Effort, Filter, Input, Options, Part, Path as SearchPath, Query, Stats};
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
}

fn arguments() -> Result<Arguments> {
    let mut args = std::env::args().skip(1);
    let usage = || Error::new(Code::Usage, "index_bench DIR [--k N] [--recall R,..] [--ef N,..] [--path P]");
    let dir = args.next().ok_or_else(usage)?.into();
    let mut a =
        Arguments { dir, k: 10, efforts: Vec::new(), force: None, metric: Metric::Cosine, per_entity: 2 };
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(usage)?;
        let numbers = || value.split(',').filter_map(|v| v.parse::<f64>().ok());
        match name.as_str() {
            "--k" => a.k = value.parse().map_err(|_| usage())?,
            "--recall" => a.efforts.extend(numbers().map(Effort::Recall)),
            "--ef" => a.efforts.extend(numbers().map(|ef| Effort::Beam(ef as usize))),
            "--metric" => a.metric = value.parse()?,
            "--entity-cap" => a.per_entity = value.parse().map_err(|_| usage())?,
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
    let a = arguments()?;
    let times: Vec<i64> = read(&a.dir.join("times.i64"))?;
    let base: Vec<f32> = read(&a.dir.join("base.f32"))?;
    let files =
        Files { dim: base.len() / times.len(), base, times, entities: read(&a.dir.join("entities.u64"))? };
    let queries: Vec<f32> = read(&a.dir.join("queries.f32"))?;
    let text =
        std::fs::read_to_string(a.dir.join("workloads.json")).unwrap_or_else(|_| "{\"knn\":{}}".into());
    let workloads: Value = serde_json::from_str(&text).map_err(|e| Error::usage(e.to_string()))?;

    let (started, started_cpu) = (Instant::now(), cpu_s(true));
    let mut writer = Writer::in_memory(Kind::Index, [0; 16], 1)?;
    let options = Options { per_entity: a.per_entity, ..Options::new(a.metric) };
    let built = index::build(&files, &options, &mut writer)?;
    let (Finished::Memory(bytes), seal) = writer.finish()? else {
        return Err(Error::internal("a container in memory became a file"));
    };
    let (build_s, build_cpu_s) = (started.elapsed().as_secs_f64(), cpu_s(true) - started_cpu);
    let expect = Expect { kind: Kind::Index, dataset: [0; 16], id: 1, seal };
    let container = Container::from_bytes(Path::new("memory"), Bytes::from_vec(&bytes), &expect)?;
    drop(bytes);
    let part = Part::from_container(container)?;
    part.verify()?;
    eprintln!("built {built:?} in {build_s:.2} s ({build_cpu_s:.2} CPU s)\n{:?}", part.head().tables);
    let mut reader = part.reader(Check::Whole)?;
    let mut results = Vec::new();
    for (name, workload) in workloads.as_object().into_iter().flatten() {
        for effort in &a.efforts {
            let mut stats = Stats::default();
            let (mut micros, mut ids, mut paths) =
                (Vec::new(), Vec::new(), std::collections::BTreeMap::new());
            let start = cpu_s(false);
            for (i, vector) in queries.chunks_exact(files.dim).enumerate() {
                let filter = filter(workload, i);
                let query = Query { effort: *effort, force: a.force, ..Query::nearest(vector, a.k) };
                let started = Instant::now();
                let eligible = reader.prepare(&filter)?;
                let hits = reader.search(&query, &eligible, None, &mut stats)?;
                micros.push(started.elapsed().as_secs_f64() * 1e6);
                ids.push(hits.iter().map(|h| h.row).collect::<Vec<_>>());
                if let Some(report) = stats.reports.pop() {
                    *paths.entry(report.path.as_str()).or_insert(0) += 1;
                }
            }
            let n = micros.len() as f64;
            let cpu_us = (cpu_s(false) - start) * 1e6 / n;
            let mean = micros.iter().sum::<f64>() / n;
            micros.sort_by(f64::total_cmp);
            let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
            results.push(json!({
                "workload": name, "effort": format!("{effort:?}"), "cpu_us": cpu_us, "mean_us": mean, "p50_us": at(0.5),
                "p99_us": at(0.99), "paths": paths, "ids": ids,
                "lists": stats.lists as f64 / n, "estimates": stats.estimates as f64 / n,
                "codes": stats.codes as f64 / n, "hops": stats.hops as f64 / n, "exact": stats.exact as f64 / n,
            }));
        }
    }
    let sections: std::collections::BTreeMap<_, _> = part.sections().into_iter().collect();
    let out = json!({
        "build_s": build_s, "build_cpu_s": build_cpu_s, "bytes": part.bytes(), "rows": files.times.len(), "sections": sections, "results": results,
    });
    println!("{out}");
    Ok(())
}
