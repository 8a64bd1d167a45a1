//! Files as a whole: what is said of those that are no tables, in both languages, and what a table without some of its
//! headers is.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Cursor, Write};

use mingce_mapping::{Error, Item, Mapping, Options, Refusal, RefusedWriter, Row, Source};
use mingce_proto::labs::Lab;
use rust_xlsxwriter::Workbook;

fn read(mapping: &str, bytes: &[u8]) -> Result<(Vec<Row>, Vec<Refusal>), Error> {
    let mapping = Mapping::parse("test", mapping).unwrap();
    let source = Source::from_bytes("f", bytes.to_vec(), &mapping.options())?;
    mapping.check(&source)?;
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    mapping.parts()[0].read(&mapping, &source, &mut |item| {
        match item {
            Item::Row(row) => rows.push(row),
            Item::Refused(all) => refused.extend(all),
        }
        Ok(true)
    })?;
    Ok((rows, refused))
}

fn lab(row: &Row) -> Lab {
    row.message.transcode_to().unwrap()
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// What a file is said to be, in English and in Chinese.
fn said(bytes: &[u8]) -> (String, String) {
    let error = Source::from_bytes("f", bytes.to_vec(), &Options::default()).unwrap_err();
    (error.to_string(), error.chinese())
}

fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        out.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        out.write_all(text.as_bytes()).unwrap();
    }
    out.finish().unwrap().into_inner()
}

/// A compound file of the old Office with a stream of this name.
fn compound(stream: &str) -> Vec<u8> {
    let mut bytes = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    bytes.resize(70_000, 0);
    bytes.extend(stream.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

#[test]
fn what_is_no_table_is_told_apart_in_both_languages_with_what_to_do() {
    let workbook = archive(&[
        ("xl/workbook.xml", "<workbook/>"),
        ("xl/worksheets/sheet1.xml", &"<c/>".repeat(9000)),
    ]);
    let zeros: Vec<u8> = "姓名,单位\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, english, chinese) in [
        (
            compound("EncryptedPackage"),
            "take the password away and save it again as .xlsx",
            "取消密码，再另存为 .xlsx",
        ),
        (
            compound("Workbook"),
            "(.xls, or .et of WPS); open it and save it as .xlsx",
            "或 WPS 的 .et）；请打开后另存为 .xlsx",
        ),
        (
            compound("WordDocument"),
            "copy its table into a workbook",
            "把其中的表格复制到工作簿",
        ),
        (
            workbook[..workbook.len() - 30].to_vec(),
            "cut off or damaged (文件不完整); fetch or copy it again",
            "文件不完整或已损坏；请重新下载或复制",
        ),
        (
            archive(&[("mimetype", "application/vnd.oasis.opendocument.spreadsheet")]),
            "OpenDocument file (.ods); open it and save",
            "OpenDocument 文件（.ods）；请打开后另存为 .xlsx",
        ),
        (
            archive(&[("Index/Document.iwa", "x")]),
            "Apple Numbers; open it and export it as Excel",
            "苹果 Numbers 表格；请打开后导出为 Excel",
        ),
        (
            archive(&[("xl/workbook.bin", "x")]),
            "binary workbook (.xlsb); open it",
            "二进制工作簿（.xlsb）；请打开后另存为 .xlsx",
        ),
        (
            archive(&[("名单.csv", "x")]),
            "unpack it and import the tables in it",
            "请解压后导入其中的表格",
        ),
        (archive(&[]), "unpack it and import", "请解压后导入"),
        (
            b"%PDF-1.7\n".to_vec(),
            "a PDF; ask for the table itself",
            "这是 PDF；请索取表格原件",
        ),
        (
            b"\x89PNG\r\n".to_vec(),
            "a picture; ask for the table itself",
            "这是图片；请索取表格原件",
        ),
        (
            b"\r\n<html><table><tr><td>x".to_vec(),
            "a web page (HTML), whatever its name says; open it",
            "这是网页（HTML）",
        ),
        (
            b"<?xml version=\"1.0\"?><uof:UOF xmlns:uof=\"x\">".to_vec(),
            "UOF; open it and save it as .xlsx",
            "标文通（UOF）文件；请打开后另存为 .xlsx",
        ),
        (
            b"<?xml version=\"1.0\"?><?mso-application progid=\"Excel.Sheet\"?><Workbook>".to_vec(),
            "XML of 2003; open it",
            "2003 版 XML",
        ),
        (zeros, "encoding = \"utf-16le\"", "encoding = \"utf-16le\""),
        (b"\n\n".to_vec(), "the file is empty", "文件是空的"),
        (
            "name\nMüller\n".chars().map(|c| c as u8).collect(),
            "name it: encoding = ",
            "请在映射中写明 encoding",
        ),
        (
            "名称\n重点实验室\n市南区\n".as_bytes()[..20].to_vec(),
            "UTF-8 that is damaged at byte",
            "UTF-8，但在第",
        ),
    ] {
        let (en, zh) = said(&bytes);
        assert!(en.starts_with("f: ") && en.contains(english), "{en}\n{english}");
        assert!(
            zh.starts_with("f：") && zh.contains(chinese) && is_chinese(&zh),
            "{zh}\n{chinese}"
        );
    }
    let missing = Source::open(std::path::Path::new("/nowhere.csv"), &Options::default()).unwrap_err();
    assert!(missing.chinese().contains("文件不存在"), "{}", missing.chinese());
    let wrong = read(
        "encoding = \"gb18030\"\n[[part]]\ncollection = \"labs\"\n[part.fields]\ndisplay_name = \"{a}\"\n",
        b"a\n\xff\xff\n",
    );
    let wrong = wrong.unwrap_err();
    assert!(
        wrong.to_string().contains("byte 2 is not gb18030: ") && wrong.to_string().contains("encoding = "),
        "{wrong}"
    );
    assert!(
        wrong.chinese().contains("第 2 个字节不是 gb18030"),
        "{}",
        wrong.chinese()
    );
}

const UNNAMED: &str = r##"
[[part]]
collection = "labs"
[part.fields]
display_name = "{名称}"
city = "{#C}"
"##;

#[test]
fn a_column_at_the_end_without_a_header_is_read_where_the_mapping_names_it_by_its_place() {
    for header in ["名称,编号,", "名称,编号"] {
        let text = format!("{header}\n一室,1,青岛\n二室,2,\n三室,3,济南,多\n");
        let (rows, refused) = read(UNNAMED, text.as_bytes()).unwrap();
        let all: Vec<Lab> = rows.iter().map(lab).collect();
        let cities: Vec<_> = all.iter().map(|l| (l.display_name.as_str(), l.city.as_str())).collect();
        assert_eq!(cities, [("一室", "青岛"), ("二室", "")], "{header}");
        assert_eq!(
            refused.iter().map(|r| (r.row, r.reason.as_str())).collect::<Vec<_>>(),
            [(4, "ROW_TOO_LONG")]
        );
    }
    // Beside values of sections, and in a file of refused rows, it stays the third column.
    let sections = format!(
        "[sections]\n\"领域\" = {{ from = \"{{编号}}\", match = \"^(.)、\" }}\n{UNNAMED}field = \"{{领域}}\"\n"
    );
    let text = "名称,编号,\n,甲、,\n一室,1,青岛\n二室,#N/A,济南\n#N/A,3,烟台\n";
    let (rows, refused) = read(&sections, text.as_bytes()).unwrap();
    assert_eq!(
        (lab(&rows[0]).city.as_str(), lab(&rows[0]).field.as_str()),
        ("青岛", "甲")
    );
    assert!(!refused.is_empty());
    let mapping = Mapping::parse("test", &sections).unwrap();
    let source = Source::from_bytes("f", text.into(), &mapping.options()).unwrap();
    let mut out = Vec::new();
    RefusedWriter::new(&mapping, &source, &refused).write(&mut out).unwrap();
    let mended = String::from_utf8(out).unwrap().replace("#N/A,3", "三室,3");
    let (rows, _) = read(&sections, mended.as_bytes()).unwrap();
    let last = lab(rows.last().unwrap());
    assert_eq!(
        (last.display_name.as_str(), last.city.as_str(), last.field.as_str()),
        ("三室", "烟台", "甲")
    );
    // A cell beyond all headers does not become the value of a section.
    let (_, refused) = read(
        &sections,
        "名称,编号,\n,甲、,\n一室,1,青岛,多\n二室,2,济南\n".as_bytes(),
    )
    .unwrap();
    assert_eq!(
        refused.iter().map(|r| (r.row, r.reason.as_str())).collect::<Vec<_>>(),
        [(3, "ROW_TOO_LONG")]
    );
    // A mapping that says nothing of the column refuses what stands in it.
    let (_, refused) = read(
        &UNNAMED.replace("{#C}", "{编号}"),
        "名称,编号,\n一室,1,青岛\n".as_bytes(),
    )
    .unwrap();
    assert_eq!(refused[0].reason, "ROW_TOO_LONG");
}

#[test]
fn headers_of_two_rows_are_found_where_a_name_is_missing() {
    let text = "名单\n\n单位：某局\n名称,主任,,城市\n,姓名,职称,\n一室,张示一,教授,青岛\n";
    let mapping = |head: &str, field: &str| {
        format!(
            "{head}\n[[part]]\ncollection = \"labs\"\n[part.fields]\ndisplay_name = \"{{名称}}\"\nfield = \"{{{field}}}\"\n"
        )
    };
    for (head, field) in [
        ("", "主任/职称"),
        ("header = 4", "主任/职称"),
        ("header = 5", "主任/职称"),
        ("header = 4", "职称"),
        ("header = 5", "职称"),
        ("", "职称"),
    ] {
        let error = read(&mapping(head, field), text.as_bytes()).unwrap_err();
        let (en, zh) = (error.to_string(), error.chinese());
        assert!(
            en.contains("header = [4, 5]") && en.contains("rows 4 and 5"),
            "{head} {field}: {en}"
        );
        assert!(zh.contains("表头似乎在第4、5行：header = [4, 5]"), "{zh}");
    }
    let (rows, _) = read(&mapping("header = [4, 5]", "主任/职称"), text.as_bytes()).unwrap();
    assert_eq!(lab(&rows[0]).field, "教授");
    // One row of headers is still one, and what is said already is not advised.
    let error = read(&mapping("", "城市"), text.as_bytes()).unwrap_err().to_string();
    assert!(error.ends_with("header = 4"), "{error}");
    let error = read(&mapping("header = [4, 5]", "职称"), text.as_bytes())
        .unwrap_err()
        .to_string();
    assert!(!error.contains("header ="), "{error}");
}

#[test]
fn the_sheet_that_has_a_missing_column_is_named() {
    let mut book = rust_xlsxwriter::Workbook::new();
    book.add_worksheet()
        .set_name("导出摘要")
        .unwrap()
        .write_string(0, 0, "此文稿从 Numbers 表格导出")
        .unwrap();
    book.add_worksheet()
        .set_name("名单")
        .unwrap()
        .write_row(1, 0, ["名称", "编号", "城市"])
        .unwrap();
    let bytes = book.save_to_buffer().unwrap();
    let error = read(UNNAMED, &bytes).unwrap_err();
    assert!(error.to_string().contains("--sheet 名单"), "{error}");
    assert!(
        error.chinese().contains("工作表“名单”中有这一列：--sheet 名单"),
        "{}",
        error.chinese()
    );
}

#[test]
fn pinyin_with_tones_is_read_as_gb18030() {
    let text = "名称,城市\n张三实验室,Zhāng Sān\n吕岩实验室,Lǚ Yán\n";
    let (bytes, _, failed) = encoding_rs::GB18030.encode(text);
    assert!(!failed);
    let mapping = "[[part]]\ncollection = \"labs\"\n[part.fields]\ndisplay_name = \"{名称}\"\ncity = \"{城市}\"\n";
    let (rows, _) = read(mapping, &bytes).unwrap();
    assert_eq!(lab(&rows[1]).city, "Lǚ Yán");
}

#[test]
fn files_that_are_no_tables_are_told_apart() {
    let said = |bytes: &[u8]| said(bytes).0;
    let old = |name: &str| {
        let mut bytes = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
        bytes.resize(70_000, 0);
        bytes.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        bytes
    };
    assert!(said(&old("EncryptedPackage")).contains("password"));
    assert!(said(&old("Workbook")).contains("old format"));
    assert!(said(&old("WordDocument")).contains("Word"));
    assert!(said(b"%PDF-1.7\n").contains("PDF"));
    assert!(said("\u{feff}\r\n<html><table><tr><td>姓名".as_bytes()).contains("HTML"));
    assert!(said(b"<?xml version=\"1.0\"?><?mso-application progid=\"Excel.Sheet\"?><Workbook>").contains("2003"));
    let mut book = Workbook::new();
    book.add_worksheet().write_string(0, 0, "x").unwrap();
    let whole = book.save_to_buffer().unwrap();
    assert!(said(&whole[..whole.len() / 2]).contains("cut off"));
    let zip = |name: &str, text: &str| archive(&[(name, text)]);
    assert!(said(&zip("mimetype", "application/vnd.oasis.opendocument.spreadsheet")).contains("OpenDocument"));
    assert!(said(&zip("名单.csv", "x")).contains("archive"));
    assert!(said(&zip("word/document.xml", "x")).contains("Word"));
    let utf16: Vec<u8> = "姓名,单位\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(said(&utf16).contains("utf-16le"));
    assert!(said("name\nMüller\n".chars().map(|c| c as u8).collect::<Vec<_>>().as_slice()).contains("windows-1252"));
}
