//! The figures of a run, as they go into its tables.

use std::time::Duration;

use serde::Serialize;

use crate::cpu::{DISTURBED, Used};
use crate::load::Measured;

/// One measurement: a row of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Persons that the register was filled with; 0 where it does not matter.
    pub talents: u64,
    /// `sqlite`, `postgres`, or `none`.
    pub database: &'static str,
    /// What was switched off.
    pub without: Option<String>,
    /// What was called: of the register, or `echo`, `pgbench get`, …
    pub what: String,
    /// Calls in flight.
    pub in_flight: usize,
    /// Seconds.
    pub seconds: f64,
    /// Calls, transactions or rows.
    pub requests: u64,
    /// The same per second.
    pub per_second: f64,
    /// Half of the calls took at most so many milliseconds.
    pub p50_ms: Option<f64>,
    /// 99 of 100 calls took at most so many milliseconds.
    pub p99_ms: Option<f64>,
    /// No call took longer than so many milliseconds.
    pub longest_ms: Option<f64>,
    /// Calls that failed or answered something wrong.
    pub errors: u64,
    /// What the first of them said.
    pub error: Option<String>,
    /// CPU of the server for each call, in µs.
    pub server_us: Option<f64>,
    /// CPU of the database's processes for each call, in µs.
    pub database_us: Option<f64>,
    /// CPU of the load generator for each call, in µs.
    pub load_us: Option<f64>,
    /// The part of all processors that others used, 0 to 1.
    pub others: f64,
    /// Whether that was too much for the figures to be quoted.
    pub disturbed: bool,
    /// What else there is to say.
    pub note: String,
}

/// How much memory the server used, in MB of a million bytes.
#[derive(Debug, Clone, Serialize)]
pub struct Memory {
    /// The database.
    pub database: &'static str,
    /// Persons that the register was filled with.
    pub talents: u64,
    /// Connections that were open when it was looked at.
    pub connections: usize,
    /// The most that it ever used.
    pub most: f64,
    /// What it used at that moment.
    pub resident: f64,
    /// The part of that which is not the contents of files.
    pub anonymous: f64,
}

impl Figure {
    /// A row of what was counted and used. `server` and `database` say whether there was such a process.
    pub fn new(what: &str, in_flight: usize, requests: u64, used: &Used, server: bool, database: bool) -> Self {
        let each = |time: f64| time / (requests.max(1) as f64);
        Self {
            talents: 0,
            database: "none",
            without: None,
            what: what.to_owned(),
            in_flight,
            seconds: used.time.as_secs_f64(),
            requests,
            per_second: requests as f64 / used.time.max(Duration::from_micros(1)).as_secs_f64(),
            p50_ms: None,
            p99_ms: None,
            longest_ms: None,
            errors: 0,
            error: None,
            server_us: server.then(|| each(used.server)),
            database_us: database.then(|| each(used.database)),
            load_us: Some(each(used.own)),
            others: used.others,
            disturbed: used.others > DISTURBED,
            note: String::new(),
        }
    }

    /// A row of calls.
    pub fn of_calls(what: &str, in_flight: usize, measured: Measured, database: bool) -> Self {
        Self {
            p50_ms: measured.within(0.5),
            p99_ms: measured.within(0.99),
            longest_ms: measured.within(1.0),
            errors: measured.errors,
            error: measured.error.clone(),
            ..Self::new(what, in_flight, measured.requests, &measured.used, true, database)
        }
    }

    /// The same for a register on a database with so many persons.
    pub fn on(self, database: &'static str, talents: u64) -> Self {
        Self {
            database,
            talents,
            ..self
        }
    }

    /// The same where the CPU was used for other calls too, so that nothing can be said of one.
    pub fn without_cpu(self) -> Self {
        Self {
            server_us: None,
            database_us: None,
            load_us: None,
            ..self
        }
    }

    /// CPU of server and database for each call, in µs.
    pub fn cpu_us(&self) -> Option<f64> {
        match (self.server_us, self.database_us) {
            (None, None) => None,
            (server, database) => Some(server.unwrap_or_default() + database.unwrap_or_default()),
        }
    }
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
pub mod tests {
    use super::*;

    /// A row of a second, with a second of the server's CPU.
    pub fn figure(what: &str, in_flight: usize, requests: u64, others: f64) -> Figure {
        let used = Used {
            time: Duration::from_secs(1),
            server: 1e6,
            database: 0.0,
            own: 1e6,
            others,
        };
        Figure::new(what, in_flight, requests, &used, true, false)
    }
}
