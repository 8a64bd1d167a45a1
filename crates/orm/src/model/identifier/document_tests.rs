//! Tests of identity documents: what they are, however they are written, and what is none.

use proptest::prelude::*;

use super::tests::{reason, resident};
use super::*;

fn found(value: &str) -> String {
    document(value).expect("a document").expect("not empty")
}

#[test]
fn a_resident_number_is_the_same_however_it_is_written() {
    for given in [
        "11010519491231002X",
        "11010519491231002x",
        "'11010519491231002X",
        "\u{2018}11010519491231002X\u{2019}",
        "=\"11010519491231002X\"",
        "110105 19491231 002X",
        "110105\u{3000}19491231\u{a0}002X\t",
        "110105-19491231-002X",
        "110105—19491231–002X",
        "１１０１０５１９４９１２３１００２Ｘ",
        "\u{feff}11010519491231002X\u{200b}",
        "身份证号：11010519491231002X",
        "居民身份证号码: 11010519491231002X",
        "身份证11010519491231002X",
        "公民身份号码（11010519491231002X）",
        "11010519491231002X（身份证）",
        "ID: 11010519491231002X",
        "ID No. 11010519491231002X",
        "ID11010519491231002X",
        "id card number 11010519491231002X;",
        "11010519491231002×",
        "11010519491231002Х",
        "*11010519491231002X*",
    ] {
        assert_eq!(found(given), "11010519491231002X", "{given:?}");
    }
}

#[test]
fn fifteen_digits_become_eighteen() {
    for given in [
        "110105491231002",
        "110105 491231 002",
        "身份证：110105491231002",
        "ID110105491231002",
    ] {
        assert_eq!(found(given), "11010519491231002X", "{given:?}");
    }
    // The last numbers of a day are of those born before 1900.
    assert_eq!(&found("110105491231998")[..14], "11010518491231");
    for given in [
        "110105491331002",
        "010105491231002",
        "11010549123100",
        "1101054912310021",
    ] {
        assert_eq!(reason(document(given)), "IDENTITY_DOCUMENT_UNCLEAR", "{given}");
    }
}

#[test]
fn passports_and_permits_of_known_forms_are_taken() {
    for (given, canonical) in [
        ("E12345678", "E12345678"),
        ("护照 EA1234567", "EA1234567"),
        ("Passport No.: G 1234 5678", "G12345678"),
        ("港澳居民来往内地通行证：H12345678", "H12345678"),
        ("H1234567801", "H12345678"),
        ("m12345678", "M12345678"),
        ("台胞证 01234567", "01234567"),
        ("0123456701(B)", "01234567"),
        ("CAN110078061208", "CAN110078061208"),
        ("外国人永久居留身份证 CAN110078061208", "CAN110078061208"),
        ("C01X00T47", "C01X00T47"),
        ("TK-1234567", "TK1234567"),
        ("123456789", "123456789"),
        ("A123456(7)", "A1234567"),
    ] {
        assert_eq!(found(given), canonical, "{given}");
    }
    // The card of a foreigner in its new form, and of residents of Hong Kong, are resident numbers.
    for first in ["91100019800101001", "81000019850101001"] {
        let number = format!("{first}{}", resident::check(first));
        assert_eq!(found(&number), number);
    }
}

#[test]
fn words_that_say_that_there_is_none_are_nothing() {
    for given in [
        "",
        "  ",
        "无",
        "無",
        " 无 ",
        "/",
        "//",
        "\\",
        "-",
        "--",
        "—",
        "——",
        "－",
        "N/A",
        "n.a.",
        "NA",
        "#N/A",
        "null",
        "NULL",
        "None",
        "nil",
        "nan",
        "暂无",
        "不详",
        "未知",
        "没有",
        "空",
        "（无）",
        "(空)",
        "无。",
        "?",
        "？",
        "…",
        "*",
        "*****",
        "身份证号：无",
        "证件号码：",
        "\\N",
        "一",
        "\u{feff}",
        "'",
        "\u{3000}",
    ] {
        assert_eq!(document(given), Ok(None), "{given:?}");
        assert!(says_none(given), "{given:?}");
    }
    for given in ["1", "E12345678", "无锡", "00", "NAURU1"] {
        assert!(!says_none(given), "{given}");
    }
}

#[test]
fn what_is_none_of_them_is_refused_without_being_repeated() {
    for given in [
        "12345",
        "1101051949123100",
        "11010519491231002",
        "110105194912310021X",
        "张三",
        "军字第1234567号",
        "见附件",
        "19830303",
        "1983-03-03",
        "13812345678",
        "2019001234",
        "00000000",
        "000000000",
        "ABCDEFGH",
        "379901197909011000.0",
        "110105194912310021,110105194912310038",
        "11010519491231002X E12345678",
        "配偶 11010519491231002X",
        "010105194912310021",
        "110105A94912310021",
    ] {
        let fault = document(given).expect_err(given);
        assert_eq!(fault.reason, "IDENTITY_DOCUMENT_UNCLEAR", "{given}");
        assert!(
            !fault.description.contains(&given.chars().skip(1).collect::<String>()),
            "{fault}"
        );
    }
    for given in [
        "3.79901E+17",
        "3.79901e+17",
        "３.79901Ｅ＋17",
        "'3.79901E+17",
        "3,79901E+17",
        "3.8E17",
        "4E+17",
        "身份证号：3.79901E+17",
    ] {
        let fault = document(given).expect_err(given);
        assert_eq!(fault.reason, "IDENTITY_DOCUMENT_UNCLEAR", "{given}");
        assert!(fault.description.contains("文本"), "{given}: {fault}");
        let fault = canonical("uscc", given).expect_err(given);
        assert_eq!(fault.reason, "NUMBER_ROUNDED", "{given}");
    }
    // What has 18 characters and fails its check is told so; a rounded one is told of the spreadsheet.
    let fault = document("110105194912310021").expect_err("wrong check");
    assert_eq!(
        (fault.reason, fault.description.contains("Excel")),
        ("RESIDENT_ID_CHECK_WRONG", false)
    );
    let fault = document("110105194912312000").expect_err("rounded");
    assert_eq!(
        (fault.reason, fault.description.contains("Excel")),
        ("RESIDENT_ID_CHECK_WRONG", true)
    );
}

#[test]
fn other_identifiers_lose_their_labels_too() {
    for (scheme, given, canonical_form) in [
        ("uscc", "统一社会信用代码：91350100M000100Y43", "91350100M000100Y43"),
        ("uscc", "'91350100M000100Y43", "91350100M000100Y43"),
        ("uscc", "９１３５０１００ M000100Y 43", "91350100M000100Y43"),
        ("uscc", "91350100-M000100Y-43", "91350100M000100Y43"),
        ("uscc", "USCC: 91350100m000100y43", "91350100M000100Y43"),
        ("orcid", "ORCID iD: 0000-0002-1825-0097", "0000-0002-1825-0097"),
        (
            "orcid",
            "ORCID：https://orcid.org/0000-0002-1825-0097",
            "0000-0002-1825-0097",
        ),
        ("orcid", "0000 0002 1825 0097", "0000-0002-1825-0097"),
        ("ror", "ROR: https://ror.org/00wk2mp56", "00wk2mp56"),
        ("isni", "ISNI 0000 0002 1825 0097", "0000 0002 1825 0097"),
        ("isni", "https://isni.org/isni/0000000218250097", "0000 0002 1825 0097"),
        ("staff", "'1001", "1001"),
    ] {
        assert_eq!(canonical(scheme, given).as_deref(), Ok(canonical_form), "{given}");
    }
    assert_eq!(reason(canonical("isni", "0000 0002 1825 0098")), "ISNI_CHECK_WRONG");
    assert_eq!(reason(canonical("isni", "0000 0002 1825")), "ISNI_MALFORMED");
}

/// Something round or within a number that is no part of it.
fn noise() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(""),
        Just(" "),
        Just("\u{3000}"),
        Just("\u{a0}"),
        Just("\u{2009}"),
        Just("\t"),
        Just("\u{200b}"),
        Just("\u{feff}"),
        Just("\u{ad}"),
        Just("-"),
        Just("—"),
        Just("'"),
        Just("\u{2019}"),
        Just("＇"),
    ]
    .prop_map(str::to_owned)
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(""),
        Just("身份证号："),
        Just("身份证号码:"),
        Just("居民身份证 "),
        Just("证件号码（"),
        Just("ID: "),
        Just("ID No."),
        Just("id card: "),
        Just("SFZ:"),
    ]
    .prop_map(str::to_owned)
}

fn widened(value: &str) -> String {
    let wide = |c: char| char::from_u32(u32::from(c) - 0x21 + 0xff01).unwrap_or(c);
    value
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { wide(c) } else { c })
        .collect()
}

#[test]
fn a_sign_for_a_digit_that_nobody_could_read_is_counted() {
    for written in [
        "11010519491231002?",
        "1101051949123100？X",
        "?1010519491231002X",
        "身份证：11010519491231002*",
    ] {
        let fault = document(written).unwrap_err();
        assert_eq!(fault.reason, "IDENTITY_DOCUMENT_UNCLEAR", "{written}");
        assert!(fault.description.starts_with("has 18 characters"), "{written}: {fault}");
    }
    let fault = super::canonical("uscc", "91370200163562681?").unwrap_err();
    assert!(
        fault
            .description
            .starts_with("has 18 characters, of which 17 can be read"),
        "{fault}"
    );
}

proptest! {
    #[test]
    fn noise_round_and_within_a_resident_number_changes_nothing(
        id in resident(), label in label(), ends in (noise(), noise()), within in noise(), at in 1..17usize, wide: bool, small: bool,
    ) {
        let mut written = format!("{}{within}{}", &id[..at], &id[at..]);
        if small {
            written = written.to_lowercase();
        }
        if wide {
            written = widened(&written);
        }
        let written = format!("{}{label}{written}{}", ends.0, ends.1);
        prop_assert_eq!(document(&written), Ok(Some(id)), "{:?}", written);
    }

    #[test]
    fn a_document_in_its_one_form_stays(value in "\\PC{0,24}|[0-9A-Z ':：/-]{0,24}|(ID|身份证号)?[：: ]?[0-9]{8,18}X?") {
        if let Ok(Some(once)) = document(&value) {
            prop_assert_eq!(document(&once), Ok(Some(once.clone())));
            prop_assert!(once.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
        }
    }
}
