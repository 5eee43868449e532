//! The options of `cvx schema`.

/// Show the fields of a command's rows, or the error codes
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx schema
  cvx schema config show
  cvx schema --errors -f csv")]
pub struct Args {
    /// The command, in its words; without it, all
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}
