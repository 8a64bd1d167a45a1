//! Databases that cannot serve: each is told apart at the start, with what to do. What turns out to be damaged later
//! is told by health, the log and each answer.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mingce_e2e::disk_faults::{DiskFaults, WRITES};
use mingce_e2e::{Failure, Register, Store};
use mingce_proto::labs::GetOrganizationRequest;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use tonic::Code;

use crate::builders::{create, made, organization, read};

/// A stopped register with some records.
async fn stopped() -> Register {
    let mut register = Register::start(Store::Sqlite).await;
    for number in 0..20 {
        made(&register, organization(&format!("单位 {number}"))).await;
    }
    register.stop();
    register
}

fn side_file(register: &Register, ending: &str) -> PathBuf {
    let mut path = register.sqlite_file().into_os_string();
    path.push(ending);
    path.into()
}

/// The number in the file beside the database.
fn known(register: &Register) -> Option<i64> {
    let text = fs::read_to_string(side_file(register, "-head")).ok()?;
    text.lines().last()?.strip_prefix("ledger ")?.parse().ok()
}

async fn eventually(mut done: impl AsyncFnMut() -> bool, what: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while !done().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// It does not start, says one line with a reason, and the words.
#[track_caller]
fn refused(register: &Register, reason: &str, words: &[&str]) {
    let said = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(said.ends_with(&format!("[{reason}]")), "{said}");
    for word in words {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
    assert!(!side_file(register, "-head.new").exists());
}

async fn truncated_wal(keep: impl Fn(u64) -> Option<u64>) {
    let mut register = Register::start(Store::Sqlite).await;
    eventually(async || known(&register).is_some(), "nothing is noted").await;
    let first = known(&register).unwrap();
    for number in 0..20 {
        made(&register, organization(&format!("单位 {number}"))).await;
    }
    eventually(async || known(&register) == Some(first + 20), "it is not noted").await;
    register.kill();
    let log = side_file(&register, "-wal");
    let length = fs::metadata(&log).unwrap().len();
    match keep(length) {
        Some(length) => OpenOptions::new()
            .write(true)
            .open(&log)
            .unwrap()
            .set_len(length)
            .unwrap(),
        None => fs::remove_file(&log).unwrap(),
    }
    refused(
        &register,
        "LEDGER_SHORTER_THAN_KNOWN",
        &[
            "acknowledged changes are missing",
            &(first + 20).to_string(),
            "--accept-loss",
        ],
    );
    // On purpose it goes on from what is left, and from then on that is what is known.
    register.set_flags(&["--accept-loss"]);
    register.restart();
    assert!(
        register.stderr().contains("acknowledged changes are missing"),
        "{}",
        register.stderr()
    );
    assert!(known(&register).unwrap() < first + 20);
    made(&register, organization("后来的单位")).await;
    register.stop();
    register.set_flags(&[]);
    register.restart();
    register.stop();
}

#[tokio::test]
async fn a_wal_that_was_cut_off_while_the_register_was_off_is_reported() {
    // The last tenth is the last few changes.
    truncated_wal(|length| Some(length / 10 * 9)).await;
}

#[tokio::test]
async fn a_missing_wal_is_reported() {
    truncated_wal(|_| None).await;
}

#[tokio::test]
async fn a_file_that_is_gone_is_told_and_an_older_backup_goes_on_on_purpose_only() {
    let mut register = stopped().await;
    let backup = fs::read(register.sqlite_file()).unwrap();
    register.restart();
    let later = made(&register, organization("后来的单位")).await;
    register.stop();

    fs::remove_file(register.sqlite_file()).unwrap();
    refused(&register, "LEDGER_SHORTER_THAN_KNOWN", &["ends with 0"]);
    fs::write(register.sqlite_file(), backup).unwrap();
    refused(&register, "LEDGER_SHORTER_THAN_KNOWN", &["backup"]);
    register.set_flags(&["--accept-loss"]);
    register.restart();
    let gone = GetOrganizationRequest {
        name: later.name,
        ..GetOrganizationRequest::default()
    };
    assert_eq!(
        register.labs().get_organization(gone).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn a_side_file_without_a_ledger_number_does_not_prevent_the_start() {
    let mut register = stopped().await;
    for text in ["", "\0\0\0\0\0\0\0\0", "register x\nledger 12"] {
        fs::write(side_file(&register, "-head"), text).unwrap();
        register.restart();
        register.stop();
        assert!(known(&register).unwrap() >= 20);
    }
    fs::remove_file(side_file(&register, "-head")).unwrap();
    register.restart();
}

#[tokio::test]
async fn a_file_that_is_damaged_is_told_and_left_as_it_is() {
    let register = stopped().await;
    let whole = fs::read(register.sqlite_file()).unwrap();
    type Damage = fn(&mut Vec<u8>);
    let damage: [(&str, Damage); 4] = [
        ("first", |bytes| bytes[..4096].fill(0)),
        ("missing", |bytes| bytes.truncate(bytes.len() - 8192)),
        ("damaged", |bytes| bytes[4096..].fill(0xff)),
        ("damaged", |bytes| bytes[100..4096].fill(0xff)),
    ];
    for (word, damage) in damage {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(register.sqlite_file(), &bytes).unwrap();
        refused(
            &register,
            "DATABASE_DAMAGED",
            &["backup", if word == "first" { "begin" } else { word }],
        );
        assert!(
            fs::read(register.sqlite_file()).unwrap() == bytes,
            "{word}: it was written to"
        );
    }
    fs::write(register.sqlite_file(), whole).unwrap();
    let mut register = register;
    register.restart();
}

#[tokio::test]
async fn a_file_of_something_else_is_no_damage() {
    let register = Register::prepare(Store::Sqlite, &[]).await;
    fs::create_dir(register.data()).unwrap();
    fs::write(register.sqlite_file(), "this is a letter".repeat(100)).unwrap();
    refused(&register, "DATABASE_FOREIGN", &["not a register", "--database"]);
}

#[tokio::test]
async fn a_disk_that_is_full_or_read_only_at_the_start_is_told() {
    const EIO: u64 = 5;
    const FULL: u64 = 28;
    const READ_ONLY: u64 = 30;
    let mut register = stopped().await;
    let disk = DiskFaults::new("register.db-head");
    register.set_environment(disk.environment());
    for (error, reason, word) in [
        (FULL, "DATABASE_FULL", "make room"),
        (READ_ONLY, "DATABASE_READ_ONLY", "mounted for writing"),
        (EIO, "DATABASE_DAMAGED", "look after the disk"),
    ] {
        disk.fail(WRITES, 1, u64::MAX, error);
        refused(&register, reason, &[word]);
        disk.heal();
    }
    register.restart();
}

#[tokio::test]
async fn a_file_that_another_program_has_locked_is_told() {
    let register = stopped().await;
    let options = SqliteConnectOptions::new()
        .filename(register.sqlite_file())
        .pragma("locking_mode", "EXCLUSIVE");
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    other
        .execute("CREATE TABLE temp.x (x); BEGIN IMMEDIATE; UPDATE ledger_head SET sequence = sequence")
        .await
        .unwrap();
    refused(&register, "DATABASE_LOCKED", &["another program"]);
    other.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn damage_that_is_found_later_is_told_by_each_answer_by_health_and_by_the_log() {
    let mut register = stopped().await;
    let name = {
        register.restart();
        let made = made(&register, organization("青岛示例大学")).await;
        register.stop();
        made.name
    };
    register.restart();
    read(&register, &name).await;
    let health = |register: &Register| {
        let asked = r#"{"service": "mingce.labs.v1.LabService"}"#;
        register
            .grpcurl(&["-d", asked], &["grpc.health.v1.Health/Check"])
            .succeeded()
    };
    assert!(health(&register).contains("\"SERVING\""));

    // Not the pages that SQLite has read already: others, from the third on. The file keeps its length.
    let mut file: File = OpenOptions::new().write(true).open(register.sqlite_file()).unwrap();
    let length = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(8192)).unwrap();
    file.write_all(&vec![0xff; usize::try_from(length - 8192).unwrap()])
        .unwrap();
    drop(file);

    let mut last = None;
    eventually(
        async || {
            let answer = register
                .labs()
                .create_organization(create(organization("又一个单位")))
                .await;
            let failure = Failure::from(answer.unwrap_err());
            assert_eq!(
                (failure.code, failure.reason.as_str()),
                (Code::DataLoss, "DATABASE_DAMAGED")
            );
            last = Some(failure);
            health(&register).contains("NOT_SERVING")
        },
        "health does not tell",
    )
    .await;
    assert!(last.is_some());
    eventually(
        async || register.stderr().contains("put back the last backup"),
        "the log does not tell",
    )
    .await;
    register.kill();
    refused(&register, "DATABASE_DAMAGED", &["backup"]);
}
