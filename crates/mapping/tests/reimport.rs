//! Refused rows as a workbook, and what people type into an export: both are read again.

#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use mingce_mapping::{Collection, Format, Item, Mapping, Refusal, RefusedWriter, Row, Source, Writer};
use mingce_proto::labs::{Lab, LabKind, OperatingState};
use prost::Message;
use prost_reflect::DynamicMessage;

fn source(mapping: &Mapping, text: &str) -> Source {
    Source::from_bytes("labs.csv", text.as_bytes().to_vec(), &mapping.options()).unwrap()
}

fn read(mapping: &Mapping, source: &Source) -> (Vec<Row>, Vec<Refusal>) {
    let (mut rows, mut refusals) = (Vec::new(), Vec::new());
    let mut keep = |item| {
        match item {
            Item::Row(row) => rows.push(row),
            Item::Refused(all) => refusals.extend(all),
        }
        Ok(true)
    };
    mapping.parts()[0].read(mapping, source, &mut keep).unwrap();
    (rows, refusals)
}

fn lab(row: &Row) -> Lab {
    Lab::decode(row.message.encode_to_vec().as_slice()).unwrap()
}

/// The refused rows as a workbook.
fn workbook(mapping: &Mapping, source: &Source, refusals: &[Refusal]) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    RefusedWriter::new(mapping, source, refusals)
        .write_xlsx(&mut out)
        .unwrap();
    out.into_inner()
}

#[test]
fn refused_rows_in_a_workbook_are_texts_with_reasons_in_chinese_and_come_again_as_they_were() {
    let mapping = Mapping::parse(
        "persons.toml",
        "header = 2\nsheet = \"名单\"\n[[part]]\ncollection = \"talents\"\n[part.fields]\ndisplay_name = \"{姓名}\"\nidentity_document = \"{身份证号}\"\nbirth_date = { from = \"{出生}\", date = \"day\" }\n",
    )
    .unwrap();
    let text = "名单,,\n姓名,身份证号,出生\n张示一,370102198001019876,昨天\n李示二,370102198001019892,2000-01-01\n";
    let first = source(&mapping, text);
    let (rows, refusals) = read(&mapping, &first);
    assert_eq!((rows.len(), refusals.len()), (1, 1));
    let bytes = workbook(&mapping, &first, &refusals);
    let book = Source::from_bytes("refused.xlsx", bytes, &mapping.options()).unwrap();
    assert_eq!(
        book.header(),
        [
            "refused_row",
            "refused_column",
            "refused_value",
            "refused_reason",
            "refused_reason_zh",
            "refused_description",
            "姓名",
            "身份证号",
            "出生"
        ]
    );
    let mut found = Vec::new();
    book.each(&mut |row| {
        found.push(row.cells.clone());
        Ok(true)
    })
    .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0][3..5],
        ["DATE_INVALID", "日期无法识别，请写成 2024-06-30 的形式"]
    );
    assert_eq!(
        found[0][6..],
        ["张示一", "370102198001019876", "昨天"],
        "18 digits stay 18 digits"
    );
    assert_eq!(found[0][2], "", "what is personal is not told");
    // The same mapping finds its sheet and its headers again.
    let (rows, again) = read(&mapping, &book);
    assert!(rows.is_empty());
    assert_eq!(again[0].reason, "DATE_INVALID");
}

#[test]
fn digits_that_a_spreadsheet_has_taken_away_do_not_become_a_number_by_the_way() {
    let mapping = Mapping::parse(
        "persons.toml",
        "[[part]]\ncollection = \"talents\"\n[part.fields]\ndisplay_name = \"{姓名}\"\nidentity_document = \"{身份证号}\"\n",
    )
    .unwrap();
    let mut book = rust_xlsxwriter::Workbook::new();
    let page = book.add_worksheet();
    page.write_string(0, 0, "姓名").unwrap();
    page.write_string(0, 1, "身份证号").unwrap();
    page.write_string(1, 0, "张示一").unwrap();
    page.write_number(1, 1, 379_901_197_909_011_000.0).unwrap();
    let first = Source::from_bytes("p.xlsx", book.save_to_buffer().unwrap(), &mapping.options()).unwrap();
    let (_, refusals) = read(&mapping, &first);
    assert_eq!(refusals[0].reason, "NUMBER_ROUNDED");
    let bytes = workbook(&mapping, &first, &refusals);
    let again = Source::from_bytes("again.xlsx", bytes, &mapping.options()).unwrap();
    let (rows, refusals) = read(&mapping, &again);
    assert!(rows.is_empty());
    assert_eq!(refusals[0].reason, "NUMBER_ROUNDED");
}

#[test]
fn what_people_type_into_an_export_is_read() {
    let mapping = Mapping::find("labs").unwrap();
    let text = "display_name,etag,kind,state,hosts,names\n甲实验室,r3,企业类,停止,甲大学、乙研究所,\"[{\"\"text\"\":\"\"乙\"\",\"\"kind\"\":\"\"曾用名\"\"}]\"\n";
    let first = source(&mapping, text);
    let (rows, refusals) = read(&mapping, &first);
    assert!(refusals.is_empty(), "{refusals:?}");
    let lab = lab(&rows[0]);
    assert_eq!(lab.kind(), LabKind::Enterprise);
    assert_eq!(lab.state(), OperatingState::Inactive);
    assert_eq!(lab.etag, "r3", "so that a change by somebody else is seen");
    let hosts: Vec<_> = lab
        .hosts
        .iter()
        .map(|h| h.organization.as_ref().unwrap().display_name.as_str())
        .collect();
    assert_eq!(hosts, ["甲大学", "乙研究所"]);
    assert_eq!(lab.names[0].kind, 2);
    let mask = mapping.parts()[0].mask(&first).unwrap();
    assert!(!mask.iter().any(|f| f == "etag" || f == "name"), "{mask:?}");
}

#[test]
fn an_export_in_chinese_words_is_read_as_the_same() {
    let collection = Collection::find("labs").unwrap();
    let lab = Lab {
        display_name: "甲实验室".to_owned(),
        kind: 1,
        state: 1,
        ..Lab::default()
    };
    let message = DynamicMessage::decode(collection.message().unwrap(), lab.encode_to_vec().as_slice()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labs.csv");
    let mut writer = Writer::new(Format::Csv, collection, std::fs::File::create(&path).unwrap())
        .unwrap()
        .in_words();
    writer.write(&message).unwrap();
    writer.finish().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("学科类") && !text.contains("LAB_KIND"), "{text}");
    let mapping = Mapping::find("labs").unwrap();
    let (rows, refusals) = read(&mapping, &source(&mapping, &text));
    assert!(refusals.is_empty(), "{refusals:?}");
    assert_eq!(self::lab(&rows[0]).kind, 1);
}

#[test]
fn dates_of_all_forms_are_read_in_a_file_of_a_collection() {
    let mapping = Mapping::find("labDesignations").unwrap();
    for (given, expected) in [
        ("2024/6/30", "2024-06-30"),
        ("2024年6月30日", "2024-06-30"),
        ("20240630", "2024-06-30"),
    ] {
        let file = source(&mapping, &format!("programme,decision_date\n区级重点实验室,{given}\n"));
        let (rows, refusals) = read(&mapping, &file);
        assert!(refusals.is_empty(), "{refusals:?}");
        let day = rows[0].message.get_field_by_name("decision_date").unwrap().into_owned();
        assert_eq!(day.as_str(), Some(expected), "{given}");
    }
    let file = source(&mapping, "programme,decision_date\n区级重点实验室,30.06.2024\n");
    assert_eq!(read(&mapping, &file).1[0].reason, "DATE_INVALID");
}
