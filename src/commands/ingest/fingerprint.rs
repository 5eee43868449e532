//! Fingerprints of the options that decide what a file's bytes mean. The ledger keeps one for each file: a file that was
//! read with other options is read again.

use crate::dataset::OnConflict;
use crate::format::checksum::hash64;
use crate::format::codec::Encoder;
use crate::format::hex;
use crate::input::{Format, IdKind, InputOptions, MetaColumns, TimeUnit};
use std::path::Path;

/// The fingerprint of a run's options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// As it is written now.
    pub now: u64,
    /// As programs wrote it whose ledgers may still be there.
    before: u64,
}

impl Fingerprint {
    /// Of the options of a run.
    pub fn of(input: &InputOptions, on_conflict: OnConflict) -> Fingerprint {
        Fingerprint { now: version_2(input, on_conflict), before: version_1(input, on_conflict) }
    }

    /// True for the fingerprint of an entry that was made with the same options, by this program or an earlier one.
    pub fn is(self, stored: u64) -> bool {
        stored == self.now || stored == self.before
    }
}

/// Names and values of the options. What is left at its default adds nothing, so that an option that is added later
/// leaves the ledgers of all who do not use it valid.
fn version_2(input: &InputOptions, on_conflict: OnConflict) -> u64 {
    // Without `..`: a new option is an error here until somebody decides whether it changes what is stored.
    let InputOptions {
        format,
        map,
        vector_cols,
        time,
        time_unit,
        meta,
        source,
        model,
        normalize,
        dim,
        ids,
        max_line,
        ids_file,
        times_file,
        names,
        memory: _,
    } = input;
    let mut e = Encoder::new();
    e.text("ingest options 2");
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            e.text(name).text(value);
        }
    };
    let path = |p: &Path| hex(p.as_os_str().as_encoded_bytes());
    put("format", format.map(Format::as_str));
    put("map.entity", map.entity.as_deref());
    put("map.t", map.t.as_deref());
    put("map.vector", map.vector.as_deref());
    put("map.name", map.name.as_deref());
    put("map.model", map.model.as_deref());
    put("map.source", map.source.as_deref());
    put("vector_cols.first", vector_cols.as_ref().map(|c| c.0.as_str()));
    put("vector_cols.last", vector_cols.as_ref().map(|c| c.1.as_str()));
    put("time", time.as_deref());
    put("time_unit", time_unit.map(|u| unit_1(u).to_lowercase()).as_deref());
    match meta {
        MetaColumns::All => {}
        MetaColumns::None => put("meta", Some("none")),
        MetaColumns::List(columns) => {
            put("meta", Some("list"));
            columns.iter().for_each(|c| put("meta.column", Some(c)));
        }
    }
    put("source", source.as_deref());
    put("model", model.as_deref());
    put("normalize", normalize.then_some("yes"));
    put("dim", Some(&dim.to_string()));
    put("ids", Some(if *ids == IdKind::Name { "name" } else { "u64" }));
    put("max_line", Some(&max_line.to_string()));
    put("ids_file", ids_file.as_deref().map(path).as_deref());
    put("times_file", times_file.as_deref().map(path).as_deref());
    put("names", names.as_ref().map(|n| format!("{:032x}", n.hash())).as_deref());
    match on_conflict {
        OnConflict::Error => {}
        OnConflict::Skip => put("on_conflict", Some("skip")),
        OnConflict::Replace => put("on_conflict", Some("replace")),
        OnConflict::Relabel { model, source } => {
            put("on_conflict", Some("relabel"));
            put("relabel.model", model.then_some("yes"));
            put("relabel.source", source.then_some("yes"));
        }
    }
    hash64(&e.bytes)
}

/// The text that programs before version 2 hashed: the options as they were printed for debugging. It is written out
/// here, so that no name in the code decides it any more.
fn version_1(input: &InputOptions, on_conflict: OnConflict) -> u64 {
    let named = |name: Option<&str>| name.map_or("None".to_owned(), |n| format!("Some({n})"));
    let map = &input.map;
    let meta = match &input.meta {
        MetaColumns::All => "All".to_owned(),
        MetaColumns::None => "None".to_owned(),
        MetaColumns::List(columns) => format!("List({columns:?})"),
    };
    let text = format!(
        "InputOptions {{ format: {}, map: Mapping {{ entity: {:?}, t: {:?}, vector: {:?}, name: {:?}, model: {:?}, \
         source: {:?} }}, vector_cols: {:?}, time: {:?}, time_unit: {}, meta: {meta}, source: {:?}, model: {:?}, \
         normalize: {}, dim: {}, ids: {}, max_line: {}, ids_file: {:?}, times_file: {:?}, names: {} }}",
        named(input.format.map(format_1)),
        map.entity,
        map.t,
        map.vector,
        map.name,
        map.model,
        map.source,
        input.vector_cols,
        input.time,
        named(input.time_unit.map(unit_1)),
        input.source,
        input.model,
        input.normalize,
        input.dim,
        if input.ids == IdKind::Name { "Name" } else { "U64" },
        input.max_line,
        input.ids_file,
        input.times_file,
        named(input.names.as_ref().map(|n| format!("Names({:032x})", n.hash())).as_deref()),
    );
    // Options that the first programs did not have are left out where they are not used.
    let text = text.replace(", names: None }", " }");
    let text = text.replace(", model: None, source: None }, vector_cols", " }, vector_cols");
    let text = text.replace(", name: None }", " }").replace(", time: None,", ",");
    let on_conflict = match on_conflict {
        OnConflict::Error => "Error".to_owned(),
        OnConflict::Skip => "Skip".to_owned(),
        OnConflict::Replace => "Replace".to_owned(),
        OnConflict::Relabel { model, source } => format!("Relabel {{ model: {model}, source: {source} }}"),
    };
    hash64(format!("{text} {on_conflict}").as_bytes())
}

fn format_1(format: Format) -> &'static str {
    match format {
        Format::Jsonl => "Jsonl",
        Format::Csv => "Csv",
        Format::Tsv => "Tsv",
        Format::Parquet => "Parquet",
        Format::Arrow => "Arrow",
        Format::Npy => "Npy",
        Format::Npz => "Npz",
        Format::W2v => "W2v",
        Format::W2vBin => "W2vBin",
        Format::Glove => "Glove",
        Format::Fvecs => "Fvecs",
        Format::Fbin => "Fbin",
    }
}

fn unit_1(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Rfc3339 => "Rfc3339",
        TimeUnit::Us => "Us",
        TimeUnit::Ms => "Ms",
        TimeUnit::S => "S",
        TimeUnit::Ns => "Ns",
        TimeUnit::Year => "Year",
        TimeUnit::Date => "Date",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Mapping;

    /// Options of every kind, and what the programs before version 2 made of them.
    fn samples() -> Vec<(InputOptions, OnConflict, u64)> {
        let plain = InputOptions::new(2, IdKind::U64);
        let full = InputOptions {
            format: Some(Format::W2vBin),
            map: Mapping::parse("entity=a b,t=\"t\",vector=v,name=n,model=m,source=s").unwrap(),
            vector_cols: Some(("first".into(), "last".into())),
            time: Some("2020".into()),
            time_unit: Some(TimeUnit::Rfc3339),
            meta: MetaColumns::List(vec!["x".into(), "y\n".into()]),
            source: Some("src".into()),
            model: Some("m@1".into()),
            normalize: true,
            max_line: 7,
            ids_file: Some("ids/1.npy".into()),
            times_file: Some("times.npy".into()),
            ..InputOptions::new(768, IdKind::Name)
        };
        let year = InputOptions { time_unit: Some(TimeUnit::Year), meta: MetaColumns::None, ..plain.clone() };
        let relabel = OnConflict::Relabel { model: true, source: false };
        let mapped = InputOptions { map: Mapping::parse("name=n").unwrap(), ..plain.clone() };
        vec![
            (plain.clone(), OnConflict::Error, 0xc0fc_9026_c477_cbdc),
            (plain, OnConflict::Skip, 0x5a45_53ec_8c41_2eaf),
            (full.clone(), OnConflict::Replace, 0x8d9a_5833_d15d_011e),
            (full, relabel, 0x3116_a5e6_c191_8b8c),
            (year, OnConflict::Error, 0x3508_e6ef_0e9b_28f0),
            (mapped, OnConflict::Error, 0xc5fa_7d3c_e78e_4447),
        ]
    }

    #[test]
    fn the_fingerprints_of_earlier_programs_are_known() {
        for (i, (input, on_conflict, stored)) in samples().into_iter().enumerate() {
            assert!(Fingerprint::of(&input, on_conflict).is(stored), "{i}");
        }
    }

    /// Ledgers hold these: another value would have every file read again.
    #[test]
    fn the_fingerprint_does_not_change() {
        let of = |input: &InputOptions, on_conflict| Fingerprint::of(input, on_conflict).now;
        let samples = samples();
        let now: Vec<u64> = samples.iter().map(|(input, on_conflict, _)| of(input, *on_conflict)).collect();
        let expected = [
            0x153e_ba00_5e31_5b5d,
            0x35dc_c001_7182_2e8b,
            0x74fc_5cb4_879c_f965,
            0x0b43_3ae9_3b52_03be,
            0xddc7_a8bc_16dc_5c1c,
            0xa58c_8241_d68f_72eb,
        ];
        assert_eq!(now, expected);
    }

    #[test]
    fn each_option_counts_and_memory_does_not() {
        let mut seen = std::collections::BTreeSet::new();
        let plain = InputOptions::new(2, IdKind::U64);
        let mut variants =
            vec![plain.clone(), InputOptions::new(3, IdKind::U64), InputOptions::new(2, IdKind::Name)];
        for column in ["entity", "t", "vector", "name", "model", "source"] {
            let map = Mapping::parse(&format!("{column}=c")).unwrap();
            variants.push(InputOptions { map, ..plain.clone() });
        }
        variants.extend(Format::ALL.map(|f| InputOptions { format: Some(f), ..plain.clone() }));
        for unit in ["rfc3339", "us", "ms", "s", "ns", "year", "date"] {
            variants.push(InputOptions { time_unit: Some(unit.parse().unwrap()), ..plain.clone() });
        }
        for list in [vec![], vec!["a".to_owned(), "b".into()], vec!["ab".into()]] {
            variants.push(InputOptions { meta: MetaColumns::List(list), ..plain.clone() });
        }
        variants.push(InputOptions { meta: MetaColumns::None, ..plain.clone() });
        variants.push(InputOptions { vector_cols: Some(("a".into(), "b".into())), ..plain.clone() });
        variants.push(InputOptions { time: Some("a".into()), ..plain.clone() });
        variants.push(InputOptions { source: Some("a".into()), ..plain.clone() });
        variants.push(InputOptions { model: Some("a".into()), ..plain.clone() });
        variants.push(InputOptions { normalize: true, ..plain.clone() });
        variants.push(InputOptions { max_line: 1, ..plain.clone() });
        variants.push(InputOptions { ids_file: Some("a".into()), ..plain.clone() });
        variants.push(InputOptions { times_file: Some("a".into()), ..plain.clone() });
        for (i, input) in variants.iter().enumerate() {
            assert!(seen.insert(Fingerprint::of(input, OnConflict::Error).now), "{i}");
            let more = InputOptions { memory: 1, ..input.clone() };
            assert_eq!(Fingerprint::of(&more, OnConflict::Error), Fingerprint::of(input, OnConflict::Error));
        }
        let relabel = |model, source| OnConflict::Relabel { model, source };
        for how in [OnConflict::Skip, OnConflict::Replace, relabel(true, false), relabel(false, true)] {
            assert!(seen.insert(Fingerprint::of(&plain, how).now), "{how:?}");
        }
    }
}
