//! Expressions over fields: `--where` on a point's metadata, `--fail-on` on result rows.
//!
//! ```text
//! expr   = term { "or" term }            term  = factor { "and" factor }
//! factor = "not" factor | "(" expr ")" | "exists" "(" path ")" | test
//! test   = path ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
//!        | path [ "not" ] "in" "(" value { "," value } ")"
//!        | path "has" value
//! path   = name { "." name }             name  = letters, digits, _ and - | "any text"
//! value  = 'text' ('' is a quote) | number | true | false
//! ```
//!
//! A field that is missing or null satisfies no test, `!=` and `not in` included, and does
//! not exist; `not` then simply negates. Numbers compare as numbers, texts by their bytes;
//! values of different types differ and have no order. In a path a number is an array's
//! 0-based place. Keywords are read in any case; a name that is a keyword goes in quotes.

mod ast;
mod eval;
mod lexer;
mod metadata;
mod parser;

pub use ast::{Expr, Op, Path};
pub use eval::{Condition, Tally};
pub use metadata::{Filter, lookup};
