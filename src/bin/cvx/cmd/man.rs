//! `cvx man`: one manual page a command.

use crate::cli::Cli;
use clap::{Command, CommandFactory, ValueHint};
use clap_mangen::Man;
use cvx::error::{Error, Result};
use cvx::fsio::{Publish, TempFile};
use std::path::{Path, PathBuf};

/// Write the manual, one page a command, into a directory
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx man ~/.local/share/man/man1")]
pub struct Args {
    /// The directory; made if it is not there
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    let dir = &args.dir;
    std::fs::create_dir_all(dir).map_err(|e| Error::io("create the directory", dir, &e))?;
    for (name, page) in pages()? {
        let mut temp = TempFile::create(dir.join(format!(".{name}.{}.tmp", std::process::id())))?;
        temp.write_all(&page)?;
        temp.publish(&dir.join(&name), Publish::Replace)?;
    }
    Ok(())
}

/// File name and text of every page. The same on every machine: no dates, no features.
pub fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    let mut root = Cli::command().disable_help_subcommand(true).long_version(None);
    root.build();
    let mut pages = Vec::new();
    collect(&root, &mut pages)?;
    Ok(pages)
}

fn collect(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page).map_err(|e| Error::io("write", Path::new(&man.get_filename()), &e))?;
    pages.push((man.get_filename(), page));
    command.get_subcommands().filter(|c| !c.is_hide_set()).try_for_each(|c| collect(c, pages))
}
