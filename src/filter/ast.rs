//! The tree of an expression, and how it is evaluated on one row.

use serde_json::{Number, Value};
use std::cmp::Ordering;

/// A field's name, or names from the outside in.
pub type Path = Vec<String>;

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Op {
    /// True when values that compare like this satisfy the operator; `None`: no order.
    pub(super) fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Op::Eq => order == Some(Ordering::Equal),
            Op::Ne => order != Some(Ordering::Equal),
            Op::Lt => order == Some(Ordering::Less),
            Op::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Op::Gt => order == Some(Ordering::Greater),
            Op::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// An expression over fields.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All hold.
    And(Vec<Expr>),
    /// One holds.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// The field compares so with the value.
    Compare(Path, Op, Value),
    /// The field equals one of the values; with `true`, none of them.
    In(Path, Vec<Value>, bool),
    /// The field is an array that holds the value.
    Has(Path, Value),
    /// The field is there and not null.
    Exists(Path),
}

impl Expr {
    /// True when a row satisfies it; `field` gives the value at a path, `None` where there is none.
    pub fn matches(&self, field: &dyn Fn(&[String]) -> Option<Value>) -> bool {
        let present = |path: &Path| field(path).filter(|v| !v.is_null());
        match self {
            Expr::And(all) => all.iter().all(|e| e.matches(field)),
            Expr::Or(any) => any.iter().any(|e| e.matches(field)),
            Expr::Not(e) => !e.matches(field),
            Expr::Compare(path, op, with) => present(path).is_some_and(|v| op.holds(compare(&v, with))),
            Expr::In(path, values, negated) => present(path)
                .is_some_and(|v| values.iter().any(|w| compare(&v, w) == Some(Ordering::Equal)) != *negated),
            Expr::Has(path, with) => match present(path) {
                Some(Value::Array(items)) => items.iter().any(|v| compare(v, with) == Some(Ordering::Equal)),
                _ => false,
            },
            Expr::Exists(path) => present(path).is_some(),
        }
    }

    /// Calls `visit` for every path named.
    pub fn paths<'a>(&'a self, visit: &mut dyn FnMut(&'a [String])) {
        match self {
            Expr::And(list) | Expr::Or(list) => list.iter().for_each(|e| e.paths(visit)),
            Expr::Not(e) => e.paths(visit),
            Expr::Compare(p, ..) | Expr::In(p, ..) | Expr::Has(p, _) | Expr::Exists(p) => visit(p),
        }
    }
}

/// The order of two values of one type; false is below true.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Integers compare exactly, anything else as f64.
fn compare_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    let whole = |n: &Number| n.as_i64().map(i128::from).or(n.as_u64().map(i128::from));
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}
