//! What lies in each tier, from the manifest alone.

use crate::manifest::{FileEntry, FileKind, Manifest, Placement};
use crate::model::TimestampUs;
use std::collections::BTreeMap;

/// Files of one tier that are stored alike.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// `hot`, `warm` or `cold`.
    pub tier: &'static str,
    /// Where they lie: a directory of the dataset, or a store.
    pub target: String,
    /// Cold: the codec.
    pub codec: String,
    /// Cold: the codebook's file id; 0 for none.
    pub codebook: u64,
    /// Files.
    pub files: u64,
    /// Points that count.
    pub points: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Bytes of kept originals.
    pub bytes_original: u64,
    /// Cold: relative errors, of each measure that of the worst block.
    pub errors: [f64; 3],
    /// Earliest and latest timestamp.
    pub times: Option<(TimestampUs, TimestampUs)>,
}

/// The groups in the order hot, warm, cold.
pub fn status(m: &Manifest) -> Vec<Group> {
    let mut groups: BTreeMap<(FileKind, String, u64, u32), Group> = BTreeMap::new();
    for f in m.point_files().filter(|f| f.rows > 0) {
        let place = m.placement(f.id);
        let (codec, codebook, store) =
            place.map_or((String::new(), 0, 0), |p| (p.codec.clone(), p.codebook, p.store));
        let g = groups.entry((f.kind, codec.clone(), codebook, store)).or_insert_with(|| Group {
            tier: tier(f.kind),
            target: target(m, store, f.kind),
            codec,
            codebook,
            ..Group::default()
        });
        add(g, m, f, place);
    }
    groups.into_values().collect()
}

fn add(g: &mut Group, m: &Manifest, f: &FileEntry, place: Option<&Placement>) {
    g.files += 1;
    g.points += f.rows - m.deletions_of(f.id).map_or(0, |d| d.rows);
    g.bytes += f.seal.len;
    g.bytes_original += m.original_of(f.id).map_or(0, |o| o.seal.len);
    for (worst, e) in g.errors.iter_mut().zip(place.map_or([0.0; 3], |p| p.errors)) {
        *worst = worst.max(e);
    }
    let (a, b) = g.times.unwrap_or((f.t_min, f.t_max));
    g.times = Some((a.min(f.t_min), b.max(f.t_max)));
}

fn tier(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Warm => "warm",
        FileKind::Cold => "cold",
        _ => "hot",
    }
}

fn target(m: &Manifest, store: u32, kind: FileKind) -> String {
    let listed = (store as usize).checked_sub(1).and_then(|i| m.stores.get(i)).cloned();
    listed.unwrap_or_else(|| tier(kind).to_owned())
}
