//! Where candidates stand side by side: the indexes, and the statements that read them. They are SQL: the expression of
//! an index is found by its text, and limits stand in the text too.

use mingce_proto::registry::RecordStatus;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend};

use super::shared::{SEPARATORS, place};
use super::{At, GROUP, MEMBERS, Stage, WINDOW, Walk};
use crate::db::statement::{among, list};
use crate::error::Result;
use crate::model::identifier::CHECKED;
use crate::model::table_row::WHOLE_NAME;

/// Records that share a key, as far as it takes to pair them: what has to agree, and the id.
pub(super) type Group = (String, Vec<(String, String)>);

impl Walk<'_> {
    /// Keys that several records share, each with how many, from a place on; and the key from which to go on.
    pub(super) async fn window(&self, at: &At) -> Result<(Vec<(String, usize)>, Option<String>)> {
        let db = &self.store.db;
        let (key, from, mut values) = self.source(at.stage);
        values.push(at.key.as_str().into());
        let entries = format!("SELECT {key} AS k FROM {from} AND {key} >= ? ORDER BY {key}");
        let beyond = format!("{entries} LIMIT 1 OFFSET {WINDOW}");
        let beyond = db.read.query_one_raw(db.sql(&beyond, values.clone())).await?;
        let beyond: Option<String> = beyond.map(|row| row.try_get_by_index(0)).transpose()?;
        // What is written plainly is no candidate by itself, and one beside others that are not.
        let plain = if at.stage == Stage::Identifiers {
            format!(" + (SELECT COUNT(*) FROM {}_keys p WHERE p.key = w.k)", self.kind.table)
        } else {
            String::new()
        };
        let text = format!(
            "SELECT g.k, g.shared FROM (SELECT w.k, COUNT(*){plain} AS shared FROM ({entries} LIMIT {WINDOW}) w \
             GROUP BY w.k) g WHERE g.shared > 1 ORDER BY g.k"
        );
        let mut shared = Vec::new();
        for row in db.read.query_all_raw(db.sql(&text, values)).await? {
            let count: i64 = row.try_get_by_index(1)?;
            shared.push((row.try_get_by_index(0)?, usize::try_from(count).unwrap_or(GROUP)));
        }
        match beyond {
            // One key fills the window: it is looked at as far as groups are, and passed.
            Some(key) if key == at.key => {
                shared.retain(|(other, _)| *other == key);
                Ok((shared, Some(format!("{key}\u{1}"))))
            }
            Some(key) => {
                shared.retain(|(other, _)| *other < key);
                Ok((shared, Some(key)))
            }
            None => Ok((shared, None)),
        }
    }

    /// The key of a stage, where it is read, and the values for that.
    fn source(&self, stage: Stage) -> (String, String, Vec<Value>) {
        let table = self.kind.table;
        let active = i64::from(RecordStatus::Active as i32);
        match stage {
            Stage::Identifiers => {
                let (key, condition) = loose_keys(self.store.db.backend());
                (key, format!("{table}_keys WHERE {condition}"), vec![])
            }
            Stage::WholeNames => {
                let from = format!("{table}_values WHERE field = ?");
                ("value".to_owned(), from, vec![WHOLE_NAME.into()])
            }
            Stage::SortKeys => {
                let from = format!("{table} WHERE record_status = ?");
                ("sort_key".to_owned(), from, vec![active.into()])
            }
        }
    }

    /// The active members of some groups, in the order of the keys and ids.
    pub(super) async fn groups(&self, stage: Stage, keys: &[(String, usize)]) -> Result<Vec<Group>> {
        let db = &self.store.db;
        let (table, backend) = (self.kind.table, db.backend());
        let keys = || list(backend, keys.iter().map(|(key, _)| key));
        let active: Value = i64::from(RecordStatus::Active as i32).into();
        let (text, values) = match stage {
            Stage::Identifiers => {
                let (key, condition) = loose_keys(backend);
                let (loose, plain) = (among(backend, &key), among(backend, "key"));
                let text = format!(
                    "SELECT s.k, '', t.id FROM (SELECT {key} AS k, id FROM {table}_keys WHERE {condition} AND {loose} \
                     UNION SELECT key AS k, id FROM {table}_keys WHERE {plain}) s \
                     JOIN {table} t ON t.id = s.id WHERE t.record_status = ? ORDER BY s.k, t.id"
                );
                (text, vec![keys(), keys(), active])
            }
            Stage::WholeNames => {
                let named = among(backend, "v.value");
                let text = format!(
                    "SELECT v.value, t.city, t.id FROM {table}_values v JOIN {table} t ON t.id = v.id \
                     WHERE v.field = ? AND {named} AND t.record_status = ? ORDER BY v.value, t.id"
                );
                (text, vec![WHOLE_NAME.into(), keys(), active])
            }
            Stage::SortKeys => {
                let named = among(backend, "t.sort_key");
                let text = format!(
                    "SELECT t.sort_key, CAST(t.birth_year AS TEXT), t.id FROM {table} t \
                     WHERE t.record_status = ? AND {named} AND t.birth_year <> 0 ORDER BY t.sort_key, t.id"
                );
                (text, vec![active, keys()])
            }
        };
        let text = format!("{text} LIMIT {}", MEMBERS.max(GROUP));
        let mut groups: Vec<Group> = Vec::new();
        for row in db.read.query_all_raw(db.sql(&text, values)).await? {
            let (key, beside, id): (String, String, String) = (
                row.try_get_by_index(0)?,
                row.try_get_by_index(1)?,
                row.try_get_by_index(2)?,
            );
            let beside = if stage == Stage::WholeNames {
                place(&beside)
            } else {
                beside
            };
            match groups.last_mut() {
                Some((last, members)) if *last == key => members.push((beside, id)),
                _ => groups.push((key, vec![(beside, id)])),
            }
        }
        Ok(groups)
    }
}

/// The same as an expression of a row of the table of keys, and the condition that it is another one than the key. It is asked of each key
/// that is written, and has to be short.
fn loose_keys(backend: DbBackend) -> (String, String) {
    let find = match backend {
        DbBackend::Postgres => "strpos",
        _ => "instr",
    };
    // Behind `identifiers/` and the next slash.
    let slash = format!("{find}(substr(key, 13), '/') + 12");
    let value = SEPARATORS
        .iter()
        .fold(format!("substr(key, {slash} + 1)"), |value, separator| {
            format!("replace({value}, '{separator}', '')")
        });
    let loose = format!("(substr(key, 1, {slash}) || upper({value}))");
    let class: String = SEPARATORS.iter().collect();
    let condition = match backend {
        DbBackend::Postgres => format!(
            "key ~ '^identifiers/[^/]+/.*[{class}a-z]' AND key !~ '^identifiers/({})/'",
            CHECKED.join("|")
        ),
        // The sign before the key keeps SQLite from going through all keys in their order instead.
        _ => {
            let others = CHECKED.map(|scheme| format!(" AND +key NOT GLOB 'identifiers/{scheme}/*'"));
            format!("+key GLOB 'identifiers/*/*[{class}a-z]*'{}", others.concat())
        }
    };
    (loose, condition)
}

/// The statements that make the index of a table's loose keys, in the words of [`crate::migration::schema::run`].
pub fn index(table: &str) -> [String; 3] {
    let on = |word: &str, backend| {
        let (key, condition) = loose_keys(backend);
        format!("{word} CREATE INDEX IF NOT EXISTS {table}_keys_loose ON {table}_keys ({key}) WHERE {condition}")
    };
    [
        // An index of a large table takes longer than a call may.
        "$POSTGRES SET LOCAL statement_timeout = 0".to_owned(),
        on("$SQLITE", DbBackend::Sqlite),
        on("$POSTGRES", DbBackend::Postgres),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::database::Db;

    #[tokio::test]
    async fn sqlite_reads_loose_keys_by_their_index() -> Result<()> {
        let folder = tempfile::tempdir().map_err(crate::error::Error::internal)?;
        let db = Db::sqlite(&folder.path().join("register.db")).await?;
        let table = "CREATE TABLE t_keys (key TEXT NOT NULL PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID";
        db.owner().execute_unprepared(table).await?;
        let [_, made, _] = index("t");
        db.owner()
            .execute_unprepared(made.trim_start_matches("$SQLITE "))
            .await?;
        let (key, condition) = loose_keys(DbBackend::Sqlite);
        let from = format!("SELECT {key} AS k FROM t_keys WHERE {condition} AND");
        for text in [
            format!("{from} {key} >= 'a' ORDER BY {key} LIMIT 1 OFFSET {WINDOW}"),
            format!("{from} {}", among(DbBackend::Sqlite, &key).replace('?', "'[]'")),
        ] {
            let rows = db
                .owner()
                .query_all_raw(db.sql(&format!("EXPLAIN QUERY PLAN {text}"), []))
                .await?;
            let plan = rows.iter().map(|row| row.try_get_by_index::<String>(3));
            let plan = plan.collect::<Result<Vec<_>, _>>()?.join("; ");
            assert!(
                plan.contains("t_keys_loose (<expr>") && !plan.contains("TEMP B-TREE"),
                "{plan}"
            );
        }
        db.close().await;
        Ok(())
    }
}
