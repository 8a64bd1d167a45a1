//! The talent service: persons, programmes and the designations of persons.

use std::sync::Arc;

use mingce_client::{Awards, Labs};
use mingce_lifecycle::document::earlier;
use mingce_lifecycle::{Calendar, CaseAdapter, Cases, DynCase, schema::Schema as CaseSchema};
use mingce_orm::migration::ledger::Ledger;
use mingce_orm::migration::renew::renew;
use mingce_orm::migration::schema::prepare as prepare_tables;
use mingce_orm::write::undo::{AnyCollection, any};
use mingce_orm::{Db, Result, Store};
use mingce_proto::talent::nominating_body_service_server::NominatingBodyServiceServer;
use mingce_proto::talent::recommendation_service_server::RecommendationServiceServer;
use mingce_proto::talent::talent_designation_service_server::TalentDesignationServiceServer;
use mingce_proto::talent::talent_service_server::TalentServiceServer;
use mingce_server::Server;

mod assume;
mod body;
mod body_by_itself;
mod body_life;
mod body_machine;
mod body_service;
mod body_verbs;
mod designation;
mod designation_guards;
mod designation_life;
mod designation_machine;
mod designation_service;
mod designation_verbs;
mod eligibility;
mod prepare;
mod prepare_bodies;
mod programme;
mod recommendation;
mod recommendation_life;
mod recommendation_service;
mod recommendation_verbs;
mod schema;
mod service;
mod sought;
mod talent;
mod titles;

pub use schema::Schema;

/// What somebody at a terminal can try; `ADDRESS` stands for the address.
pub const TRIES: [&str; 3] = [
    "grpcurl -plaintext ADDRESS list",
    r#"grpcurl -plaintext -d '{"query": "zhang"}' ADDRESS mingce.talent.v1.TalentService/SearchTalents"#,
    r#"grpcurl -plaintext -d '{"collection": "talentDesignations", "group_by": ["level"]}' ADDRESS mingce.talent.v1.TalentService/ComputeStatistics"#,
];

/// Methods whose requests may be large, and how large: batches of 1000 moves; and other services ask for all references of an
/// import's piece at once.
const LARGE: [(&str, usize); 4] = [
    (
        "/mingce.talent.v1.TalentDesignationService/BatchMoveTalentDesignations",
        1 << 20,
    ),
    (
        "/mingce.talent.v1.NominatingBodyService/BatchMoveNominatingBodies",
        1 << 20,
    ),
    (
        "/mingce.talent.v1.RecommendationService/BatchMoveRecommendations",
        1 << 20,
    ),
    ("/mingce.talent.v1.TalentService/ResolveTalents", 4 << 20),
];

/// The talent service over its store, the labs service that it asks about organizations, and the awards service that it asks about
/// ranks, where it knows one.
#[derive(Debug, Clone)]
pub struct TalentRegister {
    store: Store,
    labs: Labs,
    awards: Option<Awards>,
    calendar: Arc<Calendar>,
}

impl TalentRegister {
    /// Brings the tables of the service to this version: made where there are none, changed only with `migrate`.
    ///
    /// # Errors
    /// Where the database does not hold what this program knows.
    pub async fn prepare(db: &Db, migrate: bool) -> Result<()> {
        prepare_tables::<Ledger>(db, migrate).await?;
        prepare_tables::<CaseSchema>(db, migrate).await?;
        prepare_tables::<Schema>(db, migrate).await?;
        renew::<talent::Talents>(db, migrate).await?;
        renew::<programme::Programmes>(db, migrate).await?;
        renew::<designation::Designations>(db, migrate).await?;
        renew::<body::NominatingBodies>(db, migrate).await?;
        renew::<recommendation::Recommendations>(db, migrate).await?;
        earlier::expect::<designation::Designations>(db, migrate).await?;
        earlier::expect::<body::NominatingBodies>(db, migrate).await?;
        earlier::expect::<recommendation::Recommendations>(db, migrate).await
    }

    /// Gives cases of earlier versions the documents of all their decisions. `now`: microseconds since 1970.
    ///
    /// # Errors
    /// Where the database cannot be read or written.
    pub async fn fill_documents(db: &Db, now: i64) -> Result<()> {
        earlier::fill::<designation::Designations>(db, now).await?;
        earlier::fill::<body::NominatingBodies>(db, now).await?;
        earlier::fill::<recommendation::Recommendations>(db, now).await
    }

    /// The service over a store whose database has its tables, with the services that it asks.
    pub fn new(store: Store, calendar: Arc<Calendar>, labs: Labs, awards: Option<Awards>) -> Self {
        Self {
            store,
            labs,
            awards,
            calendar,
        }
    }

    /// The kinds of case that it has, for the service that all cases share.
    pub fn kinds() -> Vec<Arc<dyn DynCase>> {
        vec![
            Arc::new(CaseAdapter::<designation::Designations>::new()),
            Arc::new(CaseAdapter::<body::NominatingBodies>::new()),
            Arc::new(CaseAdapter::<recommendation::Recommendations>::new()),
        ]
    }

    /// All collections that it keeps, for the service of imports.
    pub fn collections() -> Vec<Arc<dyn AnyCollection>> {
        vec![
            any::<talent::Talents>(),
            any::<programme::Programmes>(),
            any::<designation::Designations>(),
            any::<body::NominatingBodies>(),
            any::<recommendation::Recommendations>(),
        ]
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
            .add_service(TalentDesignationServiceServer::new(self.clone()))
            .add_service(NominatingBodyServiceServer::new(self.clone()))
            .add_service(RecommendationServiceServer::new(self.clone()));
        LARGE
            .into_iter()
            .fold(server, |server, (path, bytes)| server.request_limit(path, bytes))
    }

    /// The service as the server mounts it.
    fn server(&self) -> TalentServiceServer<Self> {
        TalentServiceServer::new(self.clone())
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
        TalentRegister::prepare(&db, false).await?;
        let mut wrong: Vec<String> = Vec::new();
        wrong.extend(differences(&db, &crate::talent::Talents::shape().kind).await?);
        wrong.extend(differences(&db, &crate::programme::Programmes::shape().kind).await?);
        wrong.extend(differences(&db, &crate::designation::Designations::shape().kind).await?);
        wrong.extend(differences(&db, &crate::body::NominatingBodies::shape().kind).await?);
        wrong.extend(differences(&db, &crate::recommendation::Recommendations::shape().kind).await?);
        assert_eq!(wrong, Vec::<String>::new());
        db.close().await;
        Ok(())
    }

    #[test]
    fn the_contract_says_of_each_column_who_may_use_it() {
        let kinds = [
            &crate::talent::Talents::shape().kind,
            &crate::programme::Programmes::shape().kind,
            &crate::designation::Designations::shape().kind,
            &crate::body::NominatingBodies::shape().kind,
            &crate::recommendation::Recommendations::shape().kind,
        ];
        for kind in kinds {
            let unknown = kind.unclassified_columns();
            assert_eq!(unknown, [""; 0], "{}: say where they come from", kind.collection);
        }
    }
}
