//! How the register starts, how it refuses to, and how it ends.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use mingce_e2e::binary::{self, mingce, workspace};
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{
    CreateOrganizationRequest, GetOrganizationRequest, ImportOrganizationsRequest, ListOrganizationsRequest,
    Organization,
};
use mingce_proto::registry::{ImportSettings, ListImportsRequest, View};

on_both_stores!(
    it_says_where_it_listens_and_where_its_data_is,
    the_grpcurl_lines_that_it_prints_work,
    reflection_lists_the_three_services,
    health_says_that_it_serves,
    a_service_can_be_served_alone,
    ctrl_c_ends_it_in_order,
    an_open_stream_does_not_hold_the_end_for_ever,
    what_was_answered_survives_a_kill,
    a_used_port_is_said_in_a_line_and_nothing_is_written,
    a_folder_that_cannot_be_written_is_said_in_a_line,
    a_database_of_something_else_is_left_as_it_is,
    a_database_of_a_later_version_is_left_as_it_is,
    a_wrong_flag_is_said_in_a_line_and_nothing_is_written,
);

fn a_request(display_name: &str) -> CreateOrganizationRequest {
    let organization = Organization {
        display_name: display_name.to_owned(),
        ..Organization::default()
    };
    CreateOrganizationRequest {
        organization: Some(organization),
        ..CreateOrganizationRequest::default()
    }
}

/// Tables of a database, other than those that it brings itself.
const TABLES_ON_POSTGRES: &str = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";

/// A register that never came up has left nothing behind.
async fn nothing_is_written(register: &Register, store: Store) {
    assert!(
        !register.data().exists(),
        "{:?}",
        fs::read_dir(register.data()).unwrap().collect::<Vec<_>>()
    );
    if store == Store::Postgres {
        assert_eq!(register.number(TABLES_ON_POSTGRES).await, 0);
    }
}

async fn it_says_where_it_listens_and_where_its_data_is(store: Store) {
    let mut register = Register::start(store).await;
    let address = register.address().to_owned();
    let said = register.stop().stdout;
    assert!(
        said.lines().any(|line| line == format!("listening on {address}")),
        "{said}"
    );
    match store {
        Store::Sqlite => assert!(said.contains(register.sqlite_file().to_str().unwrap()), "{said}"),
        // Where, but not how to get in.
        Store::Postgres => assert!(
            said.contains("127.0.0.1") && !said.contains("postgres://mingce:"),
            "{said}"
        ),
    }
}

async fn the_grpcurl_lines_that_it_prints_work(store: Store) {
    let register = Register::start(store).await;
    // They are printed with the address, which is known before they are.
    let mut lines = Vec::new();
    let until = Instant::now() + Duration::from_secs(20);
    while lines.len() < 3 {
        assert!(Instant::now() < until, "{}", register.stdout());
        tokio::time::sleep(Duration::from_millis(20)).await;
        let said = register.stdout();
        let printed = said.lines().map(str::trim).filter(|line| line.starts_with("grpcurl "));
        lines = printed.map(str::to_owned).collect();
    }
    assert_eq!(lines.len(), 3, "{lines:?}");
    let path = format!(
        "{}:{}",
        workspace().join(".tools/bin").display(),
        env::var("PATH").unwrap()
    );
    for line in lines {
        binary::run(Command::new("sh").args(["-c", &line]).env("PATH", &path)).succeeded();
    }
}

async fn reflection_lists_the_three_services(store: Store) {
    let register = Register::start(store).await;
    let listed = register.grpcurl(&[], &["list"]).succeeded();
    for service in [
        "labs.v1.LabService",
        "talent.v1.TalentService",
        "awards.v1.AwardService",
    ] {
        assert!(
            listed.lines().any(|line| line == format!("mingce.{service}")),
            "{listed}"
        );
        let described = register
            .grpcurl(&[], &["describe", &format!("mingce.{service}")])
            .succeeded();
        assert!(described.contains("permission"), "{described}");
    }
}

async fn health_says_that_it_serves(store: Store) {
    let register = Register::start(store).await;
    for service in [
        "",
        "mingce.labs.v1.LabService",
        "mingce.talent.v1.TalentService",
        "mingce.awards.v1.AwardService",
    ] {
        let asked = format!(r#"{{"service": "{service}"}}"#);
        let answered = register
            .grpcurl(&["-d", &asked], &["grpc.health.v1.Health/Check"])
            .succeeded();
        assert!(answered.contains("\"SERVING\""), "{service}: {answered}");
    }
}

async fn a_service_can_be_served_alone(store: Store) {
    let register = Register::start_with(store, &["labs"]).await;
    let listed = register.grpcurl(&[], &["list"]).succeeded();
    assert!(listed.contains("mingce.labs.v1.LabService"), "{listed}");
    assert!(!listed.contains("mingce.talent.v1.TalentService"), "{listed}");
    register
        .labs()
        .create_organization(a_request("青岛大学"))
        .await
        .unwrap();
}

async fn ctrl_c_ends_it_in_order(store: Store) {
    let mut register = Register::start(store).await;
    register
        .labs()
        .create_organization(a_request("青岛大学"))
        .await
        .unwrap();
    let ran = register.end_by("INT");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    register.restart();
    assert_eq!(register.stop().code, Some(0));
}

/// How many imports there are.
async fn imports(register: &Register) -> usize {
    let all = register.imports().list_imports(ListImportsRequest::default()).await;
    all.unwrap().into_inner().imports.len()
}

async fn an_open_stream_does_not_hold_the_end_for_ever(store: Store) {
    let mut register = Register::start(store).await;
    let (rows, waiting) = tokio::sync::mpsc::channel::<ImportOrganizationsRequest>(1);
    let mut labs = register.labs();
    let import = tokio::spawn(async move {
        labs.import_organizations(tokio_stream::wrappers::ReceiverStream::new(waiting))
            .await
    });
    let settings = Some(ImportSettings::default());
    rows.send(ImportOrganizationsRequest {
        settings,
        ..ImportOrganizationsRequest::default()
    })
    .await
    .unwrap();
    // The import has a record once its first message was read.
    let until = Instant::now() + Duration::from_secs(20);
    while imports(&register).await == 0 {
        assert!(Instant::now() < until, "the import does not begin");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    register.signal("INT");
    let ran = tokio::task::spawn_blocking(move || register.wait()).await.unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(import.await.unwrap().is_err());
}

async fn what_was_answered_survives_a_kill(store: Store) {
    let mut register = Register::start(store).await;
    let mut made = Vec::new();
    for n in 0..20 {
        made.push(
            register
                .labs()
                .create_organization(a_request(&format!("单位 {n}")))
                .await
                .unwrap()
                .into_inner(),
        );
    }
    register.kill();
    register.restart();
    for organization in made {
        let get = GetOrganizationRequest {
            name: organization.name.clone(),
            ..GetOrganizationRequest::default()
        };
        assert_eq!(
            register.labs().get_organization(get).await.unwrap().into_inner(),
            organization
        );
    }
}

async fn a_used_port_is_said_in_a_line_and_nothing_is_written(store: Store) {
    let register = Register::prepare(store, &[]).await;
    let user = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = user.local_addr().unwrap().to_string();
    let said = register.try_to_serve(&address).failed_with_one_line();
    assert!(said.contains(&address), "{said}");
    nothing_is_written(&register, store).await;
}

async fn a_folder_that_cannot_be_written_is_said_in_a_line(store: Store) {
    let register = Register::prepare(store, &[]).await;
    // A file where the folder should be holds up root as well.
    fs::write(register.data(), "a file").unwrap();
    let said = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(said.contains(register.data().to_str().unwrap()), "{said}");
    assert_eq!(fs::read_to_string(register.data()).unwrap(), "a file");
    if store == Store::Postgres {
        assert_eq!(register.number(TABLES_ON_POSTGRES).await, 0);
    }
}

async fn a_database_of_something_else_is_left_as_it_is(store: Store) {
    let register = Register::prepare(store, &[]).await;
    if store == Store::Sqlite {
        fs::create_dir(register.data()).unwrap();
        fs::write(register.sqlite_file(), "").unwrap();
    }
    register
        .execute("CREATE TABLE somebody_elses (x integer); INSERT INTO somebody_elses VALUES (1)")
        .await;
    let before = fs::read(register.sqlite_file()).ok();
    register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert_eq!(fs::read(register.sqlite_file()).ok(), before);
    match store {
        Store::Sqlite => assert_eq!(fs::read_dir(register.data()).unwrap().count(), 1),
        Store::Postgres => assert_eq!(register.number(TABLES_ON_POSTGRES).await, 1),
    }
}

async fn a_database_of_a_later_version_is_left_as_it_is(store: Store) {
    let mut register = Register::start(store).await;
    register.stop();
    let later = "INSERT INTO mingce_ledger_migrations (version, applied_at) VALUES ('m29990101_000001_later', 0)";
    register.execute(later).await;
    let tables = match store {
        Store::Sqlite => "SELECT count(*) FROM sqlite_schema",
        Store::Postgres => TABLES_ON_POSTGRES,
    };
    let before = register.number(tables).await;
    let said = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(said.contains("version"), "{said}");
    assert_eq!(register.number(tables).await, before);
}

async fn a_wrong_flag_is_said_in_a_line_and_nothing_is_written(store: Store) {
    for wrong in [
        &["--lisen", "127.0.0.1:0"][..],
        &["--sample=perhaps"],
        &["libraries"],
        &["--labs-url", "not a url"],
    ] {
        let register = Register::prepare(store, wrong).await;
        let said = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
        assert!(said.contains(wrong[0].split('=').next().unwrap()), "{wrong:?}: {said}");
        nothing_is_written(&register, store).await;
    }
    let register = Register::prepare(store, &[]).await;
    for address in ["nowhere", "127.0.0.1:99999", "300.0.0.1:1"] {
        let said = register.try_to_serve(address).failed_with_one_line();
        assert!(said.contains(address), "{said}");
        nothing_is_written(&register, store).await;
    }
}

#[test]
fn a_database_that_cannot_be_used_is_said_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["mysql://127.0.0.1/x", "postgres://127.0.0.1:1/x", "nonsense"] {
        let mut command = Command::new(mingce());
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data", "data", "--database", url])
            .current_dir(folder.path());
        let said = binary::run(&mut command).failed_with_one_line();
        assert!(said.to_lowercase().contains("database"), "{url}: {said}");
    }
}

#[test]
fn a_password_in_a_database_url_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://somebody:hush-hush@127.0.0.1:1/x";
    let mut command = Command::new(mingce());
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data", "data", "--database", url])
        .current_dir(folder.path());
    let ran = binary::run(&mut command);
    assert!(!format!("{ran:?}").contains("hush-hush"), "{ran:?}");
}

#[tokio::test]
async fn a_mapped_file_reads_as_it_was_written() {
    let mut register = Register::start_with(Store::Sqlite, &["--map", "64"]).await;
    let mut names = Vec::new();
    for number in 0..300 {
        let answer = register
            .labs()
            .create_organization(a_request(&format!("试用单位{number:04}")))
            .await
            .unwrap();
        names.push(answer.into_inner());
        // What was just written is read in the same process, while the file grows under the map.
        if number % 50 == 0 {
            let get = GetOrganizationRequest {
                name: names[number].name.clone(),
                view: 0,
            };
            assert_eq!(
                register.labs().get_organization(get).await.unwrap().into_inner(),
                names[number]
            );
        }
    }
    for _ in 0..2 {
        let all = ListOrganizationsRequest {
            page_size: 1000,
            view: View::Full as i32,
            ..ListOrganizationsRequest::default()
        };
        let listed = register.labs().list_organizations(all).await.unwrap().into_inner();
        assert_eq!(listed.organizations, names);
        // The file is larger, and mapped anew.
        register.stop();
        register.restart();
    }
}
