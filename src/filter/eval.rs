//! Conditions over all rows of a run: `--fail-on`.

use super::ast::{Expr, Op};
use super::parser::Parser;
use crate::error::Result;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Over {
    /// Any row.
    Any,
    /// The number of rows compares so.
    Count(Op, f64),
    /// The share of rows, 0 to 1, compares so.
    Share(Op, f64),
}

/// A condition on a run: any row satisfies `EXPR`, or `count(EXPR) > N`, or `share(EXPR) > X`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    expr: Expr,
    over: Over,
}

/// How many rows there were and how many satisfied a condition's expression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows seen.
    pub rows: u64,
    /// Rows that satisfied it.
    pub hits: u64,
}

impl Condition {
    /// Reads a condition.
    pub fn parse(text: &str) -> Result<Condition> {
        let mut parser = Parser::new(text)?;
        let aggregate: Option<fn(Op, f64) -> Over> = if parser.call("count") {
            Some(Over::Count)
        } else if parser.call("share") {
            Some(Over::Share)
        } else {
            None
        };
        let expr = parser.any()?;
        let over = match aggregate {
            None => Over::Any,
            Some(over) => {
                parser.expect(")")?;
                over(parser.comparison()?, parser.number()?)
            }
        };
        parser.end()?;
        Ok(Condition { expr, over })
    }

    /// The expression that each row is tested with, to check the names of its fields.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Counts one row, whose fields `field` gives.
    pub fn add(&self, tally: &mut Tally, field: &dyn Fn(&[String]) -> Option<Value>) {
        tally.rows += 1;
        tally.hits += u64::from(self.expr.matches(field));
    }

    /// True when the rows counted satisfy the condition. A share of no rows satisfies nothing.
    pub fn holds(&self, tally: &Tally) -> bool {
        let hits = tally.hits as f64;
        match self.over {
            Over::Any => tally.hits > 0,
            Over::Count(op, n) => op.holds(hits.partial_cmp(&n)),
            Over::Share(op, x) => tally.rows > 0 && op.holds((hits / tally.rows as f64).partial_cmp(&x)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Tests a condition over rows that are JSON objects.
    fn holds(condition: &str, rows: &[Value]) -> bool {
        let condition = Condition::parse(condition).unwrap();
        let mut tally = Tally::default();
        for row in rows {
            condition.add(&mut tally, &|path| row.get(path.first()?).cloned());
        }
        condition.holds(&tally)
    }

    #[test]
    fn over_rows() {
        let rows =
            [json!({"cosine": 0.1}), json!({"cosine": 0.3}), json!({"cosine": null}), json!({"l2": 1})];
        assert!(holds("cosine > 0.2", &rows));
        assert!(!holds("cosine > 0.3", &rows));
        assert!(holds("count(cosine > 0) >= 2", &rows));
        assert!(!holds("count(cosine > 0) > 2", &rows));
        assert!(holds("share(not exists(cosine)) = 0.5", &rows));
        assert!(holds("SHARE((cosine < 1) and cosine > 0.2) < 0.3", &rows));
        assert!(!holds("share(cosine > 0) < 1", &[]));
        assert!(holds("count(cosine > 0) = 0", &[]));
        assert!(holds("count > 1", &[json!({"count": 2})]));
    }

    #[test]
    fn aggregates_stand_alone() {
        for text in ["count(a > 1)", "count(a > 1) > 'x'", "share(a > 1 > 2", "count(a > 1) > 2 and b = 1"] {
            assert_eq!(Condition::parse(text).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
