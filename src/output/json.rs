//! JSON: one array, or one object a line.

use super::encode::Encode;
use super::layout::Slot;
use super::row::{Cell, Type};
use super::style::Style;
use super::text;
use crate::error::Result;

/// Writes rows as JSON objects.
pub struct Json {
    slots: Vec<Slot>,
    style: Style,
    lines: bool,
    rows: u64,
}

impl Json {
    /// `lines`: an object a line instead of one array.
    pub fn new(slots: Vec<Slot>, style: Style, lines: bool) -> Self {
        Json { slots, style, lines, rows: 0 }
    }

    fn value(&self, slot: &Slot, cell: Cell<'_>, out: &mut Vec<u8>) {
        match cell {
            Cell::Null => out.extend_from_slice(b"null"),
            Cell::Text(v) => push_string(out, v),
            Cell::Id(v) if self.style.ids_as_text => push_string(out, &v.to_string()),
            Cell::Vector(v) if slot.kind == Type::Text => {
                out.push(b'"');
                text::push_base64(out, v);
                out.push(b'"');
            }
            Cell::Time(t) => {
                let mut time = Vec::new();
                if text::push_time(&mut time, t, self.style.time) {
                    out.extend_from_slice(&time);
                } else {
                    out.push(b'"');
                    out.extend_from_slice(&time);
                    out.push(b'"');
                }
            }
            plain => text::push_plain(out, plain, false, &self.style),
        }
    }
}

/// Appends a JSON string.
fn push_string(out: &mut Vec<u8>, v: &str) {
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(out, v);
}

impl Encode for Json {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if !self.lines {
            out.push(b'[');
        }
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Result<()> {
        if !self.lines {
            out.extend_from_slice(if self.rows > 0 { b",\n" } else { b"\n" });
        }
        for (i, slot) in self.slots.iter().enumerate() {
            out.push(if i == 0 { b'{' } else { b',' });
            push_string(out, &slot.name);
            out.push(b':');
            self.value(slot, slot.pick(cells), out);
        }
        out.push(b'}');
        if self.lines {
            out.push(b'\n');
        }
        self.rows += 1;
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if !self.lines {
            out.extend_from_slice(if self.rows > 0 { b"\n]\n" } else { b"]\n" });
        }
        Ok(())
    }
}
