//! The options of `cvx predict train`.

use super::basis::PointArgs;
use crate::cli::cuts::CutArgs;
use crate::commands::predict::train::Request;
use crate::error::Result;

/// Train a neural ODE on this dataset's trajectories
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "The model is kept in the dataset as the next version of its name. A fifth of the entities
(--val-share) decides when to stop, another fifth whether the model is useful: only one that beats
last, trend and ou there is ever chosen by `cvx predict`. Ctrl-C leaves a checkpoint; the same
command with --resume goes on from it and ends as if it had never stopped.

Training needs a build with the feature neural; predicting does not.

Examples:
  cvx predict train --name daily
  cvx predict train --name daily --resume
  cvx predict train --name small --dims pca:8 --hidden 32x2 --epochs 50"
)]
pub struct Args {
    /// Name of the model
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Dimensions of the state: that many principal components
    #[arg(long, value_name = "pca:N", default_value = "pca:16", value_parser = dims)]
    dims: usize,
    /// Hidden layers: width x number, or the widths with commas
    #[arg(long, value_name = "WxN", default_value = "64x2", value_parser = hidden)]
    hidden: Widths,
    /// Most epochs
    #[arg(long, value_name = "N", default_value_t = 200)]
    epochs: u32,
    /// Share of the entities that decides when to stop, and again of those that judge the model
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    val_share: f64,
    /// Epochs without a better loss on what is held out after which training ends
    #[arg(long, value_name = "N", default_value_t = 20)]
    patience: u32,
    /// Epochs between checkpoints
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    checkpoint_every: u32,
    /// Go on from the checkpoint of this name, if there is one
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    cuts: CutArgs,
    #[command(flatten)]
    points: PointArgs,
}

/// Widths of hidden layers.
#[derive(Debug, Clone, PartialEq)]
struct Widths(Vec<usize>);

impl Args {
    /// For the library.
    pub fn request(&self) -> Result<Request> {
        Ok(Request {
            name: self.name.clone(),
            selection: self.points.selection()?,
            components: self.dims,
            hidden: self.hidden.0.clone(),
            epochs: self.epochs,
            validation_share: self.val_share,
            patience: self.patience,
            checkpoint_every: self.checkpoint_every,
            resume: self.resume,
            cuts: self.cuts.cuts(),
        })
    }
}

fn dims(text: &str) -> Result<usize, String> {
    let number = text.strip_prefix("pca:").unwrap_or(text);
    match number.parse() {
        Ok(n) if (1..=256).contains(&n) => Ok(n),
        _ => Err("expected pca:N with N from 1 to 256".to_string()),
    }
}

fn hidden(text: &str) -> Result<Widths, String> {
    let wrong =
        || "expected a width and a number of layers such as 64x2, or widths such as 64,32".to_string();
    let number = |t: &str| t.parse::<usize>().map_err(|_| wrong());
    let widths = match text.split_once('x') {
        Some((width, layers)) => vec![number(width)?; number(layers)?.min(9)],
        None => text.split(',').map(number).collect::<Result<_, _>>()?,
    };
    match widths.len() {
        1..=8 if widths.iter().all(|w| (1..=4096).contains(w)) => Ok(Widths(widths)),
        _ => Err("expected 1 to 8 layers of 1 to 4096 units".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(hidden("64x2"), Ok(Widths(vec![64, 64])));
        assert_eq!(hidden("64,32"), Ok(Widths(vec![64, 32])));
        assert_eq!((dims("pca:8"), dims("16")), (Ok(8), Ok(16)));
        for wrong in ["", "x", "64x0", "0x2", "64x999999999", "64,", "5000"] {
            assert!(hidden(wrong).is_err(), "{wrong}");
        }
        assert!(dims("pca:0").is_err() && dims("umap:3").is_err());
    }
}
