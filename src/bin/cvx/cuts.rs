//! Options that the analytics share: gaps, embedding models, scales, rows to show, conditions on
//! the outcome.

use crate::values::{duration, words};
use clap::ValueEnum;
use cvx::analytics::scales::{Fill, Grid};
use cvx::analytics::{Align, Cuts};
use cvx::batch::{Order, Scale};
use cvx::filter::Condition;
use cvx::time::{Duration, parse_duration};

/// Where trajectories are cut.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Analysis")]
pub struct CutArgs {
    /// A longer step in time is a gap that no result crosses
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub max_gap: Option<Duration>,
    /// Trajectories that span several embedding models
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Aligns::Error)]
    pub align: Aligns,
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
}

/// Which rows are shown, and what they decide.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Analysis")]
pub struct GateArgs {
    /// Leave out rows whose status is not ok
    #[arg(long)]
    pub ok_only: bool,
    /// End with 4 when a row satisfies EXPR, or count(EXPR) > N, or share(EXPR) > X
    #[arg(long, value_name = "EXPR", value_parser = condition)]
    pub fail_on: Option<Condition>,
}

/// What every analytic over trajectories takes.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Analysis")]
pub struct BatchArgs {
    #[command(flatten)]
    pub cuts: CutArgs,
    /// Put trajectories on calendar grids first, one value a cell (--scale-by); rows then name their scale
    #[arg(long, value_name = "DUR,..", value_delimiter = ',', value_parser = cell)]
    pub scale: Vec<Cell>,
    /// The value of a cell of --scale
    #[arg(long, value_enum, value_name = "VALUE", default_value_t = ScaleBy::Last)]
    pub scale_by: ScaleBy,
    #[command(flatten)]
    pub gate: GateArgs,
    /// Rows as they are ready, not in the order of entities
    #[arg(long)]
    pub unordered: bool,
}

/// `--scale-by`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScaleBy {
    /// The cell's last point
    #[default]
    Last,
    /// The mean of the cell's points: less noise where cells hold several
    Mean,
}

/// A value of `--scale`, kept as it was written for the rows that name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// As it was written.
    pub text: String,
    /// Its length.
    pub step: Duration,
}

impl BatchArgs {
    /// The grids to run on; without `--scale` the points as they are.
    pub fn scales(&self) -> Vec<Scale> {
        let grid = |c: &Cell| match c.step {
            Duration::Fixed(us) => Grid::Micros(us),
            Duration::Months(n) => Grid::Months(u32::try_from(n).unwrap_or(u32::MAX)),
        };
        match self.scale.is_empty() {
            true => vec![None],
            false => self.scale.iter().map(|c| Some(grid(c))).collect(),
        }
    }

    /// What a cell's value is made from.
    pub fn fill(&self) -> Fill {
        match self.scale_by {
            ScaleBy::Last => Fill::Last,
            ScaleBy::Mean => Fill::Mean,
        }
    }

    /// The name of a scale in rows.
    pub fn scale_name(&self, scale: usize) -> Option<String> {
        self.scale.get(scale).map(|c| c.text.clone())
    }

    /// In which order rows leave.
    pub fn order(&self) -> Order {
        if self.unordered { Order::Any } else { Order::Entity }
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

fn cell(text: &str) -> Result<Cell, String> {
    match duration(text)? {
        d if d.is_zero() => Err("a cell of no time holds no point".to_string()),
        step => Ok(Cell { text: text.trim().to_string(), step }),
    }
}

fn condition(text: &str) -> Result<Condition, String> {
    Condition::parse(text).map_err(|e| words(&e))
}
