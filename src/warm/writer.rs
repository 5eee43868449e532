//! Writes a warm file front to back, one row group in memory.

use super::batch::to_batch;
use super::schema::Shape;
use super::seal;
use super::sink::Sink;
use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::format::container::Seal;
use crate::fsio::TempFile;
use crate::points::{KeptPoints, Summary, Texts};
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use std::sync::Arc;

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
    pub fn write(&mut self, rows: &KeptPoints, names: Option<&Texts>) -> Result<()> {
        if !(0..rows.len()).all(|i| self.summary.add(rows.points.key(i), rows.seq[i])) {
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
