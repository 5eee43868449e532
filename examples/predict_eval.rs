//! The rolling-origin table of every forecasting method on the trajectories of a Parquet file
//! (`entity_id` uint64, `timestamp` microseconds, `vector` FixedSizeList<Float32>, sorted by
//! entity and time), as Markdown. With `--train` a neural ODE is trained first (build with
//! `--features neural`) and judged on the entities it was not trained on.
//!
//! ```text
//! cargo run --release --features neural --example predict_eval -- FILE [--train] [--per-class N]
//! ```

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, TimestampMicrosecondType, UInt64Type};
use cvx::analytics::predict::node::{Event, Model, Options, train};
use cvx::analytics::predict::{Method, Settings, rolling, table};
use cvx::model::Trajectory;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::error::Error;
use std::fs::File;
use std::ops::ControlFlow;
use std::time::Instant;

const LEVELS: [f64; 3] = [0.5, 0.9, 0.95];
const SEED: u64 = 1;

/// All points of a file.
#[derive(Default)]
struct Points {
    entity: Vec<u64>,
    t: Vec<i64>,
    x: Vec<f32>,
    dim: usize,
}

fn read(path: &str) -> Result<Points, Box<dyn Error>> {
    let mut out = Points::default();
    for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()? {
        let batch = batch?;
        let column =
            |name: &str| batch.column_by_name(name).ok_or_else(|| format!("{path} has no column {name}"));
        out.entity.extend_from_slice(column("entity_id")?.as_primitive::<UInt64Type>().values());
        out.t.extend_from_slice(column("timestamp")?.as_primitive::<TimestampMicrosecondType>().values());
        let vectors = column("vector")?.as_fixed_size_list();
        out.dim = vectors.value_length() as usize;
        out.x.extend_from_slice(vectors.values().as_primitive::<Float32Type>().values());
    }
    Ok(out)
}

impl Points {
    fn trajectories(&self) -> Vec<Trajectory<'_>> {
        let mut out = Vec::new();
        let mut from = 0;
        for run in self.entity.chunk_by(|a, b| a == b) {
            let to = from + run.len();
            let x = &self.x[from * self.dim..to * self.dim];
            out.push(Trajectory { entity: run[0], t: &self.t[from..to], x, dim: self.dim, model: &[] });
            from = to;
        }
        out
    }
}

fn trained(sample: &[Trajectory], options: &Options) -> Result<Model, Box<dyn Error>> {
    let start = Instant::now();
    let mut watch = |event: Event| {
        if let Event::Epoch(e) = event {
            let (train, held_out) = (e.train_loss, e.validation_loss);
            eprintln!(
                "epoch {:3}  train {train:.4}  validation {held_out:.4}  best {}",
                e.epoch, e.best_epoch
            );
        }
        ControlFlow::Continue(())
    };
    let model = train(sample, options, None, &mut watch)?.ok_or("training was broken off")?;
    let t = &model.training;
    println!(
        "Model: {} components ({:.0} % of the variance), hidden {:?}, context {}, {} epochs (best {}), {:.1} s, useful: {}.\n",
        model.space().len(),
        100.0 * model.space().explained,
        model.shape().hidden,
        model.shape().context > 0,
        t.epochs,
        t.best_epoch,
        start.elapsed().as_secs_f64(),
        model.useful(),
    );
    for h in &t.held_out {
        let name = h.method.as_str();
        println!(
            "- held out, against {name}: median score {:.3}, {name} {:.3}, {} cases",
            h.model, h.baseline, h.n
        );
    }
    println!();
    Ok(model)
}

fn print(rows: &[table::Row]) {
    println!(
        "| horizon (days) | method | n | error_median | vs_last | cover 0.5 | 0.9 | 0.95 | radius 0.9 |"
    );
    println!("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let cell = |v: Option<f64>| v.map_or("-".to_string(), |v| format!("{v:.3}"));
    for r in rows {
        println!(
            "| {:.1} | {} | {} | {:.4} | {} | {} | {} | {} | {} |",
            r.horizon_s / 86_400.0,
            r.method.map_or("auto", Method::as_str),
            r.n,
            r.error_median,
            cell(r.vs_last),
            cell(r.coverage[0]),
            cell(r.coverage[1]),
            cell(r.coverage[2]),
            cell(r.radius_median[1]),
        );
    }
}

/// The number after an option.
fn number(args: &[String], option: &str, default: usize) -> Result<usize, Box<dyn Error>> {
    match args.iter().position(|a| a == option) {
        Some(i) => Ok(args.get(i + 1).ok_or_else(|| format!("{option} needs a number"))?.parse()?),
        None => Ok(default),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let path = args
        .first()
        .ok_or("usage: predict_eval FILE [--train] [--no-context] [--epochs N] [--per-class N]")?;
    let has = |option: &str| args.iter().any(|a| a == option);
    let points = read(path)?;
    let sample = points.trajectories();
    let unit_s = rolling::median_step_s(&sample).ok_or("no trajectory has two points")?;
    println!(
        "{} entities, {} points, median step {:.2} days.\n",
        sample.len(),
        points.t.len(),
        unit_s / 86_400.0
    );
    let options = Options {
        epochs: number(&args, "--epochs", 200)? as u32,
        context: !has("--no-context"),
        seed: SEED,
        ..Options::default()
    };
    let model = if has("--train") { Some(trained(&sample, &options)?) } else { None };
    let settings = Settings { model: model.as_ref(), ..Settings::default() };
    let usable = |m: &Method| *m != Method::Node || model.is_some();
    let methods: Vec<Method> = Method::ALL.into_iter().filter(usable).collect();
    let start = Instant::now();
    let cases = rolling::evaluate(&sample, &methods, number(&args, "--per-class", 500)?, SEED, &settings);
    eprintln!("{} cases in {:.2} s", cases.len(), start.elapsed().as_secs_f64());
    let chosen: Vec<Method> = match &model {
        Some(m) if !m.useful() => methods.iter().copied().filter(|m| *m != Method::Node).collect(),
        _ => methods.clone(),
    };
    let shown: Vec<Option<Method>> = methods.iter().copied().map(Some).chain([None]).collect();
    let rows = table::Judge::new(&cases, unit_s, SEED).table(&shown, &chosen, &LEVELS, |_| true);
    print(&rows);
    Ok(())
}
