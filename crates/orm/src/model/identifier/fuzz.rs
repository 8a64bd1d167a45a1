//! Identifiers, documents, codes and days with some bytes changed: each is brought to its one form, or refused without being repeated.

use mingce_e2e::fuzz::fuzz;
use mingce_proto::reasons;

use super::*;

const WORDS: &[&[u8]] = &[
    b"X",
    b"x",
    b"-",
    b" ",
    b"0",
    b"'",
    b"E+17",
    b".",
    b"https://",
    b"ID ",
    b"\xe2\x80\x8b",
    b"\xef\xbc\x91",
    b"\xd9\xa1",
    b"\xcc\x81",
    b"\xe2\xa0\x80",
    b"\xe3\x85\xa4",
    b"\xef\xb8\x8f",
    b"\xe2\xb8\xba",
    b"\xe8\xba\xab\xe4\xbb\xbd\xe8\xaf\x81\xe5\x8f\xb7",
];

/// Each with its scheme; the last is one without a check.
const IDENTIFIERS: [(&str, &str); 9] = [
    ("uscc", "91350100M000100Y43"),
    ("uscc", "统一社会信用代码：９１３７０２００２６４５７４２５１Ｅ"),
    ("ror", "https://ror.org/00wk2mp56"),
    ("orcid", "https://orcid.org/0000-0002-1825-0097"),
    ("orcid", "ORCID: 0000–0002–1694–233X"),
    ("isni", "ISNI 0000 0002 1825 0097"),
    ("isni", "https://isni.org/isni/0000000218250097"),
    ("staff-card", "ＧＨ－２０２４／００１２"),
    ("staff-card", "ZL202410123456.7"),
];

const DOCUMENTS: [&str; 7] = [
    "11010519491231002X",
    "身份证号：110105 19491231 002x",
    "１１０１０５１９４９１２３１００２Ｘ",
    "110105491231002",
    "E12345678",
    "H1234567801",
    "ID No. 11010519491231002X（本人）",
];

const DAYS: [&str; 4] = ["2024-02-29", "2024-06", "370202", "14035"];

fn bytes<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    Vec::from(texts.map(|text| text.as_bytes().to_vec()))
}

/// The table has the reason, and no six digits of what was given, which may be of a card, are in what is said.
fn told_well(text: &str, fault: &Fault) {
    assert!(reasons::of(fault.reason).is_some(), "{fault:?}");
    assert!((1..1_000).contains(&fault.description.len()), "{fault:?}");
    let number = |part: &[u8]| {
        let digits = part
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| std::str::from_utf8(part).unwrap());
        digits.is_some_and(|digits| fault.description.contains(digits))
    };
    assert!(!text.as_bytes().windows(6).any(number), "{fault:?}");
}

#[test]
fn an_identifier_with_any_bytes_changed_has_one_form_in_each_scheme_or_is_refused_without_being_repeated() {
    let seeds = bytes(IDENTIFIERS.map(|(_, seed)| seed));
    let told = fuzz(4_000, &seeds, WORDS, |place, bytes| {
        let text = String::from_utf8_lossy(bytes);
        for scheme in CHECKED.into_iter().chain(["staff-card"]) {
            match canonical(scheme, &text) {
                Ok(once) => {
                    assert!((1..=MAX_CHARS).contains(&once.chars().count()), "{once:?}");
                    assert_eq!(canonical(scheme, &once), Ok(once.clone()), "{scheme}: {text:?}");
                }
                Err(fault) => told_well(&text, &fault),
            }
        }
        canonical(IDENTIFIERS[place].0, &text).is_ok()
    });
    told.expect_both();
}

#[test]
fn a_document_with_any_bytes_changed_has_one_form_or_is_refused_without_being_repeated() {
    let told = fuzz(4_000, &bytes(DOCUMENTS), WORDS, |_, bytes| {
        let text = String::from_utf8_lossy(bytes);
        match resident_id(&text) {
            Ok(card) => {
                assert_eq!(card.number.len(), 18);
                assert_eq!(card.birth_date.replace('-', ""), &card.number[6..14]);
                assert_eq!(document(&text), Ok(Some(card.number)), "{text:?}");
            }
            Err(fault) => told_well(&text, &fault),
        }
        match document(&text) {
            Ok(None) => true,
            Ok(Some(once)) => {
                assert!((6..=18).contains(&once.len()), "{once}");
                assert!(
                    once.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()),
                    "{once}"
                );
                assert_eq!(document(&once), Ok(Some(once.clone())), "{text:?}");
                true
            }
            Err(fault) => {
                told_well(&text, &fault);
                false
            }
        }
    });
    told.expect_both();
}

#[test]
fn a_code_or_a_day_with_any_bytes_changed_is_refused_or_as_long_as_such_are() {
    let told = fuzz(
        4_000,
        &bytes(DAYS),
        &[b"-", b"0", b"00", b"\xef\xbc\x91"],
        |_, bytes| {
            let text = String::from_utf8_lossy(bytes);
            let results = [
                (division_code(&text), 6..=6),
                (discipline_code(&text), 3..=7),
                (date(&text), 10..=10),
                (partial_date(&text), 4..=10),
            ];
            let mut taken = false;
            for (result, lengths) in results {
                match result {
                    Ok(()) => {
                        taken = true;
                        assert!(text.is_ascii() && lengths.contains(&text.len()), "{text:?}");
                    }
                    Err(fault) => assert!(reasons::of(fault.reason).is_some(), "{fault:?}"),
                }
            }
            taken
        },
    );
    told.expect_both();
}
