//! Options that the analytics share: gaps, embedding models, rows to show, the unit of time.

use crate::values::duration;
use clap::ValueEnum;
use cvx::analytics::{Align, Cuts, Status};
use cvx::time::{Duration, parse_duration};

/// Where trajectories are cut, and which rows are shown.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct CutArgs {
    /// A longer step in time is a gap that no result crosses
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub max_gap: Option<Duration>,
    /// Trajectories that span several embedding models
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Aligns::Error)]
    pub align: Aligns,
    /// Leave out rows whose status is not ok
    #[arg(long)]
    pub ok_only: bool,
}

/// `--align`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aligns {
    /// Their rows get the status model_break
    #[default]
    Error,
    /// All models are taken for one space
    Off,
}

impl CutArgs {
    /// For the library.
    pub fn cuts(&self) -> Cuts {
        Cuts {
            max_gap_us: self.max_gap.map(|d| d.mean_us()),
            align: match self.align {
                Aligns::Error => Align::Error,
                Aligns::Off => Align::Off,
            },
        }
    }

    /// True when a row of this status is shown.
    pub fn shows(&self, status: &str) -> bool {
        !self.ok_only || status == Status::Ok.as_str()
    }
}

/// `--per`, kept as it was written for the rows that name it.
#[derive(clap::Args, Debug, Clone)]
pub struct PerArg {
    /// The unit of time of speeds and rates
    #[arg(long = "per", value_name = "DUR", default_value = "1d", value_parser = checked)]
    pub text: String,
}

impl PerArg {
    /// Its length.
    pub fn seconds(&self) -> f64 {
        // The parser has read it before.
        parse_duration(&self.text).map_or(f64::NAN, |d| d.seconds())
    }
}

fn checked(text: &str) -> Result<String, String> {
    match duration(text)? {
        d if d.is_zero() => Err("a rate per no time has no meaning".to_string()),
        _ => Ok(text.to_string()),
    }
}
