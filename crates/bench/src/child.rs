//! Processes of this run: started, waited for, and ended by their number, whatever way the run itself ends.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// A process that ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    signal: &'static str,
}

impl Running {
    /// Starts a process, to be ended with a signal, for example `TERM`.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(command: &mut Command, signal: &'static str) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        Ok(Self { child, signal })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end, at most so long.
    pub async fn wait(&mut self, at_most: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + at_most;
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() > until {
                return ended;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(mut self) {
        self.ask_to_end();
        self.wait(Duration::from_secs(30)).await;
    }

    fn ask_to_end(&mut self) {
        if self.ended().is_none() {
            let line = format!("kill -{} {}", self.signal, self.child.id());
            let _ = Command::new("sh").args(["-c", &line]).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ask_to_end();
        let until = Instant::now() + Duration::from_secs(10);
        while self.ended().is_none() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        if self.ended().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Starts a server that says `listening on ADDRESS` on its standard output, and answers it with the address. What it
/// writes to its standard error goes to a file.
///
/// # Errors
/// Where it does not start within a minute.
pub async fn server(command: &mut Command, log: &Path) -> Result<(Running, String)> {
    let file = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
    command.stdout(Stdio::piped()).stderr(file);
    let mut running = Running::start(command, "TERM")?;
    let output = running.child.stdout.take().context("the server has no output")?;
    let (found, finding) = mpsc::channel();
    // Reads to the end, so that the server never waits for its output to be taken.
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                let _ = found.send(address.to_owned());
            }
        }
    });
    let address = tokio::task::spawn_blocking(move || finding.recv_timeout(Duration::from_secs(60))).await?;
    match address {
        Ok(address) => Ok((running, address)),
        Err(_) => Err(anyhow!("the server does not start\n{}", tail(log))),
    }
}

/// Keeps what the environment sets for the register and for PostgreSQL away from a process.
pub fn forget_settings(command: &mut Command) {
    for (variable, _) in std::env::vars_os() {
        if variable
            .to_str()
            .is_some_and(|v| v.starts_with("MINGCE_") || v.starts_with("PG") || v == "RUST_LOG")
        {
            command.env_remove(variable);
        }
    }
}

/// Runs a program to its end and answers its standard output.
///
/// # Errors
/// Where it fails or takes too long.
pub async fn run(command: &mut Command, folder: &Path, at_most: Duration) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let (out, err) = (
        tempfile::NamedTempFile::new_in(folder)?,
        tempfile::NamedTempFile::new_in(folder)?,
    );
    command.stdin(Stdio::null()).stdout(out.reopen()?).stderr(err.reopen()?);
    let mut running = Running::start(command, "TERM")?;
    let status = running.wait(at_most).await;
    let mut said = String::new();
    out.reopen()?.read_to_string(&mut said)?;
    match status {
        Some(status) if status.success() => Ok(said),
        Some(status) => bail!("{program} failed ({status})\n{said}{}", tail(err.path())),
        None => bail!("{program} did not end within {} s", at_most.as_secs()),
    }
}

/// The last lines of a file.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines
        .iter()
        .skip(lines.len().saturating_sub(20))
        .map(|line| format!("{line}\n"))
        .collect()
}
