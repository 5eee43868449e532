//! The `cvx` program over the library's commands: console, output targets, signals, exit codes.
//!
//! One place maps outcomes to exit codes, catches panics, and settles what a closed pipe means.

mod cmd;
mod console;
mod context;
mod gate;
mod memory;
mod outputs;
mod printer;
mod progress;
mod report;
mod signals;

use cvx::cli::{self, Parsing};
use cvx::error::{Code, Error, Result};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let style = report::Style::guess(&args);
    report::silence_panics();
    match report::catch(|| run(&args)) {
        Ok(code) => code,
        Err(e) if e.code() == Code::Pipe => die_by_sigpipe(),
        Err(e) => {
            report::print(&e, style);
            ExitCode::from(e.exit_code())
        }
    }
}

fn run(args: &[OsString]) -> Result<ExitCode> {
    let parsed = match cli::parse(args)? {
        Parsing::Run(parsed) => parsed,
        Parsing::Show(help) => {
            help.print().map_err(|e| Error::io("write", Path::new("standard output"), &e))?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let context = context::Context::new(&parsed, args)?;
    if context.run.read_at.is_some() && parsed.cli.command.needs_newest() {
        return Err(Error::usage("this command works on the newest version only")
            .what("option --read-at")
            .fix("leave it out"));
    }
    signals::install()?;
    context.start_threads()?;
    match (cmd::run(&context, &parsed.cli.command), context.run.skip_if_locked) {
        (Err(e), Some(code)) if e.code() == Code::Locked => {
            context.console.note(&format!("skipped: {}", e.message()));
            Ok(ExitCode::from(code))
        }
        (result, _) => result.map(|()| ExitCode::SUCCESS),
    }
}

/// Ends as `head` expects of those it reads from. Rust ignores SIGPIPE, so it is raised by hand.
fn die_by_sigpipe() -> ExitCode {
    let signal = signal_hook::consts::SIGPIPE;
    match signal_hook::low_level::emulate_default_handler(signal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(Error::new(Code::Pipe, "").exit_code()),
    }
}
