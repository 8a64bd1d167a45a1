//! What a run measures: on which databases, at which sizes, and which rows of the table come of it.

use std::path::PathBuf;
use std::time::Duration;

use crate::ablation::Switch;
use crate::background::CROWDS;
use crate::calls::Kind;
use crate::figures::Figure;
use crate::{burst, connections, fill};

/// Connections over which the load comes.
pub const CONNECTIONS: usize = 8;
/// Calls in flight.
pub const IN_FLIGHT: [usize; 3] = [1, 8, MOST];
/// Calls in flight for which targets hold.
pub const MOST: usize = 64;
/// Gets in flight while something else goes on.
pub const BESIDE: usize = 8;
/// What is measured of the register. Reads come first: creates change what they read.
const KINDS: [Kind; 5] = [Kind::Get, Kind::Page, Kind::Search, Kind::Mixed, Kind::Create];
/// What is measured of pgbench.
const LIMITS: [Kind; 3] = [Kind::Get, Kind::Page, Kind::Create];
/// What is measured with and without a switch, beside the import.
const SWITCHED: [Kind; 2] = [Kind::Get, Kind::Create];

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
    /// The time of the whole run, where it has a limit.
    pub budget: Option<Duration>,
    /// Whether it is a trial only.
    pub short: bool,
    /// What is switched off and compared; empty where the register is measured as it is.
    pub switches: Vec<Switch>,
    /// Where the databases are put.
    pub data: PathBuf,
}

/// A row that a complete report has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Persons; 0 where it does not matter.
    pub talents: u64,
    /// `sqlite`, `postgres`, or `none`.
    pub database: &'static str,
    /// What is switched off.
    pub without: Option<String>,
    /// What is called.
    pub what: String,
    /// Calls in flight.
    pub in_flight: usize,
}

impl Wanted {
    /// Whether a figure is this row.
    pub fn is(&self, figure: &Figure) -> bool {
        self.talents == figure.talents
            && self.database == figure.database
            && self.without == figure.without
            && self.what == figure.what
            && self.in_flight == figure.in_flight
    }

    /// For people.
    pub fn name(&self) -> String {
        let mut name = format!("{} at {}", self.what, self.in_flight);
        if self.talents > 0 {
            name = format!("{}, {} persons: {name}", self.database, self.talents);
        }
        match &self.without {
            Some(switch) => format!("{name} with {switch}"),
            None => name,
        }
    }
}

impl Plan {
    /// Why the figures of this run are not held against the targets.
    pub fn unjudged(&self) -> Option<&'static str> {
        let debug = self.binary.components().any(|part| part.as_os_str() == "debug");
        match (cfg!(debug_assertions) || debug, self.short) {
            (true, _) => Some("a debug build was measured"),
            (false, true) => Some("the short form was run"),
            (false, false) => None,
        }
    }

    /// Whether a register of so many persons is measured in each way. Smaller ones show how the cost grows.
    pub fn is_largest(&self, talents: u64) -> bool {
        self.talents.iter().max() == Some(&talents)
    }

    /// The calls that are measured at a size, in their order.
    pub fn calls(&self, talents: u64) -> Vec<(Kind, usize)> {
        let all = KINDS
            .into_iter()
            .flat_map(|kind| IN_FLIGHT.map(|in_flight| (kind, in_flight)));
        all.filter(|(kind, in_flight)| {
            self.is_largest(talents) || *in_flight == MOST || (*kind == Kind::Search && *in_flight == 1)
        })
        .collect()
    }

    /// The calls that are measured with and without a switch.
    pub fn switched(&self) -> [(Kind, usize); 2] {
        SWITCHED.map(|kind| (kind, MOST))
    }

    /// What is measured of pgbench at a size.
    pub fn limits(&self, talents: u64) -> Vec<(Kind, usize)> {
        if !self.is_largest(talents) {
            return Vec::new();
        }
        LIMITS
            .into_iter()
            .flat_map(|kind| IN_FLIGHT.map(|clients| (kind, clients)))
            .collect()
    }

    /// How many connections are open at once for a while.
    pub fn guests(&self) -> usize {
        if self.short { 200 } else { 1000 }
    }

    /// How many creates come at once.
    pub fn burst(&self) -> usize {
        // More than the register takes, so that some are refused.
        if self.short { 1500 } else { 4000 }
    }

    /// The rows of a complete report.
    pub fn wanted(&self) -> Vec<Wanted> {
        let mut all = Vec::new();
        if self.switches.is_empty() {
            let echo = |in_flight| wanted(0, "none", None, "echo", in_flight);
            all.extend(IN_FLIGHT.map(echo));
        }
        for talents in self.talents.iter().copied() {
            if self.sqlite {
                all.extend(self.wanted_of(talents, "sqlite"));
            }
            if self.postgres {
                all.extend(self.wanted_of(talents, "postgres"));
            }
        }
        all
    }

    fn wanted_of(&self, talents: u64, database: &'static str) -> Vec<Wanted> {
        if !self.switches.is_empty() {
            let each = std::iter::once(None).chain(self.switches.iter().map(|switch| Some(switch.name())));
            return each
                .flat_map(|without| {
                    let row = |what: &str, in_flight| wanted(talents, database, without.clone(), what, in_flight);
                    let calls = self.switched().map(|(kind, in_flight)| row(kind.name(), in_flight));
                    std::iter::once(row("import", fill::STREAMS))
                        .chain(calls)
                        .collect::<Vec<_>>()
                })
                .collect();
        }
        let row = |what: &str, in_flight| wanted(talents, database, None, what, in_flight);
        let mut all = vec![row("import", fill::STREAMS)];
        all.extend(
            self.calls(talents)
                .into_iter()
                .map(|(kind, in_flight)| row(kind.name(), in_flight)),
        );
        if self.is_largest(talents) {
            all.extend(CROWDS.iter().map(|(what, _)| row(what, BESIDE)));
            all.push(row(burst::WHAT, self.burst()));
            all.push(row(connections::WHAT, BESIDE));
            if database == "sqlite" {
                all.push(row("sqlite import", 1));
            }
        }
        if database == "postgres" {
            let limits = self.limits(talents).into_iter();
            all.extend(limits.map(|(kind, clients)| row(&format!("pgbench {}", kind.name()), clients)));
        }
        all
    }
}

fn wanted(talents: u64, database: &'static str, without: Option<String>, what: &str, in_flight: usize) -> Wanted {
    Wanted {
        talents,
        database,
        without,
        what: what.to_owned(),
        in_flight,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn plan(talents: &[u64], switches: &[&str]) -> Plan {
        Plan {
            own: PathBuf::new(),
            binary: PathBuf::new(),
            talents: talents.to_vec(),
            sqlite: true,
            postgres: true,
            time: Duration::from_secs(1),
            budget: None,
            short: false,
            switches: switches.iter().map(|text| text.parse().unwrap()).collect(),
            data: PathBuf::new(),
        }
    }

    #[test]
    fn the_largest_register_is_measured_in_each_way_and_smaller_ones_for_their_growth() {
        let plan = plan(&[10, 1000], &[]);
        let wanted = plan.wanted();
        let of = |talents, database| {
            let rows = wanted
                .iter()
                .filter(|row| row.talents == talents && row.database == database);
            rows.map(|row| (row.what.as_str(), row.in_flight)).collect::<Vec<_>>()
        };
        let small = [
            ("import", 4),
            ("get", 64),
            ("page of 50", 64),
            ("search", 1),
            ("search", 64),
            ("mixed", 64),
            ("create", 64),
        ];
        assert_eq!(of(10, "sqlite"), small);
        assert_eq!(of(10, "postgres"), small);
        // An import, 15 calls, four things beside, a burst, connections; then SQLite's own, or pgbench.
        assert_eq!((of(1000, "sqlite").len(), of(1000, "postgres").len()), (23, 31));
        assert_eq!(of(0, "none"), [("echo", 1), ("echo", 8), ("echo", 64)]);
    }

    #[test]
    fn with_switches_the_same_is_measured_with_and_without_each() {
        let wanted = plan(&[10], &["--max-batch 1", "TOKIO_WORKER_THREADS=1"]).wanted();
        let names: Vec<String> = wanted.iter().map(Wanted::name).collect();
        assert_eq!(names.len(), 2 * 3 * 3, "{names:?}");
        assert_eq!(names[0], "sqlite, 10 persons: import at 4");
        assert_eq!(names[5], "sqlite, 10 persons: create at 64 with --max-batch 1");
    }
}
