//! The real program with a fault at every durable step: it ends with an error or dies, what was acknowledged before
//! stays, and the same command completes it.

use cvx::dataset::{Level, Select, Snapshot, Status, Trajectories, verify};
use cvx::model::Key;
use std::collections::BTreeMap;
use std::path::Path;

type Points = BTreeMap<Key, Vec<f32>>;

fn points(dir: &Path) -> Points {
    let s = Snapshot::open(dir, None).unwrap();
    let mut out = Points::new();
    let mut x = Vec::new();
    for rows in Trajectories::new(Select::default().resolve(&s).unwrap()) {
        rows.read(0..rows.len(), &mut x).unwrap();
        for (t, x) in rows.t.iter().zip(x.chunks_exact(2)) {
            out.insert(Key { entity: rows.entity, t: *t }, x.to_vec());
        }
    }
    out
}

fn lines(rows: std::ops::Range<i64>, value: f32) -> (String, Points) {
    let mut points = Points::new();
    let line = |i: i64| {
        let (entity, t) = (i as u64 % 5, i / 5);
        points.insert(Key { entity, t }, vec![value, 1.0]);
        format!("{{\"entity_id\":{entity},\"t\":{t},\"vector\":[{value},1]}}\n")
    };
    (rows.map(line).collect(), points)
}

/// Adds points and replaces others, since a replaced row must not go before its replacement is durable.
#[test]
fn an_ingest_that_fails_anywhere_loses_nothing() {
    let t = tempfile::tempdir().unwrap();
    let root = t.path().canonicalize().unwrap();
    let (first, acknowledged) = lines(0..20, 1.0);
    let (second, new) = lines(10..35, 2.0);
    std::fs::write(root.join("first.jsonl"), first).unwrap();
    std::fs::write(root.join("second.jsonl"), second).unwrap();
    let ingest = |dir: &str, file: &str, fault: Option<String>| {
        let mut command = crate::cvx(&root);
        let args = ["-d", dir, "-q", "ingest", file, "--time-unit", "us", "--on-conflict", "replace"];
        command.args(args).envs(fault.map(|f| ("CVX_FAULT", f)));
        command.output().unwrap()
    };
    crate::cvx(&root).args(["init", "made", "--dim", "2", "-q"]).assert().success();
    assert!(ingest("made", "first.jsonl", None).status.success());
    let all: Points = acknowledged.iter().chain(&new).map(|(k, x)| (*k, x.clone())).collect();
    // Each mode meets every third step, together they meet all of them.
    let (mut faults, mut last) = (0, usize::MAX);
    for (offset, mode) in ["abort", "from", "once"].into_iter().enumerate() {
        for n in (1 + offset..).step_by(3) {
            if n > last {
                break;
            }
            let name = format!("{mode}-{n}");
            let dir = root.join(&name);
            copy(&root.join("made"), &dir);
            let out = ingest(&name, "second.jsonl", Some(format!("{name}:{n}:{mode}")));
            let found = points(&dir);
            for (key, x) in &acknowledged {
                let now = found.get(key);
                assert!(now == Some(x) || now == new.get(key) && now.is_some(), "{name}: {key:?} is {now:?}");
            }
            if out.status.success() {
                // Some steps may fail once without harm; a kill ends the command wherever it comes.
                last = if mode == "abort" { n - 1 } else { last };
                continue;
            }
            faults += 1;
            assert!(mode == "abort" || out.status.code() == Some(1), "{name}: {out:?}");
            let again = ingest(&name, "second.jsonl", None);
            assert!(again.status.success(), "{name}: {again:?}");
            assert_eq!(points(&dir), all, "{name}");
            let worst = verify(&dir, None, Level::Deep, false, &mut |_| Ok(())).unwrap();
            assert_eq!(worst, Status::Ok, "{name}");
        }
    }
    assert!(faults > 20, "only {faults} faults");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for e in std::fs::read_dir(from).unwrap() {
        let e = e.unwrap();
        match e.file_type().unwrap().is_dir() {
            true => copy(&e.path(), &to.join(e.file_name())),
            false => _ = std::fs::copy(e.path(), to.join(e.file_name())).unwrap(),
        }
    }
}
