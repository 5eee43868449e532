//! The options of `cvx init`.

use super::values::{Metrics, words};
use crate::config::{self, Buckets, Settings};
use crate::error::Result;
use crate::input::{IdKind as InputIds, InputOptions, dimension};
use clap::{ValueEnum, ValueHint};
use std::path::PathBuf;

/// Make an empty dataset in a directory
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx init news --dim 384 --ids string
  cvx init words --like emb/part-0.parquet
  cvx init prices --dim 1 --metric l2 --partition year --exist-ok")]
pub struct Args {
    /// The directory; without it that of -d
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Values a vector has, 1 to 4096
    #[arg(long, value_name = "N", required_unless_present = "like")]
    dim: Option<usize>,
    /// Take the number of values from the vectors of this file
    #[arg(long, value_name = "FILE", conflicts_with = "dim", value_hint = ValueHint::FilePath)]
    like: Option<PathBuf>,
    /// How far two vectors are apart, unless a query says otherwise
    #[arg(long, value_enum, default_value_t = Metrics::Cosine)]
    metric: Metrics,
    /// Entities are numbers, or names kept in a dictionary
    #[arg(long, value_enum, default_value_t = Ids::U64)]
    ids: Ids,
    /// Ranges of entities in the long-term files: auto, or a power of two
    #[arg(long, value_name = "auto|N", default_value = "auto", value_parser = buckets)]
    buckets: Buckets,
    /// Periods of time in the long-term files
    #[arg(long, value_enum, default_value_t = Periods::Month)]
    partition: Periods,
    /// A whole vector is stored at least every N points of an entity
    #[arg(long, value_name = "N", default_value_t = 16)]
    keyframe_interval: u32,
    /// Largest error of a stored value; 0 keeps every bit
    #[arg(long, value_name = "E", default_value_t = 0.0)]
    delta_tolerance: f64,
    /// Succeed if a dataset with the same settings is there
    #[arg(long)]
    pub exist_ok: bool,
}

/// `--ids`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    /// Whole numbers
    U64,
    /// Names
    String,
}

/// `--partition`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Periods {
    /// Days
    Day,
    /// ISO weeks
    Week,
    /// Calendar months
    Month,
    /// Calendar years
    Year,
    /// All times in one
    None,
}

fn buckets(text: &str) -> Result<Buckets, String> {
    text.parse().map_err(|e| words(&e))
}

impl Args {
    /// For the library.
    pub fn settings(&self, ids_json: config::IdsJson) -> Result<Settings> {
        let dim = match (&self.like, self.dim) {
            (Some(file), _) => dimension(file, &InputOptions::new(1, InputIds::U64))?,
            (None, dim) => dim.unwrap_or(0),
        };
        Ok(Settings {
            metric: self.metric.into(),
            ids: match self.ids {
                Ids::U64 => config::IdKind::U64,
                Ids::String => config::IdKind::String,
            },
            ids_json,
            buckets: self.buckets,
            partition: match self.partition {
                Periods::Day => config::Partition::Day,
                Periods::Week => config::Partition::Week,
                Periods::Month => config::Partition::Month,
                Periods::Year => config::Partition::Year,
                Periods::None => config::Partition::None,
            },
            keyframe_interval: self.keyframe_interval,
            delta_tolerance: self.delta_tolerance,
            ..Settings::new(dim)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn an_empty_command_line_is_the_library_defaults() {
        let args = Alone::parse_from(["cvx", "--dim", "8"]).args;
        assert_eq!(args.settings(config::IdsJson::Number).unwrap(), Settings::new(8));
    }
}
