//! Tests of the identifiers: published examples, and properties of the checks.

use std::path::Path;

use proptest::prelude::*;

use sha2::{Digest, Sha256};

use super::*;

pub(super) fn reason<T: std::fmt::Debug>(result: Result<T, Fault>) -> &'static str {
    result.expect_err("should be refused").reason
}

#[test]
fn published_codes_are_accepted() {
    for uscc in ["91350100M000100Y43", "91370200264574251E", "12100000400000624D"] {
        assert_eq!(canonical("uscc", uscc).as_deref(), Ok(uscc));
        assert_eq!(
            canonical("uscc", &format!("  {} ", uscc.to_lowercase())).as_deref(),
            Ok(uscc)
        );
    }
    for orcid in ["0000-0002-1825-0097", "0000-0002-1694-233X"] {
        for given in [
            orcid.to_owned(),
            orcid.replace('-', ""),
            orcid.to_lowercase(),
            orcid.replace('-', "–"),
            format!("https://orcid.org/{orcid}"),
            format!("HTTP://ORCID.ORG/{orcid}/"),
        ] {
            assert_eq!(canonical("orcid", &given).as_deref(), Ok(orcid), "{given}");
        }
    }
    for given in [
        "00wk2mp56",
        "https://ror.org/00wk2mp56",
        "ror.org/00WK2MP56",
        "００ｗｋ２ｍｐ５６",
    ] {
        assert_eq!(canonical("ror", given).as_deref(), Ok("00wk2mp56"));
    }
}

#[test]
fn a_wrong_check_is_told_with_the_right_one() {
    let fault = canonical("uscc", "91350100M000100Y42").expect_err("wrong check");
    assert_eq!(fault.reason, "USCC_CHECK_WRONG");
    assert!(fault.description.contains("must be 3"), "{fault}");
    let fault = canonical("orcid", "0000-0002-1825-0098").expect_err("wrong check");
    assert_eq!(
        (fault.reason, fault.description.contains("must be 7")),
        ("ORCID_CHECK_WRONG", true)
    );
    let fault = canonical("ror", "00wk2mp57").expect_err("wrong check");
    assert_eq!(
        (fault.reason, fault.description.contains("must be 56")),
        ("ROR_CHECK_WRONG", true)
    );
}

#[test]
fn the_organization_code_inside_a_uscc_has_a_check_of_its_own() {
    // The right check for the whole, but the organization code M000100Y ends in 4, not 5.
    let first = "91350100M000100Y5";
    let fault = canonical("uscc", &format!("{first}{}", uscc::check(first))).expect_err("wrong inner check");
    assert_eq!(
        (fault.reason, fault.description.contains("must be 4")),
        ("USCC_ORGANIZATION_CHECK_WRONG", true)
    );
}

#[test]
fn a_remainder_of_zero_gives_the_check_zero() {
    // The weights as the standard prints them.
    let weights = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let remainder = |first: &str| {
        let values = first.chars().map(|c| uscc::ALPHABET.find(c).expect("in the alphabet"));
        values.zip(weights).map(|(value, weight)| value * weight).sum::<usize>() % 31
    };
    let zero = (0..1000)
        .map(|n| format!("{n:08}"))
        .map(|code| format!("91370200{code}{}", uscc::organization_check(&code)))
        .find(|first| remainder(first) == 0)
        .expect("one in 31");
    assert!(canonical("uscc", &format!("{zero}0")).is_ok());
    assert_eq!(reason(canonical("uscc", &format!("{zero}Y"))), "USCC_CHECK_WRONG");
    assert_eq!(reason(canonical("uscc", &format!("{zero}Z"))), "USCC_MALFORMED");
    // 3·1 + 7·1 + 2·6 = 22, a multiple of 11.
    assert_eq!(uscc::organization_check("11000006"), '0');
}

#[test]
fn malformed_codes_are_refused_as_such() {
    let cases = [
        "",
        "91350100M000100Y4",
        "91350100M000100Y4Z",
        "91350100M000100Y433",
        "91350A00M000100Y43",
        "张三",
    ];
    for given in cases {
        assert_eq!(reason(canonical("uscc", given)), "USCC_MALFORMED", "{given}");
    }
    for given in [
        "",
        "00wk2mp5",
        "10wk2mp56",
        "00wk2mpa6",
        "00ik2mp56",
        "https://ror.org/",
        "00wk2mp5é",
        "ror.org/张三",
    ] {
        assert_eq!(reason(canonical("ror", given)), "ROR_MALFORMED", "{given}");
    }
    for given in [
        "",
        "0000-0002-1825-009",
        "0000-0002-18250097",
        "0000-00021-825-0097",
        "X000-0002-1825-0097",
        "0000000218250097é",
    ] {
        assert_eq!(reason(canonical("orcid", given)), "ORCID_MALFORMED", "{given}");
    }
}

#[test]
fn any_other_scheme_is_trimmed_and_normalised() {
    assert_eq!(
        canonical("moe-school-code", " \u{3000}１０４２３ ").as_deref(),
        Ok("10423")
    );
    assert_eq!(
        canonical("cnki", &"字".repeat(100)).map(|id| id.chars().count()),
        Ok(100)
    );
    assert_eq!(reason(canonical("cnki", &"字".repeat(101))), "IDENTIFIER_TOO_LONG");
    assert_eq!(reason(canonical("cnki", " \u{3000}\t")), "IDENTIFIER_EMPTY");
    // Fillers, which the one form of characters leaves out.
    for given in ["\u{2800}", "\u{3164}", "\u{fe0f}", "\u{2800}'\u{2800}"] {
        assert_eq!(reason(canonical("cnki", given)), "IDENTIFIER_EMPTY", "{given:?}");
    }
    assert_eq!(canonical("cnki", "\u{2800}'10423").as_deref(), Ok("10423"));
    // One long dash becomes two signs.
    assert_eq!(reason(canonical("cnki", &"a⸺".repeat(50))), "IDENTIFIER_TOO_LONG");
    for given in ["a\u{0}b", "a\nb", "a\u{200b}b", "\u{202e}ab", "\u{feff}ab"] {
        assert_eq!(
            reason(canonical("cnki", given)),
            "IDENTIFIER_UNSEEN_CHARACTER",
            "{given:?}"
        );
    }
}

#[test]
fn a_resident_id_is_taken_apart() {
    let id = resident_id(" 11010519491231002x ").expect("valid");
    assert_eq!(id.number, "11010519491231002X");
    assert_eq!(
        (id.birth_date.as_str(), id.division_code.as_str()),
        ("1949-12-31", "110105")
    );
    assert_eq!(format!("{id:?}"), "ResidentId(********)");
    assert!(resident_id("440524188001010014").is_ok());
    assert!(resident_id("４４０５２４１８８００１０１００１４").is_ok());
}

#[test]
fn a_wrong_resident_id_is_refused_without_being_repeated() {
    for (given, expected) in [
        ("110105194912310021", "RESIDENT_ID_CHECK_WRONG"),
        ("11010519490231002X", "RESIDENT_ID_BIRTH_DATE_WRONG"),
        ("110105179912310020", "RESIDENT_ID_BIRTH_DATE_WRONG"),
        ("110105491231002", "RESIDENT_ID_MALFORMED"),
        ("010105194912310021", "RESIDENT_ID_MALFORMED"),
        ("11010519491231002Y", "RESIDENT_ID_MALFORMED"),
        ("1101051949123100é2", "RESIDENT_ID_MALFORMED"),
    ] {
        let fault = resident_id(given).expect_err(given);
        assert_eq!(fault.reason, expected, "{given}");
        for part in [given, &given[..6], &given[6..12]] {
            assert!(!fault.description.contains(part), "{fault}");
        }
    }
    for scheme in ["uscc", "ror", "orcid"] {
        let fault = canonical(scheme, "110105194912310021").expect_err("another scheme");
        assert!(!fault.description.contains("110105"), "{fault}");
    }
}

#[test]
fn a_resident_id_is_seen_however_it_is_written() {
    for text in [
        "11010519491231002X",
        "11010519491231002x",
        "110105194912310021",
        "110105 19491231 002X",
        "110105-19491231-002X",
        "110105.1949.12.31.002X",
        "110105/19491231/002X",
        "身份证：11010519491231002X",
        "ID 11010519491231002X （本人）",
        "１１０１０５１９４９１２３１００２Ｘ",
        "\u{661}\u{661}\u{660}\u{661}\u{660}\u{665}\u{661}\u{669}\u{664}\u{669}\u{661}\u{662}\u{663}\u{661}\u{660}\u{660}\u{662}\u{661}",
        "110105\u{200b}19491231\u{2060}002X",
        "110105491231002",
        "（110105491231002）",
        "身份证 110105491231002，男",
        "1 11010519491231002X",
        "12. 110105194912310021",
        "110105194912310021-1",
        "990105194912310023",
        "110105\u{fe0f}491231002",
        "110105\u{3164}491231002",
    ] {
        assert!(holds_resident_id(text), "{text}");
        let fault = canonical("staff-card", text).map_err(|fault| fault.reason);
        assert!(matches!(fault, Err("IDENTITY_DOCUMENT_IN_CLEAR")), "{text}: {fault:?}");
    }
    for text in [
        "",
        "2024-1-01",
        "0000-0002-1825-0097",
        "91350100M000100Y43",
        "ZL202410123456.7",
        "110105194913310021",
        "990105194912310021",
        "1101051949123100211111",
        "110105-491231-002",
        "青科字〔2024〕15号",
    ] {
        assert!(!holds_resident_id(text), "{text}");
    }
    assert!(document("11010519491231002X").is_ok());
}

#[test]
fn few_other_numbers_read_as_resident_ids() {
    let taken = |digits: usize| {
        let number = |place: u32| {
            let bytes: [u8; 8] = Sha256::digest(place.to_le_bytes())[..8].try_into().unwrap();
            u64::from_le_bytes(bytes) % 10u64.pow(u32::try_from(digits).unwrap())
        };
        let numbers = (0..100_000).map(|place| format!("{:0digits$}", number(place)));
        numbers.filter(|number| holds_resident_id(number)).count()
    };
    let (of_18, of_15) = (taken(18), taken(15));
    assert!(of_18 < 40, "{of_18} of 100,000");
    assert!(of_15 < 1_600, "{of_15} of 100,000");
}

#[test]
fn a_masked_document_shows_that_there_is_one_and_no_more() {
    for given in ["11010519491231002X", "E12345678", "HZ1", " A ", "护照一二三四"] {
        assert_eq!(mask_document(given), "********");
    }
    assert_eq!(mask_document(" "), "");
}

#[test]
fn codes_have_their_digits() {
    for code in ["370202", "110000", "820000", "500101"] {
        assert_eq!(division_code(code), Ok(()));
    }
    for code in ["", "37020", "3702022", "37020a", "３７０２０２", " 370202"] {
        assert_eq!(reason(division_code(code)), "DIVISION_CODE_MALFORMED", "{code}");
    }
    for code in ["100000", "160000", "000000", "830000", "990000"] {
        assert_eq!(reason(division_code(code)), "DIVISION_CODE_PROVINCE_UNKNOWN", "{code}");
    }
    for code in ["140", "14035", "1403510"] {
        assert_eq!(discipline_code(code), Ok(()));
    }
    for code in ["", "14", "1403", "140351", "14035100", "14O", "040"] {
        assert_eq!(reason(discipline_code(code)), "DISCIPLINE_CODE_MALFORMED", "{code}");
    }
}

#[test]
fn days_must_exist() {
    for day in ["2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"] {
        assert_eq!(date(day), Ok(()), "{day}");
        assert_eq!(partial_date(day), Ok(()), "{day}");
    }
    for day in [
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-00-10",
        "2024-04-31",
        "2024-04-00",
        "0000-01-01",
    ] {
        assert_eq!(reason(date(day)), "DATE_DOES_NOT_EXIST", "{day}");
        assert_eq!(reason(partial_date(day)), "DATE_DOES_NOT_EXIST", "{day}");
    }
    for day in [
        "",
        "2024-6-30",
        "20240630",
        "2024/06/30",
        "2024-06-30T00:00",
        "2024-06-30-",
        "+024-06-30",
        "２０２４-06-30",
    ] {
        assert_eq!(reason(date(day)), "DATE_MALFORMED", "{day}");
        assert_eq!(reason(partial_date(day)), "DATE_MALFORMED", "{day}");
    }
    for part in ["2024", "2024-06"] {
        assert_eq!(reason(date(part)), "DATE_MALFORMED", "{part}");
        assert_eq!(partial_date(part), Ok(()), "{part}");
    }
    assert_eq!(reason(partial_date("2024-13")), "DATE_DOES_NOT_EXIST");
    assert_eq!(reason(partial_date("0000")), "DATE_DOES_NOT_EXIST");
}

#[test]
fn every_ror_id_of_the_registry_is_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let mut seen = 0;
    for file in ["key-labs.csv", "host-organizations.csv"] {
        let Ok(text) = std::fs::read_to_string(folder.join(file)) else {
            println!("skipped: {file} of the Research Organization Registry is not here");
            continue;
        };
        for id in text
            .split([',', '|', '"', '\n'])
            .filter(|part| part.starts_with("https://ror.org/"))
        {
            assert_eq!(canonical("ror", id).as_deref(), Ok(&id[16..]));
            seen += 1;
        }
        assert!(seen > 200, "{file} holds ids");
    }
}

fn uscc() -> impl Strategy<Value = String> {
    ("[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}", "[0-9A-HJ-NPQRTUWXY]{8}").prop_map(|(head, code)| {
        let first = format!("{head}{code}{}", uscc::organization_check(&code));
        format!("{first}{}", uscc::check(&first))
    })
}

fn ror() -> impl Strategy<Value = String> {
    "[0-9a-hjkmnp-tv-z]{6}".prop_map(|middle| format!("0{middle}{}", ror::check(&middle)))
}

fn orcid() -> impl Strategy<Value = String> {
    "[0-9]{15}".prop_map(|first| format!("{first}{}", orcid::check(&first)))
}

pub(super) fn resident() -> impl Strategy<Value = String> {
    ("[1-9][0-9]{5}", 1800..=2099, 1..=12, 1..=28, "[0-9]{3}").prop_map(|(division, year, month, day, order)| {
        let first = format!("{division}{year}{month:02}{day:02}{order}");
        format!("{first}{}", resident::check(&first))
    })
}

/// `value` with the character at `place` (counted round) replaced by another of `alphabet`.
fn altered(value: &str, place: usize, step: usize, alphabet: &str) -> String {
    let place = place % value.len();
    let alphabet: Vec<char> = alphabet.chars().collect();
    let old = alphabet
        .iter()
        .position(|c| value.chars().nth(place) == Some(*c))
        .expect("in the alphabet");
    let new = alphabet[(old + 1 + step % (alphabet.len() - 1)) % alphabet.len()];
    value
        .chars()
        .enumerate()
        .map(|(at, c)| if at == place { new } else { c })
        .collect()
}

proptest! {
    #[test]
    fn computed_checks_are_accepted_and_canonical_forms_stay(uscc in uscc(), ror in ror(), orcid in orcid()) {
        for (scheme, value) in [("uscc", uscc), ("ror", ror), ("orcid", orcid)] {
            let once = canonical(scheme, &value).expect("valid");
            prop_assert_eq!(once.replace('-', ""), value);
            prop_assert_eq!(canonical(scheme, &once), Ok(once.clone()));
            prop_assert_eq!(canonical(scheme, &once.to_lowercase()), Ok(once.clone()));
        }
    }

    #[test]
    fn one_changed_character_is_caught(uscc in uscc(), ror in ror(), orcid in orcid(), id in resident(), place: usize, step: usize) {
        prop_assert!(canonical("uscc", &altered(&uscc, place, step, uscc::ALPHABET)).is_err());
        prop_assert!(canonical("ror", &altered(&ror, place, step, ror::ALPHABET)).is_err());
        prop_assert!(canonical("orcid", &altered(&orcid, place, step, "0123456789X")).is_err());
        prop_assert!(resident_id(&altered(&id, place, step, "0123456789X")).is_err());
    }

    #[test]
    fn exchanged_neighbours_in_an_orcid_or_a_resident_id_are_caught(orcid in orcid(), id in resident(), place in 0..16usize) {
        let exchange = |value: &str, place: usize| {
            let mut bytes = value.as_bytes().to_vec();
            bytes.swap(place, place + 1);
            String::from_utf8(bytes).expect("ascii")
        };
        let (other, other_id) = (exchange(&orcid, place % 15), exchange(&id, place));
        prop_assert_eq!(canonical("orcid", &other).is_ok(), other == orcid);
        prop_assert_eq!(resident_id(&other_id).is_ok(), other_id == id);
    }

    #[test]
    fn a_resident_id_gives_back_its_parts(id in resident()) {
        let parsed = resident_id(&id).expect("valid");
        prop_assert_eq!(parsed.birth_date.replace('-', ""), &id[6..14]);
        prop_assert_eq!(parsed.division_code, &id[..6]);
    }

    #[test]
    fn whatever_is_given_nothing_panics_and_canonical_is_stable(scheme in "uscc|ror|orcid|other", value in "\\PC{0,30}|.{0,30}") {
        if let Ok(once) = canonical(&scheme, &value) {
            prop_assert_eq!(canonical(&scheme, &once), Ok(once.clone()));
        }
        let _ = (resident_id(&value), division_code(&value), discipline_code(&value), date(&value), partial_date(&value));
    }

    #[test]
    fn every_day_that_is_accepted_is_one_of_the_calendar(year in 1..=9999i16, month in 0..=13i8, day in 0..=32i8) {
        let given = format!("{year:04}-{month:02}-{day:02}");
        prop_assert_eq!(date(&given).is_ok(), jiff::civil::Date::new(year, month, day).is_ok());
    }
}
