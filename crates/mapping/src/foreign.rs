//! Files that are not tables, and what to do with them.

use std::io::{self, Read};

use zip::ZipArchive;

use crate::workbook::Input;

const RESAVE: &str = "open it and save it as .xlsx (另存为 → Excel 工作簿)";

/// What is wrong with an archive that is no XLSX workbook.
pub(crate) fn archive(input: Input) -> Option<String> {
    let Ok(mut archive) = ZipArchive::new(input) else {
        return Some("not a workbook: the file is cut off or damaged (文件不完整); fetch or copy it again".to_owned());
    };
    let mut kind = String::new();
    if let Ok(entry) = archive.by_name("mimetype") {
        // What cannot be read says nothing.
        let _ = entry.take(200).read_to_string(&mut kind);
    }
    if kind.contains("opendocument") {
        return Some(format!("an OpenDocument file (.ods); {RESAVE}"));
    }
    if archive.index_for_name("word/document.xml").is_some() {
        return Some("a Word document (.docx); copy its table into a workbook and save it as .xlsx".to_owned());
    }
    if archive.index_for_name("xl/workbook.bin").is_some() {
        return Some(format!("a binary workbook (.xlsb); {RESAVE}"));
    }
    if archive.index_for_name("xl/workbook.xml").is_none() {
        return Some("an archive (.zip) and no workbook; unpack it and import the tables in it".to_owned());
    }
    None
}

/// What is wrong with a file that begins with `start` and is no text.
pub(crate) fn other(start: &[u8], open: impl FnOnce() -> io::Result<Input>) -> io::Result<Option<String>> {
    if start.starts_with(b"\xd0\xcf\x11\xe0") {
        let mut whole = open()?;
        let [sealed, word] = ["EncryptedPackage", "WordDocument"]
            .map(|t| t.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
        let (mut buffer, mut filled, mut found) = (vec![0; 64 * 1024], 0, (false, false));
        loop {
            let read = whole.read(buffer.get_mut(filled..).unwrap_or_default())?;
            let part = buffer.get(..filled + read).unwrap_or_default();
            found.0 |= part.windows(sealed.len()).any(|w| w == sealed);
            found.1 |= part.windows(word.len()).any(|w| w == word);
            if read == 0 {
                break;
            }
            // A name may stand across two parts.
            let kept = part.len().min(64);
            let from = part.len() - kept;
            buffer.copy_within(from..from + kept, 0);
            filled = kept;
        }
        return Ok(Some(match found {
            (true, _) => {
                "protected by a password (有密码保护); open it, take the password away and save it again".to_owned()
            }
            (_, true) => "a Word document (.doc); copy its table into a workbook and save it as .xlsx".to_owned(),
            _ => format!("a workbook of the old format (.xls); {RESAVE}"),
        }));
    }
    if start.starts_with(b"%PDF") {
        return Ok(Some("a PDF; ask for the table itself, as .xlsx or CSV".to_owned()));
    }
    if start.starts_with(b"Rar!") || start.starts_with(b"7z\xbc\xaf") || start.starts_with(b"\x1f\x8b") {
        return Ok(Some("an archive; unpack it and import the tables in it".to_owned()));
    }
    if start.starts_with(b"\x89PNG") || start.starts_with(b"\xff\xd8\xff") {
        return Ok(Some("a picture; ask for the table itself, as .xlsx or CSV".to_owned()));
    }
    let text = String::from_utf8_lossy(start).to_lowercase();
    let text = text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    let is = |tag: &str| text.starts_with(tag) || text.starts_with("<?xml") && text.contains(tag);
    if is("<workbook") || is("<?mso-application") {
        return Ok(Some(format!("a workbook of the XML of 2003; {RESAVE}")));
    }
    if ["<!doctype html", "<html", "<head", "<meta", "<table", "<body"]
        .iter()
        .any(|tag| is(tag))
    {
        return Ok(Some(format!(
            "a web page (HTML), whatever its name says; {RESAVE}, or fetch it anew if it should be a table"
        )));
    }
    Ok(None)
}
