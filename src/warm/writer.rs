//! Writes a warm file front to back, one row group in memory.

use super::Rows;
use super::batch::to_batch;
use super::schema::Shape;
use super::seal;
use super::sink::Sink;
use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::format::container::Seal;
use crate::fsio::TempFile;
use crate::model::{Key, TimestampUs};
use crate::points::Texts;
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use std::sync::Arc;

/// What a file's rows are as a whole: what a manifest wants to know, and what reading the
/// file back must give again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Rows.
    pub rows: u64,
    /// Distinct entities.
    pub entities: u64,
    /// First and last key; `None` without rows.
    pub keys: Option<(Key, Key)>,
    /// Earliest and latest timestamp.
    pub times: Option<(TimestampUs, TimestampUs)>,
    /// Least and largest sequence number.
    pub seqs: Option<(u64, u64)>,
    /// Rows that are approximate.
    pub approx: u64,
}

impl Summary {
    /// Adds rows. Fails with the row's ordinal in `rows` whose key does not follow the one before.
    pub fn add(&mut self, rows: &Rows) -> Result<(), usize> {
        for i in 0..rows.len() {
            let (key, seq) = (rows.points.key(i), rows.seq[i]);
            match &mut self.keys {
                None => (self.keys, self.entities) = (Some((key, key)), 1),
                Some((_, last)) if *last < key => {
                    self.entities += u64::from(last.entity != key.entity);
                    *last = key;
                }
                Some(_) => return Err(i),
            }
            let (t0, t1) = self.times.unwrap_or((key.t, key.t));
            self.times = Some((t0.min(key.t), t1.max(key.t)));
            let (s0, s1) = self.seqs.unwrap_or((seq, seq));
            self.seqs = Some((s0.min(seq), s1.max(seq)));
            self.approx += u64::from(rows.approx[i]);
            self.rows += 1;
        }
        Ok(())
    }
}

/// A warm file being written. Memory is one row group, about 32 MiB of vectors.
#[derive(Debug)]
pub struct WarmWriter {
    shape: Shape,
    schema: Arc<Schema>,
    arrow: ArrowWriter<Sink>,
    summary: Summary,
}

impl WarmWriter {
    /// Starts a file of vectors of `dim` values; `named` when entities have names. `id` is
    /// the file's id in the dataset.
    pub fn create(
        file: TempFile,
        dataset: DatasetId,
        id: u64,
        dim: usize,
        named: bool,
    ) -> Result<WarmWriter> {
        let shape = Shape { dim, named };
        let schema = Arc::new(shape.schema());
        let sink = Sink::new(file, seal::identity(dataset, id));
        let arrow = ArrowWriter::try_new(sink, schema.clone(), Some(shape.properties()))
            .map_err(|e| Error::internal(format!("warm writer: {e}")))?;
        Ok(WarmWriter { shape, schema, arrow, summary: Summary::default() })
    }

    /// Appends rows, whose keys follow all before. `names` holds the entity's name of each
    /// row where the dataset has names.
    pub fn write(&mut self, rows: &Rows, names: Option<&Texts>) -> Result<()> {
        if self.summary.add(rows).is_err() {
            return Err(Error::internal("rows of a warm file out of order"));
        }
        let batch = to_batch(self.shape, &self.schema, rows, names)?;
        let done = self.arrow.write(&batch);
        self.failed(done)
    }

    /// Rows written so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// About how many bytes the file has, with what is not written yet.
    pub fn size_bytes(&self) -> u64 {
        (self.arrow.bytes_written() + self.arrow.in_progress_size()) as u64
    }

    fn failed<T>(&mut self, r: Result<T, ParquetError>) -> Result<T> {
        r.map_err(|e| {
            let stored = self.arrow.inner_mut().take_error();
            stored.unwrap_or_else(|| Error::internal(format!("warm writer: {e}")))
        })
    }

    /// Writes what is left. The file still has its temporary name and is not synced.
    pub fn finish(mut self) -> Result<(TempFile, Seal, Summary)> {
        let flushed = self.arrow.flush();
        self.failed(flushed)?;
        let synced = self.arrow.sync().map_err(ParquetError::from);
        self.failed(synced)?;
        let text = self.arrow.inner_mut().end_body()?;
        self.arrow.append_key_value_metadata(KeyValue::new(seal::KEY.to_owned(), text));
        let sink = self.arrow.into_inner().map_err(|e| Error::internal(format!("warm writer: {e}")))?;
        let (file, seal) = sink.finish()?;
        Ok((file, seal, self.summary))
    }
}
