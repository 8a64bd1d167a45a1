//! Runs the benchmark's short form as people do, on a debug build: what it says must be complete, how fast it was does
//! not matter.
// A test says what it expects by failing.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

struct Bench {
    folder: tempfile::TempDir,
    child: Child,
}

impl Bench {
    fn start(flags: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("mingce-test.").tempdir().unwrap();
        // The server that PostgreSQL runs as another user has its folder below this one.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mingce-bench"))
            .args(["--short", "--binary"])
            .arg(mingce_e2e::binary::mingce())
            .arg("--data")
            .arg(&data)
            .arg("--out")
            .arg(folder.path().join("out"))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("stdout")).unwrap())
            .stderr(File::create(folder.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        Self { folder, child }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn wait(&mut self, seconds: u64) -> ExitStatus {
        let until = Instant::now() + Duration::from_secs(seconds);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end\n{}", self.read("stderr"));
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Neither files nor processes of it are left.
    fn has_cleaned_up(&self) {
        let data = self.folder.path().join("data");
        let left: Vec<_> = fs::read_dir(&data)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(left.is_empty(), "{left:?}");
        let running = processes_that_name(&data);
        assert!(running.is_empty(), "{running:?}");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            // Asked, and not killed: it has processes of its own to end.
            signal(&self.child, "TERM");
            let _ = self.child.wait();
        }
    }
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{signal} {}", child.id())])
        .status();
    assert!(sent.unwrap().success());
}

fn processes_that_name(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let lines = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .filter(|line| line.contains(folder))
        .collect()
}

#[test]
fn the_short_form_on_sqlite_gives_a_complete_table() {
    let mut bench = Bench::start(&["--database", "sqlite"]);
    let status = bench.wait(300);
    assert!(status.success(), "{status}\n{}", bench.read("stderr"));
    bench.has_cleaned_up();

    let report: Value = serde_json::from_str(&bench.read("out/bench.json")).unwrap();
    let figures = report["figures"].as_array().unwrap();
    let mut wanted = vec![("import", 4), ("sqlite import", 1), ("burst of creates", 1500)];
    let beside = [
        "get beside pages of 1000",
        "get beside an import",
        "get beside a flood of creates",
        "get beside a crowd",
        "get beside many connections",
    ];
    wanted.extend(beside.map(|what| (what, 8)));
    for what in ["echo", "get", "page of 50", "search", "create", "mixed"] {
        wanted.extend([(what, 1), (what, 8), (what, 64)]);
    }
    assert_eq!(figures.len(), wanted.len(), "{figures:#?}");
    for (what, in_flight) in wanted {
        let is_it = |figure: &&Value| figure["what"] == what && figure["in_flight"] == in_flight;
        let figure = figures
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("{what} at {in_flight} is missing"));
        assert_eq!(figure["errors"], 0, "{figure:#}");
        assert!(
            figure["requests"].as_u64().unwrap() > 0 && figure["per_second"].as_f64().unwrap() > 0.0,
            "{figure:#}"
        );
        if !["import", "sqlite import"].contains(&what) {
            let [half, most] = ["p50_ms", "p99_ms"].map(|time| figure[time].as_f64().unwrap());
            assert!(half <= most, "{figure:#}");
        }
        let is_beside = what.contains("beside");
        // The server's CPU is that of others too.
        assert_eq!(figure["load_us"].is_null(), is_beside, "{figure:#}");
        assert_eq!(
            figure["server_us"].as_f64().is_some_and(|time| time > 0.0),
            !is_beside && what != "sqlite import",
            "{figure:#}"
        );
        assert_eq!(
            figure["note"].as_str().unwrap().is_empty(),
            !is_beside && what != "burst of creates",
            "{figure:#}"
        );
        assert_eq!(
            figure["disturbed"],
            figure["others"].as_f64().unwrap() > 0.2,
            "{figure:#}"
        );
    }
    // A debug build is measured, and never judged.
    let targets = report["targets"].as_array().unwrap();
    assert!(targets.len() >= 8, "{targets:#?}");
    for target in targets {
        assert!(target["measured"].is_f64() && target["reached"].is_null(), "{target:#}");
    }
    let table = bench.read("out/bench.md");
    assert_eq!(table, bench.read("stdout"));
    assert!(
        table.contains("Not to be quoted: a debug build was measured"),
        "{table}"
    );
    // The two tables and that of memory, each with a head and a line under it that does not count here.
    let rows = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| --"))
        .count();
    assert_eq!(rows, figures.len() + targets.len() + 1 + 3, "{table}");
    let memory = &report["memory"][0];
    assert_eq!(memory["connections"], 200, "{memory}");
    assert!(
        memory["most"].as_f64().unwrap() >= memory["anonymous"].as_f64().unwrap(),
        "{memory}"
    );
    assert!(
        report["machine"]["fsync_ms"][1].as_f64().unwrap() > 0.0,
        "{:#}",
        report["machine"]
    );
}

#[test]
fn with_a_switch_the_short_form_says_what_a_mechanism_brings() {
    let mut bench = Bench::start(&[
        "--database",
        "sqlite",
        "--ablation",
        "--switch",
        "TOKIO_WORKER_THREADS=1",
    ]);
    let status = bench.wait(300);
    assert!(status.success(), "{status}\n{}", bench.read("stderr"));
    bench.has_cleaned_up();
    let report: Value = serde_json::from_str(&bench.read("out/bench.json")).unwrap();
    let brings = report["brings"].as_array().unwrap();
    let what: Vec<&Value> = brings.iter().map(|each| &each["what"]).collect();
    assert_eq!(what, ["import", "get", "create"]);
    for each in brings {
        assert!(
            each["ratio"].as_f64().unwrap() > 0.0 && each["switch"] == "TOKIO_WORKER_THREADS=1",
            "{each:#}"
        );
    }
    assert!(bench.read("stdout").contains("## What each mechanism brings"));
}

#[test]
fn what_it_started_ends_with_it_when_somebody_presses_control_c() {
    let mut bench = Bench::start(&["--database", "both"]);
    let until = Instant::now() + Duration::from_secs(120);
    while !bench.read("stderr").contains("sqlite get at 8") {
        assert!(
            bench.child.try_wait().unwrap().is_none() && Instant::now() < until,
            "{}",
            bench.read("stderr")
        );
        thread::sleep(Duration::from_millis(50));
    }
    // A register and a PostgreSQL server.
    let data = bench.folder.path().join("data");
    assert!(
        processes_that_name(&data).len() >= 2,
        "{:?}",
        processes_that_name(&data)
    );
    signal(&bench.child, "INT");
    assert_eq!(bench.wait(60).code(), Some(130), "{}", bench.read("stderr"));
    bench.has_cleaned_up();
}
