//! Errors on standard error: three lines for people, one JSON object for programs; and panics,
//! which become errors.

use cvx::cli::values::{Errors, Format};
use cvx::error::{Error, Result, Words};
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::io::Write;
use std::panic::{self, UnwindSafe};
use std::sync::{Mutex, OnceLock};

/// How errors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// What, where, fix.
    Text,
    /// One object.
    Json,
}

/// What config files say, once they are read.
static PREFERRED: OnceLock<Style> = OnceLock::new();

/// Sets the style from the settings of all layers.
pub fn prefer(errors: Option<Errors>, format: Option<Format>) {
    let style = match (errors, format) {
        (Some(Errors::Json), _) => Style::Json,
        (Some(_), _) => Style::Text,
        (None, Some(Format::Json | Format::Jsonl)) => Style::Json,
        (None, _) => Style::Text,
    };
    PREFERRED.get_or_init(|| style);
}

impl Style {
    /// The style before the command line is understood, since that may be what fails: `--errors`,
    /// else JSON when the format is asked to be.
    pub fn guess(args: &[OsString]) -> Style {
        let given = |long: &str, short: Option<&str>, env: &str| {
            option_value(args, long, short).or_else(|| std::env::var(env).ok())
        };
        match given("--errors", None, "CVX_ERRORS").as_deref() {
            Some("json") => Style::Json,
            Some("text") => Style::Text,
            _ => match given("--format", Some("-f"), "CVX_FORMAT").as_deref() {
                Some("json" | "jsonl") => Style::Json,
                _ => Style::Text,
            },
        }
    }
}

/// The value of an option in any of its spellings; the last one counts.
fn option_value(args: &[OsString], long: &str, short: Option<&str>) -> Option<String> {
    let args: Vec<_> = args.iter().map(|a| a.to_string_lossy()).take_while(|a| a != "--").collect();
    let mut found = None;
    for (i, arg) in args.iter().enumerate() {
        if arg == long || Some(arg.as_ref()) == short {
            found = args.get(i + 1).map(|v| v.to_string());
        } else if let Some(value) = arg.strip_prefix(long).and_then(|v| v.strip_prefix('=')) {
            found = Some(value.to_string());
        } else if let Some(value) = short.and_then(|s| arg.strip_prefix(s)) {
            found = Some(value.trim_start_matches('=').to_string());
        }
    }
    found
}

/// Writes an error, in `style` unless the settings have said more. A closed standard error is
/// nobody's problem.
pub fn print(e: &Error, style: Style) {
    let text = match PREFERRED.get().copied().unwrap_or(style) {
        Style::Text => text(e),
        Style::Json => format!("{}\n", json(e)),
    };
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn text(e: &Error) -> String {
    let words = |text: &str| printable(&Words::Options.write(text));
    let mut text = format!("error: {}\n", words(e.message()));
    if !e.place().is_empty() {
        text += &format!("  where: {}\n", words(&e.place().to_string()));
    }
    if let Some(hint) = e.hint() {
        text += &format!("  fix:   {}\n", words(hint));
    }
    text
}

/// Keeps bytes of input files from steering the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn json(e: &Error) -> Value {
    let place = e.place();
    let mut fields = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(key.to_string(), value);
        }
    };
    put("code", Some(e.code().as_str().into()));
    put("exit", Some(e.exit_code().into()));
    let words = |text: &str| Value::from(Words::Options.write(text).into_owned());
    put("message", Some(words(e.message())));
    put("file", place.file.as_ref().map(|p| p.to_string_lossy().into()));
    put("line", place.line.map(Value::from));
    put("row", place.row.map(Value::from));
    put("byte", place.byte.map(Value::from));
    put("column", place.column.as_deref().map(words));
    put("entity", place.entity.as_deref().map(Value::from));
    put("what", place.what.as_deref().map(words));
    put("hint", e.hint().map(words));
    let mut outer = Map::new();
    outer.insert("error".to_string(), Value::Object(fields));
    Value::Object(outer)
}

/// What the last panic said, for the error that it becomes.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps panics from printing; [`catch`] reports them.
pub fn silence_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|l| format!(" at {}:{}", l.file(), l.line())).unwrap_or_default();
        let text = info.payload_as_str().unwrap_or("panic");
        *PANIC.lock().unwrap_or_else(|e| e.into_inner()) = Some(format!("{text}{place}"));
    }));
}

/// Runs a command; a panic becomes an error that asks to be reported.
pub fn catch<T>(command: impl FnOnce() -> Result<T> + UnwindSafe) -> Result<T> {
    panic::catch_unwind(command).unwrap_or_else(|_| {
        let said = PANIC.lock().unwrap_or_else(|e| e.into_inner()).take();
        Err(Error::internal(said.unwrap_or_else(|| "panic".to_string())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cvx::error::Code;

    fn args(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn three_lines_or_one_object() {
        let e = Error::new(Code::DimMismatch, "vector has 512 values")
            .file("a\x1b.csv")
            .row(7)
            .column("v")
            .fix("f");
        assert_eq!(
            text(&e),
            "error: vector has 512 values\n  where: a\u{fffd}.csv, row 7, column \"v\"\n  fix:   f\n"
        );
        let v = json(&e);
        assert_eq!(v["error"]["code"], "dim_mismatch");
        assert_eq!(v["error"]["row"], 7);
        assert_eq!(v["error"]["exit"], e.exit_code());
        assert!(v["error"].get("line").is_none());
    }

    #[test]
    fn json_errors_follow_the_format() {
        assert_eq!(Style::guess(&args("cvx x --format=jsonl")), Style::Json);
        assert_eq!(Style::guess(&args("cvx x -fjson")), Style::Json);
        assert_eq!(Style::guess(&args("cvx x -f json --errors text")), Style::Text);
        assert_eq!(Style::guess(&args("cvx x -f csv")), Style::Text);
        assert_eq!(Style::guess(&args("cvx x -- -f json")), Style::Text);
    }

    #[test]
    fn a_panic_is_an_error_with_its_place() {
        let hook = panic::take_hook();
        silence_panics();
        let e = catch::<()>(|| panic!("broken {}", 1)).unwrap_err();
        panic::set_hook(hook);
        assert_eq!(e.code(), Code::Internal);
        assert!(e.message().starts_with("broken 1 at src/bin/cvx/report.rs:"), "{}", e.message());
        assert!(e.hint().is_some_and(|h| h.contains("report")));
    }
}
