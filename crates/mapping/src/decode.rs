//! Bytes of a known encoding as UTF-8, a buffer at a time.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, GB18030, GBK, UTF_8};

use crate::error::{Error, Said, said};

const CHUNK: usize = 32 * 1024;

/// What to do where the encoding is not clear.
const NAME_IT: &str = "name it: encoding = \"windows-1252\", \"big5\", \"shift_jis\", \"gb18030\" or another";
const NAME_IT_ZH: &str =
    "请在映射中写明 encoding，如 \"gb18030\"、\"big5\"、\"shift_jis\"、\"windows-1252\"，或另存为 UTF-8";

/// Reads `inner` in `encoding` and gives UTF-8. A byte that the encoding does not know is an error that says where.
pub(crate) struct Utf8<R> {
    inner: R,
    decoder: Decoder,
    encoding: &'static Encoding,
    /// Bytes that wait to be decoded.
    input: Waiting,
    /// Decoded bytes that wait to be read.
    output: Waiting,
    consumed: u64,
    done: bool,
}

struct Waiting {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Waiting {
    fn new(size: usize) -> Self {
        Waiting {
            bytes: vec![0; size],
            start: 0,
            end: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn get(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }
}

impl<R: Read> Utf8<R> {
    pub(crate) fn new(inner: R, encoding: &'static Encoding) -> Self {
        // Takes away a byte order mark of this encoding.
        let decoder = encoding.new_decoder_with_bom_removal();
        let (input, output) = (Waiting::new(CHUNK), Waiting::new(CHUNK));
        Utf8 {
            inner,
            decoder,
            encoding,
            input,
            output,
            consumed: 0,
            done: false,
        }
    }

    fn decode(&mut self) -> io::Result<()> {
        let mut last = false;
        if self.input.is_empty() {
            self.input.start = 0;
            self.input.end = self.inner.read(&mut self.input.bytes)?;
            last = self.input.end == 0;
        }
        let (result, read, written) =
            self.decoder
                .decode_to_utf8_without_replacement(self.input.get(), &mut self.output.bytes, last);
        self.input.start += read;
        self.consumed += read as u64;
        (self.output.start, self.output.end) = (0, written);
        if let DecoderResult::Malformed(length, after) = result {
            let at = self.consumed.saturating_sub(u64::from(length) + u64::from(after));
            let name = self.encoding.name();
            return Err(said(
                format!("byte {at} is not {name}: the file is damaged there, or has another encoding; {NAME_IT}"),
                format!("第 {at} 个字节不是 {name} 编码：文件在此处损坏，或是其他编码；{NAME_IT_ZH}"),
            )
            .into());
        }
        self.done = last && result == DecoderResult::InputEmpty;
        Ok(())
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.output.is_empty() && !self.done {
            self.decode()?;
        }
        let count = self.output.get().read(out)?;
        self.output.start += count;
        Ok(count)
    }
}

/// The encoding of `bytes`: that of their byte order mark, else `fixed`, else UTF-8 where they are valid UTF-8 to the
/// end, else GB18030.
pub(crate) fn detect(mut bytes: impl Read, fixed: Option<&'static Encoding>) -> io::Result<&'static Encoding> {
    let mut buffer = vec![0; CHUNK];
    let mut filled = bytes.read(&mut buffer)?;
    while filled < 3 {
        match bytes.read(&mut buffer[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    if let Some((encoding, _)) = Encoding::for_bom(&buffer[..filled]) {
        return Ok(encoding);
    }
    if let Some(encoding) = fixed {
        return Ok(encoding);
    }
    // What is left of a character that the end of the buffer cut stands at its beginning next time.
    loop {
        let (rest, bad) = match std::str::from_utf8(&buffer[..filled]) {
            Ok(_) => (0, false),
            Err(e) => (filled - e.valid_up_to(), e.error_len().is_some()),
        };
        if bad {
            return Ok(GB18030);
        }
        buffer.copy_within(filled - rest..filled, 0);
        match bytes.read(&mut buffer[rest..])? {
            0 => return Ok(if rest == 0 { UTF_8 } else { GB18030 }),
            more => filled = rest + more,
        }
    }
}

/// What is wrong with bytes of which `encoding` is only a guess; nothing where they may well be such.
pub(crate) fn implausible(mut bytes: impl Read, encoding: &'static Encoding) -> io::Result<Option<Said>> {
    if encoding != GB18030 {
        return Ok(None);
    }
    let mut look = Look::default();
    let mut utf8 = Utf8Look::default();
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = bytes.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        for &byte in buffer.iter().take(length) {
            look.byte(byte);
            utf8.byte(byte);
        }
    }
    look.end();
    utf8.end();
    let damaged = utf8.whole > 2 && utf8.whole > 4 * utf8.broken;
    Ok(if damaged {
        let at = utf8.first_broken.unwrap_or_default();
        Some(said(
            format!("UTF-8 that is damaged at byte {at} (文件已损坏); fetch or save it again"),
            format!("文件是 UTF-8，但在第 {at} 个字节处损坏；请重新下载或保存"),
        ))
    } else if look.latin > 0 && look.latin * 4 >= look.han + look.foreign {
        Some(said(
            format!("letters with accents in an encoding that is not UTF-8 (编码无法识别); {NAME_IT}"),
            format!("编码无法识别：有带符号的字母，但不是 UTF-8；{NAME_IT_ZH}"),
        ))
    } else if (look.foreign > 1 && look.foreign * 5 >= look.han + look.foreign)
        || (look.rare > 3 && look.rare * 5 > 3 * (look.han + look.foreign))
    {
        Some(said(
            format!("neither UTF-8 nor, it seems, GB18030 (编码无法识别); {NAME_IT}"),
            format!("编码无法识别：既不是 UTF-8，也不像 GB18030；{NAME_IT_ZH}"),
        ))
    } else {
        None
    })
}

/// Counts what bytes would be in GB18030.
#[derive(Default)]
struct Look {
    /// The last byte before the character at hand, the bytes of the character, and the last whole character if it is odd.
    before: u8,
    lead: Option<u8>,
    four: u8,
    /// A character whose second byte is a letter, behind a letter or not: it waits for what follows.
    waiting: Option<bool>,
    /// A letter with a tone, which does not stand behind another letter: it waits for what follows.
    toned: bool,
    han: u64,
    /// Those of them that stand before all that GB 2312 has.
    rare: u64,
    /// Characters of other scripts and of private use.
    foreign: u64,
    /// Characters whose second byte is a Latin letter, among Latin letters.
    latin: u64,
}

impl Look {
    fn byte(&mut self, byte: u8) {
        if self.four > 0 {
            self.four -= 1;
            return;
        }
        let Some(lead) = self.lead.take() else {
            if std::mem::take(&mut self.toned) && !byte.is_ascii_alphabetic() {
                self.foreign += 1;
            }
            if let Some(behind) = self.waiting.take() {
                let among = byte.is_ascii_lowercase() || (behind && byte.is_ascii_alphabetic());
                self.sort(among || (behind && !byte.is_ascii() && self.before.is_ascii_lowercase()));
            }
            if byte >= 0x81 {
                self.lead = Some(byte);
            } else {
                self.before = byte;
            }
            return;
        };
        match (lead, byte) {
            (_, 0x30..=0x39) => self.four = 2,
            // Behind an accent stands what no second byte can be.
            (_, 0..=0x2f | 0x3a..=0x3f | 0x7f) => {
                self.latin += 1;
                self.before = byte;
                return;
            }
            // Pinyin: ā á ǎ à and the like, among other letters.
            (0xa8, 0xa1..=0xc0) => {
                self.toned = !self.before.is_ascii_alphabetic();
                self.before = b'a';
                return;
            }
            (0xa1..=0xa7, 0..=0xa0) | (0xaa..=0xaf | 0xf8..=0xff, 0xa1..) | (0xa4..=0xa9, _) => self.foreign += 1,
            (0xa1 | 0xa3, _) => {}
            _ if byte.is_ascii_alphabetic() => self.waiting = Some(self.before.is_ascii_alphabetic()),
            _ => self.han += 1,
        }
        self.rare += u64::from((0x81..=0xa0).contains(&lead));
        self.before = if byte.is_ascii() { byte } else { 0 };
    }

    fn sort(&mut self, latin: bool) {
        if latin {
            self.latin += 1;
        } else {
            self.han += 1;
        }
    }

    fn end(&mut self) {
        self.foreign += u64::from(std::mem::take(&mut self.toned));
        if let Some(behind) = self.waiting.take() {
            self.sort(behind);
        }
    }
}

/// Counts what bytes would be in UTF-8.
#[derive(Default)]
struct Utf8Look {
    place: u64,
    left: u8,
    whole: u64,
    broken: u64,
    first_broken: Option<u64>,
}

impl Utf8Look {
    /// A character that the end cuts is broken too.
    fn end(&mut self) {
        if std::mem::take(&mut self.left) > 0 {
            self.broken += 1;
            self.first_broken = self.first_broken.or(Some(self.place));
        }
    }

    fn byte(&mut self, byte: u8) {
        self.place += 1;
        if self.left > 0 && (0x80..=0xbf).contains(&byte) {
            self.left -= 1;
            self.whole += u64::from(self.left == 0);
            return;
        }
        let cut = std::mem::take(&mut self.left) > 0;
        match byte {
            0..=0x7f => {}
            0xc2..=0xdf => self.left = 1,
            0xe0..=0xef => self.left = 2,
            0xf0..=0xf4 => self.left = 3,
            _ => self.broken += 1,
        }
        self.broken += u64::from(cut);
        if self.broken > 0 && self.first_broken.is_none() {
            self.first_broken = Some(self.place - 1);
        }
    }
}

/// The encoding that a mapping fixes by name: one that browsers know.
pub(crate) fn named(name: &str, place: &str) -> Result<&'static Encoding, Error> {
    match Encoding::for_label_no_replacement(name.as_bytes()) {
        // GB18030 holds GBK and GB 2312.
        Some(encoding) if encoding == GBK => Ok(GB18030),
        Some(encoding) => Ok(encoding),
        None => Err(Error::mapping(
            place,
            format!(
                "no encoding {name:?}; there are utf-8, gb18030, gbk, big5, shift_jis, windows-1252, utf-16le, utf-16be and others"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], encoding: &'static Encoding) -> io::Result<String> {
        let mut text = String::new();
        BufReader::new(Utf8::new(bytes, encoding)).read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn gb18030_is_told_by_bytes_that_are_not_utf8_also_far_from_the_start() {
        let mut bytes = vec![b'a'; 3 * CHUNK + 7];
        assert_eq!(detect(&bytes[..], None).unwrap(), UTF_8);
        bytes.extend("重点实验室".as_bytes());
        assert_eq!(detect(&bytes[..], None).unwrap(), UTF_8);
        bytes.truncate(bytes.len() - 1);
        assert_eq!(detect(&bytes[..], None).unwrap(), GB18030);
        bytes.extend(&*GB18030.encode("市南区").0);
        assert_eq!(detect(&bytes[..], None).unwrap(), GB18030);
    }

    #[test]
    fn a_byte_order_mark_is_stronger_than_the_mapping_and_is_taken_away() {
        let bytes = b"\xef\xbb\xbfid";
        assert_eq!(detect(&bytes[..], Some(GB18030)).unwrap(), UTF_8);
        assert_eq!(read(bytes, UTF_8).unwrap(), "id");
    }

    #[test]
    fn a_byte_that_is_neither_is_an_error_that_says_where() {
        let error = read(b"name\n\xff\n", GB18030).unwrap_err().to_string();
        assert!(error.starts_with("byte 5 is not gb18030: "), "{error}");
        assert!(error.contains("encoding = "), "{error}");
    }

    #[test]
    fn what_gb18030_would_only_make_nonsense_of_is_refused() {
        use encoding_rs::{BIG5, SHIFT_JIS, WINDOWS_1252};
        let problem = |bytes: &[u8]| implausible(bytes, GB18030).unwrap().map(|said| said.en);
        let of = |encoding: &'static Encoding, text: &str| problem(&encoding.encode(text).0);
        for text in [
            "name\nMüller\n",
            "name,city\nSøren Bäcker,Århus\nJosé,Bogotá\n",
            "Björk\n",
            "Åsa\n",
            "Hélène Dubois\n",
        ] {
            assert!(of(WINDOWS_1252, text).unwrap().contains("windows-1252"), "{text}");
        }
        for text in ["name\n示範大學\n", "單位\n國立海洋科技研究所\n臺北市立圖書館\n"] {
            assert!(of(BIG5, text).unwrap().contains("big5"), "{text}");
        }
        assert!(of(SHIFT_JIS, "機関名\nデータサイエンスセンター\n").is_some());
        let mut cut = "名称\n重点实验室\n市南区\n".as_bytes().to_vec();
        cut.remove(8);
        assert!(problem(&cut).unwrap().starts_with("UTF-8 that is damaged at byte 9"));
        let whole = "名称\n重点实验室\n".as_bytes();
        let end = whole.len() - 2;
        assert!(
            problem(&whole[..end])
                .unwrap()
                .starts_with("UTF-8 that is damaged at byte 21")
        );
        for text in [
            "姓名\n王镕\n",
            "单位,面积\n海洋A区B座,120㎡\n",
            "β-葡聚糖研究室（α型）与示范性重点实验室建设项目\n",
            "名称\nDNA測序與Ⅱ型糖尿病研究所\n",
            "键盘a镕b示例单位名称若干\n",
            "姓名,拼音\n张三,Zhāng Sān\n吕岩,Lǚ Yán\n欧阳娥,Ōuyáng É\n阿明,Ā Míng\n",
            "pīnyīn\nlǎoshī hǎo\n",
        ] {
            assert_eq!(of(GB18030, text), None, "{text}");
        }
    }

    #[test]
    fn encodings_have_the_names_that_browsers_know() {
        for (name, expected) in [
            ("GB2312", "gb18030"),
            ("big5", "Big5"),
            ("windows-1252", "windows-1252"),
            ("latin1", "windows-1252"),
            ("utf-16", "UTF-16LE"),
            ("shift_jis", "Shift_JIS"),
        ] {
            assert_eq!(named(name, "encoding").unwrap().name(), expected);
        }
        assert!(named("utf-7", "encoding").is_err());
    }

    proptest! {
        #[test]
        fn what_gb18030_can_write_is_read_as_it_was(text in "(\\PC|\n){0,200}", pad in 0usize..40_000) {
            let text = format!("{}{text}", "x".repeat(pad));
            let (bytes, _, failed) = GB18030.encode(&text);
            prop_assume!(!failed);
            prop_assert_eq!(read(&bytes, GB18030).unwrap(), text);
        }
    }
}
