//! Input files. The first byte of the bytes chooses options.

use crate::file;
use cvx::input::{Format, IdKind, InputOptions, InputRows, Limits, Mapping, MetaColumns, TimeUnit};

/// Rows after which reading ends.
const ROWS: usize = 100_000;

/// Reads a file of a format as ingest and `init --like` do.
pub fn read(format: Format, bytes: &[u8]) {
    let Some((&flags, bytes)) = bytes.split_first() else { return };
    let path = file("input", bytes);
    let options = options(format, flags);
    let mut rows = InputRows::new(options.dim);
    if let Ok(mut reader) = cvx::input::open(&path, &options, None) {
        let (limits, mut read) = (Limits { rows: 7, bytes: 1 << 20 }, 0);
        while let Ok(true) = reader.next_batch(&mut rows, limits, &mut |_| Ok(())) {
            assert!(rows.points.x.len() == rows.len() * options.dim);
            read += rows.len();
            reader.checkpoint();
            if read > ROWS {
                break;
            }
        }
    }
    let _ = cvx::input::dimension(&path, &options);
    if format == Format::Npy {
        let _ = cvx::input::matrix(&path, options.dim, &mut |_| Ok(()));
    }
    let _ = std::fs::remove_file(&path);
}

fn options(format: Format, flags: u8) -> InputOptions {
    let ids = if flags & 1 != 0 { IdKind::Name } else { IdKind::U64 };
    let mut options = InputOptions::new(4, ids);
    options.format = Some(format);
    options.max_line = 1 << 16;
    options.memory = 64 << 20;
    options.time_unit = match flags >> 1 & 7 {
        0 => None,
        1 => Some(TimeUnit::Us),
        2 => Some(TimeUnit::Ms),
        3 => Some(TimeUnit::S),
        4 => Some(TimeUnit::Ns),
        5 => Some(TimeUnit::Year),
        6 => Some(TimeUnit::Date),
        _ => Some(TimeUnit::Rfc3339),
    };
    options.normalize = flags & 16 != 0;
    if flags & 32 != 0 {
        options.vector_cols = Some(("v0".into(), "v3".into()));
    }
    if flags & 64 != 0 {
        options.meta = MetaColumns::None;
    }
    // Formats without times of their own need one, and others take it as well.
    if flags & 128 != 0
        || !matches!(format, Format::Jsonl | Format::Csv | Format::Tsv | Format::Parquet | Format::Arrow)
    {
        options.time = Some("2024-01-01".into());
    }
    if flags & 96 == 96 {
        options.map = Mapping::parse("entity=a.b,vector=data.emb").expect("a mapping");
    }
    options
}
