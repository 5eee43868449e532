//! The rows of a command on their way to its output.

use cvx::commands::Rows;
use cvx::error::Result;
use cvx::output::{Cell, Output, Row};

/// Writes rows to an output, and ends it when all are out.
pub struct Printer<R> {
    out: Option<Output<R>>,
}

impl<R: Row> Printer<R> {
    /// Nothing is written yet.
    pub fn new(out: Output<R>) -> Self {
        Printer { out: Some(out) }
    }
}

impl<R: Row> Printer<R> {
    /// Writes a row that is given by its cells.
    pub fn cells(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        self.out.as_mut().map_or(Ok(()), |out| out.cells(cells))
    }
}

impl<R: Row> Rows<R> for Printer<R> {
    fn row(&mut self, row: R) -> Result<()> {
        self.out.as_mut().map_or(Ok(()), |out| out.row(&row))
    }

    fn end(&mut self) -> Result<()> {
        self.out.take().map_or(Ok(()), Output::finish)
    }
}
