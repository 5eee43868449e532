//! What a compaction would do: a pure value from a manifest and a policy.

use crate::maintenance::period::Periods;
use crate::manifest::{FileEntry, FileKind, Manifest};
use crate::model::TimestampUs;
use std::collections::BTreeMap;

/// Bytes of input of one job, about: each is built and published by itself.
const JOB_BYTES: u64 = 4 << 30;

/// What to compact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Only hot files all of whose points are older than this instant.
    pub before: Option<TimestampUs>,
    /// Size of a warm file, about.
    pub target_bytes: u64,
    /// Also files with rows that no longer count.
    pub purge: bool,
    /// All files.
    pub rewrite: bool,
    /// Bytes of input of a job at most; 0 for the usual ones.
    pub job_bytes: u64,
    /// Only files with points before this instant, each cut in two there; hot files older than
    /// `before` too.
    pub cut: Option<TimestampUs>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            before: None,
            target_bytes: 256 << 20,
            purge: false,
            rewrite: false,
            job_bytes: 0,
            cut: None,
        }
    }
}

/// Why a file takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A hot segment goes to warm.
    Seal,
    /// A small warm file is merged with others.
    Small,
    /// Rows that no longer count are taken out.
    Purge,
    /// Everything is written anew.
    Rewrite,
    /// A file holds points on both sides of the cut.
    Cut,
}

impl Why {
    /// The word in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Seal => "hot",
            Why::Small => "small",
            Why::Purge => "purge",
            Why::Rewrite => "rewrite",
            Why::Cut => "cut",
        }
    }
}

/// Files that are merged and published together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// The files and why.
    pub inputs: Vec<(FileEntry, Why)>,
}

impl Job {
    /// Bytes of the inputs.
    pub fn bytes(&self) -> u64 {
        self.inputs.iter().map(|(f, _)| f.seal.len).sum()
    }
}

/// The jobs that a policy asks for, in order.
pub fn plan(m: &Manifest, policy: &Policy, periods: &Periods) -> Vec<Job> {
    let mut inputs: BTreeMap<u64, (FileEntry, Why)> = BTreeMap::new();
    let old = |f: &FileEntry| policy.before.is_none_or(|t| f.t_max < t);
    if let Some(cut) = policy.cut {
        for f in m.of(FileKind::Segment).filter(|f| f.t_min < cut || old(f)) {
            inputs.insert(f.id, (*f, Why::Seal));
        }
        for f in m.of(FileKind::Warm).filter(|f| f.t_min < cut && cut <= f.t_max) {
            inputs.insert(f.id, (*f, Why::Cut));
        }
        return jobs(inputs, policy);
    }
    let hot: Vec<&FileEntry> = m.of(FileKind::Segment).filter(|f| old(f)).collect();
    for f in &hot {
        inputs.insert(f.id, (**f, Why::Seal));
    }
    for f in m.of(FileKind::Warm) {
        if policy.rewrite {
            inputs.insert(f.id, (*f, Why::Rewrite));
        } else if policy.purge && m.deletions_of(f.id).is_some() {
            inputs.insert(f.id, (*f, Why::Purge));
        }
    }
    // What comes to a period from elsewhere, as far as files lie in it whole.
    let incoming = |file: &FileEntry| -> u64 {
        let (first, last) = periods.of(file.t_min);
        hot.iter().filter(|f| first <= f.t_min && f.t_max <= last).map(|f| f.seal.len).sum()
    };
    for f in small(m, policy, incoming, |id| inputs.contains_key(&id)) {
        inputs.insert(f.id, (f, Why::Small));
    }
    jobs(inputs, policy)
}

/// The files as jobs. Files near in time share a job, and so an output.
fn jobs(inputs: BTreeMap<u64, (FileEntry, Why)>, policy: &Policy) -> Vec<Job> {
    let mut ordered: Vec<(FileEntry, Why)> = inputs.into_values().collect();
    ordered.sort_by_key(|(f, _)| (f.t_min, f.id));
    let most = if policy.job_bytes == 0 { JOB_BYTES } else { policy.job_bytes.min(JOB_BYTES) };
    let mut jobs: Vec<Job> = Vec::new();
    for (f, why) in ordered {
        match jobs.last_mut() {
            Some(job) if job.bytes() + f.seal.len <= most => job.inputs.push((f, why)),
            _ => jobs.push(Job { inputs: vec![(f, why)] }),
        }
    }
    jobs
}

/// Small warm files to be merged. Within a period of a bucket, from the smallest up, each joins that
/// is not much larger than all before it together, so that a row is rewritten a logarithmic number of
/// times; `incoming` bytes come to a file's period from elsewhere. One alone is left as it is.
fn small(
    m: &Manifest,
    policy: &Policy,
    incoming: impl Fn(&FileEntry) -> u64,
    taken: impl Fn(u64) -> bool,
) -> Vec<FileEntry> {
    let mut buckets: BTreeMap<(u16, u8, &str), Vec<FileEntry>> = BTreeMap::new();
    for f in m.of(FileKind::Warm).filter(|f| f.seal.len < policy.target_bytes / 2 && !taken(f.id)) {
        if let Some(p) = m.placement(f.id) {
            buckets.entry((p.bucket, p.bits, &p.label)).or_default().push(*f);
        }
    }
    let mut out = Vec::new();
    for ((_, bits, _), mut files) in buckets {
        files.sort_by_key(|f| (f.seal.len, f.id));
        let share = incoming(&files[0]) >> bits;
        let mut sum = if share > 0 { share } else { files[0].seal.len };
        let n = files.iter().take_while(|f| {
            let joins = f.seal.len <= 2 * sum;
            sum += f.seal.len;
            joins
        });
        let n = n.count();
        if n > 1 || share > 0 {
            out.extend_from_slice(&files[..n]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Partition;
    use crate::format::container::Seal;
    use crate::manifest::Placement;

    const MIB: u64 = 1 << 20;

    fn file(kind: FileKind, id: u64, mib: u64, t: i64) -> FileEntry {
        let seal = Seal { len: mib * MIB, root: u128::from(id) };
        FileEntry {
            kind,
            id,
            seal,
            target: 0,
            rows: 10,
            entity_min: 0,
            entity_max: 9,
            t_min: t,
            t_max: t + 9,
            seq_min: 0,
            seq_max: 9,
        }
    }

    fn manifest(hot: &[(u64, u64, i64)], warm: &[(u64, u64, i64, u16)]) -> Manifest {
        let mut m = Manifest {
            commit: 1,
            parent: 0,
            dataset: [1; 16],
            dim: 2,
            metric: 1,
            named: false,
            required_features: 0,
            created_us: 0,
            command: String::new(),
            rows_added: 0,
            rows_replaced: 0,
            rows_deleted: 0,
            next_file: 1000,
            next_seq: 10,
            log: 0,
            files: Vec::new(),
            stores: Vec::new(),
            placements: Vec::new(),
            covered: Vec::new(),
        };
        for (id, mib, t) in hot {
            m.add(file(FileKind::Segment, *id, *mib, *t), None);
        }
        for (id, mib, t, bucket) in warm {
            let bits = u8::from(*bucket > 0);
            m.add(
                file(FileKind::Warm, *id, *mib, *t),
                Some(Placement::warm(*id, *bucket, bits, "2026".into())),
            );
        }
        m.arrange();
        m.check().unwrap();
        m
    }

    fn plan(m: &Manifest, policy: &Policy) -> Vec<Job> {
        super::plan(m, policy, &Periods::new(Partition::Year))
    }

    fn ids(jobs: &[Job]) -> Vec<Vec<u64>> {
        jobs.iter().map(|j| j.inputs.iter().map(|(f, _)| f.id).collect()).collect()
    }

    #[test]
    fn hot_files_go_to_warm_with_the_small_files_that_are_worth_it() {
        let policy = Policy::default();
        assert!(plan(&manifest(&[], &[]), &policy).is_empty());
        let m = manifest(&[(1, 60, 0), (2, 60, 50)], &[(3, 100, 10, 0), (4, 200, 0, 0)]);
        assert_eq!(ids(&plan(&m, &policy)), [[1, 3, 2]]);
        let m = manifest(&[(1, 1, 0)], &[(3, 100, 10, 0)]);
        assert_eq!(ids(&plan(&m, &policy)), [[1]], "not rewritten for little");
        assert_eq!(ids(&plan(&m, &Policy { before: Some(5), ..policy })), Vec::<Vec<u64>>::new());
        assert_eq!(ids(&plan(&m, &Policy { rewrite: true, ..policy })), [[1, 3]]);
        let m = manifest(&[(1, 60, 0), (2, 60, 50)], &[]);
        assert_eq!(ids(&plan(&m, &Policy { job_bytes: 64 * MIB, ..policy })), [[1], [2]]);
    }

    #[test]
    fn merging_ends() {
        let policy = Policy::default();
        let m = manifest(&[], &[(3, 10, 0, 0)]);
        assert!(plan(&m, &policy).is_empty(), "one alone stays");
        let m = manifest(&[], &[(3, 10, 0, 0x8000), (4, 10, 0, 0)]);
        assert!(plan(&m, &policy).is_empty(), "other buckets do not mix");
        let m = manifest(&[], &[(3, 10, 0, 0), (4, 15, 5, 0), (5, 127, 0, 0), (6, 300, 0, 0)]);
        assert_eq!(ids(&plan(&m, &policy)), [[3, 4]], "a large one is not rewritten for small ones");
    }

    #[test]
    fn purge_takes_files_with_dead_rows() {
        let mut m = manifest(&[], &[(3, 200, 0, 0), (4, 200, 0, 0)]);
        let dead = FileEntry { target: 4, rows: 1, ..file(FileKind::Deletions, 9, 0, 0) };
        m.add(dead, None);
        m.arrange();
        assert!(plan(&m, &Policy::default()).is_empty());
        let jobs = plan(&m, &Policy { purge: true, ..Policy::default() });
        assert_eq!(ids(&jobs), [[4]]);
        assert_eq!(jobs[0].inputs[0].1, Why::Purge);
    }
}
