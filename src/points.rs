//! Points in columns, as they travel from input to log to segment and back.

mod kept;

pub use kept::{KeptPoints, Summary};

use crate::model::{EntityId, Key, TimestampUs};

/// A column of texts: one buffer and the end of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    ends: Vec<usize>,
    buffer: String,
}

impl Texts {
    /// An empty column.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without texts.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all texts.
    pub fn size_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Appends a text.
    pub fn push(&mut self, text: &str) {
        self.buffer.push_str(text);
        self.ends.push(self.buffer.len());
    }

    /// The `i`-th text.
    pub fn get(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.buffer[start..self.ends[i]]
    }

    /// All texts in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|i| self.get(i))
    }

    /// Removes all texts, keeping the memory.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.buffer.clear();
    }

    /// Keeps the first `n` texts.
    pub fn truncate(&mut self, n: usize) {
        if n < self.len() {
            self.ends.truncate(n);
            self.buffer.truncate(self.ends.last().copied().unwrap_or(0));
        }
    }
}

/// Where points came from. Empty texts mean unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The batch's source, by default the file's name.
    pub source: String,
    /// The embedding model, `NAME@VERSION`.
    pub model: String,
}

/// Points in columns. All columns have the same number of rows; `x` is row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Points {
    /// Dimension.
    pub dim: usize,
    /// Entity ids.
    pub entity: Vec<EntityId>,
    /// Timestamps.
    pub t: Vec<TimestampUs>,
    /// Vectors, `len * dim` finite values.
    pub x: Vec<f32>,
    /// Metadata as canonical JSON objects (keys sorted, no spaces); empty text for none.
    pub meta: Texts,
    /// Ordinals into `origins`.
    pub origin: Vec<u32>,
    /// The distinct origins.
    pub origins: Vec<Origin>,
}

/// One point, to be [added](Points::add).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point<'a> {
    /// Its entity; any number where entities have names.
    pub entity: EntityId,
    /// Its time, in microseconds since 1970.
    pub t: TimestampUs,
    /// Its vector, finite values.
    pub vector: &'a [f32],
    /// Its metadata, a JSON object with sorted keys and no spaces; empty for none.
    pub meta: &'a str,
    /// Where it came from; empty for unknown.
    pub source: &'a str,
    /// Its embedding model, `NAME@VERSION`; empty for unknown.
    pub model: &'a str,
}

impl Points {
    /// No points of a dimension.
    pub fn new(dim: usize) -> Self {
        Points { dim, ..Points::default() }
    }

    /// Adds a point.
    ///
    /// # Panics
    /// When the vector has another length than [`Points::dim`].
    pub fn add(&mut self, point: Point<'_>) {
        assert_eq!(point.vector.len(), self.dim, "a vector of another dimension");
        let known = self.origins.iter().position(|o| o.source == point.source && o.model == point.model);
        let origin = known.unwrap_or_else(|| {
            self.origins.push(Origin { source: point.source.to_owned(), model: point.model.to_owned() });
            self.origins.len() - 1
        });
        self.entity.push(point.entity);
        self.t.push(point.t);
        self.x.extend_from_slice(point.vector);
        self.meta.push(point.meta);
        self.origin.push(origin as u32);
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.entity.len()
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.entity.is_empty()
    }

    /// The key of point `i`.
    pub fn key(&self, i: usize) -> Key {
        Key { entity: self.entity[i], t: self.t[i] }
    }

    /// The vector of point `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.x[i * self.dim..(i + 1) * self.dim]
    }

    /// The ordinal of an origin, which is added when new.
    pub fn intern(&mut self, origin: &Origin) -> u32 {
        let at = self.origins.iter().position(|o| o == origin).unwrap_or_else(|| {
            self.origins.push(origin.clone());
            self.origins.len() - 1
        });
        at as u32
    }

    /// Appends one point. `vector` has `dim` values.
    pub fn push(&mut self, key: Key, vector: &[f32], meta: &str, origin: u32) {
        debug_assert_eq!(vector.len(), self.dim);
        self.entity.push(key.entity);
        self.t.push(key.t);
        self.x.extend_from_slice(vector);
        self.meta.push(meta);
        self.origin.push(origin);
    }

    /// Removes all points, keeping memory and origins.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Keeps the first `n` points.
    pub fn truncate(&mut self, n: usize) {
        self.entity.truncate(n);
        self.t.truncate(n);
        self.x.truncate(n * self.dim);
        self.meta.truncate(n);
        self.origin.truncate(n);
    }

    /// Bytes that the points take in memory, about.
    pub fn size_bytes(&self) -> usize {
        self.x.len() * 4 + self.len() * 28 + self.meta.size_bytes()
    }
}
