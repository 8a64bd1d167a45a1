//! The last known number of the ledger, in a small file beside an SQLite database: a register that lost the end of its ledger while
//! nobody looked does not start as if nothing had been (docs/adr/0021-head.md).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Class, Error, Result};

/// A register, and how far its ledger goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Its id. Empty: it has none yet.
    pub register: String,
    /// The last number of its ledger.
    pub ledger: i64,
}

/// The file beside a database.
pub(crate) fn beside(database: &Path) -> PathBuf {
    with_ending(database, "-head")
}

/// Another file beside a database.
pub(crate) fn with_ending(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What is known of a database from before. Nothing, where there is no such file; or where it cannot be understood, as after a
/// power cut: it is not waited for until the disk has it.
pub(crate) fn known(database: &Path) -> Option<Reach> {
    let file = beside(database);
    match fs::read_to_string(&file) {
        Ok(text) => {
            let read = parse(&text);
            if read.is_none() {
                tracing::warn!("{} cannot be understood and is left aside", file.display());
            }
            read
        }
        Err(error) => {
            if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
                tracing::warn!("{} cannot be read and is left aside: {error}", file.display());
            }
            None
        }
    }
}

fn parse(text: &str) -> Option<Reach> {
    let mut lines = text.strip_suffix('\n')?.lines();
    let register = lines.next()?.strip_prefix("register ")?.to_owned();
    let ledger = lines.next()?.strip_prefix("ledger ")?.parse().ok()?;
    lines.next().is_none().then_some(Reach { register, ledger })
}

/// Refuses a database whose ledger ends before what is known of it, or one of another register; with `accept_loss` it is a warning.
///
/// # Errors
/// Reason `LEDGER_SHORTER_THAN_KNOWN`.
pub fn expect(database: &Path, found: &Reach, accept_loss: bool) -> Result<()> {
    let Some(known) = known(database) else { return Ok(()) };
    let is_other = !found.register.is_empty() && found.register != known.register;
    if !is_other && found.ledger >= known.ledger {
        return Ok(());
    }
    let wrong = if is_other {
        format!(
            "{} is another register than the one that ran here, whose ledger went to {}",
            database.display(),
            known.ledger
        )
    } else {
        format!(
            "the ledger of {} ends with {} and went to {}: acknowledged changes are missing",
            database.display(),
            found.ledger,
            known.ledger
        )
    };
    if accept_loss {
        tracing::warn!("{wrong}: it goes on from here, as --accept-loss says, and numbers after it are given again");
        return Ok(());
    }
    let said = format!(
        "{wrong}. Put back {0}-wal or a newer backup; where this is the backup that you mean to go on from, start once with \
         --accept-loss",
        database.display()
    );
    Err(Error::new(Class::Precondition, "LEDGER_SHORTER_THAN_KNOWN", said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_or_something_else_is_not_understood() {
        let whole = "register 0a1b\nledger 12345\n";
        let read = Reach {
            register: "0a1b".to_owned(),
            ledger: 12345,
        };
        assert_eq!(parse(whole), Some(read));
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "{end}");
        }
        assert_eq!(parse("\0\0\0\0\n"), None);
        assert_eq!(parse("register a\nledger 1\nledger 2\n"), None);
    }
}
