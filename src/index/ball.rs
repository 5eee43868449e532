//! Everything within a radius: paths that leave nothing out but by sound bounds.

use super::eligible::Eligible;
use super::paths::Sink;
use super::plan;
use super::query::{Hit, Path, Report, Stats};
use super::ranked::Ranked;
use super::search::{Exact, Search, Target, Task, Workspace};
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
    pub(super) fn within(
        &self,
        task: &Task<'_>,
        radius: f64,
        exact: &dyn Exact,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<Vec<Hit>> {
        let Task { query, target, eligible } = *task;
        let squared = self.space.squared(radius, target.norm);
        let mut ball = Ball {
            view: self.view,
            eligible,
            errors: errors(self.tables),
            // Rounded up: the radius itself is inside.
            reach: (squared * (1.0 + 1e-6)) as f32 + target.bounds.at_most(squared as f32),
            rows: Vec::new(),
        };
        let plan = plan::choose_all(self.view, self.tables, query, eligible);
        match plan.path {
            Path::Nothing | Path::Exact => {}
            Path::Scan => self.scan(target, eligible, &mut ball, work, stats)?,
            Path::Listed => self.listed(target, eligible, &mut ball, work, stats)?,
            _ => self.probe_within(target, eligible, &mut ball, work, stats)?,
        }
        stats.reports.push(Report {
            path: plan.path,
            window: eligible.window(),
            eligible: eligible.estimate(),
            costs: plan.costs,
        });
        let mut ranked = Ranked::new(query);
        self.rank_outliers(task, exact, &mut ranked, stats)?;
        for row in &ball.rows {
            self.rank(task, *row, exact, &mut ranked, stats)?;
        }
        self.order(query, ranked.into_hits())
    }

    /// Every list that the ball can touch.
    fn probe_within(
        &self,
        target: &Target<'_>,
        eligible: &Eligible,
        ball: &mut Ball<'_>,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<()> {
        let lists = &self.view.lists;
        work.table.set(&work.place);
        self.order_lists(target, lists.len(), work);
        let order = std::mem::take(&mut work.order);
        let radius = ball.reach.max(0.0).sqrt();
        for (centre2, list) in &order {
            let error = target.bounds.at_most(*centre2);
            let gap = (centre2 - error).max(0.0).sqrt() - lists.radius[*list as usize];
            if gap <= radius {
                self.probe_list(target, eligible, (*centre2, *list as usize), ball, work, stats)?;
            }
        }
        work.order = order;
        Ok(())
    }
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
