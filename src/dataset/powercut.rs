//! What a power cut could leave, at every step: the recorded steps of a writer are replayed on a
//! model of a disk that keeps only what was synced, everything, names without content, content
//! without names, or a seeded mixture, and each state is opened, checked and completed.

use super::tests::{STEPS, all, apply, clean, made, options, put};
use super::*;
use crate::error::Result;
use crate::fsio::fault::{Mode, Recorded, arm};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file's content, and the part of it that is durable.
#[derive(Clone, Default)]
struct Node {
    data: Vec<u8>,
    synced: Vec<u8>,
}

/// Files by node; names as they are and as they are durable.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    OnlySynced,
    Everything,
    NamesWithoutContent,
    ContentWithoutNames,
    Mixture(u64),
}

impl Disk {
    /// The files below `dir`, all durable.
    pub(crate) fn base(dir: &Path) -> Disk {
        let mut disk = Disk::default();
        let mut todo = vec![dir.to_owned()];
        while let Some(d) = todo.pop() {
            for e in std::fs::read_dir(d).unwrap() {
                let path = e.unwrap().path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    let data = std::fs::read(&path).unwrap();
                    disk.nodes.push(Node { synced: data.clone(), data });
                    disk.names.insert(path, disk.nodes.len() - 1);
                }
            }
        }
        disk.durable = disk.names.clone();
        disk
    }

    fn apply(&mut self, step: &Recorded) {
        match step {
            Recorded::CreateDir(_) | Recorded::RemoveDir(_) => {}
            Recorded::Create(p) => {
                self.nodes.push(Node::default());
                self.names.insert(p.clone(), self.nodes.len() - 1);
            }
            Recorded::Write(p, bytes) => self.nodes[self.names[p]].data.extend_from_slice(bytes),
            Recorded::SyncFile(p) => {
                let n = &mut self.nodes[self.names[p]];
                n.synced = n.data.clone();
            }
            Recorded::SyncDir(d) => {
                self.durable.retain(|p, _| p.parent() != Some(d));
                let now = self.names.iter().filter(|(p, _)| p.parent() == Some(d));
                self.durable.extend(now.map(|(p, n)| (p.clone(), *n)));
            }
            Recorded::Rename(a, b) => {
                let n = self.names.remove(a).unwrap();
                self.names.insert(b.clone(), n);
            }
            Recorded::Link(a, b) => {
                self.names.insert(b.clone(), self.names[a]);
            }
            Recorded::Remove(p) => {
                self.names.remove(p);
            }
        }
    }

    /// The files that a cut leaves.
    fn after(&self, cut: Cut) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut random = match cut {
            Cut::Mixture(seed) => seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            _ => 1,
        };
        let mut roll = |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        let mut names = match cut {
            Cut::OnlySynced | Cut::ContentWithoutNames => self.durable.clone(),
            _ => self.names.clone(),
        };
        if let Cut::Mixture(_) = cut {
            // Each directory may be as it is or as it was.
            let mut dirs: Vec<&Path> =
                self.names.keys().chain(self.durable.keys()).filter_map(|p| p.parent()).collect();
            dirs.sort();
            dirs.dedup();
            for d in dirs {
                if roll(2) == 0 {
                    names.retain(|p, _| p.parent() != Some(d));
                    let was = self.durable.iter().filter(|(p, _)| p.parent() == Some(d));
                    names.extend(was.map(|(p, n)| (p.clone(), *n)));
                }
            }
        }
        let mut content = |n: usize| {
            let n = &self.nodes[n];
            let zeros = || {
                let mut z = n.synced.clone();
                z.resize(n.data.len(), 0);
                z
            };
            match cut {
                Cut::OnlySynced => n.synced.clone(),
                Cut::Everything | Cut::ContentWithoutNames => n.data.clone(),
                Cut::NamesWithoutContent => zeros(),
                Cut::Mixture(_) => match roll(4) {
                    0 => n.synced.clone(),
                    1 => n.data.clone(),
                    2 => zeros(),
                    _ => torn(n, &mut roll),
                },
            }
        };
        names.into_iter().map(|(p, n)| (p, content(n))).collect()
    }
}

/// Unsynced bytes arrive in pieces of 512, some of them not.
fn torn(n: &Node, roll: &mut impl FnMut(u64) -> u64) -> Vec<u8> {
    let mut out = n.data.clone();
    for start in (n.synced.len()..out.len()).step_by(512) {
        if roll(2) == 0 {
            let end = (start + 512).min(out.len());
            out[start..end].fill(0);
        }
    }
    let keep = n.synced.len() as u64 + roll((out.len() - n.synced.len()) as u64 + 1);
    out.truncate(keep as usize);
    out
}

/// Puts a state on the real disk.
fn materialise(dir: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    for d in ["warm", "cold"] {
        let _ = std::fs::remove_dir_all(dir.join(d));
    }
    for d in DIRS {
        let d = dir.join(d);
        let _ = std::fs::remove_dir_all(&d);
        std::fs::create_dir_all(d).unwrap();
    }
    for (path, bytes) in files {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Replays the recorded steps on a model of a disk, and after each puts every state that a cut
/// could leave into `dir` and calls `check` with the number of steps and the cut.
pub(crate) fn replay(dir: &Path, mut disk: Disk, log: &[Recorded], mut check: impl FnMut(usize, Cut)) {
    let mut lost_something = 0;
    for (n, step) in log.iter().enumerate() {
        disk.apply(step);
        let mut cuts =
            vec![Cut::OnlySynced, Cut::Everything, Cut::NamesWithoutContent, Cut::ContentWithoutNames];
        cuts.extend((0..3).map(|s| Cut::Mixture(n as u64 * 3 + s)));
        for cut in cuts {
            let files = disk.after(cut);
            lost_something += usize::from(files != disk.after(Cut::Everything));
            materialise(dir, &files);
            check(n + 1, cut);
        }
    }
    assert!(lost_something > 20, "the cuts took nothing away");
}

#[test]
fn acknowledged_rows_survive_a_power_cut_at_every_step() {
    let (_t, dir) = made(3);
    let base = Disk::base(&dir);
    let armed = arm(&dir, 0, Mode::Count, true);
    let mut acknowledged = Vec::new();
    let work = |on: &mut dyn FnMut(usize)| -> Result<()> {
        let mut w = Writer::open(&dir, options())?;
        for (i, rows) in STEPS.iter().enumerate() {
            put(&mut w, rows)?;
            on(i + 1);
            if i == 1 {
                w.seal()?;
            }
        }
        w.finish().map(|_| ())
    };
    work(&mut |i| acknowledged.push((armed.count() as usize, i))).unwrap();
    let log = armed.take_log();
    drop(armed);
    assert!(log.iter().any(|s| matches!(s, Recorded::SyncFile(_))) && log.len() > 50);
    let mut models = vec![super::tests::Model::new()];
    for s in STEPS {
        let mut m = models.last().unwrap().clone();
        apply(&mut m, s);
        models.push(m);
    }
    replay(&dir, base, &log, |n, cut| {
        let least = acknowledged.iter().filter(|(at, _)| *at <= n).map(|(_, i)| *i).max().unwrap_or(0);
        let found = all(&dir).unwrap_or_else(|e| panic!("step {n} {cut:?}: {e}"));
        let at = models.iter().rposition(|m| *m == found);
        assert!(at.is_some_and(|at| at >= least), "step {n} {cut:?}: {least} acknowledged, {at:?} found");
        work(&mut |_| {}).unwrap_or_else(|e| panic!("step {n} {cut:?}, then: {e}"));
        assert_eq!(&all(&dir).unwrap(), models.last().unwrap(), "step {n} {cut:?}");
        clean(&dir);
    });
}
