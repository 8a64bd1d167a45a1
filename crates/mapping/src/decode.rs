//! Bytes of a known encoding as UTF-8, a buffer at a time.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

use crate::error::Error;

const CHUNK: usize = 32 * 1024;

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
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("byte {at} is not {name}"),
            ));
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

/// The encoding that a mapping fixes by name.
pub(crate) fn named(name: &str, place: &str) -> Result<&'static Encoding, Error> {
    match name.to_ascii_lowercase().as_str() {
        "utf-8" => Ok(UTF_8),
        // GB18030 holds GBK and GB 2312.
        "gb18030" | "gbk" | "gb2312" => Ok(GB18030),
        "utf-16le" => Ok(UTF_16LE),
        "utf-16be" => Ok(UTF_16BE),
        _ => Err(Error::mapping(
            place,
            format!("no encoding {name:?}; there are utf-8, gb18030, utf-16le, utf-16be"),
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
        assert_eq!(error, "byte 5 is not gb18030");
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
