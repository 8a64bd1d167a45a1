//! The awards service: schemes and awards.

use std::sync::Arc;

use mingce_client::{Labs, Talent};
use mingce_lifecycle::document::earlier;
use mingce_lifecycle::{Calendar, CaseAdapter, Cases, DynCase, schema::Schema as CaseSchema};
use mingce_orm::migration::ledger::Ledger;
use mingce_orm::migration::renew::renew;
use mingce_orm::migration::schema::prepare as prepare_tables;
use mingce_orm::write::undo::{AnyCollection, any};
use mingce_orm::{Db, Result, Store};
use mingce_proto::awards::award_nomination_service_server::AwardNominationServiceServer;
use mingce_proto::awards::award_service_server::AwardServiceServer;
use mingce_server::Server;

mod award;
mod case_service;
mod guards;
mod life;
mod prepare;
mod ranks;
mod schema;
mod scheme;
mod service;
mod titles;
mod verbs;

pub use schema::Schema;

/// What somebody at a terminal can try; `ADDRESS` stands for the address.
pub const TRIES: [&str; 3] = [
    "grpcurl -plaintext ADDRESS list",
    r#"grpcurl -plaintext -d '{"filter": "year >= 2023"}' ADDRESS mingce.awards.v1.AwardService/ListAwards"#,
    r#"grpcurl -plaintext -d '{"collection": "awards", "group_by": ["year", "level"]}' ADDRESS mingce.awards.v1.AwardService/ComputeStatistics"#,
];

/// Methods whose requests may be large, and how large: a batch of 1000 moves, an award with 500 contributors.
const LARGE: [(&str, usize); 5] = [
    ("/mingce.awards.v1.AwardNominationService/BatchMoveAwards", 1 << 20),
    ("/mingce.awards.v1.AwardNominationService/CreateAward", 1 << 20),
    ("/mingce.awards.v1.AwardService/RecordAward", 1 << 20),
    ("/mingce.awards.v1.AwardService/UpdateAward", 1 << 20),
    ("/mingce.awards.v1.AwardNominationService/CorrectAward", 1 << 20),
];

/// The awards service over its store, and the services that it asks about organizations and persons.
#[derive(Debug, Clone)]
pub struct AwardRegister {
    store: Store,
    calendar: Arc<Calendar>,
    labs: Labs,
    talent: Talent,
}

impl AwardRegister {
    /// Brings the tables of the service to this version: made where there are none, changed only with `migrate`.
    ///
    /// # Errors
    /// Where the database does not hold what this program knows.
    pub async fn prepare(db: &Db, migrate: bool) -> Result<()> {
        prepare_tables::<Ledger>(db, migrate).await?;
        prepare_tables::<CaseSchema>(db, migrate).await?;
        prepare_tables::<Schema>(db, migrate).await?;
        renew::<scheme::Schemes>(db, migrate).await?;
        renew::<award::Awards>(db, migrate).await?;
        earlier::expect::<award::Awards>(db, migrate).await
    }

    /// Gives cases of earlier versions the documents of all their decisions. `now`: microseconds since 1970.
    ///
    /// # Errors
    /// Where the database cannot be read or written.
    pub async fn fill_documents(db: &Db, now: i64) -> Result<()> {
        earlier::fill::<award::Awards>(db, now).await
    }

    /// The service over a store whose database has its tables, with the services that it asks.
    pub fn new(store: Store, calendar: Arc<Calendar>, labs: Labs, talent: Talent) -> Self {
        Self {
            store,
            calendar,
            labs,
            talent,
        }
    }

    /// The kinds of case that it has, for the service that all cases share.
    pub fn kinds() -> Vec<Arc<dyn DynCase>> {
        vec![Arc::new(CaseAdapter::<award::Awards>::new())]
    }

    /// All collections that it keeps, for the service of imports.
    pub fn collections() -> Vec<Arc<dyn AnyCollection>> {
        vec![any::<scheme::Schemes>(), any::<award::Awards>()]
    }

    /// Its cases.
    fn cases(&self) -> Cases<'_> {
        Cases {
            store: &self.store,
            calendar: &self.calendar,
        }
    }

    /// Mounts the service.
    #[must_use]
    pub fn mount(&self, server: Server) -> Server {
        let server = server
            .add_service(self.server())
            .add_service(AwardNominationServiceServer::new(self.clone()));
        LARGE
            .into_iter()
            .fold(server, |server, (path, bytes)| server.request_limit(path, bytes))
    }

    /// The service as the server mounts it.
    fn server(&self) -> AwardServiceServer<Self> {
        AwardServiceServer::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use mingce_orm::Collection;
    use mingce_orm::migration::schema::differences;

    use super::*;

    #[tokio::test]
    async fn the_tables_have_the_columns_that_the_collections_declare() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::sqlite(&folder.path().join("register.db")).await?;
        AwardRegister::prepare(&db, false).await?;
        let mut wrong: Vec<String> = Vec::new();
        wrong.extend(differences(&db, &crate::scheme::Schemes::shape().kind).await?);
        wrong.extend(differences(&db, &crate::award::Awards::shape().kind).await?);
        assert_eq!(wrong, Vec::<String>::new());
        db.close().await;
        Ok(())
    }
    #[test]
    fn the_contract_says_of_each_column_who_may_use_it() {
        let kinds = [
            &crate::scheme::Schemes::shape().kind,
            &crate::award::Awards::shape().kind,
        ];
        for kind in kinds {
            let unknown = kind.unclassified_columns();
            assert_eq!(unknown, [""; 0], "{}: say where they come from", kind.collection);
        }
    }
}
