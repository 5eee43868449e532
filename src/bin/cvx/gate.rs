//! What rows pass on their way out: `--ok-only` and `--fail-on`.

use crate::printer::Printer;
use cvx::analytics::Status;
use cvx::cli::cuts::GateArgs;
use cvx::commands::Rows;
use cvx::error::{Code, Error, Result};
use cvx::filter::Tally;
use cvx::output::{Cell, Output, Row};
use cvx::suggest;
use cvx::time::{TimeFormat, format_time};
use serde_json::Value;

/// Rows that pass `--ok-only` and are looked at for `--fail-on` on their way to an output.
pub struct Gated<'a, R> {
    out: Printer<R>,
    gate: Gate<'a>,
}

impl<'a, R: Row> Gated<'a, R> {
    /// Checks the condition's names before the work begins.
    pub fn new(out: Output<R>, args: &'a GateArgs) -> Result<Self> {
        Ok(Gated { out: Printer::new(out), gate: Gate::new::<R>(args)? })
    }

    /// What `--fail-on` found.
    pub fn verdict(&self) -> Result<()> {
        self.gate.verdict()
    }

    /// Takes a row that was stored as cells.
    pub fn cells(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        if self.gate.admits::<R>(cells) { self.out.cells(cells) } else { Ok(()) }
    }
}

impl<R: Row> Rows<R> for Gated<'_, R> {
    fn row(&mut self, row: R) -> Result<()> {
        if self.admits(&row) { self.admitted(row) } else { Ok(()) }
    }

    fn admits(&mut self, row: &R) -> bool {
        self.gate.admits::<R>(&row.cells())
    }

    fn admitted(&mut self, row: R) -> Result<()> {
        self.out.row(row)
    }

    fn end(&mut self) -> Result<()> {
        self.out.end()
    }
}

/// `--ok-only` and `--fail-on`.
struct Gate<'a> {
    args: &'a GateArgs,
    tally: Tally,
    status: Option<usize>,
}

impl<'a> Gate<'a> {
    fn new<R: Row>(args: &'a GateArgs) -> Result<Self> {
        let named = |name: &str| R::COLUMNS.iter().any(|c| c.name == name);
        let mut unknown = None;
        if let Some(condition) = &args.fail_on {
            condition.expr().paths(&mut |path| {
                unknown = path.first().filter(|name| !named(name)).or(unknown);
            });
        }
        if let Some(name) = unknown {
            let names: Vec<&str> = R::COLUMNS.iter().map(|c| c.name).collect();
            let near = suggest::did_you_mean(name, names.iter().copied());
            let listed = format!("the fields are {}", names.join(", "));
            let hint = near.map_or(listed.clone(), |near| format!("{near}; {listed}"));
            return Err(Error::usage(format!("the rows have no field \"{name}\""))
                .what("option --fail-on")
                .fix(hint));
        }
        let status = R::COLUMNS.iter().position(|c| c.name == "status");
        Ok(Gate { args, tally: Tally::default(), status })
    }

    fn admits<R: Row>(&mut self, cells: &[Cell<'_>]) -> bool {
        let ok = self.status.is_none_or(|i| cells[i] == Cell::Text(Status::Ok.as_str()));
        let shown = ok || !self.args.ok_only;
        if let (true, Some(condition)) = (shown, &self.args.fail_on) {
            condition.add(&mut self.tally, &|path| field::<R>(cells, path));
        }
        shown
    }

    fn verdict(&self) -> Result<()> {
        match &self.args.fail_on {
            Some(condition) if condition.holds(&self.tally) => {
                let Tally { rows, hits } = self.tally;
                let rows = if rows == 1 { "1 row satisfies".into() } else { format!("{rows} rows satisfy") };
                Err(Error::new(Code::Finding, format!("--fail-on held: {hits} of {rows} the expression"))
                    .what("option --fail-on"))
            }
            _ => Ok(()),
        }
    }
}

/// The value at a path: a column, and inside JSON its members.
fn field<R: Row>(cells: &[Cell<'_>], path: &[String]) -> Option<Value> {
    let (name, inside) = path.split_first()?;
    let value = match cells[R::COLUMNS.iter().position(|c| c.name == name)?] {
        Cell::Null | Cell::Vector(_) => return None,
        Cell::Id(v) | Cell::U64(v) => Value::from(v),
        Cell::I64(v) => Value::from(v),
        Cell::F32(v) => Value::from(v),
        Cell::F64(v) => Value::from(v),
        Cell::Bool(v) => Value::from(v),
        Cell::Text(v) => Value::from(v),
        Cell::Time(v) => Value::from(format_time(v, TimeFormat::Rfc3339)),
        Cell::Json(v) | Cell::Meta(v) => serde_json::from_str(v).ok()?,
    };
    inside.iter().try_fold(value, |value, name| match value {
        Value::Object(mut members) => members.remove(name),
        Value::Array(mut items) => {
            let i = name.parse::<usize>().ok().filter(|i| *i < items.len())?;
            Some(items.swap_remove(i))
        }
        _ => None,
    })
}
