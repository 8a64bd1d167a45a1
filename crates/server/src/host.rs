//! A program that serves: its flags, its data folder, database and master key, what it prints, and how it ends.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::future::Future;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind as Said;
use mingce_client::InProcess;
use mingce_lifecycle::Calendar;
use mingce_orm::db::sound::Trouble;
use mingce_orm::migration::schema;
use mingce_orm::{Db, Error, Store, Vault};

use crate::boot::{Server, loopback_url};
use crate::clock::Clock;
use crate::config::Config;
use crate::start_error::StartError;
use crate::{signal, telemetry};

/// For SQLite too, which makes and drops as many small pieces as we do (docs/adr/0013-profile.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The flags of every program that serves. Each can be given in the environment instead.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(
        long,
        env = "MINGCE_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:50051"
    )]
    pub listen: String,
    /// Database: postgres://USER@HOST:PORT/NAME, or sqlite:PATH. Default: an SQLite file in the data folder
    #[arg(long, env = "MINGCE_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Folder of the register's files; made where there is none
    #[arg(long, env = "MINGCE_DATA", value_name = "FOLDER", default_value = "mingce-data")]
    pub data: PathBuf,
    /// File of the master keys that personal data is sealed with. Default: master.key in the data folder, made at the first start
    #[arg(long, env = "MINGCE_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key: Option<PathBuf>,
    /// File of holidays and make-up days beside those of the national calendar: lines such as `2027-02-06 rest`
    #[arg(long, env = "MINGCE_CALENDAR", value_name = "FILE")]
    pub calendar: Option<PathBuf>,
    /// For trials: take the time from this file, such as 2024-09-30T09:00:00+08:00, instead of the system
    #[arg(long, env = "MINGCE_CLOCK", value_name = "FILE")]
    pub clock: Option<PathBuf>,
    /// How many calls share a statement or a transaction at most; 1: none do
    #[arg(long, env = "MINGCE_MAX_BATCH", value_name = "COUNT", default_value_t = mingce_orm::db::database::MAX_BATCH)]
    pub max_batch: usize,
    /// How many MiB of an SQLite file are mapped into memory for reading, at most 2047. Faster where the file is larger than the caches;
    /// the process then seems to use as much more memory, which the system takes back when it needs it
    #[arg(long, env = "MINGCE_MAP", value_name = "MIB", default_value_t = 0)]
    pub map: u32,
    /// Goes on with an SQLite database whose ledger ends before what is known of it, as after a backup was put back. For one start
    #[arg(long)]
    pub accept_loss: bool,
    /// Log as JSON lines instead of text for people
    #[arg(long, env = "MINGCE_LOG_JSON", value_parser = clap::builder::BoolishValueParser::new())]
    pub log_json: bool,
}

/// Open files: the connections that the server takes, and what else it needs.
const FILES: u64 = 2048;

/// Why a program did not start, in one line.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The register cannot be opened.
    #[error("{}", one_line(.0))]
    Register(#[from] Error),
    /// A file or folder cannot be used.
    #[error("{0}")]
    Files(String),
}

fn one_line(error: &Error) -> String {
    let said = error.detail().unwrap_or(error.message()).replace('\n', " ");
    match error.class() {
        mingce_orm::Class::Internal => said,
        _ => format!("{said} [{}]", error.reason()),
    }
}

/// Reads flags as `P` says and runs the program: exit 0, or one line on stderr and exit 1 (2 for wrong flags).
pub fn main<P, F>(arguments: impl IntoIterator<Item = OsString>, run: impl FnOnce(P) -> F) -> ExitCode
where
    P: clap::Parser,
    F: Future<Output = Result<ExitCode, String>>,
{
    let parsed = match P::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) if matches!(error.kind(), Said::DisplayHelp | Said::DisplayVersion) => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let text = error.to_string();
            // The usage that follows is in --help.
            let parts: Vec<_> = text
                .lines()
                .map(str::trim)
                .take_while(|l| !l.starts_with("Usage:"))
                .collect();
            let line = parts
                .into_iter()
                .filter(|l| !l.is_empty())
                .collect::<Vec<_>>()
                .join(" ");
            warn(
                line.trim_start_matches("error: ")
                    .trim_end_matches("For more information, try '--help'.")
                    .trim(),
            );
            return ExitCode::from(2);
        }
    };
    small_pages();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            warn(&format!("no threads can be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(parsed)) {
        Ok(code) => code,
        Err(line) => {
            warn(&line);
            ExitCode::FAILURE
        }
    }
}

/// The clock that the flags say.
///
/// # Errors
/// Where its file cannot be read.
pub fn clock(flags: &Flags) -> Result<Clock, Failure> {
    let Some(file) = &flags.clock else {
        return Ok(Clock::default());
    };
    Clock::of_file(file).map_err(Failure::Files)
}

/// Memory in pages of 4 KiB, where the system would give ones of 2 MiB: each thread has a little of many sizes, and would hold
/// a whole page for each. The process then has a third less memory, and a get takes a tenth longer (docs/adr/0013-profile.md).
fn small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn warn(line: &str) {
    // Nothing is left to do where stderr is closed.
    let _ = writeln!(io::stderr(), "mingce: {line}");
}

/// A program on its way to serving: it has its port and its database, and nothing is written yet.
#[derive(Debug)]
pub struct Host {
    server: Server,
    address: SocketAddr,
    flags: Flags,
    db: Db,
    place: String,
    clock: Clock,
    calendar: Arc<Calendar>,
}

impl Host {
    /// Starts the log, takes the port and opens the database, in this order, so that a used port writes nothing.
    ///
    /// # Errors
    /// Where one of them cannot be had, or the database holds something else than a register.
    pub async fn start(flags: Flags) -> Result<Self, Failure> {
        // Each connection is an open file, and many systems let a program have 1,024 unless it asks for more.
        let files = rlimit::increase_nofile_limit(FILES);
        telemetry::init(if flags.log_json {
            telemetry::Format::Json
        } else {
            telemetry::Format::Compact
        })?;
        if let Ok(most) = files
            && most < FILES
        {
            tracing::warn!(
                "the system lets this program have {most} open files: fewer connections than the server would take"
            );
        }
        let clock = clock(&flags)?;
        if let Some(file) = &flags.clock {
            tracing::warn!("the time is that of {}: for trials only", file.display());
        }
        let calendar = Arc::new(calendar(flags.calendar.as_deref())?);
        let mut server = Server::new(Config {
            listen: flags.listen.clone(),
            clock: clock.clone(),
            ..Config::default()
        });
        let address = server.listen().await?;
        let (db, place) = open(&flags).await?;
        Ok(Self {
            server,
            address,
            flags,
            db,
            place,
            clock,
            calendar,
        })
    }

    /// The time that calls are made at.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The working days.
    pub fn calendar(&self) -> Arc<Calendar> {
        Arc::clone(&self.calendar)
    }

    /// The database.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// How services of this process call each other.
    pub fn in_process(&self) -> InProcess {
        self.server.in_process()
    }

    /// The address at which a client in this process reaches it.
    pub fn url(&self) -> String {
        loopback_url(self.address)
    }

    /// The vault of the master key file, which is made where a new register has none.
    ///
    /// # Errors
    /// Where the file cannot be read or made, or is missing although the register was sealed with one.
    pub async fn vault(&self) -> Result<Arc<Vault>, Failure> {
        let file = self
            .flags
            .master_key
            .clone()
            .unwrap_or_else(|| self.flags.data.join("master.key"));
        let failed = |error: io::Error| Failure::Files(format!("{}: {error}", file.display()));
        let text = match fs::read_to_string(&file) {
            Ok(text) => {
                expect_secret(&file).map_err(failed)?;
                text
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if schema::is_sealed(&self.db).await? {
                    let said = "the register's master key file is missing: put it there, or name it with --master-key";
                    return Err(Failure::Files(format!("{}: {said}", file.display())));
                }
                let text = Vault::new_text();
                make_folder(file.parent())?;
                write_secret(&file, &text).map_err(failed)?;
                text
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Arc::new(Vault::from_text(&text)?))
    }

    /// The store of all services of the process, over the database with its tables: one queue of writes, with its writers. Personal data
    /// is sealed in `vault`.
    ///
    /// # Errors
    /// Where the register was sealed with another master key.
    pub async fn store(&self, vault: Arc<Vault>) -> Result<Store, Failure> {
        schema::expect_vault(&self.db, &vault).await?;
        Ok(Store::new(self.db.clone(), Some(vault)))
    }

    /// Changes the server, for example to mount a service.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(Server) -> Server) -> Self {
        self.server = change(self.server);
        self
    }

    /// Serves until a signal, and answers the database, to be closed when the services are. Prints where it listens,
    /// where its data is and what to try (`ADDRESS` stands for the address). `beside` runs while it serves.
    ///
    /// # Errors
    /// Where it cannot serve.
    pub async fn serve(
        self,
        tries: &[&str],
        beside: impl Future<Output = Result<(), String>> + Send + 'static,
    ) -> Result<Db, Failure> {
        let ended = signal::shutdown()?;
        tokio::spawn(end_where_lost());
        self.db.keep_head().await?;
        let bound = self.server.bind().await?;
        let watch = tokio::spawn(bound.tell_of_trouble());
        let mut said = format!("listening on {}\ndata in {}\ntry:\n", self.address, self.place);
        for line in tries {
            said += &format!("  {}\n", line.replace("ADDRESS", &self.address.to_string()));
        }
        let mut out = io::stdout();
        let _ = out.write_all(said.as_bytes()).and_then(|()| out.flush());
        let beside = tokio::spawn(async move {
            if let Err(line) = beside.await {
                warn(&line);
            }
        });
        bound.serve(ended).await?;
        beside.abort();
        watch.abort();
        Ok(self.db)
    }
}

/// Ends the process at once where the disk has not taken what was brought into the database: whatever closed the database in order
/// would end the log that still has it (docs/adr/0019-commit.md).
async fn end_where_lost() {
    let mut heard = mingce_orm::db::sound::trouble();
    let is_lost = |trouble: &Option<Trouble>| *trouble == Some(Trouble::Unsynced);
    if heard.wait_for(is_lost).await.is_ok() {
        warn(Trouble::Unsynced.remedy());
        #[expect(
            clippy::disallowed_methods,
            reason = "what closes in order would end the log that still has it"
        )]
        std::process::exit(1);
    }
}

/// Opens the database that the flags name, and says where it is without how to get in.
///
/// # Errors
/// Where it cannot be opened or holds something else than a register.
pub async fn open(flags: &Flags) -> Result<(Db, String), Failure> {
    if let Some(url) = flags.database.as_deref().filter(|url| Db::is_postgres(url)) {
        let db = Db::postgres(url).await?;
        schema::recognise(&db).await?;
        return Ok((as_said(db, flags)?, Db::display_url(url)));
    }
    let file = match flags.database.as_deref() {
        None => flags.data.join("register.db"),
        Some(url) => match url.strip_prefix("sqlite:") {
            Some(path) => PathBuf::from(path.strip_prefix("//").unwrap_or(path)),
            None => {
                let said = "--database: expected postgres://USER@HOST:PORT/NAME or sqlite:PATH";
                return Err(Failure::Files(said.to_owned()));
            }
        },
    };
    let found = schema::recognise_file(&file).await?;
    mingce_orm::db::head::expect(&file, &found, flags.accept_loss)?;
    make_folder(file.parent())?;
    let file = file
        .parent()
        .and_then(|p| {
            if p.as_os_str().is_empty() {
                None
            } else {
                fs::canonicalize(p).ok()
            }
        })
        .map_or(file.clone(), |folder| {
            file.file_name().map_or(file.clone(), |name| folder.join(name))
        });
    let db = Db::sqlite_mapped(&file, flags.map).await?;
    Ok((as_said(db, flags)?, file.display().to_string()))
}

fn as_said(db: Db, flags: &Flags) -> Result<Db, Failure> {
    let clock = clock(flags)?;
    Ok(db.batched_by(flags.max_batch).timed_by(move || clock.now()))
}

fn calendar(overrides: Option<&Path>) -> Result<Calendar, Failure> {
    let Some(file) = overrides else {
        return Ok(Calendar::national());
    };
    let failed = |why: String| Failure::Files(format!("{}: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    Calendar::with_overrides(&text).map_err(failed)
}

fn make_folder(folder: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = folder.filter(|f| !f.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    // What it holds is for its owner alone.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| {
        Failure::Files(format!(
            "the folder {} cannot be made: {error}; name another with --data",
            folder.display()
        ))
    })
}

/// Fails where others than its owner can read a file. Systemd gives credentials to a service in a folder of its own, and may let the
/// group read them there.
#[cfg_attr(
    unix,
    expect(clippy::disallowed_methods, reason = "systemd says there which folder it is")
)]
fn expect_secret(file: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(file)?) & 0o777;
        let is_credential = std::env::var_os("CREDENTIALS_DIRECTORY").is_some_and(|folder| file.starts_with(folder));
        let forbidden = if is_credential { 0o037 } else { 0o077 };
        if mode & forbidden != 0 {
            return Err(io::Error::other(format!(
                "others can read or change the master key file (its mode is {mode:04o}): run 'chmod 600' on it"
            )));
        }
    }
    Ok(())
}

/// Writes a new file that only its owner can read.
fn write_secret(file: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
