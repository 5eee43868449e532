//! Where a warm or cold file lies, and how the rows of a cold one are coded.

use super::file::FileKind;
use crate::format::codec::{Decoder, Encoder, Malformed};
use crate::format::{DatasetId, hex};

/// The store of a file that lies in the dataset's own directory.
pub const HOME: u32 = 0;
/// Bytes of an encoded placement without its texts.
pub const MIN_LEN: usize = 8 + 2 + 1 + 1 + 4 + 8 + 24 + 4 + 4;
/// Longest label and codec text.
const MAX_TEXT: usize = 64;

/// Where a warm or cold file lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// The file's id.
    pub id: u64,
    /// First of the 65,536 equal parts of the entity hash that its bucket covers.
    pub bucket: u16,
    /// The bucket is one of `2^bits` equal ones; 0 for files that are of no bucket.
    pub bits: u8,
    /// [`HOME`], or the place of its store in the manifest's list, from 1.
    pub store: u32,
    /// Cold: the codebook's file id, 0 for codecs without one.
    pub codebook: u64,
    /// Cold: relative errors of the vectors against the originals: median, 99th percentile, greatest.
    pub errors: [f64; 3],
    /// Its first period, which stands in its name: `2026-01`.
    pub label: String,
    /// Cold blocks and codebooks: the codec, as options spell it.
    pub codec: String,
}

/// Bits that no writer of this format sets: other bytes would be lost when the manifest is written again.
pub(super) fn reserved(d: &Decoder<'_>, bits: u16) -> Result<(), Malformed> {
    if bits == 0 { Ok(()) } else { d.malformed("reserved bits are set") }
}

impl Placement {
    /// Of a warm file in the dataset's directory.
    pub fn warm(id: u64, bucket: u16, bits: u8, label: String) -> Placement {
        Placement {
            id,
            bucket,
            bits,
            store: HOME,
            codebook: 0,
            errors: [0.0; 3],
            label,
            codec: String::new(),
        }
    }

    /// The file's path in the dataset directory, or its name in its store, where names begin
    /// with the dataset's id: several datasets may share a store.
    pub fn path(&self, kind: FileKind, dataset: &DatasetId) -> String {
        let (id, bucket, label) = (self.id, self.bucket, &self.label);
        let name = match kind {
            FileKind::Warm => format!("bucket={bucket:04x}/{label}.{id:010}.parquet"),
            FileKind::Cold => format!("bucket={bucket:04x}/{label}.{id:010}.pqvec"),
            FileKind::Original => format!("original/bucket={bucket:04x}/{label}.{id:010}.parquet"),
            _ => format!("codebook-{id:010}.pqcb"),
        };
        match (self.store, kind) {
            (HOME, FileKind::Warm) => format!("warm/{name}"),
            (HOME, _) => format!("cold/{name}"),
            _ => format!("{}/{name}", hex(dataset)),
        }
    }

    /// True when the entity hash `hash` lies in the bucket.
    pub fn holds_hash(&self, hash: u64) -> bool {
        let start = u64::from(self.bucket) << 48;
        hash >= start && (self.bits == 0 || (hash - start) >> (64 - u32::from(self.bits)) == 0)
    }

    /// `None` for values that no writer makes.
    pub fn check(&self, kind: FileKind) -> Option<()> {
        let letters = |t: &str| {
            t.len() <= MAX_TEXT && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:".contains(&b))
        };
        let aligned = self.bits <= 16 && self.bucket.trailing_zeros() + u32::from(self.bits) >= 16;
        let finite = self.errors.iter().all(|e| e.is_finite() && *e >= 0.0);
        let at_home = kind != FileKind::Warm || self.store == HOME;
        let labelled = kind == FileKind::Codebook || !self.label.is_empty();
        let coded = !matches!(kind, FileKind::Cold | FileKind::Codebook) || !self.codec.is_empty();
        let fine =
            letters(&self.label) && letters(&self.codec) && aligned && finite && at_home && labelled && coded;
        fine.then_some(())
    }

    pub(super) fn encode(&self, e: &mut Encoder) {
        e.u64(self.id).raw(&self.bucket.to_le_bytes()).u8(self.bits).u8(0).u32(self.store).u64(self.codebook);
        self.errors.iter().for_each(|v| {
            e.f64(*v);
        });
        e.text(&self.label).text(&self.codec);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Placement, Malformed> {
        let (id, bucket, bits) = (d.u64()?, d.u16()?, d.u8()?);
        let zero = d.u8()?;
        reserved(d, zero.into())?;
        Ok(Placement {
            id,
            bucket,
            bits,
            store: d.u32()?,
            codebook: d.u64()?,
            errors: [d.f64()?, d.f64()?, d.f64()?],
            label: d.text()?.to_owned(),
            codec: d.text()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_part_the_hashes() {
        for bits in 0..=16u8 {
            let width = 1u32 << (16 - u32::from(bits));
            let buckets: Vec<Placement> = (0..1u32 << bits.min(4))
                .map(|i| Placement::warm(1, (i * width) as u16, bits, "2026".into()))
                .collect();
            buckets.iter().for_each(|b| assert!(b.check(FileKind::Warm).is_some(), "{b:?}"));
            if bits <= 4 {
                for hash in [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1, 0x1234_5678_9abc_def0] {
                    assert_eq!(buckets.iter().filter(|b| b.holds_hash(hash)).count(), 1, "{bits} {hash:x}");
                }
            }
        }
        assert!(Placement::warm(1, 1, 15, "2026".into()).check(FileKind::Warm).is_none());
        assert!(Placement::warm(1, 0, 17, "2026".into()).check(FileKind::Warm).is_none());
        assert!(Placement::warm(1, 0, 0, "../x".into()).check(FileKind::Warm).is_none());
    }
}
