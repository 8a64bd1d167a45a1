//! The report: what was measured, on which machine, as Markdown for people and as JSON.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::figures::{Figure, Memory};
use crate::run::wanted;
use crate::targets::Target;

/// All that a run found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The machine.
    pub machine: Machine,
    /// When the run ended.
    pub time: String,
    /// The register's program.
    pub program: String,
    /// Why the figures are not held against the targets.
    pub unjudged: Option<&'static str>,
    /// Connections of the load.
    pub connections: usize,
    /// Streams of the import.
    pub import_streams: usize,
    /// Seconds of a measurement.
    pub seconds: u64,
    /// How much memory the server used, all measurements of a database together.
    pub memory: Vec<Memory>,
    /// What was measured.
    pub figures: Vec<Figure>,
    /// What was to be reached.
    pub targets: Vec<Target>,
}

/// The machine.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Name of the processor.
    pub processor: String,
    /// How many there are for this process.
    pub processors: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The kernel.
    pub kernel: String,
    /// The file system that the databases lie on.
    pub file_system: String,
    /// The version of PostgreSQL, where it was measured.
    pub postgres: Option<String>,
}

impl Machine {
    /// This machine, with the databases in a folder.
    pub fn look(data: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
                .unwrap_or_default()
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kib: u64 = memory
            .split(' ')
            .next()
            .and_then(|kib| kib.parse().ok())
            .unwrap_or_default();
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            processors: crate::cpu::processors(),
            memory_mib: kib / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: file_system(
                &read("/proc/mounts"),
                &data.canonicalize().unwrap_or_else(|_| data.to_owned()),
            ),
            postgres: None,
        }
    }
}

/// The type of the file system that a folder lies on: that of the longest mount point above it.
fn file_system(mounts: &str, folder: &Path) -> String {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = mounts
        .filter(|(point, _)| folder.starts_with(point))
        .max_by_key(|(point, _)| point.len());
    above.map_or_else(String::new, |(_, kind)| kind.to_owned())
}

impl Report {
    /// What is missing or went wrong; empty for a complete report.
    pub fn lacks(&self) -> Vec<String> {
        let mut lacks = Vec::new();
        let mut sizes: Vec<u64> = self
            .figures
            .iter()
            .map(|f| f.talents)
            .filter(|talents| *talents > 0)
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        for talents in sizes {
            for (database, what, in_flight) in wanted(&self.figures) {
                let found = self.figures.iter().find(|f| {
                    let size = f.talents == talents || f.database == "none";
                    size && f.database == database && f.what == what && f.in_flight == in_flight
                });
                if found.is_none_or(|figure| figure.requests == 0) {
                    lacks.push(format!(
                        "{database}, {talents} persons: {what} at {in_flight} was not measured"
                    ));
                }
            }
        }
        for figure in self.figures.iter().filter(|figure| figure.errors > 0) {
            let first = figure.error.as_deref().unwrap_or_default();
            let (what, at, errors) = (&figure.what, figure.in_flight, figure.errors);
            lacks.push(format!(
                "{}: {what} at {at} had {errors} errors, the first: {first}",
                figure.database
            ));
        }
        lacks
    }
}

/// The report for people.
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = write(report, &mut text);
    text
}

fn write(report: &Report, out: &mut String) -> std::fmt::Result {
    let machine = &report.machine;
    writeln!(out, "# Benchmark of {}\n", report.time)?;
    writeln!(
        out,
        "{} × {}, {} MiB, Linux {}, databases on {}{}.  ",
        machine.processors,
        machine.processor,
        machine.memory_mib,
        machine.kernel,
        machine.file_system,
        machine
            .postgres
            .as_ref()
            .map(|version| format!(", {version}"))
            .unwrap_or_default()
    )?;
    writeln!(
        out,
        "`{}`, {} connections, {} s each; server, database and load on the same machine.",
        report.program, report.connections, report.seconds
    )?;
    if let Some(why) = report.unjudged {
        writeln!(out, "\n**Not to be quoted: {why}.**")?;
    }
    writeln!(
        out,
        "\nPersons are invented. Figures in brackets were disturbed: others used more than a fifth of the machine.\n"
    )?;
    writeln!(
        out,
        "| persons | database | what | in flight | /s | p50 ms | p99 ms | longest ms | errors | server µs | database µs | load µs | others |"
    )?;
    writeln!(
        out,
        "| --: | --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |"
    )?;
    for figure in &report.figures {
        row(figure, out)?;
    }
    writeln!(out, "\n## Beside the limits and the targets\n")?;
    writeln!(out, "| persons | database | what | measured | target | |")?;
    writeln!(out, "| --: | --- | --- | --: | --: | --- |")?;
    for target in &report.targets {
        let said = match target.reached {
            Some(true) => "reached",
            Some(false) => "missed",
            None if target.measured.is_none() => "not measured",
            None => target.unjudged.unwrap_or_default(),
        };
        let measured = target.measured.map(|value| target.aim.show(value)).unwrap_or_default();
        let (database, what, wanted) = (target.database, &target.what, target.aim.wanted());
        writeln!(
            out,
            "| {} | {database} | {what} | {measured} | {wanted} | {said} |",
            target.talents
        )?;
    }
    for memory in &report.memory {
        let (mib, database, talents) = (number(memory.mib), memory.database, memory.talents);
        writeln!(
            out,
            "\nThe server used at most {mib} MiB of memory on {database} with {talents} persons."
        )?;
    }
    Ok(())
}

fn row(figure: &Figure, out: &mut String) -> std::fmt::Result {
    let shown = |value: Option<f64>| match value {
        None => String::new(),
        Some(value) if figure.disturbed => format!("({})", number(value)),
        Some(value) => number(value),
    };
    let persons = if figure.talents == 0 {
        String::new()
    } else {
        figure.talents.to_string()
    };
    let database = if figure.database == "none" { "" } else { figure.database };
    let cells = [
        persons,
        database.to_owned(),
        figure.what.clone(),
        figure.in_flight.to_string(),
        shown(Some(figure.per_second)),
        shown(figure.p50_ms),
        shown(figure.p99_ms),
        shown(figure.longest_ms),
        figure.errors.to_string(),
        shown(figure.server_us),
        shown(figure.database_us),
        shown(figure.load_us),
        format!("{:.0}%", figure.others * 100.0),
    ];
    writeln!(out, "| {} |", cells.join(" | "))
}

/// Three digits that count, and no more behind the point than that takes.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        assert_eq!(
            ["0.00", "1.23", "12.3", "123", "12346"].map(str::to_owned),
            [0.0, 1.234, 12.34, 123.4, 12345.6].map(number)
        );
    }

    #[test]
    fn a_folder_lies_on_the_file_system_of_the_longest_mount_point_above_it() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\ntmpfs /tm proc rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/x")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/var")), "ext4");
    }
}
