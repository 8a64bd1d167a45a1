//! What resources are: their fields, keys and heads, which values are good, and how their messages are read, cleaned and sealed.
//!
//! Nothing here knows a database. It may use `text`. Beside that it names the `UnitOfWork` of `write`, which the hooks of a collection are
//! given.

mod alike;
pub(crate) mod cell;
pub mod collection;
pub mod column;
pub mod head;
pub mod identifier;
pub(crate) mod key;
pub mod kind;
pub(crate) mod likeness;
pub(crate) mod message_fields;
pub mod normalize;
pub mod resource;
pub mod revision;
pub(crate) mod table_row;
pub mod texts;
pub mod validate;
pub mod vault;
pub(crate) mod visible_columns;
