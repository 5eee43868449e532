//! Texts of the command line and of cvx.toml.

use crate::{dir, file};
use cvx::filter::{Condition, Filter};
use cvx::time::{Grid, Now, TimeExpr};

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// `--where` and `--fail-on`.
pub fn filter(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(filter) = Filter::parse(text) {
        let _ = filter.paths();
        let row = r#"{"lang":"en","score":0.5,"a":{"b":[1,null,"x"]},"n":9007199254740993}"#;
        let _ = filter.matches(row);
    }
    if let Ok(condition) = Condition::parse(text) {
        let _ = condition.expr();
    }
}

/// A look into metadata.
pub fn lookup(bytes: &[u8]) {
    if let Some(text) = text(bytes) {
        let _ = cvx::filter::lookup(text, &["a".into(), "b".into()]);
    }
}

/// Times, periods and durations.
pub fn time(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let bounds = Some((-62_000_000_000_000_000, 1_800_000_000_000_000));
    let now = Now { now: 1_700_000_000_000_000, bounds };
    let _ = cvx::time::parse_time(text, &now);
    let _ = cvx::time::parse_period(text, &now);
    let _ = TimeExpr::parse(text).map(|e| e.resolve(&now));
    let Ok(duration) = cvx::time::parse_duration(text) else { return };
    let _ = (duration.seconds(), duration.mean_us(), duration.step(5, -1));
    if let Ok(grid) = Grid::new(duration) {
        let _ = (grid.floor(-1), grid.floor(i64::MAX), grid.floor(i64::MIN), grid.after(i64::MAX - 1));
    }
}

/// cvx.toml.
pub fn config(bytes: &[u8]) {
    file("cvx.toml", bytes);
    let _ = cvx::config::Config::read(dir());
}
