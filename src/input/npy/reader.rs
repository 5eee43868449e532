//! Vectors with an id and a time each, from three arrays or lists.

use super::array::Array;
use super::values::{Kind, Value, Values};
use crate::error::Code;
use crate::error::{Error, Result};
use crate::input::options::{IdKind, InputOptions};
use crate::input::origin::origin_without_columns;
use crate::input::reader::{BadSink, Checkpoint, Limits, RowReader};
use crate::input::rows::{Fault, InputRows, Row};
use crate::input::value::{
    beyond, finish, missing_time, set_entity, time_from_float, time_from_integer, time_from_text, whole_part,
};
use crate::points::Origin;

/// A reader of vectors with their ids and times.
pub(in crate::input) struct NpyReader {
    vectors: Array,
    ids: Values,
    times: Values,
    options: InputOptions,
    origin: Origin,
    rows: u64,
    len: u64,
    buffer: Vec<u8>,
    row: Row,
}

impl NpyReader {
    /// A reader of `len` vectors with an id and a time each, at a checkpoint.
    pub(super) fn new(
        vectors: Array,
        ids: Values,
        times: Values,
        len: u64,
        options: &InputOptions,
        from: Option<&Checkpoint>,
    ) -> Result<NpyReader> {
        if let Values::Array(array, Kind::Signed | Kind::Unsigned | Kind::Float) = &times
            && options.time_unit.is_none()
        {
            return Err(Error::new(Code::BadTime, "the times are numbers: which unit?")
                .file(&array.path)
                .fix("add ‹time-unit us› (or s, ms, ns, year)"));
        }
        let buffer = vec![0; options.dim * vectors.item()?];
        let origin = origin_without_columns(&vectors.path, options)?;
        let options = options.clone();
        let mut reader =
            NpyReader { vectors, ids, times, options, origin, rows: 0, len, buffer, row: Row::default() };
        reader.pass_over(from.map_or(0, |c| c.rows.min(len)))?;
        Ok(reader)
    }

    fn pass_over(&mut self, rows: u64) -> Result<()> {
        self.vectors.skip(rows, self.buffer.len())?;
        for values in [&mut self.ids, &mut self.times] {
            for _ in 0..rows {
                values.next()?;
            }
        }
        self.rows = rows;
        Ok(())
    }

    /// The row just read as a JSON object; numbers that are not finite become null.
    fn raw(&self, id: &Value, time: &Value) -> String {
        let value = |v: &Value| match v {
            Value::Integer(n) => serde_json::Value::from(n.to_string()),
            Value::Float(v) => serde_json::Value::from(*v),
            Value::Text(text) => serde_json::Value::from(text.as_str()),
            Value::Time(us) => serde_json::Value::from(format!("{us} us")),
            Value::Missing => serde_json::Value::Null,
        };
        let vector = self.vectors.floats(&self.buffer);
        serde_json::json!({"entity": value(id), "timestamp": value(time), "vector": vector}).to_string()
    }

    fn read_row(&mut self, id: &Value, time: &Value) -> Result<(), Fault> {
        let row = &mut self.row;
        let ids = self.options.ids;
        match id {
            Value::Integer(n) => set_entity(&n.to_string(), ids, row),
            Value::Float(v) => set_entity(whole_part(&format!("{v:.1}")), ids, row),
            Value::Text(text) => set_entity(text, ids, row),
            Value::Time(_) | Value::Missing => {
                Err(Fault::new(Code::BadEntity, "the id is a time").fix("ids are numbers or texts"))
            }
        }
        .map_err(|f| f.column("entity"))?;
        row.t = match time {
            Value::Integer(n) => time_from_integer(*n, self.options.time_unit),
            Value::Float(v) => time_from_float(*v, self.options.time_unit),
            Value::Text(text) => time_from_text(text, self.options.time_unit),
            Value::Time(us) => i64::try_from(*us).map_err(|_| beyond(&format!("{us} us"))),
            Value::Missing => Err(missing_time()),
        }
        .map_err(|f| f.column("timestamp"))?;
        self.vectors.values(&self.buffer, &mut row.vector).map_err(|f| f.column("vector"))?;
        finish(row, Vec::new(), &self.options).map_err(|f| f.column("metadata"))
    }
}

impl RowReader for NpyReader {
    fn next_batch(&mut self, rows: &mut InputRows, limits: Limits, bad: &mut BadSink<'_>) -> Result<bool> {
        let named = self.options.ids == IdKind::Name;
        // The size of a row is known but for its name and norm.
        let row_bytes = self.options.dim * 4 + 128;
        while self.rows < self.len && rows.len() < limits.rows {
            if !rows.is_empty() && rows.size_bytes() + row_bytes > limits.bytes {
                break;
            }
            self.vectors.read_row(&mut self.buffer)?;
            let (id, time) = (self.ids.next()?, self.times.next()?);
            self.rows += 1;
            match self.read_row(&id, &time) {
                Ok(()) => rows.push(&self.row, &self.origin, named, self.rows, 0),
                Err(fault) => {
                    let raw = self.raw(&id, &time);
                    bad(fault.in_rows(&self.vectors.path, self.rows, raw))?;
                }
            }
        }
        if rows.is_empty() && self.vectors.bytes.is_none() {
            self.vectors.check_end()?;
        }
        Ok(!rows.is_empty())
    }

    fn checkpoint(&mut self) -> Checkpoint {
        Checkpoint { rows: self.rows, byte: 0, prefix: 0 }
    }
}
