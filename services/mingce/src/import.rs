//! `mingce import`: a file into the register, part by part, with a summary of what became of each row.

mod again;
mod assumed;
mod piece;
mod run;
mod stop;
mod summary;
mod written;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use mingce_mapping::{Collection, Counts, Mapping, Refusal, Source};
use mingce_proto::registry::CreatedReference;
use sha2::{Digest, Sha256};
use tonic::transport::Channel;

use self::run::{Kept, Run, file_name};
pub use self::stop::Stop;
pub use self::summary::told as told_refusal;
use crate::lang::Lang;
use crate::wire;

/// The exit code where rows were refused.
const REFUSED: u8 = 3;

/// Where the services are.
#[derive(clap::Args, Clone, Debug)]
pub struct Servers {
    /// Where the register runs.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:50051")]
    pub server: String,
    /// Where the labs service runs, if elsewhere.
    #[arg(long, value_name = "URL")]
    pub labs_url: Option<String>,
    /// Where the talent service runs, if elsewhere.
    #[arg(long, value_name = "URL")]
    pub talent_url: Option<String>,
    /// Where the awards service runs, if elsewhere.
    #[arg(long, value_name = "URL")]
    pub awards_url: Option<String>,
}

impl Servers {
    /// The addresses of all services, each once.
    pub fn all(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for own in [&self.labs_url, &self.talent_url, &self.awards_url] {
            let address = own.as_deref().unwrap_or(&self.server);
            if !all.contains(&address) {
                all.push(address);
            }
        }
        all
    }

    /// The address of the service that keeps a collection.
    pub fn of(&self, collection: &Collection) -> &str {
        let own = match collection.service.split('.').nth(1) {
            Some("labs") => &self.labs_url,
            Some("talent") => &self.talent_url,
            _ => &self.awards_url,
        };
        own.as_deref().unwrap_or(&self.server)
    }
}

/// What `mingce import` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct ImportArgs {
    /// CSV, XLSX or JSON lines
    pub file: PathBuf,
    /// What the columns mean: a mapping that ships (ror-organizations, ror-labs, nobel), a collection for what an export
    /// wrote, or the path of a TOML file
    #[arg(long = "as", value_name = "MAPPING")]
    pub mapping: String,
    /// Says what the import would do, and does nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Writes the refused rows with what is wrong with them here, to be mended and imported again: .xlsx (all cells are text),
    /// .csv, or .jsonl for JSON lines. Where nothing is refused, a file of that name from an earlier run is removed
    #[arg(long, value_name = "FILE")]
    pub refused: Option<PathBuf>,
    /// Writes the records that are made because rows name them here: .xlsx or .csv
    #[arg(long, value_name = "FILE")]
    pub created: Option<PathBuf>,
    /// Changes records also where somebody else changed them since the file was exported
    #[arg(long)]
    pub force: bool,
    /// Leaves fields as they are that people changed since the last import, and says which
    #[arg(long)]
    pub keep_edits: bool,
    /// The sheet of a workbook; the first where none is named
    #[arg(long)]
    pub sheet: Option<String>,
    /// Language of the reasons; that of the system where none is named
    #[arg(long, value_enum)]
    pub lang: Option<Lang>,
    /// Where the services are.
    #[command(flatten)]
    pub servers: Servers,
}

/// What became of one part of a file.
#[derive(Debug)]
pub struct Tally {
    /// The collection.
    pub collection: &'static str,
    /// What was read.
    pub counts: Counts,
    /// Resources that were made.
    pub created: u64,
    /// Resources that were changed.
    pub updated: u64,
    /// Resources that were so already.
    pub unchanged: u64,
    /// Resources that were refused, by the mapping or by the service.
    pub refused: u64,
    /// Records that were made because rows named them, by collection.
    pub references: BTreeMap<String, u64>,
    /// Rows that were under way when the import failed: kept or not, nobody knows.
    pub unclear: u64,
}

impl Tally {
    fn new(collection: &'static str) -> Self {
        Tally {
            collection,
            counts: Counts::default(),
            created: 0,
            updated: 0,
            unchanged: 0,
            refused: 0,
            references: BTreeMap::new(),
            unclear: 0,
        }
    }
}

/// What became of a file.
#[derive(Debug, Default)]
pub struct Summary {
    /// Part by part.
    pub tallies: Vec<Tally>,
    /// Every refusal; several for one resource where several of its fields are wrong.
    pub refusals: Vec<Refusal>,
    /// Records that were made because rows named them.
    pub made: Vec<CreatedReference>,
    /// Rows of which fields stay as people left them.
    pub kept: Vec<KeptFields>,
    /// What the import is called; empty where nothing was sent, and in a dry run.
    pub run: String,
}

/// A row of which fields stay as people left them.
#[derive(Clone, Debug)]
pub struct KeptFields {
    /// Its number.
    pub row: u64,
    /// What its record is called.
    pub display_name: String,
    /// The fields.
    pub fields: Vec<String>,
}

impl Summary {
    /// How many resources were refused.
    pub fn refused(&self) -> u64 {
        self.tallies.iter().map(|t| t.refused).sum()
    }

    /// Puts what is told of rows in the order of the file: a mapping tells of a row as it is read, the server at the
    /// end of a call.
    fn in_order(&mut self) {
        self.refusals.sort_by_key(|refusal| refusal.row);
        self.kept.sort_by_key(|kept| kept.row);
    }
}

/// How to load.
#[derive(Clone, Debug, Default)]
pub struct How {
    /// Does nothing, and says what it would do.
    pub dry_run: bool,
    /// Changes what somebody else changed since.
    pub force: bool,
    /// Leaves what people changed since the last import.
    pub keep_edits: bool,
    /// What the record of the import says of the file and the mapping.
    pub told: Told,
    /// Shows a progress bar on stderr.
    pub bar: bool,
    /// The language of what is said.
    pub lang: Lang,
}

/// What the record of an import says of its file and its mapping.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// What the columns mean, without the folder of a file.
    pub mapping: String,
    /// SHA-256 of the file, in hexadecimal digits.
    pub source_sha256: String,
    /// The same of the mapping; nothing for one that ships or that is a collection.
    pub mapping_sha256: String,
}

impl Told {
    fn of(args: &ImportArgs) -> Result<Told> {
        let path = Path::new(&args.mapping);
        let is_file = path.is_file() && path.extension().is_some();
        Ok(Told {
            mapping: file_name(&args.mapping),
            source_sha256: sha256(&args.file)?,
            mapping_sha256: if is_file { sha256(path)? } else { String::new() },
        })
    }
}

fn sha256(path: &Path) -> Result<String> {
    let unread = || format!("{} cannot be read", path.display());
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 64 << 10]);
    let mut file = File::open(path).with_context(unread)?;
    loop {
        let length = file.read(&mut piece).with_context(unread)?;
        if length == 0 {
            break;
        }
        digest.update(piece.get(..length).unwrap_or_default());
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Runs the command. Exit 0 where nothing was refused, 3 where rows were, 130 where it was interrupted.
///
/// # Errors
/// Where the file or the mapping cannot be used, or the server fails: what was kept until then is printed and stays, and the
/// same command can simply be run again.
pub async fn run(args: ImportArgs) -> Result<ExitCode> {
    let mapping = Mapping::find(&args.mapping)?;
    let mut options = mapping.options();
    options.sheet = args.sheet.clone().or(options.sheet);
    let source = Source::open(&args.file, &options)?;
    let lang = Lang::of(args.lang);
    written::check(&args, &source, lang)?;
    mapping.check(&source)?;
    let (mapping, source) = (Arc::new(mapping), Arc::new(source));
    let how = How {
        dry_run: args.dry_run,
        force: args.force,
        keep_edits: args.keep_edits,
        told: Told::of(&args)?,
        bar: io::stderr().is_terminal(),
        lang,
    };
    let stop = Stop::listen();
    let mut summary = Summary::default();
    let loaded = load(&mapping, &source, &args.servers, &how, &stop, &mut summary).await;
    if summary.tallies.is_empty() {
        loaded?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = summary.refusals.len().min(summary::SHOWN);
    if loaded.is_ok() {
        mapping.look_up(&source, summary.refusals.get_mut(..shown).unwrap_or_default())?;
    }
    // The files come first, so that they are there also where nobody reads what is printed.
    let mut notes = Vec::new();
    if loaded.is_ok() {
        notes.extend(written::refused(&args, &mapping, &source, &summary, lang)?);
    }
    notes.extend(written::created(&args, &summary, lang)?);
    let mut out = io::stdout().lock();
    summary::print(&mut out, &summary, args.dry_run, lang)?;
    for note in notes {
        writeln!(out, "{note}")?;
    }
    loaded?;
    if stop.is_asked() {
        let said = lang.choose(
            "已中断：表中所列均已保存；其余请再次运行同一命令",
            "interrupted: what the table counts was kept; run the same command again for the rest",
        );
        writeln!(io::stderr(), "mingce: {said}")?;
        return Ok(ExitCode::from(stop::INTERRUPTED));
    }
    Ok(if summary.refused() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REFUSED)
    })
}

/// Loads all parts of a source. What became of its rows is in `summary` also where it fails.
///
/// # Errors
/// Those of [`run()`].
pub async fn load(
    mapping: &Arc<Mapping>,
    source: &Arc<Source>,
    servers: &Servers,
    how: &How,
    stop: &Stop,
    summary: &mut Summary,
) -> Result<()> {
    let mut run = Run::new(mapping, source, how, stop);
    let mut channels: BTreeMap<String, Channel> = BTreeMap::new();
    for part in mapping.parts() {
        let url = servers.of(part.collection());
        if !channels.contains_key(url) {
            channels.insert(url.to_owned(), wire::connect(url).await?);
        }
    }
    for (index, part) in mapping.parts().iter().enumerate() {
        if stop.is_asked() {
            break;
        }
        let channel = channels
            .get(servers.of(part.collection()))
            .context("a server is missing")?;
        let bar = how
            .bar
            .then(|| progress(source.approximate_rows(), part.collection().label));
        let mut tally = Tally::new(part.collection().label);
        let mut kept = Kept {
            tally: &mut tally,
            refusals: &mut summary.refusals,
            made: &mut summary.made,
            fields: &mut summary.kept,
        };
        let loaded = run.part(index, channel, &mut kept, bar.as_ref()).await;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        summary.tallies.push(tally);
        summary.in_order();
        if let Some(id) = run.id() {
            id.clone_into(&mut summary.run);
        }
        loaded?;
    }
    Ok(())
}

fn progress(rows: u64, label: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(rows);
    if let Ok(style) = ProgressStyle::with_template("{msg:20} {wide_bar} {pos}/{len} rows {eta}") {
        bar.set_style(style);
    }
    bar.set_message(label);
    bar
}

/// The collection that the command line names.
///
/// # Errors
/// Lists the collections where there is none of that name.
pub fn collection(label: &str) -> Result<&'static Collection> {
    Collection::find(label).ok_or_else(|| anyhow!(Collection::unknown(label)))
}
