//! Saved rows: `results/changepoints.NAME.cvxr`, JSON lines in one zstd stream.

use super::stored::{Creator, Head, Stored, What};
use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::format::container::ALIGN;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

const LEVEL: i32 = 3;
/// Compressed bytes held back before they are written.
const BUFFER: usize = 64 << 10;
/// Longest line that is read.
const MAX_LINE: usize = 64 << 20;

/// Lines on their way into a file.
pub struct NextLines {
    creator: Creator,
    packer: zstd::Encoder<'static, Vec<u8>>,
    rows: u64,
}

fn failed(e: std::io::Error) -> Error {
    Error::internal(format!("rows cannot be packed: {e}"))
}

impl NextLines {
    /// Starts a file; the caller holds the writer's lock.
    pub fn create(dir: &Path, dataset: DatasetId, what: What, name: &str) -> Result<NextLines> {
        let mut creator = Creator::create(dir, dataset, what, name)?;
        creator.writer.section(*b"ROWS", 1, ALIGN)?;
        let packer = zstd::Encoder::new(Vec::new(), LEVEL).map_err(failed)?;
        Ok(NextLines { creator, packer, rows: 0 })
    }

    /// Adds a line, which holds no line feed.
    pub fn push(&mut self, line: &[u8]) -> Result<()> {
        self.packer.write_all(line).and_then(|()| self.packer.write_all(b"\n")).map_err(failed)?;
        self.rows += 1;
        let packed = self.packer.get_mut();
        if packed.len() >= BUFFER {
            self.creator.writer.write(packed)?;
            packed.clear();
        }
        Ok(())
    }

    /// Gives the file its name. `head.rows` becomes the number of lines.
    pub fn finish(mut self, head: Head) -> Result<()> {
        let rest = self.packer.finish().map_err(failed)?;
        self.creator.writer.write(&rest)?;
        self.creator.finish(&Head { rows: self.rows, ..head })
    }
}

/// Hands each saved line to `take`, in the order of writing.
pub fn read(stored: &Stored, mut take: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let damaged = |what: String| stored.container.damaged(what);
    let range = stored.container.require::<u8>(*b"ROWS")?;
    let unpacked = zstd::Decoder::new(stored.container.bytes(range)?);
    let mut lines = BufReader::new(unpacked.map_err(|e| damaged(format!("the rows cannot be read: {e}")))?);
    let mut line = String::new();
    loop {
        line.clear();
        let mut limited = std::io::Read::take(&mut lines, MAX_LINE as u64);
        let read = limited.read_line(&mut line);
        match read.map_err(|e| damaged(format!("the rows cannot be read: {e}")))? {
            0 => return Ok(()),
            _ if !line.ends_with('\n') => return Err(damaged("a row has no end".into())),
            _ => take(line.trim_end_matches('\n'))?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::tests::{dataset_dir, head};
    use super::*;

    #[test]
    fn round_trip() {
        let dir = dataset_dir();
        let mut next = NextLines::create(dir.path(), [1; 16], What::Changepoints, "x").unwrap();
        // Hardly compressible, so that more than one buffer is written.
        let lines: Vec<String> =
            (0..20_000u64).map(|i| format!("{:x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        lines.iter().for_each(|l| next.push(l.as_bytes()).unwrap());
        next.finish(head(What::Changepoints, "x")).unwrap();
        let stored = Stored::require(dir.path(), [1; 16], What::Changepoints, "x").unwrap();
        assert_eq!(stored.head.rows, 20_000);
        let mut back = Vec::new();
        read(&stored, |l| {
            back.push(l.to_string());
            Ok(())
        })
        .unwrap();
        assert_eq!(back, lines);
    }
}
