//! A run over all parts of a source: rows are sent as they are read, in calls of so many, and what became of them is noted.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use indicatif::ProgressBar;
use mingce_ingest::peers::assumed_reference;
use mingce_mapping::{Counts, Item, Mapping, Part, Refusal, Row, Source};
use mingce_orm::id::Id;
use mingce_proto::registry::{CreatedReference, ImportSettings};
use prost_reflect::prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use super::again::Again;
use super::assumed::{self, Assumed};
use super::piece::{self, Became, Piece, Sent};
use super::stop::Stop;
use super::{How, KeptFields, Tally};
use crate::wire;

/// The most rows that one call carries, so that its answer stays small.
const PIECE: usize = 2_000;
/// How much one call of a dry run makes the server remember, in bytes of its memory; it has room for half as much again.
const REMEMBERED: usize = 16 << 20;
/// The largest resource that is sent. A server takes messages of 1 MiB; one that is larger would end the whole call.
const ROW_BYTES: usize = (1 << 20) - 1024;
/// Rows that wait between the reader and the network.
const WAITING: usize = 1_000;

/// Where it is noted what becomes of rows.
pub(super) struct Kept<'a> {
    pub(super) tally: &'a mut Tally,
    pub(super) refusals: &'a mut Vec<Refusal>,
    pub(super) made: &'a mut Vec<CreatedReference>,
    pub(super) fields: &'a mut Vec<KeptFields>,
}

/// A run over all parts of a source.
pub(super) struct Run {
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
    /// One of which nothing is sent yet.
    pub(super) fn new(mapping: &Arc<Mapping>, source: &Arc<Source>, how: &How, stop: &Stop) -> Self {
        Self {
            mapping: Arc::clone(mapping),
            source: Arc::clone(source),
            how: how.clone(),
            stop: stop.clone(),
            assumed: Assumed::default(),
            known: HashSet::new(),
            id: new_id(),
            sent: false,
            again: Again::default(),
        }
    }

    /// What its import is called; none where it has made none.
    pub(super) fn id(&self) -> Option<&str> {
        (self.sent && !self.how.dry_run).then_some(self.id.as_str())
    }

    /// Loads one part.
    pub(super) async fn part(
        &mut self,
        index: usize,
        channel: &Channel,
        kept: &mut Kept<'_>,
        bar: Option<&ProgressBar>,
    ) -> Result<()> {
        let mut done = self.rows(index, channel, kept, bar).await;
        if done.is_ok() {
            done = self.rows_again(index, channel, kept).await;
        }
        let (left, refusals) = self.again.left();
        if left > 0 {
            kept.tally.refused += u64::try_from(left).unwrap_or(u64::MAX);
            kept.refusals.extend(refusals);
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
#[expect(clippy::disallowed_methods, reason = "a client has no call whose time it could take")]
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
        description: "the resource has more than 1 MiB: shorten it, or join fewer rows to one".to_owned(),
    }
}

pub(super) fn file_name(path: &str) -> String {
    Path::new(path)
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}
