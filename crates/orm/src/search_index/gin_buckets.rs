//! How the search index of PostgreSQL goes by the order of names (docs/adr/0018-sections.md).
//!
//! A GIN index gives its hits in the order in which rows lie. So all order codes of names ([`crate::text::order_code`]) are divided into
//! [`BUCKETS`], and each token of a name begins with the prefix of the bucket of its row. A search asks bucket by
//! bucket, and goes no further than a page needs. Tokens of whole names and of values have none.

use std::ops::Range;

use sea_orm::DbBackend;

use crate::model::table_row::Row;
use crate::search_index::index::{expression, whole};
use crate::text::{ORDER_CODE_BITS, Query, Term, is_exact};

/// The prefix of each bucket, in their order.
const PREFIXES: &[u8; BUCKETS] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const BUCKETS: usize = 1 << BUCKET_BITS;
const BUCKET_BITS: u32 = 6;

/// From how many bytes on a term has few hits: two Han characters, or six letters.
const RARE: usize = 6;

/// The bucket of an order code.
pub(crate) fn bucket_of(order_code: i64) -> usize {
    usize::try_from(order_code >> (ORDER_CODE_BITS - BUCKET_BITS)).map_or(0, |bucket| bucket.min(BUCKETS - 1))
}

fn bucket_prefix(bucket: usize) -> char {
    PREFIXES.get(bucket).copied().unwrap_or_default().into()
}

/// The tokens of a row as PostgreSQL keeps them, with a space between.
pub(crate) fn tokens(row: &Row) -> String {
    with_bucket_prefix(&row.tokens, row.order_code)
}

pub(crate) fn with_bucket_prefix(tokens: &str, order_code: i64) -> String {
    let prefix = bucket_prefix(bucket_of(order_code));
    let mut prefixed = String::with_capacity(tokens.len() + tokens.len() / 4);
    for token in tokens.split(' ').filter(|token| !token.is_empty()) {
        if !prefixed.is_empty() {
            prefixed.push(' ');
        }
        if !is_exact(token) {
            prefixed.push(prefix);
        }
        prefixed.push_str(token);
    }
    prefixed
}

/// What is asked for a query from a bucket on, one after the other: hits but those of which it is a whole name. Where many
/// are likely each bucket is asked alone; otherwise the first few, and then more and more at once.
pub(crate) fn steps(query: &Query, from: usize) -> Vec<String> {
    let is_rare = query.terms().iter().any(|term| term.text.len() >= RARE);
    let mut steps = Vec::new();
    let (mut next, mut together) = (from, if is_rare { 2 } else { 1 });
    while next < BUCKETS {
        let end = BUCKETS.min(next + together);
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

/// Hits in some buckets.
fn within(query: &Query, buckets: Range<usize>) -> String {
    let in_each = buckets.map(|bucket| {
        let terms: Vec<Term> = query
            .terms()
            .iter()
            .map(|term| Term {
                text: format!("{}{}", bucket_prefix(bucket), term.text),
                prefix: term.prefix,
                or: term
                    .or
                    .iter()
                    .map(|other| format!("{}{other}", bucket_prefix(bucket)))
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
    use crate::text::{order_code, sort_key, tokens, value_token, whole_name};

    fn steps_of(query: &str, from: usize) -> Vec<String> {
        steps(&Query::parse(query).unwrap(), from)
    }

    #[test]
    fn prefixes_are_in_the_order_of_buckets_and_none_is_taken_twice() {
        assert!(PREFIXES.is_sorted_by(|a, b| a < b));
        assert_eq!(bucket_of(0), 0);
        assert_eq!(bucket_of((1 << ORDER_CODE_BITS) - 1), BUCKETS - 1);
        assert!(bucket_of(order_code(&sort_key("安宁"))) < bucket_of(order_code(&sort_key("张伟"))));
    }

    #[test]
    fn what_is_no_part_of_a_name_has_no_prefix() {
        let mut all = tokens(["张伟"]);
        let others = [whole_name("张伟"), value_token("names", Some("x"))];
        others.iter().for_each(|other| all.add_text(other));
        let all = all.sorted();
        let text = all.join(" ");
        let code = order_code(&sort_key("张伟"));
        let prefixed = with_bucket_prefix(&text, code);
        let prefixed: Vec<&str> = prefixed.split(' ').collect();
        assert_eq!(prefixed.len(), all.len());
        for (token, prefixed) in all.iter().zip(prefixed) {
            let kept = if others.iter().any(|other| other == token) {
                (*token).to_owned()
            } else {
                format!("{}{token}", bucket_prefix(bucket_of(code)))
            };
            assert_eq!(prefixed, kept);
        }
        assert_eq!(super::with_bucket_prefix("", code), "");
    }

    #[test]
    fn each_bucket_is_asked_once_from_the_first_on() {
        for (query, together) in [
            ("王", 1),
            ("wang", 1),
            ("王 wang", 1),
            ("建强", BUCKETS / 2),
            ("王 jianqiang", BUCKETS / 2),
        ] {
            for from in [0, 1, 40, BUCKETS - 1] {
                let steps = steps_of(query, from);
                let asked = |bucket: usize| format!("('{}{}", bucket_prefix(bucket), query.split(' ').next().unwrap());
                let first = steps
                    .iter()
                    .map(|step| step.matches('(').count() - 1)
                    .collect::<Vec<_>>();
                assert!(first.iter().all(|count| *count <= together), "{first:?}");
                assert_eq!(first.iter().sum::<usize>(), BUCKETS - from, "{first:?}");
                let all = steps.concat();
                let mut at = 0;
                for bucket in from..BUCKETS {
                    at += all[at..].find(&asked(bucket)).unwrap() + 1;
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
