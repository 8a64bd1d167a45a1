//! One running register: the real binary on a data folder and a database of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mingce_proto::awards::award_service_client::AwardServiceClient;
use mingce_proto::labs::lab_service_client::LabServiceClient;
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use crate::binary::{self, ProcessOutput, end_of, mingce};
use crate::postgres::Database;
use crate::store::{RawDb, Store};

/// A register, running or stopped. Its data goes when it is dropped, and its process with it.
pub struct Register {
    folder: TempDir,
    database: Option<Database>,
    flags: Vec<String>,
    environment: Vec<(String, PathBuf)>,
    /// How many files its process may have open, where it is not as many as this one.
    open_files: Option<u32>,
    running: Option<Running>,
}

/// The process of a register that runs.
struct Running {
    child: Child,
    address: String,
    said: Arc<Mutex<Captured>>,
    readers: Vec<JoinHandle<()>>,
}

/// What a process has written so far.
#[derive(Debug, Default)]
struct Captured {
    stdout: String,
    stderr: String,
}

impl Register {
    /// Starts a register without records, and waits until it listens.
    pub async fn start(store: Store) -> Self {
        Self::start_with(store, &[]).await
    }

    /// The same with more flags for `mingce serve`, for example `--sample`.
    pub async fn start_with(store: Store, flags: &[&str]) -> Self {
        let mut register = Self::prepare(store, flags).await;
        register.restart();
        register
    }

    /// A register that does not run yet: its data folder and, on PostgreSQL, its database exist and are empty.
    pub async fn prepare(store: Store, flags: &[&str]) -> Self {
        let database = match store {
            Store::Sqlite => None,
            Store::Postgres => Some(Database::create().await),
        };
        Self {
            folder: tempfile::Builder::new().prefix("mingce-test.").tempdir().unwrap(),
            database,
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            environment: Vec::new(),
            open_files: None,
            running: None,
        }
    }

    /// Gives it its key file, and runs statements on its database, which has no tables yet.
    pub(crate) async fn fill(&self, master_key: &str, statements: &str) {
        fs::create_dir(self.data()).unwrap();
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.data().join("master.key"))
            .unwrap();
        file.write_all(master_key.as_bytes()).unwrap();
        if self.database.is_none() {
            // To SQLite an empty file is one without tables.
            File::create_new(self.sqlite_file()).unwrap();
        }
        self.execute(statements).await;
    }

    /// What stands in the environment of its process from the next start on.
    pub fn set_environment(&mut self, environment: Vec<(String, PathBuf)>) {
        self.environment = environment;
    }

    /// How many files its process may have open from the next start on.
    pub fn set_open_files(&mut self, most: u32) {
        self.open_files = Some(most);
    }

    /// More flags for `mingce serve`, from the next start on, instead of those that it had.
    pub fn set_flags(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    }

    /// Another process on the same PostgreSQL database, with the same flags and the same key. It ends before this one
    /// is dropped.
    pub async fn sibling(&self) -> Self {
        let database = self.database.as_ref().expect("a file is open in one process");
        let url = database.url();
        let mut flags = vec!["--database", url.as_str()];
        flags.extend(self.flags.iter().map(String::as_str));
        let mut other = Self::prepare(Store::Sqlite, &flags).await;
        fs::create_dir_all(other.data()).unwrap();
        fs::copy(self.data().join("master.key"), other.data().join("master.key")).unwrap();
        other.restart();
        other
    }

    /// Starts it on the data that it has.
    #[track_caller]
    pub fn restart(&mut self) {
        self.restart_at("127.0.0.1:0");
    }

    /// The same on an address that others know already.
    #[track_caller]
    pub fn restart_at(&mut self, listen: &str) {
        assert!(self.running.is_none(), "it still runs");
        let child = self
            .serve(listen)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        self.running = Some(Running::listen(child.unwrap()));
    }

    /// Tries to start it on an address where it cannot run, and answers what it did.
    pub fn try_to_serve(&self, listen: &str) -> ProcessOutput {
        binary::run(&mut self.serve(listen))
    }

    /// Brings the tables of its database to this version. It must not run.
    pub fn migrate(&self) -> ProcessOutput {
        let mut command = Command::new(mingce());
        command.arg("migrate").arg("--data").arg(self.data());
        if let Some(database) = &self.database {
            command.arg("--database").arg(database.url());
        }
        // Where there are many records it takes its time.
        binary::run_within(&mut command, Duration::from_secs(600))
    }

    fn serve(&self, listen: &str) -> Command {
        let mut command = match self.open_files {
            None => Command::new(mingce()),
            Some(most) => {
                // The shell becomes the register, so its process id is that of the register.
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]);
                shell.arg(mingce());
                shell
            }
        };
        command.args(["serve", "--listen", listen, "--data"]).arg(self.data());
        if let Some(database) = &self.database {
            command.arg("--database").arg(database.url());
        }
        command
            .args(&self.flags)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path());
        command
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for the test's own files, beside the data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens, for example `127.0.0.1:40123`.
    pub fn address(&self) -> &str {
        &self.running().address
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.running().child.id()
    }

    /// What it has written to its standard output so far.
    pub fn stdout(&self) -> String {
        self.running().said.lock().unwrap().stdout.clone()
    }

    /// What it has written to its standard error so far.
    pub fn stderr(&self) -> String {
        self.running().said.lock().unwrap().stderr.clone()
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the register does not run")
    }

    /// A connection of its own.
    pub fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address()))
            .unwrap()
            .connect_lazy()
    }

    /// A client of the labs service.
    pub fn labs(&self) -> LabServiceClient<Channel> {
        LabServiceClient::new(self.channel())
    }

    /// A client of the talent service.
    pub fn talent(&self) -> TalentServiceClient<Channel> {
        TalentServiceClient::new(self.channel())
    }

    /// A client of the awards service.
    pub fn awards(&self) -> AwardServiceClient<Channel> {
        AwardServiceClient::new(self.channel())
    }

    /// Runs `grpcurl -plaintext FLAGS ADDRESS WHAT`, for example with `["-d", "{}"]` and
    /// `["mingce.labs.v1.LabService/ListLabs"]`, or without flags and with `["list"]`.
    pub fn grpcurl(&self, flags: &[&str], what: &[&str]) -> ProcessOutput {
        let mut command = Command::new(binary::grpcurl());
        binary::run(command.arg("-plaintext").args(flags).arg(self.address()).args(what))
    }

    /// Runs a command of the binary against it, for example `["import", "labs.csv", "--as", "labs"]`.
    pub fn cli(&self, args: &[&str]) -> ProcessOutput {
        binary::run(&mut self.command(args))
    }

    /// The same command, to be run otherwise.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(mingce());
        command
            .args(args)
            .args(["--server", &self.url()])
            // What is printed does not follow the language of the system that tests.
            .env("LC_ALL", "C")
            .current_dir(self.folder.path());
        command
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Runs statements on its database. An SQLite file must not be open in another process meanwhile: stop it first.
    pub async fn execute(&self, statements: &str) {
        self.raw_db().execute(statements).await;
    }

    /// The one whole number that a query on its database answers. The same holds.
    pub async fn number(&self, query: &str) -> i64 {
        self.raw_db().number(query).await
    }

    /// Where its SQLite file lies.
    pub fn sqlite_file(&self) -> PathBuf {
        self.data().join("register.db")
    }

    fn raw_db(&self) -> RawDb<'_> {
        match &self.database {
            Some(database) => RawDb::Postgres(database),
            None => {
                assert!(self.running.is_none(), "its SQLite file is open: stop it first");
                RawDb::Sqlite(self.sqlite_file())
            }
        }
    }

    /// Asks it to end as an operator would, waits until it has drained, and answers what it wrote.
    #[track_caller]
    pub fn stop(&mut self) -> ProcessOutput {
        let ran = self.end_by("TERM");
        assert_eq!(ran.code, Some(0), "it should end in order\n{ran:?}");
        ran
    }

    /// Sends it a signal by its name, for example `INT`, waits for its end, and answers what it wrote.
    #[track_caller]
    pub fn end_by(&mut self, signal: &str) -> ProcessOutput {
        self.signal(signal);
        self.wait()
    }

    /// Sends it a signal by its name and does not wait.
    #[track_caller]
    pub fn signal(&self, signal: &str) {
        let pid = self.running().child.id();
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{signal} {pid}")])
            .status()
            .unwrap();
        assert!(sent.success(), "the process {pid} is gone");
    }

    /// Waits until it ends, which must come within 40 seconds.
    #[track_caller]
    pub fn wait(&mut self) -> ProcessOutput {
        let mut running = self.running.take().expect("the register does not run");
        let status = end_of(&mut running.child, Duration::from_secs(40));
        if status.is_none() {
            running.kill();
        }
        let ran = running.ran(status);
        assert!(status.is_some(), "it does not end\n{ran:?}");
        ran
    }

    /// Kills it without warning, as a power cut or the system would.
    pub fn kill(&mut self) -> ProcessOutput {
        let mut running = self.running.take().expect("the register does not run");
        running.kill();
        running.ran(None)
    }
}

impl Drop for Register {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill();
            if thread::panicking() {
                eprintln!("the register ran until the test failed\n{:?}", running.ran(None));
            }
        }
    }
}

impl Running {
    /// Waits until a process that was started says where it listens.
    #[track_caller]
    fn listen(mut child: Child) -> Self {
        let said = Arc::new(Mutex::new(Captured::default()));
        let (found, finding) = mpsc::channel();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let out = Arc::clone(&said);
        let err = Arc::clone(&said);
        let readers = vec![
            thread::spawn(move || {
                lines(stdout, |line| {
                    if let Some(address) = line.trim().strip_prefix("listening on ") {
                        let _ = found.send(address.to_owned());
                    }
                    out.lock().unwrap().stdout.push_str(line);
                });
            }),
            thread::spawn(move || lines(stderr, |line| err.lock().unwrap().stderr.push_str(line))),
        ];
        // The sender goes at the end of the output, so a process that ends is noticed at once.
        let address = finding.recv_timeout(Duration::from_secs(60));
        let mut running = Self {
            child,
            address: String::new(),
            said,
            readers,
        };
        match address {
            Ok(address) => running.address = address,
            Err(_) => {
                let status = end_of(&mut running.child, Duration::from_secs(1));
                running.kill();
                panic!("the register does not start\n{:?}", running.ran(status));
            }
        }
        running
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn ran(&mut self, status: Option<ExitStatus>) -> ProcessOutput {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let said = self.said.lock().unwrap();
        ProcessOutput {
            code: status.and_then(|s| s.code()),
            stdout: said.stdout.clone(),
            stderr: said.stderr.clone(),
        }
    }
}

/// Hands on each line of an output with its end.
fn lines(output: impl std::io::Read, mut each: impl FnMut(&str)) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        each(&String::from_utf8_lossy(&line));
        line.clear();
    }
}
