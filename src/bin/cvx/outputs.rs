//! Where rows go: format, style, hidden columns and metadata of the output.

use cvx::cli::settings::Settings;
use cvx::cli::values::{Color, IdsJson, VectorForm};
use cvx::cli::version;
use cvx::config::{Config, IdKind};
use cvx::dataset::{Shard, Snapshot};
use cvx::error::{Error, Result};
use cvx::manifest::{FileKind, Manifest};
use cvx::output::{self, Format, Hidden, Options, Output, Pipe, Row, Stamp, Style, Target, Vectors};
use cvx::pq::Codec;
use cvx::rows::Sparks;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Opens the outputs of a run.
pub struct Outputs {
    /// Settings of all layers.
    pub settings: Settings,
    /// `-o`.
    pub out: Option<PathBuf>,
    /// `-f` stands on the command line.
    pub format_given: bool,
    /// What the rows say they were made by.
    pub command_line: String,
    /// The shard that this run is.
    pub shard: Option<Shard>,
}

impl Outputs {
    /// True when rows go out as a table.
    pub fn shows_table(&self) -> Result<bool> {
        Ok(self.format(None)? == Format::Table)
    }

    /// How trajectories are drawn, where rows go out as a table.
    pub fn sparks(&self) -> Result<Option<Sparks>> {
        Ok(self.shows_table()?.then(|| Sparks { unicode: locale_is_utf8() }))
    }

    /// True when rows show vectors.
    pub fn shows_vectors(&self) -> bool {
        self.settings.vectors.is_some_and(|v| v != VectorForm::None)
    }

    /// How a new dataset's JSON writes entity ids.
    pub fn ids_json(&self) -> cvx::config::IdsJson {
        match self.settings.ids_json {
            Some(IdsJson::String) => cvx::config::IdsJson::String,
            _ => cvx::config::IdsJson::Number,
        }
    }

    /// Opens the output for rows that need no dataset, without the columns in `hidden`.
    pub fn rows<R: Row>(&self, hidden: Hidden<R>) -> Result<Output<R>> {
        self.open(Options { hidden: hidden.names(), ..self.options(None)? }, Pipe::Ends)
    }

    /// Opens the output of a command that reads a dataset. Names are left out where entities
    /// have none.
    pub fn rows_of<R: Row>(&self, snapshot: &Snapshot, hidden: Hidden<R>) -> Result<Output<R>> {
        self.rows_like(snapshot, hidden, None, None)
    }

    /// As [`Outputs::rows_of`], with the command's own defaults of format and vectors.
    pub fn rows_like<R: Row>(
        &self,
        snapshot: &Snapshot,
        hidden: Hidden<R>,
        format: Option<Format>,
        vectors: Option<Vectors>,
    ) -> Result<Output<R>> {
        let mut hidden = hidden.names().to_vec();
        if snapshot.settings().ids == IdKind::U64 {
            hidden.push("entity");
        }
        let base = self.options(format)?;
        // For reading, a name says more than the hash that stands for it.
        if base.format == Format::Table && snapshot.settings().ids == IdKind::String {
            hidden.push("entity_id");
        }
        if base.format == Format::Table && !holds_lossy_blocks(snapshot.manifest()) {
            hidden.push("approx");
        }
        let mut options = Options { hidden: &hidden, dim: snapshot.settings().dim, ..base };
        if self.settings.ids_json.is_none() {
            options.style.ids_as_text = snapshot.settings().ids_json == cvx::config::IdsJson::String;
        }
        if let (None, Some(vectors)) = (self.settings.vectors, vectors) {
            options.style.vectors = vectors;
        }
        let m = snapshot.manifest();
        options.stamp.push(("dataset".to_string(), cvx::format::hex(&m.dataset)));
        options.stamp.push(("commit".to_string(), m.commit.to_string()));
        self.open(options, Pipe::Ends)
    }

    /// Opens a csv file for rows that stand beside another output.
    pub fn keys<R: Row>(&self, snapshot: &Snapshot, path: &Path) -> Result<Output<R>> {
        let hidden: &[&str] = if snapshot.settings().ids == IdKind::U64 { &["entity"] } else { &[] };
        let options = Options { hidden, style: self.style(), ..Options::new(Format::Csv) };
        Output::open(options, Target::file(path)?)
    }

    /// Opens the output of a command that has changed a dataset: a reader that goes away does
    /// not make it fail.
    pub fn record<R: Row>(&self, row: &R) -> Result<()> {
        let mut out = self.open::<R>(self.options(None)?, Pipe::Ignored)?;
        out.row(row)?;
        out.finish()
    }

    /// Opens an output of JSON lines beside that of the command.
    pub fn lines<R: Row>(&self, config: &Config, target: Target) -> Result<Output<R>> {
        let hidden: &[&str] = if config.settings.ids == IdKind::U64 { &["entity"] } else { &[] };
        let mut style = Style { ..self.style() };
        if self.settings.ids_json.is_none() {
            style.ids_as_text = config.settings.ids_json == cvx::config::IdsJson::String;
        }
        Output::open(Options { style, hidden, ..Options::new(Format::Jsonl) }, target)
    }

    fn options(&self, format: Option<Format>) -> Result<Options<'_>> {
        let (style, stamp) = (self.style(), self.stamp());
        let shard = self.shard.is_some();
        Ok(Options { format: self.format(format)?, style, dim: 0, hidden: &[], stamp, shard })
    }

    fn open<R: Row>(&self, options: Options<'_>, pipe: Pipe) -> Result<Output<R>> {
        Output::open(options, self.target(pipe)?)
    }

    /// Writes a text that is not made of rows.
    pub fn text(&self, bytes: &[u8]) -> Result<()> {
        let mut target = self.target(Pipe::Ends)?;
        target.write(bytes)?;
        target.finish()
    }

    /// Where bytes go.
    pub fn target(&self, pipe: Pipe) -> Result<Target> {
        self.out.as_deref().map_or_else(|| Ok(Target::stdout(pipe)), Target::file)
    }

    /// `-f`, else the extension of `-o`, else the environment or a config file, else what is
    /// `usual` for the command, else a table on a terminal and jsonl elsewhere.
    fn format(&self, usual: Option<Format>) -> Result<Format> {
        let set = self.settings.format.and_then(|f| f.fixed());
        let of_path = self.out.as_deref().and_then(Format::of_path);
        let terminal = self.out.is_none() && std::io::stdout().is_terminal();
        let chosen = if self.format_given { set.or(of_path) } else { of_path.or(set) };
        if let (None, Some(extension)) = (chosen, self.out.as_deref().and_then(|p| p.extension())) {
            return Err(Error::usage(format!("\".{}\" names no format", extension.display()))
                .what("option --out")
                .fix("end the name in .jsonl, .json, .csv, .tsv, .parquet, .arrow or .txt, or name the format with -f"));
        }
        let format = chosen.or(usual).unwrap_or(if terminal { Format::Table } else { Format::Jsonl });
        if format.is_binary() && terminal {
            return Err(Error::usage("a terminal cannot show this format")
                .what("option --format")
                .fix("write it to a file with -o FILE, or pipe it"));
        }
        Ok(format)
    }

    fn style(&self) -> Style {
        let s = &self.settings;
        let terminal = self.out.is_none() && std::io::stdout().is_terminal();
        Style {
            time: s.time.map(Into::into).unwrap_or_default(),
            vectors: s.vectors.map(Into::into).unwrap_or_default(),
            digits: s.digits.and_then(|d| d.0),
            ids_as_text: s.ids_json == Some(IdsJson::String),
            unicode: locale_is_utf8(),
            width: terminal.then(output::terminal_width).flatten(),
            color: self.color(terminal),
        }
    }

    fn color(&self, terminal: bool) -> bool {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        match self.settings.color.unwrap_or(Color::Auto) {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR").is_some() => false,
            Color::Auto if set("CLICOLOR_FORCE").is_some_and(|v| v != "0") => true,
            Color::Auto => terminal && set("TERM").is_none_or(|t| t != "dumb"),
        }
    }

    fn stamp(&self) -> Stamp {
        let pair = |k: &str, v: &str| (k.to_string(), v.to_string());
        let seed = self.settings.seed.unwrap_or(0).to_string();
        let mut stamp =
            vec![pair("version", version::SHORT), pair("command", &self.command_line), pair("seed", &seed)];
        stamp.extend(self.shard.map(|s| pair("shard", &format!("{}/{}", s.index, s.of))));
        stamp
    }
}

/// What the locale says about the terminal's letters.
fn locale_is_utf8() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// True when rows may come from a codec that lost something.
fn holds_lossy_blocks(m: &Manifest) -> bool {
    let lossy = |codec: &str| codec.parse::<Codec>().is_ok_and(|c| !c.is_lossless());
    m.of(FileKind::Cold).filter_map(|f| m.placement(f.id)).any(|p| lossy(&p.codec))
}
