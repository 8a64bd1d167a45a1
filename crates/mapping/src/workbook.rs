//! Rows of an XLSX workbook, read cell by cell as the sheet shows them.

use std::collections::HashMap;

use calamine::{DataRef, Reader, SheetType, SheetVisible, Xlsx, XlsxError, open_workbook_from_rs};

use crate::content::Input;
use crate::delimited::MAX_COLUMNS;
use crate::error::{Error, Said, broken, said};
use crate::facts::Facts;
use crate::shown::{Shown, is_day, is_rounded, plain};
use crate::source_row::{Odd, SourceRow};

fn open(input: Input) -> Result<Xlsx<Input>, Said> {
    open_workbook_from_rs(input).map_err(|e: XlsxError| broken(e))
}

/// A sheet of a workbook.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// Its name.
    pub name: String,
    /// Whether it is hidden.
    pub hidden: bool,
}

/// The sheets of a workbook in their order.
pub(crate) fn sheets(input: Input) -> Result<Vec<Sheet>, Said> {
    let workbook = open(input)?;
    let sheets = workbook
        .sheets_metadata()
        .iter()
        .filter(|s| s.typ == SheetType::WorkSheet);
    Ok(sheets
        .map(|s| Sheet {
            name: s.name.clone(),
            hidden: s.visible != SheetVisible::Visible,
        })
        .collect())
}

/// The sheet that is asked for, or the first that is not hidden.
pub(crate) fn sheet(sheets: &[Sheet], name: Option<&str>) -> Result<String, Said> {
    let found = match name {
        Some(name) => sheets.iter().find(|s| s.name == name),
        None => sheets.iter().find(|s| !s.hidden).or(sheets.first()),
    };
    let names: Vec<_> = sheets.iter().map(|s| s.name.as_str()).collect();
    match (found, name) {
        (Some(sheet), _) => Ok(sheet.name.clone()),
        (None, Some(name)) => Err(said(
            format!("no sheet {name:?}; there are {}", names.join(", ")),
            format!("没有名为“{name}”的工作表；现有：{}", names.join("、")),
        )),
        (None, None) => Err(said(
            "a workbook without sheets; save the table in one",
            "工作簿中没有工作表；请把表格保存在工作表中",
        )),
    }
}

/// How many rows the sheet says it has.
pub(crate) fn rows(input: Input, sheet: &str) -> Result<u64, Said> {
    let mut workbook = open(input)?;
    let cells = workbook.worksheet_cells_reader(sheet).map_err(broken)?;
    Ok(u64::from(cells.dimensions().end.0) + 1)
}

/// Calls `row` with each row that has cells, until it answers false. With `merged`, the cells below the first of a merged
/// range take its value.
pub(crate) fn each(
    input: Input,
    sheet: &str,
    facts: &Facts,
    merged: bool,
    name: &str,
    row: &mut dyn FnMut(SourceRow) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut workbook = open(input).map_err(|p| Error::source(name, p))?;
    let old_days = workbook.has_1904_epoch();
    let mut cells = workbook
        .worksheet_cells_reader(sheet)
        .map_err(|e| Error::source(name, broken(e)))?;
    let shown: Vec<Shown> = cells
        .styles()
        .iter()
        .map(|s| Shown::new(s.number_format.as_ref()))
        .collect();
    let plainly = Shown::default();
    let mut tops = Tops::new(facts, merged);
    let mut current: Option<SourceRow> = None;
    while let Some((cell, style)) = cells
        .next_cell_with_style_id()
        .map_err(|e| Error::source(name, broken(e)))?
    {
        let (line, column) = cell.get_position();
        let (number, column) = (u64::from(line) + 1, column as usize);
        if column >= MAX_COLUMNS {
            return Err(Error::source(
                name,
                said(
                    format!("row {number}: more than {MAX_COLUMNS} columns; delete those that are not needed"),
                    format!("第{number}行：超过 {MAX_COLUMNS} 列，请删去不需要的列"),
                ),
            ));
        }
        if current.as_ref().is_none_or(|c| c.number != number) {
            if current.as_ref().is_some_and(|c| c.number > number) {
                return Err(Error::source(
                    name,
                    said(
                        format!("row {number} stands after a later row; open the file and save it once"),
                        format!("第{number}行排在其后的行之后；请打开文件并保存一次"),
                    ),
                ));
            }
            if let Some(mut done) = current.take() {
                tops.fill(&mut done);
                if !row(done)? {
                    return Ok(());
                }
            }
        }
        let current = current.get_or_insert_with(|| SourceRow {
            number,
            hidden: facts.hidden.contains(&line),
            ..SourceRow::default()
        });
        if current.cells.len() <= column {
            current.cells.resize(column + 1, String::new());
        }
        let value = cell.get_value();
        let text = text(value, shown.get(style).unwrap_or(&plainly));
        if let Some(odd) = odd(value, &text, old_days) {
            current.odd.push((column, odd));
        }
        if text.is_empty() && facts.valueless.contains(&(line, column as u32)) {
            current.odd.push((column, Odd::Valueless));
        }
        if let Some(place) = current.cells.get_mut(column) {
            *place = text;
        }
    }
    if let Some(mut done) = current {
        tops.fill(&mut done);
        row(done)?;
    }
    Ok(())
}

/// The values at the tops of merged ranges.
struct Tops<'a> {
    facts: &'a Facts,
    /// The column, and the row and value of the last top in it.
    above: HashMap<u32, (u32, String, Option<Odd>)>,
}

impl<'a> Tops<'a> {
    fn new(facts: &'a Facts, merged: bool) -> Self {
        let columns = facts.merged.values().flatten().filter(|_| merged);
        Tops {
            facts,
            above: columns
                .map(|&(column, _)| (column, (u32::MAX, String::new(), None)))
                .collect(),
        }
    }

    fn fill(&mut self, row: &mut SourceRow) {
        // A row with nothing of its own stays blank.
        if self.above.is_empty() || row.is_blank() {
            return;
        }
        let number = u32::try_from(row.number - 1).unwrap_or(u32::MAX);
        let ranges = self.facts.merged.get(&number).map_or(&[][..], Vec::as_slice);
        for (column, (top, value, odd)) in &mut self.above {
            let place = *column as usize;
            if ranges.iter().any(|range| range == &(*column, *top)) {
                if row.cells.len() <= place {
                    row.cells.resize(place + 1, String::new());
                }
                if let Some(cell) = row.cells.get_mut(place) {
                    cell.clone_from(value);
                    row.odd.extend(odd.map(|odd| (place, odd)));
                }
            } else {
                *top = number;
                *value = row.cells.get(place).cloned().unwrap_or_default();
                *odd = row.odd(place);
            }
        }
    }
}

/// A cell as its text: as its format shows it, dates in ISO 8601, errors by their sign (`#N/A`).
fn text(value: &DataRef<'_>, shown: &Shown) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::Int(n) => shown.number(*n as f64),
        DataRef::Float(n) if is_rounded(*n) || !n.is_finite() => plain(*n),
        DataRef::Float(n) => shown.number(*n),
        DataRef::String(s) | DataRef::DateTimeIso(s) | DataRef::DurationIso(s) => s.clone(),
        DataRef::SharedString(s) => (*s).to_owned(),
        DataRef::Bool(b) => b.to_string(),
        DataRef::DateTime(d) if !is_day(d) => plain(d.as_f64()),
        DataRef::DateTime(d) => shown.moment(d),
        DataRef::Error(e) => e.to_string(),
    }
}

fn odd(value: &DataRef<'_>, text: &str, old_days: bool) -> Option<Odd> {
    match value {
        DataRef::Int(n) if is_rounded(*n as f64) => Some(Odd::Rounded),
        DataRef::Float(n) if is_rounded(*n) => Some(Odd::Rounded),
        DataRef::Float(n) if !n.is_finite() => Some(Odd::NoNumber),
        DataRef::DateTime(d) if !is_day(d) => Some(Odd::NoNumber),
        // A number of five digits may be a day, and in such a workbook another one than elsewhere.
        DataRef::Int(_) | DataRef::Float(_) if old_days && text.len() == 5 => Some(Odd::Number),
        DataRef::Int(_) | DataRef::Float(_) => Odd::of_number(text),
        DataRef::String(_) | DataRef::SharedString(_) => Odd::of_text(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

    use super::*;
    use crate::options::Options;
    use crate::source::Source;

    fn read(bytes: Vec<u8>, sheet: Option<&str>) -> Result<Vec<SourceRow>, Error> {
        let source = Source::from_bytes(
            "book",
            bytes,
            &Options {
                sheet: sheet.map(str::to_owned),
                ..Options::default()
            },
        )?;
        let mut rows = vec![SourceRow {
            cells: source.header().to_vec(),
            ..SourceRow::default()
        }];
        source.each(&mut |row| {
            rows.push(row);
            Ok(true)
        })?;
        Ok(rows)
    }

    fn book() -> Vec<u8> {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet().set_name("名单").unwrap();
        sheet.write_row(1, 0, ["编号", "日期", "面积", "日"]).unwrap();
        sheet.write_string(3, 0, "007").unwrap();
        let date = ExcelDateTime::parse_from_str("2024-06-30").unwrap();
        sheet
            .write_datetime_with_format(3, 1, &date, &Format::new().set_num_format("yyyy-mm-dd"))
            .unwrap();
        sheet.write_number(3, 2, 1200).unwrap();
        sheet.write_number(3, 3, 0.5).unwrap();
        sheet.write_string(5, 3, "x\ny").unwrap();
        book.add_worksheet()
            .set_name("other")
            .unwrap()
            .write_string(0, 0, "z")
            .unwrap();
        book.save_to_buffer().unwrap()
    }

    #[test]
    fn cells_come_as_texts_with_the_row_numbers_of_the_sheet() {
        let rows = read(book(), None).unwrap();
        let row = |number, cells: [&str; 4]| SourceRow {
            number,
            cells: cells.map(str::to_owned).to_vec(),
            ..SourceRow::default()
        };
        let expected = [
            row(0, ["编号", "日期", "面积", "日"]),
            row(4, ["007", "2024-06-30", "1200", "0.5"]),
            row(6, ["", "", "", "x\ny"]),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_sheet_is_found_by_its_name_and_a_wrong_name_lists_those_there_are() {
        assert_eq!(read(book(), Some("other")).unwrap()[0].cells, ["z"]);
        let error = read(book(), Some("third")).unwrap_err().to_string();
        assert_eq!(error, "book: no sheet \"third\"; there are 名单, other");
    }

    #[test]
    fn a_broken_workbook_is_an_error() {
        let mut bytes = book();
        bytes.truncate(bytes.len() / 2);
        assert!(
            read(bytes, None)
                .unwrap_err()
                .to_string()
                .starts_with("book: not a workbook")
        );
    }
}
