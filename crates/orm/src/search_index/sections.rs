//! How the search index of PostgreSQL goes by the order of names (docs/adr/0018-sections.md).
//!
//! A GIN index gives its hits in the order in which rows lie. So all places of names ([`crate::text::place`]) are divided into
//! [`SECTIONS`], and each token of a name begins with the sign of the section in which its row stands. A search asks section by
//! section, and goes no further than a page needs. Tokens of whole names and of values have no sign.

use std::ops::Range;

use sea_orm::DbBackend;

use crate::model::resource::Row;
use crate::search_index::index::{expression, whole};
use crate::text::{PLACE_BITS, Query, Term, is_exact};

/// The sign of each section, in their order.
const SIGNS: &[u8; SECTIONS] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const SECTIONS: usize = 1 << SECTION_BITS;
const SECTION_BITS: u32 = 6;

/// From how many bytes on a term has few hits: two Han characters, or six letters.
const RARE: usize = 6;

/// The section of a place.
pub(crate) fn of(place: i64) -> usize {
    usize::try_from(place >> (PLACE_BITS - SECTION_BITS)).map_or(0, |section| section.min(SECTIONS - 1))
}

fn sign(section: usize) -> char {
    SIGNS.get(section).copied().unwrap_or_default().into()
}

/// The tokens of a row as PostgreSQL keeps them, with a space between.
pub(crate) fn tokens(row: &Row) -> String {
    signed(&row.tokens, row.place)
}

pub(crate) fn signed(tokens: &str, place: i64) -> String {
    let sign = sign(of(place));
    let mut signed = String::with_capacity(tokens.len() + tokens.len() / 4);
    for token in tokens.split(' ').filter(|token| !token.is_empty()) {
        if !signed.is_empty() {
            signed.push(' ');
        }
        if !is_exact(token) {
            signed.push(sign);
        }
        signed.push_str(token);
    }
    signed
}

/// What is asked for a query from a section on, one after the other: hits but those of which it is a whole name. Where many
/// are likely each section is asked alone; otherwise the first few, and then more and more at once.
pub(crate) fn steps(query: &Query, from: usize) -> Vec<String> {
    let is_rare = query.terms().iter().any(|term| term.text.len() >= RARE);
    let mut steps = Vec::new();
    let (mut next, mut together) = (from, if is_rare { 2 } else { 1 });
    while next < SECTIONS {
        let end = SECTIONS.min(next + together);
        steps.push(format!(
            "({}) & !{}",
            within(query, next..end),
            whole(DbBackend::Postgres, query)
        ));
        if is_rare && next > from {
            together *= 2;
        }
        next = end;
    }
    steps
}

/// Hits in some sections.
fn within(query: &Query, sections: Range<usize>) -> String {
    let in_each = sections.map(|section| {
        let terms: Vec<Term> = query
            .terms()
            .iter()
            .map(|term| Term {
                text: format!("{}{}", sign(section), term.text),
                prefix: term.prefix,
                or: term
                    .or
                    .iter()
                    .map(|other| format!("{}{other}", sign(section)))
                    .collect(),
            })
            .collect();
        format!("({})", expression(DbBackend::Postgres, &terms))
    });
    in_each.collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{place, sort_key, tokens, value_token, whole_name};

    fn steps_of(query: &str, from: usize) -> Vec<String> {
        steps(&Query::parse(query).unwrap(), from)
    }

    #[test]
    fn signs_are_in_the_order_of_sections_and_none_is_taken_twice() {
        assert!(SIGNS.is_sorted_by(|a, b| a < b));
        assert_eq!(of(0), 0);
        assert_eq!(of((1 << PLACE_BITS) - 1), SECTIONS - 1);
        assert!(of(place(&sort_key("安宁"))) < of(place(&sort_key("张伟"))));
    }

    #[test]
    fn what_is_no_part_of_a_name_has_no_sign() {
        let mut all = tokens(["张伟"]);
        let others = [whole_name("张伟"), value_token("names", Some("x"))];
        others.iter().for_each(|other| all.add_text(other));
        let all = all.sorted();
        let text = all.join(" ");
        let place = place(&sort_key("张伟"));
        let signed = signed(&text, place);
        let signed: Vec<&str> = signed.split(' ').collect();
        assert_eq!(signed.len(), all.len());
        for (token, signed) in all.iter().zip(signed) {
            let kept = if others.iter().any(|other| other == token) {
                (*token).to_owned()
            } else {
                format!("{}{token}", sign(of(place)))
            };
            assert_eq!(signed, kept);
        }
        assert_eq!(super::signed("", place), "");
    }

    #[test]
    fn each_section_is_asked_once_from_the_first_on() {
        for (query, together) in [
            ("王", 1),
            ("wang", 1),
            ("王 wang", 1),
            ("建强", SECTIONS / 2),
            ("王 jianqiang", SECTIONS / 2),
        ] {
            for from in [0, 1, 40, SECTIONS - 1] {
                let steps = steps_of(query, from);
                let asked = |section: usize| format!("('{}{}", sign(section), query.split(' ').next().unwrap());
                let first = steps
                    .iter()
                    .map(|step| step.matches('(').count() - 1)
                    .collect::<Vec<_>>();
                assert!(first.iter().all(|count| *count <= together), "{first:?}");
                assert_eq!(first.iter().sum::<usize>(), SECTIONS - from, "{first:?}");
                let all = steps.concat();
                let mut at = 0;
                for section in from..SECTIONS {
                    at += all[at..].find(&asked(section)).unwrap() + 1;
                }
            }
        }
        assert_eq!(
            steps_of("王 wang", 62),
            [
                "(('y王' & 'ywang':*)) & !'＝王　wang'",
                "(('z王' & 'zwang':*)) & !'＝王　wang'"
            ]
        );
        assert_eq!(steps_of("建强", 62), ["(('y建强') | ('z建强')) & !'＝建强'"]);
    }
}
