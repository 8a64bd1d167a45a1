//! What processes have used of the machine, and what everybody else has, from `/proc`.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Microseconds of a tick, the unit of `/proc` on Linux.
const TICK: u64 = 10_000;

/// More than this part of the machine used by others, and a measurement is disturbed.
pub const DISTURBED: f64 = 0.2;

/// The processes that a measurement is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    /// The server under load.
    pub server: Option<u32>,
    /// The database's first process, whose children count too.
    pub database: Option<u32>,
}

/// CPU used so far, in µs.
#[derive(Debug, Clone, Copy)]
struct Spent {
    at: Instant,
    machine: u64,
    server: u64,
    database: u64,
    own: u64,
}

/// What was used between two moments.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// How long it was.
    pub time: Duration,
    /// CPU of the server in µs.
    pub server: f64,
    /// CPU of the database's processes in µs.
    pub database: f64,
    /// CPU of the load generator in µs, with the programs that it ran to their end.
    pub own: f64,
    /// The part of all processors that others used, 0 to 1.
    pub others: f64,
}

impl Watch {
    /// Begins to count.
    ///
    /// # Errors
    /// Where `/proc` says nothing.
    pub fn begin(self) -> Result<Counting> {
        Ok(Counting {
            watch: self,
            from: self.spent()?,
        })
    }

    fn spent(self) -> Result<Spent> {
        Ok(Spent {
            at: Instant::now(),
            machine: machine()?,
            server: self.server.map_or(0, |pid| of(pid).map_or(0, |p| p.own)),
            database: self.database.map_or(0, family),
            own: of_file("/proc/self/stat")
                .map(|p| p.own + p.reaped)
                .context("/proc/self/stat cannot be read")?,
        })
    }
}

/// A count that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Counting {
    watch: Watch,
    from: Spent,
}

impl Counting {
    /// What was used since the beginning.
    ///
    /// # Errors
    /// Where `/proc` says nothing.
    pub fn end(self) -> Result<Used> {
        let (from, to) = (self.from, self.watch.spent()?);
        let time = to.at.duration_since(from.at);
        let (server, database, own) = (
            to.server.saturating_sub(from.server),
            to.database.saturating_sub(from.database),
            to.own.saturating_sub(from.own),
        );
        let others = to
            .machine
            .saturating_sub(from.machine)
            .saturating_sub(server + database + own);
        let all = time.as_micros() as f64 * processors() as f64;
        Ok(Used {
            time,
            server: server as f64,
            database: database as f64,
            own: own as f64,
            others: (others as f64 / all.max(1.0)).min(1.0),
        })
    }
}

/// How many processors there are.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// Spent in which a processor of the machine was busy, for whomever.
fn machine() -> Result<u64> {
    let text = fs::read_to_string("/proc/stat").context("/proc/stat cannot be read")?;
    let line = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cpu "))
        .context("/proc/stat has no total")?;
    let fields: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
    Ok([0, 1, 2, 5, 6, 7]
        .into_iter()
        .filter_map(|place| fields.get(place))
        .sum::<u64>()
        * TICK)
}

struct Process {
    parent: u32,
    /// µs of its own, and of its children that have ended.
    own: u64,
    reaped: u64,
}

fn of(pid: u32) -> Option<Process> {
    of_file(&format!("/proc/{pid}/stat"))
}

fn of_file(path: &str) -> Option<Process> {
    let text = fs::read_to_string(path).ok()?;
    // The name stands in brackets and may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    let mut own = (number(11)? + number(12)?) * TICK;
    // A process of one thread, as those of PostgreSQL are, is told to the nanosecond elsewhere.
    if number(17)? == 1
        && let Ok(exact) = fs::read_to_string(path.replace("/stat", "/schedstat"))
        && let Some(exact) = exact.split(' ').next().and_then(|first| first.parse::<u64>().ok())
    {
        own = exact / 1000;
    }
    Some(Process {
        parent: u32::try_from(number(1)?).ok()?,
        own,
        reaped: (number(13)? + number(14)?) * TICK,
    })
}

/// A process with its children, also those that have ended.
fn family(first: u32) -> u64 {
    let mut last = of(first);
    // A child that ends meanwhile moves from its own entry to its parent's: then this is read again.
    for _ in 0..20 {
        let children = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                of(pid)
                    .filter(|process| process.parent == first)
                    .map(|process| process.own)
            });
        let children: u64 = children.sum();
        let Some(now) = of(first) else { return children };
        if last.as_ref().is_some_and(|last| last.reaped == now.reaped) {
            return now.own + now.reaped + children;
        }
        last = Some(now);
    }
    last.map_or(0, |process| process.own + process.reaped)
}

/// A field of a process's `/proc/PID/status`, for example `VmHWM`, in MB of a million bytes.
pub fn memory(pid: u32, field: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kib: f64 = value.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_is_counted_as_own_and_not_as_others() {
        let counting = Watch::default().begin().unwrap();
        let until = Instant::now() + Duration::from_millis(300);
        let mut sum = 0_u64;
        while Instant::now() < until {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let used = counting.end().unwrap();
        // However busy the machine is, some of the time was ours.
        assert!(used.own > 20_000.0, "{used:?}");
        assert!((0.0..=1.0).contains(&used.others), "{used:?}");
    }

    #[test]
    fn memory_is_read_by_its_field() {
        let of = |field| memory(std::process::id(), field).unwrap();
        assert!(of("VmHWM") >= of("RssAnon") && of("RssAnon") > 0.1);
        assert_eq!(memory(std::process::id(), "Vm"), None);
    }

    #[test]
    fn a_child_counts_with_its_parent_and_still_does_when_it_has_ended() {
        let before = family(std::process::id());
        let spin = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        assert!(
            std::process::Command::new("sh")
                .args(["-c", spin])
                .status()
                .unwrap()
                .success()
        );
        assert!(family(std::process::id()) - before >= TICK);
    }
}
