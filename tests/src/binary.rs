//! Finds the binary under test, fresh, and the tools that drive it.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fmt};

/// The binary `mingce`, built from the sources as they are now.
///
/// `tests/run` builds it and names it in `MINGCE_TEST_BINARY`. Without that it is built here, once for each run of the
/// tests.
pub fn mingce() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match env::var_os("MINGCE_TEST_BINARY") {
        Some(path) => path.into(),
        None => build(),
    })
}

/// The folder of this workspace.
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The folder into which this test was built, for example `target/debug`.
pub(crate) fn profile_folder() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.ancestors()
        .nth(2)
        .unwrap_or_else(|| panic!("{} is not in a target folder", test.display()))
        .to_path_buf()
}

fn build() -> PathBuf {
    let folder = profile_folder();
    let mut stamp = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(folder.join(".mingce-built"))
        .unwrap();
    stamp.lock().unwrap();
    // nextest runs each test in a process of its own, and names the run that they belong to.
    let run = env::var("NEXTEST_RUN_ID").unwrap_or_default();
    let mut built = String::new();
    stamp.read_to_string(&mut built).unwrap();
    if run.is_empty() || built != run {
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--locked", "--quiet", "-p", "mingce", "--target-dir"])
            .arg(folder.parent().unwrap())
            .current_dir(workspace())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "mingce does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        stamp.set_len(0).unwrap();
        stamp.rewind().unwrap();
        stamp.write_all(run.as_bytes()).unwrap();
    }
    folder.join("mingce")
}

/// The real grpcurl.
pub(crate) fn grpcurl() -> PathBuf {
    tool("bin/grpcurl")
}

/// The Python of the set-up.
pub(crate) fn python() -> PathBuf {
    tool("python/bin/python")
}

fn tool(path: &str) -> PathBuf {
    let path = workspace().join(".tools").join(path);
    assert!(
        path.exists(),
        "{} is missing: 'tests/run setup' brings it",
        path.display()
    );
    path
}

/// What a program that has ended did.
#[derive(Clone)]
pub struct ProcessOutput {
    /// Its exit code, none where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl fmt::Debug for ProcessOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit code {:?}\nstdout:\n{}\nstderr:\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

impl ProcessOutput {
    /// Its standard output, where it must have succeeded.
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// The one line of its standard error, where it must have failed and said why in a line.
    #[track_caller]
    pub fn failed_with_one_line(self) -> String {
        assert!(self.code.is_some_and(|code| code != 0), "{self:?}");
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "{self:?}");
        self.stderr.trim_end().to_owned()
    }
}

/// Runs a program to its end, which must come within a minute.
pub fn run(command: &mut Command) -> ProcessOutput {
    run_within(command, Duration::from_secs(60))
}

/// Runs a program to its end, which must come within such a time.
pub fn run_within(command: &mut Command, at_most: Duration) -> ProcessOutput {
    let outputs = tempfile::tempdir().unwrap();
    let (out, err) = (outputs.path().join("out"), outputs.path().join("err"));
    let mut child = command
        .stdin(std::process::Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let code = end_of(&mut child, at_most);
    if code.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let text = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let (stdout, stderr) = (text(out), text(err));
    let status = code.unwrap_or_else(|| panic!("{command:?} does not end\nstdout:\n{stdout}\nstderr:\n{stderr}"));
    ProcessOutput {
        code: status.code(),
        stdout,
        stderr,
    }
}

/// Waits for the end of a process, at most so long.
pub(crate) fn end_of(child: &mut Child, at_most: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + at_most;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() > until {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}
