//! What search and sorting need of a text: its folded form, a key that sorts by pinyin, search tokens, queries.
//!
//! It uses nothing else of the crate.

mod clean;
mod document;
mod fold;
#[cfg(test)]
mod names_tests;
mod order_code;
mod pieces;
mod query;
mod reading;
mod script;
mod sort;
#[cfg(test)]
mod tests;
mod token;
mod token_list;
mod variants;
mod version;
mod written;

pub use clean::{Damage, canonical, damage, damage_of_prose, grouped};
pub use document::document_number;
pub use fold::{fold, same_name, spelled};
pub use order_code::{ORDER_CODE_BITS, order_code};
pub use query::{Query, Term};
pub(crate) use reading::begins_with_double_surname;
pub use sort::sort_key;
pub use token::{is_exact, tokens, value_token, whole_name};
pub use token_list::Tokens;
pub(crate) use version::VERSION;

/// Pinyin and initials are indexed up to this many letters, and a longer word of a query is looked up by its start;
/// [`Query::accepts`] compares the rest.
const PINYIN_CHARS: usize = 24;
