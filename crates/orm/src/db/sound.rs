//! Whether the database can be read and written, as far as it has shown by itself. A process has one database, so it knows this once.

use std::sync::LazyLock;

use tokio::sync::watch;

use crate::error::{Class, Error};

static TROUBLE: LazyLock<watch::Sender<Option<Trouble>>> = LazyLock::new(|| watch::Sender::new(None));

/// What is the matter with a database or its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// What is stored cannot be read as it was written.
    Damaged,
    /// It was writable, and the disk takes nothing any more.
    Unwritable,
    /// It is there to be read only.
    ReadOnly,
    /// Its disk has no room.
    Full,
    /// A file of it cannot be opened.
    Unopened,
    /// The disk has not taken what was brought from SQLite's log into its file. Nothing is written any more, and the process has to
    /// end without closing the database, so that the next one brings all of the log into the file again.
    Unsynced,
}

impl Trouble {
    /// What an error code tells: of SQLite, also an extended one, or of PostgreSQL, which has five characters.
    pub(crate) fn of_code(code: &str) -> Option<Self> {
        if code.len() >= 5 {
            return match code {
                "XX001" | "XX002" | "58030" => Some(Self::Damaged),
                // 42501: the system refuses PostgreSQL a file, or PostgreSQL refuses us a table.
                "25006" | "42501" => Some(Self::ReadOnly),
                "53100" => Some(Self::Full),
                _ => None,
            };
        }
        let code: i32 = code.parse().ok()?;
        match (code & 0xff, code >> 8) {
            (11 | 26, _) => Some(Self::Damaged),
            // No memory; locks. Neither is of the disk.
            (10, 12 | 14 | 15) => None,
            // The index of the log cannot be made longer.
            (10, 19) => Some(Self::Full),
            // Written, synced, truncated, deleted; the folder synced.
            (10, 3 | 4 | 5 | 6 | 10 | 23) => Some(Self::Unwritable),
            (10, _) => Some(Self::Damaged),
            (8, _) => Some(Self::ReadOnly),
            (13, _) => Some(Self::Full),
            (14, _) => Some(Self::Unopened),
            _ => None,
        }
    }

    /// Takes note of it where it does not pass by itself: whoever tells of the health of the process hears of it.
    pub(crate) fn noted(self) -> Self {
        if matches!(self, Self::Damaged | Self::Unwritable | Self::Unsynced) {
            TROUBLE.send_if_modified(|known| {
                let stays = matches!(*known, Some(Self::Unsynced))
                    || (*known == Some(Self::Damaged) && self == Self::Unwritable);
                let news = *known != Some(self) && !stays;
                if news {
                    *known = Some(self);
                }
                news
            });
        }
        self
    }

    /// What it means for whoever runs the register.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Damaged => {
                "the database is damaged or its disk cannot be read: end the register, look after the disk, keep a copy of the \
                 files, and put back the last backup (docs/operators.md, Backup)"
            }
            Self::Unwritable => {
                "the disk takes nothing that is written to the database: end the register, look after the disk, and start it again"
            }
            Self::ReadOnly => "the database is read-only: make it and its folder writable, or name the primary",
            Self::Unsynced => {
                "the disk has not taken what was written to the database: the register ends, so that the next start brings all of \
                 the log into the file again; look for the fault of the disk first"
            }
            Self::Full => "the disk of the database is full: make room",
            Self::Unopened => "a file of the database cannot be opened: are too many files open, or was it moved?",
        }
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        let (class, reason, said) = match trouble {
            Trouble::Damaged => (
                Class::DataLoss,
                "DATABASE_DAMAGED",
                "what the register has stored cannot be read: whoever runs it has to look after it, and trying again does not help",
            ),
            Trouble::Unwritable | Trouble::ReadOnly | Trouble::Unsynced => (
                Class::Unavailable,
                "DATABASE_READ_ONLY",
                "the database takes no writes: nothing was written, and whoever runs the register has to look after it",
            ),
            Trouble::Full => (
                Class::Exhausted,
                "DATABASE_FULL",
                "the disk of the database is full: nothing was written, make room and try again",
            ),
            Trouble::Unopened => (
                Class::Unavailable,
                "DATABASE_UNREACHABLE",
                "the database cannot be opened: try again",
            ),
        };
        Self::new(class, reason, said)
    }
}

/// Tells when the database of this process turns out to be damaged, or takes no writes any more.
pub fn trouble() -> watch::Receiver<Option<Trouble>> {
    TROUBLE.subscribe()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        for (codes, trouble) in [
            (
                &[
                    "11", "26", "267", "523", "779", "10", "266", "522", "8202", "8458", "XX001", "XX002", "58030",
                ][..],
                Some(Trouble::Damaged),
            ),
            (&["778", "1034", "1290", "1546", "2570"], Some(Trouble::Unwritable)),
            (&["8", "1032", "264", "25006", "42501"], Some(Trouble::ReadOnly)),
            (&["13", "4874", "53100"], Some(Trouble::Full)),
            (&["14", "526"], Some(Trouble::Unopened)),
            (
                &[
                    "1", "5", "517", "3082", "3850", "19", "2067", "40001", "23505", "57014", "10000", "",
                ],
                None,
            ),
        ] {
            for code in codes {
                assert_eq!(Trouble::of_code(code), trouble, "{code}");
            }
        }
    }
}
