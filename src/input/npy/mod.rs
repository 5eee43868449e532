//! NumPy arrays: vectors in one file, ids and times in two others.
//!
//! The format is that of `numpy.lib.format` versions 1 to 3: magic, a Python literal with type,
//! order and shape, then the values. Ids and times are one-dimensional arrays of numbers or texts
//! (times also `datetime64`), columns of a table, or texts of one value a line. Their number is
//! compared with that of the vectors before the first row is read: one line too many, such as a
//! header, would give every vector the id of its neighbour.

mod array;
mod npz;
mod raw;
mod reader;
mod values;

use super::options::InputOptions;
use super::reader::{Checkpoint, Opened, Spec};
use crate::error::Result;
use array::{Array, checked, dimension};
use reader::NpyReader;
use std::path::Path;
use values::{Values, What};

pub(super) use npz::NPZ;
pub(super) use raw::{FBIN, FVECS};

/// Hands every row of an array of vectors of a dimension to `sink`, in order.
///
/// # Errors
/// `dim_mismatch` for another dimension, `bad_file` for what is no such array, `bad_row` with the
/// row for values beyond f32; whatever `sink` gives.
pub fn matrix(path: &Path, dim: usize, sink: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
    let (mut array, rows) = checked(Array::open(path)?, dim)?;
    let (mut bytes, mut values) = (vec![0; dim * array.item()?], Vec::with_capacity(dim));
    for row in 1..=rows {
        array.read_row(&mut bytes)?;
        array.values(&bytes, &mut values).map_err(|f| f.in_rows(path, row, String::new()).into_error())?;
        sink(&values)?;
    }
    Ok(())
}

pub(super) const NPY: Spec = Spec {
    name: "npy",
    endings: &["npy"],
    is_text: false,
    open: |path, options, from| {
        let rows = Box::new(open(path, options, from)?);
        Ok(Opened { rows, resumed: from.is_some() })
    },
    dimension: |path, _| dimension(path).map(Some),
};

/// Opens the three files at a row.
fn open(path: &Path, options: &InputOptions, from: Option<&Checkpoint>) -> Result<NpyReader> {
    let (vectors, len) = checked(Array::open(path)?, options.dim)?;
    let find = |what: What| -> Result<Values> {
        Values::find(what, options, path, len, |_| Ok(None))?.ok_or_else(|| what.missing(path))
    };
    let (ids, times) = (find(What::Ids)?, find(What::Times)?);
    NpyReader::new(vectors, ids, times, len, options, from)
}
