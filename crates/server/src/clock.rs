//! The time that calls are made at: the system's, or that of a file, with which a year is tried in a minute.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock. Everything that depends on the time takes it from here, as an argument.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<File>>);

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// What it said last: a file that is being written says nothing.
    last: AtomicI64,
}

/// The time of a call, in microseconds since 1970. The server puts it among the extensions of each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestTime(pub(crate) i64);

impl Clock {
    /// A clock that says what stands in a file: an RFC 3339 time such as `2024-09-30T09:00:00+08:00`.
    ///
    /// # Errors
    /// Where the file cannot be read or holds no time.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let now = read(path)?;
        Ok(Self(Some(Arc::new(File {
            path: path.to_owned(),
            last: AtomicI64::new(now),
        }))))
    }

    /// Whether it is that of a file.
    pub fn is_file(&self) -> bool {
        self.0.is_some()
    }

    /// Microseconds since 1970.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the clock of the system is read"
    )]
    pub fn now(&self) -> i64 {
        let Some(file) = &self.0 else {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            return i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        };
        match read(&file.path) {
            Ok(now) => {
                file.last.store(now, Ordering::Relaxed);
                now
            }
            Err(why) => {
                tracing::warn!("the clock stands still: {why}");
                file.last.load(Ordering::Relaxed)
            }
        }
    }
}

fn read(path: &Path) -> Result<i64, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let time: Result<jiff::Timestamp, _> = text.trim().parse();
    time.map(|time| time.as_microsecond()).map_err(|_| {
        let said = "expected a time such as 2024-09-30T09:00:00+08:00";
        format!("{}: {said}", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_the_time_and_a_broken_one_leaves_it_where_it_was() {
        let path = std::env::temp_dir().join(format!("mingce-clock-{}", std::process::id()));
        fs::write(&path, "2024-09-30T09:00:00+08:00\n").unwrap();
        let clock = Clock::of_file(&path).unwrap();
        assert_eq!(clock.now(), 1_727_658_000_000_000);
        fs::write(&path, "").unwrap();
        assert_eq!(clock.now(), 1_727_658_000_000_000);
        fs::write(&path, "2024-10-01T00:00:00Z").unwrap();
        assert_eq!(clock.now(), 1_727_740_800_000_000);
        fs::remove_file(&path).unwrap();
        assert!(Clock::of_file(&path).is_err());
    }

    #[test]
    fn the_system_clock_is_later_than_this_was_written() {
        assert!(Clock::default().now() > 1_700_000_000_000_000);
    }
}
