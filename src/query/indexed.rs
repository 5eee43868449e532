//! Neighbours through the index, with scans of the points that it lacks.
//!
//! The index chooses candidates; distances are those of an exact scan, and what the index does
//! not cover is scanned, so an answer means the same with and without it. When it cannot be
//! used, everything is scanned, and [`Cost`] says why.

use super::cold::scan_tiers;
use super::coverage::{outside, split};
use super::neighbours::{check, groups, query, rows_of, scanned, span};
use super::states::states;
use super::{Composite, Cost, Found, Hit, Query, Request, When};
use crate::dataset::{Coverage, IndexPart, Select, Selected, Snapshot};
use crate::error::{Code, Error, Result};
use crate::index::{self, Check, Effort, Eligible, Exact, Filter, Reader};
use crate::metric::{ExactQuery, Metric};
use crate::model::{TimeRange, TimestampUs, VectorSource};
use crate::watch::Watch;
use rayon::prelude::*;
use std::collections::HashSet;

/// Selected points up to this number are scanned rather than looked up in the index.
const FEW: u64 = if cfg!(test) { 16 } else { 4096 };
/// Bytes of the index that one query touches, about; queries that touch most of a part check it
/// as a whole.
const TOUCHED: u64 = 32 << 20;

/// From this many questions on a scan that they share is thought of; so many are looked at for its worth.
const SHARING: usize = 8;
/// Nanoseconds of a question in a scan that many share, a coordinate of a row: benches/record/index.md.
const SCAN_NS: f64 = 0.05;
/// Nanoseconds that a question takes beside.
const SCAN_BESIDE_NS: f64 = 20_000.0;

/// How to look.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct How {
    /// Scan everything.
    pub exact: bool,
    /// Rows that a search of the index looks at, about; with as many as a part has, all of them. Without it what
    /// calibration found for the usual recall.
    pub ef: Option<usize>,
    /// The recall that searches of the index are sized for; beyond the largest that calibration looks at, all points are compared.
    pub recall: Option<f64>,
}

impl How {
    fn effort(&self) -> Effort {
        match (self.ef, self.recall) {
            (Some(ef), _) => Effort::Beam(ef),
            (None, Some(recall)) => Effort::Recall(recall),
            (None, None) => Effort::default(),
        }
    }
}

/// As [`super::neighbours`], through the index where there is one for the metric.
pub fn search<'a>(
    snapshot: &'a Snapshot,
    select: &Select,
    metric: Metric,
    requests: &[Request],
    how: How,
    watch: &dyn Watch,
) -> Result<(Vec<Vec<Found<'a>>>, Cost)> {
    check(snapshot, requests)?;
    let exactly = |because: &str, warning: Option<String>| {
        let (answers, cost) = scanned(snapshot, select, metric, requests, how.exact, watch)?;
        Ok((answers, Cost { exact_because: Some(because.to_owned()), warning, ..cost }))
    };
    let shells = |r: &Request| r.radius.is_some() && r.time.is_some_and(|c| c.uses_time());
    let entries = snapshot.manifest().index_parts();
    let because = match entries.is_empty() {
        _ if how.exact => Some("asked for"),
        true => Some("there is no index"),
        false if requests.iter().any(shells) => Some("the radius is one of distance and time together"),
        false => None,
    };
    if let Some(because) = because {
        return exactly(because, None);
    }
    let opened = entries.iter().map(|entry| snapshot.index_part(entry)).collect::<Result<Vec<_>>>();
    let answered = match opened {
        Ok(parts) if parts.iter().any(|p| !p.part.is_current()) => {
            let text =
                "the index was built by an older cvx and is not used; `cvx index build` builds it again";
            return exactly("the index is of an older format", Some(text.to_owned()));
        }
        Ok(parts) if parts.iter().any(|p| p.part.metric() != metric) => {
            return exactly("the index is for another metric", None);
        }
        Ok(parts) if parts.iter().any(|p| needs_scan(p, how)) => {
            return exactly("the index keeps no vectors, and all of them are to be compared", None);
        }
        Ok(parts) => {
            Indexed::new(snapshot, select, requests, how, &parts, watch).and_then(|i| i.answer(metric))
        }
        Err(e) => Err(e),
    };
    match answered {
        Err(e) if matches!(e.code(), Code::Damaged | Code::Io | Code::Version) => {
            exactly("the index is damaged", Some(e.to_string()))
        }
        other => other,
    }
}

/// True for a part whose every row is to be compared, but that has no vectors of its own: the points' files are read in
/// their order rather than for each row.
fn needs_scan(part: &IndexPart, how: How) -> bool {
    let head = part.part.head();
    !head.exact && (!head.tables.allowed.scan || how.effort().is_all(part.part.rows()))
}

/// Questions and the open index.
struct Indexed<'a, 'p> {
    snapshot: &'a Snapshot,
    select: &'p Select,
    requests: &'p [Request],
    how: How,
    parts: &'p [IndexPart],
    check: Check,
    watch: &'p dyn Watch,
}

/// What the questions of one group share.
struct Group<'p, 'a> {
    /// The parts of the index with their eligible rows.
    eligible: Vec<(&'p IndexPart, Eligible)>,
    /// Points that are scanned.
    rest: Selected<'a>,
    /// Only points of these times.
    time: TimeRange,
}

impl<'a, 'p> Indexed<'a, 'p> {
    fn new(
        snapshot: &'a Snapshot,
        select: &'p Select,
        requests: &'p [Request],
        how: How,
        parts: &'p [IndexPart],
        watch: &'p dyn Watch,
    ) -> Result<Self> {
        let bytes: u64 = parts.iter().map(|p| p.part.bytes()).sum();
        let check = match requests.len() as u64 * TOUCHED > bytes {
            true if requests.len() > 1 => Check::Whole,
            _ => Check::Lazy,
        };
        Ok(Indexed { snapshot, select, requests, how, parts, check, watch })
    }

    fn answer(&self, metric: Metric) -> Result<(Vec<Vec<Found<'a>>>, Cost)> {
        let mut cost = Cost { parts: self.snapshot.part_count() as u64, ..Cost::default() };
        let mut answers: Vec<Vec<Found<'a>>> = self.requests.iter().map(|_| Vec::new()).collect();
        let mut scanned = 0;
        for (when, members) in groups(self.requests) {
            let group = self.group(when, &members)?;
            if self.shares_a_scan(&group, &members)? {
                let (found, all) = self.scan_all(&members, metric)?;
                scanned = scanned.max(all.parts - all.parts_pruned);
                cost.scan.add(&all.scan);
                cost.exact_because = Some("so many questions share one scan for less".to_owned());
                members.iter().zip(found).for_each(|(i, found)| answers[*i] = found);
                continue;
            }
            scanned = scanned.max(group.rest.parts.len() as u64);
            let found = self.search(&group, &members)?;
            let queries: Vec<Query> = members.iter().map(|i| query(&self.requests[*i])).collect();
            let (hits, stats) =
                scan_tiers(self.snapshot, &group.rest.parts, &queries, metric, false, self.watch)?;
            cost.scan.add(&stats);
            for ((i, (mut found, stats)), hits) in members.iter().zip(found).zip(hits) {
                let of_part = |hit: Hit| Found { hit, part: Some(group.rest.parts[hit.part as usize].0) };
                found.extend(hits.into_iter().map(of_part));
                answers[*i] = first(found, &self.requests[*i]);
                add(&mut cost.index, stats);
            }
        }
        cost.parts_pruned = cost.parts - scanned;
        Ok((answers, cost))
    }

    /// Whether one scan of all rows for all questions of a group costs less than to ask the index each.
    fn shares_a_scan(&self, group: &Group<'p, 'a>, members: &[usize]) -> Result<bool> {
        let few = members.len() < SHARING || self.how.ef.is_some() || self.how.recall.is_some();
        if few || group.eligible.is_empty() || members.iter().any(|i| self.requests[*i].time.is_some()) {
            return Ok(false);
        }
        let readers = self.readers(Check::Lazy)?;
        let (mut asking, mut asked) = (0.0, 0.0);
        for i in members.iter().step_by(members.len() / SHARING) {
            let request = &self.requests[*i];
            let question = self.question(request);
            let range = range_of(group, request);
            for ((_, base), reader) in group.eligible.iter().zip(&readers) {
                asking += reader.cost(&question, &reader.narrow(base, &range, request.exclude.as_slice())?);
            }
            asked += 1.0;
        }
        let rows: usize = group.eligible.iter().map(|(_, base)| base.estimate()).sum();
        let scanning = rows as f64 * SCAN_NS * self.snapshot.settings().dim as f64 + SCAN_BESIDE_NS;
        Ok(scanning < asking / asked)
    }

    /// Answers a group by scans.
    fn scan_all(&self, members: &[usize], metric: Metric) -> Result<(Vec<Vec<Found<'a>>>, Cost)> {
        let requests: Vec<Request> = members.iter().map(|i| self.requests[*i].clone()).collect();
        scanned(self.snapshot, self.select, metric, &requests, false, self.watch)
    }

    /// Works out which rows count for the questions of a group.
    fn group(&self, when: Option<When>, members: &[usize]) -> Result<Group<'p, 'a>> {
        let readers = self.readers(Check::Lazy)?;
        let coverage = Coverage::new(self.parts, &readers);
        let mut time = self.select.time;
        if let Some(When::AsOf(t, age)) = when {
            let oldest = age.map_or(i64::MIN, |age| t.saturating_sub(age));
            time = time.intersect(&TimeRange::closed(oldest, t));
        }
        let filter = Filter { range: time, ..Filter::default() };
        if !self.select.is_only_time() {
            let selected = rows_of(self.snapshot, self.select, when, self.requests, members)?;
            if selected.points() <= FEW {
                return Ok(Group { eligible: Vec::new(), rest: selected, time });
            }
            let (allowed, rest) = split(selected, self.parts.len(), coverage)?;
            let eligible = self.eligible(&readers, |i| Filter { allowed: Some(&allowed[i]), ..filter })?;
            return Ok(Group { eligible, rest, time });
        }
        let Some(When::AsOf(t, _)) = when else {
            let rest = outside(self.snapshot, coverage, &[], &time.intersect(&span(self.requests, members)))?;
            return Ok(Group { eligible: self.eligible(&readers, |_| filter)?, rest, time });
        };
        let rest = outside(self.snapshot, coverage, &[], &TimeRange::closed(i64::MIN, t))?;
        let (known, rest) = states(t, self.parts, &readers, rest)?;
        let eligible = self.eligible(&readers, |i| Filter { as_of: Some(t), states: &known[i], ..filter })?;
        Ok(Group { eligible, rest: within(rest, &time), time })
    }

    fn readers(&self, check: Check) -> Result<Vec<Reader<'p>>> {
        self.parts.iter().map(|p| p.part.reader(check)).collect()
    }

    fn eligible<'f>(
        &self,
        readers: &[Reader<'p>],
        filter: impl Fn(usize) -> Filter<'f>,
    ) -> Result<Vec<(&'p IndexPart, Eligible)>> {
        let of = |(i, part): (usize, &'p IndexPart)| {
            let filter = Filter { deleted: Some(&part.dead), ..filter(i) };
            Ok((part, readers[i].prepare(&filter)?))
        };
        self.parts.iter().enumerate().map(of).collect()
    }

    /// Asks the index each question of a group, on all threads.
    fn search(
        &self,
        group: &Group<'p, 'a>,
        members: &[usize],
    ) -> Result<Vec<(Vec<Found<'a>>, index::Stats)>> {
        if group.eligible.is_empty() {
            return Ok(members.iter().map(|_| Default::default()).collect());
        }
        let ask = |readers: &mut Vec<Reader<'p>>, i: &usize| self.ask(group, readers, &self.requests[*i]);
        if members.len() == 1 {
            let mut readers = self.readers(self.check)?;
            return members.iter().map(|i| ask(&mut readers, i)).collect();
        }
        let shelf = std::sync::Mutex::new(Vec::new());
        let lock = || shelf.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        members
            .par_iter()
            .map(|i| {
                self.watch.stop()?;
                let taken = lock().pop();
                let mut readers = taken.map_or_else(|| self.readers(self.check), Ok)?;
                let found = ask(&mut readers, i)?;
                lock().push(readers);
                Ok(found)
            })
            .collect()
    }

    /// The question of a request, without time in the ranking.
    ///
    /// A build sizes its searches for so many neighbours ([`index::WANTED`]). Fewer are looked for as that many, since
    /// a shorter walk finds a smaller share of them: .93 of the single nearest of unseen uniform points in 8 dimensions.
    fn question<'q>(&self, request: &'q Request) -> index::Query<'q> {
        index::Query {
            radius: request.radius,
            per_entity: request.best_per_entity,
            effort: self.how.effort(),
            ..index::Query::nearest(&request.vector, request.k.max(index::WANTED))
        }
    }

    fn ask(
        &self,
        group: &Group<'p, 'a>,
        readers: &mut [Reader<'p>],
        request: &Request,
    ) -> Result<(Vec<Found<'a>>, index::Stats)> {
        let time = request.time.filter(Composite::uses_time);
        let of_distance = |d: f64| time.map_or(d, |c| c.normalised(d));
        let of_time = |t: TimestampUs| time.map_or(0.0, |c| c.d_time(t));
        let question = index::Query {
            composite: time.map(|c| index::Composite {
                alpha: c.alpha(),
                at: c.at(),
                of_distance: &of_distance,
                of_time: &of_time,
            }),
            ..self.question(request)
        };
        let range = range_of(group, request);
        let (mut found, mut stats) = (Vec::new(), index::Stats::default());
        for ((part, base), reader) in group.eligible.iter().zip(readers) {
            let eligible = reader.narrow(base, &range, request.exclude.as_slice())?;
            let hits = match part.part.head().exact {
                true => reader.search(&question, &eligible, None, &mut stats)?,
                false => {
                    let elsewhere = Elsewhere::new(self.snapshot, part, &request.vector)?;
                    reader.search(&question, &eligible, Some(&elsewhere), &mut stats)?
                }
            };
            for hit in hits {
                let key = reader.key(hit.row)?;
                found.push(Found {
                    hit: Hit {
                        distance: time.map_or(hit.distance, |c| c.distance(hit.distance, key.t)),
                        d_vec: hit.distance,
                        d_time: time.map(|c| c.d_time(key.t)),
                        key,
                        part: 0,
                        row: hit.row,
                    },
                    part: None,
                });
            }
        }
        Ok((found, stats))
    }
}

/// Exact distances for a part that keeps no vectors: from the files of points.
struct Elsewhere<'e> {
    snapshot: &'e Snapshot,
    keys: Reader<'e>,
    query: ExactQuery<'e>,
}

impl<'e> Elsewhere<'e> {
    fn new(snapshot: &'e Snapshot, part: &'e IndexPart, vector: &'e [f32]) -> Result<Self> {
        let query = ExactQuery::new(part.part.metric(), vector);
        Ok(Elsewhere { snapshot, keys: part.part.reader(Check::Lazy)?, query })
    }
}

impl Exact for Elsewhere<'_> {
    fn distance(&self, row: u32) -> Result<Option<f64>> {
        let missing = || Error::new(Code::Damaged, "the index names a point that the dataset does not have");
        let (part, row) = self.snapshot.point(self.keys.key(row)?)?.ok_or_else(missing)?;
        let mut buffer = Vec::new();
        Ok(self.query.distance(part.vectors(row..row + 1, &mut buffer)?))
    }
}

/// The times that count for a request.
fn range_of(group: &Group<'_, '_>, request: &Request) -> TimeRange {
    match request.when {
        When::Window((a, b)) => group.time.intersect(&TimeRange::closed(a, b)),
        When::AsOf(..) => group.time,
    }
}

/// Keeps the rows whose times lie in a range.
fn within<'a>(mut selected: Selected<'a>, time: &TimeRange) -> Selected<'a> {
    for (part, rows) in &mut selected.parts {
        rows.retain(|r| time.contains(part.times()[r.start as usize]));
    }
    selected.parts.retain(|(_, rows)| !rows.is_empty());
    selected
}

/// The first `k` answers by (distance, entity, time), each point once.
fn first<'a>(mut found: Vec<Found<'a>>, request: &Request) -> Vec<Found<'a>> {
    let order = |a: &Found<'_>, b: &Found<'_>| {
        a.hit.distance.total_cmp(&b.hit.distance).then(a.hit.key.cmp(&b.hit.key))
    };
    found.sort_by(order);
    found.dedup_by_key(|f| f.hit.key);
    if request.best_per_entity {
        let mut seen = HashSet::new();
        found.retain(|f| seen.insert(f.hit.key.entity));
    }
    found.truncate(request.k);
    found
}

fn add(all: &mut index::Stats, one: index::Stats) {
    all.lists += one.lists;
    all.estimates += one.estimates;
    all.codes += one.codes;
    all.hops += one.hops;
    all.exact += one.exact;
    all.reports.extend(one.reports);
}
