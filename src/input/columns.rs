//! Which columns of a table are what.

use super::derived::{Derived, From};
use super::fields::{EXPORT, entity_names, id_names, names, time_names};
use super::options::{InputOptions, MetaColumns};
use crate::error::{Code, Error, Result};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Where the vector is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum VectorColumns {
    /// One column of lists.
    List(usize),
    /// One column a component.
    Each(Vec<usize>),
}

/// Ordinals of the columns that matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub entity: usize,
    pub t: usize,
    pub vector: VectorColumns,
    /// The column that holds whole metadata objects.
    pub meta: Option<usize>,
    /// Columns that become keys of the metadata.
    pub others: Vec<usize>,
    /// Provenance: as mapped, or in an exported file unless the user gave it.
    pub source: Option<usize>,
    pub model: Option<usize>,
}

impl Columns {
    /// Assigns the columns of a table, or says which is missing.
    pub(super) fn find(header: &[String], options: &InputOptions, path: &Path) -> Result<Columns> {
        let places = Places::new(header);
        let at = |name: &str| places.at(name);
        let first = |names: &[String]| names.iter().find_map(|n| at(n));
        let need =
            |names: &[String], option: &str| first(names).ok_or_else(|| missing(names, option, header, path));
        let entity = need(&entity_names(options), "‹map entity=COL›")?;
        let t = need(&time_names(options), "‹map t=COL›, or give all points one with ‹at›")?;
        let vector = find_vector(header, &places, options, path)?;
        let meta = match options.meta {
            MetaColumns::None => None,
            _ => at("metadata").or_else(|| at("meta")),
        };
        let exported = EXPORT.iter().all(|name| at(name).is_some());
        let restored = |name, given: &Option<String>| {
            if exported && given.is_none() { at(name) } else { None }
        };
        let dropped = |name: &str| {
            exported && (EXPORT.contains(&name) || matches!(name, "commit" | "entity" | "entity_id"))
        };
        let source = match &options.map.source {
            Some(name) => Some(need(std::slice::from_ref(name), "‹map source=COL›")?),
            None => restored("source", &options.source),
        };
        let model = match &options.map.model {
            Some(name) => Some(need(std::slice::from_ref(name), "‹map model=COL›")?),
            None => restored("model", &options.model),
        };
        let mut used: HashSet<usize> = match &vector {
            VectorColumns::List(v) => [*v].into(),
            VectorColumns::Each(list) => list.iter().copied().collect(),
        };
        used.extend([entity, t].into_iter().chain(meta).chain(source).chain(model));
        if options.map.name.is_some() {
            used.extend(id_names(options).iter().filter_map(|n| at(n)));
        }
        let listed: HashSet<&str> = match &options.meta {
            MetaColumns::List(list) => list.iter().map(String::as_str).collect(),
            _ => HashSet::new(),
        };
        let taken = |name: &str| match options.meta {
            MetaColumns::All => true,
            MetaColumns::None => false,
            MetaColumns::List(_) => listed.contains(name),
        };
        let others: Vec<usize> = (0..header.len())
            .filter(|i| !used.contains(i) && !dropped(&header[*i]) && taken(&header[*i]))
            .collect();
        check_listed(header, &places, options, path)?;
        let columns = Columns { entity, t, vector, meta, others, source, model };
        columns.check_twice(header, &places, path)?;
        Ok(columns)
    }

    /// Refuses a name that two columns have where one of them is read. Columns without a name are
    /// what a table leaves behind its last separator; a row that fills two of them is refused later.
    fn check_twice(&self, header: &[String], places: &Places<'_>, path: &Path) -> Result<()> {
        let twice = |i: &usize| !header[*i].is_empty() && places.twice.contains(header[*i].as_str());
        match self.all().iter().find(|i| twice(i)) {
            None => Ok(()),
            Some(i) => {
                Err(Error::new(Code::BadFile, format!("the column \"{}\" is given twice", header[*i]))
                    .file(path)
                    .fix("rename one of the two, or leave both out with ‹meta›"))
            }
        }
    }

    /// The columns of a file with `fields` of them that must be read for these and for the derived ones, in
    /// ascending order.
    pub(super) fn roots(&self, fields: usize, derived: &[Derived]) -> Vec<usize> {
        let inside = derived.iter().filter_map(|d| match &d.from {
            From::Field { root, .. } => Some(*root),
            From::Text(_) => None,
        });
        let mut roots: Vec<usize> = self.all().into_iter().filter(|i| *i < fields).chain(inside).collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }

    /// Every column that must be read, in ascending order.
    pub(super) fn all(&self) -> Vec<usize> {
        let mut all = vec![self.entity, self.t];
        match &self.vector {
            VectorColumns::List(v) => all.push(*v),
            VectorColumns::Each(list) => all.extend(list),
        }
        all.extend(self.others.iter().chain(&self.meta).chain(&self.source).chain(&self.model));
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The ordinals of a header's names, so that a wide one costs no more than its length.
struct Places<'a> {
    first: HashMap<&'a str, usize>,
    twice: HashSet<&'a str>,
}

impl<'a> Places<'a> {
    fn new(header: &'a [String]) -> Places<'a> {
        let mut places = Places { first: HashMap::with_capacity(header.len()), twice: HashSet::new() };
        for (i, name) in header.iter().enumerate() {
            if *places.first.entry(name).or_insert(i) != i {
                places.twice.insert(name);
            }
        }
        places
    }

    fn at(&self, name: &str) -> Option<usize> {
        self.first.get(name).copied()
    }
}

/// A column named in `--meta` must be there.
fn check_listed(header: &[String], places: &Places<'_>, options: &InputOptions, path: &Path) -> Result<()> {
    match &options.meta {
        MetaColumns::List(list) => match list.iter().find(|name| places.at(name).is_none()) {
            Some(name) => Err(missing(std::slice::from_ref(name), "‹meta›", header, path)),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn find_vector(
    header: &[String],
    places: &Places<'_>,
    options: &InputOptions,
    path: &Path,
) -> Result<VectorColumns> {
    let at = |name: &str| places.at(name);
    if let Some((a, b)) = &options.vector_cols {
        let place = |name: &String| {
            at(name).ok_or_else(|| missing(std::slice::from_ref(name), "‹vector-cols A..B›", header, path))
        };
        let (from, to) = (place(a)?, place(b)?);
        return each((from..=to).collect(), options.dim, path);
    }
    let usual = names(&options.map.vector, &["vector", "embedding"]);
    if let Some(list) = usual.iter().find_map(|n| at(n)) {
        return Ok(VectorColumns::List(list));
    }
    // What `--vectors columns` writes.
    let numbered: Vec<usize> = (0..).map_while(|i| at(&format!("v{i}"))).collect();
    if numbered.is_empty() || options.map.vector.is_some() {
        return Err(missing(&usual, "‹map vector=COL› or ‹vector-cols A..B›", header, path));
    }
    each(numbered, options.dim, path)
}

fn each(columns: Vec<usize>, dim: usize, path: &Path) -> Result<VectorColumns> {
    if columns.len() == dim {
        return Ok(VectorColumns::Each(columns));
    }
    let message = format!("the file has {} vector columns, the dataset has dimension {dim}", columns.len());
    Err(Error::new(Code::DimMismatch, message)
        .file(path)
        .fix("name the first and the last with ‹vector-cols A..B›"))
}

fn missing(names: &[String], option: &str, header: &[String], path: &Path) -> Error {
    let wanted: Vec<String> = names.iter().map(|n| format!("\"{n}\"")).collect();
    let shown = header.iter().take(12).cloned().collect::<Vec<_>>().join(", ");
    let more = if header.len() > 12 { ", ..." } else { "" };
    Error::new(Code::BadFile, format!("there is no column {}", wanted.join(" or ")))
        .file(path)
        .fix(format!("the columns are {shown}{more}; name the right one with {option}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::options::{IdKind, Mapping};

    fn find(header: &[&str], options: &InputOptions) -> Result<Columns> {
        let header: Vec<String> = header.iter().map(|s| (*s).to_owned()).collect();
        Columns::find(&header, options, Path::new("x"))
    }

    #[test]
    fn usual_names_and_mapped_ones() {
        let mut options = InputOptions::new(2, IdKind::U64);
        let c = find(&["x", "entity", "entity_id", "t", "vector", "metadata"], &options).unwrap();
        assert_eq!((c.entity, c.t, c.vector.clone(), c.meta), (2, 3, VectorColumns::List(4), Some(5)));
        assert_eq!(c.others, [0, 1]);
        assert_eq!(c.all(), [0, 1, 2, 3, 4, 5]);
        options.map = Mapping::parse("entity=word,t=year,vector=emb").unwrap();
        options.meta = MetaColumns::None;
        let c = find(&["word", "year", "emb", "meta"], &options).unwrap();
        assert_eq!((c.entity, c.t, c.meta, c.others.len()), (0, 1, None, 0));
    }

    #[test]
    fn a_column_a_component() {
        let mut options = InputOptions::new(2, IdKind::Name);
        let c = find(&["entity_id", "t", "v0", "v1"], &options).unwrap();
        assert_eq!((c.entity, c.vector), (0, VectorColumns::Each(vec![2, 3])));
        assert_eq!(find(&["entity", "t", "v0"], &options).unwrap_err().code(), Code::DimMismatch);
        options.vector_cols = Some(("a".into(), "b".into()));
        let c = find(&["a", "b", "entity", "t", "c"], &options).unwrap();
        assert_eq!((c.vector, c.others), (VectorColumns::Each(vec![0, 1]), vec![4]));
        assert!(find(&["b", "a", "entity", "t"], &options).is_err());
    }

    #[test]
    fn an_export_gives_its_points_back() {
        let header = [
            "entity_id",
            "entity",
            "timestamp",
            "vector",
            "metadata",
            "source",
            "model",
            "commit",
            "approx",
            "seq",
        ];
        let mut options = InputOptions::new(2, IdKind::Name);
        let c = find(&header, &options).unwrap();
        assert_eq!((c.entity, c.source, c.model, c.others.len()), (1, Some(5), Some(6), 0));
        options.model = Some("m@2".into());
        assert_eq!(find(&header, &options).unwrap().model, None);
        assert_eq!(find(&header[..8], &options).unwrap().others.len(), 4);
    }

    #[test]
    fn errors_list_the_columns() {
        let mut options = InputOptions::new(2, IdKind::U64);
        let e = find(&["id", "t", "vector"], &options).unwrap_err();
        assert!(e.message().contains("entity_id") && e.hint().unwrap().contains("id, t, vector"));
        assert!(find(&["entity", "t", "t", "vector"], &options).unwrap_err().message().contains("twice"));
        assert!(
            find(&["entity", "t", "vector", "x", "x"], &options).unwrap_err().message().contains("twice")
        );
        assert_eq!(find(&["entity", "t", "vector", "", ""], &options).unwrap().others, [3, 4]);
        options.meta = MetaColumns::List(vec!["y".into()]);
        assert_eq!(find(&["entity", "t", "vector", "x", "x", "y"], &options).unwrap().others, [5]);
        options.meta = MetaColumns::List(vec!["lang".into()]);
        assert!(find(&["entity", "t", "vector"], &options).unwrap_err().message().contains("lang"));
    }
}
