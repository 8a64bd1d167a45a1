//! The labs service: organizations, key laboratories and their designations.

use std::sync::Arc;

use mingce_lifecycle::document::earlier;
use mingce_lifecycle::{Calendar, CaseAdapter, Cases, DynCase, schema::Schema as CaseSchema};
use mingce_orm::migration::ledger::Ledger;
use mingce_orm::migration::renew::renew;
use mingce_orm::migration::schema::prepare as prepare_tables;
use mingce_orm::write::undo::{AnyCollection, any};
use mingce_orm::{Db, Result, Store};
use mingce_proto::labs::lab_designation_service_server::LabDesignationServiceServer;
use mingce_proto::labs::lab_service_server::LabServiceServer;
use mingce_server::Server;

mod case_service;
mod designation;
mod due;
mod evaluation;
mod guards;
mod lab;
mod life;
mod machine;
mod organization;
mod prepare;
mod reports;
mod resolve;
mod schema;
mod service;
mod titles;
mod verbs;

pub use schema::Schema;

/// What somebody at a terminal can try; `ADDRESS` stands for the address.
pub const TRIES: [&str; 3] = [
    "grpcurl -plaintext ADDRESS list",
    r#"grpcurl -plaintext -d '{"query": "海洋"}' ADDRESS mingce.labs.v1.LabService/SearchLabs"#,
    r#"grpcurl -plaintext -d '{"collection": "labs", "group_by": ["kind"]}' ADDRESS mingce.labs.v1.LabService/ComputeStatistics"#,
];

/// Methods whose requests may be large, and how large: a batch of 1000 moves, a lab of 2000 members, an evaluation of 2000
/// outputs; and other services ask for all references of an import's piece at once.
const LARGE: [(&str, usize); 6] = [
    (
        "/mingce.labs.v1.LabDesignationService/BatchMoveLabDesignations",
        1 << 20,
    ),
    ("/mingce.labs.v1.LabDesignationService/EvaluateLabDesignation", 1 << 20),
    (
        "/mingce.labs.v1.LabDesignationService/ReevaluateLabDesignation",
        1 << 20,
    ),
    ("/mingce.labs.v1.LabService/CreateLab", 1 << 20),
    ("/mingce.labs.v1.LabService/UpdateLab", 1 << 20),
    ("/mingce.labs.v1.LabService/ResolveOrganizations", 4 << 20),
];

/// The labs service over its store.
#[derive(Debug, Clone)]
pub struct LabRegister {
    store: Store,
    calendar: Arc<Calendar>,
}

impl LabRegister {
    /// Brings the tables of the service to this version: made where there are none, changed only with `migrate`.
    ///
    /// # Errors
    /// Where the database does not hold what this program knows.
    pub async fn prepare(db: &Db, migrate: bool) -> Result<()> {
        prepare_tables::<Ledger>(db, migrate).await?;
        prepare_tables::<CaseSchema>(db, migrate).await?;
        prepare_tables::<Schema>(db, migrate).await?;
        renew::<organization::Organizations>(db, migrate).await?;
        renew::<lab::Labs>(db, migrate).await?;
        renew::<designation::Designations>(db, migrate).await?;
        earlier::expect::<designation::Designations>(db, migrate).await
    }

    /// Gives cases of earlier versions the documents of all their decisions. `now`: microseconds since 1970.
    ///
    /// # Errors
    /// Where the database cannot be read or written.
    pub async fn fill_documents(db: &Db, now: i64) -> Result<()> {
        earlier::fill::<designation::Designations>(db, now).await
    }

    /// The service over a store whose database has its tables.
    pub fn new(store: Store, calendar: Arc<Calendar>) -> Self {
        Self { store, calendar }
    }

    /// The kinds of case that it has, for the service that all cases share.
    pub fn kinds() -> Vec<Arc<dyn DynCase>> {
        vec![Arc::new(CaseAdapter::<designation::Designations>::new())]
    }

    /// All collections that it keeps, for the service of imports.
    pub fn collections() -> Vec<Arc<dyn AnyCollection>> {
        vec![
            any::<organization::Organizations>(),
            any::<lab::Labs>(),
            any::<designation::Designations>(),
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
            .add_service(LabDesignationServiceServer::new(self.clone()));
        LARGE
            .into_iter()
            .fold(server, |server, (path, bytes)| server.request_limit(path, bytes))
    }

    /// The service as the server mounts it.
    fn server(&self) -> LabServiceServer<Self> {
        LabServiceServer::new(self.clone())
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
        LabRegister::prepare(&db, false).await?;
        let mut wrong: Vec<String> = Vec::new();
        wrong.extend(differences(&db, &crate::organization::Organizations::shape().kind).await?);
        wrong.extend(differences(&db, &crate::lab::Labs::shape().kind).await?);
        wrong.extend(differences(&db, &crate::designation::Designations::shape().kind).await?);
        assert_eq!(wrong, Vec::<String>::new());
        db.close().await;
        Ok(())
    }

    #[test]
    fn the_contract_says_of_each_column_who_may_use_it() {
        let kinds = [
            &crate::organization::Organizations::shape().kind,
            &crate::lab::Labs::shape().kind,
            &crate::designation::Designations::shape().kind,
        ];
        for kind in kinds {
            let unknown = kind.unclassified_columns();
            assert_eq!(unknown, [""; 0], "{}: say where they come from", kind.collection);
        }
    }
}
