//! `cvx info`.

use crate::{cvx, failure, stdout, walkers};
use tempfile::tempdir;

#[test]
fn the_record_and_every_switch() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    let info = |more: &[&str]| stdout(cvx(dir.path()).args(["info", "-d", "d", "-f", "csv"]).args(more));
    let record = stdout(cvx(dir.path()).args(["stats", "-d", "d", "-f", "json"]));
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let r = &record[0];
    assert_eq!((&r["points"], &r["dim"], &r["seq"]), (&4.into(), &2.into(), &4.into()));
    assert_eq!(
        (r["t_min"].as_str(), r["t_max"].as_str()),
        (Some("2024-01-01T00:00:00Z"), Some("2024-01-04T00:00:00Z"))
    );
    assert!(r["bytes_hot"].as_u64().unwrap() > 0);

    let rows = info(&["--entities", "--time", "date"]);
    let mut lines: Vec<&str> = rows.lines().skip(1).map(|l| l.split_once(',').unwrap().1).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "a,3,2024-01-01,2024-01-04,\"[\"\"m@1\"\"]\",172800.0",
            "b,1,2024-01-03,2024-01-03,\"[\"\"m@1\"\"]\","
        ]
    );
    assert_eq!(info(&["--entities", "--min-points", "2"]).lines().count(), 2);
    assert_eq!(info(&["--models"]), "model,source,points\nm@1,given,4\n");
    let tiers = info(&["--tiers"]);
    assert!(tiers.starts_with("tier,files,points,bytes\nwal,0,0,0\nhot,1,4,"), "{tiers}");
    let files = info(&["--partitions"]);
    assert!(files.contains(".seg,segment,4,0,") && files.contains(".dict,dictionary,2,0,"), "{files}");
}

#[test]
fn numbers_have_no_names() {
    let dir = tempdir().unwrap();
    stdout(cvx(dir.path()).args(["init", "d", "--dim", "2"]));
    let header = stdout(cvx(dir.path()).args(["info", "-d", "d", "--entities", "-f", "csv"]));
    assert_eq!(header, "entity_id,points,t_min,t_max,models,gap_max_s\n");
}

#[test]
fn no_dataset() {
    let dir = tempdir().unwrap();
    for args in
        [&["info"][..], &["verify"], &["export"], &["velocity"], &["drift"], &["delete", "--all", "-y"]]
    {
        let (code, said) = failure(cvx(dir.path()).args(args));
        assert_eq!(code, 10, "{args:?}");
        assert!(said.starts_with("error: there is no dataset here\n  where: .\n  fix:   "), "{said}");
    }
}

#[test]
fn selections_that_name_nothing() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    std::fs::write(dir.path().join("list"), "a\nzebra\nyak\n").unwrap();
    let run = |args: &[&str]| {
        let output =
            cvx(dir.path()).args(["info", "-d", "d", "--entities", "-f", "csv"]).args(args).output().unwrap();
        let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
        (output.status.code().unwrap(), text(output.stdout).lines().count(), text(output.stderr))
    };
    let (code, lines, said) = run(&["--entity", "zebra"]);
    assert_eq!((code, lines), (5, 0));
    assert!(said.contains("entity \"zebra\" not found"), "{said}");
    let (code, lines, said) = run(&["--entities-from", "list"]);
    assert_eq!((code, lines), (3, 2), "{said}");
    assert!(said.contains("2 listed entities are not in the dataset"), "{said}");
    for (args, lines) in [
        (&["--limit", "0"][..], 1),
        (&["--limit", "1"], 2),
        (&["--in", "2031"], 1),
        (&["--where", "lang = 'en'"], 3),
        (&["--where", "lang = 'de'"], 2),
        (&["--model", "m"], 3),
        (&["--model", "n"], 1),
        (&["--source", "given"], 3),
        (&["--from", "max"], 2),
        (&["--to", "min"], 2),
        (&["--sample", "100%"], 3),
    ] {
        let (code, found, said) = run(args);
        assert_eq!((code, found), (0, lines), "{args:?}: {said}");
    }
    for (args, message) in [
        (&["--from", "1700000000"][..], "which unit"),
        (&["--from", "2024-01-02", "--to", "2024-01-01"], "empty"),
        (&["--where", "lang ="], "--where"),
        (&["--shard", "0/4"], "I from 1 to N"),
        (&["--sample", "120%"], "5%"),
        (&["--in", "2024", "--from", "2023"], "cannot be used with"),
    ] {
        let (code, lines, said) = run(args);
        assert_eq!((code, lines), (2, 0), "{args:?}: {said}");
        assert!(said.contains(message), "{args:?}: {said}");
    }
}

#[test]
fn shards_are_a_partition() {
    let dir = tempdir().unwrap();
    let names: Vec<String> = (0..40).map(|i| format!("e{i}")).collect();
    let points: Vec<_> = names.iter().map(|n| (n.as_str(), 0, [1.0, 0.0], "")).collect();
    crate::dataset(&dir.path().join("d"), &points);
    let rows = |args: &[&str]| {
        let text = stdout(cvx(dir.path()).args(["info", "-d", "d", "--entities", "-f", "csv"]).args(args));
        text.lines().skip(1).map(str::to_string).collect::<Vec<_>>()
    };
    let mut parts: Vec<String> = (1..=3).flat_map(|i| rows(&["--shard", &format!("{i}/3")])).collect();
    let mut all = rows(&[]);
    parts.sort_unstable();
    all.sort_unstable();
    assert_eq!(parts, all);
}
