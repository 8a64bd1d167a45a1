//! Numbers of documents (文号) in the form in which they are compared: people write one bracket for another, and blanks between the parts.

use super::grouped;

/// A number as columns, filters and statistics have it: [`grouped`], without blanks, and with `〔〕` (GB/T 9704) around a year,
/// whatever brackets it was written in; other brackets are round. A beginning of a number is a beginning of its form, unless it ends
/// within the year.
pub fn document_number(text: &str) -> String {
    // Where a blank is gone, an accent may stand beside its letter.
    let bare: String = grouped(text).chars().filter(|c| !c.is_whitespace()).collect();
    let text: Vec<char> = grouped(&bare).chars().filter(|c| !c.is_whitespace()).collect();
    let is_year = |from: usize| {
        text.get(from..from + YEAR)
            .is_some_and(|year| year.iter().all(char::is_ascii_digit))
    };
    let bracket = |(at, c): (usize, &char)| {
        if is_opening(*c) {
            let is_closed = text.get(at + 1 + YEAR).is_none_or(|c| is_closing(*c));
            return if is_year(at + 1) && is_closed { '〔' } else { '(' };
        }
        if is_closing(*c) {
            let opens = at.checked_sub(YEAR).filter(|from| is_year(*from));
            let is_opened = opens.is_some_and(|from| from == 0 || text.get(from - 1).is_some_and(|c| is_opening(*c)));
            return if is_opened { '〕' } else { ')' };
        }
        *c
    };
    text.iter().enumerate().map(bracket).collect()
}

/// Digits of a year.
const YEAR: usize = 4;

fn is_opening(c: char) -> bool {
    matches!(c, '(' | '[' | '{' | '〔' | '【' | '〖' | '〘' | '〚' | '〈' | '<')
}

fn is_closing(c: char) -> bool {
    matches!(c, ')' | ']' | '}' | '〕' | '】' | '〗' | '〙' | '〛' | '〉' | '>')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_number_in_many_spellings_is_one() {
        for written in [
            "青西新科字〔2025〕9号",
            "青西新科字[2025]9号",
            "青西新科字［2025］9号",
            "青西新科字【2025】9号",
            "青西新科字（2025）9号",
            "青西新科字(2025)9号",
            "青西新科字﹝２０２５﹞９号",
            " 青西新科字 〔2025〕 9 号\u{3000}",
        ] {
            assert_eq!(document_number(written), "青西新科字〔2025〕9号", "{written}");
        }
    }

    #[test]
    fn what_is_no_year_keeps_round_brackets_and_other_numbers_stay_others() {
        assert_eq!(document_number("试科〔2025〕9号【修订】"), "试科〔2025〕9号(修订)");
        assert_eq!(document_number("试科[20251]号"), "试科(20251)号");
        assert_ne!(document_number("试科〔2025〕9号"), document_number("试科〔2025〕19号"));
        assert_ne!(document_number("试科〔2025〕9号"), document_number("试科〔2024〕9号"));
    }

    #[test]
    fn a_beginning_is_a_beginning() {
        let whole = document_number("试科[2025]9号");
        for beginning in ["试", "试科", "试科[2025", "试科【2025】", "试科（2025）9"] {
            assert!(whole.starts_with(&document_number(beginning)), "{beginning}");
        }
    }

    proptest! {
        #[test]
        fn a_form_of_a_form_is_itself(text in "[0-9〔〕\\[\\]（）【】 号字试a-]{0,14}|\\PC{0,10}") {
            let once = document_number(&text);
            prop_assert_eq!(document_number(&once), once);
        }
    }
}
