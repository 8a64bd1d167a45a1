//! Disk faults: a disk that is full, read-only or broken, once or for good, at every write, sync and truncation. What
//! was answered as done is there, as another process reads it, and what was refused is not.
//!
//! `MINGCE_DISK=all` tries every place at which the disk can fail; otherwise it is some of them.

use std::time::{Duration, Instant};

use mingce_e2e::disk_faults::{DiskFaults, ERRORS, SYNCS, TRUNCATIONS, WRITES};
use mingce_e2e::postgres::OwnServer;
use mingce_e2e::{Failure, Register, Store};
use mingce_proto::labs::{ImportOrganizationsRequest, MergeOrganizationsRequest, Organization};
use mingce_proto::registry::ImportSettings;
use mingce_proto::registry::row_outcome::Outcome;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use tonic::{Code, Status};

use crate::builders::{create, identifier, organization, read};

const ALL: u64 = WRITES | SYNCS | TRUNCATIONS;

/// What callers were told.
#[derive(Default)]
struct Acknowledged {
    /// Names of resources, with the revision that they were answered with.
    done: Vec<(String, i64)>,
    /// Display names that are nowhere.
    refused: Vec<String>,
    reasons: Vec<String>,
}

impl Acknowledged {
    fn failed(&mut self, names: &[&str], status: Status) {
        let Failure { code, reason, .. } = Failure::from(status);
        let fits = match reason.as_str() {
            "COMMIT_UNKNOWN" | "DATABASE_UNREACHABLE" => code == Code::Unavailable,
            "DATABASE_FULL" => code == Code::ResourceExhausted,
            // Of a broken disk whose fault is told apart.
            reason => reason.starts_with("DATABASE_"),
        };
        assert!(fits, "{code:?} {reason}");
        if reason != "COMMIT_UNKNOWN" {
            self.refused.extend(names.iter().map(|&name| name.to_owned()));
        }
        self.reasons.push(reason);
    }
}

async fn make(register: &Register, told: &mut Acknowledged, name: &str) -> Option<Organization> {
    let answer = register.labs().create_organization(create(organization(name))).await;
    match answer {
        Ok(made) => {
            let made = made.into_inner();
            told.done.push((made.name.clone(), made.revision));
            Some(made)
        }
        Err(status) => {
            told.failed(&[name], status);
            None
        }
    }
}

/// Two creates, an import of three rows, and a merge.
async fn some_work(register: &Register, told: &mut Acknowledged, run: &str) {
    let first = make(register, told, &format!("甲{run}")).await;
    let second = make(register, told, &format!("乙{run}")).await;
    let names: Vec<String> = (0..3).map(|row| format!("丙{run}-{row}")).collect();
    let mut rows = vec![ImportOrganizationsRequest {
        settings: Some(ImportSettings::default()),
        ..ImportOrganizationsRequest::default()
    }];
    rows.extend(names.iter().zip(1..).map(|(name, row)| ImportOrganizationsRequest {
        row,
        organization: Some(Organization {
            identifiers: vec![identifier(name)],
            ..organization(name)
        }),
        ..ImportOrganizationsRequest::default()
    }));
    match register.labs().import_organizations(tokio_stream::iter(rows)).await {
        Ok(answer) => {
            for outcome in answer.into_inner().outcomes {
                assert_eq!(outcome.outcome(), Outcome::Created, "{outcome:?}");
                told.done.push((outcome.name, 1));
            }
        }
        Err(status) => told.failed(&names.iter().map(String::as_str).collect::<Vec<_>>(), status),
    }
    if let (Some(stays), Some(goes)) = (first, second) {
        let request = MergeOrganizationsRequest {
            name: goes.name,
            survivor: stays.name,
            reason: "one body, recorded twice".to_owned(),
            ..MergeOrganizationsRequest::default()
        };
        match register.labs().merge_organizations(request).await {
            Ok(merged) => {
                let merged = merged.into_inner();
                told.done.push((merged.name, merged.revision));
            }
            Err(status) => told.failed(&[], status),
        }
    }
}

/// The database, as a process of its own reads it.
enum DatabaseReader {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl DatabaseReader {
    async fn of_file(register: &Register) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(register.sqlite_file())
            .read_only(true);
        Self::Sqlite(SqliteConnection::connect_with(&options).await.unwrap())
    }

    async fn count(&mut self, table: &str, condition: &str) -> i64 {
        let query = AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE {condition}"));
        match self {
            Self::Sqlite(file) => sqlx::query_scalar(query).fetch_one(file).await.unwrap(),
            Self::Postgres(server) => sqlx::query_scalar(query).fetch_one(server).await.unwrap(),
        }
    }

    /// Looks for all of it.
    async fn expect_kept(mut self, told: &Acknowledged, at: &str) {
        for (name, revision) in &told.done {
            let id = name.split_once('/').unwrap().1;
            let entry = format!("resource = '{name}' AND revision = {revision}");
            let row = format!("id = '{id}' AND revision >= {revision}");
            let found = (
                self.count("ledger", &entry).await,
                self.count("organizations", &row).await,
            );
            assert_eq!(
                found,
                (1, 1),
                "{at}: {name} at revision {revision} was answered and is lost"
            );
        }
        for name in &told.refused {
            let within = match self {
                Self::Sqlite(_) => format!("instr(snapshot, CAST('{name}' AS BLOB)) > 0"),
                Self::Postgres(_) => format!("position(convert_to('{name}', 'UTF8') IN snapshot) > 0"),
            };
            assert_eq!(
                self.count("ledger", &within).await,
                0,
                "{at}: {name} was refused and is there"
            );
        }
        let entries = self.count("ledger", "true").await;
        let last = format!("sequence > {entries} OR sequence < 1");
        assert_eq!(self.count("ledger", &last).await, 0, "{at}: the ledger has a gap");
    }
}

async fn expect_kept(register: &Register, told: &Acknowledged, at: &str) {
    DatabaseReader::of_file(register).await.expect_kept(told, at).await;
}

async fn faulty() -> (Register, DiskFaults) {
    with_faults_of("register.db").await
}

async fn with_faults_of(file: &str) -> (Register, DiskFaults) {
    let disk = DiskFaults::new(file);
    let mut register = Register::prepare(Store::Sqlite, &[]).await;
    register.set_environment(disk.environment());
    register.restart();
    (register, disk)
}

/// Every how manieth place is tried.
fn step(short: usize) -> usize {
    if std::env::var("MINGCE_DISK").is_ok_and(|all| all == "all") {
        1
    } else {
        short
    }
}

/// How often the work calls on the disk.
async fn calls_of_work(register: &Register, disk: &DiskFaults, told: &mut Acknowledged) -> u64 {
    disk.fail(ALL, u64::MAX, 0, 0);
    some_work(register, told, "calls").await;
    disk.heal();
    assert!(told.reasons.is_empty());
    let calls = disk.calls();
    assert!(calls > 10, "only {calls}: the disk is not that of the register");
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_fails_and_heals_loses_nothing_that_was_answered() {
    let (mut register, disk) = faulty().await;
    let mut told = Acknowledged::default();
    let calls = calls_of_work(&register, &disk, &mut told).await;
    for (kinds, short) in [(ALL, 7), (WRITES, 23), (SYNCS, 1), (TRUNCATIONS, 1)] {
        let mut places = calls;
        for (turn, from) in (1..=calls).step_by(step(short)).enumerate() {
            // Once, in the next call too, and for a while.
            for (times, error) in [1, 2, 40].into_iter().zip(ERRORS.into_iter().cycle().skip(turn % 3)) {
                let at = format!("{kinds}: {times} from the {from}th on with error {error}");
                disk.fail(kinds, from, times, error);
                some_work(&register, &mut told, &format!("{kinds}-{from}-{times}")).await;
                places = disk.calls();
                disk.heal();
                for attempt in 0.. {
                    if make(&register, &mut told, &format!("丁{kinds}-{from}-{times}-{attempt}"))
                        .await
                        .is_some()
                    {
                        break;
                    }
                    assert!(attempt < 2, "{at}: {}", told.reasons.last().unwrap());
                }
            }
            if from > places {
                break;
            }
            expect_kept(&register, &told, &format!("{kinds} from {from}")).await;
        }
    }
    assert!(told.reasons.len() > 20, "{:?}", told.reasons);
    expect_kept(&register, &told, "while it runs").await;
    register.kill();
    expect_kept(&register, &told, "after it was killed").await;
    register.restart();
    for (name, revision) in &told.done {
        assert!(read(&register, name).await.revision >= *revision);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_stays_broken_loses_nothing_that_was_answered() {
    let (mut register, disk) = faulty().await;
    let mut told = Acknowledged::default();
    let calls = calls_of_work(&register, &disk, &mut told).await;
    for (turn, from) in (1..=calls).step_by(step(17)).enumerate() {
        disk.fail(ALL, from, u64::MAX, ERRORS[turn % 3]);
        for run in 0..3 {
            some_work(&register, &mut told, &format!("{from}-{run}")).await;
        }
        assert!(make(&register, &mut told, &format!("丁{from}")).await.is_none());
        register.kill();
        assert!(disk.heal() > 2);
        expect_kept(&register, &told, &format!("broken from {from}")).await;
        register.restart();
        assert!(make(&register, &mut told, &format!("戊{from}")).await.is_some());
        expect_kept(&register, &told, &format!("restarted after {from}")).await;
    }
}

/// What the disk has not taken is still in the log. Whoever ended in order, or went on, would lose it with the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_does_not_take_what_the_log_brings_into_the_file_ends_the_register_and_loses_nothing() {
    // Whether a write is still answered before the register ends is a matter of luck, of less on a busy machine.
    for _ in 0..8 {
        if log_that_stays().await {
            return;
        }
    }
    panic!("no write was answered while the log stayed");
}

/// The disk takes the log and not the file. Whether a write was answered then.
async fn log_that_stays() -> bool {
    let (mut register, disk) = with_faults_of("register.db$").await;
    let mut told = Acknowledged::default();
    // The file alone: commits wait for the log, which is on a good disk.
    disk.fail(SYNCS, 1, 1, ERRORS[0]);
    for name in ["甲", "乙", "丙"] {
        assert!(make(&register, &mut told, name).await.is_some());
    }
    // The log becomes as long as after thousands of writes.
    let options = SqliteConnectOptions::new()
        .filename(register.sqlite_file())
        .pragma("wal_autocheckpoint", "0");
    let mut beside = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in [
        "CREATE TABLE filling (bytes BLOB)",
        "INSERT INTO filling VALUES (zeroblob(36000000))",
        "DROP TABLE filling",
    ] {
        sqlx::query(statement).execute(&mut beside).await.unwrap();
    }
    beside.close().await.unwrap();
    for name in ["丁", "戊"] {
        if let Ok(made) = register.labs().create_organization(create(organization(name))).await {
            let made = made.into_inner();
            told.done.push((made.name, made.revision));
        }
    }
    let ended = register.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("the disk has not taken"), "{}", ended.stderr);
    assert_eq!(disk.heal(), 1);
    let is_answered = told.done.len() > 3;
    register.restart();
    expect_kept(&register, &told, "after it has ended").await;
    assert!(make(&register, &mut told, "after all").await.is_some());
    is_answered
}

/// PostgreSQL starts anew where its log cannot be written, and goes on where a table cannot.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_of_postgres_that_fails_and_heals_loses_nothing_that_was_answered() {
    let disk = DiskFaults::new("/server/");
    let server = OwnServer::start(&disk.environment()).await;
    let mut register = Register::prepare(Store::Sqlite, &["--database", server.url()]).await;
    register.restart();
    let mut told = Acknowledged::default();
    let calls = calls_of_work(&register, &disk, &mut told).await;
    for (turn, from) in (1..=calls).step_by(step(4)).enumerate() {
        let at = format!("the {from}th with error {}", ERRORS[turn % 3]);
        disk.fail(ALL, from, 1, ERRORS[turn % 3]);
        some_work(&register, &mut told, &format!("{from:04}")).await;
        disk.heal();
        let until = Instant::now() + Duration::from_secs(60);
        for attempt in 0.. {
            if make(&register, &mut told, &format!("丁{from:04}-{attempt}."))
                .await
                .is_some()
            {
                break;
            }
            assert!(Instant::now() < until, "{at}: {}", told.reasons.last().unwrap());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let beside = PgConnection::connect(server.url()).await.unwrap();
        DatabaseReader::Postgres(beside).expect_kept(&told, &at).await;
    }
    assert!(!told.reasons.is_empty());
}
