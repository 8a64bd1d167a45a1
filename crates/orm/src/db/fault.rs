//! What an error of the database means: whether to try again, and what a caller is told.

use rusqlite::ErrorCode;

use crate::db::sound::Trouble;
use crate::error::{Class, Error};

/// Whether the database asks to try the whole transaction again: a serialization failure, a deadlock, SQLite busy.
pub(crate) fn wants_retry(error: &sea_orm::DbErr) -> bool {
    matches!(
        code(error).as_deref(),
        Some("40001" | "40P01" | "5" | "6" | "517" | "261")
    )
}

/// Whether a unique key was taken meanwhile.
pub(crate) fn is_unique(error: &sea_orm::DbErr) -> bool {
    matches!(code(error).as_deref(), Some("23505" | "1555" | "2067"))
}

/// Whether another process keeps an SQLite database locked for longer than we wait.
pub(crate) fn is_locked(error: &sea_orm::DbErr) -> bool {
    matches!(code(error).as_deref(), Some("5" | "6" | "261" | "55P03"))
}

/// Whether the database has no room left on its disk.
pub(crate) fn is_full(error: &sea_orm::DbErr) -> bool {
    matches!(code(error).as_deref(), Some("13" | "53100"))
}

/// Whether a commit failed for a full disk and is undone: SQLite's. PostgreSQL ends the whole server where its log cannot be written,
/// and nobody knows yet what of it will be found.
pub(crate) fn is_undone(error: &sea_orm::DbErr) -> bool {
    code(error).as_deref() == Some("13")
}

/// Whether PostgreSQL ended a statement because it took too long.
pub(crate) fn is_slow(error: &sea_orm::DbErr) -> bool {
    code(error).as_deref() == Some("57014")
}

/// Whether there is no connection to the database, or it broke: an input or output error, or the server going away
/// (classes 57P and 08 of SQLSTATE).
pub(crate) fn is_unreachable(error: &sea_orm::DbErr) -> bool {
    let code = code(error).unwrap_or_default();
    let gone = code.starts_with("57P") || (code.len() == 5 && code.starts_with("08"));
    let broken = matches!(
        error,
        sea_orm::DbErr::Exec(sea_orm::RuntimeErr::SqlxError(inner)) | sea_orm::DbErr::Query(sea_orm::RuntimeErr::SqlxError(inner))
            if matches!(**inner, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)
    );
    gone || broken || matches!(error, sea_orm::DbErr::ConnectionAcquire(_) | sea_orm::DbErr::Conn(_))
}

fn code(error: &sea_orm::DbErr) -> Option<String> {
    let (sea_orm::DbErr::Exec(runtime) | sea_orm::DbErr::Query(runtime) | sea_orm::DbErr::Conn(runtime)) = error else {
        return None;
    };
    match runtime {
        sea_orm::RuntimeErr::SqlxError(error) => error.as_database_error()?.code().map(|c| c.into_owned()),
        _ => None,
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        if is_locked(&error) {
            return locked();
        }
        if wants_retry(&error) {
            return Error::concurrent();
        }
        if is_slow(&error) {
            let said = "the database needs longer for this than a statement may take: ask for less at once, by a narrower \
                        filter, fewer groups or a smaller page";
            return Error::new(Class::Deadline, "STATEMENT_TIMEOUT", said);
        }
        if let Some(trouble) = note(&error) {
            return trouble.into();
        }
        if is_unreachable(&error) {
            return Error::new(
                Class::Unavailable,
                "DATABASE_UNREACHABLE",
                "the database does not answer: try again",
            );
        }
        Error::internal(error)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => locked(),
            _ => match error
                .sqlite_error()
                .and_then(|known| of(&known.extended_code.to_string(), &error))
            {
                Some(trouble) => trouble.into(),
                None => Error::internal(error),
            },
        }
    }
}

/// What is the matter with the database where that is why a statement failed. The log says it, and the health of the process hears
/// of what does not pass by itself.
pub(crate) fn note(error: &sea_orm::DbErr) -> Option<Trouble> {
    of(&code(error)?, error)
}

fn of(code: &str, error: &dyn std::fmt::Display) -> Option<Trouble> {
    let trouble = Trouble::of_code(code)?.noted();
    tracing::warn!(code, "{}: {error}", trouble.remedy());
    Some(trouble)
}

/// What another holds is not waited for any longer.
pub(crate) fn locked() -> Error {
    let said =
        "another process keeps the database locked for longer than this one waits: nothing was written, send it again";
    Error::new(Class::Unavailable, "DATABASE_LOCKED", said)
}
