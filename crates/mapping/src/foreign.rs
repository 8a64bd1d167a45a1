//! Files that are not tables, and what to do with them.

use std::io::{self, Read};

use zip::ZipArchive;

use crate::content::Input;
use crate::error::{Said, said};

/// What to do with a file that a spreadsheet can open.
const RESAVE: &str = "open it and save it as .xlsx (另存为 → Excel 工作簿)";
const RESAVE_ZH: &str = "请打开后另存为 .xlsx（另存为 → Excel 工作簿）";

fn resave(en: &str, zh: &str) -> Said {
    said(format!("{en}; {RESAVE}"), format!("{zh}；{RESAVE_ZH}"))
}

/// What is wrong with an archive that is no XLSX workbook.
pub(crate) fn archive(input: Input) -> Option<Said> {
    let Ok(mut archive) = ZipArchive::new(input) else {
        return Some(said(
            "not a workbook: the file is cut off or damaged (文件不完整); fetch or copy it again",
            "文件不完整或已损坏；请重新下载或复制",
        ));
    };
    let mut kind = String::new();
    if let Ok(entry) = archive.by_name("mimetype") {
        // What cannot be read says nothing.
        let _ = entry.take(200).read_to_string(&mut kind);
    }
    let has = |archive: &ZipArchive<Input>, name: &str| archive.index_for_name(name).is_some();
    if kind.contains("opendocument") {
        return Some(resave("an OpenDocument file (.ods)", "这是 OpenDocument 文件（.ods）"));
    }
    if archive.file_names().any(|name| {
        name.as_ref()
            .is_ok_and(|n| n.ends_with(".iwa") || n.ends_with("Index.zip"))
    }) {
        return Some(said(
            "a document of Apple Numbers; open it and export it as Excel (.xlsx)",
            "这是苹果 Numbers 表格；请打开后导出为 Excel（.xlsx）",
        ));
    }
    if has(&archive, "word/document.xml") {
        return Some(said(
            "a Word document (.docx); copy its table into a workbook and save it as .xlsx",
            "这是 Word 文档（.docx）；请把其中的表格复制到工作簿，另存为 .xlsx",
        ));
    }
    if has(&archive, "xl/workbook.bin") {
        return Some(resave("a binary workbook (.xlsb)", "这是二进制工作簿（.xlsb）"));
    }
    if !has(&archive, "xl/workbook.xml") {
        return Some(said(
            "an archive (.zip) and no workbook; unpack it and import the tables in it",
            "这是压缩包（.zip），不是工作簿；请解压后导入其中的表格",
        ));
    }
    None
}

/// What is wrong with a file that begins with `start` and is no text.
pub(crate) fn other(start: &[u8], open: impl FnOnce() -> io::Result<Input>) -> io::Result<Option<Said>> {
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
            (true, _) => said(
                "protected by a password (有密码保护); open it, take the password away and save it again as .xlsx",
                "文件有密码保护；请打开后取消密码，再另存为 .xlsx",
            ),
            (_, true) => said(
                "a Word document (.doc); copy its table into a workbook and save it as .xlsx",
                "这是 Word 文档（.doc）；请把其中的表格复制到工作簿，另存为 .xlsx",
            ),
            _ => resave(
                "a workbook of the old format (.xls, or .et of WPS)",
                "这是旧格式的工作簿（.xls，或 WPS 的 .et）",
            ),
        }));
    }
    if start.starts_with(b"%PDF") {
        return Ok(Some(said(
            "a PDF; ask for the table itself, as .xlsx or CSV",
            "这是 PDF；请索取表格原件（.xlsx 或 CSV）",
        )));
    }
    if start.starts_with(b"PK\x05\x06")
        || start.starts_with(b"Rar!")
        || start.starts_with(b"7z\xbc\xaf")
        || start.starts_with(b"\x1f\x8b")
    {
        return Ok(Some(said(
            "an archive; unpack it and import the tables in it",
            "这是压缩包；请解压后导入其中的表格",
        )));
    }
    if start.starts_with(b"\x89PNG") || start.starts_with(b"\xff\xd8\xff") {
        return Ok(Some(said(
            "a picture; ask for the table itself, as .xlsx or CSV",
            "这是图片；请索取表格原件（.xlsx 或 CSV）",
        )));
    }
    let text = String::from_utf8_lossy(start).to_lowercase();
    let text = text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    let is = |tag: &str| text.starts_with(tag) || text.starts_with("<?xml") && text.contains(tag);
    if is("<workbook") || is("<?mso-application") {
        return Ok(Some(resave(
            "a workbook of the XML of 2003",
            "这是 2003 版 XML 格式的工作簿",
        )));
    }
    if is("<uof:uof") {
        return Ok(Some(resave("a document in UOF", "这是标文通（UOF）文件")));
    }
    if ["<!doctype html", "<html", "<head", "<meta", "<table", "<body"]
        .iter()
        .any(|tag| is(tag))
    {
        return Ok(Some(said(
            format!("a web page (HTML), whatever its name says; {RESAVE}, or fetch it anew if it should be a table"),
            format!("这是网页（HTML），与文件名无关；{RESAVE_ZH}；若本应是表格，请重新下载"),
        )));
    }
    Ok(None)
}
