//! A mapping over the headers of a source: where each of its columns stands.

use crate::error::{Error, Said, said};
use crate::plain::PlainReader;
use crate::row::EXTRA;
use crate::source::Source;
use crate::source_row::{Odd, SourceRow};
use crate::spec::{Content, Mapping};

/// A mapping over the headers of a source.
pub(crate) struct Bound<'a> {
    pub(crate) mapping: &'a Mapping,
    /// Where each column of the mapping stands in the source; none for derived ones.
    pub(crate) places: Vec<Option<usize>>,
}

impl<'a> Bound<'a> {
    pub(crate) fn new(mapping: &'a Mapping, source: &Source) -> Result<Self, Error> {
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
    pub(crate) fn width(&self, source: &Source) -> usize {
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
    pub(crate) fn made(&self, source: &Source) -> Vec<usize> {
        let own = |column: &usize| source.places(self.columns.name(*column)).is_empty();
        let mut made: Vec<usize> = self.sections.iter().map(|(column, _)| *column).filter(own).collect();
        made.sort_unstable();
        made
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
