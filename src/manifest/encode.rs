//! The bytes of a manifest, field by field as FORMAT.md lists them.

use super::file::{FileEntry, FileKind};
use super::placement::{self, Placement, reserved};
use super::{FEATURE_COVERED, FEATURE_TIERS, KNOWN_FEATURES, MAX_FILES, Manifest, VERSION};
use crate::format::checksum::{hash128, holds};
use crate::format::codec::{Decoder, Encoder, Malformed};
use crate::format::container::Seal;

/// First four bytes.
pub const MAGIC: [u8; 4] = *b"CVXM";
/// Bytes of one file entry.
pub const ENTRY_LEN: usize = 97;

/// Why bytes are not a manifest.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not what was written.
    Malformed(String),
    /// A newer format than this program reads.
    Version(u16),
    /// Features that this program does not know.
    Features(u64),
}

impl From<Malformed> for Refused {
    fn from(m: Malformed) -> Self {
        Refused::Malformed(m.to_string())
    }
}

impl Manifest {
    /// The bytes, and the checksum that CURRENT and the next version carry.
    pub fn encode(&self) -> (Vec<u8>, u128) {
        let mut e = Encoder::new();
        e.raw(&MAGIC).u16(VERSION).u16(0).u64(self.commit).u128(self.parent).raw(&self.dataset);
        e.u32(self.dim).u8(self.metric).u8(u8::from(self.named)).u16(0);
        e.u64(self.required_features).i64(self.created_us);
        e.u64(self.rows_added).u64(self.rows_replaced).u64(self.rows_deleted);
        e.u64(self.next_file).u64(self.next_seq).u64(self.log);
        e.text(&self.command);
        e.u32(self.files.len() as u32);
        for f in &self.files {
            e.u8(f.kind as u8).u64(f.id).u64(f.seal.len).u128(f.seal.root).u64(f.target).u64(f.rows);
            e.u64(f.entity_min).u64(f.entity_max).i64(f.t_min).i64(f.t_max).u64(f.seq_min).u64(f.seq_max);
        }
        if self.required_features & FEATURE_TIERS != 0 {
            e.u32(self.stores.len() as u32);
            self.stores.iter().for_each(|s| {
                e.text(s);
            });
            e.u32(self.placements.len() as u32);
            self.placements.iter().for_each(|p| p.encode(&mut e));
        }
        if self.required_features & FEATURE_COVERED != 0 {
            e.u32(self.covered.len() as u32);
            self.covered.iter().for_each(|id| {
                e.u64(*id);
            });
        }
        let sum = hash128(&e.bytes);
        e.u128(sum);
        (e.bytes, sum)
    }

    /// Decodes what [`Manifest::encode`] wrote; returns the checksum too.
    pub fn decode(bytes: &[u8]) -> Result<(Manifest, u128), Refused> {
        let Some(body) = bytes.len().checked_sub(16) else {
            return Err(Refused::Malformed(format!("{} bytes are too few for a manifest", bytes.len())));
        };
        let sum = hash128(&bytes[..body]);
        if !holds(sum, Decoder::new(&bytes[body..]).u128()?) {
            return Err(Refused::Malformed("the checksum does not hold".into()));
        }
        let mut d = Decoder::new(&bytes[..body]);
        if d.raw(4)? != MAGIC {
            return Err(Refused::Malformed("the file does not begin as a manifest does".into()));
        }
        let version = d.u16()?;
        if version == 0 || version > VERSION {
            return Err(Refused::Version(version));
        }
        let zero = d.u16()?;
        reserved(&d, zero)?;
        let (commit, parent) = (d.u64()?, d.u128()?);
        let mut dataset = [0; 16];
        dataset.copy_from_slice(d.raw(16)?);
        let (dim, metric, named) = (d.u32()?, d.u8()?, d.u8()?);
        if named > 1 {
            return Err(Refused::Malformed(format!("{named} is neither of the two kinds of entities")));
        }
        let named = named == 1;
        let zero = d.u16()?;
        reserved(&d, zero)?;
        let required_features = d.u64()?;
        if required_features & !KNOWN_FEATURES != 0 {
            return Err(Refused::Features(required_features));
        }
        let mut m = Manifest {
            commit,
            parent,
            dataset,
            dim,
            metric,
            named,
            required_features,
            created_us: d.i64()?,
            rows_added: d.u64()?,
            rows_replaced: d.u64()?,
            rows_deleted: d.u64()?,
            next_file: d.u64()?,
            next_seq: d.u64()?,
            log: d.u64()?,
            command: d.text()?.to_owned(),
            files: Vec::new(),
            stores: Vec::new(),
            placements: Vec::new(),
            covered: Vec::new(),
        };
        let n = d.count(ENTRY_LEN)?;
        if n > MAX_FILES {
            return Err(Refused::Malformed(format!("{n} files are more than {MAX_FILES}")));
        }
        m.files.reserve(n);
        for _ in 0..n {
            m.files.push(entry(&mut d)?);
        }
        if required_features & FEATURE_TIERS != 0 {
            for _ in 0..d.count(4)? {
                m.stores.push(d.text()?.to_owned());
            }
            for _ in 0..d.count(placement::MIN_LEN)? {
                m.placements.push(Placement::decode(&mut d)?);
            }
        }
        if required_features & FEATURE_COVERED != 0 {
            for _ in 0..d.count(8)? {
                m.covered.push(d.u64()?);
            }
        }
        d.end()?;
        Ok((m, sum))
    }
}

fn entry(d: &mut Decoder<'_>) -> Result<FileEntry, Refused> {
    let number = d.u8()?;
    let Some(kind) = FileKind::from_number(number) else {
        return Err(Refused::Malformed(format!("file kind {number} is unknown")));
    };
    Ok(FileEntry {
        kind,
        id: d.u64()?,
        seal: Seal { len: d.u64()?, root: d.u128()? },
        target: d.u64()?,
        rows: d.u64()?,
        entity_min: d.u64()?,
        entity_max: d.u64()?,
        t_min: d.i64()?,
        t_max: d.i64()?,
        seq_min: d.u64()?,
        seq_max: d.u64()?,
    })
}

#[cfg(test)]
pub(super) fn sample() -> Manifest {
    let file = FileEntry {
        kind: FileKind::Segment,
        id: 3,
        seal: Seal { len: 4096, root: 77 },
        target: 0,
        rows: 10,
        entity_min: 1,
        entity_max: 9,
        t_min: -5,
        t_max: 5,
        seq_min: 0,
        seq_max: 9,
    };
    Manifest {
        commit: 2,
        parent: 8,
        dataset: [9; 16],
        dim: 8,
        metric: 0,
        named: true,
        required_features: 0,
        created_us: 123,
        command: "ingest".into(),
        rows_added: 10,
        rows_replaced: 0,
        rows_deleted: 1,
        next_file: 6,
        next_seq: 10,
        log: 5,
        files: vec![file, FileEntry { kind: FileKind::Deletions, id: 4, target: 3, rows: 1, ..file }],
        stores: Vec::new(),
        placements: Vec::new(),
        covered: Vec::new(),
    }
}

/// With warm and cold files.
#[cfg(test)]
fn tiered() -> Manifest {
    let mut m = sample();
    let file = m.files[0];
    m.next_file = 20;
    m.stores = vec!["s3://bucket/cold".into()];
    m.add(
        FileEntry { kind: FileKind::Warm, id: 8, ..file },
        Some(Placement::warm(8, 0x8000, 1, "2026-01".into())),
    );
    let cold = Placement {
        store: 1,
        codebook: 10,
        errors: [0.1, 0.2, 0.3],
        codec: "pq:8".into(),
        ..Placement::warm(9, 0, 0, "2025".into())
    };
    m.add(FileEntry { kind: FileKind::Cold, id: 9, ..file }, Some(cold.clone()));
    m.add(
        FileEntry { kind: FileKind::Codebook, id: 10, rows: 0, ..file },
        Some(Placement { id: 10, codebook: 0, ..cold.clone() }),
    );
    let original = Placement { id: 11, codebook: 0, codec: String::new(), ..cold };
    m.add(FileEntry { kind: FileKind::Original, id: 11, target: 9, ..file }, Some(original));
    m.add(FileEntry { kind: FileKind::Deletions, id: 12, target: 9, rows: 1, ..file }, None);
    m.arrange();
    m
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_flip_or_cut_is_refused() {
        for m in [sample(), tiered()] {
            m.check().unwrap();
            let (bytes, sum) = m.encode();
            assert_eq!(Manifest::decode(&bytes).unwrap(), (m, sum));
            let mut bad = bytes.clone();
            for i in 0..bytes.len() {
                bad[i] ^= 0x10;
                assert!(Manifest::decode(&bad).is_err(), "byte {i}");
                bad[i] = bytes[i];
                assert!(Manifest::decode(&bytes[..i]).is_err());
            }
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let mut indexed = sample();
        let part = FileEntry { kind: FileKind::Index, id: 3, ..indexed.files[0] };
        indexed.next_file = 20;
        for id in [7, 8] {
            indexed.add(FileEntry { id, ..part }, None);
        }
        // Files that are not there, or that hold no points, are left out.
        indexed.covered = vec![9, 3, 4, 3, 7];
        indexed.arrange();
        assert_eq!(indexed.covered, [3]);
        indexed.check().unwrap();
        let (bytes, sum) = indexed.encode();
        assert_eq!(Manifest::decode(&bytes).unwrap(), (indexed.clone(), sum));
        let broken: [fn(&mut Manifest); 3] =
            [|m| m.covered = vec![3, 3], |m| m.covered = vec![7], |m| m.required_features = 0];
        for (i, f) in broken.iter().enumerate() {
            let mut m = indexed.clone();
            f(&mut m);
            assert!(m.check().is_err(), "index case {i}");
        }
        let broken: [fn(&mut Manifest); 6] = [
            |m| m.files.reverse(),
            |m| m.files[1].target = 99,
            |m| m.files[1].rows = 11,
            |m| m.next_file = 4,
            |m| m.log = 3,
            |m| m.required_features = 1 << 40,
        ];
        for (i, f) in broken.iter().enumerate() {
            let mut m = sample();
            f(&mut m);
            assert!(m.check().is_err(), "case {i}");
        }
        let broken: [fn(&mut Manifest); 7] = [
            |m| m.placements.reverse(),
            |m| drop(m.placements.pop()),
            |m| m.placements[0].id = 7,
            |m| m.placements[1].store = 2,
            |m| m.placements[1].codebook = 11,
            |m| m.placements[0].label = "a/b".into(),
            |m| m.files.retain(|f| f.kind != FileKind::Cold),
        ];
        for (i, f) in broken.iter().enumerate() {
            let mut m = tiered();
            f(&mut m);
            assert!(m.check().is_err(), "tier case {i}");
        }
    }

    #[test]
    fn paths_tell_bucket_period_and_store() {
        let m = tiered();
        let paths: Vec<String> =
            m.files.iter().filter(|f| f.kind.is_placed()).map(|f| m.label_of(f)).collect();
        let store = format!("s3://bucket/cold/{}", "09".repeat(16));
        assert_eq!(
            paths,
            [
                "warm/bucket=8000/2026-01.0000000008.parquet".to_owned(),
                format!("{store}/bucket=0000/2025.0000000009.pqvec"),
                format!("{store}/codebook-0000000010.pqcb"),
                format!("{store}/original/bucket=0000/2025.0000000011.parquet"),
            ]
        );
    }

    #[test]
    fn unknown_features_are_told_as_such() {
        let m = Manifest { required_features: 1 << 40, ..sample() };
        assert_eq!(Manifest::decode(&m.encode().0), Err(Refused::Features(1 << 40)));
    }
}
