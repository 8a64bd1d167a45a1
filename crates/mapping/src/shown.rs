//! How a cell shows its number: what its number format adds (zeros, percent, words) and what of a day it tells.
//!
//! A format never takes digits away here: `0.00` makes 12.5 into 12.50 and leaves 12.345 as it is. Signs that say nothing
//! (groups, colours, currencies, units behind the number) are left out.

use calamine::{ExcelDateTime, NumberFormat};

/// A number that a workbook keeps exactly has at most this many digits.
const DIGITS: usize = 15;

/// What a number format does to a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    /// Words before the number.
    prefix: String,
    /// The places of the whole part; none where the number stands as it is.
    whole: Vec<Place>,
    /// Zeros behind the point.
    decimals: usize,
    percent: bool,
    moment: Moment,
}

#[derive(Clone, Debug, PartialEq)]
enum Place {
    Zero,
    Digit,
    Sign(char),
}

/// What of a moment a format tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Moment {
    year: bool,
    month: bool,
    day: bool,
    time: bool,
    /// Whether it is written with 年.
    han: bool,
}

/// Formats that a Chinese Excel keeps by number only.
const YEAR_AND_MONTH: [u32; 5] = [27, 36, 50, 52, 57];
const MONTH_AND_DAY: [u32; 7] = [28, 29, 51, 53, 54, 58, 16];

impl Shown {
    /// What `format` does; nothing where it is none, or one of scientific notation, fractions or conditions.
    pub(crate) fn new(format: Option<&NumberFormat>) -> Self {
        let Some(format) = format else {
            return Shown::default();
        };
        let by_number = |month_only| Moment {
            year: month_only,
            month: true,
            day: !month_only,
            time: false,
            han: true,
        };
        match format.format_id {
            Some(id) if YEAR_AND_MONTH.contains(&id) => Shown {
                moment: by_number(true),
                ..Shown::default()
            },
            Some(id) if MONTH_AND_DAY.contains(&id) => Shown {
                moment: by_number(false),
                ..Shown::default()
            },
            _ => Shown::parse(&format.format_code),
        }
    }

    fn parse(code: &str) -> Self {
        let mut shown = Shown::default();
        let mut signs = code.chars().peekable();
        let (mut point, mut behind, mut general) = (false, false, false);
        let mut literal = String::new();
        let mut minutes = false;
        while let Some(sign) = signs.next() {
            let mut word = None;
            match sign {
                ';' => break,
                '"' => word = Some(signs.by_ref().take_while(|&c| c != '"').collect::<String>()),
                '\\' => word = signs.next().map(String::from),
                '_' | '*' => {
                    signs.next();
                }
                '[' => {
                    let inner: String = signs.by_ref().take_while(|&c| c != ']').collect();
                    if inner.starts_with(['<', '>', '=']) {
                        return Shown::default();
                    }
                    shown.moment.time |= matches!(inner.to_lowercase().as_str(), "h" | "hh" | "m" | "mm" | "s" | "ss");
                }
                '0' | '#' | '?' if point && !behind => shown.decimals += usize::from(sign == '0'),
                '0' | '#' | '?' => {
                    if shown.whole.is_empty() {
                        shown.prefix = std::mem::take(&mut literal);
                    }
                    shown.whole.extend(literal.drain(..).map(Place::Sign));
                    shown.whole.push(if sign == '0' { Place::Zero } else { Place::Digit });
                }
                '.' if !shown.whole.is_empty() || signs.peek() == Some(&'0') => point = true,
                '%' => shown.percent = true,
                'y' | 'Y' => shown.moment.year = true,
                'd' | 'D' => shown.moment.day = true,
                'h' | 'H' | 's' | 'S' => {
                    shown.moment.time = true;
                    minutes = true;
                }
                // Behind hours or before seconds these are minutes.
                'm' | 'M' => {
                    while signs.peek().is_some_and(|c| c.eq_ignore_ascii_case(&'m')) {
                        signs.next();
                    }
                    let seconds = signs.clone().find(char::is_ascii_alphabetic);
                    let minute = minutes || seconds.is_some_and(|c| c.eq_ignore_ascii_case(&'s'));
                    shown.moment.time |= minute;
                    shown.moment.month |= !minute;
                }
                'G' | 'g' if code.to_lowercase().contains("general") => {
                    general = true;
                    signs.by_ref().take(6).for_each(drop);
                    shown.prefix = std::mem::take(&mut literal);
                }
                // Scientific notation, fractions.
                'E' | 'e' | '/' if !shown.whole.is_empty() => return Shown::default(),
                '年' => word = Some("年".to_owned()),
                '-' | ' ' | '(' | ')' if !shown.whole.is_empty() => word = Some(sign.to_string()),
                _ => {}
            }
            if let Some(word) = word {
                shown.moment.han |= word.contains('年') || word.contains('月');
                behind |= point;
                literal.push_str(&word);
            }
        }
        // A sign of a currency is no word.
        if !shown.prefix.chars().any(char::is_alphanumeric) || (shown.whole.is_empty() && !general) {
            shown.prefix.clear();
        }
        shown
    }

    /// A number as the cell shows it, with at most 15 digits.
    pub(crate) fn number(&self, n: f64) -> String {
        let plain = plain(if self.percent { n * 100.0 } else { n });
        if *self == Shown::default() {
            return plain;
        }
        let (sign, plain) = plain.strip_prefix('-').map_or(("", plain.as_str()), |rest| ("-", rest));
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
        let mut text = format!("{sign}{}", self.prefix);
        text.push_str(&self.placed(whole));
        if self.decimals > 0 || !fraction.is_empty() {
            text.push('.');
            text.push_str(fraction);
            text.extend(std::iter::repeat_n('0', self.decimals.saturating_sub(fraction.len())));
        }
        if self.percent {
            text.push('%');
        }
        text
    }

    /// The digits of a whole part in their places, from behind; what is left stands in the first.
    fn placed(&self, digits: &str) -> String {
        let mut left: Vec<char> = digits.chars().collect();
        let mut text = Vec::new();
        for place in self.whole.iter().rev() {
            match place {
                Place::Sign(c) if left.iter().any(|&d| d != '0') || self.whole.contains(&Place::Zero) => text.push(*c),
                Place::Sign(_) => {}
                Place::Zero => text.push(left.pop().unwrap_or('0')),
                Place::Digit => text.extend(left.pop()),
            }
        }
        text.extend(left.into_iter().rev());
        text.iter().rev().collect()
    }

    /// A day as far as the cell tells it: ISO 8601 where it tells the day, with the time where it tells that; a month as
    /// `2024年3月` or `2024-03`, a day without its year as `3月5日`.
    pub(crate) fn moment(&self, date: &ExcelDateTime) -> String {
        if date.is_duration() {
            return plain(date.as_f64());
        }
        let (year, month, day, hour, minute, second, _) = date.to_ymd_hms_milli();
        let moment = self.moment;
        let whole = format!("{year:04}-{month:02}-{day:02}");
        match (moment.year, moment.month, moment.day) {
            (true, true, false) if moment.han => format!("{year}年{month}月"),
            (true, true, false) => format!("{year:04}-{month:02}"),
            (true, false, false) => format!("{year:04}"),
            (false, true, true) => format!("{month}月{day}日"),
            (false, false, false) if moment.time => format!("{hour:02}:{minute:02}:{second:02}"),
            _ if moment.time && (hour, minute, second) != (0, 0, 0) => {
                format!("{whole}T{hour:02}:{minute:02}:{second:02}")
            }
            _ => whole,
        }
    }
}

/// A number with at most 15 digits, as spreadsheets show it, without a needless point.
pub(crate) fn plain(n: f64) -> String {
    if !n.is_finite() {
        return n.to_string();
    }
    if n.fract() == 0.0 && n.abs() < 1e15 {
        return format!("{n:.0}");
    }
    let text = format!("{:.*e}", DIGITS - 1, n);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0');
    let point = exponent + 1;
    if point <= 0 {
        let zeros = "0".repeat(point.unsigned_abs() as usize);
        return format!("{sign}0.{zeros}{digits}");
    }
    let point = point.unsigned_abs() as usize;
    match digits.split_at_checked(point) {
        Some((whole, "")) => format!("{sign}{whole}"),
        Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{digits}{}", "0".repeat(point - digits.len())),
    }
}

/// Whether a workbook cannot have kept all digits of a number.
pub(crate) fn is_rounded(n: f64) -> bool {
    n.is_finite() && n.abs() >= 1e15
}

/// Whether a spreadsheet has a day for the number of a cell that shows one: from 1900 or 1904 to the year 9999.
pub(crate) fn is_day(date: &ExcelDateTime) -> bool {
    let n = date.as_f64();
    n.is_finite() && (date.is_duration() || (0.0..LAST_DAY).contains(&n))
}

/// The number of the day behind 9999-12-31.
const LAST_DAY: f64 = 2_958_466.0;

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;

    use super::*;

    #[test]
    fn numbers_have_fifteen_digits_and_no_noise() {
        for (n, expected) in [
            (3.3000000000000003, "3.3"),
            (0.30000000000000004, "0.3"),
            (434.99999999999994, "435"),
            (3.4499999999999997, "3.45"),
            (0.07, "0.07"),
            (-1234.5, "-1234.5"),
            (1e-7, "0.0000001"),
            (123456789012345.0, "123456789012345"),
            (1.2e20, "120000000000000000000"),
            (0.0, "0"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(plain(n), expected);
        }
        assert!(!is_rounded(f64::INFINITY) && !is_rounded(f64::NAN));
        assert!(is_rounded(2.0240115000123e17) && !is_rounded(999_999_999_999_999.0));
    }

    #[test]
    fn a_format_adds_what_it_shows_and_takes_no_digit_away() {
        for (code, n, expected) in [
            ("General", 12.5, "12.5"),
            ("00000", 123.0, "00123"),
            ("0.00", 2010.1, "2010.10"),
            ("0.00", 12.345, "12.345"),
            ("#,##0.00", 1200.0, "1200.00"),
            ("0%", 0.25, "25%"),
            ("0.0%", 0.285, "28.5%"),
            ("\"GH-\"0000", 12.0, "GH-0012"),
            ("0000\"-\"00", 202401.0, "2024-01"),
            ("000-0000", 5512345.0, "551-2345"),
            ("\"¥\"#,##0", 1200.0, "1200"),
            ("0\"㎡\"", 120.0, "120"),
            ("0.00\"万元\"", 12.5, "12.50"),
            ("0.00_);[Red](0.00)", 3.0, "3.00"),
            ("0.00E+00", 1234.0, "1234"),
            ("# ?/?", 0.5, "0.5"),
            ("@", 12.0, "12"),
            ("[>100]0.0;0", 12.0, "12"),
            ("00000", -5.0, "-00005"),
            ("#", 0.0, "0"),
        ] {
            assert_eq!(Shown::parse(code).number(n), expected, "{code}");
        }
    }

    #[test]
    fn a_day_is_told_as_far_as_the_cell_tells_it() {
        let date = |n| ExcelDateTime::new(n, ExcelDateTimeType::DateTime, false);
        for (code, n, expected) in [
            ("yyyy-mm-dd", 45473.0, "2024-06-30"),
            ("mm-dd-yy", 45473.0, "2024-06-30"),
            ("yyyy\"年\"m\"月\"", 45473.0, "2024年6月"),
            ("yyyy年m月", 45473.0, "2024年6月"),
            ("[$-804]yyyy\"年\"m\"月\"d\"日\";@", 45473.5, "2024-06-30"),
            ("yyyy.mm", 45473.0, "2024-06"),
            ("yyyy/m", 45473.0, "2024-06"),
            ("mmm-yy", 45473.0, "2024-06"),
            ("yyyy", 45473.0, "2024"),
            ("m\"月\"d\"日\"", 45473.0, "6月30日"),
            ("yyyy/m/d h:mm", 45473.5, "2024-06-30T12:00:00"),
            ("yyyy/m/d h:mm", 45473.0, "2024-06-30"),
            ("h:mm", 0.4375, "10:30:00"),
        ] {
            assert_eq!(Shown::parse(code).moment(&date(n)), expected, "{code}");
        }
        let kept_by_number = |id| Shown {
            moment: Shown::new(Some(&{
                let mut format = NumberFormat::default();
                format.format_id = Some(id);
                format
            }))
            .moment,
            ..Shown::default()
        };
        assert_eq!(kept_by_number(57).moment(&date(45473.0)), "2024年6月");
        assert_eq!(kept_by_number(58).moment(&date(45473.0)), "6月30日");
        for (n, expected) in [
            (0.0, true),
            (2_958_465.5, true),
            (2_958_466.0, false),
            (-1.0, false),
            (f64::INFINITY, false),
            (f64::NAN, false),
        ] {
            assert_eq!(is_day(&date(n)), expected, "{n}");
        }
        let hours = |n| ExcelDateTime::new(n, ExcelDateTimeType::TimeDelta, false);
        assert!(is_day(&hours(-0.5)) && !is_day(&hours(f64::NAN)));
        let mac = ExcelDateTime::new(45473.0 - 1462.0, ExcelDateTimeType::DateTime, true);
        assert_eq!(Shown::parse("yyyy-mm-dd").moment(&mac), "2024-06-30");
    }
}
