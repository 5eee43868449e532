//! The options of `cvx changepoints`.

use super::cuts::BatchArgs;
use super::select::SelectArgs;
use super::values::{probability, words};
use crate::analytics::changepoint::bocpd::{self, Arl};
use crate::analytics::changepoint::{Cost, Noise, Params, Penalty, Signal};
use crate::commands::changepoints::{Method as How, Request, saved};
use crate::error::{Error, Result};
use crate::rows::Sparks;
use clap::ValueEnum;

/// When the level of each trajectory jumped
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "A change is a jump of the level: noise, autocorrelation, a random walk or a straight
trend is none. `t` is the first point after a change and `t_before` the last before it.
Entities without a change have no row, except in --summary and with --best.

Each row says what its change is worth. t_low to t_high hold the first point after it with a
probability of 90 %. p_any_order asks whether the same points in any other order show as
large a change: believe it where points are independent between changes. p_wander asks
whether a level that walks or bends shows as sudden a change: where it is above 0.05 the
row has a warning, and --cost level leaves most such changes out.

  data                                      option
  embeddings of texts, by period or single  default: above 8 dimensions levels may wander
  the same, level still between events      --cost mean, or --best 1 and p_any_order
  sensors, counts: 1 to 8 dimensions        default; read the warning
  the same with seasons, curves, drift      --cost level, or rows with p_wander <= 0.05
  one question: did it change, and when     --best 1, both p-values and t_low to t_high
  single odd points                         --outliers

pelt looks back over whole trajectories and finds the best places. bocpd takes point after
point and says at once that something has changed (`detected_at`); with --state it goes on
where the last run stopped and reads only new points. It learns level, season and memory
of each stream and keeps its false alarms to one in --arl points; `kind` is level for a
change of level and outlier for a single far point.

Examples:
  cvx changepoints --entity user42
  cvx changepoints --summary --where \"lang = 'en'\" -f csv
  cvx changepoints --method bocpd --arl 365d --state daily --fail-on \"severity > 3\"
  cvx changepoints --save spring --in 2024-03..2024-05
  cvx changepoints --saved spring --entity user42"
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// Look back (pelt) or point after point (bocpd)
    #[arg(long, value_enum, value_name = "METHOD")]
    pub method: Option<Method>,
    /// What a stretch without a change looks like
    #[arg(long, value_enum, value_name = "COST", help_heading = "PELT")]
    pub cost: Option<Costs>,
    /// What a change has to be worth: auto, bic, aic, or a number in squared vector units
    #[arg(long, value_name = "P", value_parser = penalty, help_heading = "PELT")]
    pub penalty: Option<Penalty>,
    /// Chance of a false change in a trajectory without one, for --penalty auto [default: 0.05]
    #[arg(long, value_name = "P", value_parser = probability, help_heading = "PELT")]
    pub alpha: Option<f64>,
    /// Least number of points between changes [default: 5 in up to eight
    /// dimensions and for lines, 2 else]. A shorter stretch is no change; --outliers lists single points
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "PELT")]
    pub min_segment: Option<usize>,
    /// What is known of the noise: for means and lines
    #[arg(long, value_enum, value_name = "NOISE", help_heading = "PELT")]
    pub noise: Option<Noises>,
    /// What is searched
    #[arg(long, value_enum, value_name = "SIGNAL", help_heading = "PELT")]
    pub signal: Option<Signals>,
    /// The N best splits of every trajectory, each given the better ones, whether or not it is a
    /// change by default (`kind`): what each is worth stands in p_any_order and p_wander
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "PELT",
          conflicts_with_all = ["summary", "segments"])]
    pub best: Option<usize>,
    /// List single points far from their neighbours, too (`kind` outlier); about --alpha of the series
    /// with normal noise have one
    #[arg(long, help_heading = "PELT", conflicts_with_all = ["summary", "segments"])]
    pub outliers: bool,
    /// Largest number of draws for p_any_order and p_wander; 0 leaves them out [default: 99]
    #[arg(long, value_name = "N", help_heading = "PELT")]
    pub permutations: Option<usize>,
    /// A smaller automatic penalty: finds more, and more that is none
    #[arg(long, help_heading = "PELT")]
    pub sensitive: bool,
    /// Scale every vector to length 1 first
    #[arg(long)]
    pub normalize: bool,
    /// Dimensions to name [default: 10]
    #[arg(long, value_name = "N", help_heading = "PELT")]
    pub top: Option<usize>,
    /// How far apart false alarms are on average: a number of points, or a duration (365d for one a
    /// year) [default: 2000]
    #[arg(long, value_name = "N|DUR", value_parser = arl, help_heading = "BOCPD")]
    pub arl: Option<Arl>,
    /// Points before the first alarm [default: 100]
    #[arg(long, value_name = "N", value_parser = warmup, help_heading = "BOCPD")]
    pub warmup: Option<usize>,
    #[arg(long, hide = true)]
    pub expected_run: Option<String>,
    #[arg(long, hide = true)]
    pub features: Option<String>,
    #[arg(long, hide = true)]
    pub threshold: Option<String>,
    /// Keep each entity's state in the dataset under NAME and read only points that came since
    #[arg(long, value_name = "NAME", help_heading = "BOCPD")]
    pub state: Option<String>,
    /// One row an entity: how it was searched
    #[arg(long)]
    pub summary: bool,
    /// One row a stretch between changes
    #[arg(long, conflicts_with = "summary")]
    pub segments: bool,
    /// Store the changes in the dataset under NAME
    #[arg(long, value_name = "NAME", conflicts_with = "state")]
    pub save: Option<String>,
    /// Print the changes stored under NAME; without one list the names
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "",
          conflicts_with_all = ["save", "state", "summary", "segments", "method"])]
    pub saved: Option<String>,
    #[command(flatten)]
    pub batch: BatchArgs,
}

/// `--method`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The best segmentation of the whole trajectory (default)
    Pelt,
    /// Bayesian detection that looks at each point once
    Bocpd,
}

/// `--cost`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Costs {
    /// Lines or means up to eight dimensions, wandering levels above (default)
    Auto,
    /// A constant mean
    Mean,
    /// A straight line
    Line,
    /// A level that may wander, under noise that may remember
    Level,
}

/// `--noise`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noises {
    /// Independent from point to point
    Iid,
    /// Autocorrelated (default)
    Ar1,
}

/// `--signal`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signals {
    /// The vectors (default)
    Value,
    /// Steps over their time: changes of velocity
    Increment,
    /// Lengths of the vectors
    Norm,
}

impl Args {
    /// True for BOCPD, which --state asks for too.
    pub fn is_online(&self) -> bool {
        self.method == Some(Method::Bocpd) || (self.method.is_none() && self.state.is_some())
    }

    /// True when the dataset is to keep something of the run.
    pub fn stores(&self) -> bool {
        self.save.is_some() || self.state.is_some()
    }

    /// For the library, in a dataset of `dim` dimensions.
    pub fn request(&self, dim: usize, sparks: Option<Sparks>) -> Result<Request> {
        let method = match self.is_online() {
            true => How::Bocpd { params: self.bocpd(), normalize: self.normalize, state: self.state.clone() },
            false => {
                self.check_dim(dim)?;
                How::Pelt(self.pelt())
            }
        };
        Ok(Request {
            selection: self.select.selection()?,
            method,
            segments: self.segments,
            summary: self.summary,
            save: self.save.clone(),
            sparks,
            each: self.batch.options(),
        })
    }

    /// For the library: the changes that are stored under a name.
    pub fn saved(&self, name: &str) -> Result<saved::Request> {
        Ok(saved::Request { name: name.to_owned(), selection: self.select.selection()? })
    }

    /// Refuses options of the method that does not run.
    pub fn check(&self) -> Result<()> {
        let gone = [
            ("--expected-run", self.expected_run.is_some()),
            ("--features", self.features.is_some()),
            ("--threshold", self.threshold.is_some()),
        ];
        if let Some((name, _)) = gone.iter().find(|(_, given)| *given) {
            return Err(Error::usage(format!(
                "{name} is no longer an option: the detector calibrates itself"
            ))
            .what(format!("option {name}"))
            .fix("say how far apart false alarms may be, with --arl N|DUR"));
        }
        let online = [
            ("--arl", self.arl.is_some()),
            ("--warmup", self.warmup.is_some()),
            ("--state", self.state.is_some()),
        ];
        let back = [
            ("--cost", self.cost.is_some()),
            ("--penalty", self.penalty.is_some()),
            ("--alpha", self.alpha.is_some()),
            ("--min-segment", self.min_segment.is_some()),
            ("--noise", self.noise.is_some()),
            ("--signal", self.signal.is_some()),
            ("--sensitive", self.sensitive),
            ("--top", self.top.is_some()),
            ("--segments", self.segments),
            ("--best", self.best.is_some()),
            ("--outliers", self.outliers),
            ("--permutations", self.permutations.is_some()),
        ];
        let (foreign, other) = if self.is_online() { (&back[..], "pelt") } else { (&online[..], "bocpd") };
        match foreign.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Error::usage(format!("{name} belongs to --method {other}"))
                .what(format!("option {name}"))
                .fix(format!("add --method {other}, or leave it out"))),
            None if self.state.is_some() && !self.batch.scale.is_empty() => {
                Err(Error::usage("--state takes points as they come, and --scale needs whole cells")
                    .fix("leave one of the two out"))
            }
            None => self.check_effects(),
        }
    }

    /// Refuses options that others leave without an effect.
    fn check_effects(&self) -> Result<()> {
        let fixed = self.penalty.is_some_and(|p| p != Penalty::Auto);
        let hidden = (self.summary || self.segments) && self.save.is_none();
        let level = self.cost == Some(Costs::Level);
        let idle = [
            (
                "--alpha",
                self.alpha.is_some() && fixed,
                "sets the automatic penalty, and --penalty gives another",
            ),
            (
                "--alpha",
                self.alpha.is_some() && self.sensitive,
                "and --sensitive both set the automatic penalty",
            ),
            (
                "--sensitive",
                self.sensitive && fixed,
                "lowers the automatic penalty, and --penalty gives another",
            ),
            (
                "--noise",
                self.noise.is_some() && level,
                "has no effect with --cost level, which estimates the noise",
            ),
            ("--top", self.top.is_some() && hidden, "has no effect on --summary and --segments"),
            (
                "--permutations",
                self.permutations.is_some() && hidden,
                "has no effect on --summary and --segments",
            ),
        ];
        match idle.iter().find(|(_, given, _)| *given) {
            Some((name, _, why)) => Err(Error::usage(format!("{name} {why}"))
                .what(format!("option {name}"))
                .fix("leave one of the two out")),
            None => Ok(()),
        }
    }

    /// Refuses `--noise` where the dimension decides that it has no effect.
    pub fn check_dim(&self, dim: usize) -> Result<()> {
        if self.noise.is_none() || self.pelt().uses_noise(dim) {
            return Ok(());
        }
        Err(Error::usage(format!(
            "--noise has no effect on vectors of {dim} dimensions, whose noise is estimated by default"
        ))
        .what("option --noise")
        .fix("add --cost mean or --cost line, or leave --noise out"))
    }

    /// Parameters of PELT.
    pub fn pelt(&self) -> Params {
        let default = Params::default();
        Params {
            cost: match self.cost {
                Some(Costs::Mean) => Cost::Mean,
                Some(Costs::Line) => Cost::Line,
                Some(Costs::Level) => Cost::Level,
                Some(Costs::Auto) | None => default.cost,
            },
            penalty: self.penalty.unwrap_or(default.penalty),
            alpha: self.alpha.unwrap_or(default.alpha),
            sensitive: self.sensitive,
            min_segment: self.min_segment,
            noise: match self.noise {
                Some(Noises::Iid) => Noise::Iid,
                Some(Noises::Ar1) | None => default.noise,
            },
            signal: match self.signal {
                Some(Signals::Increment) => Signal::Increment,
                Some(Signals::Norm) => Signal::Norm,
                Some(Signals::Value) | None => default.signal,
            },
            normalize: self.normalize,
            top: self.top.unwrap_or(default.top),
            cuts: self.batch.cuts.cuts(),
            best: self.best,
            outliers: self.outliers,
            // Rows that nobody sees need no p-values.
            permutations: if (self.summary || self.segments) && self.save.is_none() {
                0
            } else {
                self.permutations.unwrap_or(default.permutations)
            },
        }
    }

    /// Parameters of BOCPD.
    pub fn bocpd(&self) -> bocpd::Params {
        let default = bocpd::Params::default();
        bocpd::Params { arl: self.arl.unwrap_or(default.arl), warmup: self.warmup.unwrap_or(default.warmup) }
    }
}

fn penalty(text: &str) -> Result<Penalty, String> {
    match text {
        "auto" => Ok(Penalty::Auto),
        "bic" => Ok(Penalty::Bic),
        "aic" => Ok(Penalty::Aic),
        number => match number.parse() {
            Ok(v) if f64::is_finite(v) && v >= 0.0 => Ok(Penalty::Value(v)),
            _ => Err("expected auto, bic, aic, or a number of at least 0".to_string()),
        },
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a number of points above 0".to_string())
}

/// Reads `--warmup`.
pub fn warmup(text: &str) -> Result<usize, String> {
    let least = bocpd::MIN_WARMUP;
    text.parse()
        .ok()
        .filter(|n| *n >= least)
        .ok_or_else(|| format!("expected a number of points of at least {least}"))
}

/// Reads `--arl`.
pub fn arl(text: &str) -> Result<Arl, String> {
    if let Ok(points) = text.parse::<f64>() {
        let fits = points.is_finite() && points >= 50.0;
        return if fits {
            Ok(Arl::Points(points))
        } else {
            Err("false alarms cannot be kept to one in fewer than 50 points".to_string())
        };
    }
    match crate::time::parse_duration(text) {
        Ok(d) if d.is_zero() => Err("expected a duration above 0".to_string()),
        Ok(d) => Ok(Arl::Seconds(d.seconds())),
        Err(e) => Err(format!("expected a number of points, or a duration: {}", words(&e))),
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

    fn parsed(line: &str) -> Args {
        Alone::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{e}")).args
    }

    #[test]
    fn an_empty_command_line_is_the_library_defaults() {
        let args = parsed("cvx");
        assert_eq!(args.pelt(), Params::default());
        assert_eq!(args.bocpd(), bocpd::Params::default());
        assert!(!args.is_online() && args.check().is_ok());
    }

    #[test]
    fn every_option_reaches_the_library() {
        let args = parsed(
            "cvx --cost mean --penalty 3.5 --alpha 0.1 --min-segment 4 --noise iid --signal norm \
             --sensitive --normalize --top 3",
        );
        let p = args.pelt();
        assert_eq!(
            (p.cost, p.penalty, p.alpha, p.min_segment),
            (Cost::Mean, Penalty::Value(3.5), 0.1, Some(4))
        );
        assert_eq!((p.noise, p.signal, p.sensitive), (Noise::Iid, Signal::Norm, true));
        assert_eq!((p.normalize, p.top), (true, 3));
        let args = parsed("cvx --state x --arl 1h --warmup 70");
        let expected = bocpd::Params { arl: Arl::Seconds(3600.0), warmup: 70 };
        assert!(args.is_online());
        assert_eq!(args.bocpd(), expected);
    }

    #[test]
    fn foreign_options_are_refused() {
        for line in [
            "cvx --warmup 70",
            "cvx --state s --threshold 0.9",
            "cvx --method bocpd --cost mean",
            "cvx --state s --segments",
        ] {
            assert!(parsed(line).check().is_err(), "{line}");
        }
        for line in [
            "cvx --penalty bic --alpha 0.1",
            "cvx --penalty 3 --sensitive",
            "cvx --alpha 0.1 --sensitive",
            "cvx --cost level --noise iid",
            "cvx --summary --top 3",
        ] {
            assert!(parsed(line).check().is_err(), "{line}");
        }
        let noise = parsed("cvx --noise iid");
        assert!(noise.check_dim(8).is_ok() && noise.check_dim(9).is_err());
        assert!(parsed("cvx --noise iid --cost mean").check_dim(384).is_ok());
        for line in ["cvx --penalty x", "cvx --alpha 1", "cvx --arl 1", "cvx --arl 0d", "cvx --warmup 12"] {
            assert!(Alone::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
