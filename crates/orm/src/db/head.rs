//! The last known number of the ledger, in a small file beside an SQLite database: a register that lost the end of its ledger while
//! nobody looked does not start as if nothing had been (docs/adr/0021-head.md).

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sea_orm::{EntityTrait, QuerySelect};
use tokio::task::JoinHandle;

use crate::db::database::Db;
use crate::db::entity::ledger_head;
use crate::db::settings;
use crate::db::watched::watched;
use crate::error::{Class, Error, Result};

/// How often it is looked whether the ledger has grown.
const BETWEEN: Duration = Duration::from_secs(1);

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

/// Keeps the file up to date.
#[derive(Debug)]
pub(crate) struct Keeper {
    note: Arc<Note>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Note {
    file: PathBuf,
    register: String,
    written: AtomicI64,
}

impl Keeper {
    /// Writes how far the ledger goes now, and from now on each second in which it has grown.
    pub async fn start(db: &Db, database: &Path) -> Result<Self> {
        let note = Arc::new(Note {
            file: beside(database),
            register: register(db).await?,
            written: AtomicI64::new(-1),
        });
        note.look(db).await;
        let (kept, db) = (Arc::clone(&note), db.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(BETWEEN).await;
                let _ = watched("how far the ledger goes", kept.look(&db)).await;
            }
        });
        Ok(Self { note, task })
    }

    /// Writes it a last time.
    pub async fn end(&self, db: &Db) {
        self.task.abort();
        self.note.look(db).await;
    }
}

impl Note {
    async fn look(&self, db: &Db) {
        let done = match last(db).await {
            Ok(number) if number == self.written.load(Ordering::Relaxed) => Ok(()),
            Ok(number) => self.write(number).map_err(|error| error.to_string()),
            Err(error) => Err(error.logged().to_owned()),
        };
        if let Err(why) = done {
            tracing::warn!("{} is not up to date: {why}", self.file.display());
        }
    }

    /// All of it or nothing, also where the process ends meanwhile.
    fn write(&self, ledger: i64) -> std::io::Result<()> {
        let new = with_ending(&self.file, ".new");
        let mut file = fs::File::create(&new)?;
        file.write_all(format!("register {}\nledger {ledger}\n", self.register).as_bytes())?;
        drop(file);
        fs::rename(&new, &self.file)?;
        self.written.store(ledger, Ordering::Relaxed);
        Ok(())
    }
}

async fn last(db: &Db) -> Result<i64> {
    let head = ledger_head::Entity::find_by_id(ledger_head::ID);
    let last = head.select_only().column(ledger_head::Column::Sequence);
    Ok(last.into_tuple::<i64>().one(db.one()).await?.unwrap_or(0))
}

/// The id of the register, which it gets when it is first asked for.
async fn register(db: &Db) -> Result<String> {
    let id = format!("{:032x}", rand::random::<u128>());
    settings::note_first(db.owner(), "register", &id).await?;
    let noted = settings::value(db.owner(), "register").await?;
    noted.ok_or_else(|| Error::internal("the register has no id"))
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
