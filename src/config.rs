//! A dataset's identity and settings: `cvx.toml`, readable, checked on open.
//!
//! What answers depend on (dimension, metric, kind of ids, the dataset's id) stands in the
//! manifest too; where the two differ, opening fails and names the line.

use crate::error::{Code, Error, Result};
use crate::format::{DatasetId, hex, unhex};
use crate::fsio::{self, Publish, TempFile};
use crate::metric::Metric;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;

/// Name of the file in a dataset directory.
pub const FILE: &str = "cvx.toml";
/// Newest format of a dataset directory.
pub const FORMAT: u32 = 1;
/// Largest file that is read.
const MAX_LEN: u64 = 1 << 20;

/// What entities are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdKind {
    /// Numbers.
    U64,
    /// Names, kept in a dictionary.
    String,
}

/// How JSON output writes entity ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdsJson {
    /// As numbers, which some readers round above 2^53.
    Number,
    /// As strings.
    String,
}

/// Width of a period of the warm partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partition {
    /// A day.
    Day,
    /// An ISO week.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
    /// Everything in one.
    None,
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Partition::Day => "day",
            Partition::Week => "week",
            Partition::Month => "month",
            Partition::Year => "year",
            Partition::None => "none",
        })
    }
}

/// How many ranges of the entity hash the warm partitions have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buckets {
    /// Starts with one, doubled as the data grows.
    Auto,
    /// Fixed; a power of two.
    Fixed(u32),
}

impl std::fmt::Display for Buckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Buckets::Auto => f.write_str("auto"),
            Buckets::Fixed(n) => write!(f, "{n}"),
        }
    }
}

impl std::str::FromStr for Buckets {
    type Err = Error;

    fn from_str(s: &str) -> Result<Buckets> {
        match s.parse::<u32>() {
            _ if s == "auto" => Ok(Buckets::Auto),
            Ok(n) if n.is_power_of_two() && n <= 65_536 => Ok(Buckets::Fixed(n)),
            _ => Err(Error::usage(format!("\"{s}\" is not a number of buckets"))
                .fix("use auto, or a power of two up to 65536")),
        }
    }
}

/// What `init` fixes for a dataset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Dimension, 1 to 4096.
    pub dim: usize,
    /// Default metric.
    pub metric: Metric,
    /// Kind of entity ids.
    pub ids: IdKind,
    /// How JSON writes them.
    pub ids_json: IdsJson,
    /// Buckets of the warm partitions.
    pub buckets: Buckets,
    /// Periods of the warm partitions.
    pub partition: Partition,
    /// A whole vector at least every so many points of a trajectory in hot segments.
    pub keyframe_interval: u32,
    /// Largest error of a stored value in hot segments; 0 is lossless.
    pub delta_tolerance: f64,
}

impl Settings {
    /// The defaults for a dimension.
    pub fn new(dim: usize) -> Settings {
        Settings {
            dim,
            metric: Metric::Cosine,
            ids: IdKind::U64,
            ids_json: IdsJson::Number,
            buckets: Buckets::Auto,
            partition: Partition::Month,
            keyframe_interval: 16,
            delta_tolerance: 0.0,
        }
    }

    /// Rejects values outside their limits.
    pub fn check(&self) -> Result<()> {
        crate::model::check_dim(self.dim)?;
        if !(1..=1024).contains(&self.keyframe_interval) {
            return Err(Error::usage(format!(
                "keyframe interval {} is outside 1 to 1024",
                self.keyframe_interval
            )));
        }
        if !(0.0..=0.1).contains(&self.delta_tolerance) {
            return Err(Error::usage(format!(
                "delta tolerance {} is outside 0 to 0.1",
                self.delta_tolerance
            )));
        }
        Ok(())
    }

    /// The names and values in which two settings differ: `(name, self, other)`.
    pub fn differences(&self, other: &Settings) -> Vec<(String, String, String)> {
        let (a, b) = (self.table(), other.table());
        a.iter()
            .zip(&b)
            .filter(|(x, y)| x.1 != y.1)
            .map(|(x, y)| (x.0.clone(), x.1.to_string(), y.1.to_string()))
            .collect()
    }

    fn table(&self) -> toml::Table {
        let mut t = toml::Table::new();
        let text = |v: &dyn std::fmt::Display| toml::Value::String(v.to_string());
        t.insert("dim".into(), toml::Value::Integer(self.dim as i64));
        t.insert("metric".into(), text(&self.metric));
        for (name, value) in [
            ("ids", toml::Value::try_from(self.ids)),
            ("ids_json", toml::Value::try_from(self.ids_json)),
            ("partition", toml::Value::try_from(self.partition)),
        ] {
            t.insert(name.into(), value.unwrap_or(toml::Value::String(String::new())));
        }
        t.insert("buckets".into(), text(&self.buckets));
        t.insert("keyframe_interval".into(), toml::Value::Integer(i64::from(self.keyframe_interval)));
        t.insert("delta_tolerance".into(), toml::Value::Float(self.delta_tolerance));
        t
    }
}

/// The file as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    id: String,
    dim: usize,
    metric: String,
    ids: IdKind,
    ids_json: IdsJson,
    buckets: String,
    partition: Partition,
    keyframe_interval: u32,
    delta_tolerance: f64,
    /// Default values of options, which `cvx config set` writes.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    defaults: toml::Table,
}

/// What `cvx.toml` holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Names the dataset; random.
    pub id: DatasetId,
    /// What `init` fixed.
    pub settings: Settings,
    /// Default values of options for this dataset, by option name.
    pub defaults: toml::Table,
}

impl Config {
    /// Reads `cvx.toml` of the dataset in `dir`.
    pub fn read(dir: &Path) -> Result<Config> {
        let path = dir.join(FILE);
        match std::fs::metadata(&path) {
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(no_dataset(dir));
            }
            Err(e) => return Err(Error::io("open", &path, &e)),
        }
        let bytes = fsio::read_file(&path, MAX_LEN)?;
        let text = String::from_utf8(bytes).map_err(|_| Error::damaged(&path, "not UTF-8"))?;
        Config::parse(&text).map_err(|e| e.file(&path))
    }

    fn parse(text: &str) -> Result<Config> {
        let bad = |message: String, line: Option<u64>| {
            let e = Error::new(Code::Damaged, message).fix("put back what `cvx init` wrote there");
            match line {
                Some(n) => e.line(n),
                None => e,
            }
        };
        if let Ok(t) = text.parse::<toml::Table>()
            && let Some(n) = t.get("format").and_then(toml::Value::as_integer)
            && n > i64::from(FORMAT)
        {
            return Err(Error::new(
                Code::Version,
                format!("dataset format {n}, this program reads up to {FORMAT}"),
            )
            .fix("use a newer cvx"));
        }
        let f: File = toml::from_str(text).map_err(|e| {
            let line = e.span().map(|s| 1 + text[..s.start.min(text.len())].matches('\n').count() as u64);
            bad(e.message().to_owned(), line)
        })?;
        let id =
            unhex(&f.id).ok_or_else(|| bad("id is not 32 hexadecimal digits".into(), line_of(text, "id")))?;
        let metric = f
            .metric
            .parse()
            .map_err(|_| bad(format!("\"{}\" is not a metric", f.metric), line_of(text, "metric")))?;
        let settings = Settings {
            dim: f.dim,
            metric,
            ids: f.ids,
            ids_json: f.ids_json,
            buckets: f
                .buckets
                .parse()
                .map_err(|e: Error| bad(e.message().into(), line_of(text, "buckets")))?,
            partition: f.partition,
            keyframe_interval: f.keyframe_interval,
            delta_tolerance: f.delta_tolerance,
        };
        settings.check().map_err(|e| bad(e.message().into(), None))?;
        Ok(Config { id, settings, defaults: f.defaults })
    }

    /// Writes `cvx.toml`, atomically.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let mut t = TempFile::create(dir.join("tmp").join(FILE))?;
        t.write_all(self.render()?.as_bytes())?;
        t.publish(&dir.join(FILE), Publish::Replace)
    }

    fn render(&self) -> Result<String> {
        let s = &self.settings;
        let file = File {
            format: FORMAT,
            id: hex(&self.id),
            dim: s.dim,
            metric: s.metric.to_string(),
            ids: s.ids,
            ids_json: s.ids_json,
            buckets: s.buckets.to_string(),
            partition: s.partition,
            keyframe_interval: s.keyframe_interval,
            delta_tolerance: s.delta_tolerance,
            defaults: self.defaults.clone(),
        };
        let body = toml::to_string(&file).map_err(|e| Error::internal(format!("cvx.toml: {e}")))?;
        Ok(format!("# A cvx dataset. Written by `cvx init`; [defaults] by `cvx config set`.\n{body}"))
    }

    /// Fails unless the manifest says the same of what answers depend on.
    pub fn check_against(&self, m: &crate::manifest::Manifest, dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        let bytes = fsio::read_file(&path, MAX_LEN).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let s = &self.settings;
        let differs = |name: &str, here: String, there: String| {
            let e = Error::damaged(&path, format!("{name} is {here} here and {there} in the manifest"))
                .fix("put back the value of the manifest");
            Err(match line_of(&text, name) {
                Some(n) => e.line(n),
                None => e,
            })
        };
        if self.id != m.dataset {
            return differs("id", hex(&self.id), hex(&m.dataset));
        }
        if s.dim != m.dim as usize {
            return differs("dim", s.dim.to_string(), m.dim.to_string());
        }
        if metric_number(s.metric) != m.metric {
            return differs("metric", s.metric.to_string(), format!("number {}", m.metric));
        }
        if (s.ids == IdKind::String) != m.named {
            return differs(
                "ids",
                format!("{:?}", s.ids).to_lowercase(),
                if m.named { "string" } else { "u64" }.into(),
            );
        }
        Ok(())
    }
}

/// The error for a directory without a dataset.
pub fn no_dataset(dir: &Path) -> Error {
    Error::new(Code::NoDataset, "there is no dataset here")
        .file(dir)
        .fix("name one with -d DIR, or make one with `cvx init DIR ‹dim N›`")
}

/// The number of a metric in manifests and other files.
pub fn metric_number(m: Metric) -> u8 {
    match m {
        Metric::Cosine => 1,
        Metric::L2 => 2,
        Metric::Dot => 3,
    }
}

/// 1-based line of a key.
fn line_of(text: &str, key: &str) -> Option<u64> {
    text.lines().position(|l| l.split('=').next().is_some_and(|k| k.trim() == key)).map(|i| i as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Config {
        Config { id: [0xab; 16], settings: Settings::new(384), defaults: toml::Table::new() }
    }

    #[test]
    fn round_trip() {
        let mut c = sample();
        c.settings.buckets = Buckets::Fixed(8);
        c.settings.delta_tolerance = 1e-7;
        c.defaults.insert("format".into(), toml::Value::String("csv".into()));
        assert_eq!(Config::parse(&c.render().unwrap()).unwrap(), c);
    }

    #[test]
    fn errors_name_the_line() {
        let text = sample().render().unwrap();
        let e = Config::parse(&text.replace("metric = \"cosine\"", "metric = \"cosinus\"")).unwrap_err();
        assert_eq!((e.code(), e.place().line), (Code::Damaged, Some(5)));
        let e = Config::parse(&text.replace("dim = 384", "dmi = 384")).unwrap_err();
        assert_eq!(e.place().line, Some(4), "{e}");
        let e = Config::parse(&text.replace("format = 1", "format = 9")).unwrap_err();
        assert_eq!(e.code(), Code::Version);
    }

    #[test]
    fn differences_are_listed() {
        let (a, mut b) = (Settings::new(8), Settings::new(9));
        b.metric = Metric::L2;
        let d: Vec<String> = a.differences(&b).into_iter().map(|(n, ..)| n).collect();
        assert_eq!(d, ["dim", "metric"]);
        assert!(a.differences(&a).is_empty());
    }
}
