//! What resources are: their fields, keys and heads, which values are good, and how their messages are read, cleaned and sealed.
//!
//! Nothing here knows a database. It may use `text`. Beside that it names the `UnitOfWork` of `write`, which the hooks of a collection are
//! given.

mod alike;
pub mod column;
pub mod identifier;
pub(crate) mod likeness;
pub(crate) mod message_fields;
pub mod normalize;
pub mod resource;
pub mod revision;
pub mod texts;
pub mod validate;
pub mod vault;
