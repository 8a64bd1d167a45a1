//! `mingce import`: a file into the register, part by part, with a summary of what became of each row.

mod again;
mod assumed;
mod piece;
mod stop;
mod summary;
mod written;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use mingce_mapping::{Collection, Counts, Item, Mapping, Part, Refusal, Row, Source};
use mingce_orm::id::Id;
use mingce_proto::registry::{CreatedReference, ImportSettings};
use mingce_server::peers::assumed_reference;
use prost_reflect::prost::Message;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use self::again::Again;
use self::assumed::Assumed;
use self::piece::{Became, Piece, Sent};
pub use self::stop::Stop;
use crate::lang::Lang;
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
/// Those of [`run`].
pub async fn load(
    mapping: &Arc<Mapping>,
    source: &Arc<Source>,
    servers: &Servers,
    how: &How,
    stop: &Stop,
    summary: &mut Summary,
) -> Result<()> {
    let mut run = Run {
        mapping: Arc::clone(mapping),
        source: Arc::clone(source),
        how: how.clone(),
        stop: stop.clone(),
        assumed: Assumed::default(),
        known: HashSet::new(),
        id: new_id(),
        sent: false,
        again: Again::default(),
    };
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
        if run.sent && !how.dry_run {
            summary.run.clone_from(&run.id);
        }
        loaded?;
    }
    Ok(())
}

/// Where it is noted what becomes of rows.
struct Kept<'a> {
    tally: &'a mut Tally,
    refusals: &'a mut Vec<Refusal>,
    made: &'a mut Vec<CreatedReference>,
    fields: &'a mut Vec<KeptFields>,
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
    how: How,
    stop: Stop,
    /// In a dry run: what it would have created so far.
    assumed: Assumed,
    known: HashSet<(String, String)>,
    /// What all streams call their run.
    id: String,
    /// Whether there was one.
    sent: bool,
    /// Rows of the part that name what is not there yet.
    again: Again,
}

impl Run {
    async fn part(
        &mut self,
        index: usize,
        channel: &Channel,
        kept: &mut Kept<'_>,
        bar: Option<&ProgressBar>,
    ) -> Result<()> {
        let before = kept.refusals.len();
        let mut done = self.rows(index, channel, kept, bar).await;
        if done.is_ok() {
            done = self.rows_again(index, channel, kept).await;
        }
        let (left, refusals) = self.again.left();
        if left > 0 {
            kept.tally.refused += u64::try_from(left).unwrap_or(u64::MAX);
            kept.refusals.extend(refusals);
            let of_part = kept.refusals.get_mut(before..).unwrap_or_default();
            of_part.sort_by_key(|refusal| refusal.row);
        }
        done
    }

    /// Sends the rows once more that a row behind them may have helped.
    async fn rows_again(&mut self, index: usize, channel: &Channel, kept: &mut Kept<'_>) -> Result<()> {
        let (mapping, source) = (Arc::clone(&self.mapping), Arc::clone(&self.source));
        let part = mapping.parts().get(index).context("there is no such part")?;
        let mask = part.mask(&source)?;
        let mut before = None;
        while !self.stop.is_asked()
            && let Some(rows) = self.again.next(before)
        {
            before = Some(rows.len());
            let mut rows = rows.into_iter().peekable();
            while rows.peek().is_some() {
                let some = rows.by_ref().take(PIECE).map(|(sent, _)| sent).collect();
                if let Err(error) = self.send_again((part, index), channel, &mask, some, kept).await {
                    self.again.put_back(rows);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// One call of rows that were sent before.
    async fn send_again(
        &mut self,
        (part, index): (&Part, usize),
        channel: &Channel,
        mask: &[String],
        rows: Vec<Sent>,
        kept: &mut Kept<'_>,
    ) -> Result<()> {
        let said = rows.iter().map(|sent| piece::content(part.collection(), &sent.message));
        let said: Vec<_> = said.collect::<Option<_>>().context("a message does not read back")?;
        let settings = ImportSettings {
            retry: true,
            ..piece::settings(&self.how, mask, &file_name(self.source.name()), (&self.id, index))
        };
        let mut open = Piece::begin(channel, part.collection(), settings, &self.assumed.meant_by(&said))?;
        for sent in rows {
            if !open.send(sent).await {
                break;
            }
        }
        self.end(part, open, kept, true).await
    }

    /// Sends the rows as they are read.
    async fn rows(
        &mut self,
        index: usize,
        channel: &Channel,
        kept: &mut Kept<'_>,
        bar: Option<&ProgressBar>,
    ) -> Result<()> {
        let (mapping, source) = (Arc::clone(&self.mapping), Arc::clone(&self.source));
        let part = mapping.parts().get(index).context("there is no such part")?;
        let mask = part.mask(&source)?;
        self.known.clear();
        self.assumed.begin_part();
        let (mut receiver, reading) = self.read(index);
        let (mut piece, mut held, mut bytes): (Option<Piece>, Vec<Row>, usize) = (None, Vec::new(), 0);
        let mut stop = self.stop.clone();
        loop {
            let item = tokio::select! {
                biased;
                () = stop.asked() => None,
                item = receiver.recv() => item,
            };
            let Some(item) = item else { break };
            // Told anew by the reader where it comes to the end.
            kept.tally.counts.source_rows += 1;
            let mut row = match item {
                Item::Row(row) => row,
                Item::Refused(all) => {
                    kept.tally.refused += 1;
                    kept.refusals.extend(all);
                    continue;
                }
            };
            if row.message.encoded_len() > ROW_BYTES {
                kept.tally.refused += 1;
                kept.refusals.push(too_large(&row));
                continue;
            }
            if self.how.force {
                row.message.clear_field_by_name("etag");
            }
            if let Some(bar) = bar {
                bar.set_position(row.number.min(source.approximate_rows()));
            }
            if self.how.dry_run {
                bytes += assumed::remembered(&row.message);
                held.push(row);
                if held.len() == PIECE || bytes > REMEMBERED {
                    bytes = 0;
                    let rows = std::mem::take(&mut held);
                    self.try_rows((part, index), channel, &mask, rows, kept).await?;
                }
                continue;
            }
            let mut open = match piece.take() {
                Some(open) => open,
                None => {
                    let settings = piece::settings(&self.how, &mask, &file_name(source.name()), (&self.id, index));
                    self.sent = true;
                    Piece::begin(channel, part.collection(), settings, &[])?
                }
            };
            let going = open.push(row).await?;
            if going && open.len() < PIECE {
                piece = Some(open);
            } else {
                self.end(part, open, kept, false).await?;
            }
        }
        drop(receiver);
        let read = reading.await.context("the reader stopped")?;
        // Of a file that breaks off, what stood before is kept, and counted.
        if let Some(open) = piece {
            self.end(part, open, kept, false).await?;
        }
        if !held.is_empty() && !self.stop.is_asked() {
            self.try_rows((part, index), channel, &mask, held, kept).await?;
        }
        let lang = self.how.lang;
        let counts = read.context(if self.how.dry_run {
            lang.choose(
                "试运行中断：文件无法继续读取",
                "the dry run stopped: the file cannot be read further",
            )
        } else {
            lang.choose(
                "导入中断：该处之前的内容已导入",
                "the import stopped; what stood before that place was imported",
            )
        })?;
        if !self.stop.is_asked() {
            kept.tally.counts = counts.unwrap_or_default();
        }
        Ok(())
    }

    /// One call of a dry run.
    async fn try_rows(
        &mut self,
        (part, index): (&Part, usize),
        channel: &Channel,
        mask: &[String],
        rows: Vec<Row>,
        kept: &mut Kept<'_>,
    ) -> Result<()> {
        let settings = piece::settings(&self.how, mask, &file_name(self.source.name()), (&self.id, index));
        let assumed = self.assumed.meant_by(rows.iter().map(|row| &row.message));
        let mut open = Piece::begin(channel, part.collection(), settings, &assumed)?;
        for row in rows {
            if !open.push(row).await? {
                break;
            }
        }
        self.end(part, open, kept, false).await
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
    async fn end(&mut self, part: &Part, piece: Piece, kept: &mut Kept<'_>, is_again: bool) -> Result<()> {
        let sent = piece.len();
        let (answer, rows) = piece.end().await.map_err(|status| {
            kept.tally.unclear += u64::try_from(sent).unwrap_or(0);
            wire::failure(&format!("importing {}", kept.tally.collection), &status).context(self.how.lang.choose(
                "导入中断；已保存的内容保留。请再次运行：结果与一次完整导入相同",
                "the import stopped; what was kept stays. Run it again: it ends as one whole run does",
            ))
        })?;
        if answer.outcomes.len() != rows.len() {
            return Err(anyhow!(
                "the server answered {} outcomes for {} rows",
                answer.outcomes.len(),
                rows.len()
            ));
        }
        self.again.ended(is_again);
        for (sent, outcome) in rows.into_iter().zip(&answer.outcomes) {
            let became = piece::became(outcome);
            match became {
                Became::Created => kept.tally.created += 1,
                Became::Updated => kept.tally.updated += 1,
                Became::Unchanged => kept.tally.unchanged += 1,
                Became::Refused => {
                    let refusals = piece::refusals(&self.mapping, part, &sent.row, outcome);
                    if let Some(refusals) = self.again.keep(sent, outcome, refusals) {
                        kept.tally.refused += 1;
                        kept.refusals.extend(refusals);
                    }
                    continue;
                }
            }
            let Sent { row, assumed, .. } = sent;
            if !outcome.kept_fields.is_empty() {
                kept.fields.push(KeptFields {
                    row: row.number,
                    display_name: outcome.display_name.clone(),
                    fields: outcome.kept_fields.clone(),
                });
            }
            // Later rows may name what this one makes, and by what this one adds.
            if matches!(became, Became::Created | Became::Updated) {
                assumed.into_iter().for_each(|record| self.assumed.push(record));
            }
        }
        for made in answer.created_references {
            if self.known.insert((made.collection.clone(), made.key.clone())) {
                *kept.tally.references.entry(made.collection.clone()).or_default() += 1;
                if self.how.dry_run {
                    self.assumed.push(assumed_reference(&made));
                }
                kept.made.push(made);
            }
        }
        Ok(())
    }
}

/// What no other run is called.
fn new_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Id::new(i64::try_from(now.as_micros()).unwrap_or(0)).to_string()
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

/// The collection that the command line names.
///
/// # Errors
/// Lists the collections where there is none of that name.
pub fn collection(label: &str) -> Result<&'static Collection> {
    Collection::find(label).ok_or_else(|| anyhow!(Collection::unknown(label)))
}
