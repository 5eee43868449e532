//! The temporal index: the nearest neighbours at any time, from a mapped file.
//!
//! A *part* holds a set of rows in the order of (timestamp, entity); a row's number is its rank,
//! so a time range is a range of row numbers and `valid at T` compares one number. Beside the
//! keys it holds 8-bit codes for graph walks and scans, inverted lists in time order with
//! one-bit codes, a graph, the rows valid at checkpoints, and the vectors themselves for exact
//! distances. A part is written once and never changed: what was deleted, replaced or cut short
//! since is given with each query.
//!
//! | file | holds |
//! |---|---|
//! | `space.rs`, `frame.rs` | one Euclidean space for all metrics; its centre and radius |
//! | `sq8.rs`, `onebit.rs`, `bounds.rs` | 8-bit and one-bit codes; how far 8-bit distances can be off |
//! | `centres.rs`, `lists.rs` | k-means, inverted lists |
//! | `candidates.rs`, `prune.rs`, `graph.rs`, `links.rs` | the graph |
//! | `truth.rs`, `calibrate.rs`, `measure.rs` | exact answers; depths for a recall; holding them to it |
//! | `input.rs`, `build.rs`, `layout.rs` | writing a part (`Kind::Index`) |
//! | `column.rs`, `view.rs`, `part.rs` | reading one |
//! | `query.rs`, `effort.rs`, `eligible.rs`, `plan.rs`, `tables.rs` | what is asked, how hard to look, which rows count, which path answers |
//! | `search.rs`, `target.rs`, `paths.rs`, `walk.rs`, `pool.rs`, `ranked.rs`, `shells.rs`, `ball.rs` | answering |
//! | `merge.rs` | which parts to build anew as rows are added |

mod ball;
mod bounds;
mod build;
mod calibrate;
mod candidates;
mod centres;
mod column;
mod effort;
mod eligible;
mod frame;
mod graph;
mod input;
#[cfg(test)]
mod kinds;
pub mod layout;
mod links;
mod lists;
mod measure;
pub mod merge;
#[cfg(test)]
mod model_tests;
mod onebit;
mod part;
mod paths;
pub mod plan;
mod pool;
mod prune;
mod query;
mod ranked;
mod search;
mod shells;
mod space;
mod sq8;
pub mod tables;
mod target;
#[cfg(test)]
mod tests;
mod truth;
mod view;
mod walk;

pub use build::{Built, Options, build};
pub use column::Check;
pub use effort::Effort;
pub use eligible::Eligible;
pub use input::Input;
pub use measure::PROMISED;
pub use part::{Elsewhere, Part, Reader};
pub use query::{Composite, Filter, Hit, Path, Query, Report, Stats};
pub use search::Exact;
pub use truth::WANTED;
