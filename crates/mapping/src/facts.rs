//! What a sheet says beside its cells: hidden rows, merged ranges, and formulas whose value nobody kept.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use zip::ZipArchive;

use crate::content::Input;
use crate::error::{Said, broken, said};

/// More formulas without a value are not held.
const MOST: usize = 200_000;
/// More rows of merged ranges, each counted as often as ranges lie over it, are not held.
const MOST_MERGED: usize = 2 * 1_048_576;
/// Rows and columns are not counted further: no sheet has so many.
const FARTHEST: u32 = 1 << 24;

/// What a sheet says beside its cells. Rows and columns count from 0.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Rows that are hidden, by hand or by a filter.
    pub(crate) hidden: HashSet<u32>,
    /// Cells with a formula and no value.
    pub(crate) valueless: HashSet<(u32, u32)>,
    /// For each row below the first of a merged range: its column and the first row.
    pub(crate) merged: HashMap<u32, Vec<(u32, u32)>>,
    /// Ranges of one row of several columns: row, first and last column.
    pub(crate) wide: Vec<(u32, u32, u32)>,
    /// Whether a filter is set.
    pub(crate) filtered: bool,
    /// How many rows merged ranges have, all together.
    ranged: usize,
}

impl Facts {
    /// Reads them; nothing where the workbook keeps the sheet at an unusual place.
    pub(crate) fn read(input: Input, sheet: &str) -> Result<Facts, Said> {
        let mut archive = ZipArchive::new(input).map_err(broken)?;
        let Some(path) = path(&mut archive, sheet)? else {
            return Ok(Facts::default());
        };
        let entry = archive.by_name(&path).map_err(broken)?;
        let mut facts = Facts::default();
        facts.sheet(&mut Reader::from_reader(BufReader::new(entry)))?;
        Ok(facts)
    }

    /// A row without a number is the one behind the row before, and a cell without a place the one behind the cell
    /// before, as the reader of cells has it: also where the row or cell before is an empty tag.
    fn sheet<R: BufRead>(&mut self, xml: &mut Reader<R>) -> Result<(), Said> {
        let mut buffer = Vec::new();
        let (mut row, mut column) = (0, 0);
        // The row that a cell itself names, and whether the row of cells is hidden.
        let (mut line, mut hiding) = (0, false);
        let (mut formula, mut value, mut inside, mut text) = (false, false, false, false);
        loop {
            buffer.clear();
            let event = xml.read_event_into(&mut buffer).map_err(broken)?;
            match &event {
                Event::Eof => return Ok(()),
                Event::Start(e) | Event::Empty(e) => match e.local_name().as_ref() {
                    "dimension" => extent(attribute(e, "ref").as_deref())?,
                    "row" => {
                        let [at, hidden] = marks(e, ["r", "hidden"])?;
                        if let Some(at) = at {
                            row = position(&at).ok_or_else(far)?.0.saturating_sub(1);
                        }
                        column = 0;
                        hiding = matches!(hidden.as_deref(), Some("1" | "true"));
                        if hiding {
                            self.hidden.insert(row);
                        }
                        if matches!(event, Event::Empty(_)) {
                            (row, hiding) = (row + 1, false);
                        }
                    }
                    "c" => {
                        let [at, kind] = marks(e, ["r", "t"])?;
                        line = row;
                        if let Some(at) = at {
                            position(&at).ok_or_else(far)?;
                            if let Some((own, c)) = place(&at) {
                                (line, column) = (own, c);
                            }
                        }
                        if hiding {
                            self.hidden.insert(line);
                        }
                        (formula, value) = (false, false);
                        text = kind.as_deref() == Some("str");
                        if matches!(event, Event::Empty(_)) {
                            column += 1;
                        }
                    }
                    "f" => formula = true,
                    "v" | "t" => {
                        inside = matches!(event, Event::Start(_));
                        // The value of a formula that gives an empty text.
                        value |= text;
                    }
                    "mergeCell" => self.range(attribute(e, "ref").as_deref())?,
                    "autoFilter" => self.filtered = true,
                    _ => {}
                },
                Event::Text(_) | Event::GeneralRef(_) | Event::CData(_) => value |= inside,
                Event::End(e) => match e.local_name().as_ref() {
                    "v" | "t" => inside = false,
                    "c" => {
                        if formula && !value {
                            self.valueless.insert((line, column));
                            if self.valueless.len() > MOST {
                                return Err(said(
                                    format!("more than {MOST} formulas without a value: open and save the file once"),
                                    format!("超过 {MOST} 个公式没有保存结果：请打开文件并保存一次"),
                                ));
                            }
                        }
                        column += 1;
                    }
                    "row" => (row, hiding) = (row + 1, false),
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn range(&mut self, range: Option<&str>) -> Result<(), Said> {
        let Some((from, to)) = range.and_then(|r| r.split_once(':')) else {
            return Ok(());
        };
        let (Some((top, left)), Some((bottom, right))) = (place(from), place(to)) else {
            return Ok(());
        };
        self.ranged += bottom.saturating_sub(top) as usize + 1;
        if self.ranged > MOST_MERGED {
            return Err(said(
                "too many merged ranges; unmerge them, or save the table as CSV",
                "合并单元格过多；请取消合并，或另存为 CSV",
            ));
        }
        for row in top + 1..=bottom {
            self.merged.entry(row).or_default().push((left, top));
        }
        if right > left {
            self.wide.push((top, left, right));
        }
        Ok(())
    }
}

fn attribute(e: &BytesStart<'_>, name: &str) -> Option<String> {
    let value = e.try_get_attribute(name).ok().flatten()?;
    value
        .normalized_value(XmlVersion::Implicit1_0)
        .ok()
        .map(|v| v.into_owned())
}

/// Two attributes of a row or a cell, as they are written. What stands there twice is an error: the reader of cells would take the
/// other one.
fn marks(e: &BytesStart<'_>, names: [&str; 2]) -> Result<[Option<String>; 2], Said> {
    let mut found = [None, None];
    for attribute in e.attributes() {
        let attribute = attribute.map_err(broken)?;
        for (name, value) in names.iter().zip(&mut found) {
            if attribute.key.as_ref() == *name {
                *value = Some(attribute.value.to_string());
            }
        }
    }
    Ok(found)
}

/// Row and column of `B3`, counted from 1, and 0 for one that is not told. Nothing for what is no place, or is so far out that the reader
/// of cells, which does not look, would count beyond its numbers.
fn position(text: &str) -> Option<(u32, u32)> {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (letters, digits) = text.split_at_checked(letters)?;
    let column = letters.bytes().try_fold(0u32, |n, b| {
        n.checked_mul(26)?
            .checked_add(u32::from(b.to_ascii_uppercase() - b'A') + 1)
    })?;
    let row: u32 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    (row <= FARTHEST && column <= FARTHEST).then_some((row, column))
}

/// `B3` as row 2, column 1.
fn place(text: &str) -> Option<(u32, u32)> {
    let (row, column) = position(text)?;
    (row <= 1_048_576 && column <= 16_384).then_some((row.checked_sub(1)?, column.checked_sub(1)?))
}

/// Refuses a range of all cells that ends before it begins: the reader of cells takes one from the other.
fn extent(range: Option<&str>) -> Result<(), Said> {
    let ends: Vec<_> = range.unwrap_or_default().split(':').map(position).collect();
    match ends[..] {
        [Some(_)] => Ok(()),
        [Some(from), Some(to)] if from.0 <= to.0 && from.1 <= to.1 => Ok(()),
        _ => Err(far()),
    }
}

fn far() -> Said {
    broken("a row, a cell or the range of all cells is at no place of a sheet")
}

/// How many texts the table of texts says that it holds. The reader of cells makes room for all of them before it reads the first.
pub(crate) fn texts_told(part: impl BufRead) -> u64 {
    let mut xml = Reader::from_reader(part);
    // As the reader of cells has it, so that both come to the same tag.
    xml.config_mut().check_end_names = false;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer) {
            Ok(Event::Start(e) | Event::Empty(e)) if e.local_name().as_ref() == "sst" => {
                let told = attribute(&e, "uniqueCount");
                return told.and_then(|told| told.parse().ok()).unwrap_or_default();
            }
            Ok(Event::Eof) | Err(_) => return 0,
            Ok(_) => {}
        }
    }
}

/// The entry of the archive that holds a sheet.
fn path(archive: &mut ZipArchive<Input>, sheet: &str) -> Result<Option<String>, Said> {
    let find = |archive: &mut ZipArchive<Input>, path: &str, tag: &str, key: [&str; 2]| {
        let mut found = Vec::new();
        let Ok(entry) = archive.by_name(path) else {
            return Ok(found);
        };
        let mut xml = Reader::from_reader(BufReader::new(entry));
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            match xml.read_event_into(&mut buffer).map_err(broken)? {
                Event::Eof => return Ok(found),
                Event::Start(e) | Event::Empty(e) if e.local_name().as_ref() == tag => {
                    // The prefix of an id is the file's own choice.
                    let value = |name: &str| {
                        e.attributes()
                            .flatten()
                            .find(|a| a.key.as_ref() == name || (name == "id" && a.key.local_name().as_ref() == "id"))
                            .and_then(|a| a.normalized_value(XmlVersion::Implicit1_0).ok().map(|v| v.into_owned()))
                    };
                    if let (Some(a), Some(b)) = (value(key[0]), value(key[1])) {
                        found.push((a, b));
                    }
                }
                _ => {}
            }
        }
    };
    let sheets: Vec<(String, String)> = find(archive, "xl/workbook.xml", "sheet", ["name", "id"])?;
    let Some((_, id)) = sheets.into_iter().find(|(name, _)| name == sheet) else {
        return Ok(None);
    };
    let targets: Result<Vec<(String, String)>, Said> =
        find(archive, "xl/_rels/workbook.xml.rels", "Relationship", ["Id", "Target"]);
    let target = targets?.into_iter().find(|(i, _)| *i == id).map(|(_, target)| target);
    Ok(target
        .map(|t| match t.strip_prefix('/') {
            Some(whole) => whole.to_owned(),
            None => format!("xl/{t}"),
        })
        .filter(|p| archive.index_for_name(p).is_some()))
}
