//! Page sizes, and page tokens that are bound to the arguments of their query.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The version of the tokens. Another one is refused, so that a token never is read as what it is not.
const VERSION: u8 = 1;
/// Bytes of each digest.
const DIGEST: usize = 8;
/// More positions than this no order has: three keys and the id, with room.
const POSITIONS_AT_MOST: usize = 8;
/// A longer token is refused unread. Three sort keys of 500 characters of four bytes fit in.
pub const TOKEN_AT_MOST: usize = 8200;

/// A page ends before it has more bytes than this, however many rows were asked for: most clients take 4 MiB at once.
pub(crate) const BYTES: usize = 1 << 20;

/// How many rows of these lengths make a page: `size` at most, and no more bytes than a page has, but one row at least.
pub(crate) fn fitting(lengths: impl IntoIterator<Item = usize>, size: usize) -> usize {
    let mut bytes = 0;
    let fits = |length: &usize| {
        bytes += length;
        bytes <= BYTES
    };
    lengths.into_iter().take(size).take_while(fits).count().max(1)
}

/// One part of where a page ended: the last row's value of a sort key, or its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// A text or an id.
    Text(String),
    /// A number or a time.
    Integer(i64),
}

/// How many rows a page has, from what was asked for: 0 is 50, and more than 1000 is 1000.
pub fn size(requested: i32) -> usize {
    match usize::try_from(requested) {
        Ok(0) | Err(_) => 50,
        Ok(size) => size.min(1000),
    }
}

/// The token of the page that begins behind `position`. `arguments` are all that say which rows the list has and in
/// which order; up to eight positions.
pub fn encode(arguments: &[&str], position: &[Position]) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend(digest(
        b"arguments",
        arguments.iter().map(|argument| argument.as_bytes()),
    ));
    for part in position {
        match part {
            Position::Integer(number) => {
                bytes.push(b'i');
                bytes.extend(number.to_be_bytes());
            }
            Position::Text(text) => {
                bytes.push(b't');
                bytes.extend((text.len() as u64).to_be_bytes());
                bytes.extend(text.as_bytes());
            }
        }
    }
    let check = digest(b"token", [bytes.as_slice()].into_iter());
    bytes.extend(check);
    BASE64URL_NOPAD.encode(&bytes)
}

/// Where the page before ended; `None` for an empty token, which is the first page.
/// Errors: `PAGE_TOKEN_MALFORMED`, `PAGE_TOKEN_OTHER_QUERY`.
pub fn decode(token: &str, arguments: &[&str]) -> Result<Option<Vec<Position>>> {
    if token.is_empty() {
        return Ok(None);
    }
    let (bound_to, position) = open(token).ok_or_else(|| {
        let right = "send `next_page_token` of the page before as it came, or nothing for the first page";
        Error::invalid(
            "page_token",
            "PAGE_TOKEN_MALFORMED",
            format!("this is not a page token of this version; {right}"),
        )
    })?;
    if bound_to != digest(b"arguments", arguments.iter().map(|argument| argument.as_bytes())) {
        let right = "send the same parent, filter and order with each page, or begin with an empty token";
        let description = format!("the token belongs to another query; {right}");
        return Err(Error::invalid("page_token", "PAGE_TOKEN_OTHER_QUERY", description));
    }
    Ok(Some(position))
}

/// The digest of the arguments and the positions in a token; `None` where it is not one that [`encode`] made.
fn open(token: &str) -> Option<([u8; DIGEST], Vec<Position>)> {
    if token.len() > TOKEN_AT_MOST {
        return None;
    }
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
    let (signed, check) = bytes.split_last_chunk::<DIGEST>()?;
    if *check != digest(b"token", [signed].into_iter()) {
        return None;
    }
    let (VERSION, rest) = signed.split_first().map(|(version, rest)| (*version, rest))? else {
        return None;
    };
    let (bound_to, mut rest) = rest.split_first_chunk::<DIGEST>()?;
    let mut position = Vec::new();
    while let Some((kind, after)) = rest.split_first() {
        let (number, after) = after.split_first_chunk::<8>()?;
        match kind {
            b'i' => {
                position.push(Position::Integer(i64::from_be_bytes(*number)));
                rest = after;
            }
            b't' => {
                let (text, after) = after.split_at_checked(usize::try_from(u64::from_be_bytes(*number)).ok()?)?;
                position.push(Position::Text(std::str::from_utf8(text).ok()?.to_owned()));
                rest = after;
            }
            _ => return None,
        }
        if position.len() > POSITIONS_AT_MOST {
            return None;
        }
    }
    Some((*bound_to, position))
}

/// The first bytes of SHA-256 over the parts. Each goes with its length, so that no two lists of parts are alike.
fn digest<'a>(what: &'a [u8], parts: impl Iterator<Item = &'a [u8]>) -> [u8; DIGEST] {
    let mut sha = Sha256::new();
    for part in std::iter::once(what).chain(parts) {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    let mut first = [0; DIGEST];
    first.copy_from_slice(&sha.finalize()[..DIGEST]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use mingce_e2e::fuzz::fuzz;
    use proptest::prelude::*;
    use sea_orm::DbBackend;
    use sea_orm::sea_query::Query;

    use crate::db::select::rendered;
    use crate::model::column::Type;
    use crate::query::predicate::{after_position, position_values, values_after};

    #[test]
    fn a_page_ends_with_its_rows_or_its_bytes_and_has_one_row_at_least() {
        assert_eq!(fitting([10; 100], 50), 50);
        assert_eq!(fitting([10; 100], 1000), 100);
        assert_eq!(fitting([BYTES / 4; 100], 50), 4);
        assert_eq!(fitting([BYTES + 1; 2], 50), 1);
    }

    fn reason(result: Result<Option<Vec<Position>>>) -> &'static str {
        let error = result.unwrap_err();
        assert_eq!(error.violations()[0].field, "page_token");
        error.reason()
    }

    fn positions() -> impl Strategy<Value = Vec<Position>> {
        let one = prop_oneof![".*".prop_map(Position::Text), any::<i64>().prop_map(Position::Integer)];
        prop::collection::vec(one, 0..=POSITIONS_AT_MOST)
    }

    #[test]
    fn a_page_has_50_rows_unless_asked_and_1000_at_most() {
        assert_eq!(
            [0, -1, i32::MIN, 1, 50, 1000, 1001, i32::MAX].map(size),
            [50, 50, 50, 1, 50, 1000, 1000, 1000]
        );
    }

    #[test]
    fn no_token_is_the_first_page() {
        assert_eq!(decode("", &["labs"]).unwrap(), None);
    }

    #[test]
    fn a_token_of_another_query_is_refused() {
        let token = encode(&["labs", "ab", "c"], &[Position::Integer(7)]);
        for other in [
            &["labs", "a", "bc"][..],
            &["labs", "abc"],
            &["labs", "ab", "c", ""],
            &["labs", "c", "ab"],
            &[],
        ] {
            assert_eq!(reason(decode(&token, other)), "PAGE_TOKEN_OTHER_QUERY");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let token = encode(&["labs"], &[Position::Integer(7)]);
        let padded = format!("{token}=");
        let long = "A".repeat(10_000_000);
        for wrong in [
            "x",
            "AAAA",
            "名册",
            "a b",
            " ",
            &padded,
            &token[1..],
            &token[..token.len() - 1],
            &long,
        ] {
            assert_eq!(reason(decode(wrong, &["labs"])), "PAGE_TOKEN_MALFORMED");
        }
        let many = encode(&["labs"], &vec![Position::Integer(7); POSITIONS_AT_MOST + 1]);
        assert_eq!(reason(decode(&many, &["labs"])), "PAGE_TOKEN_MALFORMED");
    }

    #[test]
    fn a_token_of_another_version_is_refused() {
        let mut bytes = BASE64URL_NOPAD.decode(encode(&["labs"], &[]).as_bytes()).unwrap();
        bytes.truncate(bytes.len() - DIGEST);
        bytes[0] = VERSION + 1;
        let check = digest(b"token", [bytes.as_slice()].into_iter());
        bytes.extend(check);
        assert_eq!(
            reason(decode(&BASE64URL_NOPAD.encode(&bytes), &["labs"])),
            "PAGE_TOKEN_MALFORMED"
        );
    }

    #[test]
    fn the_longest_sort_keys_fit_into_a_token() {
        let key = Position::Text("𠮷".repeat(500));
        let position = vec![key.clone(), key.clone(), key, Position::Text("0".repeat(26))];
        let token = encode(&["labs"], &position);
        assert!(token.len() <= TOKEN_AT_MOST, "{}", token.len());
        assert_eq!(decode(&token, &["labs"]).unwrap(), Some(position));
    }

    /// Where pages may end.
    fn ends() -> [Vec<Position>; 4] {
        let text = |text: &str| Position::Text(text.to_owned());
        let id = text("01jd2k3m4n5p6q7r8s9t0v1w2x");
        [
            Vec::new(),
            vec![id.clone()],
            vec![text("青岛"), Position::Integer(-7), id],
            vec![Position::Integer(i64::MAX); POSITIONS_AT_MOST],
        ]
    }

    #[test]
    fn a_token_with_any_bytes_changed_is_refused() {
        let tokens = ends().map(|end| encode(&["labs"], &end).into_bytes());
        fuzz(5_000, &tokens, &[b"=", b"AAAA", b"-", b"_", b"\n"], |_, bytes| {
            let token = String::from_utf8_lossy(bytes);
            let read = decode(&token, &["labs"]);
            if token.is_empty() {
                return read.unwrap().is_none();
            }
            if tokens.iter().any(|right| right == bytes) {
                return read.unwrap().is_some();
            }
            assert_eq!(reason(read), "PAGE_TOKEN_MALFORMED");
            false
        });
    }

    /// Whoever reads this can give a token of his own its check.
    #[test]
    fn what_somebody_put_together_is_read_as_what_it_says_or_refused() {
        let unsigned = ends().map(|end| {
            let mut bytes = BASE64URL_NOPAD.decode(encode(&["labs"], &end).as_bytes()).unwrap();
            bytes.truncate(bytes.len() - DIGEST);
            bytes
        });
        let words: &[&[u8]] = &[
            b"i",
            b"t",
            b"t\0\0\0\0\0\0\0\x01",
            b"t\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xc3",
        ];
        let told = fuzz(5_000, &unsigned, words, |_, bytes| {
            let check = digest(b"token", [bytes].into_iter());
            let token = BASE64URL_NOPAD.encode(&[bytes, &check].concat());
            let position = match decode(&token, &["labs"]) {
                Ok(position) => position.unwrap(),
                Err(error) => {
                    assert_eq!(error.violations()[0].field, "page_token");
                    let known = ["PAGE_TOKEN_MALFORMED", "PAGE_TOKEN_OTHER_QUERY"];
                    assert!(known.contains(&error.reason()), "{error:?}");
                    return false;
                }
            };
            assert!(position.len() <= POSITIONS_AT_MOST);
            assert_eq!(encode(&["labs"], &position), token);
            for down in [false, true] {
                let keys = [("city", Type::Text, down), ("year", Type::Integer, false)];
                match position_values(&keys, &position) {
                    Ok(at) => {
                        let condition = after_position(&keys, &at);
                        let (text, values) = rendered(DbBackend::Sqlite, Query::select().expr(condition));
                        assert_eq!(text.matches('?').count(), values.len());
                        assert_eq!(values, values_after(&keys, at));
                    }
                    Err(error) => assert_eq!(error.reason(), "PAGE_TOKEN_MALFORMED"),
                }
            }
            true
        });
        told.expect_both();
    }

    proptest! {
        #[test]
        fn a_token_reads_back(arguments in prop::collection::vec(".*", 0..5), position in positions()) {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            prop_assert_eq!(decode(&encode(&arguments, &position), &arguments).unwrap(), Some(position));
        }

        #[test]
        fn a_single_changed_character_is_noticed(position in positions(), place: prop::sample::Index, to in "[A-Za-z0-9_=-]|.") {
            let token = encode(&["labs"], &position);
            let mut characters: Vec<_> = token.chars().collect();
            let place = place.index(characters.len());
            let to = to.chars().next().unwrap();
            prop_assume!(characters[place] != to);
            characters[place] = to;
            let changed: String = characters.into_iter().collect();
            prop_assert_eq!(reason(decode(&changed, &["labs"])), "PAGE_TOKEN_MALFORMED");
        }

        #[test]
        fn any_text_is_read_or_refused(token in ".*|[A-Za-z0-9_-]{0,80}") {
            let _ = decode(&token, &["labs"]);
        }

        #[test]
        fn any_bytes_with_a_right_check_are_read_or_refused(mut bytes: Vec<u8>, right_head: bool, tagged: bool) {
            if right_head {
                let token = BASE64URL_NOPAD.decode(encode(&["labs"], &[]).as_bytes()).unwrap();
                let head = token[..=DIGEST].iter().copied();
                let tag = if tagged { &b"t\0\0\0\0\0\0\0"[..] } else { b"" };
                bytes = head.chain(tag.iter().copied()).chain(bytes).collect();
            }
            let check = digest(b"token", [bytes.as_slice()].into_iter());
            bytes.extend(check);
            if let Ok(position) = decode(&BASE64URL_NOPAD.encode(&bytes), &["labs"]) {
                prop_assert_eq!(encode(&["labs"], &position.unwrap()), BASE64URL_NOPAD.encode(&bytes));
            }
        }
    }
}
