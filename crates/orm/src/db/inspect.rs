//! What an SQLite file is, before anything opens it for writing: a register, something else, or one that is damaged, locked, read-only
//! or without room. It looks at little, however large the file is: a start does not take longer for it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::db::head::{Reach, beside, with_ending};
use crate::db::sound::Trouble;
use crate::error::{Class, Error, Result};

/// What an SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The room that is tried for: as much as the index of SQLite's log takes, and some more.
const ROOM: usize = 64 << 10;

/// How many of the newest entries of the ledger are read.
const NEWEST: i64 = 100;

/// Refuses an SQLite file that cannot serve, and says how far its ledger goes. A file that does not exist, or is empty, is fine.
///
/// # Errors
/// Reasons `DATABASE_DAMAGED`, `DATABASE_FOREIGN`, `DATABASE_FULL`, `DATABASE_LOCKED`, `DATABASE_READ_ONLY`; each with what to do.
pub async fn recognise_file(path: &Path) -> Result<Reach> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || look(&path))
        .await
        .map_err(Error::internal)?
}

fn look(path: &Path) -> Result<Reach> {
    if !path.exists() {
        // Without its folder nothing was here.
        return match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && folder.is_dir() => {
                writable(path).map(|()| Reach::default())
            }
            _ => Ok(Reach::default()),
        };
    }
    first_page(path)?;
    let found = read(path);
    match &found {
        Err(error) if error.reason() == "DATABASE_FOREIGN" => {}
        // Where it cannot be read because it cannot be written, or has no room, that is the reason.
        _ => writable(path)?,
    }
    found
}

/// What the first bytes say: whether it is a file of SQLite, and whether its end is missing.
fn first_page(path: &Path) -> Result<()> {
    let mut first = Vec::new();
    let (mut file, length) = File::open(path)
        .and_then(|file| file.metadata().map(|about| (file, about.len())))
        .map_err(|error| of_system(path, &error))?;
    (&mut file)
        .take(100)
        .read_to_end(&mut first)
        .map_err(|error| of_system(path, &error))?;
    let log = fs::metadata(with_ending(path, "-wal")).map_or(0, |about| about.len());
    if length == 0 {
        return Ok(());
    }
    let Some(first) = first.first_chunk::<100>().filter(|first| first.starts_with(MAGIC)) else {
        if log > 0 || beside(path).exists() {
            return Err(damaged(path, "it does not begin as SQLite's files do"));
        }
        return Err(foreign(path, "it is no SQLite file"));
    };
    let number = |at: usize| {
        u64::from(u32::from_be_bytes([
            first[at],
            first[at + 1],
            first[at + 2],
            first[at + 3],
        ]))
    };
    let page = match u64::from(u16::from_be_bytes([first[16], first[17]])) {
        1 => 65536,
        size => size,
    };
    if !page.is_power_of_two() || page < 512 {
        return Err(damaged(path, "its first page has no size of pages"));
    }
    // What the log holds may stand behind the end.
    if log == 0 && number(24) == number(92) && length < number(28) * page {
        return Err(damaged(
            path,
            &format!("its last {} bytes are missing", number(28) * page - length),
        ));
    }
    Ok(())
}

/// Its tables, the first page of each, its settings, and the end of the ledger. SQL: no connection of sea-orm is open
/// yet.
fn read(path: &Path) -> Result<Reach> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| of_sqlite(path, &error))?;
    let read = || {
        connection.busy_timeout(Duration::from_secs(5))?;
        let text = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'";
        let mut tables = connection.prepare(text)?;
        tables
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<String>>>()
    };
    let tables = read().map_err(|error| of_sqlite(path, &error))?;
    if !is_register(&tables) {
        return Err(foreign(path, "it has other tables"));
    }
    let one = |text: &str| match connection.query_row(text, [], |row| row.get::<_, rusqlite::types::Value>(0)) {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(rusqlite::types::Value::Null),
        other => other,
    };
    let rest = || {
        for table in &tables {
            one(&format!("SELECT 1 FROM \"{}\" LIMIT 1", table.replace('"', "\"\"")))?;
        }
        if !["ledger_head", "ledger", "settings"]
            .iter()
            .all(|name| tables.iter().any(|t| t == name))
        {
            return Ok((Reach::default(), 0));
        }
        one(&format!(
            "SELECT sum(length(snapshot) + length(resource)) FROM (SELECT * FROM ledger ORDER BY sequence DESC LIMIT {NEWEST})"
        ))?;
        let number = |text: &str| connection.query_row(text, [], |row| row.get::<_, i64>(0));
        let id = connection.query_row(
            "SELECT coalesce((SELECT value FROM settings WHERE name = 'register'), '')",
            [],
            |row| row.get(0),
        )?;
        let found = Reach {
            register: id,
            ledger: number("SELECT coalesce(max(sequence), 0) FROM ledger_head")?,
        };
        Ok((found, number("SELECT coalesce(max(sequence), 0) FROM ledger")?))
    };
    let (found, newest) = rest().map_err(|error| of_sqlite(path, &error))?;
    if found.ledger != newest {
        let said = format!(
            "its ledger says that it goes to {} and ends with {newest}",
            found.ledger
        );
        return Err(damaged(path, &said));
    }
    Ok(found)
}

/// Whether these are the tables of a register, or none.
pub(crate) fn is_register(tables: &[String]) -> bool {
    tables.is_empty() || tables.iter().any(|table| table == "mingce_ledger_migrations")
}

/// Whether the files can be written, and their folder has room. Nothing is left behind.
fn writable(path: &Path) -> Result<()> {
    for file in [path.to_owned(), with_ending(path, "-wal"), with_ending(path, "-shm")] {
        match OpenOptions::new().write(true).open(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(of_system(&file, &error)),
            _ => {}
        }
    }
    let tried = with_ending(&beside(path), ".new");
    let written = File::create(&tried).and_then(|mut file| {
        file.write_all(&[0; ROOM])?;
        file.sync_data()
    });
    let gone = match fs::remove_file(&tried) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    written.and(gone).map_err(|error| of_system(path, &error))
}

fn damaged(path: &Path, why: &str) -> Error {
    let said = format!(
        "{} is damaged ({why}): keep a copy of it with the files beside it, look after the disk, and put back the last backup \
         (docs/operators.md, Backup)",
        path.display()
    );
    Error::new(Class::DataLoss, "DATABASE_DAMAGED", said)
}

fn foreign(path: &Path, why: &str) -> Error {
    let said = format!(
        "{} is not a register of mingce ({why}): name another file with --database, or another folder with --data",
        path.display()
    );
    Error::new(Class::Precondition, "DATABASE_FOREIGN", said)
}

fn full(path: &Path) -> Error {
    let said = format!("the disk of {} is full: make room, then start again", path.display());
    Error::new(Class::Exhausted, "DATABASE_FULL", said)
}

fn read_only(path: &Path, why: &dyn std::fmt::Display) -> Error {
    let said = format!(
        "{} cannot be written ({why}): give it and its folder to the user that runs mingce, and see that their disk is mounted for \
         writing",
        path.display()
    );
    Error::new(Class::Unavailable, "DATABASE_READ_ONLY", said)
}

fn of_system(path: &Path, error: &io::Error) -> Error {
    /// `EIO` of all systems.
    const BROKEN: i32 = 5;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => full(path),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => read_only(path, error),
        _ if error.raw_os_error() == Some(BROKEN) => damaged(path, &error.to_string()),
        _ => {
            let said = format!("{}: the database cannot be opened: {error}", path.display());
            Error::new(Class::Unavailable, "DATABASE_UNREACHABLE", said)
        }
    }
}

/// Why SQLite cannot open or read a file.
pub(crate) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Error {
    let code = error.sqlite_error().map_or(0, |error| error.extended_code);
    of_code(path, &code.to_string(), error)
}

/// The same from an error code.
pub(crate) fn of_code(path: &Path, code: &str, error: &dyn std::fmt::Display) -> Error {
    match (Trouble::of_code(code), code) {
        (Some(Trouble::Damaged), _) => damaged(path, &error.to_string()),
        (Some(Trouble::Full), _) => full(path),
        (Some(Trouble::ReadOnly | Trouble::Unwritable), _) => read_only(path, error),
        (_, "5" | "6" | "261" | "262" | "517" | "773") => {
            let said = format!(
                "{} is locked by another program: end that, then start again",
                path.display()
            );
            Error::new(Class::Unavailable, "DATABASE_LOCKED", said)
        }
        _ => {
            let said = format!("{}: the database cannot be opened: {error}", path.display());
            Error::new(Class::Unavailable, "DATABASE_UNREACHABLE", said)
        }
    }
}
