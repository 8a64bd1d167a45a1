//! What each process serves for all that it has: the service that all cases share (policies, rounds, notices, objections, panels, and
//! what falls due), and that of imports.

use std::sync::Arc;

use mingce_client::{Awards, Labs, Talent};
use mingce_lifecycle::notice::Notices;
use mingce_lifecycle::objection::Objections;
use mingce_lifecycle::panel::Panels;
use mingce_lifecycle::policy::Policies;
use mingce_lifecycle::review::Reviews;
use mingce_lifecycle::round::Rounds;
use mingce_lifecycle::{Calendar, DynCase, EvalContext, schema::Schema};
use mingce_orm::migration::ledger::Ledger;
use mingce_orm::migration::renew::renew;
use mingce_orm::migration::schema::prepare as prepare_tables;
use mingce_orm::write::imports::Imports;
use mingce_orm::write::undo::{AnyCollection, any};
use mingce_orm::{Db, RequestContext, Result, Store};
use mingce_proto::registry::case_service_server::CaseServiceServer;
use mingce_proto::registry::import_service_server::ImportServiceServer;
use mingce_server::{Clock, Failure, Host, Server};

mod agenda;
mod conflicts;
mod documents;
mod due;
mod imports;
mod merges;
mod notices;
mod policies;
mod reviewer;
mod reviews;
mod rounds;
mod service;
mod shared;

/// Methods whose requests may be large, and how large: a batch of 500 reviews with their opinions.
const LARGE: [(&str, usize); 2] = [
    ("/mingce.registry.v1.CaseService/BatchAssignReviewers", 1 << 20),
    ("/mingce.registry.v1.CaseService/BatchSubmitReviews", 1 << 20),
];

/// The services that know reviewers and those whom cases are about.
#[derive(Debug, Clone)]
pub struct Peers {
    /// The labs service, which knows organizations that were merged.
    pub labs: Labs,
    /// The talent service. Without it no reviewer can be cleared.
    pub talent: Option<Talent>,
    /// The awards service. Without it no reviewer can be cleared.
    pub awards: Option<Awards>,
}

/// The shared service over its store, the kinds of case that this process has, and the services that know reviewers.
#[derive(Debug, Clone)]
pub struct CaseRegister {
    store: Store,
    calendar: Arc<Calendar>,
    kinds: Arc<[Arc<dyn DynCase>]>,
    /// All collections that this process serves.
    collections: Arc<[Arc<dyn AnyCollection>]>,
    peers: Peers,
}

impl CaseRegister {
    /// Brings the shared tables to this version: made where there are none, changed only with `migrate`.
    ///
    /// # Errors
    /// Where the database does not hold what this program knows.
    pub async fn prepare(db: &Db, migrate: bool) -> Result<()> {
        prepare_tables::<Ledger>(db, migrate).await?;
        prepare_tables::<Schema>(db, migrate).await?;
        renew::<Imports>(db, migrate).await?;
        renew::<Policies>(db, migrate).await?;
        renew::<Rounds>(db, migrate).await?;
        renew::<Notices>(db, migrate).await?;
        renew::<Objections>(db, migrate).await?;
        renew::<Panels>(db, migrate).await?;
        renew::<Reviews>(db, migrate).await
    }

    /// The service over a store whose database has its tables and those of the kinds.
    pub fn new(
        store: Store,
        calendar: Arc<Calendar>,
        kinds: Vec<Arc<dyn DynCase>>,
        mut collections: Vec<Arc<dyn AnyCollection>>,
        peers: Peers,
    ) -> Self {
        collections.extend([any::<Policies>(), any::<Rounds>(), any::<Notices>()]);
        collections.extend([any::<Objections>(), any::<Panels>(), any::<Reviews>()]);
        Self {
            store,
            calendar,
            kinds: kinds.into(),
            collections: collections.into(),
            peers,
        }
    }

    /// Serves with the services that are mounted on a host until a signal, and does beside what falls due. `tries` and `beside` are
    /// those of [`Host::serve`].
    ///
    /// # Errors
    /// Where the register cannot be opened or served.
    pub async fn serve(
        self,
        host: Host,
        tries: &[&str],
        beside: impl Future<Output = Result<(), String>> + Send + 'static,
    ) -> Result<(), Failure> {
        // Nobody is to wait for an import whose process was killed.
        self.interrupt_left(host.clock().now(), true).await?;
        let time = self.keep_time(host.clock());
        let db = host.with(|server| self.mount(server)).serve(tries, beside).await?;
        time.end().await;
        self.store.close().await;
        db.close().await;
        Ok(())
    }

    /// Does by itself what falls due, and copies what was merged in other databases, until it is told to end.
    fn keep_time(&self, clock: &Clock) -> TimeKeeper {
        let clock = clock.clone();
        TimeKeeper([
            tokio::spawn(self.clone().watch_imports(clock.clone())),
            tokio::spawn(self.clone().do_what_falls_due(clock)),
            tokio::spawn(self.clone().follow_merges()),
        ])
    }

    /// Mounts both services.
    fn mount(&self, server: Server) -> Server {
        let server = server
            .add_service(CaseServiceServer::new(self.clone()))
            .add_service(ImportServiceServer::new(self.clone()));
        LARGE
            .into_iter()
            .fold(server, |server, (path, bytes)| server.request_limit(path, bytes))
    }

    fn at(&self, cx: &RequestContext) -> Result<EvalContext> {
        EvalContext::new(cx, &self.calendar)
    }
}

/// What a process does by itself.
struct TimeKeeper([tokio::task::JoinHandle<()>; 3]);

impl TimeKeeper {
    /// Ends it. What it had given to the writers is written.
    async fn end(self) {
        for task in self.0 {
            task.abort();
            let _ = task.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use mingce_lifecycle::{notice, objection, panel, policy, review, round};
    use mingce_orm::Collection;
    use mingce_orm::migration::schema::differences;

    use super::*;

    #[tokio::test]
    async fn the_tables_have_the_columns_that_the_collections_declare() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::sqlite(&folder.path().join("register.db")).await?;
        CaseRegister::prepare(&db, false).await?;
        let mut wrong: Vec<String> = Vec::new();
        wrong.extend(differences(&db, &Imports::shape().kind).await?);
        wrong.extend(differences(&db, &policy::Policies::shape().kind).await?);
        wrong.extend(differences(&db, &round::Rounds::shape().kind).await?);
        wrong.extend(differences(&db, &notice::Notices::shape().kind).await?);
        wrong.extend(differences(&db, &objection::Objections::shape().kind).await?);
        wrong.extend(differences(&db, &panel::Panels::shape().kind).await?);
        wrong.extend(differences(&db, &review::Reviews::shape().kind).await?);
        assert_eq!(wrong, Vec::<String>::new());
        db.close().await;
        Ok(())
    }

    #[test]
    fn the_contract_says_of_each_column_who_may_use_it() {
        let kinds = [
            &Imports::shape().kind,
            &policy::Policies::shape().kind,
            &round::Rounds::shape().kind,
            &notice::Notices::shape().kind,
            &objection::Objections::shape().kind,
            &panel::Panels::shape().kind,
            &review::Reviews::shape().kind,
        ];
        for kind in kinds {
            let unknown = kind.unclassified_columns();
            assert_eq!(unknown, [""; 0], "{}: say where they come from", kind.collection);
        }
    }
}
