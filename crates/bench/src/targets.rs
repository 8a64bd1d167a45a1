//! What the register is to reach, as shares of what the same machine can do where that is possible.

use serde::Serialize;

use crate::background::CROWDS;
use crate::figures::{Figure, Memory, number};
use crate::plan::{BESIDE, MOST};
use crate::{connections, fill};

/// Why nothing is said of a figure that others disturbed.
pub const DISTURBED: &str = "disturbed";
/// The longest that a get may take beside something else, in milliseconds.
const LONGEST: Aim = Aim::AtMost(50.0, "ms");

/// What is to be reached.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// This or more, in a unit; a ratio has none.
    AtLeast(f64, &'static str),
    /// This or less.
    AtMost(f64, &'static str),
    /// Nothing: to know it is enough.
    Known(&'static str),
}

impl Aim {
    fn reached(self, value: f64) -> Option<bool> {
        match self {
            Self::AtLeast(wanted, _) => Some(value >= wanted),
            Self::AtMost(wanted, _) => Some(value <= wanted),
            Self::Known(_) => None,
        }
    }

    /// A measured value with its unit.
    pub fn show(self, value: f64) -> String {
        let unit = match self {
            Self::AtLeast(_, unit) | Self::AtMost(_, unit) | Self::Known(unit) => unit,
        };
        format!("{} {unit}", number(value)).trim().to_owned()
    }

    /// What is wanted, for the table.
    pub fn wanted(self) -> String {
        match self {
            Self::AtLeast(wanted, _) => format!("≥ {}", self.show(wanted)),
            Self::AtMost(wanted, _) => format!("≤ {}", self.show(wanted)),
            Self::Known(_) => String::new(),
        }
    }
}

/// A target and how far it was reached.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// The database.
    pub database: &'static str,
    /// Persons; for growth those of the largest register.
    pub talents: u64,
    /// What is held against what.
    pub what: String,
    /// What is to be reached.
    pub aim: Aim,
    /// What was measured.
    pub measured: Option<f64>,
    /// Whether it was reached; none where nothing can be said.
    pub reached: Option<bool>,
    /// Why nothing can be said.
    pub unjudged: Option<&'static str>,
}

/// Holds the figures against the targets. `unjudged` says why that would mean nothing.
pub fn hold(figures: &[Figure], memory: &[Memory], unjudged: Option<&'static str>) -> Vec<Target> {
    let mut sizes: Vec<u64> = figures
        .iter()
        .map(|figure| figure.talents)
        .filter(|talents| *talents > 0)
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut targets = Vec::new();
    for database in ["sqlite", "postgres"] {
        for talents in sizes.iter().copied() {
            let mut held = Held {
                figures,
                unjudged,
                database,
                talents,
                targets: Vec::new(),
            };
            if !figures
                .iter()
                .any(|figure| figure.database == database && figure.talents == talents)
            {
                continue;
            }
            if database == "sqlite" {
                held.sqlite()
            } else {
                held.postgres()
            }
            held.memory(memory);
            match (sizes.first(), sizes.last()) {
                (Some(first), Some(last)) if first != last && *last == talents => held.growth_from(*first),
                // Smaller registers are not measured in each way.
                (_, Some(last)) if *last != talents => held.targets.retain(|target| target.measured.is_some()),
                _ => {}
            }
            targets.append(&mut held.targets);
        }
    }
    targets
}

/// The figures of one database and size, held against the targets.
struct Held<'a> {
    figures: &'a [Figure],
    unjudged: Option<&'static str>,
    database: &'static str,
    talents: u64,
    targets: Vec<Target>,
}

impl<'a> Held<'a> {
    fn sqlite(&mut self) {
        self.share(
            "get beside the echo",
            self.find("get", MOST),
            self.echo(MOST),
            Aim::AtLeast(0.80, ""),
        );
        self.cpu("page of 50", 250.0);
        let create = self.find("create", MOST);
        self.add(
            "create",
            Aim::AtLeast(5000.0, "/s"),
            create.map(|f| f.per_second),
            &[create],
        );
        self.add(
            "create, p99",
            Aim::AtMost(20.0, "ms"),
            create.and_then(|f| f.p99_ms),
            &[create],
        );
        self.on_both();
        let (ours, own) = (self.find("import", fill::STREAMS), self.find("sqlite import", 1));
        self.share("import beside SQLite's own", ours, own, Aim::Known(""));
    }

    fn postgres(&mut self) {
        let (get, echo) = (self.find("get", MOST), self.echo(MOST));
        self.share("get beside the echo", get, echo, Aim::AtLeast(0.65, ""));
        let cpu = get.and_then(Figure::cpu_us).zip(echo.and_then(Figure::cpu_us));
        let times = cpu.map(|(get, echo)| get / echo.max(1.0));
        // 85 µs where the echo takes 42.
        self.add(
            "CPU of a get in those of the echo",
            Aim::AtMost(85.0 / 42.0, ""),
            times,
            &[get, echo],
        );
        self.share(
            "page of 50 beside pgbench",
            self.find("page of 50", MOST),
            self.pgbench("page of 50"),
            Aim::AtLeast(0.28, ""),
        );
        self.cpu("page of 50", 330.0);
        self.share(
            "create beside pgbench",
            self.find("create", MOST),
            self.pgbench("create"),
            Aim::AtLeast(1.2, ""),
        );
        self.on_both();
        self.share("get beside pgbench", get, self.pgbench("get"), Aim::Known(""));
    }

    fn on_both(&mut self) {
        // The whole call, less what the echo takes for its way, is an upper bound of the time in SQL.
        let (search, echo) = (self.find("search", 1), self.echo(1));
        let times = search.and_then(|f| f.p50_ms).zip(echo.and_then(|f| f.p50_ms));
        let more = times.map(|(search, echo)| (search - echo).max(0.0));
        self.add(
            "search alone, p50 less the echo's",
            Aim::AtMost(1.0, "ms"),
            more,
            &[search, echo],
        );
        let import = self.find("import", fill::STREAMS);
        self.add(
            "import",
            Aim::AtLeast(25_000.0, "rows/s"),
            import.map(|f| f.per_second),
            &[import],
        );
        for (what, _) in CROWDS {
            self.longest(what, LONGEST);
        }
        self.longest(connections::WHAT, Aim::Known("ms"));
    }

    fn longest(&mut self, what: &str, aim: Aim) {
        let beside = self.find(what, BESIDE);
        let longest = beside.and_then(|f| f.longest_ms);
        self.add(&format!("{what}, the longest"), aim, longest, &[beside]);
    }

    fn memory(&mut self, memory: &[Memory]) {
        let of_size = |memory: &&Memory| memory.database == self.database && memory.talents == self.talents;
        let Some(memory) = memory.iter().find(of_size) else {
            return;
        };
        // Others on the machine do not change it.
        if memory.connections > 0 {
            let open = Some(memory.connections as f64);
            self.add("connections at once", Aim::AtLeast(1000.0, ""), open, &[]);
        }
        let below = Aim::AtMost(300.0, "MB");
        self.add("memory of the server, the most", below, Some(memory.most), &[]);
        let with = format!("memory of the server with {} connections", memory.connections);
        self.add(&with, below, Some(memory.resident), &[]);
        let anonymous = Some(memory.anonymous);
        self.add("of it without the contents of files", Aim::Known("MB"), anonymous, &[]);
    }

    fn growth_from(&mut self, first: u64) {
        for what in ["get", "page of 50", "search"] {
            let (small, large) = (self.find_at(first, what, MOST), self.find(what, MOST));
            let cpu = small.and_then(Figure::cpu_us).zip(large.and_then(Figure::cpu_us));
            let times = cpu.map(|(small, large)| large / small.max(1.0));
            self.add(
                &format!("{what}, CPU in those at {first} persons"),
                Aim::AtMost(1.5, ""),
                times,
                &[small, large],
            );
        }
    }

    fn find(&self, what: &str, in_flight: usize) -> Option<&'a Figure> {
        self.find_at(self.talents, what, in_flight)
    }

    fn find_at(&self, talents: u64, what: &str, in_flight: usize) -> Option<&'a Figure> {
        let of_size = self
            .figures
            .iter()
            .filter(|f| f.database == self.database && f.talents == talents);
        of_size.into_iter().find(|f| f.what == what && f.in_flight == in_flight)
    }

    fn echo(&self, in_flight: usize) -> Option<&'a Figure> {
        self.figures
            .iter()
            .find(|f| f.what == "echo" && f.in_flight == in_flight)
    }

    /// The best that pgbench did, with however many clients.
    fn pgbench(&self, what: &str) -> Option<&'a Figure> {
        let what = format!("pgbench {what}");
        let of_size = self
            .figures
            .iter()
            .filter(|f| f.talents == self.talents && f.what == what);
        of_size.max_by(|a, b| a.per_second.total_cmp(&b.per_second))
    }

    fn cpu(&mut self, what: &str, wanted: f64) {
        let ours = self.find(what, MOST);
        self.add(
            &format!("{what}, CPU"),
            Aim::AtMost(wanted, "µs"),
            ours.and_then(Figure::cpu_us),
            &[ours],
        );
    }

    fn share(&mut self, what: &str, ours: Option<&Figure>, limit: Option<&Figure>, aim: Aim) {
        let ratio = ours
            .zip(limit)
            .map(|(ours, limit)| ours.per_second / limit.per_second.max(1e-9));
        self.add(what, aim, ratio, &[ours, limit]);
    }

    fn add(&mut self, what: &str, aim: Aim, measured: Option<f64>, of: &[Option<&Figure>]) {
        let disturbed = of.iter().flatten().any(|figure| figure.disturbed);
        let unjudged = self.unjudged.or(disturbed.then_some(DISTURBED));
        let reached = measured
            .filter(|_| unjudged.is_none())
            .and_then(|value| aim.reached(value));
        let (database, talents, what) = (self.database, self.talents, what.to_owned());
        self.targets.push(Target {
            database,
            talents,
            what,
            aim,
            measured,
            reached,
            unjudged,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::figure;

    fn get_beside_echo(get: u64, others: f64, unjudged: Option<&'static str>) -> Target {
        let figures = [
            figure("echo", MOST, 1000, 0.0),
            figure("get", MOST, get, others).on("sqlite", 10),
        ];
        hold(&figures, &[], unjudged)
            .into_iter()
            .find(|target| target.what == "get beside the echo")
            .unwrap()
    }

    #[test]
    fn a_share_is_held_against_its_target() {
        let reached = get_beside_echo(800, 0.1, None);
        assert_eq!((reached.measured, reached.reached), (Some(0.8), Some(true)));
        assert_eq!(get_beside_echo(799, 0.1, None).reached, Some(false));
    }

    #[test]
    fn a_disturbed_or_a_short_run_is_not_judged() {
        let disturbed = get_beside_echo(900, 0.21, None);
        assert_eq!(
            (disturbed.measured, disturbed.reached, disturbed.unjudged),
            (Some(0.9), None, Some("disturbed"))
        );
        assert_eq!(get_beside_echo(900, 0.0, Some("short")).reached, None);
    }

    #[test]
    fn growth_is_held_from_the_smallest_register_to_the_largest() {
        let figures = [10, 100, 1000].map(|size| figure("get", MOST, 2000 - size, 0.0).on("sqlite", size));
        let targets = hold(&figures, &[], None);
        let growth: Vec<_> = targets
            .iter()
            .filter(|t| t.what == "get, CPU in those at 10 persons")
            .collect();
        assert_eq!(growth.len(), 1);
        assert_eq!((growth[0].talents, growth[0].reached), (1000, Some(false)));
    }

    #[test]
    fn each_thing_beside_gets_has_its_own_target() {
        let slow = |what: &str, longest| Figure {
            longest_ms: Some(longest),
            ..figure(what, BESIDE, 100, 0.0).on("sqlite", 10)
        };
        let figures = CROWDS.into_iter().zip([49.0, 50.0, 50.1, 60.0]);
        let figures: Vec<Figure> = figures.map(|((what, _), longest)| slow(what, longest)).collect();
        let targets = hold(&figures, &[], None);
        let reached: Vec<_> = targets
            .iter()
            .filter(|target| target.what.ends_with("the longest") && target.measured.is_some())
            .map(|target| target.reached)
            .collect();
        assert_eq!(reached, [Some(true), Some(true), Some(false), Some(false)]);
    }

    #[test]
    fn memory_and_connections_are_held_at_each_size_and_what_a_small_one_lacks_is_no_target() {
        let figures = [10, 1000].map(|size| figure("get", MOST, 100, 0.0).on("postgres", size));
        let memory = [(10, 0, 100.0), (1000, 752, 301.0)].map(|(talents, connections, most)| Memory {
            database: "postgres",
            talents,
            connections,
            most,
            resident: 99.0,
            anonymous: 50.0,
        });
        let targets = hold(&figures, &memory, None);
        let of = |talents, what: &str| targets.iter().find(|t| t.talents == talents && t.what == what);
        let reached = |talents, what| of(talents, what).and_then(|target| target.reached);
        assert_eq!(reached(10, "memory of the server, the most"), Some(true));
        assert_eq!(reached(1000, "memory of the server, the most"), Some(false));
        assert_eq!(reached(1000, "memory of the server with 752 connections"), Some(true));
        assert_eq!(reached(1000, "connections at once"), Some(false));
        assert!(of(10, "connections at once").is_none() && of(10, "import").is_none());
        assert!(of(1000, "import").is_some_and(|target| target.measured.is_none()));
    }
}
