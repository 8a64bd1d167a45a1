//! A disk that fails: full, read-only, or broken, once or for good, at every write, sync and truncation. What was answered as done
//! is there, as another process reads it, and what was refused is not.
//!
//! `MINGCE_DISK=all` tries every place at which the disk can fail; otherwise it is some of them.

use mingce_e2e::disk_faults::{DiskFaults, ERRORS, SYNCS, TRUNCATIONS, WRITES};
use mingce_e2e::{Failure, Register, Store};
use mingce_proto::labs::{ImportOrganizationsRequest, MergeOrganizationsRequest, Organization};
use mingce_proto::registry::ImportSettings;
use mingce_proto::registry::row_outcome::Outcome;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};
use tonic::{Code, Status};

use crate::made::{create, identifier, organization, read};

const ALL: u64 = WRITES | SYNCS | TRUNCATIONS;

/// What callers were told.
#[derive(Default)]
struct Told {
    /// Names of resources, with the revision that they were answered with.
    done: Vec<(String, i64)>,
    /// Display names that are nowhere.
    refused: Vec<String>,
    reasons: Vec<String>,
}

impl Told {
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

async fn make(register: &Register, told: &mut Told, name: &str) -> Option<Organization> {
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
async fn some_work(register: &Register, told: &mut Told, run: &str) {
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

/// Looks for all of it in the file, as a process of its own.
async fn expect_kept(register: &Register, told: &Told, at: &str) {
    let options = SqliteConnectOptions::new()
        .filename(register.sqlite_file())
        .read_only(true);
    let mut file = SqliteConnection::connect_with(&options).await.unwrap();
    for (name, revision) in &told.done {
        let id = name.split_once('/').unwrap().1;
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM ledger WHERE resource = ? AND revision = ?), \
             (SELECT count(*) FROM organizations WHERE id = ? AND revision >= ?)",
        )
        .bind(name)
        .bind(revision)
        .bind(id)
        .bind(revision)
        .fetch_one(&mut file)
        .await
        .unwrap();
        let found: (i64, i64) = (row.get(0), row.get(1));
        assert_eq!(
            found,
            (1, 1),
            "{at}: {name} at revision {revision} was answered and is lost"
        );
    }
    for name in &told.refused {
        let row = sqlx::query("SELECT count(*) FROM ledger WHERE instr(snapshot, CAST(? AS BLOB)) > 0")
            .bind(name)
            .fetch_one(&mut file)
            .await
            .unwrap();
        assert_eq!(row.get::<i64, _>(0), 0, "{at}: {name} was refused and is there");
    }
    let row = sqlx::query("SELECT count(*), coalesce(max(sequence), 0) FROM ledger")
        .fetch_one(&mut file)
        .await
        .unwrap();
    assert_eq!(row.get::<i64, _>(0), row.get::<i64, _>(1), "{at}: the ledger has a gap");
    file.close().await.unwrap();
}

async fn faulty() -> (Register, DiskFaults) {
    let disk = DiskFaults::new("register.db");
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
async fn calls_of_work(register: &Register, disk: &DiskFaults, told: &mut Told) -> u64 {
    disk.fail(ALL, u64::MAX, 0, 0);
    some_work(register, told, "calls").await;
    disk.heal();
    assert!(told.reasons.is_empty());
    let calls = disk.calls();
    assert!(calls > 30, "only {calls}: the disk is not that of the register");
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_fails_and_heals_loses_nothing_that_was_answered() {
    let (mut register, disk) = faulty().await;
    let mut told = Told::default();
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
    let mut told = Told::default();
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
