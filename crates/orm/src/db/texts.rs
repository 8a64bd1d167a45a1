//! Texts of statements that are made once and then looked up: to make one costs more than to find it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use sea_orm::sea_query::Value;
use sea_orm::{DbBackend, Statement};

/// The texts of one statement, for each database and for each key: what the text depends on, such as a table and a
/// number of rows.
pub(crate) struct Texts<K>(RwLock<BTreeMap<(bool, K), Arc<str>>>);

impl<K: Ord + Copy> Texts<K> {
    pub const fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    /// The text for a key. `make` depends on nothing else.
    pub fn of(&self, backend: DbBackend, key: K, make: impl FnOnce() -> String) -> Arc<str> {
        let key = (backend == DbBackend::Postgres, key);
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        known.unwrap_or_else(|| {
            let made: Arc<str> = make().into();
            let mut texts = self.0.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(texts.entry(key).or_insert(made))
        })
    }

    /// The statement for a key, with these values. Its text counts them as the database does.
    pub fn statement(
        &self,
        backend: DbBackend,
        key: K,
        values: impl IntoIterator<Item = Value>,
        make: impl FnOnce() -> String,
    ) -> Statement {
        Statement::from_sql_and_values(backend, &*self.of(backend, key, make), values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_made_once_for_each_database_and_key() {
        let texts = Texts::new();
        let of = |backend, key: (&'static str, usize), text: &str| texts.of(backend, key, || text.to_owned());
        assert_eq!(&*of(DbBackend::Sqlite, ("labs", 1), "a"), "a");
        assert_eq!(&*of(DbBackend::Sqlite, ("labs", 1), "b"), "a");
        assert_eq!(&*of(DbBackend::Postgres, ("labs", 1), "c"), "c");
        assert_eq!(&*of(DbBackend::Sqlite, ("awards", 1), "d"), "d");
        assert_eq!(&*of(DbBackend::Sqlite, ("labs", 2), "e"), "e");
        assert_eq!(&*of(DbBackend::Sqlite, ("labs", 1), "f"), "a");
    }
}
