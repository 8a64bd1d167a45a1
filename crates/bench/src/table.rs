//! The report as Markdown, for people.

use std::fmt::{self, Write};

use crate::ablation::Brings;
use crate::figures::{Figure, number};
use crate::plan::MOST;
use crate::report::Report;
use crate::targets::{DISTURBED, Target};

/// Calls whose cost is shown as the register grows.
const GROWING: [&str; 5] = ["get", "page of 50", "search", "mixed", "create"];

/// The report for people.
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = write(report, &mut text);
    text
}

fn write(report: &Report, out: &mut String) -> fmt::Result {
    writeln!(out, "# Benchmark of {}\n", report.time)?;
    machine(report, out)?;
    let head = "persons|database|what|in flight|/s|p50 ms|p99 ms|longest ms|errors|server µs|database µs|both µs|load µs|others";
    let mut rows = Table::new(head);
    for figure in &report.figures {
        rows.push(row(figure));
    }
    rows.write(out)?;
    notes(&report.figures, out)?;
    if !report.targets.is_empty() {
        let mut table = Table::new("persons|database|what|measured|target|");
        for target in &report.targets {
            table.push(held(target));
        }
        writeln!(out, "\n## Beside the limits and the targets\n")?;
        table.write(out)?;
    }
    growth(&report.figures, out)?;
    brings(&report.brings, out)?;
    memory(report, out)?;
    let lacks = report.lacks();
    if !lacks.is_empty() {
        writeln!(out, "\n## What is missing\n")?;
        for lack in lacks {
            writeln!(out, "- {lack}")?;
        }
    }
    writeln!(out, "\nThe run took {}.", minutes(report.took_seconds))
}

fn machine(report: &Report, out: &mut String) -> fmt::Result {
    let machine = &report.machine;
    let [half, most] = machine.fsync_ms.map(number);
    let postgres = machine.postgres.iter().map(|version| format!(", {version}"));
    writeln!(
        out,
        "{} × {}, {} MiB, Linux {}. {}{}.  ",
        machine.processors,
        machine.processor,
        machine.memory_mib,
        machine.kernel,
        machine.sqlite,
        postgres.collect::<String>()
    )?;
    writeln!(
        out,
        "Databases on {} ({}), where an fsync of 4 KiB takes {half} ms, and 99 of 100 at most {most} ms.  ",
        machine.file_system, machine.disk
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
    )
}

fn row(figure: &Figure) -> Vec<String> {
    let shown = |value: Option<f64>| value.map_or(String::new(), |value| bracketed(value, figure.disturbed));
    let persons = Some(figure.talents).filter(|persons| *persons > 0);
    let what = match &figure.without {
        Some(switch) => format!("{} with `{switch}`", figure.what),
        None => figure.what.clone(),
    };
    vec![
        persons.map_or(String::new(), |persons| persons.to_string()),
        if figure.database == "none" { "" } else { figure.database }.to_owned(),
        what,
        figure.in_flight.to_string(),
        shown(Some(figure.per_second)),
        shown(figure.p50_ms),
        shown(figure.p99_ms),
        shown(figure.longest_ms),
        figure.errors.to_string(),
        shown(figure.server_us),
        shown(figure.database_us),
        shown(figure.cpu_us()),
        shown(figure.load_us),
        format!("{:.0}%", figure.others * 100.0),
    ]
}

fn notes(figures: &[Figure], out: &mut String) -> fmt::Result {
    let noted: Vec<&Figure> = figures.iter().filter(|figure| !figure.note.is_empty()).collect();
    if !noted.is_empty() {
        writeln!(out)?;
    }
    for figure in noted {
        let (database, talents) = (figure.database, figure.talents);
        writeln!(out, "- {database}, {talents} persons, {}: {}", figure.what, figure.note)?;
    }
    Ok(())
}

fn held(target: &Target) -> Vec<String> {
    let said = match target.reached {
        Some(true) => "reached",
        Some(false) => "missed",
        None if target.measured.is_none() => "not measured",
        None => target.unjudged.unwrap_or_default(),
    };
    let disturbed = target.unjudged == Some(DISTURBED);
    let measured = target.measured.map(|value| target.aim.show(value));
    let measured = measured.map(|shown| if disturbed { format!("({shown})") } else { shown });
    vec![
        target.talents.to_string(),
        target.database.to_owned(),
        target.what.clone(),
        measured.unwrap_or_default(),
        target.aim.wanted(),
        said.to_owned(),
    ]
}

/// CPU for each call at each size, where there are several.
fn growth(figures: &[Figure], out: &mut String) -> fmt::Result {
    let mut sizes: Vec<u64> = figures.iter().map(|figure| figure.talents).collect();
    sizes.retain(|size| *size > 0);
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.len() < 2 {
        return Ok(());
    }
    let heads = sizes.iter().map(|size| format!("|{size}"));
    let mut table = Table::new(&format!("database|what{}", heads.collect::<String>()));
    for database in ["sqlite", "postgres"] {
        for what in GROWING {
            let at = |size: &u64| {
                figures.iter().find(|figure| {
                    (figure.database, figure.talents, figure.in_flight) == (database, *size, MOST)
                        && figure.what == what
                        && figure.without.is_none()
                })
            };
            let cells: Vec<String> = sizes
                .iter()
                .map(|size| {
                    let figure = at(size);
                    let cpu = figure.and_then(Figure::cpu_us);
                    cpu.map_or(String::new(), |cpu| bracketed(cpu, figure.is_some_and(|f| f.disturbed)))
                })
                .collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                let head = [database.to_owned(), what.to_owned()];
                table.push(head.into_iter().chain(cells).collect());
            }
        }
    }
    writeln!(out, "\n## As it grows\n")?;
    writeln!(
        out,
        "CPU of server and database in µs for each call, {MOST} in flight, by the number of persons.\n"
    )?;
    table.write(out)
}

fn brings(brings: &[Brings], out: &mut String) -> fmt::Result {
    if brings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## What each mechanism brings\n")?;
    writeln!(
        out,
        "The register as it is beside the same with a switch; CPU is that of server and database.\n"
    )?;
    let mut table = Table::new(
        "persons|database|switch|what|in flight|/s|/s with it|ratio|CPU µs|CPU µs with it|p99 ms|p99 ms with it",
    );
    for each in brings {
        let shown = |value: Option<f64>| value.map_or(String::new(), |value| bracketed(value, each.disturbed));
        table.push(vec![
            each.talents.to_string(),
            each.database.to_owned(),
            format!("`{}`", each.switch),
            each.what.clone(),
            each.in_flight.to_string(),
            shown(Some(each.per_second[0])),
            shown(Some(each.per_second[1])),
            shown(Some(each.ratio)),
            shown(each.cpu_us[0]),
            shown(each.cpu_us[1]),
            shown(each.p99_ms[0]),
            shown(each.p99_ms[1]),
        ]);
    }
    table.write(out)
}

fn memory(report: &Report, out: &mut String) -> fmt::Result {
    if report.memory.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Memory of the server\n")?;
    let mut table = Table::new("persons|database|connections|the most MB|at the end MB|of it not files MB");
    for memory in &report.memory {
        table.push(vec![
            memory.talents.to_string(),
            memory.database.to_owned(),
            memory.connections.to_string(),
            number(memory.most),
            number(memory.resident),
            number(memory.anonymous),
        ]);
    }
    table.write(out)
}

/// A table whose columns of numbers stand to the right.
struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With names of columns, between strokes.
    fn new(head: &str) -> Self {
        Self {
            head: head.split('|').map(str::to_owned).collect(),
            rows: Vec::new(),
        }
    }

    fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        const WORDS: [&str; 5] = ["database", "what", "switch", "target", ""];
        let lines = self
            .head
            .iter()
            .map(|name| if WORDS.contains(&name.as_str()) { "---" } else { "--:" });
        writeln!(out, "| {} |", self.head.join(" | "))?;
        writeln!(out, "| {} |", lines.collect::<Vec<_>>().join(" | "))?;
        for row in &self.rows {
            writeln!(out, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

fn bracketed(value: f64, disturbed: bool) -> String {
    if disturbed {
        format!("({})", number(value))
    } else {
        number(value)
    }
}

/// A time in minutes and seconds.
pub fn minutes(seconds: f64) -> String {
    format!(
        "{:.0} min {:02.0} s",
        (seconds / 60.0).floor(),
        (seconds % 60.0).floor()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ablation::compare;
    use crate::figures::Memory;
    use crate::figures::tests::figure;

    #[test]
    fn numbers_have_three_digits_that_count() {
        assert_eq!(
            ["0.00", "1.23", "12.3", "123", "12346"].map(str::to_owned),
            [0.0, 1.234, 12.34, 123.4, 12345.6].map(number)
        );
        assert_eq!(minutes(59.7), "0 min 59 s");
        assert_eq!(minutes(1203.2), "20 min 03 s");
    }

    #[test]
    fn each_line_of_a_table_has_as_many_cells_as_its_head() {
        let mut switched = figure("get", MOST, 500, 0.0).on("sqlite", 10);
        switched.without = Some("--max-batch 1".to_owned());
        let mut disturbed = figure("get", MOST, 500, 0.5).on("sqlite", 100);
        disturbed.note = "a note".to_owned();
        let figures = vec![figure("get", MOST, 1000, 0.0).on("sqlite", 10), switched, disturbed];
        let report = Report {
            brings: compare(&figures),
            targets: crate::targets::hold(&figures, &[], None),
            memory: vec![Memory {
                database: "sqlite",
                talents: 10,
                connections: 1000,
                most: 200.0,
                resident: 150.0,
                anonymous: 99.0,
            }],
            figures,
            ..Report::default()
        };
        let text = markdown(&report);
        let mut cells = None;
        for line in text.lines() {
            let count = line.starts_with('|').then(|| line.matches('|').count());
            assert!(count.is_none() || cells.is_none() || cells == count, "{line}\n{text}");
            cells = count;
        }
        for part in [
            "| sqlite | get | 1000 | (2000) |",
            "| get, CPU in those at 10 persons | (2.00) | ≤ 1.50 | disturbed |",
            "| 10 | sqlite | `--max-batch 1` | get | 64 | 1000 | 500 | 2.00 | 1000 | 2000 |",
            "| 10 | sqlite | 1000 | 200 | 150 | 99.0 |",
            "- sqlite, 100 persons, get: a note",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
