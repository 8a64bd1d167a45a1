//! What a mechanism of the register brings: the same calls with it and with it switched off, in the same run.

use std::process::Command;
use std::str::FromStr;

use anyhow::{Error, Result, ensure};
use serde::Serialize;

use crate::figures::Figure;

/// What is switched off where nothing else is named, as words for the register's command line.
pub const SWITCHES: [&str; 1] = ["--max-batch 1"];

/// A switch: what the register is given on its command line and in its environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switch {
    flags: Vec<String>,
    environment: Vec<(String, String)>,
}

impl FromStr for Switch {
    type Err = Error;

    /// From words with spaces between: `NAME=VALUE` goes into the environment, anything else is a flag.
    fn from_str(text: &str) -> Result<Self> {
        let mut switch = Self::default();
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some((name, value)) if !word.starts_with('-') => {
                    switch.environment.push((name.to_owned(), value.to_owned()));
                }
                _ => switch.flags.push(word.to_owned()),
            }
        }
        ensure!(
            switch != Self::default(),
            "a switch needs words, for example \"--max-batch 1\""
        );
        Ok(switch)
    }
}

impl Switch {
    /// Its words.
    pub fn name(&self) -> String {
        let environment = self.environment.iter().map(|(name, value)| format!("{name}={value}"));
        environment
            .chain(self.flags.iter().cloned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Puts it on a command.
    pub fn set(&self, command: &mut Command) {
        command.args(&self.flags).envs(self.environment.iter().cloned());
    }
}

/// How much a mechanism brings for one kind of call.
#[derive(Debug, Clone, Serialize)]
pub struct Brings {
    /// The database.
    pub database: &'static str,
    /// Persons that the register was filled with.
    pub talents: u64,
    /// The switch.
    pub switch: String,
    /// What was called.
    pub what: String,
    /// Calls in flight.
    pub in_flight: usize,
    /// Calls per second as the register is, and with the switch.
    pub per_second: [f64; 2],
    /// The first in those of the second.
    pub ratio: f64,
    /// CPU of server and database for each call in µs, as the register is, and with the switch.
    pub cpu_us: [Option<f64>; 2],
    /// The 99th percentile in milliseconds, as the register is, and with the switch.
    pub p99_ms: [Option<f64>; 2],
    /// Whether one of them was disturbed.
    pub disturbed: bool,
}

/// Holds the figures with a switch against those without.
pub fn compare(figures: &[Figure]) -> Vec<Brings> {
    let switched = figures
        .iter()
        .filter_map(|figure| Some((figure, figure.without.clone()?)));
    switched
        .filter_map(|(off, switch)| {
            let on = figures.iter().find(|on| {
                on.without.is_none()
                    && (on.database, on.talents, on.in_flight) == (off.database, off.talents, off.in_flight)
                    && on.what == off.what
            })?;
            Some(Brings {
                database: on.database,
                talents: on.talents,
                switch,
                what: on.what.clone(),
                in_flight: on.in_flight,
                per_second: [on.per_second, off.per_second],
                ratio: on.per_second / off.per_second.max(1e-9),
                cpu_us: [on.cpu_us(), off.cpu_us()],
                p99_ms: [on.p99_ms, off.p99_ms],
                disturbed: on.disturbed || off.disturbed,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::figure;

    #[test]
    fn a_switch_is_flags_and_environment() {
        let switch: Switch = " TOKIO_WORKER_THREADS=1 --max-batch 1 --a=b".parse().unwrap();
        assert_eq!(switch.name(), "TOKIO_WORKER_THREADS=1 --max-batch 1 --a=b");
        let mut command = Command::new("mingce");
        switch.set(&mut command);
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["--max-batch", "1", "--a=b"]);
        assert_eq!(command.get_envs().count(), 1);
        assert!(" ".parse::<Switch>().is_err());
        for switch in SWITCHES {
            assert_eq!(switch.parse::<Switch>().unwrap().name(), switch);
        }
    }

    #[test]
    fn a_row_with_a_switch_is_held_against_the_same_row_without() {
        let with = |figure: Figure| Figure {
            without: Some("--max-batch 1".to_owned()),
            ..figure
        };
        let figures = [
            figure("get", 64, 3000, 0.0).on("sqlite", 10),
            figure("get", 64, 9000, 0.0).on("postgres", 10),
            with(figure("get", 64, 1000, 0.3).on("sqlite", 10)),
            with(figure("create", 64, 1000, 0.0).on("sqlite", 10)),
        ];
        let brings = compare(&figures);
        assert_eq!(brings.len(), 1);
        let brings = &brings[0];
        assert_eq!((brings.database, brings.per_second), ("sqlite", [3000.0, 1000.0]));
        assert!((brings.ratio - 3.0).abs() < 1e-9 && brings.disturbed);
    }
}
