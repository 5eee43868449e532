//! Tables for reading: fitted to the width of the terminal, never wrapped.
//!
//! Rows are gathered in chunks, so that columns have the width of what they hold; later chunks
//! keep at least the widths of the first. A lone record too wide for a line stands upright.

use super::encode::Encode;
use super::layout::Slot;
use super::row::{Cell, Type};
use super::style::Style;
use super::text;
use crate::error::Result;
use crate::time::{TimeFormat, US_PER_DAY};
use comfy_table::{
    Attribute, CellAlignment, ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Table,
    TableStyle, Width,
};

/// Rows looked at before the widths are settled.
const CHUNK: usize = 1_000;
/// Texts are not cut shorter than this to make a table fit.
const MIN_TEXT: usize = 8;
/// Space between columns: one of padding, one between columns.
const GAP: usize = 2;
const PADDING: usize = GAP - 1;
/// Values of a vector or list that are shown.
const SHOWN_VALUES: usize = 4;
/// Significant digits where `--digits` says nothing: tables are for reading.
const DIGITS: usize = 6;

/// Writes rows as a table.
pub struct Tables {
    slots: Vec<Slot>,
    style: Style,
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
    chunks: usize,
}

impl Tables {
    /// Columns marked wide are left out, unless nothing would be left.
    pub fn new(slots: Vec<Slot>, mut style: Style) -> Self {
        style.digits = style.digits.or(Some(DIGITS));
        let narrow: Vec<Slot> = slots.iter().filter(|s| !s.wide).cloned().collect();
        let slots = if narrow.is_empty() { slots } else { narrow };
        Tables { widths: vec![0; slots.len()], slots, style, rows: Vec::new(), chunks: 0 }
    }

    fn cell(&self, slot: &Slot, cell: Cell<'_>) -> String {
        let text = match cell {
            Cell::Null => "-".to_string(),
            Cell::Vector(v) if slot.kind == Type::Vector => self.vector(v),
            Cell::Time(t) => self.time(t),
            Cell::Json(json) => dimensions(json).unwrap_or_else(|| plain(cell, slot, &self.style)),
            Cell::F32(_) | Cell::F64(_) => {
                let text = plain(cell, slot, &self.style);
                text.strip_suffix(".0").map_or(text.clone(), str::to_string)
            }
            _ => plain(cell, slot, &self.style),
        };
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }

    /// Midnights as dates, unless another form was asked for.
    fn time(&self, t: i64) -> String {
        let midnight = t.rem_euclid(US_PER_DAY) == 0;
        let form = match self.style.time {
            TimeFormat::Rfc3339 if midnight => TimeFormat::Date,
            form => form,
        };
        let mut out = Vec::new();
        text::push_time(&mut out, t, form);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn vector(&self, v: &[f32]) -> String {
        let digits = self.style.digits.map(|d| d.min(4));
        let mut out = Vec::new();
        text::push_list(&mut out, &v[..v.len().min(SHOWN_VALUES)], digits);
        let mut shown = String::from_utf8_lossy(&out).into_owned();
        if v.len() > SHOWN_VALUES {
            shown.pop();
            shown += &format!(",{} {} values]", self.ellipsis(), v.len());
        }
        shown
    }

    fn ellipsis(&self) -> &'static str {
        if self.style.unicode { "…" } else { "..." }
    }

    fn chunk(&mut self, out: &mut Vec<u8>, last: bool) {
        let first = self.chunks == 0;
        for (i, slot) in self.slots.iter().enumerate() {
            let widest = self.rows.iter().map(|r| width(&r[i])).max().unwrap_or(0);
            self.widths[i] = self.widths[i].max(widest).max(width(&slot.name));
        }
        let room = self.style.width.unwrap_or(usize::MAX);
        if first && last && self.rows.len() == 1 && total(&self.widths) > room {
            return self.upright(out);
        }
        let widths = fit(&self.widths, &self.slots, room);
        let shown = widths.len();
        if shown < self.slots.len() && first {
            self.rows.iter_mut().for_each(|r| r.truncate(shown));
        }
        let table = self.table(&widths, first);
        for line in table.lines() {
            out.extend_from_slice(line.trim_end().as_bytes());
            out.push(b'\n');
        }
        if last && shown < self.slots.len() {
            let names: Vec<&str> = self.slots[shown..].iter().map(|s| s.name.as_str()).collect();
            out.extend_from_slice(format!("(too narrow for: {})\n", names.join(", ")).as_bytes());
        }
        self.rows.clear();
        self.chunks += 1;
    }

    fn table(&self, widths: &[usize], header: bool) -> Table {
        let mut table = Table::new();
        let rule = if self.style.unicode { '─' } else { '-' };
        let space = ContentLineStyle::none().junction(' ');
        let style = TableStyle::new().header_lines(space).content_lines(space);
        table.load_style(style.header_separator(LineStyle::none().fill(rule).junction(rule)));
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.force_no_tty();
        let cut = |text: &str, room: usize| shorten(text, room, self.ellipsis());
        if header {
            let names = self.slots.iter().zip(widths).map(|(s, w)| self.heading(cut(&s.name, *w)));
            table.set_header(names.collect::<Vec<_>>());
        }
        if self.style.color {
            table.enforce_styling();
        }
        for row in &self.rows {
            table.add_row(row.iter().zip(widths).map(|(v, w)| cut(v, *w)).collect::<Vec<_>>());
        }
        for (i, column) in table.column_iter_mut().enumerate() {
            let padding = if i + 1 < widths.len() { PADDING } else { 0 };
            column.set_padding((0, padding as u16));
            let width = u16::try_from(widths[i].saturating_add(padding)).unwrap_or(u16::MAX);
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
            if self.slots[i].kind.is_number() {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    fn heading(&self, name: String) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(name);
        if self.style.color { cell.add_attribute(Attribute::Bold) } else { cell }
    }

    /// One record, a line a column.
    fn upright(&mut self, out: &mut Vec<u8>) {
        let names = self.slots.iter().map(|s| width(&s.name)).max().unwrap_or(0);
        let room = self.style.width.unwrap_or(usize::MAX).saturating_sub(names + GAP).max(MIN_TEXT);
        for (slot, value) in self.slots.iter().zip(&self.rows[0]) {
            let value = shorten(value, room, self.ellipsis());
            out.extend_from_slice(format!("{:names$}  {value}\n", slot.name).as_bytes());
        }
        self.rows.clear();
        self.chunks += 1;
    }
}

fn plain(cell: Cell<'_>, slot: &Slot, style: &Style) -> String {
    let mut out = Vec::new();
    text::push_plain(&mut out, cell, slot.kind == Type::Text, style);
    String::from_utf8_lossy(&out).into_owned()
}

/// Columns of the terminal: what COLUMNS says, else what standard output's terminal says.
pub fn terminal_width() -> Option<usize> {
    let told = std::env::var("COLUMNS").ok().and_then(|v| v.parse().ok()).filter(|n| *n > 0);
    told.or_else(|| Table::new().width().map(usize::from).filter(|n| *n > 0))
}

/// Columns that a text takes on a terminal.
fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Widths that fit into `room`: the widest texts give way first, then the last columns go.
fn fit(widths: &[usize], slots: &[Slot], room: usize) -> Vec<usize> {
    let mut widths = widths.to_vec();
    let can_shrink =
        |i: usize, w: usize| matches!(slots[i].kind, Type::Text | Type::Json | Type::Vector) && w > MIN_TEXT;
    while total(&widths) > room {
        let widest = (0..widths.len()).filter(|&i| can_shrink(i, widths[i])).max_by_key(|&i| widths[i]);
        match widest {
            Some(i) => {
                widths[i] =
                    widths[i].saturating_sub((total(&widths) - room).min(widths[i] / 4 + 1)).max(MIN_TEXT)
            }
            None if widths.len() > 1 => {
                widths.pop();
            }
            None => break,
        }
    }
    widths
}

/// `text` in at most `room` columns.
fn shorten(text: &str, room: usize, ellipsis: &str) -> String {
    if width(text) <= room {
        return text.to_string();
    }
    let keep = room.saturating_sub(width(ellipsis));
    let mut used = 0;
    let mut short: String = text
        .chars()
        .take_while(|c| {
            used += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
            used <= keep
        })
        .collect();
    short.push_str(ellipsis);
    short
}

/// Shares of dimensions as people read them: `d17 12 %, d203 6 %`. `None` for any other JSON.
fn dimensions(json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Share {
        dim: u64,
        share: f64,
    }
    let shares: Vec<Share> = serde_json::from_str(json).ok().filter(|s: &Vec<Share>| !s.is_empty())?;
    let one = |s: &Share| format!("d{} {:.0} %", s.dim, s.share * 100.0);
    Some(shares.iter().map(one).collect::<Vec<_>>().join(", "))
}

impl Encode for Tables {
    fn begin(&mut self, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Result<()> {
        let row = self.slots.iter().map(|s| self.cell(s, s.pick(cells))).collect();
        self.rows.push(row);
        if self.rows.len() > CHUNK {
            let next = self.rows.pop();
            self.chunk(out, false);
            self.rows.extend(next);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.chunk(out, true);
        Ok(())
    }
}
