//! Imports as records: what each did, in which state it is, and what of it each service keeps.

use std::fs;
use std::time::{Duration, Instant};

use mingce_e2e::disk_faults::{DiskFaults, ERRORS, WRITES};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{ImportLabsRequest, ImportOrganizationsRequest, Lab, ListOrganizationsRequest, Organization};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{
    GetImportRequest, Import, ImportSettings, ImportState, ListImportsRequest, RowOutcome, UndoImportRequest,
};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::builders::{history, identifier, organization};

on_both_stores!(
    a_file_is_an_import_and_says_what_it_did,
    several_streams_of_a_run_are_one_import,
    a_dry_run_is_none,
    an_import_that_is_refused_has_failed,
    an_import_whose_caller_leaves_is_interrupted,
    an_import_whose_server_is_killed_is_interrupted,
    an_end_for_which_there_was_no_room_is_noted_once_there_is,
    imports_are_listed_with_filters_and_pages,
    the_rows_of_a_part_may_mean_what_those_of_another_meant,
    a_run_is_known_after_a_restart_and_however_many_others_there_are,
);

/// From now on PostgreSQL has no room for what is written of an import.
const NO_ROOM: &str = "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$; \
    CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON imports FOR EACH ROW EXECUTE FUNCTION no_room()";

pub fn write(register: &Register, name: &str, text: &str) {
    fs::write(register.folder().join(name), text).unwrap();
}

/// Imports, the newest first.
pub async fn imports(register: &Register) -> Vec<Import> {
    let answer = register.imports().list_imports(ListImportsRequest::default()).await;
    answer.unwrap().into_inner().imports
}

/// The newest import.
pub async fn newest(register: &Register) -> Import {
    imports(register).await.remove(0)
}

pub async fn organizations(register: &Register) -> Vec<Organization> {
    let request = ListOrganizationsRequest {
        page_size: 1000,
        ..ListOrganizationsRequest::default()
    };
    let answer = register.labs().list_organizations(request).await;
    answer.unwrap().into_inner().organizations
}

/// The organization of this name.
pub async fn called(register: &Register, name: &str) -> Organization {
    let all = organizations(register).await;
    all.into_iter().find(|o| o.display_name == name).unwrap()
}

fn of_run(run: &str, part: i32) -> ImportSettings {
    ImportSettings {
        source: "名单.csv".to_owned(),
        run: run.to_owned(),
        part,
        ..ImportSettings::default()
    }
}

fn rows(settings: ImportSettings, organizations: &[Organization]) -> Vec<ImportOrganizationsRequest> {
    rows_from(1, settings, organizations)
}

fn rows_from(first: i64, settings: ImportSettings, organizations: &[Organization]) -> Vec<ImportOrganizationsRequest> {
    let mut rows: Vec<_> = organizations
        .iter()
        .zip(first..)
        .map(|(organization, row)| ImportOrganizationsRequest {
            settings: None,
            row,
            organization: Some(organization.clone()),
        })
        .collect();
    rows[0].settings = Some(settings);
    rows
}

pub async fn sent(register: &Register, settings: ImportSettings, organizations: &[Organization]) -> Vec<RowOutcome> {
    sent_from(1, register, settings, organizations).await
}

/// The same of rows whose numbers in the file begin with this one.
pub async fn sent_from(
    first: i64,
    register: &Register,
    settings: ImportSettings,
    organizations: &[Organization],
) -> Vec<RowOutcome> {
    let rows = rows_from(first, settings, organizations);
    let answer = register.labs().import_organizations(tokio_stream::iter(rows)).await;
    answer.unwrap().into_inner().outcomes
}

fn numbered(name: &str, number: &str) -> Organization {
    Organization {
        identifiers: vec![identifier(number)],
        ..organization(name)
    }
}

async fn a_file_is_an_import_and_says_what_it_did(store: Store) {
    let register = Register::start(store).await;
    write(
        &register,
        "labs.csv",
        "display_name,city,hosts\n示例一室,青岛,示例甲大学\n示例二室,青岛,示例甲大学\n,青岛,示例乙大学\n",
    );
    let ran = register.cli(&["import", "labs.csv", "--as", "labs"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let import = newest(&register).await;
    assert!(ran.stdout.contains(&format!("mingce undo {}", import.run)), "{ran:?}");
    assert_eq!(import.state(), ImportState::Done);
    assert_eq!(
        (import.source.as_str(), import.mapping.as_str(), import.actor.as_str()),
        ("labs.csv", "labs", "anonymous")
    );
    assert_eq!((import.source_sha256.len(), import.mapping_sha256.len()), (64, 0));
    let counts = |collection: &str| {
        let counts = import.counts.iter().find(|c| c.collection == collection).unwrap();
        (
            counts.created,
            counts.updated,
            counts.unchanged,
            counts.refused,
            counts.created_references,
        )
    };
    assert_eq!(counts("labs"), (2, 0, 0, 1, 0));
    assert_eq!(counts("organizations"), (0, 0, 0, 0, 1));
    let time = |time: &Option<prost_types::Timestamp>| time.map(|time| (time.seconds, time.nanos));
    assert!(time(&import.create_time) < time(&import.end_time));
    // It is a record like others: its own last change came behind all that it did.
    assert!(import.sequence > import.last_sequence, "{import:?}");
    // What it made says so, and stands between its first and its last change.
    let made = called(&register, "示例甲大学").await;
    let entry = history(&register, &made.name).await.remove(0);
    assert_eq!(entry.import, import.name);
    assert!((import.first_sequence..=import.last_sequence).contains(&entry.sequence));
    let got = GetImportRequest {
        name: import.name.clone(),
        ..GetImportRequest::default()
    };
    assert_eq!(register.imports().get_import(got).await.unwrap().into_inner(), import);
    // Once more nothing is changed, and that is an import too.
    register.cli(&["import", "labs.csv", "--as", "labs"]);
    let again = newest(&register).await;
    assert_ne!(again.name, import.name);
    assert_eq!((again.counts[0].unchanged, again.first_sequence), (2, 0));
    let said = register.cli(&["imports"]).succeeded();
    assert!(
        said.contains(&format!("{}  ", import.run)) && said.contains("done  labs.csv --as labs  anonymous"),
        "{said}"
    );
    assert!(
        said.contains("  labs: 2 created, 1 refused\n  organizations: 1 created because rows name them"),
        "{said}"
    );
    let said = register.cli(&["imports", "--lang", "zh", "--limit", "1"]).succeeded();
    assert!(
        said.contains("已完成  labs.csv") && said.contains("labs: 未变 2"),
        "{said}"
    );
}

async fn several_streams_of_a_run_are_one_import(store: Store) {
    let register = Register::start(store).await;
    let text: String = (0..2500).map(|n| format!("示例单位{n:05}\n")).collect();
    write(&register, "many.csv", &format!("display_name\n{text}"));
    register
        .cli(&["import", "many.csv", "--as", "organizations"])
        .succeeded();
    let all = imports(&register).await;
    assert_eq!((all.len(), all[0].counts[0].created), (1, 2500));
    assert_eq!(all[0].state(), ImportState::Done);
    // Those of two runs, and those without one, are not.
    for run in ["", "", "a run", "a run"] {
        sent(&register, of_run(run, 0), &[organization("示例单位00001")]).await;
    }
    let all = imports(&register).await;
    assert_eq!(all.len(), 4);
    assert_eq!((all[0].run.as_str(), all[0].counts[0].unchanged), ("a run", 2));
    assert_eq!(all[1].name, format!("imports/{}", all[1].run));
}

async fn a_dry_run_is_none(store: Store) {
    let register = Register::start(store).await;
    let settings = ImportSettings {
        validate_only: true,
        ..of_run("a run", 0)
    };
    let tried = sent(&register, settings, &[organization("示例单位")]).await;
    assert_eq!(tried[0].outcome(), Outcome::Created);
    write(&register, "o.csv", "display_name\n示例单位\n");
    let said = register
        .cli(&["import", "o.csv", "--as", "organizations", "--dry-run"])
        .succeeded();
    assert!(!said.contains("mingce undo"), "{said}");
    assert_eq!(imports(&register).await, []);
    assert!(register.cli(&["imports"]).succeeded().contains("no imports"));
}

async fn an_import_that_is_refused_has_failed(store: Store) {
    let register = Register::start(store).await;
    let mut all = rows(
        of_run("a run", 0),
        &[organization("示例单位"), organization("示例单位二")],
    );
    all[1].row = 0;
    let refused = failure(register.labs().import_organizations(tokio_stream::iter(all)).await);
    assert_eq!(refused.code, Code::InvalidArgument);
    let import = newest(&register).await;
    assert_eq!(
        (import.state(), import.failure.as_str()),
        (ImportState::Failed, "INT64_GTE")
    );
    // It goes on with what is right.
    sent(&register, of_run("a run", 0), &[organization("示例单位")]).await;
    let import = newest(&register).await;
    assert_eq!((import.state(), import.failure.as_str()), (ImportState::Done, ""));
    assert_eq!(imports(&register).await.len(), 1);
}

/// The newest import, once it is in a state.
async fn becomes(register: &Register, state: ImportState) -> Import {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let found = imports(register).await;
        if let Some(import) = found.into_iter().next().filter(|import| import.state() == state) {
            return import;
        }
        assert!(
            Instant::now() < until,
            "no import is {state:?}: {:?}",
            imports(register).await
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A call that has sent 1,000 rows and goes on.
async fn under_way(
    register: &Register,
) -> (
    tokio::sync::mpsc::Sender<ImportOrganizationsRequest>,
    tokio::runtime::Runtime,
) {
    let (more, waiting) = tokio::sync::mpsc::channel(10);
    let many: Vec<_> = (0..1000).map(|n| organization(&format!("示例单位{n:04}"))).collect();
    let stream = tokio_stream::iter(rows(of_run("a run", 0), &many)).chain(ReceiverStream::new(waiting));
    // Its connections end with it, as those of a process do.
    let call = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut client = {
        let _entered = call.enter();
        register.labs()
    };
    call.spawn(async move {
        let _ = client.import_organizations(stream).await;
    });
    let until = Instant::now() + Duration::from_secs(20);
    while imports(register)
        .await
        .first()
        .is_none_or(|import| import.counts[0].created == 0)
    {
        assert!(Instant::now() < until, "no rows are noted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (more, call)
}

async fn an_import_whose_caller_leaves_is_interrupted(store: Store) {
    let register = Register::start(store).await;
    let (_more, call) = under_way(&register).await;
    let import = newest(&register).await;
    assert_eq!((import.state(), import.counts[0].created), (ImportState::Running, 1000));
    // It is not taken back while it is under way.
    let undo = UndoImportRequest {
        name: import.name,
        reason: "误导入".to_owned(),
        ..UndoImportRequest::default()
    };
    let refused = failure(register.imports().undo_import(undo).await);
    assert_eq!(
        refused.is(),
        (Code::FailedPrecondition, "IMPORT_RUNNING"),
        "{refused:?}"
    );
    call.shutdown_background();
    let import = becomes(&register, ImportState::Interrupted).await;
    assert_eq!(import.counts[0].created, 1000);
    assert!(import.first_sequence > 0 && import.end_time.is_some());
}

async fn an_import_whose_server_is_killed_is_interrupted(store: Store) {
    let mut register = Register::start(store).await;
    let (_more, call) = under_way(&register).await;
    register.kill();
    call.shutdown_background();
    if store == Store::Postgres {
        // Another process could still be at it, so it takes a minute until nothing was noted for long enough.
        register
            .execute("UPDATE imports SET update_time = update_time - 61000000")
            .await;
    }
    register.restart();
    let import = becomes(&register, ImportState::Interrupted).await;
    assert_eq!(import.counts[0].created, 1000);
    let said = register.cli(&["undo", "a run", "--reason", "误导入"]).succeeded();
    assert!(said.contains("1000 annulled, 0 set back; 0 stay"), "{said}");
    assert_eq!(organizations(&register).await.len(), 0);
    // What it goes on with would be in neither state.
    let refused = failure(
        register
            .labs()
            .import_organizations(tokio_stream::iter(rows(
                of_run("a run", 0),
                &[organization("示例单位")],
            )))
            .await,
    );
    assert_eq!(refused.is(), (Code::FailedPrecondition, "IMPORT_UNDONE"), "{refused:?}");
}

async fn an_end_for_which_there_was_no_room_is_noted_once_there_is(store: Store) {
    // The log of SQLite cannot be made longer; PostgreSQL says that its disk is full.
    let disk = DiskFaults::new("register.db-wal$");
    let mut register = Register::prepare(store, &[]).await;
    if store == Store::Sqlite {
        register.set_environment(disk.environment());
    }
    register.restart();
    let (more, call) = under_way(&register).await;
    match store {
        Store::Sqlite => disk.fail(WRITES, 1, u64::MAX, ERRORS[1]),
        Store::Postgres => register.execute(NO_ROOM).await,
    }
    // There is room for a row on PostgreSQL, and none to note it.
    let last = match store {
        Store::Sqlite => 999,
        Store::Postgres => 1000,
    };
    let name = format!("示例单位{last:04}");
    if last == 1000 {
        let row = ImportOrganizationsRequest {
            settings: None,
            row: 1001,
            organization: Some(organization(&name)),
        };
        more.send(row).await.unwrap();
    }
    // All rows were sent.
    drop(more);
    let until = Instant::now() + Duration::from_secs(10);
    while !register.stderr().contains("it was not noted how an import ended") {
        assert!(Instant::now() < until, "there was room: {}", register.stderr());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(newest(&register).await.state(), ImportState::Running);
    match store {
        Store::Sqlite => assert!(disk.heal() > 0),
        Store::Postgres => register.execute("DROP TRIGGER no_room ON imports").await,
    }
    let import = becomes(&register, ImportState::Done).await;
    assert_eq!((import.counts[0].created, import.counts[0].refused), (last + 1, 0));
    assert!(import.first_sequence > 0 && import.end_time.is_some());
    call.shutdown_background();
    // What its rows meant is kept with it.
    register.stop();
    register.restart();
    let other = Organization {
        city: "济南".to_owned(),
        ..organization(&name)
    };
    let other = sent(&register, of_run("a run", 0), &[other]).await.remove(0);
    assert_eq!(
        other.problems.first().map(|p| p.reason.as_str()),
        Some("ROW_TWICE"),
        "{other:?}"
    );
}

async fn imports_are_listed_with_filters_and_pages(store: Store) {
    let register = Register::start(store).await;
    for run in ["1", "2", "3"] {
        sent(&register, of_run(run, 0), &[numbered("示例单位", run)]).await;
    }
    let lab = ImportLabsRequest {
        settings: Some(of_run("4", 0)),
        row: 1,
        lab: Some(Lab {
            display_name: "示例实验室".to_owned(),
            ..Lab::default()
        }),
    };
    register.labs().import_labs(tokio_stream::iter([lab])).await.unwrap();
    let runs = async |request: ListImportsRequest| {
        let page = register.imports().list_imports(request).await.unwrap().into_inner();
        let runs: Vec<String> = page.imports.into_iter().map(|import| import.run).collect();
        (runs.join(" "), page.next_page_token, page.total_size)
    };
    let mut request = ListImportsRequest {
        page_size: 2,
        include_total_size: true,
        ..ListImportsRequest::default()
    };
    let (first, token, all) = runs(request.clone()).await;
    assert_eq!((first.as_str(), all), ("4 3", 4));
    request.page_token = token;
    let (second, token, _) = runs(request).await;
    assert_eq!((second.as_str(), token.as_str()), ("2 1", ""));
    for (filter, expected) in [
        ("run = \"2\"", "2"),
        ("collections = \"labs\"", "4"),
        ("source = \"名单.csv\" AND state = DONE", "4 3 2 1"),
        ("state = UNDONE", ""),
        ("actor = \"anonymous\" AND NOT collections = \"organizations\"", "4"),
    ] {
        let request = ListImportsRequest {
            filter: filter.to_owned(),
            ..ListImportsRequest::default()
        };
        assert_eq!(runs(request).await.0, expected, "{filter}");
    }
}

async fn the_rows_of_a_part_may_mean_what_those_of_another_meant(store: Store) {
    let register = Register::start(store).await;
    let row = |city: &str| Organization {
        city: city.to_owned(),
        ..numbered("示例单位", "1")
    };
    let send = async |part: i32, city: &str| sent(&register, of_run("a run", part), &[row(city)]).await.remove(0);
    assert_eq!(send(0, "青岛").await.outcome(), Outcome::Created);
    assert_eq!(send(1, "济南").await.outcome(), Outcome::Updated);
    let refused = send(1, "烟台").await;
    assert_eq!(refused.problems[0].reason, "ROW_TWICE", "{refused:?}");
    assert_eq!(imports(&register).await.len(), 1);
}

async fn a_run_is_known_after_a_restart_and_however_many_others_there_are(store: Store) {
    let mut register = Register::start(store).await;
    let row = |city: &str| Organization {
        city: city.to_owned(),
        ..numbered("示例单位", "1")
    };
    let first = sent(&register, of_run("a run", 0), &[row("青岛")]).await.remove(0);
    assert_eq!(first.outcome(), Outcome::Created);
    let again = async |register: &Register| {
        let same = sent(register, of_run("a run", 0), &[row("青岛")]).await.remove(0);
        assert_eq!(same.outcome(), Outcome::Unchanged);
        let other = sent(register, of_run("a run", 0), &[row("济南")]).await.remove(0);
        assert_eq!(
            other.problems.first().map(|p| p.reason.as_str()),
            Some("ROW_TWICE"),
            "{other:?}"
        );
    };
    for run in 0..20 {
        sent(
            &register,
            of_run(&format!("run {run}"), 0),
            &[organization("示例另一单位")],
        )
        .await;
    }
    again(&register).await;
    register.stop();
    register.restart();
    again(&register).await;
    let other = sent(&register, of_run("another run", 0), &[row("济南")])
        .await
        .remove(0);
    assert_eq!(other.outcome(), Outcome::Updated);
}
