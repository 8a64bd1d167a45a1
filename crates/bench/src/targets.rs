//! What the register is to reach, as shares of what the same machine can do where that is possible.

use serde::Serialize;

use crate::figures::Figure;
use crate::fill;

/// Calls in flight for which targets hold.
const AT: usize = 64;

/// A target and how far it was reached.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// The database.
    pub database: &'static str,
    /// Persons; for growth those of the larger register.
    pub talents: u64,
    /// What is held against what.
    pub what: String,
    /// The number to reach.
    pub wanted: f64,
    /// Whether more is better.
    pub at_least: bool,
    /// The number that was measured.
    pub measured: Option<f64>,
    /// The unit; empty for a ratio.
    pub unit: &'static str,
    /// Whether it was reached; none where nothing can be said.
    pub reached: Option<bool>,
    /// Why nothing can be said.
    pub unjudged: Option<&'static str>,
}

struct Held<'a> {
    figures: &'a [Figure],
    unjudged: Option<&'static str>,
    targets: Vec<Target>,
}

/// Holds the figures against the targets. `unjudged` says why that would mean nothing.
pub fn hold(figures: &[Figure], unjudged: Option<&'static str>) -> Vec<Target> {
    let mut held = Held { figures, unjudged, targets: Vec::new() };
    let mut sizes: Vec<u64> = figures.iter().map(|figure| figure.talents).filter(|talents| *talents > 0).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for talents in sizes.iter().copied() {
        if held.has("sqlite", talents) {
            held.sqlite(talents);
        }
        if held.has("postgres", talents) {
            held.postgres(talents);
        }
    }
    if let ([first, .., last], 2..) = (sizes.as_slice(), sizes.len()) {
        for database in ["sqlite", "postgres"] {
            if held.has(database, *last) {
                held.growth(database, *first, *last);
            }
        }
    }
    held.targets
}

impl Held<'_> {
    fn has(&self, database: &str, talents: u64) -> bool {
        self.figures.iter().any(|figure| figure.database == database && figure.talents == talents)
    }

    fn find(&self, database: &str, talents: u64, what: &str, in_flight: usize) -> Option<&Figure> {
        self.figures.iter().find(|f| {
            f.database == database && f.talents == talents && f.what == what && f.in_flight == in_flight
        })
    }

    fn sqlite(&mut self, talents: u64) {
        let d = "sqlite";
        self.get_beside_echo(d, talents, 0.80);
        self.cpu(d, talents, "page of 50", 250.0);
        let create = self.find(d, talents, "create", AT).cloned();
        self.add(d, talents, "create", 5000.0, true, "/s", create.as_ref().map(|f| f.per_second), &[create.as_ref()]);
        let p99 = create.as_ref().and_then(|f| f.p99_ms);
        self.add(d, talents, "create, p99", 20.0, false, "ms", p99, &[create.as_ref()]);
        self.search(d, talents);
        self.import(d, talents);
        let (ours, own) = (self.find(d, talents, "import", fill::STREAMS), self.find(d, talents, "sqlite import", 1));
        let (ours, own) = (ours.cloned(), own.cloned());
        self.share(d, talents, "import beside SQLite's own", None, ours.as_ref(), own.as_ref());
    }

    fn postgres(&mut self, talents: u64) {
        let d = "postgres";
        self.get_beside_echo(d, talents, 0.65);
        let (get, echo) = (self.find(d, talents, "get", AT).cloned(), self.find("none", 0, "echo", AT).cloned());
        let cpu = get.as_ref().and_then(Figure::cpu_us).zip(echo.as_ref().and_then(Figure::cpu_us));
        let times = cpu.map(|(get, echo)| get / echo.max(1.0));
        // 85 µs where the echo takes 42.
        let what = "get, CPU of server and database, as a multiple of the echo's";
        self.add(d, talents, what, 85.0 / 42.0, false, "", times, &[get.as_ref(), echo.as_ref()]);
        self.beside_pgbench(d, talents, "page of 50", Some(0.28));
        self.cpu(d, talents, "page of 50", 330.0);
        self.beside_pgbench(d, talents, "create", Some(1.2));
        self.beside_pgbench(d, talents, "get", None);
        self.search(d, talents);
        self.import(d, talents);
    }

    fn get_beside_echo(&mut self, database: &'static str, talents: u64, wanted: f64) {
        let (get, echo) = (self.find(database, talents, "get", AT).cloned(), self.find("none", 0, "echo", AT).cloned());
        self.share(database, talents, "get beside the echo", Some(wanted), get.as_ref(), echo.as_ref());
    }

    /// Beside the best that pgbench did with at most as many clients.
    fn beside_pgbench(&mut self, database: &'static str, talents: u64, what: &str, wanted: Option<f64>) {
        let limit = format!("pgbench {what}");
        let of_limit = self.figures.iter().filter(|f| f.talents == talents && f.database == database && f.what == limit);
        let best = of_limit.max_by(|a, b| a.per_second.total_cmp(&b.per_second)).cloned();
        let ours = self.find(database, talents, what, AT).cloned();
        self.share(database, talents, &format!("{what} beside pgbench"), wanted, ours.as_ref(), best.as_ref());
    }

    fn cpu(&mut self, database: &'static str, talents: u64, what: &str, wanted: f64) {
        let ours = self.find(database, talents, what, AT).cloned();
        let cpu = ours.as_ref().and_then(Figure::cpu_us);
        self.add(database, talents, &format!("{what}, CPU of server and database"), wanted, false, "µs", cpu, &[ours.as_ref()]);
    }

    /// The whole call alone, less what the echo takes for its way, is an upper bound of the time in SQL.
    fn search(&mut self, database: &'static str, talents: u64) {
        let (search, echo) = (self.find(database, talents, "search", 1).cloned(), self.find("none", 0, "echo", 1).cloned());
        let times = search.as_ref().and_then(|f| f.p50_ms).zip(echo.as_ref().and_then(|f| f.p50_ms));
        let more = times.map(|(search, echo)| (search - echo).max(0.0));
        let what = "search alone, p50 less the echo's";
        self.add(database, talents, what, 1.0, false, "ms", more, &[search.as_ref(), echo.as_ref()]);
    }

    fn import(&mut self, database: &'static str, talents: u64) {
        let ours = self.find(database, talents, "import", fill::STREAMS).cloned();
        let rate = ours.as_ref().map(|f| f.per_second);
        self.add(database, talents, "import", 25_000.0, true, "rows/s", rate, &[ours.as_ref()]);
    }

    fn growth(&mut self, database: &'static str, first: u64, last: u64) {
        for what in ["get", "page of 50", "search"] {
            let (small, large) = (self.find(database, first, what, AT).cloned(), self.find(database, last, what, AT).cloned());
            let cpu = small.as_ref().and_then(Figure::cpu_us).zip(large.as_ref().and_then(Figure::cpu_us));
            let times = cpu.map(|(small, large)| large / small.max(1.0));
            let said = format!("{what}, CPU at {last} persons as a multiple of that at {first}");
            self.add(database, last, &said, 1.5, false, "", times, &[small.as_ref(), large.as_ref()]);
        }
    }

    fn share(
        &mut self,
        database: &'static str,
        talents: u64,
        what: &str,
        wanted: Option<f64>,
        ours: Option<&Figure>,
        limit: Option<&Figure>,
    ) {
        let ratio = ours.zip(limit).map(|(ours, limit)| ours.per_second / limit.per_second.max(1e-9));
        self.add(database, talents, what, wanted.unwrap_or_default(), true, "", ratio, &[ours, limit]);
    }

    #[allow(clippy::too_many_arguments)]
    fn add(
        &mut self,
        database: &'static str,
        talents: u64,
        what: &str,
        wanted: f64,
        at_least: bool,
        unit: &'static str,
        measured: Option<f64>,
        of: &[Option<&Figure>],
    ) {
        let disturbed = of.iter().flatten().any(|figure| figure.disturbed);
        let unjudged = self.unjudged.or(disturbed.then_some("disturbed"));
        let no_target = wanted == 0.0;
        let reached = measured.filter(|_| unjudged.is_none() && !no_target);
        let reached = reached.map(|value| if at_least { value >= wanted } else { value <= wanted });
        let what = what.to_owned();
        self.targets.push(Target { database, talents, what, wanted, at_least, measured, unit, reached, unjudged });
    }
}
