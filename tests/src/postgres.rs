//! The tests' PostgreSQL server, one for all test processes of a run, and a fresh database on it for each test.
//!
//! `tests/parts/postgres` runs the server and says how it ends. `MINGCE_TEST_POSTGRES` names another server to use
//! instead.

use std::fs::{self, File, TryLockError};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;

use crate::binary::{profile_folder, workspace};

/// A database of one test, dropped with it.
#[derive(Debug)]
pub struct Database {
    name: String,
}

impl Database {
    /// Makes an empty database.
    pub async fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "mingce_test_{}_{}",
            process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        administer(&format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        Self { name }
    }

    /// The URL that opens it.
    pub fn url(&self) -> String {
        within(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A runtime of its own: the test's may be ending. A database that stays goes with the server.
        let _ = thread::spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(administer(&statement));
            }
        })
        .join();
    }
}

async fn administer(statement: &str) {
    let mut connection = PgConnection::connect(&within("postgres"))
        .await
        .unwrap_or_else(|e| panic!("{}: {e}", server()));
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statement.to_owned())))
        .await
        .unwrap_or_else(|e| panic!("{statement}: {e}"));
    connection.close().await.unwrap();
}

/// The URL of a database on the server.
fn within(database: &str) -> String {
    let url = server();
    match url.split_once('?') {
        Some((base, options)) => format!("{}/{database}?{options}", base.trim_end_matches('/')),
        None => format!("{}/{database}", url.trim_end_matches('/')),
    }
}

/// The URL of the server, without a database, started where none runs.
pub fn server() -> &'static str {
    static SERVER: OnceLock<(String, Option<File>)> = OnceLock::new();
    &SERVER
        .get_or_init(|| match env::var("MINGCE_TEST_POSTGRES") {
            Ok(url) => (url, None),
            Err(_) => {
                let (url, user) = join(&profile_folder().join("test-postgres"), &[]);
                (url, Some(user))
            }
        })
        .0
}

/// A server of one test's own, which may be hurt. It ends some seconds after it is dropped.
#[derive(Debug)]
pub struct OwnServer {
    url: String,
    _folder: TempDir,
    _user: File,
}

impl OwnServer {
    /// Starts one with this in its environment. Unlike the others' server it waits for the disk.
    pub async fn start(environment: &[(String, PathBuf)]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("mingce-own-postgres.")
            .tempdir()
            .unwrap();
        let (url, user) = join(folder.path(), environment);
        let url = format!("{url}/postgres");
        let mut connection = PgConnection::connect(&url).await.unwrap();
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let statement = format!("ALTER SYSTEM SET {setting} = on");
            connection
                .execute(sqlx::raw_sql(AssertSqlSafe(statement)))
                .await
                .unwrap();
        }
        connection.execute("SELECT pg_reload_conf()").await.unwrap();
        connection.close().await.unwrap();
        Self {
            url,
            _folder: folder,
            _user: user,
        }
    }

    /// The URL of its one database.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Joins the users of the folder's server. The lock in the answer counts this process among them until it ends, however
/// that happens.
fn join(folder: &Path, environment: &[(String, PathBuf)]) -> (String, File) {
    fs::create_dir_all(folder).unwrap();
    let lock_file = |name| {
        File::options()
            .create(true)
            .append(true)
            .read(true)
            .open(folder.join(name))
            .unwrap()
    };
    let users = lock_file("users");
    // Waits where a server is just ending.
    users.lock_shared().unwrap();
    // One process looks and starts, the others wait for what it finds.
    let starting = lock_file("starting");
    starting.lock().unwrap();
    let supervisor = lock_file("supervisor");
    let mut started = None;
    match supervisor.try_lock() {
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(e)) => panic!("{e}"),
        Ok(()) => {
            // A killed one leaves its URL behind.
            let _ = fs::remove_file(folder.join("url"));
            supervisor.unlock().unwrap();
            let child = Command::new(workspace().join("tests/parts/postgres"))
                .arg(folder)
                .envs(environment.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(File::create(folder.join("log")).unwrap())
                // A signal for this test's group is not for a server that other tests use.
                .process_group(0)
                .spawn()
                .unwrap();
            started = Some(child);
        }
    }
    let patience = Instant::now() + Duration::from_secs(90);
    loop {
        if let Ok(url) = fs::read_to_string(folder.join("url")) {
            return (url.trim().to_owned(), users);
        }
        let ended = started
            .as_mut()
            .is_some_and(|child| child.try_wait().unwrap().is_some());
        let said = || fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(!ended, "the tests' PostgreSQL does not start:\n{}", said());
        assert!(
            Instant::now() < patience,
            "the tests' PostgreSQL is not ready after 90 s:\n{}",
            said()
        );
        thread::sleep(Duration::from_millis(50));
    }
}
