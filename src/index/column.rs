//! A typed section of an index part: already checked as a whole, or checked block by block as
//! it is touched.

use crate::error::{Code, Error, Result};
use crate::format::container::{Container, Tag};
use crate::simd::int8::prefetch;
use std::ops::Range;

/// How a part's bytes are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Each block on its first touch: for one query.
    Lazy,
    /// All of the file at once: for many.
    Whole,
}

/// Values of one section.
#[derive(Debug)]
pub enum Column<'a, T> {
    /// In memory, or mapped and checked as a whole.
    Whole(&'a [T]),
    /// Mapped; the blocks that a read touches are checked first.
    Lazy {
        /// The file.
        file: &'a Container,
        /// Offset of the first value in bytes.
        start: usize,
        /// Number of values.
        len: usize,
    },
}

impl<T> Clone for Column<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Column<'_, T> {}

impl<'a, T: bytemuck::AnyBitPattern> Column<'a, T> {
    /// The section `tag`, which must hold `len` values; with [`Check::Whole`] it is checked now, once.
    pub fn open(file: &'a Container, tag: Tag, len: usize, check: Check) -> Result<Self> {
        let range = file.require::<T>(tag)?;
        let found = range.len() / size_of::<T>().max(1);
        if found != len {
            let name = String::from_utf8_lossy(&tag).into_owned();
            return Err(file.damaged(format!("section {name} has {found} values, {len} were expected")));
        }
        if check == Check::Whole {
            return Ok(Column::Whole(file.slice(range)?));
        }
        Ok(Column::Lazy { file, start: range.start, len })
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Column::Whole(values) => values.len(),
            Column::Lazy { len, .. } => *len,
        }
    }

    /// A run of values.
    #[inline]
    pub fn get(&self, range: Range<usize>) -> Result<&'a [T]> {
        match self {
            Column::Whole(values) => values.get(range.clone()).ok_or_else(|| outside(&range, values.len())),
            Column::Lazy { file, start, len } => {
                if range.start > range.end || range.end > *len {
                    return Err(file.damaged(outside(&range, *len).message()));
                }
                let size = size_of::<T>();
                file.slice(start + range.start * size..start + range.end * size)
            }
        }
    }

    /// Row `i` of rows of `width` values.
    #[inline]
    pub fn row(&self, i: usize, width: usize) -> Result<&'a [T]> {
        self.get(i * width..i * width + width)
    }

    /// Fetches row `i` of rows of `width` values into the cache: it is asked for soon.
    #[inline]
    pub fn expect(&self, i: usize, width: usize) {
        if let Column::Whole(values) = self
            && let Some(row) = values.get(i * width..i * width + width)
        {
            prefetch(row);
        }
    }

    /// One value.
    #[inline]
    pub fn one(&self, i: usize) -> Result<T> {
        match self.get(i..i + 1)? {
            [value] => Ok(*value),
            _ => Err(outside(&(i..i + 1), self.len())),
        }
    }
}

fn outside(range: &Range<usize>, len: usize) -> Error {
    Error::new(
        crate::Code::Damaged,
        format!("the index points at values {}..{} of {len}", range.start, range.end),
    )
}

/// An id of a row that the part does not have.
pub fn wrong_row(row: u32, rows: usize) -> Error {
    Error::new(Code::Damaged, format!("the index names row {row} of {rows}"))
}
