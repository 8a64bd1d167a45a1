//! All that a run found, and whether it is complete.

use serde::Serialize;

use crate::ablation::Brings;
use crate::figures::{Figure, Memory};
use crate::machine::Machine;
use crate::plan::Wanted;
use crate::targets::Target;

/// All that a run found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The machine.
    pub machine: Machine,
    /// When the run ended.
    pub time: String,
    /// How long it took.
    pub took_seconds: f64,
    /// The register's program.
    pub program: String,
    /// Why the figures are not held against the targets.
    pub unjudged: Option<&'static str>,
    /// Connections of the load.
    pub connections: usize,
    /// Streams of the import.
    pub import_streams: usize,
    /// Seconds of a measurement.
    pub seconds: f64,
    /// How much memory the server used.
    pub memory: Vec<Memory>,
    /// What was measured.
    pub figures: Vec<Figure>,
    /// What was to be reached.
    pub targets: Vec<Target>,
    /// What mechanisms bring, where they were switched off.
    pub brings: Vec<Brings>,
    /// Whether the time of the whole run was up before its end.
    pub out_of_time: bool,
    /// What ended a size early.
    pub failed: Vec<String>,
    /// The rows of a complete report.
    #[serde(skip)]
    pub wanted: Vec<Wanted>,
}

impl Report {
    /// What is missing or went wrong; empty for a complete report.
    pub fn lacks(&self) -> Vec<String> {
        let why = if self.out_of_time { ": the time was up" } else { "" };
        let mut lacks = self.failed.clone();
        for wanted in &self.wanted {
            let found = self.figures.iter().find(|figure| wanted.is(figure));
            if found.is_none_or(|figure| figure.requests == 0) {
                lacks.push(format!("{} was not measured{why}", wanted.name()));
            }
        }
        for figure in self.figures.iter().filter(|figure| figure.errors > 0) {
            let first = figure.error.as_deref().unwrap_or_default();
            let (database, what, at, errors) = (figure.database, &figure.what, figure.in_flight, figure.errors);
            lacks.push(format!(
                "{database}, {} persons: {what} at {at} had {errors} errors, the first: {first}",
                figure.talents
            ));
        }
        lacks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::figure;
    use crate::plan::tests::plan;

    #[test]
    fn what_was_not_measured_is_said_and_why() {
        let wanted = plan(&[10], &[]).wanted();
        let figures: Vec<Figure> = wanted
            .iter()
            .map(|row| figure(&row.what, row.in_flight, 10, 0.0).on(row.database, row.talents))
            .collect();
        let mut report = Report {
            figures,
            wanted,
            ..Report::default()
        };
        assert_eq!(report.lacks(), Vec::<String>::new());
        report
            .figures
            .retain(|figure| figure.what != "pgbench create" || figure.in_flight != 8);
        report.out_of_time = true;
        report.failed = vec!["sqlite, 10 persons: why".to_owned()];
        assert_eq!(
            report.lacks(),
            [
                "sqlite, 10 persons: why",
                "postgres, 10 persons: pgbench create at 8 was not measured: the time was up"
            ]
        );
    }

    #[test]
    fn errors_are_said() {
        let mut get = figure("get", 64, 10, 0.0).on("sqlite", 10);
        (get.errors, get.error) = (2, Some("asked for this, got that".to_owned()));
        let report = Report {
            figures: vec![get],
            ..Report::default()
        };
        assert_eq!(
            report.lacks(),
            ["sqlite, 10 persons: get at 64 had 2 errors, the first: asked for this, got that"]
        );
    }
}
