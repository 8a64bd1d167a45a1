//! Reads a part of a mapping from a source: resources in order, refusals, counts, and the way back from a field to its
//! column.

use std::collections::{BTreeMap, HashMap};

use prost_reflect::DynamicMessage;

use crate::build::{Bad, Builder};
use crate::error::{Error, Said, said};
use crate::plain::PlainReader;
use crate::refused::EXTRA;
use crate::source::{Hidden, Odd, Source, SourceRow};
use crate::spec::{Content, Group, Mapping, Part};
use crate::value::unclear;

/// A resource that one or more rows describe.
#[derive(Clone, Debug)]
pub struct Row {
    /// Number of its first row, as a spreadsheet shows it.
    pub number: u64,
    /// Numbers of its further rows.
    pub further: Vec<u64>,
    /// The resource.
    pub message: DynamicMessage,
    pub(crate) origins: Vec<Origin>,
}

/// Where the items of a repeated field came from: the entry of the mapping and the row.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) field: u32,
    pub(crate) items: Vec<(usize, u64)>,
}

/// A resource that was refused, by the mapping or by a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Number of the row that is wrong.
    pub row: u64,
    /// Numbers of all rows of the resource, which are refused with it.
    pub rows: Vec<u64>,
    /// The columns that are wrong, joined by a comma; empty where it is none of them.
    pub column: String,
    /// What stands there; empty where it is personal data, and until it is looked up where a service refused.
    pub value: String,
    /// Whether the columns hold personal data, which no message may repeat.
    pub personal: bool,
    /// Machine-readable reason in UPPER_SNAKE_CASE.
    pub reason: String,
    /// What is wrong and what would be right.
    pub description: String,
}

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

/// A mapping over the headers of a source.
pub(crate) struct Bound<'a> {
    pub(crate) mapping: &'a Mapping,
    /// Where each column of the mapping stands in the source; none for derived ones.
    places: Vec<Option<usize>>,
}

impl<'a> Bound<'a> {
    fn new(mapping: &'a Mapping, source: &Source) -> Result<Self, Error> {
        let columns = &mapping.columns;
        if source.is_json() && !columns.names.is_empty() {
            let name = mapping.name();
            return Err(Error::source(
                source.name(),
                said(
                    format!("JSON lines have no columns; load them `--as` a collection, not as {name}"),
                    format!("JSON 行没有列；请用 --as 指定一个集合导入，而不是 {name}"),
                ),
            ));
        }
        let refused = source.header().first().is_some_and(|h| EXTRA.contains(&h.as_str()));
        if mapping.options.merged && source.sheets().is_empty() && !refused {
            return Err(Error::source(
                source.name(),
                said(
                    "`fill_down = \"merged\"` has no effect: only a workbook has merged cells; name the columns instead",
                    "fill_down = \"merged\" 不起作用：只有工作簿才有合并单元格；请改为列出各列",
                ),
            ));
        }
        let mut places = Vec::new();
        let mut made = mapping.width(source);
        for (column, name) in columns.names.iter().enumerate() {
            if columns.texts(column).is_some() {
                places.push(None);
                continue;
            }
            let found = source.places(name);
            let mut place = found.first().copied();
            if found.len() > 1 {
                return Err(Error::source(
                    source.name(),
                    said(
                        format!(
                            "two columns are headed {name:?}: {{{name}#1}} is the first, {{{name}#2}} the second; or name them by letter, as {{#C}}"
                        ),
                        format!(
                            "有两列的表头都是“{name}”：{{{name}#1}} 为第一列，{{{name}#2}} 为第二列；也可用列号，如 {{#C}}"
                        ),
                    ),
                ));
            }
            // The values of sections stand behind the cells of the row.
            if mapping.sections.iter().any(|(section, _)| *section == column) && place.is_none() {
                place = Some(made);
                made += 1;
            }
            if place.is_none() {
                let headers: Vec<_> = source
                    .header()
                    .iter()
                    .filter(|h| !h.is_empty())
                    .map(|h| format!("{h:?}"))
                    .collect();
                return Err(Error::ColumnMissing {
                    source_name: source.name().to_owned(),
                    column: name.clone(),
                    present: headers.join(", "),
                    hint: Box::new(hint(
                        source.seen_below(name, &columns.names.iter().map(String::as_str).collect::<Vec<_>>()),
                        source.sheet_with(name),
                    )),
                });
            }
            places.push(place);
        }
        Ok(Bound { mapping, places })
    }

    /// The cell as the source has it.
    pub(crate) fn raw<'r>(&self, column: usize, row: &'r SourceRow) -> &'r str {
        let place = self.places.get(column).copied().flatten();
        place.and_then(|p| row.cells.get(p)).map_or("", String::as_str)
    }

    /// What is to be known of a cell beside its text.
    pub(crate) fn odd(&self, column: usize, row: &SourceRow) -> Option<Odd> {
        if row.odd.is_empty() {
            return None;
        }
        row.odd(self.places.get(column).copied().flatten()?)
    }

    /// The columns of the file behind `columns`.
    pub(crate) fn of_file(&self, columns: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut found = Vec::new();
        columns.for_each(|c| self.mapping.columns.of_file(c, &mut found));
        found
    }

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
}

impl Mapping {
    /// Checks that the source has all columns that the mapping speaks of.
    pub fn check(&self, source: &Source) -> Result<(), Error> {
        for part in self.parts() {
            if let Content::Plain = part.content {
                PlainReader::new(part, source)?;
            }
        }
        Bound::new(self, source).map(|_| ())
    }

    /// How many columns of the source count: those with a header, and those that the mapping names by their place.
    fn width(&self, source: &Source) -> usize {
        let named = self.columns.names.iter().enumerate();
        let named = named.filter(|(column, _)| self.columns.texts(*column).is_none());
        let places = named.filter_map(|(_, name)| source.places(name).last().copied());
        places.map(|place| place + 1).fold(source.header().len(), usize::max)
    }

    /// The headers of the source, and behind them the names of the sections whose values [`Mapping::each`] adds.
    pub(crate) fn header(&self, source: &Source) -> Vec<String> {
        let mut header = source.header().to_vec();
        header.resize(self.width(source), String::new());
        for column in self.made(source) {
            header.push(self.columns.name(column).to_owned());
        }
        header
    }

    /// The columns of sections that the source does not have itself, in the order of their places.
    fn made(&self, source: &Source) -> Vec<usize> {
        let own = |column: &usize| source.places(self.columns.name(*column)).is_empty();
        let mut made: Vec<usize> = self.sections.iter().map(|(column, _)| *column).filter(own).collect();
        made.sort_unstable();
        made
    }

    /// The rows of the source with the cells that the mapping fills down from the row above, and with the values of the
    /// sections in which they stand. The rows that begin a section are not among them.
    pub(crate) fn each(
        &self,
        source: &Source,
        row: &mut dyn FnMut(SourceRow) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let bound = Bound::new(self, source)?;
        let places: Vec<_> = self
            .fill_down
            .iter()
            .filter_map(|&c| bound.places.get(c).copied().flatten())
            .collect();
        let mut above = vec![String::new(); places.len()];
        let made = self.made(source);
        let width = self.width(source);
        let mut values = vec![String::new(); self.sections.len()];
        source.each(&mut |mut read| {
            let begun = self.sections.iter().enumerate().find_map(|(index, (_, text))| {
                let builder = Builder::new(&bound, std::slice::from_ref(&read));
                let value = builder.text(text, builder.first()?).ok().flatten();
                value.filter(|v| !v.is_empty()).map(|value| (index, value))
            });
            if let Some((index, value)) = begun {
                // What stood inside the section before ends with it.
                values.iter_mut().skip(index).for_each(String::clear);
                above.iter_mut().for_each(String::clear);
                if let Some(place) = values.get_mut(index) {
                    *place = value;
                }
                return Ok(true);
            }
            if !self.sections.is_empty() {
                // Cells beyond the headers stay behind the values of sections, and are told.
                let beyond = read.cells.split_off(width.min(read.cells.len()));
                if !beyond.is_empty() {
                    read.cells.resize(width + made.len(), String::new());
                }
                read.cells.extend(beyond);
                read.cells.resize(read.cells.len().max(width), String::new());
                for ((column, _), value) in self.sections.iter().zip(&values) {
                    let place = bound.places.get(*column).copied().flatten().unwrap_or(usize::MAX);
                    if read.cells.len() <= place && place < width + made.len() {
                        read.cells.resize(width + made.len(), String::new());
                    }
                    if let Some(cell) = read.cells.get_mut(place).filter(|c| c.trim().is_empty()) {
                        cell.clone_from(value);
                    }
                }
            }
            for (above, &place) in above.iter_mut().zip(&places) {
                if let Some(cell) = read.cells.get_mut(place) {
                    if cell.trim().is_empty() {
                        cell.clone_from(above);
                    } else {
                        above.clone_from(cell);
                    }
                }
            }
            row(read)
        })
    }

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
    pub fn collection(&self) -> &'static crate::Collection {
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

/// Where the headers seem to be, in words.
fn hint(seen: Option<(u64, u64)>, sheet: Option<&str>) -> Said {
    match (seen, sheet) {
        (None, None) => said("", ""),
        (None, Some(sheet)) => said(
            format!("; the sheet {sheet:?} has it: --sheet {sheet} (工作表“{sheet}”中有这一列)"),
            format!("；工作表“{sheet}”中有这一列：--sheet {sheet}"),
        ),
        (Some((row, last)), _) if row == last => said(
            format!("; the headers seem to be in row {row} (表头似乎在第{row}行): header = {row}"),
            format!("；表头似乎在第{row}行：header = {row}"),
        ),
        (Some((first, last)), _) => said(
            format!(
                "; the headers seem to be in rows {first} and {last} (表头似乎在第{first}、{last}行): header = [{first}, {last}]"
            ),
            format!("；表头似乎在第{first}、{last}行：header = [{first}, {last}]"),
        ),
    }
}

/// Why a row that the sheet hides is passed over, and why it is refused.
pub const HIDDEN: &str = "the sheet hides the row";
const ROW_HIDDEN: &str = "the sheet hides this row, by hand or by a filter: show all rows, or say `hidden = \"read\"` or `hidden = \"skip\"` in the mapping (此行在表中被隐藏或筛选掉)";

/// What is wrong with a row that has cells beyond the headers.
pub(crate) fn too_long(cells: usize, headers: usize) -> String {
    format!(
        "{cells} cells stand under {headers} headers: clear what is beyond them; in CSV a cell with the separator \
         stands in quotation marks"
    )
}

enum Sorted<'a> {
    Skip(&'a str),
    Alone,
    Join(Vec<String>),
}

impl Bound<'_> {
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
