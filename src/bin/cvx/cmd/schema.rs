//! `cvx schema`: the fields of every command's rows, and the error codes.
//!
//! `--errors` is the global option; given here without a value it asks for the list.

use crate::context::Context;
use cvx::cli::schema::Args;
use cvx::error::{Code, Error, Result};
use cvx::output::{Column, Hidden};
use cvx::rows::{ErrorCode, FieldOf, TABLES};
use cvx::suggest;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    match context.lists_errors {
        true if args.command.is_empty() => codes(context),
        true => Err(Error::usage("--errors lists the codes of all commands").fix("leave out the command")),
        false => fields(context, &args.command.join(" ")),
    }
}

fn fields(context: &Context, command: &str) -> Result<()> {
    let chosen: Vec<_> = TABLES.iter().filter(|(name, _)| command.is_empty() || *name == command).collect();
    if chosen.is_empty() {
        let names = TABLES.iter().map(|(name, _)| *name);
        let hint = suggest::did_you_mean(command, names)
            .unwrap_or_else(|| "`cvx schema` lists the fields of every command".to_string());
        return Err(Error::usage(format!("no command \"{command}\" prints rows")).fix(hint));
    }
    let mut out = context.outputs.rows::<FieldOf>(Hidden::none())?;
    for (name, columns) in chosen {
        for column in *columns {
            out.row(&field(name, column))?;
        }
    }
    out.finish()
}

fn field(command: &'static str, column: &Column) -> FieldOf {
    FieldOf {
        command,
        field: column.name,
        kind: column.kind.as_str(),
        unit: (!column.unit.is_empty()).then_some(column.unit),
        nullable: column.nullable,
        meaning: column.about,
    }
}

fn codes(context: &Context) -> Result<()> {
    let mut out = context.outputs.rows::<ErrorCode>(Hidden::none())?;
    for code in Code::ALL {
        let exit = u32::from(code.exit());
        out.row(&ErrorCode { code: code.as_str(), exit, meaning: code.describe() })?;
    }
    out.finish()
}
