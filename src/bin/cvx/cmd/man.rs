//! `cvx man`: one manual page a command.

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use cvx::cli::Cli;
use cvx::cli::man::Args;
use cvx::error::{Error, Result};
use cvx::fsio::{Publish, TempFile};
use std::path::Path;

/// What every page ends with.
const EXIT_STATUS: &str = ".SH \"EXIT STATUS\"
0 done; 1 failed; 2 wrong arguments; 3 done, but some rows or entities could not be processed; 4 a condition of
\\-\\-fail\\-on held, or verify found something repairable; 5 a named object does not exist; 10 no dataset here;
11 locked by another process; 12 written by a newer cvx; 13 damaged; 130, 143, 141 SIGINT, SIGTERM, closed pipe.
";

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let dir = &args.dir;
    cvx::fsio::refuse_inside_dataset(dir, "directory of manual pages")?;
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
    // The short help leaves out most global options; a manual leaves out none.
    let man = Man::new(command.clone().mut_args(|a| a.hide_short_help(false)));
    let mut page = Vec::new();
    man.render(&mut page).map_err(|e| Error::io("write", Path::new(&man.get_filename()), &e))?;
    let text = String::from_utf8_lossy(&page).replace(".SH EXTRA", ".SH EXAMPLES");
    let page = format!("{text}{EXIT_STATUS}").into_bytes();
    pages.push((man.get_filename(), page));
    command.get_subcommands().filter(|c| !c.is_hide_set()).try_for_each(|c| collect(c, pages))
}
