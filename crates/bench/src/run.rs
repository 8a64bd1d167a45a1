//! A run: which processes are started, and what is measured in which order.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::calls::{Kind, PATIENCE, Register, connect};
use crate::child::{self, Running};
use crate::cpu::Watch;
use crate::crowd::Crowd;
use crate::figures::{Figure, Memory};
use crate::postgres::Postgres;
use crate::table::{Machine, Report};
use crate::{cpu, fill, load, pgbench, sqlite, targets};

/// Connections over which the load comes.
pub const CONNECTIONS: usize = 8;
/// Calls in flight.
pub const IN_FLIGHT: [usize; 3] = [1, 8, 64];
/// Gets in flight while a crowd is about.
pub const CROWDED: usize = 8;
/// What is measured of the register. Reads come first: creates change what they read.
const KINDS: [Kind; 5] = [Kind::Get, Kind::Page, Kind::Search, Kind::Mixed, Kind::Create];
/// What is measured of pgbench.
const LIMITS: [Kind; 3] = [Kind::Get, Kind::Page, Kind::Create];

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// This program.
    pub own: PathBuf,
    /// The register's program.
    pub binary: PathBuf,
    /// How many persons, for each size.
    pub talents: Vec<u64>,
    /// Whether SQLite is measured.
    pub sqlite: bool,
    /// Whether PostgreSQL is measured.
    pub postgres: bool,
    /// The time of a measurement.
    pub time: Duration,
    /// Whether it is a trial only.
    pub short: bool,
    /// Where the databases are put.
    pub data: PathBuf,
}

impl Plan {
    /// Why the figures of this run are not held against the targets.
    fn unjudged(&self) -> Option<&'static str> {
        let debug = self.binary.components().any(|part| part.as_os_str() == "debug");
        match (cfg!(debug_assertions) || debug, self.short) {
            (true, _) => Some("a debug build was measured"),
            (false, true) => Some("the short form was run"),
            (false, false) => None,
        }
    }
}

/// Where measurements go as they come.
#[derive(Debug, Default)]
struct Figures {
    rows: Vec<Figure>,
    memory: Vec<Memory>,
}

impl Figures {
    fn add(&mut self, figure: Figure) {
        progress(&format!(
            "{} {} at {}: {:.0}/s, {} errors, others {:.0}%",
            figure.database,
            figure.what,
            figure.in_flight,
            figure.per_second,
            figure.errors,
            figure.others * 100.0
        ));
        self.rows.push(figure);
    }
}

fn progress(line: &str) {
    // Nobody may be looking.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes());
}

/// Measures everything.
///
/// # Errors
/// Where a process does not start or a measurement cannot be made.
pub async fn run(plan: &Plan) -> Result<Report> {
    let mut figures = Figures::default();
    let mut machine = Machine::look(&plan.data);
    echo(plan, &mut figures).await?;
    let postgres = if plan.postgres {
        Some(Postgres::start(&plan.data).await?)
    } else {
        None
    };
    if let Some(postgres) = &postgres {
        machine.postgres = Some(postgres.version().await?);
    }
    for (size, talents) in plan.talents.iter().copied().enumerate() {
        if plan.sqlite {
            on_sqlite(plan, talents, &mut figures).await.context("on SQLite")?;
        }
        if let Some(postgres) = &postgres {
            let database = format!("bench_{size}");
            on_postgres(plan, postgres, &database, talents, &mut figures)
                .await
                .context("on PostgreSQL")?;
        }
    }
    let targets = targets::hold(&figures.rows, plan.unjudged());
    Ok(Report {
        machine,
        time: jiff::Timestamp::now().to_string(),
        program: plan.binary.display().to_string(),
        unjudged: plan.unjudged(),
        connections: CONNECTIONS,
        import_streams: fill::STREAMS,
        seconds: plan.time.as_secs(),
        memory: figures.memory,
        figures: figures.rows,
        targets,
    })
}

async fn echo(plan: &Plan, figures: &mut Figures) -> Result<()> {
    let folder = folder(plan)?;
    let mut command = Command::new(&plan.own);
    command.arg("echo").stdin(Stdio::piped());
    let (server, address) = child::server(&mut command, &folder.path().join("log")).await?;
    let register = Register {
        names: vec!["talents/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned()],
        ..Register::default()
    };
    let register = Arc::new(register);
    let clients = connect(&address, CONNECTIONS, PATIENCE).await?;
    let watch = Watch {
        server: Some(server.pid()),
        database: None,
    };
    for in_flight in IN_FLIGHT {
        let measured = load::measure(Kind::Get, &clients, &register, in_flight, plan.time, watch).await?;
        figures.add(Figure::of_calls("echo", in_flight, measured, false));
    }
    server.stop().await;
    Ok(())
}

async fn on_sqlite(plan: &Plan, talents: u64, figures: &mut Figures) -> Result<()> {
    let folder = folder(plan)?;
    let data = folder.path().join("data");
    let (server, address) = serve(plan, folder.path(), None).await?;
    let watch = Watch {
        server: Some(server.pid()),
        database: None,
    };
    let (names, used) = fill::import(&address, 0..talents, watch).await?;
    figures.add(Figure::new("import", fill::STREAMS, talents, &used, true, false).on("sqlite", talents));
    measure(plan, &address, names, watch, "sqlite", talents, figures).await?;
    // Nobody else may open the file while the server has it.
    server.stop().await;
    let (persons, used) = sqlite::copy(&data.join("register.db"), folder.path()).await?;
    let figure = Figure::new("sqlite import", 1, persons, &used, false, false);
    figures.add(figure.on("sqlite", talents));
    Ok(())
}

async fn on_postgres(
    plan: &Plan,
    postgres: &Postgres,
    database: &str,
    talents: u64,
    figures: &mut Figures,
) -> Result<()> {
    let folder = folder(plan)?;
    let url = postgres.create(database).await?;
    let (server, address) = serve(plan, folder.path(), Some(&url)).await?;
    let watch = Watch {
        server: Some(server.pid()),
        database: Some(postgres.pid()),
    };
    let (names, used) = fill::import(&address, 0..talents, watch).await?;
    figures.add(Figure::new("import", fill::STREAMS, talents, &used, true, true).on("postgres", talents));
    // What autovacuum does by itself on a register that has stood for a while.
    postgres.psql(database, "VACUUM ANALYZE; CHECKPOINT").await?;
    measure(plan, &address, names, watch, "postgres", talents, figures).await?;
    server.stop().await;
    let persons = pgbench::prepare(postgres, database).await?;
    for kind in LIMITS {
        for clients in IN_FLIGHT {
            let said = pgbench::measure(postgres, database, kind, clients, plan.time, persons).await?;
            let what = format!("pgbench {}", name(kind));
            let mut figure = Figure::new(&what, clients, said.transactions, &said.used, false, true);
            figure.per_second = said.per_second;
            figures.add(figure.on("postgres", talents));
        }
    }
    postgres.psql("postgres", &format!("DROP DATABASE {database}")).await?;
    Ok(())
}

async fn measure(
    plan: &Plan,
    address: &str,
    names: Vec<String>,
    watch: Watch,
    database: &'static str,
    talents: u64,
    figures: &mut Figures,
) -> Result<()> {
    let register = Arc::new(fill::look_around(address, names).await?);
    let clients = connect(address, CONNECTIONS, PATIENCE).await?;
    for kind in KINDS {
        for in_flight in IN_FLIGHT {
            let measured = load::measure(kind, &clients, &register, in_flight, plan.time, watch).await?;
            let figure = Figure::of_calls(name(kind), in_flight, measured, watch.database.is_some());
            figures.add(figure.on(database, talents));
        }
    }
    let crowd = Crowd::gather(address, &register).await?;
    let measured = load::measure(Kind::Get, &clients, &register, CROWDED, plan.time, watch).await?;
    let mut figure = Figure::of_calls("get beside a crowd", CROWDED, measured, watch.database.is_some());
    if crowd.errors() > 0 {
        figure.errors += crowd.errors();
        figure
            .error
            .get_or_insert_with(|| "the crowd's calls failed".to_owned());
    }
    figures.add(figure.on(database, talents));
    drop(crowd);
    if let Some(mib) = watch.server.and_then(cpu::memory) {
        figures.memory.push(Memory { database, talents, mib });
    }
    Ok(())
}

/// What a kind of call is called in the tables.
pub fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Get => "get",
        Kind::Page => "page of 50",
        Kind::LargePage => "page of 1000",
        Kind::Search => "search",
        Kind::Create => "create",
        Kind::Mixed => "mixed",
    }
}

/// Starts the register as its users do: nothing is set but the address, the data folder and the database.
async fn serve(plan: &Plan, folder: &Path, database: Option<&str>) -> Result<(Running, String)> {
    let mut command = Command::new(&plan.binary);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("data"))
        .stdin(Stdio::null());
    if let Some(url) = database {
        command.args(["--database", url]);
    }
    child::forget_settings(&mut command);
    child::server(&mut command, &folder.join("log")).await
}

fn folder(plan: &Plan) -> Result<tempfile::TempDir> {
    let made = tempfile::Builder::new().prefix("mingce-bench.").tempdir_in(&plan.data);
    made.with_context(|| format!("{}: no folder can be made", plan.data.display()))
}

/// What a complete report has, for [`Report::lacks`]: database, what and calls in flight, for each size.
pub fn wanted(figures: &[Figure]) -> Vec<(&'static str, String, usize)> {
    let has = |database: &str| figures.iter().any(|figure| figure.database == database);
    let mut all: Vec<(&'static str, String, usize)> = Vec::new();
    let each = |database: &'static str, what: &str| IN_FLIGHT.map(|in_flight| (database, what.to_owned(), in_flight));
    all.extend(each("none", "echo"));
    for database in ["sqlite", "postgres"].into_iter().filter(|database| has(database)) {
        all.push((database, "import".to_owned(), fill::STREAMS));
        all.push((database, "get beside a crowd".to_owned(), CROWDED));
        all.extend(KINDS.into_iter().flat_map(|kind| each(database, name(kind))));
        if database == "sqlite" {
            all.push((database, "sqlite import".to_owned(), 1));
        } else {
            all.extend(
                LIMITS
                    .into_iter()
                    .flat_map(|kind| each(database, &format!("pgbench {}", name(kind)))),
            );
        }
    }
    all
}
