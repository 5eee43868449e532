//! The one error type: what happened, where, and how to mend it.
//!
//! Every failure a user can meet carries a stable [`Code`], from which the exit
//! status follows by one exhaustive match, a message, the [`Place`] it was found
//! at, and a hint. Nothing here prints; front ends render errors as text or JSON.
//!
//! Messages and hints name parameters of a request in marks, `‹time-unit year›`, and each front end writes
//! these in its own way: see [`Words`].

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal => $exit:literal),+ $(,)?) => {
        /// What went wrong, as a stable word that scripts may rely on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[doc = $doc])+ $variant),+ }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant),+];

            /// The stable word, e.g. `dim_mismatch`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text),+ }
            }

            /// The process exit status that goes with this code.
            pub fn exit(self) -> u8 {
                match self { $(Code::$variant => $exit),+ }
            }

            /// One line that says when the code is used.
            pub fn describe(self) -> &'static str {
                match self { $(Code::$variant => concat!($($doc),+).trim_ascii()),+ }
            }
        }
    };
}

codes! {
    /// an operation of the operating system failed
    Io = "io" => 1,
    /// an internal invariant does not hold: a bug in cvx
    Internal = "internal" => 1,
    /// the command cannot do what was asked, for a reason given in the message
    Failed = "failed" => 1,
    /// there is not enough space for the files that would be written
    NoSpace = "no_space" => 1,
    /// the directory to initialise is not empty, or holds a dataset with other settings
    Exists = "exists" => 1,
    /// the dataset cannot be written (permissions, read-only mount)
    ReadOnly = "read_only" => 1,
    /// an input file cannot be parsed at all
    BadFile = "bad_file" => 1,
    /// an input row cannot be parsed
    BadRow = "bad_row" => 1,
    /// a vector has another length than the dataset's dimension
    DimMismatch = "dim_mismatch" => 1,
    /// a vector holds NaN, an infinity, or a number beyond f32
    NotFinite = "not_finite" => 1,
    /// an entity id is missing or not of the dataset's kind
    BadEntity = "bad_entity" => 1,
    /// a timestamp is missing or cannot be read
    BadTime = "bad_time" => 1,
    /// a row's metadata is not a JSON object or exceeds the limits
    BadMetadata = "bad_metadata" => 1,
    /// (entity, timestamp) is already stored with other content
    Conflict = "conflict" => 1,
    /// an argument, an option's value, a config file or an expression is wrong
    Usage = "usage" => 2,
    /// finished, but some rows, entities or partitions could not be processed
    Partial = "partial" => 3,
    /// a condition of --fail-on held, or verify found something repairable
    Finding = "finding" => 4,
    /// a named entity, query, commit or other object does not exist
    NotFound = "not_found" => 5,
    /// the directory holds no dataset
    NoDataset = "no_dataset" => 10,
    /// another process holds the dataset's lock
    Locked = "locked" => 11,
    /// the dataset or file was written by a newer format than this program reads
    Version = "version" => 12,
    /// checksums or invariants of a stored file fail
    Damaged = "damaged" => 13,
    /// ended by SIGINT
    Interrupted = "interrupted" => 130,
    /// ended by SIGTERM
    Terminated = "terminated" => 143,
    /// the reader of the output has gone
    Pipe = "pipe" => 141,
}

/// Where an error was found. Every part is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The file (or `-` for standard input).
    pub file: Option<PathBuf>,
    /// 1-based line of a text file.
    pub line: Option<u64>,
    /// 1-based row of a binary or columnar file.
    pub row: Option<u64>,
    /// Byte offset in the file.
    pub byte: Option<u64>,
    /// Column or field name.
    pub column: Option<String>,
    /// Entity, as the user writes it.
    pub entity: Option<String>,
    /// Anything else, e.g. an option's name.
    pub what: Option<String>,
}

impl Place {
    /// True when nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Place::default()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sep = "";
        let mut part = |f: &mut fmt::Formatter<'_>, s: fmt::Arguments<'_>| {
            let r = write!(f, "{sep}{s}");
            sep = ", ";
            r
        };
        if let Some(p) = &self.file {
            part(f, format_args!("{}", p.display()))?;
        }
        if let Some(n) = self.line {
            part(f, format_args!("line {n}"))?;
        }
        if let Some(n) = self.row {
            part(f, format_args!("row {n}"))?;
        }
        if let Some(n) = self.byte {
            part(f, format_args!("byte {n}"))?;
        }
        if let Some(c) = &self.column {
            part(f, format_args!("column \"{c}\""))?;
        }
        if let Some(e) = &self.entity {
            part(f, format_args!("entity {e}"))?;
        }
        if let Some(w) = &self.what {
            part(f, format_args!("{w}"))?;
        }
        Ok(())
    }
}

/// How the parameters that stand in marks in messages, hints and notes are written: `‹name›` or `‹name VALUE›`,
/// with the name as the command line spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Words {
    /// As fields of a request: `time_unit year`.
    #[default]
    Fields,
    /// As options of the command line: `--time-unit year`.
    Options,
}

impl Words {
    /// The text with its parameters in these words.
    pub fn write(self, text: &str) -> Cow<'_, str> {
        if !text.contains('‹') {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len() + 8);
        let mut rest = text;
        while let Some((before, marked)) = rest.split_once('‹') {
            let Some((parameter, after)) = marked.split_once('›') else { break };
            out.push_str(before);
            let (name, value) = parameter.split_once(' ').map_or((parameter, None), |(n, v)| (n, Some(v)));
            match self {
                Words::Fields => out.push_str(&name.replace('-', "_")),
                Words::Options => out.extend(["--", name]),
            }
            out.extend(value.into_iter().flat_map(|v| [" ", v]));
            rest = after;
        }
        out.push_str(rest);
        Cow::Owned(out)
    }
}

#[derive(Debug)]
struct Inner {
    code: Code,
    message: String,
    place: Place,
    hint: Option<String>,
    source: Option<std::io::Error>,
}

/// An error: code, message, place and hint. Cheap to move.
#[derive(Debug)]
pub struct Error(Box<Inner>);

impl Error {
    /// A new error with a code and a message that says what happened.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            code,
            message: message.into(),
            place: Place::default(),
            hint: None,
            source: None,
        }))
    }

    /// A failed system operation on a path: `op` is a verb such as `write` or `fsync`.
    pub fn io(op: &str, path: &Path, source: &std::io::Error) -> Self {
        let code = match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::NoSpace,
            std::io::ErrorKind::ReadOnlyFilesystem => Code::ReadOnly,
            std::io::ErrorKind::BrokenPipe => Code::Pipe,
            _ => Code::Io,
        };
        let no_inodes = code == Code::NoSpace && inodes_are_out(path);
        let words =
            if no_inodes { "the file system has no inodes left".to_owned() } else { describe_os(source) };
        let mut e = Error::new(code, format!("cannot {op}: {words}")).file(path);
        e.0.source = Some(again(source));
        match code {
            _ if e.errno() == Some(rustix::io::Errno::FBIG.raw_os_error()) => {
                e.fix("raise the limit on the size of files (`ulimit -f`), or use a file system that allows larger ones")
            }
            Code::NoSpace if no_inodes => {
                e.fix("remove some files, or run `cvx compact ‹keep-for 0s›`, which removes those of old versions first")
            }
            Code::NoSpace => {
                e.fix("free some space and run the same command again; what was acknowledged is kept")
            }
            Code::ReadOnly => e.fix("mount it writable, or copy the dataset to a writable place"),
            _ => e,
        }
    }

    /// A stored file whose bytes are not what was written.
    pub fn damaged(path: &Path, message: impl Into<String>) -> Self {
        Error::new(Code::Damaged, message)
            .file(path)
            .fix("restore this file from a backup, or ingest its points again into a new dataset; `cvx verify ‹level full›` lists all damage")
    }

    /// A wrong argument, option or expression.
    pub fn usage(message: impl Into<String>) -> Self {
        Error::new(Code::Usage, message)
    }

    /// An invariant of the program that does not hold.
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(Code::Internal, message)
            .fix("this is a bug in cvx: please report it with the command line")
    }

    /// Adds the file.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.place.file = Some(path.into());
        self
    }

    /// Adds the 1-based line.
    #[must_use]
    pub fn line(mut self, n: u64) -> Self {
        self.0.place.line = Some(n);
        self
    }

    /// Adds the 1-based row.
    #[must_use]
    pub fn row(mut self, n: u64) -> Self {
        self.0.place.row = Some(n);
        self
    }

    /// Adds the byte offset.
    #[must_use]
    pub fn byte(mut self, n: u64) -> Self {
        self.0.place.byte = Some(n);
        self
    }

    /// Adds the column or field name.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.0.place.column = Some(name.into());
        self
    }

    /// Adds the entity, as the user writes it.
    #[must_use]
    pub fn entity(mut self, name: impl fmt::Display) -> Self {
        self.0.place.entity = Some(name.to_string());
        self
    }

    /// Adds the parameter of the request that is wrong, by its name on the command line.
    #[must_use]
    pub fn option(self, name: &str) -> Self {
        self.what(format!("option ‹{name}›"))
    }

    /// Adds any other place.
    #[must_use]
    pub fn what(mut self, what: impl Into<String>) -> Self {
        self.0.place.what = Some(what.into());
        self
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn fix(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The process exit status.
    pub fn exit_code(&self) -> u8 {
        self.0.code.exit()
    }

    /// What happened, one line, with parameters in marks; [`Words`] writes them.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// How to mend it, with parameters in marks; [`Words`] writes them.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Message and place in one text that keeps its marks, for a message of its own.
    pub fn marked(&self) -> String {
        match self.0.place.is_empty() {
            true => self.0.message.clone(),
            false => format!("{} ({})", self.0.message, self.0.place),
        }
    }

    /// The operating system's error number, when the cause was one.
    pub fn errno(&self) -> Option<i32> {
        self.0.source.as_ref().and_then(std::io::Error::raw_os_error)
    }
}

/// The same error once more: callers keep theirs.
fn again(e: &std::io::Error) -> std::io::Error {
    match e.raw_os_error() {
        Some(number) => std::io::Error::from_raw_os_error(number),
        None => std::io::Error::new(e.kind(), e.to_string()),
    }
}

/// True when the file system of a path, or of its directory, can hold no more files although it has room.
fn inodes_are_out(path: &Path) -> bool {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stat = rustix::fs::statvfs(path).or_else(|_| rustix::fs::statvfs(parent));
    stat.is_ok_and(|s| s.f_files > 0 && s.f_favail == 0 && s.f_bavail > 0)
}

/// The system's text for an error, without Rust's `(os error N)` tail.
fn describe_os(e: &std::io::Error) -> String {
    let text = e.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_lowercase(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Words::Fields.write(&self.marked()))
    }
}

impl std::error::Error for Error {
    /// The error of the operating system or of a reader, where one is the cause.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| e as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_words() {
        let mut seen = std::collections::BTreeSet::new();
        for c in Code::ALL {
            assert!(seen.insert(c.as_str()), "{} twice", c.as_str());
            assert!(!c.describe().is_empty());
            assert_ne!(c.exit(), 0);
        }
    }

    #[test]
    fn parameters_are_written_as_the_front_end_names_them() {
        let text = "add ‹time-unit year›, or leave out ‹lean›; 3 ‹ 4";
        assert_eq!(Words::Options.write(text), "add --time-unit year, or leave out --lean; 3 ‹ 4");
        assert_eq!(Words::Fields.write(text), "add time_unit year, or leave out lean; 3 ‹ 4");
        let e = Error::usage("a ‹per-entity best›").option("max-age");
        assert_eq!(e.to_string(), "a per_entity best (option max_age)");
    }

    #[test]
    fn a_limit_on_files_is_told_with_its_remedy() {
        let e = Error::io("write", Path::new("a/b"), &std::io::Error::from_raw_os_error(27));
        assert!(e.hint().is_some_and(|h| h.contains("ulimit -f")), "{e:?}");
    }

    #[test]
    fn io_errors_name_operation_and_path() {
        let e = Error::io("write", Path::new("a/b"), &std::io::Error::from_raw_os_error(28));
        assert_eq!(e.code(), Code::NoSpace);
        assert_eq!(e.to_string(), "cannot write: no space left on device (a/b)");
        assert_eq!(e.errno(), Some(28));
    }

    #[test]
    fn the_cause_is_at_hand_as_its_type() {
        use std::error::Error as _;
        let cause = |e: &Error| e.source().and_then(|s| s.downcast_ref::<std::io::Error>()).map(|e| e.kind());
        let e = Error::io("open", Path::new("a"), &std::io::Error::from_raw_os_error(2));
        assert_eq!(cause(&e), Some(std::io::ErrorKind::NotFound));
        let e = Error::io("write", Path::new("a"), &std::io::ErrorKind::WriteZero.into());
        assert_eq!((cause(&e), e.errno()), (Some(std::io::ErrorKind::WriteZero), None));
        assert!(Error::usage("no").source().is_none());
    }
}
