//! CSV and TSV: a header, then a record a row; vectors and JSON as JSON text, null as nothing.

use super::encode::Encode;
use super::layout::Slot;
use super::row::{Cell, Type};
use super::style::Style;
use super::text;
use crate::error::Result;

/// Writes rows as separated values, quoted where a value needs it (RFC 4180).
pub struct Csv {
    slots: Vec<Slot>,
    style: Style,
    separator: u8,
    value: Vec<u8>,
}

impl Csv {
    /// `separator`: a comma or a tab.
    pub fn new(slots: Vec<Slot>, style: Style, separator: u8) -> Self {
        Csv { slots, style, separator, value: Vec::new() }
    }
}

/// True for values whose text never needs quotes.
fn is_number(cell: Cell<'_>) -> bool {
    matches!(cell, Cell::Id(_) | Cell::U64(_) | Cell::I64(_) | Cell::F32(_) | Cell::F64(_) | Cell::Bool(_))
}

/// Appends a value, quoted where it needs to be; `alone` in its record.
pub(super) fn push(out: &mut Vec<u8>, value: &[u8], separator: u8, alone: bool) {
    let special = |b: &u8| matches!(b, b'"' | b'\n' | b'\r') || *b == separator;
    // A record of one empty value would be an empty line, which readers skip.
    let quoted = value.iter().any(special) || alone && value.is_empty();
    if !quoted {
        return out.extend_from_slice(value);
    }
    out.push(b'"');
    for b in value {
        if *b == b'"' {
            out.push(b'"');
        }
        out.push(*b);
    }
    out.push(b'"');
}

impl Encode for Csv {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        for (i, slot) in self.slots.iter().enumerate() {
            if i > 0 {
                out.push(self.separator);
            }
            push(out, slot.name.as_bytes(), self.separator, false);
        }
        out.push(b'\n');
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Result<()> {
        let mut value = std::mem::take(&mut self.value);
        for (i, slot) in self.slots.iter().enumerate() {
            if i > 0 {
                out.push(self.separator);
            }
            let cell = slot.pick(cells);
            if self.slots.len() > 1 && is_number(cell) {
                text::push_plain(out, cell, false, &self.style);
                continue;
            }
            value.clear();
            text::push_plain(&mut value, cell, slot.kind == Type::Text, &self.style);
            push(out, &value, self.separator, self.slots.len() == 1);
        }
        out.push(b'\n');
        self.value = value;
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
}
