//! CSV and TSV with a header, RFC 4180: quoted fields may hold separators, line ends and
//! doubled quotes.
//!
//! Where quoting is broken (text behind a closing quote, no closing quote before the record
//! limit) the first line of the record is bad and reading goes on with the next line, so that
//! one stray quote cannot swallow what follows. Cells of other columns keep their text if it
//! is a JSON number, true or false, are left out when empty, and are strings otherwise.

use super::columns::{Columns, VectorColumns};
use super::derived::{Derived, From, derive};
use super::meta::{self, Entry};
use super::numbers::{cell, list};
use super::options::InputOptions;
use super::origin::origin_of;
use super::reader::BadSink;
use super::reader::Checkpoint;
use super::reader::Limits;
use super::reader::{Opened, RowReader, Spec};
use super::rows::InputRows;
use super::rows::{Fault, Row};
use super::text::text_blocks;
use super::text::{Grammar, Split, TextReader, check_text, too_long, trim_line};
use super::value::{finish, set_entity, time_from_text};
use super::{dimension, nested};
use crate::error::{Code, Error, Result};
use crate::points::Origin;
use std::borrow::Cow;
use std::path::Path;

pub(super) const CSV: Spec = Spec {
    name: "csv",
    endings: &["csv"],
    is_text: true,
    open: |path, options, from| open(path, options, b',', from),
    dimension: |path, options| dimension::of_table(path, options, b','),
};

pub(super) const TSV: Spec = Spec {
    name: "tsv",
    endings: &["tsv", "tab"],
    is_text: true,
    open: |path, options, from| open(path, options, b'\t', from),
    dimension: |path, options| dimension::of_table(path, options, b'\t'),
};

fn open(
    path: &Path,
    options: &InputOptions,
    delimiter: u8,
    from: Option<&Checkpoint>,
) -> crate::Result<Opened> {
    let dialect = Dialect { delimiter, max_line: options.max_line };
    let (mut blocks, _) = text_blocks(path, options, None)?;
    let Some(header) = blocks.first_record(&|text, last| dialect.split(text, last))? else {
        return Ok(Opened { rows: Box::new(Empty), resumed: false });
    };
    let grammar = Csv::new(&header, dialect, options, path)?;
    let mut rows = 0;
    if from.is_some()
        && let (there, Some(checkpoint)) = text_blocks(path, options, from)?
    {
        (blocks, rows) = (there, checkpoint.rows);
    }
    let reader = TextReader::new(blocks, grammar, origin_of(path, options), options, rows);
    Ok(Opened { rows: Box::new(reader), resumed: rows > 0 })
}

/// A file without a header, which is an empty one.
pub(super) struct Empty;

impl RowReader for Empty {
    fn next_batch(&mut self, _: &mut InputRows, _: Limits, _: &mut BadSink<'_>) -> crate::Result<bool> {
        Ok(false)
    }

    fn checkpoint(&mut self) -> Checkpoint {
        Checkpoint::default()
    }
}

/// How records are cut: all that is known before the header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub delimiter: u8,
    pub max_line: usize,
}

/// A field's bytes without its quotes; `doubled`: quotes inside stand twice.
#[derive(Debug, Clone, Copy)]
struct Cell {
    start: usize,
    end: usize,
    doubled: bool,
}

/// What became of a record.
enum Walk {
    /// It has so many bytes.
    Whole(usize),
    /// A quote opens at this place and does not close.
    Open(usize),
    /// Something stands behind the closing quote at this place.
    Behind(usize),
}

impl Dialect {
    /// Walks the fields of the record at the front. `last`: nothing follows the text.
    fn walk(&self, text: &[u8], last: bool, mut field: impl FnMut(Cell)) -> Walk {
        let mut at = 0;
        loop {
            let next = if text.get(at) == Some(&b'"') {
                let (end, doubled) = match closing_quote(text, at + 1, last) {
                    Some(found) => found,
                    None => return Walk::Open(at),
                };
                field(Cell { start: at + 1, end, doubled });
                end + 1
            } else {
                let rest = &text[at..];
                let len = memchr::memchr2(self.delimiter, b'\n', rest).unwrap_or(rest.len());
                let cr = rest.get(len) != Some(&self.delimiter) && rest[..len].ends_with(b"\r");
                field(Cell { start: at, end: at + len - usize::from(cr), doubled: false });
                at + len
            };
            match text.get(next..).unwrap_or_default() {
                [b'\n', ..] => return Walk::Whole(next + 1),
                [b'\r', b'\n', ..] => return Walk::Whole(next + 2),
                [] | [b'\r'] => return Walk::Whole(text.len()),
                [b, ..] if *b == self.delimiter => at = next + 1,
                _ => return Walk::Behind(next),
            }
        }
    }

    fn name(&self) -> &'static str {
        if self.delimiter == b'\t' { "tab" } else { "comma" }
    }
}

/// The quote that closes a field opened before `from`, and whether doubled ones stand before
/// it. One at the end of the text may be the first half of a doubled one unless `last`.
fn closing_quote(text: &[u8], mut from: usize, last: bool) -> Option<(usize, bool)> {
    let mut doubled = false;
    loop {
        let at = from + memchr::memchr(b'"', &text[from..])?;
        match text.get(at + 1) {
            Some(b'"') => (doubled, from) = (true, at + 2),
            None if !last => return None,
            _ => return Some((at, doubled)),
        }
    }
}

/// True when a carriage return stands outside of quotes.
fn ends_lines_in_cr(record: &[u8]) -> bool {
    let mut quoted = false;
    record.iter().any(|b| {
        quoted ^= *b == b'"';
        *b == b'\r' && !quoted
    })
}

/// The fault of lines that end as on the Macintosh before 2001.
fn bare_cr() -> Fault {
    Fault::new(Code::BadRow, "a carriage return stands where no line ends").fix(
        "if the lines end in CR alone, convert them: tr '\\r' '\\n' < FILE; inside a field it goes in quotes",
    )
}

impl Dialect {
    /// The error of a header with less than an entity, a time and a vector.
    fn too_few(&self, header: &[String]) -> Error {
        let columns = if header.len() == 1 { "1 column" } else { "2 columns" };
        let separated = |by: char| header.iter().any(|h| h.matches(by).count() >= 2);
        let hint = if self.delimiter == b',' && separated('\t') {
            "its fields are separated by tabs: add ‹input-format tsv›".to_owned()
        } else if let Some((sign, name)) =
            [(';', "semicolons"), ('|', "bars")].iter().find(|s| separated(s.0))
        {
            format!(
                "its fields are separated by {name}: convert it, e.g. with `mlr --icsv --ifs '{sign}' --ocsv cat FILE`"
            )
        } else {
            format!("the first line names the columns, {}-separated: entity, time and vector", self.name())
        };
        Error::new(Code::BadFile, format!("the header has {columns}")).fix(hint)
    }

    pub(super) fn split(&self, text: &[u8], last: bool) -> Split {
        let line = match memchr::memchr(b'\n', text) {
            Some(n) => n + 1,
            None if text.len() > self.max_line => return Split::TooLong,
            None if last => text.len(),
            None => return Split::More,
        };
        if line > self.max_line + 1 {
            return Split::Malformed(line, too_long(self.max_line));
        }
        if memchr::memchr(b'"', &text[..line]).is_none() {
            return Split::Record(line);
        }
        let bounded = &text[..text.len().min(self.max_line)];
        let all = bounded.len() == text.len();
        match self.walk(bounded, last && all, |_| ()) {
            Walk::Whole(len) if len < bounded.len() || (last && all) => Split::Record(len),
            Walk::Whole(len) if bounded.get(len.wrapping_sub(1)) == Some(&b'\n') => Split::Record(len),
            Walk::Behind(at) => Split::Malformed(
                line,
                Fault::new(Code::BadRow, "a quote closes before the end of its field")
                    .fix("is a quote before it not closed? inside a quoted field quotes are doubled")
                    .at(at.min(line - 1)),
            ),
            Walk::Open(at) if last || !all => Split::Malformed(
                line,
                Fault::new(Code::BadRow, "a quote is not closed")
                    .fix("close it; inside a quoted field quotes are doubled")
                    .at(at.min(line - 1)),
            ),
            _ if !all => Split::Malformed(line, too_long(self.max_line)),
            _ => Split::More,
        }
    }
}

/// The grammar of a file whose header is known.
pub(super) struct Csv {
    dialect: Dialect,
    /// The file's columns, and behind them the derived ones.
    header: Vec<String>,
    derived: Vec<Derived>,
    columns: Columns,
    options: InputOptions,
}

impl Csv {
    /// Reads the header, the file's first record.
    pub(super) fn new(record: &[u8], dialect: Dialect, options: &InputOptions, path: &Path) -> Result<Csv> {
        let text = check_text(trim_line(record)).map_err(|f| f.in_text(path, 1, 0, record).into_error())?;
        let mut header = Vec::new();
        dialect.walk(text.as_bytes(), true, |c| header.push(unquote(text, c).trim().to_owned()));
        if ends_lines_in_cr(trim_line(record)) {
            return Err(bare_cr().in_text(path, 1, 0, b"").into_error());
        }
        if header.len() < 3 {
            return Err(dialect.too_few(&header).file(path).line(1));
        }
        let derived = derive(&header, options, path);
        header.extend(derived.iter().map(|d| d.name.clone()));
        let columns = Columns::find(&header, options, path)?;
        Ok(Csv { dialect, header, derived, columns, options: options.clone() })
    }

    /// Fields of a record.
    fn width(&self) -> usize {
        self.header.len() - self.derived.len()
    }

    fn row(&self, text: &str, row: &mut Row, origin: &mut Origin) -> Result<(), Fault> {
        let mut cells = Vec::with_capacity(self.width());
        self.dialect.walk(text.as_bytes(), true, |c| cells.push(c));
        if cells.len() != self.width() {
            return Err(self.other_count(text, cells.len()));
        }
        if memchr::memchr(b'\r', text.as_bytes()).is_some() {
            let bare = |c: &Cell| {
                c.start.checked_sub(1).is_none_or(|q| text.as_bytes()[q] != b'"')
                    && text.as_bytes()[c.start..c.end].contains(&b'\r')
            };
            if let Some(cell) = cells.iter().find(|c| bare(c)) {
                return Err(bare_cr().at(cell.start));
            }
        }
        let record = Record { header: &self.header, derived: &self.derived, text, cells };
        let c = &self.columns;
        let entity = record.get(c.entity);
        // A name is what stands there; blanks around a number are not part of it.
        let id = if self.options.ids == super::options::IdKind::Name { &*entity } else { entity.trim() };
        set_entity(id, self.options.ids, row).map_err(|f| record.place(c.entity, f))?;
        row.t = time_from_text(&record.get(c.t), self.options.time_unit).map_err(|f| record.place(c.t, f))?;
        match &c.vector {
            VectorColumns::List(i) => list(record.get(*i).as_bytes(), self.options.dim, &mut row.vector)
                .map_err(|f| record.place(*i, f))?,
            VectorColumns::Each(columns) => {
                row.vector.clear();
                for (ordinal, &i) in columns.iter().enumerate() {
                    let value =
                        cell(record.get(i).as_bytes(), ordinal + 1).map_err(|f| record.place(i, f))?;
                    row.vector.push(value);
                }
            }
        }
        for (column, slot) in [(c.source, &mut origin.source), (c.model, &mut origin.model)] {
            if let Some(i) = column {
                slot.clear();
                slot.push_str(&record.get(i));
            }
        }
        self.metadata(&record, row)
    }

    /// The fault of a record with more or fewer fields than the header.
    fn other_count(&self, text: &str, fields: usize) -> Fault {
        let message = format!("the record has {fields} fields, the header has {}", self.width());
        let delimiter = char::from(self.dialect.delimiter);
        let blank = text.contains(&format!("{delimiter} \""));
        Fault::new(Code::BadRow, message).fix(if blank {
            "a blank stands before a quote: a quoted field begins right behind the separator"
        } else if fields < self.width() {
            "is the line cut, or a separator missing? an empty field needs its separator too"
        } else {
            "quote fields that hold separators"
        })
    }

    fn metadata(&self, record: &Record<'_>, row: &mut Row) -> Result<(), Fault> {
        let column = self.columns.meta;
        let held = column.map(|i| record.left(i));
        let mut entries: Vec<Entry<'_>> = match (column, &held) {
            (Some(i), Some(text)) => meta::entries(text).map_err(|f| record.place(i, f))?,
            _ => Vec::new(),
        };
        for &i in &self.columns.others {
            let value = record.left(i);
            if !value.is_empty() {
                entries.push((Cow::Borrowed(&self.header[i]), typed(value)));
            }
        }
        finish(row, entries, &self.options).map_err(|f| match column {
            Some(i) => record.place(i, f),
            None => f,
        })
    }
}

impl Grammar for Csv {
    fn split(&self, text: &[u8], last: bool) -> Split {
        self.dialect.split(text, last)
    }

    fn parse(&self, record: &[u8], row: &mut Row, origin: &mut Origin) -> Option<Result<(), Fault>> {
        let record = trim_line(record);
        if record.trim_ascii().is_empty() {
            return None;
        }
        Some(check_text(record).and_then(|text| self.row(text, row, origin)))
    }

    /// Without its line end the last field may have been cut, unless a quote closes it.
    fn may_be_cut(&self, record: &[u8]) -> bool {
        !record.ends_with(b"\n") && !record.ends_with(b"\"")
    }
}

/// A record and where its fields lie.
struct Record<'a> {
    header: &'a [String],
    derived: &'a [Derived],
    text: &'a str,
    cells: Vec<Cell>,
}

impl<'a> Record<'a> {
    /// The text of a column.
    fn get(&self, i: usize) -> Cow<'a, str> {
        if let Some(cell) = self.cells.get(i) {
            return unquote(self.text, *cell);
        }
        match self.derived.get(i - self.cells.len()).map(|d| &d.from) {
            Some(From::Text(text)) => Cow::Borrowed(text),
            Some(From::Field { root, path }) => {
                let found =
                    nested::find(&self.get(*root), path).map(|json| nested::as_cell(json).into_owned());
                Cow::Owned(found.unwrap_or_default())
            }
            None => Cow::Borrowed(""),
        }
    }

    /// The text of a column without the fields that are parts of the point.
    fn left(&self, i: usize) -> Cow<'a, str> {
        let mut text = self.get(i);
        for column in self.derived.iter().filter(|d| d.taken) {
            if let From::Field { root, path } = &column.from
                && *root == i
                && let Some(left) = nested::without(&text, path)
            {
                text = Cow::Owned(left);
            }
        }
        text
    }

    /// A fault in a field, with its column and its place in the record.
    fn place(&self, i: usize, fault: Fault) -> Fault {
        let start = self.cells.get(i).map_or(0, |c| c.start);
        let within = fault.at.unwrap_or(0);
        fault.column(self.header.get(i).map_or("", |h| h)).at(start + within)
    }
}

/// A cell as JSON: a number, true or false as it stands, else a string.
fn typed(cell: Cow<'_, str>) -> Cow<'_, str> {
    let number = cell.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && serde_json::from_str::<serde_json::Number>(&cell).is_ok();
    if number || cell == "true" || cell == "false" {
        return cell;
    }
    let mut json = String::with_capacity(cell.len() + 2);
    meta::write_text(&cell, &mut json);
    Cow::Owned(json)
}

/// A field's text.
fn unquote(text: &str, cell: Cell) -> Cow<'_, str> {
    let inner = text.get(cell.start..cell.end).unwrap_or_default();
    if cell.doubled { Cow::Owned(inner.replace("\"\"", "\"")) } else { Cow::Borrowed(inner) }
}
