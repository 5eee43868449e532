//! From the columns of a row type to those that are printed: hidden ones left out, vectors as
//! `--vectors` says.

use super::row::{Cell, Column, Type};
use super::style::Vectors;

/// One printed column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Name.
    pub name: String,
    /// What is printed: [`Type::Vector`] for a list, [`Type::Text`] for base64.
    pub kind: Type,
    /// True when values may be missing.
    pub nullable: bool,
    /// Left out of tables.
    pub wide: bool,
    /// Position among the row's cells.
    pub source: usize,
    /// The component of a vector that has a column of its own.
    pub component: Option<usize>,
}

impl Slot {
    /// The value to print, out of a row's cells; NaN and infinities are none.
    pub fn pick<'a>(&self, cells: &[Cell<'a>]) -> Cell<'a> {
        let cell = match (self.component, cells[self.source]) {
            (Some(i), Cell::Vector(v)) => v.get(i).map_or(Cell::Null, |x| Cell::F32(*x)),
            (_, cell) => cell,
        };
        match cell {
            Cell::F32(v) if !v.is_finite() => Cell::Null,
            Cell::F64(v) if !v.is_finite() => Cell::Null,
            cell => cell,
        }
    }
}

/// The printed columns of `columns`, without those in `hidden`.
pub fn slots(columns: &[Column], hidden: &[&str], vectors: Vectors, dim: usize) -> Vec<Slot> {
    let mut slots = Vec::with_capacity(columns.len());
    for (source, c) in columns.iter().enumerate().filter(|(_, c)| !hidden.contains(&c.name)) {
        let slot = Slot {
            name: c.name.to_string(),
            kind: c.kind,
            nullable: c.nullable,
            wide: c.wide,
            source,
            component: None,
        };
        match (c.kind, vectors) {
            (Type::Vector, Vectors::None) => {}
            (Type::Vector, Vectors::Base64) => slots.push(Slot { kind: Type::Text, ..slot }),
            (Type::Vector, Vectors::Columns) => slots.extend((0..dim).map(|i| Slot {
                name: component_name(c.name, i),
                kind: Type::F32,
                component: Some(i),
                ..slot.clone()
            })),
            _ => slots.push(slot),
        }
    }
    slots
}

/// `vector` becomes `v0, v1, ..`, `vector_velocity` `velocity0, velocity1, ..`, `lower` `lower0, lower1, ..`.
fn component_name(name: &str, i: usize) -> String {
    let stem = if name == "vector" { "v" } else { name.strip_prefix("vector_").unwrap_or(name) };
    format!("{stem}{i}")
}
