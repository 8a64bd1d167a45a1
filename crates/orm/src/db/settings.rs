//! What a register notes of itself: the version of its texts, its id, the fingerprints of its keys.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Set};

use crate::db::entity::settings::{ActiveModel, Column, Entity};

/// What is noted under a name.
pub(crate) async fn value(on: &impl ConnectionTrait, name: &str) -> Result<Option<String>, DbErr> {
    let found = Entity::find_by_id(name).one(on).await?;
    Ok(found.map(|setting| setting.value))
}

/// Notes a value under a name that has none yet.
pub(crate) async fn note_first(on: &impl ConnectionTrait, name: &str, value: &str) -> Result<(), DbErr> {
    let insert = Entity::insert(setting(name, value)).on_conflict_do_nothing();
    insert.exec_without_returning(on).await.map(drop)
}

/// Notes a value, whatever the name had before.
pub(crate) async fn note(on: &impl ConnectionTrait, name: &str, value: &str) -> Result<(), DbErr> {
    let again = OnConflict::column(Column::Name).update_column(Column::Value).to_owned();
    let insert = Entity::insert(setting(name, value)).on_conflict(again);
    insert.exec_without_returning(on).await.map(drop)
}

fn setting(name: &str, value: &str) -> ActiveModel {
    ActiveModel {
        name: Set(name.to_owned()),
        value: Set(value.to_owned()),
    }
}
