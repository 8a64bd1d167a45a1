//! The talent service: persons, programmes and the designations of persons.

use std::sync::Arc;

use mingce_client::Labs;
use mingce_orm::schema::{Ledger, expect_vault, prepare as prepare_tables};
use mingce_orm::{Db, Result, Store, Vault};
use mingce_proto::talent::talent_service_server::TalentServiceServer;
use mingce_server::Server;

mod designation;
mod prepare;
mod programme;
mod schema;
mod service;
mod talent;

pub use schema::Schema;

/// What somebody at a terminal can try; `ADDRESS` stands for the address.
pub const TRIES: [&str; 3] = [
    "grpcurl -plaintext ADDRESS list",
    r#"grpcurl -plaintext -d '{"query": "zhang"}' ADDRESS mingce.talent.v1.TalentService/SearchTalents"#,
    r#"grpcurl -plaintext -d '{"collection": "designations", "group_by": ["level"]}' ADDRESS mingce.talent.v1.TalentService/ComputeStatistics"#,
];

/// The talent service over its store, and the labs service that it asks about organizations.
#[derive(Debug, Clone)]
pub struct TalentRegister {
    store: Store,
    labs: Labs,
}

impl TalentRegister {
    /// Brings the tables of the service to this version: made where there are none, changed only with `migrate`.
    ///
    /// # Errors
    /// Where the database does not hold what this program knows.
    pub async fn prepare(db: &Db, migrate: bool) -> Result<()> {
        prepare_tables::<Ledger>(db, migrate).await?;
        prepare_tables::<Schema>(db, migrate).await
    }

    /// Opens the service on a database with its tables. Personal data is sealed in `vault`.
    ///
    /// # Errors
    /// Where the register was sealed with another master key.
    pub async fn open(db: Db, vault: Arc<Vault>, labs: Labs) -> Result<Self> {
        expect_vault(&db, &vault).await?;
        Ok(Self {
            store: Store::new(db, Some(vault)),
            labs,
        })
    }

    /// Mounts the service.
    #[must_use]
    pub fn mount(&self, server: Server) -> Server {
        // Other services ask for all references of an import's piece at once.
        server
            .add_service(self.server())
            .request_limit("/mingce.talent.v1.TalentService/ResolveTalents", 4 << 20)
    }

    /// The service as the server mounts it.
    fn server(&self) -> TalentServiceServer<Self> {
        TalentServiceServer::new(self.clone())
    }

    /// Writes what waits.
    pub async fn close(self) {
        self.store.close().await;
    }
}

#[cfg(test)]
mod tests {
    use mingce_orm::Collection;
    use mingce_orm::schema::differences;

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
        assert_eq!(wrong, Vec::<String>::new());
        db.close().await;
        Ok(())
    }
}
