//! Where the rows of a run go.

use crate::error::Result;

/// Receives the rows of a run, one after the other. A closure over rows is one, and so is a `Vec`.
pub trait Rows<R> {
    /// # Errors
    /// An error ends the run with it.
    fn row(&mut self, row: R) -> Result<()>;

    /// True when a row is to be shown. Commands that sort or cut their rows ask it once for each row, and hand over
    /// those that are left by [`Rows::admitted`].
    fn admits(&mut self, _row: &R) -> bool {
        true
    }

    /// A row that was admitted.
    ///
    /// # Errors
    /// As [`Rows::row`].
    fn admitted(&mut self, row: R) -> Result<()> {
        self.row(row)
    }

    /// All rows are out. Called once, before the run stores anything in the dataset, so that nothing counts as
    /// reported that was not.
    ///
    /// # Errors
    /// An error ends the run with it, and nothing is stored.
    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

impl<R, F: FnMut(R) -> Result<()>> Rows<R> for F {
    fn row(&mut self, row: R) -> Result<()> {
        self(row)
    }
}

impl<R> Rows<R> for Vec<R> {
    fn row(&mut self, row: R) -> Result<()> {
        self.push(row);
        Ok(())
    }
}
