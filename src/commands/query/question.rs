//! What is asked: a vector, an entity's state, or a file of many.

use super::file;
use crate::commands::Session;
use crate::commands::selection::known_entity;
use crate::dataset::{Select, Snapshot, Trajectories};
use crate::error::{Code, Error, Result};
use crate::model::{EntityId, TimestampUs, VectorSource};
use crate::output::Label;
use crate::rows::Answer;
use crate::time::{TimeExpr, format_time};
use std::path::PathBuf;

/// What neighbours are looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Question {
    /// Nothing.
    #[default]
    None,
    /// Those of a vector.
    Vector(Vec<f32>),
    /// Those of the state of an entity, `ENTITY` or `ENTITY@TIME`; it is not its own neighbour.
    Like(String),
    /// Those of many: an array of vectors (npy), or records (jsonl, csv, Parquet, Arrow) with `vector` or `entity`, and
    /// `query`, `k`, `from`, `to`, `at` where they differ from the request.
    File(PathBuf),
}

/// One query, as far as it differs from the request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What rows call it.
    pub label: Label,
    /// The vector.
    pub vector: Vec<f32>,
    /// The entity whose state it is.
    pub entity: Option<EntityId>,
    /// The embedding model of that state.
    pub model: Option<String>,
    /// Answers wanted.
    pub k: Option<usize>,
    /// First instant of its window.
    pub from: Option<TimestampUs>,
    /// Where its window ends.
    pub to: Option<TimestampUs>,
    /// Its instant.
    pub at: Option<TimestampUs>,
    /// Why it cannot be asked: the status of its row.
    pub lost: Option<Answer>,
}

impl Asked {
    /// A query that differs from the request in its vector alone.
    pub(super) fn plain(label: Label, vector: Vec<f32>, entity: Option<EntityId>) -> Asked {
        Asked { label, vector, entity, model: None, k: None, from: None, to: None, at: None, lost: None }
    }
}

impl Question {
    /// The queries. `at` is the instant of states whose time is not given.
    pub(super) fn read(&self, session: &Session, at: Option<TimestampUs>) -> Result<Vec<Asked>> {
        let plain = |vector, entity| Asked::plain(Label::Number(0), vector, entity);
        let asked = match self {
            Question::File(path) => return file::read(session, path, at),
            Question::Vector(vector) => plain(vector.clone(), None),
            Question::Like(like) => {
                let (entity, t) = like_state(session, like)?;
                let (vector, model) = state(session.snapshot()?, entity, t.or(at))?;
                Asked { model: Some(model), ..plain(vector, Some(entity)) }
            }
            Question::None => {
                return Err(Error::usage("what is asked for is missing")
                    .fix("give ‹vector›, ‹like ENTITY[@TIME]›, or ‹queries FILE›"));
            }
        };
        Ok(vec![asked])
    }
}

/// `ENTITY` or `ENTITY@TIME`; a name may itself hold an `@`.
pub(super) fn like_state(session: &Session, like: &str) -> Result<(EntityId, Option<TimestampUs>)> {
    let snapshot = session.snapshot()?;
    let whole = known_entity(snapshot, like);
    let Some((name, text)) = like.rsplit_once('@').filter(|_| whole.is_err()) else {
        return Ok((whole?, None));
    };
    let expr = match TimeExpr::parse(text) {
        Ok(expr) => expr,
        // Of an entity that is there, what follows is meant as a time.
        Err(e) if known_entity(snapshot, name).is_ok() => return Err(e),
        Err(_) => return Ok((whole?, None)),
    };
    let t = session.instant(&Select::default(), Some(&expr))?;
    Ok((known_entity(snapshot, name)?, t))
}

/// The vector of an entity's latest point at or before `t`, and its embedding model.
pub(super) fn state(
    snapshot: &Snapshot,
    entity: EntityId,
    t: Option<TimestampUs>,
) -> Result<(Vec<f32>, String)> {
    let at = t.unwrap_or(TimestampUs::MAX);
    let Some((part, row)) = snapshot.state_at(entity, at)? else {
        let label = snapshot.entity_label(entity)?;
        let text = |t| format_time(t, crate::time::TimeFormat::Rfc3339);
        let first = first_of(snapshot, entity)?.map(|t| format!(" (its first is {})", text(t)));
        let what = format!("entity {label} has no point at or before {}", text(at));
        return Err(Error::new(Code::NotFound, what + &first.unwrap_or_default())
            .fix("`cvx query trajectory ‹entity›` shows its points"));
    };
    let mut buffer = Vec::new();
    let model = part.origin(row).model.clone();
    Ok((part.vectors(row..row + 1, &mut buffer)?.to_vec(), model))
}

/// Time of an entity's first point.
fn first_of(snapshot: &Snapshot, entity: EntityId) -> Result<Option<TimestampUs>> {
    let only = Select { entities: Some([entity].into()), ..Select::default() };
    Ok(Trajectories::new(only.resolve(snapshot)?).next().and_then(|rows| rows.t.first().copied()))
}
