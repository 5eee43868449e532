//! Questions to a dataset: what is near, what was true at an instant, how an entity moved.

mod file;
pub mod neighbours;
mod question;
pub mod states;
pub mod trajectory;

pub use question::Question;
