//! A PostgreSQL server of this run alone, with the settings that `deploy/` recommends: nothing that makes it lose data in a
//! power cut.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::child::{self, Running};

/// The settings that a register's PostgreSQL should have.
const RECOMMENDED: &str = include_str!("../../../deploy/postgresql.conf");
/// Settings of this run: room for the connections of pgbench, loopback, and what keeps data safe, said aloud.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 200\n\
                        fsync = on\nfull_page_writes = on\nsynchronous_commit = on\n";

/// The server. It ends and its data goes when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    // Dropped in this order: the server ends before its folder goes.
    server: Running,
    programs: PathBuf,
    port: u16,
    password: PathBuf,
    folder: TempDir,
}

impl Postgres {
    /// Makes a new server below a folder and waits until it answers.
    ///
    /// # Errors
    /// Where PostgreSQL is not installed or does not start.
    pub async fn start(below: &Path) -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new()
            .prefix("mingce-bench-postgres.")
            .tempdir_in(below)?;
        let at = folder.path();
        // PostgreSQL refuses to run as root.
        let owner = owner(at)?;
        let password = at.join("password");
        let secret = format!("{:016x}", secret_number()?);
        fs::write(&password, &secret)?;
        let pass = at.join("pgpass");
        fs::write(&pass, format!("127.0.0.1:*:*:mingce:{secret}\n"))?;
        for file in [password.as_path(), pass.as_path()] {
            fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        }
        if let Some((user, group)) = owner {
            chown(at, Some(user), Some(group))?;
            chown(&password, Some(user), Some(group))?;
        }
        let data = at.join("data");
        let mut initdb = command_as(owner, &programs.join("initdb"));
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password);
        initdb.args([
            "--username=mingce",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]);
        child::run(&mut initdb, at, Duration::from_secs(120)).await?;
        let settings = data.join("postgresql.conf");
        let given = fs::read_to_string(&settings)?;
        fs::write(&settings, format!("{given}\n{RECOMMENDED}\n{SETTINGS}"))?;

        for _ in 0..5 {
            // Free now; whoever takes it meanwhile makes the start fail, and another is tried.
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let mut postgres = command_as(owner, &programs.join("postgres"));
            postgres.arg("-D").arg(&data).args(["-p", &port.to_string()]);
            let log = fs::File::create(at.join("log"))?;
            postgres.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            let mut server = Running::start(&mut postgres, "INT")?;
            for _ in 0..1200 {
                if server.ended().is_some() {
                    break;
                }
                let mut asked = Command::new(programs.join("pg_isready"));
                asked.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
                if child::run(&mut asked, at, Duration::from_secs(10)).await.is_ok() {
                    return Ok(Self {
                        server,
                        programs,
                        port,
                        password: pass,
                        folder,
                    });
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        bail!("PostgreSQL does not start\n{}", child::tail(&at.join("log")))
    }

    /// The number of its first process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Its version, for example `PostgreSQL 15.14`.
    pub async fn version(&self) -> Result<String> {
        let said = self.psql("postgres", "SHOW server_version").await?;
        Ok(format!(
            "PostgreSQL {}",
            said.split_whitespace().next().unwrap_or_default()
        ))
    }

    /// A new database, and the URL that opens it.
    pub async fn create(&self, database: &str) -> Result<String> {
        // One that failed may have left its own.
        let anew = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE); CREATE DATABASE {database}");
        self.psql("postgres", &anew).await?;
        let pass = fs::read_to_string(&self.password)?;
        let secret = pass.trim().rsplit(':').next().unwrap_or_default();
        Ok(format!("postgres://mingce:{secret}@127.0.0.1:{}/{database}", self.port))
    }

    /// Runs statements, each by itself, and answers what they answer.
    pub async fn psql(&self, database: &str, statements: &str) -> Result<String> {
        let script = self.script(statements)?;
        let mut psql = self.program("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-f"])
            .arg(script.path());
        child::run(&mut psql, self.folder.path(), Duration::from_secs(600)).await
    }

    /// Runs pgbench with a script and answers what it says.
    pub async fn pgbench(
        &self,
        database: &str,
        script: &str,
        clients: usize,
        time: Duration,
        persons: u64,
    ) -> Result<String> {
        let script = self.script(script)?;
        let seconds = time.as_secs().max(1);
        let mut pgbench = self.program("pgbench");
        pgbench.args(["-n", "-M", "prepared", "-c", &clients.to_string()]);
        pgbench.args([
            "-j",
            &clients.min(crate::cpu::processors()).to_string(),
            "-T",
            &seconds.to_string(),
        ]);
        pgbench
            .args(["-D", &format!("persons={persons}"), "-f"])
            .arg(script.path())
            .arg(database);
        child::run(&mut pgbench, self.folder.path(), time + Duration::from_secs(60)).await
    }

    fn script(&self, text: &str) -> Result<tempfile::NamedTempFile> {
        let file = tempfile::NamedTempFile::new_in(self.folder.path())?;
        fs::write(file.path(), text)?;
        Ok(file)
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        child::forget_settings(&mut command);
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "mingce");
        command
            .env("PGPASSFILE", &self.password)
            .env("PGCLIENTENCODING", "UTF8");
        command
    }
}

/// The folder of the newest PostgreSQL of Debian's packages.
fn programs() -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, programs)| programs.join("pgbench").exists() && programs.join("initdb").exists())
        .collect();
    found.sort();
    let newest = found
        .pop()
        .context("PostgreSQL is not installed: take Debian's package postgresql, or --database sqlite")?;
    Ok(newest.1)
}

/// User and group that the server runs as, where this process is root.
fn owner(folder: &Path) -> Result<Option<(u32, u32)>> {
    if fs::metadata(folder)?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users
        .lines()
        .find(|line| line.starts_with("postgres:"))
        .context("there is no user postgres")?;
    let mut ids = line.split(':').skip(2).map(str::parse);
    match (ids.next(), ids.next()) {
        (Some(Ok(user)), Some(Ok(group))) => Ok(Some((user, group))),
        _ => bail!("/etc/passwd: the line of postgres has no numbers"),
    }
}

fn command_as(owner: Option<(u32, u32)>, program: &Path) -> Command {
    let mut command = Command::new(program);
    child::forget_settings(&mut command);
    command.current_dir("/");
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

/// A number that nobody can guess.
fn secret_number() -> Result<u64> {
    let mut bytes = [0; 8];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}
