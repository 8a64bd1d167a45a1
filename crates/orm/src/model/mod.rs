//! What resources are: their fields, keys and heads, which values are good, and how their messages are read, cleaned and sealed.
//!
//! Nothing here knows a database. It may use `text`. Beside that it names the `Work` of `write`, which the hooks of a collection are
//! given.

mod alike;
pub mod field;
pub mod identifier;
pub(crate) mod likeness;
pub mod names;
pub mod resource;
pub mod revision;
pub mod rules;
pub mod texts;
pub mod vault;
pub(crate) mod wire;
