//! Everything within a radius: paths that leave nothing out but by sound bounds.

use super::eligible::Eligible;
use super::paths::{Gather, Sink};
use super::plan;
use super::query::{Hit, Path};
use super::ranked::Ranked;
use super::search::{Search, Task};
use super::tables::{self, Tables};
use super::view::View;
use crate::error::Result;

/// Standard errors that one-bit estimates are allowed: about one row in 30,000 lies beyond.
const ERRORS: f32 = 4.0;
/// Where the nearest need more than the usual standard errors, so does a ball, in proportion.
fn errors(tables: &Tables) -> f32 {
    ERRORS * (tables.errors / tables::ERRORS).max(1.0)
}

impl Search<'_> {
    /// All eligible rows within `radius`, at most `query.k`, best first.
    pub(super) fn within(&self, task: &mut Task<'_>, radius: f64) -> Result<Vec<Hit>> {
        let target = task.target;
        let squared = self.space.squared(radius, target.norm);
        let mut ball = Ball {
            view: self.view,
            eligible: task.eligible,
            errors: errors(self.tables),
            // Rounded up: the radius itself is inside.
            reach: (squared * (1.0 + 1e-6)) as f32 + target.bounds.at_most(squared as f32),
            rows: Vec::new(),
        };
        let plan = plan::choose_all(self.view, self.tables, task.query, task.eligible);
        let mut along = task.along(self.view, &mut ball);
        match plan.path {
            Path::Nothing | Path::Exact => {}
            Path::Scan => along.scan()?,
            Path::Listed => along.listed()?,
            _ => probe_within(&mut along)?,
        }
        task.report(plan.path, plan.costs);
        let mut ranked = Ranked::new(task.query);
        self.rank_outliers(task, &mut ranked)?;
        for row in &ball.rows {
            self.rank(task, *row, &mut ranked)?;
        }
        self.order(task.query, ranked.into_hits())
    }
}

/// Every list that the ball can touch.
fn probe_within(along: &mut Gather<'_, Ball<'_>>) -> Result<()> {
    let lists = &along.view.lists;
    along.work.table.set(&along.work.place);
    along.order_lists(lists.len());
    let order = std::mem::take(&mut along.work.order);
    let radius = along.sink.reach.max(0.0).sqrt();
    for (centre2, list) in &order {
        let error = along.target.bounds.at_most(*centre2);
        let gap = (centre2 - error).max(0.0).sqrt() - lists.radius[*list as usize];
        if gap <= radius {
            along.probe_list((*centre2, *list as usize))?;
        }
    }
    along.work.order = order;
    Ok(())
}

/// Takes the eligible rows within a squared distance.
struct Ball<'a> {
    view: &'a View<'a>,
    eligible: &'a Eligible,
    reach: f32,
    errors: f32,
    rows: Vec<u32>,
}

impl Sink for Ball<'_> {
    fn reach(&mut self) -> f32 {
        self.reach
    }

    fn take(&mut self, _squared: f32, row: u32) -> Result<()> {
        if self.eligible.admits(self.view, row)? {
            self.rows.push(row);
        }
        Ok(())
    }

    fn errors(&self) -> f32 {
        self.errors
    }

    fn filled(&self) -> bool {
        true
    }
}
