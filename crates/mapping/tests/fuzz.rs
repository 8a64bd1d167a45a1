//! Mappings, texts and workbooks with some bytes changed: each is read as what it says, or refused in both languages,
//! and nothing is lost or read otherwise a second time.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::io::{Cursor, Read, Write};

use encoding_rs::{BIG5, GB18030};
use mingce_e2e::fuzz::fuzz;
use mingce_mapping::{
    Collection, Error, Format, Item, Mapping, Options, Row, SHIPPED, Source, SourceRow, Table, Writer, chinese,
};
use prost::Message;
use rust_xlsxwriter::{ExcelDateTime, Format as Style, Formula, Workbook};
use zip::write::{SimpleFileOptions, ZipWriter};

const LABS: &str = include_str!("../../../sample/labs.toml");
const LABS_TABLE: &str = include_str!("../../../sample/labs.csv");
const TALENTS: &str = include_str!("../../../sample/talents.toml");
const TALENTS_TABLE: &str = include_str!("../../../sample/talents.csv");

const LAUREATES: &str =
    "id,firstname,surname,born,died,gender,year,category,overallMotivation,share,motivation,name,city
1,Ada,Beispiel,1900-00-00,0000-00-00,female,1950,physics,,2,\"\"\"for &quot;rays&quot;\"\"\",Example University,Bern
2,Beno,Muster,1901-02-03,1980-04-05,male,1950,physics,,2,for rays,,
3,Example Society,,,,org,1951,peace,for peace,1,,,
";

/// A table of a bureau, with rows that are joined, sections and cells that hold several values.
const BUREAU: &str = r#"
clean = ["spaces", "halfwidth"]
header = [1, 2]
fill_down = ["单位/名称"]

[columns]
whole = "{单位/名称} {单位/处室?}"

[sections]
"类别" = { from = "{序号}", match = '^([^0-9]+)类$' }

[[part]]
collection = "labs"
join = "序号"
skip = { column = "序号", is = ["合计"], because = "a sum" }
[part.fields]
display_name = { from = "{whole}", remove = "[0-9]+$", rows = "first" }
kind = { from = "{类别}", values = { "学科" = "ACADEMIC" }, other = "ENTERPRISE" }
area_square_metres = { from = "{面积}", units = { "㎡" = 1, "亩" = 667 } }
established_year = { from = "{起止}", date = "year", range = "start" }
academic_committee = { from = "{委员}", split = ["、", "；"] }
"#;
const BUREAU_TABLE: &str = "单位,,面积,起止,委员,序号
名称,处室,,,,
,,,,,学科类
甲院,一处,100㎡,2010.10-2015.09,张示一、李示二,1
,,2亩,2011年,,2
乙院,,,至今,,合计
";

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// An error has words in both languages, and not many more than what it is about.
fn told_well(error: &Error, length: usize) {
    let (english, other) = (error.to_string(), error.chinese());
    assert!(!english.is_empty() && is_chinese(&other), "{english}\n{other}");
    assert!(english.len() <= 8 * length + 20_000, "{}", english.len());
}

/// Reads all parts, and looks that each row of the source becomes of something.
fn read_all(mapping: &Mapping, source: &Source) -> Result<(), Error> {
    mapping.check(source)?;
    for part in mapping.parts() {
        let (mut rows, mut refused) = (0, 0);
        let counts = part.read(mapping, source, &mut |item| {
            match item {
                Item::Row(row) => {
                    rows += 1;
                    assert!(row.number > source.header_row());
                }
                Item::Refused(refusals) => {
                    refused += 1;
                    assert!(!refusals.is_empty());
                    for refusal in refusals {
                        assert!(chinese(&refusal.reason).is_some(), "{refusal:?}");
                        assert!(refusal.row > source.header_row() && !refusal.description.is_empty());
                    }
                }
            }
            Ok(true)
        })?;
        assert_eq!((counts.resources, counts.refused), (rows, refused));
        let skipped: u64 = counts.skipped.values().sum();
        assert_eq!(
            counts.source_rows,
            rows + refused + skipped + counts.joined,
            "{counts:?}"
        );
        part.mask(source)?;
    }
    Ok(())
}

#[test]
fn a_mapping_with_any_bytes_changed_is_refused_at_its_place_or_loses_no_row() {
    let mut mappings = vec![(LABS, LABS_TABLE), (TALENTS, TALENTS_TABLE), (BUREAU, BUREAU_TABLE)];
    mappings.extend(SHIPPED.map(|(_, text)| (text, LAUREATES)));
    let seeds: Vec<Vec<u8>> = mappings.iter().map(|(text, _)| text.as_bytes().to_vec()).collect();
    let tables: Vec<Vec<u8>> = mappings.iter().map(|(_, table)| top(table)).collect();
    let words: &[&[u8]] = &[
        b"\"{id}\"",
        b"{",
        b"}",
        b"\"",
        b"'",
        b"[[part]]\n",
        b"skip = { column = \"x\", is = \"\" }\n",
        b"join = \"id\"\n",
        b"header = 9223372036854775807\n",
        b"split = \"\"",
        b"date = \"day\"",
        b"times = 18446744073709551615",
        b"rows = \"differ\"",
        b"(a{1000}){1000}",
        b"(",
        b"#5",
    ];
    let told = fuzz(2_500, &seeds, words, |place, bytes| {
        let text = String::from_utf8_lossy(bytes);
        let mapping = match Mapping::parse("m.toml", &text) {
            Ok(mapping) => mapping,
            Err(error) => {
                told_well(&error, text.len());
                let Error::Mapping { place, problem } = &error else {
                    panic!("{error:?}");
                };
                assert!(!place.is_empty() && !problem.is_empty(), "{place}: {problem}");
                return false;
            }
        };
        let table = tables[place].clone();
        let read =
            Source::from_bytes("t.csv", table, &mapping.options()).and_then(|source| read_all(&mapping, &source));
        if let Err(error) = read {
            told_well(&error, text.len() + tables[place].len());
        }
        true
    });
    told.expect_both();
}

/// The first lines of a table.
fn top(table: &str) -> Vec<u8> {
    table
        .lines()
        .take(6)
        .flat_map(|line| [line.as_bytes(), b"\n"].concat())
        .collect()
}

/// The headers and rows of a file.
fn table(bytes: &[u8], options: &Options) -> Result<(Vec<String>, Vec<SourceRow>), Error> {
    let source = Source::from_bytes("f", bytes.to_vec(), options)?;
    let mut rows = Vec::new();
    source.each(&mut |row| {
        rows.push(row);
        Ok(true)
    })?;
    assert!(rows.iter().all(|row: &SourceRow| row.number > source.header_row()));
    assert!(rows.windows(2).all(|pair| pair[0].number < pair[1].number));
    Ok((source.header().to_vec(), rows))
}

/// Rows are the same when they were written and are read again. Their numbers stand before them, so that no row is
/// blank and the file is not taken for another sort of file.
fn comes_again(header: &[String], rows: &[SourceRow]) {
    let line = |first: &str, cells: &[String]| [&[first.to_owned()][..], cells].concat();
    let mut out = Vec::new();
    let mut csv = Table::csv(&mut out, ',').unwrap();
    csv.row(&line("row", header)).unwrap();
    for row in rows {
        csv.row(&line(&row.number.to_string(), &row.cells)).unwrap();
    }
    csv.finish().unwrap();
    let options = Options {
        encoding: Some("utf-8".to_owned()),
        separator: Some(','),
        ..Options::default()
    };
    let (again, read) = table(&out, &options).unwrap();
    assert_eq!(again, line("row", header));
    assert_eq!(read.len(), rows.len());
    for (read, row) in read.iter().zip(rows) {
        assert_eq!(read.cells, line(&row.number.to_string(), &row.cells));
    }
}

fn utf16(text: &str, of: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(of).collect()
}

#[test]
fn a_text_with_any_bytes_changed_is_a_table_of_no_more_than_it_holds_or_is_refused() {
    let labs = String::from_utf8(top(LABS_TABLE)).unwrap();
    let odd = "\u{feff}id;\"na\"\"me\";x\r\n1;\"a\r\nb\";\"c;d\"\r\n\r\n;;\n\"\";' ;2010.1\r3;3.79901E+17;=1\r";
    let seeds = [
        labs.clone().into_bytes(),
        format!("\u{feff}{labs}").into_bytes(),
        GB18030.encode(&labs).0.into_owned(),
        utf16(&labs, u16::to_le_bytes),
        utf16(&labs, u16::to_be_bytes),
        BIG5.encode("編號,單位,備註\n1,示範大學,\"甲,乙\"\n2,海洋研究所,\n")
            .0
            .into_owned(),
        odd.as_bytes().to_vec(),
        "{\"displayName\":\"甲\"}\n\n{\"displayName\":\"乙\",\"kind\":\"ACADEMIC\"}\n"
            .as_bytes()
            .to_vec(),
    ];
    let words: &[&[u8]] = &[
        b"\"",
        b"\"\"",
        b"\r\n",
        b"\n",
        b"\r",
        b",",
        b";",
        b"\t",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xe5\xb8\x82",
        b"\xca\xd0",
        b"\x80",
        b"\0",
        b"{",
        b"PK\x03\x04",
    ];
    let ways = [
        Options::default(),
        Options {
            encoding: Some("big5".to_owned()),
            ..Options::default()
        },
        Options {
            separator: Some(';'),
            header: Some(2),
            header_first: Some(1),
            ..Options::default()
        },
    ];
    let mapping = Mapping::parse("labs", LABS).unwrap();
    let told = fuzz(1_500, &seeds, words, |_, bytes| {
        let mut taken = false;
        for options in &ways {
            match table(bytes, options) {
                Ok((header, rows)) => {
                    taken = true;
                    // A byte becomes three at most.
                    let held: usize = rows.iter().flat_map(|row| &row.cells).map(String::len).sum();
                    assert!(held <= 3 * bytes.len(), "{held}");
                    assert!(rows.iter().all(|row| row.cells.len() >= header.len()));
                    comes_again(&header, &rows);
                }
                Err(error) => told_well(&error, bytes.len()),
            }
        }
        let source = Source::from_bytes("f", bytes.to_vec(), &Options::default());
        if let Err(error) = source.and_then(|source| read_all(&mapping, &source)) {
            told_well(&error, bytes.len());
        }
        taken
    });
    told.expect_both();
}

#[test]
fn an_export_with_any_bytes_changed_gives_records_that_are_written_and_read_as_they_were_or_is_refused() {
    let lines = [
        r#"{"displayName":"甲大学","names":[{"text":"Jia University","language":"en"}],"kind":"ORGANIZATION_KIND_UNIVERSITY"}"#,
        r#"{"displayName":"乙所","identifiers":[{"scheme":"x","value":"1"}],"establishedYear":1924,"etag":"\"r3\""}"#,
    ];
    let table = [
        "display_name,names,city,established_year,unverified,etag",
        r#"甲,"[{""text"":""乙""}]",青岛,1924,true,"""r1""""#,
        "'=丙,丁、戊,,,,",
    ];
    let seeds = [lines.join("\n").into_bytes(), table.join("\n").into_bytes()];
    let words: &[&[u8]] = &[
        b"null",
        b"[]",
        b"{}",
        b"\"\"",
        b"\\u0000",
        b"\\",
        b"1e3",
        b"99999999999999999999",
        b",",
        b":",
        b"\"kind\":77",
        b"[[[[[[[[[[[[[[[[",
        b"refused_row",
    ];
    let mapping = Mapping::find("organizations").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let told = fuzz(2_500, &seeds, words, |_, bytes| {
        let (source, rows) = match records(&mapping, bytes) {
            Ok(read) => read,
            Err(error) => {
                told_well(&error, bytes.len());
                return false;
            }
        };
        read_all(&mapping, &source).unwrap();
        if rows.is_empty() {
            return true;
        }
        let organizations = Collection::find("organizations").unwrap();
        let mut writer = Writer::new(Format::JsonLines, organizations, File::create(&path).unwrap()).unwrap();
        rows.iter().for_each(|row| writer.write(&row.message).unwrap());
        writer.finish().unwrap();
        let (_, again) = records(&mapping, &std::fs::read(&path).unwrap()).unwrap();
        let encoded = |rows: &[Row]| rows.iter().map(|row| row.message.encode_to_vec()).collect::<Vec<_>>();
        assert_eq!(encoded(&again), encoded(&rows));
        true
    });
    told.expect_both();
}

/// The records of a file in the form of an export.
fn records(mapping: &Mapping, bytes: &[u8]) -> Result<(Source, Vec<Row>), Error> {
    let source = Source::from_bytes("f", bytes.to_vec(), &Options::default())?;
    mapping.check(&source)?;
    let mut rows = Vec::new();
    mapping.parts()[0].read(mapping, &source, &mut |item| {
        if let Item::Row(row) = item {
            rows.push(row);
        }
        Ok(true)
    })?;
    Ok((source, rows))
}

/// A workbook with what sheets have beside texts.
fn book() -> Vec<u8> {
    let mut book = Workbook::new();
    let style = |code: &str| Style::new().set_num_format(code);
    let day = ExcelDateTime::parse_from_str("2024-06-30").unwrap();
    let sheet = book.add_worksheet().set_name("名单").unwrap();
    sheet.write_row(0, 0, ["编号", "名称", "日期", "面积", "在用"]).unwrap();
    sheet.write_row(1, 0, ["007", "海洋\n实验室"]).unwrap();
    sheet
        .write_datetime_with_format(1, 2, &day, &style("yyyy-mm-dd"))
        .unwrap();
    sheet.write_number(1, 3, 1200.5).unwrap();
    sheet.write_boolean(1, 4, true).unwrap();
    sheet.merge_range(2, 1, 4, 1, "甲大学", &Style::new()).unwrap();
    sheet.write_formula(3, 3, Formula::new("=1+1").set_result("2")).unwrap();
    sheet.write_number_with_format(4, 3, 0.25, &style("0.0%")).unwrap();
    sheet.write_number_with_format(5, 0, 12, &style("\"GH-\"0000")).unwrap();
    sheet.set_row_hidden(4).unwrap();
    sheet.autofilter(0, 0, 5, 4).unwrap();
    book.add_worksheet().write_string(0, 0, "x").unwrap();
    book.save_to_buffer().unwrap()
}

/// One as it is written row by row.
fn rows_of_texts() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut table = Table::xlsx(&mut bytes, "名单", 2).unwrap();
    for row in [["编号", "名称"], ["007", "海洋实验室"], ["", "_x000D_甲 & 乙 "]] {
        table.row(&row.map(str::to_owned)).unwrap();
    }
    table.finish().unwrap();
    bytes
}

/// A workbook is a table of bounded rows and cells, or refused in both languages.
fn is_taken(bytes: &[u8]) -> bool {
    let mut taken = false;
    for merged in [false, true] {
        let options = Options {
            merged,
            ..Options::default()
        };
        match table(bytes, &options) {
            Ok((header, rows)) => {
                taken = true;
                assert!(rows.last().is_none_or(|row| row.number < 1 << 25));
                assert!(rows.iter().all(|row| row.cells.len() <= 16_384));
                // A number has a few hundred digits at most, and what its format adds.
                let cells = rows.iter().flat_map(|row| &row.cells).chain(&header);
                assert!(cells.map(String::len).max().unwrap_or_default() <= bytes.len() + 1_000);
            }
            Err(error) => told_well(&error, bytes.len()),
        }
    }
    taken
}

const WORDS: &[&[u8]] = &[
    b"9999999999",
    b"9999999999",
    b"AAAAAAAA",
    b"XFE1",
    b"1e300",
    b"<row>",
    b"</row>",
    b"<c>",
    b"<v>",
    b"<f/>",
    b"&#x10FFFF;",
    b"<!--",
    b" r=\"B2\"",
    b"PK\x01\x02",
    b"PK\x05\x06",
];

#[test]
fn a_workbook_with_any_bytes_changed_is_a_table_or_is_refused() {
    let told = fuzz(1_500, &[book(), rows_of_texts()], WORDS, |_, bytes| is_taken(bytes));
    told.expect_both();
}

/// The parts of a workbook by their names.
fn parts(book: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(book)).unwrap();
    let mut parts = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        parts.push((name, bytes));
    }
    parts
}

/// A workbook of these parts, of which one is another.
fn packed(parts: &[(String, Vec<u8>)], place: usize, other: &[u8]) -> Vec<u8> {
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (index, (name, bytes)) in parts.iter().enumerate() {
        out.start_file(name.as_str(), stored).unwrap();
        out.write_all(if index == place { other } else { bytes }).unwrap();
    }
    out.finish().unwrap().into_inner()
}

/// A sheet and its texts in so few bytes that most changes meet something that counts.
const SMALL: [(&str, &str); 2] = [
    (
        "xl/worksheets/sheet1.xml",
        "<worksheet><dimension ref=\"A1:C4\"/><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c>\
         <c r=\"B1\" t=\"inlineStr\"><is><t>x</t></is></c></row><row r=\"2\" hidden=\"1\"><c r=\"A2\" s=\"1\"><v>45473.5</v></c>\
         <c r=\"C2\"><f>1</f></c></row><row><c><v>1e3</v></c><c/></row></sheetData><mergeCells><mergeCell ref=\"A2:A4\"/>\
         <mergeCell ref=\"B1:C1\"/></mergeCells></worksheet>",
    ),
    (
        "xl/sharedStrings.xml",
        "<sst count=\"1\" uniqueCount=\"1\"><si><t>y</t></si></sst>",
    ),
];

/// What is changed in a packed workbook is mostly found by its checksum: so each part is changed before it is packed.
#[test]
fn a_workbook_with_any_bytes_of_a_part_changed_is_a_table_or_is_refused() {
    let mut small = parts(&book());
    for (name, text) in SMALL {
        let (_, bytes) = small.iter_mut().find(|(known, _)| known == name).unwrap();
        *bytes = text.as_bytes().to_vec();
    }
    let books = [small, parts(&book()), parts(&rows_of_texts())];
    let sheet = "xl/worksheets/sheet1.xml";
    let places = [
        (0_usize, sheet),
        (0, sheet),
        (0, sheet),
        (0, "xl/sharedStrings.xml"),
        (1, sheet),
        (1, "xl/sharedStrings.xml"),
        (1, "xl/styles.xml"),
        (1, "xl/workbook.xml"),
        (1, "xl/_rels/workbook.xml.rels"),
        (2, sheet),
    ]
    .map(|(of, name)| (of, books[of].iter().position(|(known, _)| known == name).unwrap()));
    let seeds = places.map(|(of, place): (usize, usize)| books[of][place].1.clone());
    let told = fuzz(2_000, &seeds, WORDS, |seed, bytes| {
        let (of, place) = places[seed];
        is_taken(&packed(&books[of], place, bytes))
    });
    told.expect_both();
}
