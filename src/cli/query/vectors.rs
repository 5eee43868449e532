//! The options that name what neighbours are looked for.

use crate::commands::query::Question;
use crate::error::{Error, Result};
use clap::ValueHint;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The options that name the vectors of a query.
#[derive(clap::Args, Debug, Clone, Default)]
#[group(multiple = false)]
pub struct VectorArgs {
    /// The query vector: a JSON array, a comma list, or a file that holds one (- for standard input)
    #[arg(long, value_name = "[..]|FILE", allow_hyphen_values = true)]
    pub vector: Option<String>,
    /// The state of an entity, ENTITY or ENTITY@TIME; it is not its own neighbour
    #[arg(long, value_name = "ENTITY[@T]")]
    pub like: Option<String>,
    /// Many queries: jsonl, csv, Parquet or Arrow with vector or entity, and query, k, from, to, at where they differ; or npy
    ///
    /// An export is a file of queries too: its vectors are asked. Times are text, such as "2012" or
    /// "@1700000000s"; a bare number is refused. A query whose entity is unknown, or has no point at or
    /// before its time, gets a row with a status, and the run ends with exit code 3.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub queries: Option<PathBuf>,
}

impl VectorArgs {
    /// True when nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.vector.is_none() && self.like.is_none() && self.queries.is_none()
    }

    /// For the library.
    pub fn question(&self) -> Result<Question> {
        Ok(match (&self.queries, &self.vector, &self.like) {
            (Some(path), ..) => Question::File(path.clone()),
            (None, Some(text), _) => Question::Vector(vector(text)?),
            (None, None, Some(like)) => Question::Like(like.clone()),
            (None, None, None) => Question::None,
        })
    }
}

/// Longest text of a vector; one of the largest dimension is far below it.
const MAX_TEXT: u64 = 4 << 20;

/// `[1, 2]`, `1,2`, or a file with either.
fn vector(text: &str) -> Result<Vec<f32>> {
    if let Some(values) = numbers(text) {
        return checked(values, Error::what, "option --vector");
    }
    let path = Path::new(text);
    let mut content = String::new();
    let mut within = |source: &mut dyn Read| source.take(MAX_TEXT + 1).read_to_string(&mut content);
    let read = match text == "-" {
        true => within(&mut std::io::stdin().lock()),
        false => std::fs::File::open(path).and_then(|mut f| within(&mut f)),
    };
    if content.len() as u64 > MAX_TEXT {
        let what = format!("the file of a query vector is longer than {} MiB", MAX_TEXT >> 20);
        return Err(Error::usage(what).file(path).fix("name a file that holds one vector"));
    }
    read.map_err(|_| {
        Error::usage(format!("\"{text}\" is neither a vector nor a file"))
            .what("option --vector")
            .fix("write '[0.1, -2]', or name a file that holds it")
    })?;
    let values = numbers(&content)
        .ok_or_else(|| Error::usage("the file holds no JSON array of numbers").file(path))?;
    checked(values, |e, p: &str| e.file(p), text)
}

fn numbers(text: &str) -> Option<Vec<f32>> {
    let text = text.trim();
    let list = if text.starts_with('[') { text.to_string() } else { format!("[{text}]") };
    // A number beyond f32 is no f32 to the parser; as f64 it is one, and refused by its place.
    let wide =
        || serde_json::from_str(&list).ok().map(|v: Vec<f64>| v.into_iter().map(|x| x as f32).collect());
    serde_json::from_str(&list).ok().or_else(wide).filter(|v: &Vec<f32>| !v.is_empty())
}

fn checked<'a>(values: Vec<f32>, place: impl Fn(Error, &'a str) -> Error, at: &'a str) -> Result<Vec<f32>> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(values),
        Some(i) => Err(place(Error::usage(format!("value {i} of the query vector is beyond f32")), at)),
    }
}
