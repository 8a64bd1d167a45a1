//! Fixtures: databases with the tables of the test collections, stores on them, calls, and properties over async tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use mingce_e2e::postgres::Database;
use mingce_orm::migration::ledger::Ledger;
use mingce_orm::migration::refill::add_sequence;
use mingce_orm::migration::schema::Sql::{Integer, Text};
use mingce_orm::migration::schema::{prepare, resource, run};
use mingce_orm::{Call, Collection, Db, RequestContext, Store, Vault};
use mingce_proto::Classes;
use mingce_proto::codec::Reply;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};
use prost::Message;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};
use sea_orm_migration::prelude::*;
use tempfile::TempDir;

/// The tables of the test collections.
#[derive(Debug)]
pub struct TestSchema;

#[async_trait::async_trait]
impl MigratorTrait for TestSchema {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Tables)]
    }
    fn migration_table_name() -> DynIden {
        "mingce_test_migrations".into_iden()
    }
}

pub struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m20261124_000001_test"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let institutes = [("display_name", Text), ("city", Text)];
        let persons = [("display_name", Text), ("title", Text)];
        let prizes = [
            ("title", Text),
            ("scheme", Text),
            ("number", Text),
            ("year", Integer),
            ("grade", Text),
            ("state", Integer),
            ("contributor_count", Integer),
            ("decision_date", Text),
            ("classified", Integer),
        ];
        run(manager, &resource("institutes", &institutes, false, &[])).await?;
        run(manager, &resource("persons", &persons, true, &[])).await?;
        run(manager, &resource("prizes", &prizes, false, &["year"])).await?;
        for table in ["institutes", "persons", "prizes"] {
            add_sequence(manager, table).await?;
        }
        Ok(())
    }
}

/// One of the two kinds of databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A database of one test.
#[derive(Debug)]
pub enum FixtureDb {
    Sqlite(TempDir),
    Postgres(Database),
}

impl FixtureDb {
    /// A database without tables.
    pub async fn bare(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
            Kind::Postgres => Self::Postgres(Database::create().await),
        }
    }

    /// A database with these tables, and its connection pools.
    pub async fn new(kind: Kind) -> (Self, Db) {
        let fixture = Self::bare(kind).await;
        let db = fixture.open().await;
        prepare::<Ledger>(&db, false).await.unwrap();
        prepare::<TestSchema>(&db, false).await.unwrap();
        (fixture, db)
    }

    /// Other connection pools of the database, as another process has them.
    pub async fn open(&self) -> Db {
        let url = self.url();
        match url.strip_prefix("sqlite:") {
            Some(path) => Db::sqlite(Path::new(path)).await.unwrap(),
            None => Db::postgres(&url).await.unwrap(),
        }
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(_) => format!("sqlite:{}", self.file().display()),
            Self::Postgres(database) => database.url(),
        }
    }

    /// The file of an SQLite database.
    pub fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite(folder) => folder.path().join("register.db"),
            Self::Postgres(_) => panic!("PostgreSQL has no file"),
        }
    }
}

/// Deletes all rows.
pub async fn empty(db: &Db) {
    for table in ["institutes", "persons", "prizes"] {
        for side in ["", "_keys", "_values"] {
            execute(db, &format!("DELETE FROM {table}{side}")).await;
        }
        if db.backend() == DbBackend::Sqlite {
            let all = format!("INSERT INTO {table}_search ({table}_search) VALUES ('delete-all')");
            execute(db, &all).await;
        }
    }
    // What keeps the ledger would keep it from this too.
    let kept = match db.backend() {
        DbBackend::Postgres => ["ALTER TABLE ledger DISABLE TRIGGER USER"; 2],
        _ => [
            "DROP TRIGGER IF EXISTS ledger_no_update",
            "DROP TRIGGER IF EXISTS ledger_no_delete",
        ],
    };
    for statement in kept {
        execute(db, statement).await;
    }
    for statement in [
        "DELETE FROM ledger",
        "DELETE FROM requests",
        "UPDATE ledger_head SET sequence = 0",
        "DELETE FROM survivors",
    ] {
        execute(db, statement).await;
    }
}

pub async fn execute(db: &Db, statement: &str) {
    db.owner().execute_unprepared(statement).await.unwrap();
}

pub async fn query(db: &Db, text: &str) -> Vec<QueryResult> {
    db.owner()
        .query_all_raw(Statement::from_string(db.backend(), text))
        .await
        .unwrap()
}

pub async fn number(db: &Db, text: &str) -> i64 {
    query(db, text).await[0].try_get_by_index(0).unwrap()
}

/// A store without a vault.
pub fn store(db: &Db) -> Store {
    Store::new(db.clone(), None)
}

/// A vault with a key of its own.
pub fn vault() -> Arc<Vault> {
    Arc::new(Vault::from_text(&Vault::new_text()).unwrap())
}

/// The context of the next call: time goes on with each.
pub fn cx(actor: &str) -> RequestContext {
    static NOW: AtomicI64 = AtomicI64::new(1_790_000_000_000_000);
    RequestContext {
        actor: actor.to_owned(),
        now: NOW.fetch_add(1_000, Ordering::Relaxed),
        deadline: None,
        visible: Classes::ALL,
    }
}

/// A call without a request id: it is done as often as it is made.
pub fn call() -> Call {
    Call::default()
}

/// A call with a request id.
pub fn with_id(method: &str, id: &str, request: &impl Message) -> Call {
    Call::new(method, id, false, request)
}

/// Makes a resource.
pub async fn make<C: Collection>(store: &Store, item: C::Item) -> C::Item {
    store
        .create::<C>(&cx("user:maker"), call(), "create", item)
        .await
        .read()
        .unwrap()
}

/// Runs a test to its end.
pub fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test)
}

/// Tries an async test on random values, and shrinks what fails.
pub fn property<S: Strategy, F: Future<Output = Result<(), TestCaseError>>>(
    cases: u32,
    values: S,
    runtime: &tokio::runtime::Runtime,
    test: impl Fn(S::Value) -> F,
) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    };
    match TestRunner::new(config).run(&values, |value| runtime.block_on(test(value))) {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => panic!("{why}\nwith {value:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// A runtime for [`property`].
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// What a store answers, read.
pub trait Read<M> {
    fn read(self) -> mingce_orm::Result<M>;
}

/// Takes a merge back, and answers the record.
pub async fn unmerge<C: Collection>(
    store: &Store,
    cx: &RequestContext,
    call: Call,
    (name, etag): (&str, &str),
    reason: &str,
) -> mingce_orm::Result<Reply<C::Item>> {
    let kinds = [&C::shape().kind];
    let undone = store.unmerge::<C>(cx, call, (name, etag), reason, &kinds).await;
    undone.map(|(item, _)| item.into())
}

impl<M: Message + Default> Read<M> for mingce_orm::Result<Reply<M>> {
    fn read(self) -> mingce_orm::Result<M> {
        self.map(|reply| reply.decode().unwrap())
    }
}
