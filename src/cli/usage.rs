//! Usage errors of the parser in the shape of all others.

use crate::error::{Code, Error};
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Letters of a wrong value that its message repeats.
const MAX_SHOWN: usize = 60;

/// A usage error of the parser as one of ours: its first paragraph is the message, its tips are
/// the hint.
pub fn usage(e: &clap::Error) -> Error {
    if e.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Error::new(Code::Usage, "a command is missing").fix("`cvx --help` lists the commands");
    }
    let text = e.render().to_string();
    let body = text.strip_prefix("error: ").unwrap_or(&text);
    let mut lines = body.lines().map(str::trim).take_while(|l| !l.starts_with("Usage:"));
    let first: Vec<&str> = lines.by_ref().take_while(|l| !l.is_empty()).collect();
    let (values, message): (Vec<&str>, Vec<&str>) =
        first.into_iter().partition(|l| l.starts_with("[possible values"));
    let tips = lines.filter_map(|l| l.strip_prefix("tip: ")).map(str::to_string);
    let values = values.iter().map(|v| v.trim_matches(['[', ']']).to_string());
    let mut hints: Vec<String> = tips.chain(values).collect();
    if hints.is_empty() {
        hints.push("`--help` after the command shows what it takes".to_string());
    }
    let mut message = message.join(" ");
    if let Some(ContextValue::String(value)) = e.get(ContextKind::InvalidValue)
        && value.chars().count() > MAX_SHOWN
    {
        let start: String = value.chars().take(MAX_SHOWN).collect();
        message = message.replace(value.as_str(), &format!("{start}…"));
    }
    let error = Error::new(Code::Usage, message).fix(hints.join("; "));
    match e.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(arg)) => error.what(format!("argument {arg}")),
        _ => error,
    }
}
