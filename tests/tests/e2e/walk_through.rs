//! The walk-through of the documentation does what it says: every block of it is run as it stands.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use mingce_e2e::binary::{self, mingce, workspace};

/// The blocks of a page, one after the other.
fn blocks(page: &str) -> String {
    let (mut script, mut inside) = (String::new(), false);
    for line in page.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => {
                script += line;
                script.push('\n');
            }
            _ => {}
        }
    }
    script
}

#[test]
fn a_year_of_one_lab_is_as_the_page_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let page = fs::read_to_string(workspace().join("docs/life-cycles/walk-through.md")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = blocks(&page).replace("127.0.0.1:50061", &format!("127.0.0.1:{port}"));
    assert!(script.lines().count() > 40, "{script}");
    let tools = [
        mingce().parent().unwrap().to_path_buf(),
        workspace().canonicalize().unwrap().join(".tools/bin"),
    ];
    let path = std::env::join_paths(
        tools
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let mut command = Command::new("bash");
    // Whatever fails ends it, and with it the server.
    let script = format!("set -eu\ntrap 'kill %1 2>/dev/null || true' EXIT\n{script}\ntrap - EXIT\n");
    let ran = binary::run(
        command
            .args(["-c", &script])
            .env("PATH", path.unwrap())
            .current_dir(folder.path()),
    );
    let said = ran.succeeded();
    for expected in [
        "NOTICE_RUNNING",
        "公示期至2024-03-08",
        "\"buildingEndDate\": \"2025-03-10\"",
        "\"buildingEndDate\": \"2025-09-10\"",
        "ROUND_STATE_CLOSED",
        "LAB_EVALUATION_GRADE_EXCELLENT",
        "\"verb\": \"settle_objection\"",
    ] {
        assert!(said.contains(expected), "{expected} is missing in\n{said}");
    }
}
