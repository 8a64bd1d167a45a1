//! The machine that was measured: what it is made of, and how long its disk takes to keep something.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor, Row};

use crate::load::micros;

/// How many times something is kept.
const TIMES: usize = 200;

/// The machine.
#[derive(Debug, Default, Serialize)]
pub struct Machine {
    /// Name of the processor.
    pub processor: String,
    /// How many there are for this process.
    pub processors: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The kernel.
    pub kernel: String,
    /// The file system that the databases lie on.
    pub file_system: String,
    /// What that lies on.
    pub disk: String,
    /// Milliseconds until 4 KiB that were added to a file are kept: half of the times within the first, 99 of 100 within
    /// the second.
    pub fsync_ms: [f64; 2],
    /// The version of SQLite.
    pub sqlite: String,
    /// The version of PostgreSQL, where it was measured.
    pub postgres: Option<String>,
}

impl Machine {
    /// This machine, with the databases in a folder.
    ///
    /// # Errors
    /// Where the folder cannot be written to.
    pub async fn look(data: &Path) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let folder = data.canonicalize().unwrap_or_else(|_| data.to_owned());
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kib: u64 = memory
            .split(' ')
            .next()
            .and_then(|kib| kib.parse().ok())
            .unwrap_or_default();
        let (disk, file_system) = mount(&read("/proc/mounts"), &folder);
        Ok(Self {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            processors: crate::cpu::processors(),
            memory_mib: kib / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system,
            disk,
            fsync_ms: fsync(data).with_context(|| format!("{}: nothing can be kept", data.display()))?,
            sqlite: sqlite_version().await?,
            postgres: None,
        })
    }
}

/// How many files a process may have open here; its children inherit that.
pub fn open_files() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The value after a name and a colon.
fn field(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':'))
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

/// The disk and the type of the file system that a folder lies on: those of the longest mount point above it.
fn mount(mounts: &str, folder: &Path) -> (String, String) {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?, words.next()?))
    });
    let above = mounts
        .filter(|(_, point, _)| folder.starts_with(point))
        .max_by_key(|(_, point, _)| point.len());
    above.map_or_else(Default::default, |(disk, _, kind)| (disk.to_owned(), kind.to_owned()))
}

/// Adds to a file in a folder and waits until it is kept, again and again.
fn fsync(folder: &Path) -> std::io::Result<[f64; 2]> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begun = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_all()?;
        times.push(micros(begun));
    }
    times.sort_unstable();
    let at = |place: usize| times.get(place).copied().map_or(0.0, |time| f64::from(time) / 1000.0);
    Ok([at(TIMES / 2), at(TIMES * 99 / 100)])
}

/// The SQLite of this program, which is that of the register too: both are built with the same one.
async fn sqlite_version() -> Result<String> {
    let mut db = SqliteConnection::connect_with(&SqliteConnectOptions::new().in_memory(true)).await?;
    let version: String = db
        .fetch_one(sqlx::raw_sql("SELECT sqlite_version()"))
        .await?
        .try_get(0)?;
    Ok(format!("SQLite {version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lies_on_the_file_system_of_the_longest_mount_point_above_it() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\ntmpfs /tm proc rw 0 0\n";
        let of = |folder: &str| mount(mounts, Path::new(folder));
        assert_eq!(of("/tmp/x"), ("tmpfs".to_owned(), "tmpfs".to_owned()));
        assert_eq!(of("/var"), ("/dev/a".to_owned(), "ext4".to_owned()));
    }

    #[test]
    fn keeping_something_takes_time() {
        let folder = tempfile::tempdir().unwrap();
        let [half, most] = fsync(folder.path()).unwrap();
        assert!(0.0 < half && half <= most, "{half} {most}");
    }
}
