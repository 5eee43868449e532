//! Which file uses which: the paths of each file, followed through modules and re-exports to the file that
//! defines what they name.

use super::source::{Source, matching};
use std::collections::{BTreeMap, BTreeSet};

/// A module: the crate's name, then the names of the modules.
pub type Module = Vec<String>;

/// The files of src and how their modules lie.
#[derive(Debug)]
pub struct Crates {
    files: Vec<File>,
    /// The file of each module; those that are written inside a file too.
    modules: BTreeMap<Module, usize>,
    /// What each module imports or hands on: the name here, and the absolute path.
    imports: BTreeMap<Module, Vec<Import>>,
    /// Macros of the crate, and where they are defined.
    macros: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct File {
    name: String,
    code: String,
    module: Module,
    /// The modules written inside it: where they are, and their path.
    inside: Vec<(std::ops::Range<usize>, Module)>,
    /// Items that it defines, outside of functions and types.
    items: BTreeSet<String>,
    /// Words outside of imports.
    words: BTreeSet<String>,
    /// Paths outside of imports: where, and the segments.
    paths: Vec<(usize, Vec<String>)>,
}

#[derive(Debug, Clone)]
struct Import {
    /// The name here; `None` for all that the path holds.
    name: Option<String>,
    path: Vec<String>,
    /// Others may take it from here; it is a use only if the file's code names it too.
    handed_on: bool,
}

impl Crates {
    /// Of all files.
    pub fn new(sources: &[Source]) -> Crates {
        let mut this = Crates {
            files: Vec::new(),
            modules: BTreeMap::new(),
            imports: BTreeMap::new(),
            macros: BTreeMap::new(),
        };
        for s in sources {
            this.add(s);
        }
        for at in 0..this.files.len() {
            this.parse(at);
        }
        this
    }

    fn add(&mut self, source: &Source) {
        let at = self.files.len();
        let module = module_of(&source.name);
        let code = source.code.clone();
        let mut inside: Vec<(std::ops::Range<usize>, Module)> = Vec::new();
        for (from, _) in code.match_indices("mod ") {
            let head = code[from + 4..].trim_start();
            let name: String = head.chars().take_while(|c| is_word(*c)).collect();
            let open = code.len() - head.len() + name.len();
            if code[..from].ends_with(is_word) || !code[open..].trim_start().starts_with('{') {
                continue;
            }
            let holder = inside.iter().rev().find(|(r, _)| r.contains(&from)).map_or(&module, |(_, m)| m);
            let path: Module = holder.iter().cloned().chain([name]).collect();
            self.modules.insert(path.clone(), at);
            inside.push((from..matching(code.as_bytes(), open + code[open..].find('{').unwrap()), path));
        }
        for (from, _) in code.match_indices("#[macro_export]") {
            let name = code[from..].split_once("macro_rules!").unwrap().1.trim_start();
            self.macros.insert(name.chars().take_while(|c| is_word(*c)).collect(), at);
        }
        self.modules.insert(module.clone(), at);
        self.files.push(File {
            name: source.name.clone(),
            module,
            items: items(&code, &inside),
            code,
            inside,
            words: BTreeSet::new(),
            paths: Vec::new(),
        });
    }

    fn parse(&mut self, at: usize) {
        let code = self.files[at].code.clone();
        let tokens = tokens(&code);
        let mut i = 0;
        while i < tokens.len() {
            let (offset, token) = (tokens[i].0, tokens[i].1);
            // `use<'a>` names what a type captures.
            if token == "use" && tokens.get(i + 1).is_some_and(|t| t.1 != "<") {
                let handed_on = i > 0 && ["pub", ")"].contains(&tokens[i - 1].1);
                let mut leaves = Vec::new();
                i = tree(&tokens, i + 1, &mut Vec::new(), &mut leaves);
                let module = self.files[at].module_at(offset).clone();
                let resolved: Vec<Import> = leaves
                    .into_iter()
                    .filter_map(|(name, path)| {
                        Some(Import { name, path: self.absolute(&module, &path)?, handed_on })
                    })
                    .collect();
                self.imports.entry(module).or_default().extend(resolved);
                continue;
            }
            if token.starts_with(is_word) {
                let mut path = vec![token.to_owned()];
                while tokens.get(i + 1).is_some_and(|t| t.1 == "::")
                    && tokens.get(i + 2).is_some_and(|t| t.1.starts_with(is_word))
                {
                    path.push(tokens[i + 2].1.to_owned());
                    i += 2;
                }
                let declares = i > 0 && tokens[i - 1].1 == "mod";
                if !declares {
                    self.files[at].words.insert(path[0].clone());
                }
                if path.len() > 1 {
                    self.files[at].paths.push((offset, path));
                }
            }
            i += 1;
        }
    }

    /// A path as written in a module, from the crate's root; `None` for what another crate, a type or an
    /// import begins.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let mut base: Vec<String> = module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => base.truncate(1),
            "self" => {}
            "super" => {
                while rest.first().is_some_and(|s| s == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
                return Some(base.into_iter().chain(rest.iter().cloned()).collect());
            }
            "cvx" if module[0] == "bin" => base = vec!["lib".into()],
            first => {
                base.push(first.into());
                if !self.modules.contains_key(&base) {
                    return None;
                }
            }
        }
        Some(base.into_iter().chain(rest[1..].iter().cloned()).collect())
    }

    /// As [`Crates::absolute`], through what the module imports.
    fn absolute_in_code(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        if let Some(path) = self.absolute(module, path) {
            return Some(path);
        }
        let imported = self.imports.get(module)?.iter().find(|i| i.name.as_ref() == path.first())?;
        Some(imported.path.iter().chain(&path[1..]).cloned().collect())
    }

    /// The files that define what an absolute path names; none for a module as such, whose uses are counted
    /// where they stand.
    fn definers(&self, path: &[String], depth: usize) -> Vec<usize> {
        let mut module: Module = vec![path[0].clone()];
        for (i, segment) in path.iter().enumerate().skip(1) {
            let mut child = module.clone();
            child.push(segment.clone());
            if i + 1 < path.len() && self.modules.contains_key(&child) {
                module = child;
                continue;
            }
            let mut out = self.item(&module, segment, &path[i + 1..], depth);
            if self.modules.contains_key(&child) {
                // A module and a function may share a name.
                out.retain(|file| self.files[*file].module != module || self.defines(*file, segment));
            }
            return out;
        }
        Vec::new()
    }

    fn item(&self, module: &Module, name: &str, rest: &[String], depth: usize) -> Vec<usize> {
        let here = self.modules[module];
        if depth == 0 || self.defines(here, name) {
            return vec![here];
        }
        let imports = self.imports.get(module).map_or(&[][..], Vec::as_slice);
        if let Some(i) = imports.iter().find(|i| i.name.as_deref() == Some(name)) {
            let path: Vec<String> = i.path.iter().chain(rest).cloned().collect();
            return self.definers(&path, depth - 1);
        }
        for i in imports.iter().filter(|i| i.name.is_none() && self.modules.contains_key(&i.path)) {
            let found = self.item(&i.path, name, rest, depth - 1);
            if found.iter().any(|f| self.defines(*f, name)) {
                return found;
            }
        }
        match self.macros.get(name) {
            Some(file) if module.len() == 1 => vec![*file],
            _ => vec![here],
        }
    }

    /// True when the file defines an item of this name, outside of functions and types.
    fn defines(&self, file: usize, name: &str) -> bool {
        self.files[file].items.contains(name)
    }

    /// The absolute paths that each file names, as written.
    pub fn paths(&self) -> BTreeMap<String, BTreeSet<Vec<String>>> {
        let mut out: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
        for (module, imports) in &self.imports {
            let file = self.files[self.modules[module]].name.clone();
            out.entry(file).or_default().extend(imports.iter().map(|i| i.path.clone()));
        }
        for file in &self.files {
            let absolute =
                file.paths.iter().filter_map(|(at, path)| self.absolute(file.module_at(*at), path));
            out.entry(file.name.clone()).or_default().extend(absolute);
        }
        out
    }

    /// Which files each file uses.
    pub fn uses(&self) -> BTreeMap<String, BTreeSet<String>> {
        const DEPTH: usize = 8;
        let mut edges = vec![BTreeSet::new(); self.files.len()];
        for (module, imports) in &self.imports {
            let file = self.modules[module];
            for i in imports {
                let used = |name: &String| !i.handed_on || self.files[file].words.contains(name);
                if i.name.as_ref().is_some_and(used) {
                    edges[file].extend(self.definers(&i.path, DEPTH));
                } else if i.name.is_none() && !i.handed_on {
                    edges[file].extend(self.modules.get(&i.path));
                }
            }
        }
        for (at, file) in self.files.iter().enumerate() {
            for (offset, path) in &file.paths {
                if let Some(path) = self.absolute_in_code(file.module_at(*offset), path) {
                    edges[at].extend(self.definers(&path, DEPTH));
                }
            }
        }
        let name = |at: usize| self.files[at].name.clone();
        edges
            .iter()
            .enumerate()
            .map(|(at, to)| (name(at), to.iter().filter(|t| **t != at).map(|t| name(*t)).collect()))
            .collect()
    }
}

impl File {
    fn module_at(&self, offset: usize) -> &Module {
        self.inside.iter().rev().find(|(r, _)| r.contains(&offset)).map_or(&self.module, |(_, m)| m)
    }
}

/// `dataset/writer.rs` is `lib::dataset::writer`, `bin/cvx/cmd/mod.rs` is `bin::cmd`.
fn module_of(name: &str) -> Module {
    let (root, rest) = match name.strip_prefix("bin/cvx/") {
        Some(rest) => ("bin", rest),
        None => ("lib", name),
    };
    let mut out: Module = std::iter::once(root).chain(rest.split('/')).map(str::to_owned).collect();
    let last = out.pop().unwrap();
    match last.trim_end_matches(".rs") {
        "mod" | "lib" | "main" => {}
        stem => out.push(stem.to_owned()),
    }
    out
}

/// The items of a file at the level of its modules.
fn items(code: &str, modules: &[(std::ops::Range<usize>, Module)]) -> BTreeSet<String> {
    const KINDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "union"];
    let mut out = BTreeSet::new();
    let mut depth = 0;
    let tokens = tokens(code);
    for (i, (at, token)) in tokens.iter().enumerate() {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            kind if KINDS.contains(&kind)
                && modules.iter().filter(|(r, _)| r.contains(at)).count() == depth =>
            {
                out.extend(tokens.get(i + 1).map(|t| t.1.to_owned()));
            }
            _ => {}
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words, `::`, and everything else a character each.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        let rest = &code[at..];
        let len = match c {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        out.push((at, &rest[..len]));
        at += len;
    }
    out
}

/// A name, or `None` for all, and the path of what has it.
type Leaf = (Option<String>, Vec<String>);

/// The leaves of an import, `a::{b, c as d, e::*}`; where the next token is.
fn tree(tokens: &[(usize, &str)], mut i: usize, path: &mut Vec<String>, out: &mut Vec<Leaf>) -> usize {
    let depth = path.len();
    while let Some((_, token)) = tokens.get(i) {
        match *token {
            "::" => {}
            "*" => {
                out.push((None, path.clone()));
                path.truncate(depth);
                return i + 1;
            }
            "{" => {
                i += 1;
                while tokens.get(i).is_some_and(|t| t.1 != "}") {
                    i = tree(tokens, i, path, out);
                    i += usize::from(tokens.get(i).is_some_and(|t| t.1 == ","));
                }
                path.truncate(depth);
                return i + 1;
            }
            word if word.starts_with(is_word) => {
                if word != "self" || path.is_empty() {
                    path.push(word.to_owned());
                }
                let next = tokens.get(i + 1).map(|t| t.1);
                if next != Some("::") {
                    let alias = if next == Some("as") { tokens.get(i + 2).map(|t| t.1) } else { None };
                    let name = alias.map(str::to_owned).or_else(|| path.last().cloned());
                    out.push((name, path.clone()));
                    path.truncate(depth);
                    return i + if alias.is_some() { 3 } else { 1 };
                }
            }
            _ => return i,
        }
        i += 1;
    }
    i
}

/// Sets of two nodes or more that reach each other.
pub fn circles(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = edges.keys().map(|n| (n, reached(edges, n))).collect();
    let mut out: Vec<BTreeSet<String>> = Vec::new();
    for (node, to) in &reach {
        if !to.contains(node) || out.iter().any(|c| c.contains(*node)) {
            continue;
        }
        out.push(to.iter().filter(|other| reach[*other].contains(node)).map(|n| (*n).clone()).collect());
    }
    out
}

fn reached<'a>(edges: &'a BTreeMap<String, BTreeSet<String>>, from: &String) -> BTreeSet<&'a String> {
    let mut out = BTreeSet::new();
    let mut open: Vec<&String> = edges[from].iter().collect();
    while let Some(node) = open.pop() {
        if out.insert(node) {
            open.extend(&edges[node]);
        }
    }
    out
}

#[cfg(test)]
fn crates(files: &[(&str, &str)]) -> Crates {
    let sources: Vec<Source> =
        files.iter().map(|(name, code)| Source { name: (*name).into(), code: (*code).into() }).collect();
    Crates::new(&sources)
}

#[test]
fn uses_are_followed_to_the_file_that_defines() {
    let found = crates(&[
        ("lib.rs", "pub mod a; pub mod b; pub use a::Thing;"),
        ("a/mod.rs", "mod one; mod two; pub use one::{Thing, Other as Renamed}; pub use two::*; struct Own;"),
        ("a/one.rs", "use super::Own; pub struct Thing; pub struct Other;"),
        ("a/two.rs", "pub fn go() { super::one::stop() } mod inner { use super::super::Own; }"),
        ("b.rs", "use crate::{a::{self, Renamed}, Thing}; fn f() -> impl Fn() + use<> { a::go() }"),
        ("bin/cvx/main.rs", "mod c; fn main() { c::run(); cvx::b::f(); }"),
        ("bin/cvx/c.rs", "use cvx::a; pub fn run() { a::go() }"),
    ])
    .uses();
    let of = |name: &str| found[name].iter().map(String::as_str).collect::<Vec<_>>();
    assert!(of("lib.rs").is_empty() && of("a/mod.rs").is_empty(), "{found:#?}");
    assert_eq!(of("a/one.rs"), ["a/mod.rs"]);
    assert_eq!(of("a/two.rs"), ["a/mod.rs", "a/one.rs"]);
    assert_eq!(of("b.rs"), ["a/one.rs", "a/two.rs"]);
    assert_eq!(of("bin/cvx/main.rs"), ["b.rs", "bin/cvx/c.rs"]);
    assert_eq!(of("bin/cvx/c.rs"), ["a/two.rs"]);
}

#[test]
fn what_a_module_hands_on_and_uses_itself_makes_a_circle() {
    let of = |code: &str| {
        circles(
            &crates(&[
                ("lib.rs", "mod a;"),
                ("a/mod.rs", code),
                ("a/one.rs", "use super::Own; pub struct X;"),
            ])
            .uses(),
        )
    };
    assert!(of("mod one; pub use one::X; pub struct Own;").is_empty());
    let circle = vec![BTreeSet::from(["a/mod.rs".to_owned(), "a/one.rs".to_owned()])];
    assert_eq!(of("mod one; pub use one::X; pub struct Own(X);"), circle);
    assert_eq!(of("mod one; pub struct Own(one::X);"), circle);
}
