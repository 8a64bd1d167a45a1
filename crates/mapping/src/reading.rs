//! Reads a part of a mapping from a source: resources in order, refusals, counts, and the way back from a field to its
//! column.

use std::collections::{BTreeMap, HashMap};

use prost_reflect::DynamicMessage;

use crate::build::{Bad, Builder};
use crate::collection::Collection;
use crate::date::unclear;
use crate::error::Error;
use crate::headers::Bound;
use crate::options::Hidden;
use crate::plain::PlainReader;
use crate::row::{Refusal, Row, too_long};
use crate::source::Source;
use crate::source_row::SourceRow;
use crate::spec::{Content, Group, Mapping, Part};

/// What reading yields.
#[derive(Debug)]
pub enum Item {
    /// A resource.
    Row(Row),
    /// A resource that the mapping refused, with all that is wrong with it.
    Refused(Vec<Refusal>),
}

/// What became of the rows of a source in one part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Rows below the header that are not blank.
    pub source_rows: u64,
    /// Resources that were read.
    pub resources: u64,
    /// Rows that were joined to an earlier row of their resource.
    pub joined: u64,
    /// Resources that the mapping refused.
    pub refused: u64,
    /// Rows that yielded nothing, by reason.
    pub skipped: BTreeMap<String, u64>,
}

impl Mapping {
    /// Looks up the values that services left out, in one pass over the source.
    pub fn look_up(&self, source: &Source, refusals: &mut [Refusal]) -> Result<(), Error> {
        let mut waiting: BTreeMap<u64, Vec<&mut Refusal>> = BTreeMap::new();
        for refusal in refusals {
            if refusal.value.is_empty() && !refusal.column.is_empty() && !refusal.personal {
                waiting.entry(refusal.row).or_default().push(refusal);
            }
        }
        let Some(&last) = waiting.keys().last() else {
            return Ok(());
        };
        self.each(source, &mut |row| {
            for refusal in waiting.get_mut(&row.number).into_iter().flatten() {
                refusal.value = source.values(&row, &refusal.column);
            }
            Ok(row.number < last)
        })
    }
}

impl Part {
    /// The collection that it fills.
    pub fn collection(&self) -> &'static Collection {
        self.collection
    }

    /// The top-level fields that the source speaks of: the update mask of an import. Empty where each row says for
    /// itself which fields it sets (JSON lines).
    pub fn mask(&self, source: &Source) -> Result<Vec<String>, Error> {
        match &self.content {
            Content::Plain => Ok(PlainReader::new(self, source)?.mask()),
            Content::Mapped { group, .. } => Ok(group.fields.iter().map(|(f, _)| f.name().to_owned()).collect()),
        }
    }

    /// Reads the source from its start and calls `item` with each resource in the order of their first rows, until it
    /// answers false. Without joining nothing is held; rows that are joined are held until the end of the source.
    pub fn read(
        &self,
        mapping: &Mapping,
        source: &Source,
        item: &mut dyn FnMut(Item) -> Result<bool, Error>,
    ) -> Result<Counts, Error> {
        let mut counts = Counts::default();
        let (join, group) = match &self.content {
            Content::Plain => {
                let reader = PlainReader::new(self, source)?;
                source.each(&mut |row| {
                    counts.source_rows += 1;
                    match (row.hidden, source.hidden()) {
                        (true, Hidden::Skip) => Ok(counts.skip(HIDDEN)),
                        (true, Hidden::Refuse) => {
                            let refused = reader.refuse(&row, "", "", "ROW_HIDDEN", ROW_HIDDEN.to_owned());
                            counts.count(item, Err(vec![*refused]))
                        }
                        _ => counts.count(item, reader.read(&row)),
                    }
                })?;
                return Ok(counts);
            }
            Content::Mapped { join, group } => (join, group),
        };
        let bound = Bound::new(mapping, source)?;
        let width = mapping.header(source).len();
        let mut groups: Vec<Vec<SourceRow>> = Vec::new();
        let mut known: HashMap<Vec<String>, usize> = HashMap::new();
        mapping.each(source, &mut |row| {
            counts.source_rows += 1;
            let rows = std::slice::from_ref(&row);
            match (row.hidden, source.hidden()) {
                (true, Hidden::Skip) => return Ok(counts.skip(HIDDEN)),
                (true, Hidden::Refuse) => {
                    let bad = Bad {
                        row: row.number,
                        columns: Vec::new(),
                        reason: "ROW_HIDDEN",
                        description: ROW_HIDDEN.to_owned(),
                    };
                    return counts.count(item, Err(vec![*bound.refusal(self, bad, rows)]));
                }
                _ => {}
            }
            match bound.sort(join, group, rows, width) {
                Err(bad) => counts.count(item, Err(vec![*bound.refusal(self, bad, rows)])),
                Ok(Sorted::Skip(reason)) => Ok(counts.skip(reason)),
                Ok(Sorted::Alone) => counts.count(item, self.resource(&bound, group, rows)),
                Ok(Sorted::Join(key)) => {
                    let place = *known.entry(key).or_insert(groups.len());
                    match groups.get_mut(place) {
                        Some(group) => {
                            counts.joined += 1;
                            group.push(row);
                        }
                        None => groups.push(vec![row]),
                    }
                    Ok(true)
                }
            }
        })?;
        for rows in groups {
            if !counts.count(item, self.resource(&bound, group, &rows))? {
                break;
            }
        }
        Ok(counts)
    }

    fn resource(&self, bound: &Bound<'_>, group: &Group, rows: &[SourceRow]) -> Result<Row, Vec<Refusal>> {
        let mut message = DynamicMessage::new(self.message.clone());
        let mut numbers = rows.iter().map(|r| r.number);
        let number = numbers.next().unwrap_or_default();
        match Builder::new(bound, rows).build(group, &mut message) {
            Ok(origins) => Ok(Row {
                number,
                further: numbers.collect(),
                message,
                origins,
            }),
            Err(bad) => Err(bad.into_iter().map(|b| *bound.refusal(self, b, rows)).collect()),
        }
    }
}

/// Why a row that the sheet hides is passed over, and why it is refused.
pub const HIDDEN: &str = "the sheet hides the row";
const ROW_HIDDEN: &str = "the sheet hides this row, by hand or by a filter: show all rows, or say `hidden = \"read\"` or `hidden = \"skip\"` in the mapping (此行在表中被隐藏或筛选掉)";

enum Sorted<'a> {
    Skip(&'a str),
    Alone,
    Join(Vec<String>),
}

impl Bound<'_> {
    fn refusal(&self, part: &Part, bad: Bad, rows: &[SourceRow]) -> Box<Refusal> {
        let row = rows.iter().find(|r| r.number == bad.row).or(rows.first());
        let values: Vec<_> = bad
            .columns
            .iter()
            .map(|&c| row.map_or("", |r| self.raw(c, r)))
            .collect();
        let columns: Vec<_> = bad.columns.iter().map(|&c| self.mapping.columns.name(c)).collect();
        let column = columns.join(", ");
        let personal = part.is_personal(self.mapping, &column);
        Box::new(Refusal {
            row: bad.row,
            rows: rows.iter().map(|r| r.number).collect(),
            value: if personal { String::new() } else { values.join(", ") },
            personal,
            column,
            reason: bad.reason.to_owned(),
            description: match (personal, bad.reason) {
                // Said again without the value.
                (true, "DATE_AMBIGUOUS") => unclear(None, false).description,
                _ => bad.description,
            },
        })
    }

    /// Whether the one row of `rows` counts, and with which it is joined.
    fn sort<'g>(&self, join: &[usize], group: &'g Group, rows: &[SourceRow], width: usize) -> Result<Sorted<'g>, Bad> {
        let builder = Builder::new(self, rows);
        let Some(at) = builder.first() else {
            return Ok(Sorted::Alone);
        };
        if at.row.cells.len() > width {
            return Err(Bad {
                row: at.row.number,
                columns: Vec::new(),
                reason: "ROW_TOO_LONG",
                description: too_long(at.row.cells.len(), width),
            });
        }
        if let Some(reason) = builder.skipped(&group.skip, at)? {
            return Ok(Sorted::Skip(reason));
        }
        if join.is_empty() {
            return Ok(Sorted::Alone);
        }
        let key = join
            .iter()
            .map(|&c| Ok(builder.cell(c, at)?.into_owned()))
            .collect::<Result<Vec<_>, Bad>>()?;
        if key.iter().all(String::is_empty) {
            return Err(Bad {
                row: at.row.number,
                columns: self.of_file(join.iter().copied()),
                reason: "JOIN_KEY_EMPTY",
                description: "the columns that tell which rows belong together are empty: fill one in".to_owned(),
            });
        }
        Ok(Sorted::Join(key))
    }
}

impl Counts {
    fn skip(&mut self, reason: &str) -> bool {
        *self.skipped.entry(reason.to_owned()).or_default() += 1;
        true
    }

    fn count(
        &mut self,
        item: &mut dyn FnMut(Item) -> Result<bool, Error>,
        read: Result<Row, Vec<Refusal>>,
    ) -> Result<bool, Error> {
        match read {
            Ok(row) => {
                self.resources += 1;
                item(Item::Row(row))
            }
            Err(refusals) => {
                self.refused += 1;
                item(Item::Refused(refusals))
            }
        }
    }
}
