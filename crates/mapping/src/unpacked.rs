//! Whether a workbook unpacks to more than is sound: it is seen before anything of it is read.

use std::io::{BufReader, Read};

use zip::ZipArchive;

use crate::content::Input;
use crate::error::{Said, broken, said};
use crate::facts::texts_told;
use crate::options::Limits;

/// A text takes so many bytes at least (`<si/>`), and so many may be told beside those that there is room for: some programs count each
/// use of a text.
const TEXT_LEAST: u64 = 5;
const TEXTS_BESIDE: u64 = 1 << 20;

/// Unpacks everything once without keeping it, and says what is too large. What the archive declares of itself is not
/// believed.
pub(crate) fn check(input: Input, limits: Limits) -> Result<(), Said> {
    let mut archive = ZipArchive::new(input).map_err(broken)?;
    let mut all = 0;
    let mut held = 0;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        // Parts are found by their names in any case.
        let folded = name.to_ascii_lowercase();
        let sheet = folded.starts_with("xl/worksheets/");
        let xml = folded.ends_with(".xml") || folded.ends_with(".rels");
        let mut buffer = vec![0; 64 * 1024];
        let mut run = 0;
        let mut own = 0u64;
        loop {
            let length = entry.read(&mut buffer).map_err(|e| broken(format!("{name}: {e}")))?;
            if length == 0 {
                break;
            }
            all += length as u64;
            own += length as u64;
            held += if xml && !sheet { length as u64 } else { 0 };
            for &byte in buffer.iter().take(length) {
                run = if matches!(byte, b'<' | b'>') { 0 } else { run + 1 };
                if xml && run > limits.text {
                    return Err(said(
                        format!(
                            "{name}: a cell or tag of more than {} bytes; shorten its text",
                            limits.text
                        ),
                        format!("{name}：有单元格或标记超过 {} 字节，请缩短文字", limits.text),
                    ));
                }
            }
            if all > limits.unpacked || held > limits.held {
                let (all, held) = (limits.unpacked >> 20, limits.held >> 20);
                return Err(said(
                    format!("unpacks to more than {all} MiB, or {held} MiB of texts and styles; save it as CSV"),
                    format!("解压后超过 {all} MiB，或其中文字和样式超过 {held} MiB；请另存为 CSV"),
                ));
            }
        }
        drop(entry);
        if folded.ends_with("sharedstrings.xml") {
            let entry = archive.by_index(index).map_err(broken)?;
            if texts_told(BufReader::new(entry)) > own / TEXT_LEAST + TEXTS_BESIDE {
                return Err(broken(format!("{name}: more texts are told than it can hold")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use mingce_e2e::fuzz::fuzz;
    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn archive(name: &str, text: &[u8]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text).unwrap();
        zip.finish().unwrap().into_inner()
    }

    fn opened(bytes: Vec<u8>) -> Input {
        BufReader::new(Box::new(Cursor::new(bytes)))
    }

    fn packed(name: &str, text: &[u8]) -> Input {
        opened(archive(name, text))
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused_before_it_is_read() {
        let limits = Limits {
            unpacked: 1 << 20,
            held: 1 << 18,
            text: 1 << 10,
        };
        let many = b"<c/>".repeat(1 << 17);
        assert!(check(packed("xl/worksheets/sheet1.xml", &many), limits).is_ok());
        assert!(
            check(packed("xl/sharedStrings.xml", &many), limits)
                .unwrap_err()
                .en
                .starts_with("unpacks to more")
        );
        let all = b"<c/>".repeat((1 << 18) + 1);
        assert!(
            check(packed("xl/worksheets/sheet1.xml", &all), limits)
                .unwrap_err()
                .en
                .starts_with("unpacks to more")
        );
        let cell = [b"<c>".as_slice(), &[b'x'; 2000], b"</c>"].concat();
        assert!(
            check(packed("xl/worksheets/sheet1.xml", &cell), limits)
                .unwrap_err()
                .en
                .contains("a cell or tag of more")
        );
        let named = packed("XL/SHAREDSTRINGS.XML", &many);
        assert!(check(named, limits).unwrap_err().en.starts_with("unpacks to more"));
    }

    /// All bytes that an archive unpacks to.
    fn unpacked(bytes: &[u8]) -> u64 {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let entries = 0..archive.len();
        entries
            .map(|index| std::io::copy(&mut archive.by_index(index).unwrap(), &mut std::io::sink()).unwrap())
            .sum()
    }

    #[test]
    fn an_archive_with_any_bytes_changed_unpacks_to_no_more_than_is_allowed() {
        let limits = |most| Limits {
            unpacked: most,
            held: most,
            text: 1 << 10,
        };
        let seeds = [
            archive("xl/worksheets/sheet1.xml", &b"<c/>".repeat(12_000)),
            archive("xl/sharedStrings.xml", b"<sst uniqueCount=\"2\"><si/><si/></sst>"),
            archive("xl/workbook.xml", &b"<sheet/>".repeat(2_000)),
        ];
        let words: &[&[u8]] = &[
            b"PK\x01\x02",
            b"PK\x03\x04",
            b"PK\x05\x06",
            b"\xff\xff\xff\xff",
            b"\0\0\0\0",
        ];
        let told = fuzz(3_000, &seeds, words, |_, bytes| {
            if check(opened(bytes.to_vec()), limits(20_000)).is_ok() {
                assert!(unpacked(bytes) <= 20_000);
            }
            match check(opened(bytes.to_vec()), limits(1 << 20)) {
                Ok(()) => true,
                Err(said) => {
                    assert!(!said.en.is_empty() && !said.zh.is_ascii(), "{said:?}");
                    false
                }
            }
        });
        told.expect_both();
    }
}
