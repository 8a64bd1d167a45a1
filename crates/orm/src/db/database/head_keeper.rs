//! Keeps the side file with the last number of the ledger up to date (docs/adr/0021-head.md).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sea_orm::{EntityTrait, QuerySelect};
use tokio::task::JoinHandle;

use super::Db;
use crate::db::entity::ledger_head;
use crate::db::head::{beside, with_ending};
use crate::db::settings;
use crate::db::watched::watched;
use crate::error::{Error, Result};

/// How often it is looked whether the ledger has grown.
const BETWEEN: Duration = Duration::from_secs(1);

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
