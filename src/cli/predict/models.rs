//! The options of `cvx predict models`.

/// List the trained models; each is read and checked
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx predict models
  cvx predict models -f csv -o models.csv")]
pub struct Args {}
