//! Arrow record batches to rows: what Parquet and Arrow IPC share.

mod batches;
pub(super) mod extended;
pub(super) mod json;
mod scalar;
mod texts;
mod vector;

use super::columns::Columns;
use super::derived::{Derived, derive};
use super::guard::decode;
use super::meta::{self, Entry};
use super::options::InputOptions;
use super::reader::BadSink;
use super::reader::Checkpoint;
use super::reader::Limits;
use super::reader::RowReader;
use super::rows::{Fault, InputRows, Row};
use super::value::finish;
use crate::error::Result;
use crate::points::Origin;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow_schema::{DataType, Schema};
pub(super) use batches::Batches;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use texts::Texts;

/// Bytes of a float as JSON at most, with its comma.
const LONGEST_FLOAT: usize = 32;

/// The columns of a schema, checked for types that cannot be read, and those that are made behind them.
pub(super) fn find_columns(
    schema: &Schema,
    options: &InputOptions,
    path: &Path,
) -> Result<(Columns, Vec<Derived>)> {
    let names = |schema: &Schema| schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
    let derived = derive(&names(schema), options, path);
    let schema = &extended::schema(schema, &derived);
    let columns = Columns::find(&names(schema), options, path)?;
    scalar::check_entity(schema.field(columns.entity), path)?;
    scalar::check_time(schema.field(columns.t), options.time_unit, path)?;
    vector::check(schema, &columns.vector, path)?;
    Ok((columns, derived))
}

/// Rows of record batches, in order.
pub(super) struct TableReader {
    batches: Box<dyn Batches>,
    columns: Columns,
    options: InputOptions,
    path: PathBuf,
    /// Columns at the end that are not the file's own.
    made: usize,
    origin: Origin,
    current: Option<Table>,
    /// The next row of `current`.
    at: usize,
    /// Rows handed out, good and bad; those before a checkpoint too.
    rows: u64,
    /// Rows still to be passed over.
    skip: u64,
}

impl TableReader {
    /// `columns` are ordinals in the batches, `derived` columns behind them; the first `skip` rows are
    /// passed over, `before` rows have been passed over already.
    pub(super) fn new(
        batches: Box<dyn Batches>,
        (columns, derived): (Columns, Vec<Derived>),
        options: &InputOptions,
        path: &Path,
        before: u64,
        skip: u64,
    ) -> TableReader {
        let origin = super::origin::origin_of(path, options);
        let (options, path, made) = (options.clone(), path.to_owned(), derived.len());
        let batches: Box<dyn Batches> = match derived.is_empty() {
            true => batches,
            false => Box::new(extended::Extended { inner: batches, derived, path: path.clone() }),
        };
        TableReader {
            batches,
            columns,
            options,
            path,
            made,
            origin,
            current: None,
            at: 0,
            rows: before,
            skip,
        }
    }

    /// Makes sure that `current` has a row at `at`; false at the end of the input.
    fn load(&mut self) -> Result<bool> {
        while self.current.as_ref().is_none_or(|t| self.at >= t.len) {
            self.current = None;
            let Some(batch) = self.batches.next()? else { return Ok(false) };
            let len = batch.num_rows();
            let passed = self.skip.min(len as u64);
            (self.skip, self.rows, self.at) = (self.skip - passed, self.rows + passed, passed as usize);
            if self.at < len {
                let (columns, options) = (&self.columns, &self.options);
                self.current = Some(decode(&self.path, || Table::new(&batch, columns, options))?);
            }
        }
        Ok(true)
    }
}

impl RowReader for TableReader {
    fn next_batch(&mut self, rows: &mut InputRows, limits: Limits, bad: &mut BadSink<'_>) -> Result<bool> {
        let (mut row, named) = (Row::default(), self.options.ids == super::options::IdKind::Name);
        while self.load()? {
            let Some(table) = &self.current else { break };
            while self.at < table.len {
                if rows.len() >= limits.rows || rows.points.origins.len() >= 1024 {
                    return Ok(true);
                }
                let mut origin = Cow::Borrowed(&self.origin);
                let read = table.row(self.at, &self.columns, &self.options, &mut row, &mut origin);
                let place = self.rows + 1;
                match read {
                    Ok(()) => {
                        let size = row.vector.len() * 4 + 44 + row.meta.len() + row.name.len();
                        if !rows.is_empty() && rows.size_bytes() + size > limits.bytes {
                            return Ok(true);
                        }
                        rows.push(&row, &origin, named, place, 0);
                        (self.at, self.rows) = (self.at + 1, place);
                    }
                    Err(fault) => {
                        (self.at, self.rows) = (self.at + 1, place);
                        bad(fault.in_rows(
                            &self.path,
                            place,
                            table.raw(self.at - 1, self.made, self.options.dim),
                        ))?;
                    }
                }
            }
        }
        Ok(!rows.is_empty())
    }

    fn checkpoint(&mut self) -> Checkpoint {
        Checkpoint { rows: self.rows, byte: 0, prefix: 0 }
    }
}

/// One record batch with its columns in the types that rows are made from.
struct Table {
    batch: RecordBatch,
    len: usize,
    names: Vec<String>,
    entity: scalar::Entities,
    t: scalar::Times,
    vector: vector::Vectors,
    meta: Option<Held>,
    others: Vec<(usize, ArrayRef)>,
    source: Option<Texts>,
    model: Option<Texts>,
}

/// A column that holds whole metadata objects.
enum Held {
    Fields(StructArray),
    Map(ArrayRef),
    Text(Texts),
}

impl Table {
    fn new(
        batch: &RecordBatch,
        columns: &Columns,
        options: &InputOptions,
    ) -> Result<Table, arrow_schema::ArrowError> {
        let get = |i: usize| batch.column(i).clone();
        let text = |i: Option<usize>| i.map(|i| Texts::new(&get(i))).transpose();
        let meta = match columns.meta.map(get) {
            Some(array) => Some(match array.data_type() {
                DataType::Struct(_) => Held::Fields(array.as_struct().clone()),
                DataType::Map(..) => Held::Map(array),
                _ => Held::Text(Texts::new(&array)?),
            }),
            None => None,
        };
        let schema = batch.schema();
        Ok(Table {
            batch: batch.clone(),
            len: batch.num_rows(),
            names: schema.fields().iter().map(|f| f.name().clone()).collect(),
            entity: scalar::Entities::new(&get(columns.entity))?,
            t: scalar::Times::new(&get(columns.t))?,
            vector: vector::Vectors::new(batch, &columns.vector, options.dim)?,
            meta,
            others: columns.others.iter().map(|&i| (i, get(i))).collect(),
            source: text(columns.source)?,
            model: text(columns.model)?,
        })
    }

    fn row(
        &self,
        i: usize,
        columns: &Columns,
        options: &InputOptions,
        row: &mut Row,
        origin: &mut Cow<'_, Origin>,
    ) -> Result<(), Fault> {
        let named = |column: usize| move |f: Fault| f.column(self.names.get(column).map_or("", |n| n));
        self.entity.set(i, options.ids, row).map_err(named(columns.entity))?;
        row.t = self.t.get(i, options.time_unit).map_err(named(columns.t))?;
        self.vector.read(i, options.dim, &mut row.vector, &self.names)?;
        if let Some(source) = &self.source {
            origin.to_mut().source = source.get(i).unwrap_or_default().to_owned();
        }
        if let Some(model) = &self.model {
            origin.to_mut().model = model.get(i).unwrap_or_default().to_owned();
        }
        let in_meta = |f: Fault| match columns.meta {
            Some(column) => named(column)(f),
            None => f,
        };
        row.lost = 0;
        let entries = self.entries(i, columns, &mut row.lost)?;
        finish(row, entries, options).map_err(in_meta)
    }

    /// Row `i` as a JSON object, of what columns can be written so; the last `made` are none of the file.
    fn raw(&self, i: usize, made: usize, dim: usize) -> String {
        let (mut out, longest) = (String::from("{"), meta::MAX_METADATA.max(dim * LONGEST_FLOAT));
        let own = self.names.len() - made;
        for (name, column) in self.names[..own].iter().zip(self.batch.columns()) {
            let mut value = json::Json::default();
            if json::write(column, i, &mut value, 0, longest).is_err() {
                continue;
            }
            if out.len() > 1 {
                out.push(',');
            }
            meta::write_text(name, &mut out);
            out.push(':');
            out.push_str(&value.text);
        }
        out.push('}');
        out
    }

    /// The metadata of row `i`.
    fn entries(&self, i: usize, columns: &Columns, lost: &mut u64) -> Result<Vec<Entry<'_>>, Fault> {
        let name = |column: usize| self.names.get(column).map_or("", |n| n.as_str());
        let held = name(columns.meta.unwrap_or(usize::MAX));
        let mut entries: Vec<Entry<'_>> = Vec::new();
        match &self.meta {
            Some(Held::Fields(fields)) if fields.is_valid(i) => {
                for (name, column) in fields.column_names().into_iter().zip(fields.columns()) {
                    push(&mut entries, name, column, i, lost).map_err(|f| f.column(held))?;
                }
            }
            Some(Held::Map(array)) if array.is_valid(i) => {
                let pairs = array.as_map().value(i);
                let keys = json::keys(&pairs).map_err(|f| f.column(held))?;
                for (key, k) in keys {
                    push(&mut entries, key, pairs.column(1), k, lost).map_err(|f| f.column(held))?;
                }
            }
            Some(Held::Text(texts)) => {
                entries = meta::entries(texts.get(i).unwrap_or_default()).map_err(|f| f.column(held))?;
            }
            _ => {}
        }
        for (column, array) in &self.others {
            push(&mut entries, name(*column), array, i, lost).map_err(|f| f.column(name(*column)))?;
        }
        Ok(entries)
    }
}

/// Adds a value to a row's metadata unless it is null.
fn push<'a>(
    entries: &mut Vec<Entry<'a>>,
    name: impl Into<Cow<'a, str>>,
    array: &ArrayRef,
    i: usize,
    lost: &mut u64,
) -> Result<(), Fault> {
    let mut json = json::Json::default();
    json::write(array, i, &mut json, 1, meta::MAX_METADATA)?;
    *lost += json.lost;
    if json.text != "null" {
        entries.push((name.into(), Cow::Owned(json.text)));
    }
    Ok(())
}
