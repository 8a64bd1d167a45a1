//! A run: which processes are started, and what is measured in which order.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use tonic::transport::Channel;

use crate::ablation::{self, Switch};
use crate::background::{BackgroundLoad, CROWDS, IMPORTED};
use crate::burst::burst;
use crate::calls::{Kind, PATIENCE, Register, connect};
use crate::child::{self, Running};
use crate::connections::{self, Connections};
use crate::cpu::{self, Watch};
use crate::figures::{Figure, Memory};
use crate::machine::Machine;
use crate::plan::{BESIDE, CONNECTIONS, IN_FLIGHT, Plan};
use crate::postgres::Postgres;
use crate::report::Report;
use crate::{fill, load, pgbench, sqlite, targets};

/// Where measurements go as they come.
#[derive(Debug, Default)]
struct Figures {
    rows: Vec<Figure>,
    memory: Vec<Memory>,
    failed: Vec<String>,
}

impl Figures {
    fn add(&mut self, figure: Figure) {
        let note = if figure.note.is_empty() {
            String::new()
        } else {
            format!(" ({})", figure.note)
        };
        progress(&format!(
            "{} {} at {}{}: {:.0}/s, {} errors, others {:.0}%{note}",
            figure.database,
            figure.what,
            figure.in_flight,
            figure
                .without
                .as_ref()
                .map_or(String::new(), |switch| format!(" with {switch}")),
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

/// Measures everything, or as much as there is time for.
///
/// # Errors
/// Where a process does not start or a measurement cannot be made.
pub async fn run(plan: &Plan) -> Result<Report> {
    let begun = Instant::now();
    let mut figures = Figures::default();
    let mut machine = Machine::look(&plan.data).await?;
    let all = all(plan, &mut machine, &mut figures);
    let out_of_time = match plan.budget {
        None => all.await.map(|()| false)?,
        // What was started ends as it is dropped.
        Some(budget) => match tokio::time::timeout(budget, all).await {
            Ok(done) => done.map(|()| false)?,
            Err(_) => true,
        },
    };
    let targets = if plan.switches.is_empty() {
        targets::hold(&figures.rows, &figures.memory, plan.unjudged())
    } else {
        Vec::new()
    };
    Ok(Report {
        machine,
        time: jiff::Timestamp::now().to_string(),
        took_seconds: begun.elapsed().as_secs_f64(),
        program: plan.binary.display().to_string(),
        unjudged: plan.unjudged(),
        connections: CONNECTIONS,
        import_streams: fill::STREAMS,
        seconds: plan.time.as_secs_f64(),
        brings: ablation::compare(&figures.rows),
        memory: figures.memory,
        figures: figures.rows,
        targets,
        out_of_time,
        failed: figures.failed,
        wanted: plan.wanted(),
    })
}

async fn all(plan: &Plan, machine: &mut Machine, figures: &mut Figures) -> Result<()> {
    if plan.switches.is_empty() {
        echo(plan, figures).await?;
    }
    let postgres = if plan.postgres {
        Some(Postgres::start(&plan.data).await?)
    } else {
        None
    };
    if let Some(postgres) = &postgres {
        machine.postgres = Some(postgres.version().await?);
    }
    for talents in plan.talents.iter().copied() {
        let mut size = Size {
            plan,
            talents,
            figures: &mut *figures,
        };
        // What fails on one database or at one size takes nothing from what was measured, and what follows is tried.
        if plan.sqlite {
            let done = size.on(None).await;
            size.failed("sqlite", done);
        }
        if let Some(postgres) = &postgres {
            let done = size.on(Some(postgres)).await;
            size.failed("postgres", done);
        }
    }
    Ok(())
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

/// The measurements of a size.
struct Size<'a> {
    plan: &'a Plan,
    talents: u64,
    figures: &'a mut Figures,
}

/// A register that was filled.
struct Filled {
    database: &'static str,
    without: Option<String>,
    address: String,
    watch: Watch,
    register: Arc<Register>,
    clients: Vec<TalentServiceClient<Channel>>,
}

impl Size<'_> {
    /// Measures the register on SQLite, or on a PostgreSQL: as it is, or as it is and with each switch.
    async fn on(&mut self, postgres: Option<&Postgres>) -> Result<()> {
        self.with(postgres, None).await?;
        for switch in &self.plan.switches {
            self.with(postgres, Some(switch)).await.with_context(|| switch.name())?;
        }
        Ok(())
    }

    fn failed(&mut self, database: &str, done: Result<()>) {
        if let Err(error) = done {
            let said = format!("{database}, {} persons: {error:#}", self.talents);
            progress(&said);
            self.figures.failed.push(said);
        }
    }

    async fn with(&mut self, postgres: Option<&Postgres>, switch: Option<&Switch>) -> Result<()> {
        const DATABASE: &str = "bench";
        let folder = folder(self.plan)?;
        let url = match postgres {
            Some(postgres) => Some(postgres.create(DATABASE).await?),
            None => None,
        };
        let (server, address) = serve(self.plan, folder.path(), url.as_deref(), switch).await?;
        let watch = Watch {
            server: Some(server.pid()),
            database: postgres.map(Postgres::pid),
        };
        let database = if postgres.is_some() { "postgres" } else { "sqlite" };
        let without = switch.map(Switch::name);
        let (names, used) = fill::import(&address, 0..self.talents, watch).await?;
        let import = Figure::new("import", fill::STREAMS, self.talents, &used, true, postgres.is_some());
        self.figures.add(Figure {
            without: without.clone(),
            ..import.on(database, self.talents)
        });
        if let Some(postgres) = postgres {
            // What autovacuum does by itself on a register that has stood for a while.
            postgres.psql(DATABASE, "VACUUM ANALYZE; CHECKPOINT").await?;
        }
        let filled = Filled {
            database,
            without,
            watch,
            register: Arc::new(fill::look_around(&address, names).await?),
            clients: connect(&address, CONNECTIONS, PATIENCE).await?,
            address,
        };
        if self.plan.switches.is_empty() {
            self.calls(&filled, &self.plan.calls(self.talents)).await?;
            if self.plan.is_largest(self.talents) {
                self.beside(&filled).await?;
            }
            self.memory(&filled).await?;
        } else {
            self.calls(&filled, &self.plan.switched()).await?;
        }
        drop(filled);
        // Nobody else may open the file while the server has it.
        server.stop().await;
        if self.plan.switches.is_empty() && self.plan.is_largest(self.talents) {
            self.limits(postgres.map(|postgres| (postgres, DATABASE)), folder.path())
                .await?;
        }
        if let Some(postgres) = postgres {
            postgres.psql("postgres", &format!("DROP DATABASE {DATABASE}")).await?;
        }
        Ok(())
    }

    fn add(&mut self, filled: &Filled, figure: Figure) {
        self.figures.add(Figure {
            without: filled.without.clone(),
            ..figure.on(filled.database, self.talents)
        });
    }

    async fn calls(&mut self, filled: &Filled, calls: &[(Kind, usize)]) -> Result<()> {
        for (kind, in_flight) in calls {
            let figure = self.measure(filled, *kind, kind.name(), *in_flight).await?;
            self.add(filled, figure);
        }
        Ok(())
    }

    async fn measure(&self, filled: &Filled, kind: Kind, what: &str, in_flight: usize) -> Result<Figure> {
        let Filled {
            clients,
            register,
            watch,
            ..
        } = filled;
        let measured = load::measure(kind, clients, register, in_flight, self.plan.time, *watch).await?;
        Ok(Figure::of_calls(what, in_flight, measured, watch.database.is_some()))
    }

    /// Gets while others are about, and more creates than the register takes.
    async fn beside(&mut self, filled: &Filled) -> Result<()> {
        for (what, guests) in CROWDS {
            let rows = if self.plan.short { 200 } else { IMPORTED };
            let crowd = BackgroundLoad::gather(&filled.address, guests, rows, &filled.register).await?;
            let figure = self.measure(filled, Kind::Get, what, BESIDE).await?;
            let done = crowd.leave().await?;
            let mut figure = figure.without_cpu();
            figure.note = done.note;
            if done.errors > 0 {
                figure.errors += done.errors;
                figure
                    .error
                    .get_or_insert_with(|| "the calls beside it failed".to_owned());
            }
            self.add(filled, figure);
        }
        let figure = burst(&filled.address, &filled.register, self.plan.burst(), filled.watch).await?;
        self.add(filled, figure);
        Ok(())
    }

    /// Memory, at the largest size with many connections.
    async fn memory(&mut self, filled: &Filled) -> Result<()> {
        let Some(pid) = filled.watch.server else { return Ok(()) };
        let mut open = 0;
        let mut called = None;
        if self.plan.is_largest(self.talents) {
            let wanted = self.plan.guests();
            let connections = Connections::open(&filled.address, wanted, &filled.register).await?;
            open = connections.open;
            let refused = connections.refused.clone();
            let figure = self.measure(filled, Kind::Get, connections::WHAT, BESIDE).await?;
            let calls = connections.settle().await?;
            let mut figure = figure.without_cpu();
            figure.note = format!(
                "{open} of {wanted} connections were taken, {} calls over them",
                calls.answered
            );
            if let Some(refused) = refused {
                figure.note += &format!("; the first that was not: {refused}");
            }
            figure.errors += calls.errors;
            figure.error = figure.error.or(calls.error.clone());
            self.add(filled, figure);
            called = Some(calls);
        }
        let of = |field| cpu::memory(pid, field).with_context(|| format!("the server's {field} is not known"));
        self.figures.memory.push(Memory {
            database: filled.database,
            talents: self.talents,
            connections: open,
            most: of("VmHWM")?,
            resident: of("VmRSS")?,
            anonymous: of("RssAnon")?,
        });
        // They were open until now.
        drop(called);
        Ok(())
    }

    /// What the database can do by itself.
    async fn limits(&mut self, postgres: Option<(&Postgres, &str)>, folder: &Path) -> Result<()> {
        let Some((postgres, database)) = postgres else {
            let (persons, used) = sqlite::copy(&folder.join("data").join("register.db"), folder).await?;
            let figure = Figure::new("sqlite import", 1, persons, &used, false, false);
            self.figures.add(figure.on("sqlite", self.talents));
            return Ok(());
        };
        let persons = pgbench::prepare(postgres, database).await?;
        for (kind, clients) in self.plan.limits(self.talents) {
            let said = pgbench::measure(postgres, database, kind, clients, self.plan.time, persons).await?;
            let what = format!("pgbench {}", kind.name());
            let mut figure = Figure::new(&what, clients, said.transactions, &said.used, false, true);
            figure.per_second = said.per_second;
            self.figures.add(figure.on("postgres", self.talents));
        }
        Ok(())
    }
}

/// Starts the register as its users do: nothing is set but the address, the data folder and the database, and what a
/// switch sets.
async fn serve(
    plan: &Plan,
    folder: &Path,
    database: Option<&str>,
    switch: Option<&Switch>,
) -> Result<(Running, String)> {
    let mut command = Command::new(&plan.binary);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("data"))
        .stdin(Stdio::null());
    if let Some(url) = database {
        command.args(["--database", url]);
    }
    child::forget_settings(&mut command);
    if let Some(switch) = switch {
        switch.set(&mut command);
    }
    child::server(&mut command, &folder.join("log")).await
}

fn folder(plan: &Plan) -> Result<tempfile::TempDir> {
    let made = tempfile::Builder::new().prefix("mingce-bench.").tempdir_in(&plan.data);
    made.with_context(|| format!("{}: no folder can be made", plan.data.display()))
}
