//! What a frame carries: points, and the entity names that are new with them.

use crate::format::codec::{Decoder, Encoder, Malformed};
use crate::model::Key;
use crate::points::{Origin, Points};

/// An entity's name and the id it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewName {
    /// The id.
    pub id: u64,
    /// The name.
    pub name: String,
}

/// One durable batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Names that this batch introduces.
    pub names: Vec<NewName>,
    /// The points, in input order.
    pub points: Points,
    /// For each point, whether it replaces one that was stored before.
    pub replaces: Vec<bool>,
}

impl Batch {
    /// Payload bytes.
    pub fn encode(&self) -> Vec<u8> {
        let p = &self.points;
        let mut e = Encoder { bytes: Vec::with_capacity(p.size_bytes() + 64) };
        e.u32(self.names.len() as u32);
        for n in &self.names {
            e.u64(n.id).text(&n.name);
        }
        e.u32(p.origins.len() as u32);
        for o in &p.origins {
            e.text(&o.source).text(&o.model);
        }
        e.u32(p.len() as u32);
        for i in 0..p.len() {
            e.u64(p.entity[i])
                .i64(p.t[i])
                .u32(p.origin[i])
                .u8(u8::from(self.replaces[i]))
                .text(p.meta.get(i));
        }
        e.raw(bytemuck::cast_slice(&p.x));
        e.bytes
    }

    /// Reads a payload of a dataset with dimension `dim`.
    pub fn decode(bytes: &[u8], dim: usize) -> Result<Batch, Malformed> {
        let mut d = Decoder::new(bytes);
        let mut out = Batch { points: Points::new(dim), ..Batch::default() };
        for _ in 0..d.count(12)? {
            out.names.push(NewName { id: d.u64()?, name: d.text()?.to_owned() });
        }
        for _ in 0..d.count(8)? {
            out.points.origins.push(Origin { source: d.text()?.to_owned(), model: d.text()?.to_owned() });
        }
        let rows = d.count(25 + 4 * dim)?;
        for _ in 0..rows {
            let key = Key { entity: d.u64()?, t: d.i64()? };
            let origin = d.u32()?;
            if origin as usize >= out.points.origins.len() {
                return d.malformed("a row of an origin that does not exist");
            }
            out.replaces.push(d.u8()? != 0);
            let p = &mut out.points;
            p.entity.push(key.entity);
            p.t.push(key.t);
            p.origin.push(origin);
            p.meta.push(d.text()?);
        }
        let x = d.raw(rows * dim * 4)?;
        out.points.x.extend(x.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        if out.points.x.iter().any(|v| !v.is_finite()) {
            return d.malformed("a vector that is not finite");
        }
        d.end()?;
        Ok(out)
    }
}
