//! `mingce import`: a file into the register, part by part, with a summary of what became of each row.

mod assumed;
mod piece;
mod summary;

use std::collections::{BTreeMap, HashSet};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use mingce_mapping::{Collection, Counts, Item, Mapping, Part, Refusal, RefusedWriter, Row, Source};
use prost_reflect::prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use self::assumed::Assumed;
use self::piece::{Became, Piece};
use crate::wire;

/// The most rows that one call carries, so that its answer stays small.
const PIECE: usize = 2_000;

/// How much one call of a dry run makes the server remember, in bytes of its memory; it has room for half as much again.
const REMEMBERED: usize = 16 << 20;

/// The largest resource that is sent. A server takes messages of 1 MiB; one that is larger would end the whole call.
const ROW_BYTES: usize = (1 << 20) - 1024;

/// Rows that wait between the reader and the network.
const WAITING: usize = 1_000;

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
    /// CSV, XLSX or JSON lines.
    pub file: PathBuf,
    /// What the columns mean: a mapping that ships (ror-organizations, ror-labs, nobel), a collection for what an export
    /// wrote, or the path of a TOML file.
    #[arg(long = "as", value_name = "MAPPING")]
    pub mapping: String,
    /// Says what the import would do, and does nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Writes the refused rows with what is wrong with them here, to be mended and imported again.
    #[arg(long, value_name = "FILE")]
    pub refused: Option<PathBuf>,
    /// The sheet of a workbook; the first where none is named.
    #[arg(long)]
    pub sheet: Option<String>,
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
}

impl Summary {
    /// How many resources were refused.
    pub fn refused(&self) -> u64 {
        self.tallies.iter().map(|t| t.refused).sum()
    }
}

/// Runs the command. Exit 0 where nothing was refused, 3 where rows were.
///
/// # Errors
/// Where the file or the mapping cannot be used, or the server fails: what was kept until then stays, and the same
/// command can simply be run again.
pub async fn run(args: ImportArgs) -> Result<ExitCode> {
    if let Some(refused) = &args.refused {
        let same = refused
            .canonicalize()
            .is_ok_and(|path| args.file.canonicalize().is_ok_and(|file| file == path));
        anyhow::ensure!(!same, "--refused names the file that is imported: name another");
        let csv = refused
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        anyhow::ensure!(csv, "--refused writes CSV: name a file that ends in .csv");
    }
    let mapping = Mapping::find(&args.mapping)?;
    let mut options = mapping.options();
    options.sheet = args.sheet.clone().or(options.sheet);
    let source = Source::open(&args.file, &options)?;
    mapping.check(&source)?;
    let (mapping, source) = (Arc::new(mapping), Arc::new(source));
    let bar = io::stderr().is_terminal();
    let summary = load(&mapping, &source, &args.servers, args.dry_run, bar).await?;
    let mut out = io::stdout().lock();
    summary::print(&mut out, &summary, args.dry_run)?;
    if let Some(path) = args.refused.as_deref().filter(|_| summary.refused() > 0) {
        let rows = write_refused(&mapping, &source, &summary.refusals, path)?;
        writeln!(
            out,
            "{rows} rows were written to {}; mend them and import that file in the same way",
            path.display()
        )?;
    }
    Ok(if summary.refused() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REFUSED)
    })
}

/// Loads all parts of a source. `bar` shows a progress bar on stderr.
///
/// # Errors
/// Those of [`run`].
pub async fn load(
    mapping: &Arc<Mapping>,
    source: &Arc<Source>,
    servers: &Servers,
    dry_run: bool,
    bar: bool,
) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut run = Run {
        mapping: Arc::clone(mapping),
        source: Arc::clone(source),
        dry_run,
        assumed: Assumed::default(),
        known: HashSet::new(),
    };
    let mut channels: BTreeMap<String, Channel> = BTreeMap::new();
    for part in mapping.parts() {
        let url = servers.of(part.collection());
        if !channels.contains_key(url) {
            channels.insert(url.to_owned(), wire::connect(url).await?);
        }
    }
    for (index, part) in mapping.parts().iter().enumerate() {
        let channel = channels
            .get(servers.of(part.collection()))
            .context("a server is missing")?;
        let bar = bar.then(|| progress(source.approximate_rows(), part.collection().label));
        let tally = run.part(index, channel, &mut summary.refusals, bar.as_ref()).await;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        summary.tallies.push(tally?);
    }
    let shown = summary.refusals.len().min(summary::SHOWN);
    mapping.look_up(source, summary.refusals.get_mut(..shown).unwrap_or_default())?;
    Ok(summary)
}

fn progress(rows: u64, label: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(rows);
    if let Ok(style) = ProgressStyle::with_template("{msg:20} {wide_bar} {pos}/{len} rows {eta}") {
        bar.set_style(style);
    }
    bar.set_message(label);
    bar
}

/// A run over all parts of a source.
struct Run {
    mapping: Arc<Mapping>,
    source: Arc<Source>,
    dry_run: bool,
    /// In a dry run: what it would have created so far.
    assumed: Assumed,
    known: HashSet<(String, String)>,
}

impl Run {
    async fn part(
        &mut self,
        index: usize,
        channel: &Channel,
        refusals: &mut Vec<Refusal>,
        bar: Option<&ProgressBar>,
    ) -> Result<Tally> {
        let (mapping, source) = (Arc::clone(&self.mapping), Arc::clone(&self.source));
        let part = mapping.parts().get(index).context("there is no such part")?;
        let mask = part.mask(&source)?;
        let mut tally = Tally::new(part.collection().label);
        self.known.clear();
        let (mut receiver, reading) = self.read(index);
        let (mut piece, mut held, mut bytes): (Option<Piece>, Vec<Row>, usize) = (None, Vec::new(), 0);
        while let Some(item) = receiver.recv().await {
            let row = match item {
                Item::Row(row) => row,
                Item::Refused(refusal) => {
                    tally.refused += 1;
                    refusals.push(refusal);
                    continue;
                }
            };
            if row.message.encoded_len() > ROW_BYTES {
                tally.refused += 1;
                refusals.push(too_large(&row));
                continue;
            }
            if let Some(bar) = bar {
                bar.set_position(row.number.min(source.approximate_rows()));
            }
            if self.dry_run {
                bytes += assumed::remembered(&row.message);
                held.push(row);
                if held.len() == PIECE || bytes > REMEMBERED {
                    bytes = 0;
                    let rows = std::mem::take(&mut held);
                    self.try_rows(part, channel, &mask, rows, &mut tally, refusals).await?;
                }
                continue;
            }
            let mut open = match piece.take() {
                Some(open) => open,
                None => {
                    let settings = piece::settings(false, &mask, &file_name(source.name()));
                    Piece::begin(channel, part.collection(), settings, &[])?
                }
            };
            let going = open.push(row).await?;
            if going && open.len() < PIECE {
                piece = Some(open);
            } else {
                self.end(part, open, &mut tally, refusals).await?;
            }
        }
        // A file that breaks off sends nothing more of it; what was sent before is kept.
        tally.counts = reading.await.context("the reader stopped")??.unwrap_or_default();
        if let Some(open) = piece {
            self.end(part, open, &mut tally, refusals).await?;
        }
        if !held.is_empty() {
            self.try_rows(part, channel, &mask, held, &mut tally, refusals).await?;
        }
        Ok(tally)
    }

    /// One call of a dry run.
    async fn try_rows(
        &mut self,
        part: &Part,
        channel: &Channel,
        mask: &[String],
        rows: Vec<Row>,
        tally: &mut Tally,
        refusals: &mut Vec<Refusal>,
    ) -> Result<()> {
        let settings = piece::settings(true, mask, &file_name(self.source.name()));
        let assumed = self.assumed.meant_by(&rows);
        let mut open = Piece::begin(channel, part.collection(), settings, &assumed)?;
        for row in rows {
            if !open.push(row).await? {
                break;
            }
        }
        self.end(part, open, tally, refusals).await
    }

    /// Reads a part on a thread of its own; the channel holds the reader back to the pace of the server.
    fn read(
        &self,
        index: usize,
    ) -> (
        mpsc::Receiver<Item>,
        JoinHandle<Result<Option<Counts>, mingce_mapping::Error>>,
    ) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (mapping, source) = (Arc::clone(&self.mapping), Arc::clone(&self.source));
        let reading = tokio::task::spawn_blocking(move || {
            let part = mapping.parts().get(index);
            let mut send = |item| Ok(sender.blocking_send(item).is_ok());
            part.map(|part| part.read(&mapping, &source, &mut send)).transpose()
        });
        (receiver, reading)
    }

    /// Ends a call and counts what became of its rows.
    async fn end(&mut self, part: &Part, piece: Piece, tally: &mut Tally, refusals: &mut Vec<Refusal>) -> Result<()> {
        let (answer, rows) = piece.end().await.map_err(|status| {
            wire::failure(&format!("importing {}", tally.collection), &status)
                .context("the import stopped; what was kept stays. Run it again: it ends as one whole run does")
        })?;
        if answer.outcomes.len() != rows.len() {
            return Err(anyhow!(
                "the server answered {} outcomes for {} rows",
                answer.outcomes.len(),
                rows.len()
            ));
        }
        for ((row, assumed), outcome) in rows.into_iter().zip(&answer.outcomes) {
            match piece::became(outcome) {
                Became::Created => {
                    tally.created += 1;
                    assumed.into_iter().for_each(|record| self.assumed.push(record));
                }
                Became::Updated => tally.updated += 1,
                Became::Unchanged => tally.unchanged += 1,
                Became::Refused => {
                    tally.refused += 1;
                    refusals.extend(piece::refusals(&self.mapping, part, &row, outcome));
                }
            }
        }
        for made in answer.created_references {
            if self.known.insert((made.collection.clone(), made.key.clone())) {
                *tally.references.entry(made.collection.clone()).or_default() += 1;
                if self.dry_run {
                    self.assumed.push(piece::assumed_reference(&made));
                }
            }
        }
        Ok(())
    }
}

fn too_large(row: &Row) -> Refusal {
    let mut rows = vec![row.number];
    rows.extend(&row.further);
    Refusal {
        row: row.number,
        rows,
        column: String::new(),
        value: String::new(),
        personal: false,
        reason: "ROW_TOO_LARGE".to_owned(),
        description: "the resource has more than 1 MiB; are too many rows joined to one?".to_owned(),
    }
}

fn file_name(path: &str) -> String {
    Path::new(path)
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Writes the refused rows beside the target first, so that a file that is there is replaced whole or not at all.
fn write_refused(mapping: &Mapping, source: &Source, refusals: &[Refusal], path: &Path) -> Result<usize> {
    let writer = RefusedWriter::new(mapping, source, refusals);
    crate::export::replace(path, |file| {
        let mut out = io::BufWriter::new(file);
        writer.write(&mut out)?;
        out.flush()?;
        Ok(())
    })?;
    Ok(writer.len())
}

/// The collection that the command line names.
///
/// # Errors
/// Lists the collections where there is none of that name.
pub fn collection(label: &str) -> Result<&'static Collection> {
    Collection::find(label).ok_or_else(|| anyhow!(Collection::unknown(label)))
}
