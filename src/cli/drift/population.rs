//! The options of `cvx drift population`.

use crate::analytics::population::{Adjust, Test};
use crate::cli::cuts::{Aligns, GateArgs};
use crate::cli::select::SelectArgs;
use crate::cli::values::{duration, probability};
use crate::commands::population::{Current, Reference, Request};
use crate::error::{Error, Result};
use crate::time::Duration;
use clap::ValueEnum;

/// Whether the points of a window, all together, differ from those of another
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Each test asks how often windows differ as much when their labels are exchanged, entity by
entity: an entity with points in both windows swaps its sides, with as many points of each, and
entities with points in one window change places. It needs about six entities or more; for one
entity use `cvx drift --entity ID` with periods. p_adjusted counts all rows of the run (--adjust);
drift says that it is at most --alpha. Rows that could not be tested end the run with exit status 3.

Examples:
  cvx drift population --ref 2023 --cur 2024
  cvx drift population --every 1w --by lang --fail-on drift=true
  cvx drift population --every 1d --adjust fdr --alpha 0.1
  cvx drift population --ref 2023 --baseline save prod
  cvx drift population --baseline use prod --cur now-7d.. --tests mmd,energy"
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// The reference window: a period or A..B; with --every also previous
    #[arg(long = "ref", value_name = "A..B", allow_hyphen_values = true)]
    reference: Option<String>,
    /// The window that is compared with it
    #[arg(long = "cur", value_name = "C..D", conflicts_with = "every", allow_hyphen_values = true)]
    current: Option<String>,
    /// Compare each cell of a calendar grid with the one before, or with --ref
    #[arg(long, value_name = "DUR", value_parser = duration)]
    every: Option<Duration>,
    /// Compare group by group, for each value of a metadata key
    #[arg(long, value_name = "META_KEY")]
    by: Option<String>,
    /// The tests
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TESTS",
          default_values_t = [Tests::Mmd, Tests::Centroid, Tests::Norm])]
    tests: Vec<Tests>,
    /// Random relabellings of a test at most, 0 for statistics alone [default: what --alpha needs for
    /// the rows of the run, with a bound on the work]
    #[arg(long, value_name = "N")]
    permutations: Option<usize>,
    /// Points of a window and group at most; more are sampled
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = two_or_more)]
    max_points: usize,
    /// Level of the run: the chance of any false alarm, or their expected share with --adjust fdr
    #[arg(long, value_name = "P", default_value_t = 0.05, value_parser = probability)]
    alpha: f64,
    /// How p-values are adjusted for the rows of the run
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Adjusts::Holm)]
    adjust: Adjusts,
    /// Dimensions to name
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Store the sample of --ref under NAME, or use one that was stored instead of --ref
    #[arg(long, num_args = 2, value_names = ["save|use", "NAME"])]
    baseline: Vec<String>,
    /// Windows that hold points of several embedding models: error compares the model of most points of
    /// each window, leaves others out and counts them, and refuses windows of different models
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Aligns::Error)]
    align: Aligns,
    #[command(flatten)]
    pub gate: GateArgs,
}

/// `--tests`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Tests {
    /// Maximum mean discrepancy: sees any change
    Mmd,
    /// Distance of the means
    Centroid,
    /// Energy distance
    Energy,
    /// How well a classifier tells the windows apart
    Classifier,
    /// Mean and spread of the lengths
    Norm,
}

/// `--adjust`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Adjusts {
    /// Holm: the chance of any false alarm in the run
    Holm,
    /// Benjamini and Hochberg: the share of false alarms among the alarms
    Fdr,
    /// Each row by itself
    None,
}

impl From<Adjusts> for Adjust {
    fn from(a: Adjusts) -> Adjust {
        match a {
            Adjusts::Holm => Adjust::Holm,
            Adjusts::Fdr => Adjust::Fdr,
            Adjusts::None => Adjust::None,
        }
    }
}

impl From<Tests> for Test {
    fn from(t: Tests) -> Test {
        match t {
            Tests::Mmd => Test::Mmd,
            Tests::Centroid => Test::Centroid,
            Tests::Energy => Test::Energy,
            Tests::Classifier => Test::Classifier,
            Tests::Norm => Test::Norm,
        }
    }
}

fn two_or_more(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| *n >= 2)
        .ok_or_else(|| "expected a number of points of at least 2".to_string())
}

/// `--baseline`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept<'a> {
    No,
    Save(&'a str),
    Use(&'a str),
}

impl Args {
    /// True when the dataset is to keep something of the run.
    pub fn stores(&self) -> bool {
        self.baseline.first().is_some_and(|word| word == "save")
    }

    /// For the library.
    pub fn request(&self) -> Result<Request> {
        let kept = self.kept()?;
        let mut tests: Vec<Test> = Vec::new();
        for test in self.tests.iter().map(|t| Test::from(*t)) {
            if !tests.contains(&test) {
                tests.push(test);
            }
        }
        Ok(Request {
            selection: self.select.selection()?,
            reference: match (kept, self.reference.as_deref()) {
                (Kept::Use(name), _) => Reference::Baseline(name.to_owned()),
                (_, None | Some("previous")) => Reference::Previous,
                (_, Some(text)) => Reference::Window(text.to_owned()),
            },
            current: match (&self.current, self.every) {
                (Some(text), _) => Current::Window(text.clone()),
                (None, Some(step)) => Current::Every(step),
                (None, None) => Current::None,
            },
            by: self.by.clone(),
            tests,
            permutations: self.permutations,
            max_points: self.max_points,
            alpha: self.alpha,
            adjust: self.adjust.into(),
            top: self.top,
            save: match kept {
                Kept::Save(name) => Some(name.to_owned()),
                Kept::No | Kept::Use(_) => None,
            },
            align: self.align.into(),
        })
    }

    fn kept(&self) -> Result<Kept<'_>> {
        let kept = match self.baseline.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => Kept::No,
            ["save", name] => Kept::Save(name),
            ["use", name] => Kept::Use(name),
            _ => {
                return Err(Error::usage("--baseline takes `save NAME` or `use NAME`"));
            }
        };
        let previous = self.reference.as_deref() == Some("previous");
        let wrong = match (kept, &self.reference) {
            (Kept::Use(_), Some(_)) => Some("a stored baseline takes the place of --ref"),
            (Kept::Save(_), None) => Some("what is saved is the sample of --ref"),
            (Kept::Save(_), _) if previous => Some("a baseline is one window, not the previous one of each"),
            (Kept::No, Some(_)) if previous && self.every.is_none() => Some("previous needs --every"),
            (Kept::No, None) if self.every.is_none() => Some("a reference is missing: --ref A..B"),
            _ if matches!(kept, Kept::Save(_)) => None,
            _ if self.current.is_none() && self.every.is_none() => {
                Some("a current window is missing: --cur C..D, or --every DUR")
            }
            _ => None,
        };
        match wrong {
            Some(text) => Err(Error::usage(text).fix("`cvx drift population --help` has examples")),
            None => Ok(kept),
        }
    }
}
