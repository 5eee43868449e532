//! The options that the neighbour queries share.

use super::vectors::VectorArgs;
use crate::cli::select::SelectArgs;
use crate::cli::values::{Metrics, duration};
use crate::commands::query::neighbours::{Among, Ranking, Request};
use crate::error::Result;
use crate::query::Decay;
use crate::time::{Duration, TimeExpr};
use clap::ValueEnum;

/// Options of every neighbour query.
#[derive(clap::Args, Debug, Clone)]
pub struct NeighbourArgs {
    #[command(flatten)]
    pub vectors: VectorArgs,
    /// Neighbours wanted
    #[arg(short, value_name = "N", value_parser = neighbours, allow_hyphen_values = true)]
    pub k: Option<usize>,
    /// Distance; without it the dataset's
    #[arg(long, value_enum)]
    pub metric: Option<Metrics>,
    /// All points, or of each entity only the best
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = PerEntity::All)]
    pub per_entity: PerEntity,
    /// With --like: the entity itself may be its own neighbour
    #[arg(long)]
    pub include_self: bool,
    /// Show metadata
    #[arg(long)]
    pub meta: bool,
    /// Say on standard error what answering took, which way it went and why
    #[arg(long)]
    pub stats: bool,
    /// Scan every selected point; without it an index chooses candidates where there is one
    #[arg(long)]
    pub exact: bool,
    /// Candidates that a search of the index ranks exactly: more find more and take longer; with as many as a part of the
    /// index has points, all of them are compared
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub ef: Option<u32>,
    /// Share of the nearest that a search of the index is sized to find [usual: 0.97]; above 0.99 all points are compared
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["ef", "exact"], value_parser = share)]
    pub recall: Option<f64>,
    #[command(flatten)]
    pub ranking: RankingArgs,
    #[command(flatten)]
    pub select: SelectArgs,
}

impl NeighbourArgs {
    /// For the library; `vectors` says that rows show vectors.
    pub fn request(&self, among: Among, at: Option<TimeExpr>, vectors: bool) -> Result<Request> {
        Ok(Request {
            question: self.vectors.question()?,
            among,
            k: self.k,
            metric: self.metric.map(Into::into),
            best_per_entity: self.per_entity == PerEntity::Best,
            include_self: self.include_self,
            meta: self.meta,
            vectors,
            stats: self.stats,
            exact: self.exact,
            ef: self.ef.map(|ef| ef as usize),
            recall: self.recall,
            ranking: self.ranking.ranking(),
            at,
            selection: self.select.selection()?,
        })
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a share from 0 to 1, e.g. 0.99".to_string())
}

fn neighbours(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "expected a number of neighbours, e.g. 10".to_string())
}

/// `--per-entity`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerEntity {
    /// All points
    All,
    /// The nearest point of each entity
    Best,
}

/// The long help of `--alpha`: the formulas of `crate::query::Composite`.
const ALPHA: &str = "Weight A of the vectors' distance; the rest is the distance in time from --at

  distance = A * n + (1 - A) * d_time            with A = 1 the vectors' distance itself
  n        = d_vec / 2                           cosine: 0 to 1
           = d_vec / (d_vec + S)                 l2, S is --scale
           = 1 / (1 + exp(-d_vec / S))           dot, where d_vec is the negated product
  d_time   = 1 - 2^(-x)                          --decay exp
           = 1 - 2^(-x^2)                        --decay gauss
           = min(1, x / 2)                       --decay linear
  x        = |t - at| / half-life

Both parts lie between 0 and 1; at one half-life d_time is one half.";

/// Time in the ranking.
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "Time in the ranking")]
pub struct RankingArgs {
    /// Weight of the vectors' distance; the rest is the distance in time from --at
    #[arg(long, value_name = "0..1", default_value_t = 1.0, long_help = ALPHA)]
    pub alpha: f64,
    /// Time after which a point counts half; needed with --alpha below 1
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub half_life: Option<Duration>,
    /// How the weight of a point falls with its distance in time
    #[arg(long, value_enum, default_value_t = Decays::Exp)]
    pub decay: Decays,
    /// The distance that counts as one half; needed with --alpha below 1 and l2 or dot
    #[arg(long, value_name = "S")]
    pub scale: Option<f64>,
}

/// `--decay`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decays {
    /// Halves with every half-life
    Exp,
    /// A bell curve
    Gauss,
    /// A straight line
    Linear,
}

impl RankingArgs {
    fn ranking(&self) -> Option<Ranking> {
        (self.alpha != 1.0).then_some(Ranking {
            alpha: self.alpha,
            half_life: self.half_life,
            decay: match self.decay {
                Decays::Exp => Decay::Exp,
                Decays::Gauss => Decay::Gauss,
                Decays::Linear => Decay::Linear,
            },
            scale: self.scale,
        })
    }
}
