//! The bytes around a batch, and the header of a log.

use super::{FRAME_HEAD_LEN, HEADER_LEN, LogId, MAGIC, MAX_PAYLOAD, VERSION};
use crate::format::checksum::{crc32c, hash64, holds};
use crate::format::codec::{Decoder, Encoder, Malformed};

/// The only kind of frame so far: a batch.
const KIND_BATCH: u8 = 1;

/// The header of a log.
pub(super) fn encode_header(id: &LogId) -> Vec<u8> {
    let mut e = Encoder::new();
    e.raw(&MAGIC)
        .u16(VERSION)
        .u16(0)
        .u32(id.dim as u32)
        .u32(0)
        .raw(&id.dataset)
        .u64(id.file)
        .u64(id.first_seq);
    e.bytes.resize(HEADER_LEN - 8, 0);
    let sum = hash64(&e.bytes);
    e.u64(sum);
    e.bytes
}

/// Why a header is refused.
#[derive(Debug)]
pub(super) enum BadHeader {
    Damaged(String),
    Version(u16),
}

impl From<Malformed> for BadHeader {
    fn from(m: Malformed) -> Self {
        BadHeader::Damaged(m.to_string())
    }
}

/// Reads a header; the caller compares it with what the manifest says.
pub(super) fn decode_header(bytes: &[u8]) -> Result<LogId, BadHeader> {
    let mut d = Decoder::new(bytes);
    let body = d.raw(HEADER_LEN - 8)?;
    if !holds(hash64(body), d.u64()?) {
        return Err(BadHeader::Damaged("the checksum of the log's header does not hold".into()));
    }
    let mut d = Decoder::new(body);
    if d.raw(4)? != MAGIC {
        return Err(BadHeader::Damaged("the file does not begin as a log does".into()));
    }
    let version = d.u16()?;
    if version == 0 || version > VERSION {
        return Err(BadHeader::Version(version));
    }
    d.u16()?;
    let dim = d.u32()? as usize;
    d.u32()?;
    let mut dataset = [0; 16];
    dataset.copy_from_slice(d.raw(16)?);
    Ok(LogId { dim, dataset, file: d.u64()?, first_seq: d.u64()? })
}

/// A whole frame for a payload that starts at `offset` of the log.
pub(super) fn encode_frame(id: &LogId, offset: u64, first_seq: u64, rows: u32, payload: &[u8]) -> Vec<u8> {
    let mut e = Encoder { bytes: Vec::with_capacity(FRAME_HEAD_LEN + payload.len() + 16) };
    e.u32(payload.len() as u32).u8(KIND_BATCH).u8(0).u16(0).u64(first_seq).u32(rows);
    let head_sum = head_sum(id, offset, &e.bytes);
    e.u32(head_sum).raw(payload);
    let padded = padded_len(payload.len());
    let pad = padded - FRAME_HEAD_LEN - payload.len() - 4;
    e.u32(crc32c(&[&head_sum.to_le_bytes(), payload, &[0; 8][..pad]]));
    e.bytes.resize(padded, 0);
    e.bytes
}

fn head_sum(id: &LogId, offset: u64, head: &[u8]) -> u32 {
    crc32c(&[&id.dataset, &id.file.to_le_bytes(), &offset.to_le_bytes(), head])
}

fn padded_len(payload: usize) -> usize {
    (FRAME_HEAD_LEN + payload + 4).next_multiple_of(8)
}

/// A frame as found at some offset.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) first_seq: u64,
    pub(super) rows: u32,
    pub(super) payload: &'a [u8],
    /// Bytes of the frame with its padding.
    pub(super) len: usize,
}

/// What stands at an offset.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// A whole frame.
    Whole(Frame<'a>),
    /// A frame whose length is beyond the limit although its header's checksum holds.
    TooLong(u32),
    /// Nothing valid: cut off or broken.
    Broken,
}

/// True when bytes begin with a frame whose checksum holds for another offset: it was moved. The checksum
/// of the payload covers that of the head, which alone depends on the offset.
pub(super) fn is_moved_frame(bytes: &[u8]) -> bool {
    let Some((head, rest)) = bytes.split_at_checked(FRAME_HEAD_LEN) else { return false };
    // Cheap, and enough to pass over nearly all places.
    if head[4..8] != [KIND_BATCH, 0, 0, 0] {
        return false;
    }
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (len, sum) = (number(0) as usize, number(20));
    if len > MAX_PAYLOAD {
        return false;
    }
    let Some(rest) = rest.get(..padded_len(len) - FRAME_HEAD_LEN) else { return false };
    let (payload, tail) = rest.split_at(len);
    let (crc, pad) = tail.split_at(4);
    crc == crc32c(&[&sum.to_le_bytes(), payload, pad]).to_le_bytes()
}

/// Looks at the bytes from `offset` of the log on.
pub(super) fn decode_frame<'a>(id: &LogId, offset: u64, bytes: &'a [u8]) -> Found<'a> {
    let Some((head, rest)) = bytes.split_at_checked(FRAME_HEAD_LEN) else { return Found::Broken };
    let mut d = Decoder::new(head);
    let read = |d: &mut Decoder<'a>| -> Result<_, Malformed> {
        let (len, kind, flags, zero) = (d.u32()?, d.u8()?, d.u8()?, d.u16()?);
        Ok((len, kind, flags, zero, d.u64()?, d.u32()?, d.u32()?))
    };
    let Ok((len, kind, flags, zero, first_seq, rows, sum)) = read(&mut d) else { return Found::Broken };
    if !holds(head_sum(id, offset, &head[..20]), sum) || kind != KIND_BATCH || flags != 0 || zero != 0 {
        return Found::Broken;
    }
    if len as usize > MAX_PAYLOAD {
        return Found::TooLong(len);
    }
    let len = len as usize;
    let total = padded_len(len);
    let Some(rest) = rest.get(..total - FRAME_HEAD_LEN) else { return Found::Broken };
    let (payload, tail) = rest.split_at(len);
    let (crc, pad) = tail.split_at(4);
    let want = crc32c(&[&sum.to_le_bytes(), payload, pad]);
    if !holds(&want.to_le_bytes()[..], crc) || pad.iter().any(|b| *b != 0) {
        return Found::Broken;
    }
    Found::Whole(Frame { first_seq, rows, payload, len: total })
}
