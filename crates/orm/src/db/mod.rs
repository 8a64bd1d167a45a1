//! The database, whichever it is: its connections, the texts of statements, what its errors mean, and what is done beside the writers.
//!
//! Nothing here knows of resources. It may use no other folder.

pub(crate) mod batch;
pub(crate) mod checkpoint;
pub(crate) mod counted;
pub mod database;
pub(crate) mod fault;
pub mod head;
pub(crate) mod inspect;
pub mod sound;
mod sqlite;
pub(crate) mod statement;
mod synced;
pub(crate) mod watched;
