//! Mappings on small invented tables: what they say, what they refuse, and the way out and back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs::File;

use mingce_mapping::{
    Collection, Counts, Error, Format, Item, Mapping, Options, Refusal, RefusedWriter, Row, Source, Writer,
};
use mingce_proto::awards::Award;
use mingce_proto::labs::{Lab, Organization};
use mingce_proto::talent::Talent;
use prost_reflect::DynamicMessage;

/// All rows and refusals of the first part.
fn read(mapping: &Mapping, source: &Source) -> Result<(Vec<Row>, Vec<Refusal>, Counts), Error> {
    mapping.check(source)?;
    let (mut rows, mut refusals) = (Vec::new(), Vec::new());
    let counts = mapping.parts()[0].read(mapping, source, &mut |item| {
        match item {
            Item::Row(row) => rows.push(row),
            Item::Refused(all) => refusals.extend(all),
        }
        Ok(true)
    })?;
    Ok((rows, refusals, counts))
}

fn source(mapping: &Mapping, bytes: impl AsRef<[u8]>) -> Source {
    Source::from_bytes("t.csv", bytes.as_ref().to_vec(), &mapping.options()).unwrap()
}

fn messages<M: prost::Message + Default>(rows: &[Row]) -> Vec<M> {
    rows.iter().map(|r| r.message.transcode_to().unwrap()).collect()
}

fn table<M: prost::Message + Default>(mapping: &str, text: &str) -> (Vec<M>, Vec<Refusal>) {
    let mapping = Mapping::parse("test", mapping).unwrap();
    let (rows, refusals, _) = read(&mapping, &source(&mapping, text)).unwrap();
    (messages(&rows), refusals)
}

fn wrong(mapping: &str) -> String {
    Mapping::parse("test.toml", mapping).unwrap_err().to_string()
}

const LABS: &str = r#"
fill_down = ["依托单位"]

[[part]]
collection = "labs"
skip = { column = "名称", is = ["合计", "总计"], because = "a sum" }
[part.fields]
display_name = "{名称}"
kind = { from = "{类别}", values = { "学科类" = "ACADEMIC", "企业类" = "ENTERPRISE" } }
area_square_metres = "{面积}"
equipment_value_fen = { from = "{设备（万元）}", times = 1000000 }
established_year = { from = "{日期}", date = "year" }
academic_committee = { from = "{学术委员}", split = ["、", "；"] }
hosts = { split = { by = "、", columns = ["依托单位"] }, organization = { display_name = "{依托单位}", city = "{城市}" } }
"#;

const HEADER: &str = "名称,类别,面积,设备（万元）,日期,学术委员,依托单位,城市\n";

#[test]
fn a_table_of_a_bureau_becomes_labs() {
    let rows = "海洋实验室,学科类,\"1,200\",85.5,2019年3月,张三、李四；王五,甲大学、乙研究所,青岛\n新材料实验室,企业类,600,,2020/1/5,,,青岛\n合计,,1800,,,,,\n";
    let (labs, refusals) = table::<Lab>(LABS, &format!("{HEADER}{rows}"));
    assert_eq!(refusals, []);
    assert_eq!(labs.len(), 2);
    assert_eq!(labs[0].area_square_metres, 1200);
    assert_eq!(labs[0].equipment_value_fen, 85_500_000);
    assert_eq!((labs[0].established_year, labs[1].established_year), (2019, 2020));
    assert_eq!(labs[0].academic_committee, ["张三", "李四", "王五"]);
    // The merged cell of the hosts holds for the row below too.
    for lab in &labs {
        let hosts: Vec<_> = lab.hosts.iter().flat_map(|h| &h.organization).collect();
        assert_eq!(
            hosts.iter().map(|o| o.display_name.as_str()).collect::<Vec<_>>(),
            ["甲大学", "乙研究所"]
        );
        assert!(hosts.iter().all(|o| o.city == "青岛"));
    }
}

#[test]
fn the_same_table_is_read_in_gb18030_and_as_a_workbook() {
    let mapping = Mapping::parse("test", LABS).unwrap();
    let text = format!("{HEADER}海洋实验室,学科类,1200,1,2019-03-01,,甲大学,青岛\n");
    let (expected, _, _) = read(&mapping, &source(&mapping, &text)).unwrap();
    let gb = encoding_rs::GB18030.encode(&text).0.into_owned();
    assert!(std::str::from_utf8(&gb).is_err());
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (number, line) in text.lines().enumerate() {
        sheet.write_row(number as u32, 0, line.split(',')).unwrap();
    }
    sheet.write_number(1, 2, 1200.0).unwrap();
    for bytes in [gb, book.save_to_buffer().unwrap()] {
        let (rows, refusals, counts) = read(&mapping, &source(&mapping, &bytes)).unwrap();
        assert_eq!(refusals, []);
        assert_eq!(rows[0].message, expected[0].message);
        assert_eq!((rows[0].number, counts.source_rows), (2, 1));
    }
}

#[test]
fn bad_cells_are_refused_with_row_column_value_and_reason() {
    let rows = "甲,其他,1,1,2019,,,\n乙,,12㎡,1,2019,,,\n丙,,1,0.0000001,2019,,,\n丁,,1,1,去年,,,\n戊,,#N/A,1,2019,,,\n己,,1,1,2019,,,,多\n";
    let (labs, refusals) = table::<Lab>(LABS, &format!("{HEADER}{rows}"));
    assert_eq!(labs.len(), 0);
    let found: Vec<_> = refusals
        .iter()
        .map(|r| (r.row, r.column.as_str(), r.value.as_str(), r.reason.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (2, "类别", "其他", "VALUE_UNKNOWN"),
            (3, "面积", "12㎡", "NUMBER_INVALID"),
            (4, "设备（万元）", "0.0000001", "NUMBER_NOT_WHOLE"),
            (5, "日期", "去年", "DATE_INVALID"),
            (6, "面积", "#N/A", "CELL_ERROR"),
            (7, "", "", "ROW_TOO_LONG"),
        ]
    );
    assert_eq!(
        refusals[0].description,
        "the mapping knows 企业类, 学科类: write one of them, or add this value to the mapping"
    );
}

#[test]
fn a_missing_column_is_named_before_anything_is_read() {
    let mapping = Mapping::parse("test", LABS).unwrap();
    let error = read(&mapping, &source(&mapping, "名称, 类别\n甲,学科类\n"))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "t.csv: no column \"依托单位\"; there are \"名称\", \"类别\"");
    let twice = format!("{},名称\n", HEADER.trim());
    assert_eq!(
        read(&mapping, &source(&mapping, twice)).unwrap_err().to_string(),
        "t.csv: two columns are headed \"名称\": {名称#1} is the first, {名称#2} the second; or name them by letter, as {#C}"
    );
    let error = read(&mapping, &source(&mapping, "{\"name\":\"\"}\n"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("JSON lines have no columns"), "{error}");
}

const AWARDS: &str = r#"
[[part]]
collection = "awards"
join = "编号"
[part.fields]
title = "{项目}"
number = "{编号}"
year = "2023"
state = "CONFERRED"
grade = { from = "{等级}", rows = "first" }
scheme = { code = "shandong" }
contributors = { join = "完成人", talent = { display_name = "{完成人}" }, organizations = { display_name = "{单位}" }, share = "{份额}" }
"#;

#[test]
fn rows_of_one_award_are_joined_and_so_are_those_of_one_contributor() {
    let text = "编号,项目,等级,完成人,单位,份额\nA1,深海,一等奖,张三,甲,1/2\nB1,光,,王五,丙,\nA1,深海,二等奖,李四,乙,50%\nA1,,,张三,丁,1/2\n";
    let mapping = Mapping::parse("test", AWARDS).unwrap();
    let (rows, refusals, counts) = read(&mapping, &source(&mapping, text)).unwrap();
    assert_eq!(refusals, []);
    assert_eq!((counts.source_rows, counts.resources, counts.joined), (4, 2, 2));
    assert_eq!((rows[0].number, rows[0].further.clone()), (2, vec![4, 5]));
    let awards: Vec<Award> = messages(&rows);
    assert_eq!((awards[0].grade.as_str(), awards[1].grade.as_str()), ("一等奖", ""));
    let contributors = &awards[0].contributors;
    assert_eq!(contributors.len(), 2);
    let organizations: Vec<_> = contributors[0]
        .organizations
        .iter()
        .map(|o| o.display_name.as_str())
        .collect();
    assert_eq!(organizations, ["甲", "丁"]);
    assert_eq!(contributors[1].share.unwrap().denominator, 100);
    assert!(awards[1].contributors[0].share.is_none());
    let part = &mapping.parts()[0];
    assert_eq!(
        part.locate(&mapping, &rows[0], "contributors[1].share.denominator"),
        (4, "份额".to_owned())
    );
    assert_eq!(part.locate(&mapping, &rows[0], "grade"), (2, "等级".to_owned()));
}

#[test]
fn joined_rows_that_contradict_each_other_are_refused_together() {
    let text = "编号,项目,等级,完成人,单位,份额\nA1,深海,,张三,甲,\nA1,浅海,,李四,乙,\n,无号,,赵六,,\n";
    let mapping = Mapping::parse("test", AWARDS).unwrap();
    let source = source(&mapping, text);
    let (rows, refusals, _) = read(&mapping, &source).unwrap();
    assert!(rows.is_empty());
    let found: Vec<_> = refusals
        .iter()
        .map(|r| (r.row, r.rows.clone(), r.column.as_str(), r.reason.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (4, vec![4], "编号", "JOIN_KEY_EMPTY"),
            (3, vec![2, 3], "项目", "ROWS_DISAGREE")
        ]
    );

    let mut out = Vec::new();
    let writer = RefusedWriter::new(&mapping, &source, &refusals);
    assert_eq!(writer.len(), 3);
    writer.write(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        "\u{feff}refused_row,refused_column,refused_value,refused_reason,refused_reason_zh,refused_description,编号,项目,等级,完成人,单位,份额"
    );
    assert_eq!(
        lines[1],
        "2,,,SAME_RESOURCE,同一条记录的另一行被拒绝，请改正那一行,\
         row 3 of the same resource was refused: mend it there,A1,深海,,张三,甲,"
    );
    assert!(lines[2].starts_with("3,项目,浅海,ROWS_DISAGREE,"), "{}", lines[2]);

    // Mended, it imports by the same mapping, and what is refused again is written in the same form.
    let mended = text.replace("浅海", "深海");
    let source = Source::from_bytes("again.csv", mended.into_bytes(), &mapping.options()).unwrap();
    let (rows, refusals, _) = read(&mapping, &source).unwrap();
    assert_eq!((rows.len(), refusals.len()), (1, 1));
    let mut out = Vec::new();
    RefusedWriter::new(&mapping, &source, &refusals)
        .write(&mut out)
        .unwrap();
    assert_eq!(String::from_utf8(out).unwrap().lines().next(), Some(lines[0]));
}

#[test]
fn a_wrong_mapping_says_where() {
    let part = |fields: &str| format!("[[part]]\ncollection = \"labs\"\n[part.fields]\n{fields}\n");
    let cases = [
        (
            part("nam = \"{x}\""),
            "mapping, part 1 (labs), nam: Lab has no such field; it has name, uid",
        ),
        (
            part("etag = \"{x}\""),
            "mapping, part 1 (labs), etag: only the service sets this field",
        ),
        (
            part("names = [{ text = \"{x\" }]"),
            "mapping, part 1 (labs), names[0].text: \"{x\": `{` without its `}`",
        ),
        (
            part("city = { colum = \"x\" }"),
            "mapping, part 1 (labs), city: unknown field `colum`, expected one of `from`",
        ),
        (
            part("kind = \"SCHOOL\""),
            "mapping, part 1 (labs), kind: \"SCHOOL\": one of ACADEMIC (学科类), ENTERPRISE (企业类) is expected",
        ),
        (
            part("kind = { from = \"{k}\", values = { a = \"SCHOOL\" } }"),
            "mapping, part 1 (labs), kind: \"SCHOOL\"",
        ),
        (
            part("kind = { from = \"{k}\", values = \"kind\" }"),
            "mapping, part 1 (labs), kind.values: no table [values.kind]",
        ),
        (
            part("hosts = \"{x}\""),
            "mapping, part 1 (labs), hosts: LabHost: a table of its fields is expected",
        ),
        (
            part("city = { from = \"{x}\", split = \"|\" }"),
            "mapping, part 1 (labs), city: one value",
        ),
        (
            part("established_year = 1990"),
            "mapping, part 1 (labs), established_year: put the fixed value in quotation marks",
        ),
        (
            part("city = { from = \"{x}\", skip = { column = \"x\" } }"),
            "mapping, part 1 (labs), city.skip: either `is` or `not`",
        ),
        (
            part("names = { split = \"\", text = \"{x}\" }"),
            "mapping, part 1 (labs), names.split: a separator is empty",
        ),
        (
            "[[part]]\ncollection = \"lab\"\n[part.fields]\n".to_owned(),
            "mapping, part 1: unknown collection \"lab\"; available: organizations",
        ),
        (
            "[[part]]\ncollection = \"labs\"\nfield = 1\n".to_owned(),
            "mapping, part 1: unknown field `field`",
        ),
        (
            "[columns]\na = \"{b}\"\nb = \"{a}\"\n[[part]]\ncollection = \"labs\"\n[part.fields]\n".to_owned(),
            "mapping, columns.a: a derived column that needs itself",
        ),
        (
            "[columns]\na = \"{b}\"\nb = \"{a}\"\n[[part]]\ncollection = \"labs\"\n[part.fields]\n\
             academic_committee = { from = \"{x}{a}\", split = \";\" }\n"
                .to_owned(),
            "mapping, columns.a: a derived column that needs itself",
        ),
        (
            "clean = [\"wash\"]".to_owned(),
            "mapping, test.toml: TOML parse error at line 1",
        ),
        ("about = \"x\"".to_owned(), "mapping, test.toml: there is no [[part]]"),
    ];
    for (text, expected) in cases {
        let said = wrong(&text);
        assert!(said.starts_with(expected), "{said}\n  instead of {expected}");
    }
    let unknown = Mapping::find("nobl").unwrap_err().to_string();
    assert!(
        unknown.contains("ror-organizations, ror-labs, nobel") && unknown.contains("labDesignations"),
        "{unknown}"
    );
}

/// A mapping of labs by a derived column that leads over `length` others, each made so of the next: `{next}`.
fn chain(length: usize, made: &str) -> String {
    let link = |n: usize| made.replace("{next}", &format!("{{c{}}}", n + 1));
    let links: String = (0..length).map(|n| format!("c{n} = \"{}\"\n", link(n))).collect();
    format!(
        "[columns]\n{links}c{length} = \"{{名称}}\"\n\
         [[part]]\ncollection = \"labs\"\n[part.fields]\ndisplay_name = \"{{c0}}\"\n"
    )
}

#[test]
fn a_long_chain_of_derived_columns_is_checked_at_once_and_read_or_refused() {
    let (rows, refusals) = table::<Lab>(&chain(64, "{next}"), "名称\n甲室\n");
    assert_eq!((rows[0].display_name.as_str(), refusals.len()), ("甲室", 0));
    // Each is asked for twice: as often as 2 to the power of 64 in each row.
    let said = wrong(&chain(64, "{next}{next}"));
    assert!(said.contains("the cells of more than 10000 columns"), "{said}");
    // So few are no harm.
    let (rows, _) = table::<Lab>(&chain(8, "{next}{next}"), "名称\n甲\n");
    assert_eq!(rows[0].display_name, "甲".repeat(256));
    let said = wrong(&chain(1_000, "{next}"));
    assert!(said.contains("lead over more than 100 others"), "{said}");
}

#[test]
fn personal_values_are_not_repeated_in_refusals() {
    let mapping = r#"
[[part]]
collection = "talents"
[part.fields]
display_name = "{姓名}"
birth_date = { from = "{生日}", date = "partial" }
"#;
    let (_, refusals) = table::<Talent>(mapping, "姓名,生日\n甲,1990-13-01\n");
    assert_eq!((refusals[0].column.as_str(), refusals[0].value.as_str()), ("生日", ""));
    let plain = Mapping::find("talents").unwrap();
    let line = "{\"displayName\":\"甲\",\"identityDocument\":110105194912310020}\n";
    let (_, refusals, _) = read(&plain, &source(&plain, line)).unwrap();
    assert_eq!(
        (refusals[0].column.as_str(), refusals[0].value.as_str()),
        ("identity_document", "")
    );
    assert!(!refusals[0].description.contains("1101"), "{}", refusals[0].description);
}

mod round_trip {
    use mingce_proto::awards::{Contributor, SchemeReference, Share};
    use mingce_proto::registry::{Identifier, Name, OrganizationReference};
    use proptest::prelude::*;

    use super::*;

    fn dynamic(label: &str, message: &impl prost::Message) -> DynamicMessage {
        let descriptor = Collection::find(label).unwrap().message().unwrap();
        let mut dynamic = DynamicMessage::new(descriptor);
        dynamic.transcode_from(message).unwrap();
        dynamic
    }

    fn written(label: &str, format: Format, messages: &[DynamicMessage]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut writer = Writer::new(format, Collection::find(label).unwrap(), File::create(&path).unwrap()).unwrap();
        messages.iter().for_each(|m| writer.write(m).unwrap());
        writer.finish().unwrap();
        std::fs::read(path).unwrap()
    }

    const FORMATS: [Format; 3] = [Format::Csv, Format::Xlsx, Format::JsonLines];

    fn back(label: &str, format: Format, bytes: Vec<u8>) -> (Vec<Row>, Vec<String>) {
        let mapping = Mapping::find(label).unwrap();
        let source = Source::from_bytes("out", bytes, &Options::default()).unwrap();
        assert_eq!(source.is_json(), format == Format::JsonLines);
        let (rows, refusals, _) = read(&mapping, &source).unwrap();
        assert_eq!(refusals, []);
        (rows, mapping.parts()[0].mask(&source).unwrap())
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,12}",
            "['=+@-]{0,3}[a\t\r\n \"',;|名]{0,6}",
            Just("_x000D_".to_owned()),
            Just("#N/A".to_owned()),
            Just("001".to_owned()),
            Just("true".to_owned()),
        ]
    }

    prop_compose! {
        fn organization()(
            display_name in text(), city in text(), website in text(), names in prop::collection::vec(text(), 0..3),
            value in text(), kind in 0..9, year in 0..3000, unverified: bool, etag in "[a-z]{0,4}", revision in 0i64..9,
        ) -> Organization {
            Organization {
                name: "organizations/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
                etag, revision, display_name, city, website, unverified, kind,
                names: names.into_iter().map(|text| Name { text, kind: 3, ..Name::default() }).collect(),
                identifiers: vec![Identifier { scheme: "x".to_owned(), value }],
                established_year: year,
                ..Organization::default()
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_written_is_read_as_it_was(organizations in prop::collection::vec(organization(), 1..4)) {
            let messages: Vec<_> = organizations.iter().map(|o| dynamic("organizations", o)).collect();
            for format in FORMATS {
                let (rows, _) = back("organizations", format, written("organizations", format, &messages));
                let expected: Vec<_> = organizations.iter().cloned().map(|o| Organization { revision: 0, ..o }).collect();
                prop_assert_eq!(super::messages::<Organization>(&rows), expected, "{:?}", format);
            }
        }

        #[test]
        fn awards_with_parts_are_read_as_they_were(title in text(), motivation in text(), money in 0i64.., evidence in prop::collection::vec(text(), 0..3)) {
            let award = Award {
                title, motivation, evidence, money_fen: money, state: 2, year: 1901,
                scheme: Some(SchemeReference { scheme: "schemes/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(), ..SchemeReference::default() }),
                contributors: vec![Contributor {
                    rank: 1,
                    share: Some(Share { numerator: 1, denominator: 4 }),
                    organizations: vec![OrganizationReference { display_name: "=甲".to_owned(), ..OrganizationReference::default() }],
                    ..Contributor::default()
                }],
                ..Award::default()
            };
            for format in FORMATS {
                let (rows, _) = back("awards", format, written("awards", format, &[dynamic("awards", &award)]));
                prop_assert_eq!(&super::messages::<Award>(&rows)[0], &award, "{:?}", format);
            }
        }
    }

    #[test]
    fn the_columns_are_the_fields_in_their_order_without_what_is_never_answered() {
        let talent = dynamic(
            "talents",
            &Talent {
                display_name: "张三".to_owned(),
                birth_date: "1990".to_owned(),
                birth_year: 1990,
                ..Talent::default()
            },
        );
        let csv = String::from_utf8(written("talents", Format::Csv, std::slice::from_ref(&talent))).unwrap();
        let header = csv.lines().next().unwrap();
        assert!(
            header.starts_with(
                "\u{feff}name,uid,etag,revision,create_time,update_time,record_status,survivor,distinct_from,display_name,"
            ),
            "{header}"
        );
        assert!(header.ends_with(",sequence"), "{header}");
        assert!(!csv.contains("identity_document,birth_date") && !csv.contains(",birth_date,"));
        let (rows, mask) = back("talents", Format::Csv, csv.into_bytes());
        assert_eq!(messages::<Talent>(&rows)[0].birth_year, 0);
        assert_eq!(
            mask,
            [
                "display_name",
                "names",
                "identifiers",
                "nationality",
                "education",
                "title",
                "disciplines",
                "employments",
                "deceased",
                "display_name_language",
                "links"
            ]
        );
        let lines = written("talents", Format::JsonLines, &[talent]);
        assert_eq!(
            String::from_utf8_lossy(&lines),
            "{\"displayName\":\"张三\",\"birthYear\":1990}\n"
        );
        assert_eq!(back("talents", Format::JsonLines, lines).1, Vec::<String>::new());
    }

    #[test]
    fn unknown_fields_and_broken_cells_of_a_plain_table_are_refused() {
        let mapping = Mapping::find("labs").unwrap();
        let error = mapping.check(&source(&mapping, "name,nam\n")).unwrap_err().to_string();
        assert!(
            error.starts_with("t.csv: no field \"nam\" in labs; there are name, uid"),
            "{error}"
        );
        let text = "display_name,hosts,kind\n甲,[{\"organisation\":{}}],\n乙,[,\n丙,,school\n丁,,academic\n";
        let (rows, refusals, _) = read(&mapping, &source(&mapping, text)).unwrap();
        let found: Vec<_> = refusals
            .iter()
            .map(|r| (r.row, r.column.as_str(), r.reason.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (2, "hosts", "VALUE_INVALID"),
                (3, "hosts", "JSON_INVALID"),
                (4, "kind", "ENUM_VALUE_UNKNOWN")
            ]
        );
        assert_eq!(messages::<Lab>(&rows)[0].kind, 1);
    }

    #[test]
    fn refused_json_lines_come_again_as_json_lines() {
        let mapping = Mapping::find("labs").unwrap();
        let source = source(
            &mapping,
            "{\"displayName\":\"甲\",\"kind\":\"SCHOOL\"}\n{\"nme\":1}\nnonsense\n{}\n",
        );
        let (rows, refusals, _) = read(&mapping, &source).unwrap();
        assert_eq!((rows.len(), refusals.len()), (1, 3));
        let mut out = Vec::new();
        RefusedWriter::new(&mapping, &source, &refusals)
            .write(&mut out)
            .unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[0].starts_with("{\"refused_row\":\"1\",\"refused_column\":\"kind\",")
                && lines[0].ends_with(",\"displayName\":\"甲\",\"kind\":\"SCHOOL\"}")
        );
        assert_eq!(lines[2], "nonsense");
        let mended = lines[0].replace("SCHOOL", "LAB_KIND_ACADEMIC");
        let (rows, refusals, _) = read(&mapping, &super::source(&mapping, mended)).unwrap();
        assert_eq!((rows.len(), refusals.len()), (1, 0));
    }

    #[test]
    fn what_fits_no_cell_of_a_workbook_is_an_error_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("out")).unwrap();
        let mut writer = Writer::new(Format::Xlsx, Collection::find("labs").unwrap(), file).unwrap();
        let lab = Lab {
            field: "长".repeat(40_000),
            ..Lab::default()
        };
        let error = writer.write(&dynamic("labs", &lab)).unwrap_err().to_string();
        assert!(
            error.starts_with("field of resource 1 has more than 32767 characters"),
            "{error}"
        );
    }
}
