//! `mingce-bench`: how fast the register is, beside what its parts can do on the same machine in the same run.
//!
//! docs/performance.md says how to run it and what its columns mean.

#![allow(
    clippy::disallowed_methods,
    reason = "it measures, and ends with what it has started"
)]

mod ablation;
mod background;
mod burst;
mod calls;
mod child;
mod connections;
mod cpu;
mod drive;
mod echo;
mod figures;
mod fill;
mod load;
mod machine;
mod persons;
mod pgbench;
mod plan;
mod postgres;
mod report;
mod run;
mod sqlite;
mod table;
mod targets;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

/// Measures the register
#[derive(Debug, Parser)]
#[command(name = "mingce-bench", version, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    beside: Option<Beside>,
    /// How many persons the register is filled with; several sizes are measured one after the other
    #[arg(long, value_name = "COUNT", value_delimiter = ',')]
    talents: Vec<u64>,
    /// On which database
    #[arg(long, value_enum, default_value_t = Databases::Both)]
    database: Databases,
    /// How long each measurement takes. Default: 5, with --full 6, with --short half a second
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// A trial of everything with 2,000 persons, in less than two minutes; its figures say nothing
    #[arg(long)]
    short: bool,
    /// The report that is published: 10,000, 100,000 and 1,000,000 persons, in less than twenty minutes. What there is
    /// no time for is left out
    #[arg(long, conflicts_with_all = ["short", "talents", "ablation"])]
    full: bool,
    /// Measures what sharing brings: import, get and create with it and without
    #[arg(long)]
    ablation: bool,
    /// With --ablation: what the register is given instead, for example "--max-batch 16" or "TOKIO_WORKER_THREADS=1"; may be
    /// given several times
    #[arg(long, value_name = "WORDS", requires = "ablation", allow_hyphen_values = true)]
    switch: Vec<ablation::Switch>,
    /// The register's program. Default: `mingce` beside this program
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Where the databases are put meanwhile, on the kind of disk that is to be measured
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Also writes bench.md and bench.json there
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// The same as the register's, so that the echo has it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Subcommand)]
enum Beside {
    /// Serves the echo
    #[command(hide = true)]
    Echo,
    #[command(flatten)]
    Drive(drive::Drive),
}

/// The databases of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Databases {
    /// The file in the data folder
    Sqlite,
    /// A PostgreSQL server of this run
    Postgres,
    /// One after the other
    Both,
}

/// How long a full run may take: twenty minutes, less the time in which everything ends.
const BUDGET: Duration = Duration::from_secs(20 * 60 - 30);
/// Files that are open beside the connections.
const FILES: u64 = 500;

impl Args {
    fn plan(&self) -> Result<plan::Plan> {
        let own = std::env::current_exe().context("this program does not know where it is")?;
        let binary = self.binary.clone().unwrap_or_else(|| own.with_file_name("mingce"));
        ensure!(
            binary.exists(),
            "{} does not exist: build it with `cargo build --release -p mingce`, or name it with --binary",
            binary.display()
        );
        let mut talents = match self.talents.as_slice() {
            [] if self.full => vec![10_000, 100_000, 1_000_000],
            [] if self.short => vec![2_000],
            [] => vec![100_000],
            talents => talents.to_vec(),
        };
        talents.sort_unstable();
        talents.dedup();
        ensure!(
            talents.iter().all(|count| *count >= 1000),
            "--talents: 1000 or more, so that a page has a place to begin"
        );
        ensure!(
            self.seconds.is_none_or(|seconds| (1..=60).contains(&seconds)),
            "--seconds: 1 to 60"
        );
        let time = match self.seconds {
            Some(seconds) => Duration::from_secs(seconds),
            None if self.full => Duration::from_secs(6),
            None if self.short => Duration::from_millis(500),
            None => Duration::from_secs(5),
        };
        let switches = match (self.ablation, self.switch.as_slice()) {
            (true, []) => ablation::SWITCHES
                .iter()
                .map(|text| text.parse())
                .collect::<Result<_>>()?,
            (_, switches) => switches.to_vec(),
        };
        let plan = plan::Plan {
            own,
            binary: binary.canonicalize().with_context(|| binary.display().to_string())?,
            talents,
            sqlite: self.database != Databases::Postgres,
            postgres: self.database != Databases::Sqlite,
            time,
            budget: self.full.then_some(BUDGET),
            short: self.short,
            switches,
            data: self.data.clone().unwrap_or_else(std::env::temp_dir),
        };
        let files = plan.guests() as u64 + FILES;
        ensure!(
            machine::open_files().is_none_or(|most| most >= files),
            "a process may not have {files} files open here, for so many connections: `ulimit -n 8192` before"
        );
        Ok(plan)
    }
}

async fn bench(args: &Args) -> Result<ExitCode> {
    let plan = args.plan()?;
    if let Some(out) = &args.out {
        // Not only after minutes of measuring.
        std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    }
    let report = run::run(&plan).await?;
    let (markdown, json) = (table::markdown(&report), serde_json::to_string_pretty(&report)?);
    if let Some(out) = &args.out {
        std::fs::write(out.join("bench.md"), &markdown).with_context(|| out.display().to_string())?;
        std::fs::write(out.join("bench.json"), json + "\n").with_context(|| out.display().to_string())?;
    }
    std::io::stdout().write_all(markdown.as_bytes())?;
    let lacks = report.lacks();
    writeln!(
        std::io::stderr(),
        "the run took {}",
        table::minutes(report.took_seconds)
    )?;
    for lack in &lacks {
        writeln!(std::io::stderr(), "mingce-bench: {lack}")?;
    }
    Ok(if lacks.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn ended() -> Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let result = match &args.beside {
        Some(Beside::Echo) => echo::serve().await.map(|()| ExitCode::SUCCESS),
        Some(Beside::Drive(drive)) => drive.run().await.map(|lines| {
            let _ = writeln!(std::io::stdout(), "{}", lines.join("\n"));
            ExitCode::SUCCESS
        }),
        None => tokio::select! {
            result = bench(&args) => result,
            // What was started ends as the run is dropped.
            ended = ended() => ended.map(|()| ExitCode::from(130)),
        },
    };
    result.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "mingce-bench: {error:#}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(flags: &[&str]) -> Result<plan::Plan> {
        let own = std::env::current_exe().unwrap();
        let first = ["mingce-bench", "--binary", own.to_str().unwrap()];
        Args::try_parse_from(first.iter().chain(flags))?.plan()
    }

    #[test]
    fn the_full_form_has_three_sizes_and_less_than_twenty_minutes() {
        let full = plan(&["--full"]).unwrap();
        assert_eq!(full.talents, [10_000, 100_000, 1_000_000]);
        assert!(full.budget.is_some_and(|budget| budget < Duration::from_secs(1200)));
        // Measured alone, and with the warming up, they leave half of the time for imports and preparations.
        let rows = full.wanted().iter().filter(|row| !row.what.contains("import")).count();
        assert!(
            full.time * 11 / 10 * u32::try_from(rows).unwrap() < Duration::from_secs(600),
            "{rows}"
        );
        for other in [&["--short"][..], &["--talents", "1000"], &["--ablation"]] {
            assert!(plan(&[&["--full"], other].concat()).is_err(), "{other:?}");
        }
    }

    #[test]
    fn sizes_are_measured_from_the_smallest_on() {
        assert_eq!(plan(&["--talents", "5000,1000,5000"]).unwrap().talents, [1000, 5000]);
        assert!(plan(&["--talents", "999"]).is_err());
    }

    #[test]
    fn an_ablation_has_a_switch_of_its_own_or_those_that_are_named() {
        let names = |flags: &[&str]| {
            plan(flags)
                .unwrap()
                .switches
                .iter()
                .map(ablation::Switch::name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&["--ablation"]), ablation::SWITCHES);
        assert_eq!(
            names(&["--ablation", "--switch", "--max-batch 16", "--switch", "A=b"]),
            ["--max-batch 16", "A=b"]
        );
        assert_eq!(names(&[]), Vec::<String>::new());
        assert!(plan(&["--switch", "--max-batch 1"]).is_err());
    }
}
