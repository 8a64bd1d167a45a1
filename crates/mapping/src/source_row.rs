//! One row of a source, and what is to be known of its cells beside their texts.

use crate::value::Unfit;

/// One row of a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceRow {
    /// Its number as a spreadsheet shows it, 1 for the first row of the file; for JSON lines the line's.
    pub number: u64,
    /// Its cells under the headers. For JSON lines one cell, the line.
    pub cells: Vec<String>,
    /// Whether the sheet hides it.
    pub(crate) hidden: bool,
    /// Columns whose text is not all that is to be known of the cell.
    pub(crate) odd: Vec<(usize, Odd)>,
}

impl SourceRow {
    /// Whether all cells are empty, and none is a formula without a value.
    pub(crate) fn is_blank(&self) -> bool {
        self.odd.is_empty() && self.cells.iter().all(|c| c.trim().is_empty())
    }

    /// What is to be known of a cell beside its text.
    pub(crate) fn odd(&self, place: usize) -> Option<Odd> {
        self.odd.iter().find(|(p, _)| *p == place).map(|&(_, odd)| odd)
    }
}

/// What is to be known of a cell beside its text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Odd {
    /// A number of more digits than a spreadsheet keeps.
    Rounded,
    /// A formula whose value nobody kept.
    Valueless,
    /// A number cell with none that a spreadsheet shows: `inf`, `nan`, a day before all days.
    NoNumber,
    /// A number that is a month or a day in more than one way: 2010.1.
    Number,
}

impl Odd {
    /// Why the cell cannot be used, whatever its text is for; nothing where that depends.
    pub(crate) fn unfit(self) -> Option<Unfit> {
        let (reason, description) = match self {
            Odd::Rounded => (
                "NUMBER_ROUNDED",
                "a spreadsheet keeps 15 digits of a number, the others are lost: make the column text and fill it in again (号码已被表格软件改变，请把该列设为文本后重填)",
            ),
            Odd::Valueless => (
                "CELL_ERROR",
                "a formula whose value the file does not hold: open the file in a spreadsheet and save it once (公式没有保存结果，请打开文件并保存一次)",
            ),
            Odd::NoNumber => (
                "NUMBER_INVALID",
                "the cell holds no number, or no day, that can be shown: type it again (单元格中没有可用的数字或日期，请重新填写)",
            ),
            Odd::Number => return None,
        };
        Some(Unfit {
            reason,
            description: description.to_owned(),
        })
    }

    /// Of a cell that is a number, or may be one.
    pub(crate) fn of_number(text: &str) -> Option<Odd> {
        let bytes = text.as_bytes();
        let month = bytes.len() == 6 && text.ends_with(".1") && bytes.iter().take(4).all(u8::is_ascii_digit);
        month.then_some(Odd::Number)
    }

    /// Of a text: `3.79901E+17` is what a spreadsheet made of a long number.
    pub(crate) fn of_text(text: &str) -> Option<Odd> {
        if text.len() > 24 || !text.trim_end().ends_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let (mantissa, exponent) = text.trim().split_once(['E', 'e'])?;
        let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
        let exponent: u32 = exponent.strip_prefix('+')?.parse().ok()?;
        let mut digits = mantissa.bytes();
        let number = digits.next().is_some_and(|d| d.is_ascii_digit())
            && digits.next().is_none_or(|d| d == b'.')
            && digits.all(|d| d.is_ascii_digit());
        (number && (11..100).contains(&exponent)).then_some(Odd::Rounded)
    }
}
