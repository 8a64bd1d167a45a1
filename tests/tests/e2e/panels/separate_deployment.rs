//! Services in processes of their own, started with the commands of docs/operators.md, do what one process does.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use mingce_e2e::binary::{self, mingce, workspace};
use mingce_e2e::cases::{Clock, Terms, load, open, policy};
use mingce_e2e::postgres::Database;
use mingce_e2e::{Register, Store, failure, on_both_stores};

use tonic::Code;

use super::{assign, at, employed, panel, reviewed};
use crate::builders::{made, organization};
use crate::lab_fixture::{district, draft, in_review};

on_both_stores!(services_apart_as_the_page_starts_them_assign_a_reviewer);

fn page(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap()
}

/// The commands of the page that begin so, without `mingce`.
fn commands(page: &str, begin: &str) -> Vec<Vec<String>> {
    let lines = page.lines().map(|line| line.split(" #").next().unwrap_or_default());
    let wanted = lines.filter_map(|line| line.split_once("mingce ").filter(|(_, rest)| rest.starts_with(begin)));
    wanted
        .map(|(_, rest)| rest.split_whitespace().map(ToOwned::to_owned).collect())
        .collect()
}

async fn services_apart_as_the_page_starts_them_assign_a_reviewer(store: Store) {
    let page = page("docs/operators.md");
    let (_, page) = page.split_once("## Separate deployment").unwrap();
    let (page, _) = page.split_once("\n## ").unwrap();
    let starts = commands(page, "serve ");
    assert_eq!(starts.len(), 3, "{starts:?}");

    let free: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let ports: Vec<String> = free
        .iter()
        .map(|one| one.local_addr().unwrap().port().to_string())
        .collect();
    drop(free);
    // One database and one key for all, or, on SQLite, a folder for each: as the page says.
    let shared = match store {
        Store::Sqlite => None,
        Store::Postgres => Some(Database::create().await),
    };
    let clock = Clock::on("2024-03-11");
    let mut running: Vec<Register> = Vec::new();
    for start in &starts {
        let here = |word: &String| {
            let places = ["50051", "50052", "50053"].into_iter().zip(&ports);
            places.fold(word.clone(), |word, (there, here)| word.replace(there, here))
        };
        let mut flags: Vec<String> = start[1..].iter().map(here).collect();
        let listens = flags.iter().position(|flag| flag == "--listen").unwrap();
        let listen = flags.drain(listens..listens + 2).next_back().unwrap();
        flags.extend(["--clock".to_owned(), clock.path()]);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let mut register = Register::prepare(Store::Sqlite, &flags).await;
        if let Some(database) = &shared {
            let mut environment = vec![("MINGCE_DATABASE".to_owned(), PathBuf::from(database.url()))];
            if let Some(first) = running.first() {
                environment.push(("MINGCE_MASTER_KEY_FILE".to_owned(), first.data().join("master.key")));
            }
            register.set_environment(environment);
        }
        register.restart_at(&listen);
        running.push(register);
    }
    let (labs, others) = running.split_first_mut().unwrap();
    let (labs, talent) = (&*labs, &mut others[0]);

    load(labs, policy("1", "2024-01-01", Terms::Lab(reviewed()))).await;
    let round = open(labs, district("2024-03-10", "2024-12-20")).await;
    let case = draft(labs, "试用实验室甲", &round).await.name;
    in_review(labs, &case).await;
    let panel = panel(labs, &[&case]).await;
    let elsewhere = made(labs, organization("无关大学")).await.name;
    let reviewer = employed(talent, "评审", vec![at(&elsewhere, "2015-09", "")]).await;

    // The service that knows the reviewer is away: nothing is assigned, and the same call does it once it is back.
    let listens = talent.address().to_owned();
    talent.stop();
    let refused = failure(assign(labs, (&panel.name, &case), &reviewer, "").await);
    assert_eq!(refused.is(), (Code::Unavailable, "PEER_UNAVAILABLE"), "{refused:?}");
    talent.restart_at(&listens);
    let review = assign(labs, (&panel.name, &case), &reviewer, "").await.unwrap();
    assert_eq!(review.conflicts, []);
    let again = failure(assign(labs, (&panel.name, &case), &reviewer, "").await);
    assert_eq!(again.code, Code::AlreadyExists, "{again:?}");
}

#[test]
fn the_pages_for_operators_name_flags_and_settings_that_there_are() {
    let help = |command: &str| {
        let ran = binary::run(Command::new(mingce()).args([command, "--help"]));
        ran.succeeded().to_owned()
    };
    let [serve, migrate] = ["serve", "migrate"].map(help);
    for file in ["docs/operators.md", "deploy/README.md", "deploy/mingce.service"] {
        let page = page(file);
        for (begin, help) in [("serve", &serve), ("migrate", &migrate)] {
            for word in commands(&page, begin).concat() {
                let flag = word.trim_end_matches(['`', ')', ',', '.', ';']);
                assert!(!flag.starts_with("--") || help.contains(flag), "{file}: {begin} {flag}");
            }
        }
        for (place, _) in page.match_indices("MINGCE_") {
            let name: String = page[place..]
                .chars()
                .take_while(|&c| c.is_ascii_uppercase() || c == '_')
                .collect();
            assert!(serve.contains(&name), "{file}: {name}");
        }
    }
}
