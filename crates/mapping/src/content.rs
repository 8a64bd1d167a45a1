//! The bytes of a source: a file or memory, opened as often as asked.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::PathBuf;
use std::sync::Arc;

/// What files and memory have in common.
pub(crate) trait Bytes: Read + Seek {}
impl<T: Read + Seek> Bytes for T {}

/// They are read from the start.
pub(crate) type Input = BufReader<Box<dyn Bytes>>;

/// Where the bytes of a source are.
#[derive(Debug)]
pub(crate) enum Content {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

impl Content {
    pub(crate) fn open(&self) -> io::Result<Input> {
        let bytes: Box<dyn Bytes> = match self {
            Content::File(path) => Box::new(File::open(path)?),
            Content::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
        };
        Ok(BufReader::with_capacity(64 * 1024, bytes))
    }
}
