//! The database, whichever it is: its connections, the texts of statements, what its errors mean, and what is done beside the writers.
//!
//! Nothing here knows of resources. It may use no other folder.

pub(crate) mod batch;
pub(crate) mod counted;
pub mod database;
pub(crate) mod entity;
pub(crate) mod fault;
mod fsync;
pub mod head;
pub(crate) mod inspect;
pub(crate) mod select;
pub(crate) mod settings;
pub mod sound;
mod sqlite_read_pool;
pub(crate) mod statement;
pub(crate) mod texts;
pub(crate) mod wal_checkpoint;
pub(crate) mod watched;
