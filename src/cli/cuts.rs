//! Options that the analytics share: gaps, embedding models, scales, rows to show, conditions on
//! the outcome.

use crate::analytics::scales::Fill;
use crate::analytics::{Align, Cuts};
use crate::cli::values::{duration, words};
use crate::commands::each::{GridScale, Options, Order, Per};
use crate::filter::Condition;
use crate::time::Duration;
use clap::ValueEnum;

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

impl From<Aligns> for Align {
    fn from(a: Aligns) -> Align {
        match a {
            Aligns::Error => Align::Error,
            Aligns::Off => Align::Off,
        }
    }
}

impl CutArgs {
    /// For the library.
    pub fn cuts(&self) -> Cuts {
        Cuts { max_gap_us: self.max_gap.map(|d| d.mean_us()), align: self.align.into() }
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
    pub scale: Vec<GridScale>,
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

impl BatchArgs {
    /// For the library.
    pub fn options(&self) -> Options {
        Options {
            cuts: self.cuts.cuts(),
            scales: self.scale.clone(),
            fill: match self.scale_by {
                ScaleBy::Last => Fill::Last,
                ScaleBy::Mean => Fill::Mean,
            },
            order: if self.unordered { Order::Any } else { Order::Entity },
        }
    }
}

/// `--per`.
#[derive(clap::Args, Debug, Clone)]
pub struct PerArg {
    /// The unit of time of speeds and rates
    #[arg(long, value_name = "DUR", default_value = "1d", value_parser = per)]
    pub per: Per,
}

fn per(text: &str) -> Result<Per, String> {
    match duration(text)? {
        d if d.is_zero() => Err("a rate per no time has no meaning".to_string()),
        d => Ok(Per { text: text.to_string(), seconds: d.seconds() }),
    }
}

fn cell(text: &str) -> Result<GridScale, String> {
    match duration(text)? {
        d if d.is_zero() => Err("a cell of no time holds no point".to_string()),
        step => Ok(GridScale { text: text.trim().to_string(), step }),
    }
}

fn condition(text: &str) -> Result<Condition, String> {
    Condition::parse(text).map_err(|e| words(&e))
}
