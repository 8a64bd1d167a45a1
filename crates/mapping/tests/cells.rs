//! Cells as sheets show them: workbooks made here, with what offices do to them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Cursor, Read, Write};

use mingce_mapping::{Collection, Item, Mapping, Options, Refusal, RefusedWriter, Row, Source};
use mingce_proto::labs::Lab;
use mingce_proto::talent::Talent;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};

const TALENTS: &str = r#"
[[part]]
collection = "talents"
[part.fields]
display_name = "{姓名}"
birth_date = { from = "{出生}", date = "partial" }
identifiers = { scheme = "staff", value = "{工号}" }
"#;

fn book(fill: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    let mut book = Workbook::new();
    fill(book.add_worksheet());
    book.save_to_buffer().unwrap()
}

/// The workbook with the text of one of its parts changed.
fn changed(bytes: &[u8], part: &str, from: &str, to: &str) -> Vec<u8> {
    rewritten(bytes, part, |text| {
        assert!(text.contains(from), "{text}");
        text.replace(from, to)
    })
}

/// A workbook whose sheet has these rows, as XML.
fn sheet(rows: &str) -> Vec<u8> {
    let bytes = book(|sheet| {
        sheet.write_string(0, 0, "x").unwrap();
    });
    rewritten(&bytes, "xl/worksheets/sheet1.xml", |text| {
        let (before, rest) = text.split_once("<sheetData>").unwrap();
        let (_, behind) = rest.split_once("</sheetData>").unwrap();
        format!("{before}<sheetData>{rows}</sheetData>{behind}")
    })
}

fn rewritten(bytes: &[u8], part: &str, new: impl Fn(&str) -> String) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if name == part {
            bytes = new(std::str::from_utf8(&bytes).unwrap()).into_bytes();
        }
        out.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        out.write_all(&bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}

fn read(mapping: &str, name: &str, bytes: Vec<u8>) -> Result<(Vec<Row>, Vec<Refusal>), String> {
    let mapping = Mapping::parse("test", mapping).map_err(|e| e.to_string())?;
    let source = Source::from_bytes(name, bytes, &mapping.options()).map_err(|e| e.to_string())?;
    mapping.check(&source).map_err(|e| e.to_string())?;
    let (mut rows, mut refusals) = (Vec::new(), Vec::new());
    let read = mapping.parts()[0].read(&mapping, &source, &mut |item| {
        match item {
            Item::Row(row) => rows.push(row),
            Item::Refused(all) => refusals.extend(all),
        }
        Ok(true)
    });
    read.map_err(|e| e.to_string())?;
    Ok((rows, refusals))
}

/// Name, day of birth and number of each person, and row, column and reason of each refusal.
type Told = (Vec<(String, String, String)>, Vec<(u64, String, String)>);

fn talents(bytes: Vec<u8>) -> Told {
    let (rows, refusals) = read(TALENTS, "t.xlsx", bytes).unwrap();
    let told = rows.iter().map(|row| {
        let talent: Talent = row.message.transcode_to().unwrap();
        let number = talent.identifiers.first().map(|i| i.value.clone()).unwrap_or_default();
        (talent.display_name, talent.birth_date, number)
    });
    (told.collect(), of(&refusals))
}

fn of(refusals: &[Refusal]) -> Vec<(u64, String, String)> {
    refusals
        .iter()
        .map(|r| (r.row, r.column.clone(), r.reason.clone()))
        .collect()
}

fn labs(mapping: &str, name: &str, bytes: Vec<u8>) -> Vec<Lab> {
    let (rows, refusals) = read(mapping, name, bytes).unwrap();
    assert_eq!(refusals, []);
    rows.iter().map(|r| r.message.transcode_to().unwrap()).collect()
}

fn told<const N: usize>(texts: [(&str, &str, &str); N]) -> Vec<(String, String, String)> {
    texts
        .map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()))
        .to_vec()
}

#[test]
fn numbers_and_days_are_read_as_their_formats_show_them() {
    let date = ExcelDateTime::parse_from_str("1985-10-01").unwrap();
    let (read, refused) = talents(book(|sheet| {
        sheet.write_row(0, 0, ["姓名", "出生", "工号"]).unwrap();
        for (row, name) in [(1, "甲"), (2, "乙"), (3, "丙"), (4, "丁"), (5, "戊")] {
            sheet.write_string(row, 0, name).unwrap();
        }
        let with = |code: &str| Format::new().set_num_format(code);
        sheet.write_number_with_format(1, 1, 1985.1, &with("0.00")).unwrap();
        sheet.write_number_with_format(1, 2, 123, &with("00000")).unwrap();
        sheet
            .write_datetime_with_format(2, 1, &date, &with("yyyy\"年\"m\"月\""))
            .unwrap();
        sheet.write_number_with_format(2, 2, 7, &with("\"GH-\"000")).unwrap();
        sheet
            .write_datetime_with_format(3, 1, &date, &with("yyyy/m/d"))
            .unwrap();
        sheet.write_string(3, 2, "00123").unwrap();
        // A bare number may be January or October; a text was typed so.
        sheet.write_number(4, 1, 1985.1).unwrap();
        sheet.write_number(5, 1, 20243).unwrap();
    }));
    let expected = told([
        ("甲", "1985-10", "00123"),
        ("乙", "1985-10", "GH-007"),
        ("丙", "1985-10-01", "00123"),
    ]);
    assert_eq!(read, expected);
    let reasons = [(5, "出生", "DATE_AMBIGUOUS"), (6, "出生", "DATE_AMBIGUOUS")];
    assert_eq!(refused, reasons.map(|(n, c, r)| (n, c.to_owned(), r.to_owned())));
}

#[test]
fn numbers_that_a_spreadsheet_rounded_and_formulas_without_a_value_are_refused() {
    let bytes = book(|sheet| {
        sheet.write_row(0, 0, ["姓名", "出生", "工号"]).unwrap();
        sheet.write_row(1, 0, ["甲", "", ""]).unwrap();
        sheet.write_number(1, 2, 202_401_150_001_234_000_f64).unwrap();
        sheet.write_row(2, 0, ["乙", "", "2.02401E+17"]).unwrap();
        sheet
            .write_formula(3, 0, Formula::new("=\"丙\"&\"丁\"").set_result("KEPT"))
            .unwrap();
        sheet.write_row(4, 0, ["戊", "", "123456789012345"]).unwrap();
        sheet.write_number(5, 2, 123_456_789_012_345_f64).unwrap();
        sheet.write_string(5, 0, "己").unwrap();
    });
    // No value is kept.
    let untyped = changed(&bytes, "xl/worksheets/sheet1.xml", " t=\"str\"", "");
    let (_, refused) = talents(changed(&untyped, "xl/worksheets/sheet1.xml", "<v>KEPT</v>", "<v></v>"));
    let expected = [
        (2, "工号", "NUMBER_ROUNDED"),
        (3, "工号", "NUMBER_ROUNDED"),
        (4, "姓名", "CELL_ERROR"),
    ];
    assert_eq!(refused, expected.map(|(n, c, r)| (n, c.to_owned(), r.to_owned())));
    let (_, refused) = read(
        TALENTS,
        "t.csv",
        "姓名,出生,工号\n甲,,3.79901E+17\n丁,,+3.79901E+17\n乙,2010.1,1\n".into(),
    )
    .unwrap();
    assert_eq!(
        of(&refused),
        [
            (2, "工号", "NUMBER_ROUNDED"),
            (3, "工号", "NUMBER_ROUNDED"),
            (4, "出生", "DATE_AMBIGUOUS")
        ]
        .map(|(n, c, r)| (n, c.to_owned(), r.to_owned()))
    );
}

#[test]
fn what_an_unclear_date_may_mean_is_told_unless_it_is_personal() {
    const SINCE: &str = r#"
[[part]]
collection = "labs"
[part.fields]
display_name = "{名称}"
names = { text = "{别名}", start_date = { from = "{起}", date = "partial" } }
"#;
    let said = |mapping, csv: &str| {
        let (_, refused) = read(mapping, "t.csv", csv.into()).unwrap();
        assert_eq!(refused[0].reason, "DATE_AMBIGUOUS");
        refused[0].description.clone()
    };
    let labs = said(SINCE, "名称,别名,起\n甲室,旧室,1987.1\n");
    assert!(labs.starts_with("1987.1 may be 1987-01 or 1987-10: "), "{labs}");
    let labs = said(SINCE, "名称,别名,起\n甲室,旧室,20243\n");
    assert!(labs.starts_with("20243 may be 2024-03 or 1955-06-03"), "{labs}");
    // A day of birth is in no message.
    for born in ["1987.1", "19871"] {
        let person = said(TALENTS, &format!("姓名,出生,工号\n甲,{born},1\n"));
        assert!(!person.contains("1987") && person.contains("2024-06-30"), "{person}");
        let mapping = Mapping::plain(Collection::find("talents").unwrap()).unwrap();
        let file = format!("display_name,birth_date\n甲,{born}\n").into_bytes();
        let source = Source::from_bytes("t.csv", file, &mapping.options()).unwrap();
        let mut told = Vec::new();
        let mut keep = |item| {
            if let Item::Refused(all) = item {
                told.extend(all);
            }
            Ok(true)
        };
        mapping.parts()[0].read(&mapping, &source, &mut keep).unwrap();
        assert_eq!(told[0].reason, "DATE_AMBIGUOUS");
        assert_eq!(told[0].description, person);
    }
}

#[test]
fn rows_and_cells_that_do_not_say_where_they_stand_follow_each_other() {
    let text = |text: &str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let at = |place: &str, text: &str| format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let rows = [
        format!("<row>{}{}{}</row>", text("姓名"), text("出生"), text("工号")),
        // An empty row is one too, hidden or not.
        "<row hidden=\"1\"/>".to_owned(),
        format!("<row>{}<c/><c><v>3</v></c></row>", text("甲")),
        format!("<row hidden=\"1\">{}</row>", text("乙")),
        "<row r=\"8\"/>".to_owned(),
        format!("<row hidden=\"true\">{}</row>", text("丙")),
        format!("<row r=\"12\">{}<c/><c><f>1+1</f></c></row>", at("A12", "丁")),
        "<row/>".to_owned(),
        format!("<row>{}<c r=\"B14\"/><c><v>14</v></c></row>", text("戊")),
        // The cell knows better than the row.
        format!("<row hidden=\"1\">{}</row>", at("A20", "己")),
    ];
    let (read, refused) = talents(sheet(&rows.concat()));
    assert_eq!(read, told([("甲", "", "3"), ("戊", "", "14")]));
    let expected = [
        (4, "", "ROW_HIDDEN"),
        (9, "", "ROW_HIDDEN"),
        (12, "工号", "CELL_ERROR"),
        (20, "", "ROW_HIDDEN"),
    ];
    assert_eq!(refused, expected.map(|(n, c, r)| (n, c.to_owned(), r.to_owned())));
}

#[test]
fn a_cell_of_a_number_that_holds_none_is_refused_and_stays_so() {
    let text = |text: &str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let mut rows = format!("<row>{}{}{}</row>", text("姓名"), text("出生"), text("工号"));
    let values = ["inf", "-inf", "nan", "NaN", "infinity", "1e999"];
    for value in values {
        rows.push_str(&format!("<row>{}<c/><c><v>{value}</v></c></row>", text("甲")));
        rows.push_str(&format!("<row><c><v>{value}</v></c></row>"));
    }
    let mapping = Mapping::parse("test", TALENTS).unwrap();
    let source = Source::from_bytes("t.xlsx", sheet(&rows), &mapping.options()).unwrap();
    let mut refusals = Vec::new();
    let mut keep = |item| {
        match item {
            Item::Row(row) => panic!("{row:?}"),
            Item::Refused(all) => refusals.extend(all),
        }
        Ok(true)
    };
    mapping.parts()[0].read(&mapping, &source, &mut keep).unwrap();
    assert_eq!(refusals.len(), 2 * values.len());
    for (refusal, column) in refusals.iter().zip(["工号", "姓名"].iter().cycle()) {
        assert_eq!(refusal.column, *column);
        assert_eq!(refusal.reason, "NUMBER_INVALID");
        assert!(["inf", "-inf", "NaN"].contains(&refusal.value.as_str()), "{refusal:?}");
    }
    // In the file of refused rows it is no text that would be taken.
    let mut out = Vec::new();
    RefusedWriter::new(&mapping, &source, &refusals)
        .write(&mut out)
        .unwrap();
    let (taken, refused) = read(TALENTS, "t.csv", out).unwrap();
    assert_eq!((taken.len(), refused.len()), (0, refusals.len()));
    assert!(refused.iter().all(|r| r.reason == "CELL_ERROR"), "{refused:?}");
}

#[test]
fn a_day_before_all_days_and_behind_them_is_refused() {
    let (read, refused) = talents(book(|sheet| {
        sheet.write_row(0, 0, ["姓名", "出生", "工号"]).unwrap();
        let day = Format::new().set_num_format("yyyy-mm-dd");
        for (row, name, number) in [(1, "甲", -1.0), (2, "乙", 20_240_630.0), (3, "丙", 45473.0)] {
            sheet.write_string(row, 0, name).unwrap();
            sheet.write_number_with_format(row, 1, number, &day).unwrap();
        }
    }));
    assert_eq!(read, told([("丙", "2024-06-30", "")]));
    let reasons = [(2, "出生", "NUMBER_INVALID"), (3, "出生", "NUMBER_INVALID")];
    assert_eq!(refused, reasons.map(|(n, c, r)| (n, c.to_owned(), r.to_owned())));
}

#[test]
fn a_formula_that_gives_an_empty_text_is_an_empty_cell() {
    let bytes = book(|sheet| {
        sheet.write_row(0, 0, ["姓名", "出生", "工号"]).unwrap();
        sheet.write_row(1, 0, ["甲", "", "1"]).unwrap();
        let empty = Formula::new("=IF(A2=\"\",\"1985-10\",\"\")").set_result("KEPT");
        sheet.write_formula(1, 1, empty).unwrap();
        // Pulled down below the last row.
        let below = Formula::new("=IF(A3=\"\",\"\",\"x\")").set_result("KEPT");
        sheet.write_formula(2, 1, below).unwrap();
    });
    let (read, refused) = talents(changed(&bytes, "xl/worksheets/sheet1.xml", "<v>KEPT</v>", "<v></v>"));
    assert_eq!((read, refused), (told([("甲", "", "1")]), Vec::new()));
}

#[test]
fn the_days_of_a_workbook_that_counts_from_1904_are_its_own() {
    let bytes = book(|sheet| {
        sheet.write_row(0, 0, ["姓名", "出生", "工号"]).unwrap();
        sheet.write_string(1, 0, "甲").unwrap();
        let format = Format::new().set_num_format("yyyy-mm-dd");
        sheet.write_number_with_format(1, 1, 30000, &format).unwrap();
        sheet.write_string(2, 0, "乙").unwrap();
        sheet.write_number(2, 1, 30000).unwrap();
    });
    let (read, refused) = talents(changed(
        &bytes,
        "xl/workbook.xml",
        "<workbookPr",
        "<workbookPr date1904=\"1\"",
    ));
    assert_eq!(read, [("甲".to_owned(), "1986-02-19".to_owned(), String::new())]);
    assert_eq!(refused, [(3, "出生".to_owned(), "DATE_AMBIGUOUS".to_owned())]);
}

#[test]
fn hidden_rows_are_refused_unless_the_mapping_decides_and_hidden_sheets_are_not_the_first() {
    let bytes = || {
        let mut book = Workbook::new();
        book.add_worksheet()
            .set_name("旧")
            .unwrap()
            .set_hidden(true)
            .write_string(0, 0, "x")
            .unwrap();
        let sheet = book.add_worksheet();
        sheet.set_active(true);
        for (row, name) in [(0, "姓名"), (1, "甲"), (2, "乙"), (3, "丙")] {
            sheet.write_row(row, 0, [name, "", ""]).unwrap();
        }
        sheet.write_row(0, 1, ["出生", "工号"]).unwrap();
        sheet.set_row_hidden(2).unwrap();
        book.save_to_buffer().unwrap()
    };
    let (read_rows, refused) = talents(bytes());
    assert_eq!(read_rows.len(), 2);
    assert_eq!(refused, [(3, String::new(), "ROW_HIDDEN".to_owned())]);
    for (setting, rows) in [("read", 3), ("skip", 2)] {
        let mapping = format!("hidden = \"{setting}\"\n{TALENTS}");
        let (read, refused) = read(&mapping, "t.xlsx", bytes()).unwrap();
        assert_eq!((read.len(), refused.len()), (rows, 0), "{setting}");
    }
    // A file in the columns of a collection too.
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (row, name) in [(0, "display_name"), (1, "甲"), (2, "乙")] {
        sheet.write_string(row, 0, name).unwrap();
    }
    sheet.set_row_hidden(1).unwrap();
    let plain = Mapping::find("talents").unwrap();
    let source = Source::from_bytes("t.xlsx", book.save_to_buffer().unwrap(), &plain.options()).unwrap();
    let (mut taken, mut refused) = (0, Vec::new());
    plain.parts()[0]
        .read(&plain, &source, &mut |item| {
            match item {
                Item::Row(_) => taken += 1,
                Item::Refused(all) => refused.extend(all),
            }
            Ok(true)
        })
        .unwrap();
    assert_eq!(
        (taken, of(&refused)),
        (1, vec![(2, String::new(), "ROW_HIDDEN".to_owned())])
    );
    let source = Source::from_bytes("t.xlsx", bytes(), &Options::default()).unwrap();
    assert_eq!((source.sheets()[0].hidden, source.hidden_rows().0), (true, 1));
}

#[test]
fn only_cells_of_a_merged_range_are_filled_from_its_first() {
    const LABS: &str = r#"
fill_down = "merged"
[[part]]
collection = "labs"
[part.fields]
display_name = "{名称}"
hosts = { organization = { display_name = "{依托单位}" } }
"#;
    let bytes = book(|sheet| {
        sheet.write_row(0, 0, ["名称", "依托单位"]).unwrap();
        sheet.write_column(1, 0, ["一室", "二室", "三室", "四室"]).unwrap();
        sheet.merge_range(1, 1, 2, 1, "甲大学", &Format::new()).unwrap();
    });
    let hosts: Vec<_> = labs(LABS, "t.xlsx", bytes)
        .into_iter()
        .map(|lab| {
            lab.hosts
                .into_iter()
                .filter_map(|h| h.organization)
                .map(|o| o.display_name)
                .collect::<String>()
        })
        .collect();
    assert_eq!(hosts, ["甲大学", "甲大学", "", ""]);
    let error = read(LABS, "t.csv", "名称,依托单位\n一室,甲\n".into()).unwrap_err();
    assert!(error.contains("only a workbook has merged cells"), "{error}");
}

const TWO_ROWS: &str = r##"
header = [2, 3]
[[part]]
collection = "labs"
[part.fields]
display_name = "{#B}"
field = "{主任/姓名}"
city = "{所在地#2}"
"##;

#[test]
fn headers_of_two_rows_letters_and_places_name_columns() {
    let bytes = book(|sheet| {
        sheet.write_string(0, 0, "附件").unwrap();
        sheet.merge_range(1, 2, 1, 3, "主任", &Format::new()).unwrap();
        sheet.write_row(1, 0, ["序号"]).unwrap();
        sheet.write_row(1, 4, ["所在地", "所在地"]).unwrap();
        sheet.write_row(2, 2, ["职称", "姓名"]).unwrap();
        sheet
            .write_row(3, 0, ["1", "一室", "教授", "张示一", "山东", "青岛"])
            .unwrap();
    });
    let csv = "附件\n序号,,主任,,所在地,所在地\n,,职称,姓名,,\n1,一室,教授,张示一,山东,青岛\n";
    for (name, bytes) in [("t.xlsx", bytes), ("t.csv", csv.into())] {
        let labs = labs(TWO_ROWS, name, bytes);
        assert_eq!(labs[0].display_name, "一室");
        assert_eq!(labs[0].field, "张示一");
        assert_eq!(labs[0].city, "青岛");
    }
    let error = read(&TWO_ROWS.replace("[2, 3]", "[2, 4]"), "t.csv", Vec::new()).unwrap_err();
    assert!(error.contains("header = [4, 5]"), "{error}");
    let error = read(
        &TALENTS.replace("[[part]]", "header = 1\n[[part]]"),
        "t.csv",
        "名单\n\n姓名,出生,工号\n".into(),
    );
    assert!(error.unwrap_err().contains("表头似乎在第3行"));
}

const SECTIONS: &str = r#"
[sections]
"城市" = { from = "{序号}", match = "^[一二三四五]+、(.+?)（" }
[[part]]
collection = "labs"
[part.fields]
display_name = "{名称}"
city = "{城市}"
"#;

#[test]
fn values_of_section_rows_stand_in_the_rows_below_and_survive_a_file_of_refused_rows() {
    let csv = "序号,名称\n1,零室\n一、青岛（2项）,\n1,一室\n2,#N/A\n二、济南（1项）,\n1,三室\n";
    let (rows, refusals) = read(SECTIONS, "t.csv", csv.into()).unwrap();
    let all: Vec<Lab> = rows.iter().map(|r| r.message.transcode_to().unwrap()).collect();
    let cities: Vec<_> = all.iter().map(|l| (l.display_name.as_str(), l.city.as_str())).collect();
    assert_eq!(cities, [("零室", ""), ("一室", "青岛"), ("三室", "济南")]);
    assert_eq!(of(&refusals), [(5, "名称".to_owned(), "CELL_ERROR".to_owned())]);
    let mapping = Mapping::parse("test", SECTIONS).unwrap();
    let source = Source::from_bytes("t.csv", csv.into(), &mapping.options()).unwrap();
    let mut out = Vec::new();
    RefusedWriter::new(&mapping, &source, &refusals)
        .write(&mut out)
        .unwrap();
    let mended = String::from_utf8(out).unwrap().replace("2,#N/A", "2,二室");
    let again = labs(SECTIONS, "refused.csv", mended.into());
    assert_eq!(
        (again[0].display_name.as_str(), again[0].city.as_str()),
        ("二室", "青岛")
    );
    let wrong = read(&format!("fill_down = [\"城市\"]\n{SECTIONS}"), "t.csv", csv.into()).unwrap_err();
    assert!(wrong.contains("this has no effect"), "{wrong}");
}

#[test]
fn parts_of_cells_units_and_ranges_are_taken_out_of_them() {
    let mapping = r#"
[[part]]
collection = "labs"
[part.fields]
display_name = { from = "{名称}", clean = ["numbering", "etc"], remove = "（.*）$" }
city = { from = "{名称}", match = "（(.*)）" }
area_square_metres = { from = "{面积}", clean = ["about"], units = { "㎡" = 1, "亩" = 667 } }
equipment_value_fen = { from = "{设备}", times = 1000000, units = { "万元" = 1000000, "元" = 100 } }
established_year = { from = "{起止}", date = "year", range = "start" }
academic_committee = { from = "{委员}", split = "、", clean = ["han-spaces"] }
"#;
    let csv = "名称,面积,设备,起止,委员\n1.一室等（青岛）,约3000余㎡,12.5,2010.10-2015.09,张　三、李四、张三\n2、二室,2亩,300元,2011年至今,\n";
    let labs = labs(mapping, "t.csv", csv.into());
    assert_eq!(
        (labs[0].display_name.as_str(), labs[0].city.as_str()),
        ("一室等", "青岛")
    );
    assert_eq!(
        (labs[0].area_square_metres, labs[0].equipment_value_fen),
        (3000, 12_500_000)
    );
    assert_eq!(
        (labs[1].area_square_metres, labs[1].equipment_value_fen),
        (1334, 30_000)
    );
    assert_eq!((labs[0].established_year, labs[1].established_year), (2010, 2011));
    // Two of one name in one cell are two persons.
    assert_eq!(labs[0].academic_committee, ["张三", "李四", "张三"]);
}

#[test]
fn a_row_is_told_all_that_is_wrong_with_it() {
    let mapping = TALENTS.replace("[part.fields]", "[part.fields]\nsealed = \"x\"");
    assert!(Mapping::parse("test", &mapping).is_err());
    let mapping = r#"
[[part]]
collection = "labs"
[part.fields]
display_name = "{名称}"
area_square_metres = "{面积}"
equipment_value_fen = "{设备}"
established_year = { from = "{年}", date = "year" }
"#;
    let (_, refusals) = read(mapping, "t.csv", "名称,面积,设备,年\n甲,大,多,9634\n".into()).unwrap();
    let expected = [
        (2, "面积", "NUMBER_INVALID"),
        (2, "设备", "NUMBER_INVALID"),
        (2, "年", "YEAR_IMPLAUSIBLE"),
    ];
    assert_eq!(of(&refusals), expected.map(|(n, c, r)| (n, c.to_owned(), r.to_owned())));
}

#[test]
fn a_workbook_that_counts_or_merges_beyond_all_bounds_is_refused() {
    let bytes = book(|sheet| {
        sheet.write_row(0, 0, ["姓名", "出生", "工号"]).unwrap();
        sheet.write_row(1, 0, ["甲"]).unwrap();
    });
    let (sheet, texts) = ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml");
    let ranges = "<mergeCell ref=\"A1:A1048576\"/>".repeat(20);
    let merged = format!("</sheetData><mergeCells>{ranges}</mergeCells>");
    for (part, from, to, said) in [
        (sheet, "</sheetData>", merged.as_str(), "too many merged ranges"),
        (sheet, "r=\"A2\"", "r=\"AAAAAAAAA2\"", "at no place of a sheet"),
        (sheet, "r=\"A2\"", "r=\"A2\" r=\"A3\"", "a broken workbook"),
        (
            sheet,
            "<row r=\"2\"",
            "<row r=\"99999999999\"",
            "at no place of a sheet",
        ),
        (sheet, "ref=\"A1:C2\"", "ref=\"C2:A1\"", "at no place of a sheet"),
        (
            texts,
            "uniqueCount=\"",
            "uniqueCount=\"99999999999",
            "more texts are told",
        ),
    ] {
        let error = read(TALENTS, "t.xlsx", changed(&bytes, part, from, to)).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}
