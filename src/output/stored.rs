//! Rows as lines that are kept and printed again later: JSON with times in microseconds.

use super::json;
use super::layout::{self, Slot};
use super::row::{Cell, Row, Type};
use super::style::{Style, Vectors};
use crate::error::{Error, Result};
use crate::time::TimeFormat;
use serde_json::Value;

/// Turns rows into lines.
pub struct Lines {
    encoder: json::Json,
    line: Vec<u8>,
}

impl Lines {
    /// For rows of type `R`; vectors are left out.
    pub fn new<R: Row>() -> Self {
        let slots: Vec<Slot> = layout::slots(R::COLUMNS, &[], Vectors::None, 0);
        let style = Style { time: TimeFormat::Us, ..Style::default() };
        Lines { encoder: json::Json::new(slots, style, true), line: Vec::new() }
    }

    /// A row as one line, without its line feed.
    pub fn line<R: Row>(&mut self, row: &R) -> Result<&[u8]> {
        use super::encode::Encode;
        self.line.clear();
        self.encoder.row(&row.cells(), &mut self.line)?;
        Ok(self.line.trim_ascii_end())
    }
}

/// A row read back from a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    values: Vec<(Type, Value)>,
    /// JSON columns as text.
    texts: Vec<String>,
}

impl Kept {
    /// Reads a line of rows of type `R`. Columns that it lacks are null: rows only grow.
    pub fn read<R: Row>(line: &str) -> Result<Kept> {
        let bad = |e: &dyn std::fmt::Display| Error::internal(format!("a kept row cannot be read: {e}"));
        let mut members: serde_json::Map<String, Value> = serde_json::from_str(line).map_err(|e| bad(&e))?;
        let mut out = Kept { values: Vec::new(), texts: Vec::new() };
        for column in R::COLUMNS {
            let value = members.remove(column.name).unwrap_or(Value::Null);
            out.texts.push(if column.kind == Type::Json { value.to_string() } else { String::new() });
            out.values.push((column.kind, value));
        }
        Ok(out)
    }

    /// The cells of the row, one a column.
    pub fn cells(&self) -> Vec<Cell<'_>> {
        let cell = |i: usize| self.cell(i).unwrap_or(Cell::Null);
        (0..self.values.len()).map(cell).collect()
    }

    fn cell(&self, i: usize) -> Option<Cell<'_>> {
        let (kind, value) = self.values.get(i)?;
        Some(match kind {
            Type::Id => Cell::Id(value.as_u64()?),
            Type::U64 => Cell::U64(value.as_u64()?),
            Type::I64 => Cell::I64(value.as_i64()?),
            Type::F32 => Cell::F32(value.as_f64()? as f32),
            Type::F64 => Cell::F64(value.as_f64()?),
            Type::Bool => Cell::Bool(value.as_bool()?),
            Type::Text => Cell::Text(value.as_str()?),
            Type::Time => Cell::Time(value.as_i64()?),
            Type::Json if value.is_null() => return None,
            Type::Json => Cell::Json(self.texts.get(i)?),
            Type::Vector => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Id, Json, Time};

    crate::row! {
        /// A row with every kind of column.
        struct Sample {
            /// Id.
            id: Id,
            /// Text.
            name: Option<String>,
            /// Time.
            t: Time,
            /// Float.
            x: f64,
            /// Missing float.
            y: Option<f64>,
            /// Flag.
            b: bool,
            /// JSON.
            j: Option<Json>,
        }
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let row = Sample {
            id: Id(u64::MAX),
            name: Some("a \"b\"\n".into()),
            t: Time(i64::MIN),
            x: 0.1 + 0.2,
            y: None,
            b: true,
            j: Some(Json("[{\"dim\":1}]".into())),
        };
        let mut lines = Lines::new::<Sample>();
        let line = String::from_utf8(lines.line(&row).unwrap().to_vec()).unwrap();
        assert_eq!(Kept::read::<Sample>(&line).unwrap().cells(), row.cells());
        let none = Kept::read::<Sample>("{\"id\":3}").unwrap();
        assert_eq!(none.cells()[..2], [Cell::Id(3), Cell::Null]);
        assert!(Kept::read::<Sample>("{").is_err());
    }
}
