//! The load: so many calls in flight, one after the other each, for a time, over the same connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::calls::{self, Kind, PATIENCE, Register};
use crate::cpu::{Used, Watch};
use crate::persons::Chance;

/// A measurement begins in phase 0, warming up: nothing is counted yet.
const COUNTING: u8 = 1;
const ENDING: u8 = 2;

/// What all workers of a measurement share.
#[derive(Debug, Default)]
struct Shared {
    phase: AtomicU8,
    answered: AtomicU64,
}

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    /// Calls that were answered within the time.
    pub requests: u64,
    /// Calls that failed, at any time.
    pub errors: u64,
    /// What the first of them said.
    pub error: Option<String>,
    /// The time of each counted call in µs, the shortest first.
    times: Vec<u32>,
    /// What was used of the machine.
    pub used: Used,
}

impl Measured {
    /// What was measured of calls that took so many µs.
    pub fn new(mut times: Vec<u32>, errors: u64, error: Option<String>, used: Used) -> Self {
        times.sort_unstable();
        Self {
            requests: times.len() as u64,
            errors,
            error,
            times,
            used,
        }
    }

    /// The time within which a part of the calls were answered, in milliseconds.
    pub fn within(&self, part: f64) -> Option<f64> {
        let last = self.times.len().checked_sub(1)?;
        let place = (last as f64 * part).round() as usize;
        self.times.get(place).map(|time| f64::from(*time) / 1000.0)
    }
}

/// Calls a server at an address with so many calls in flight for a time.
///
/// # Errors
/// Where there is no connection, or `/proc` says nothing.
pub async fn measure(
    kind: Kind,
    clients: &[TalentServiceClient<Channel>],
    register: &Arc<Register>,
    in_flight: usize,
    time: Duration,
    watch: Watch,
) -> Result<Measured> {
    ensure!(!clients.is_empty(), "no connection");
    let shared = Arc::new(Shared::default());
    let mut workers = JoinSet::new();
    for (number, client) in clients.iter().cycle().take(in_flight).enumerate() {
        let (client, register, shared) = (client.clone(), Arc::clone(register), Arc::clone(&shared));
        let chance = Chance::new((number as u64 + 1) << 32 | in_flight as u64);
        workers.spawn(work(kind, client, register, shared, chance));
    }
    tokio::time::sleep(time / 10).await;
    let counting = watch.begin()?;
    shared.phase.store(COUNTING, Ordering::SeqCst);
    tokio::time::sleep(time).await;
    // A machine that is busy with other things may need longer for the first answer.
    let until = Instant::now() + PATIENCE;
    while shared.answered.load(Ordering::Relaxed) == 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    shared.phase.store(ENDING, Ordering::SeqCst);
    let used = counting.end()?;

    let (mut all, mut errors, mut error) = (Vec::new(), 0, None);
    while let Some(worker) = workers.join_next().await {
        let (times, failed, first) = worker.context("a worker ended by itself")?;
        all.extend(times);
        errors += failed;
        error = error.or(first);
    }
    Ok(Measured::new(all, errors, error, used))
}

/// The time since a moment, in µs.
pub fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

async fn work(
    kind: Kind,
    mut client: TalentServiceClient<Channel>,
    register: Arc<Register>,
    shared: Arc<Shared>,
    mut chance: Chance,
) -> (Vec<u32>, u64, Option<String>) {
    let (mut times, mut errors, mut first) = (Vec::new(), 0, None);
    while shared.phase.load(Ordering::Relaxed) != ENDING {
        let begun = Instant::now();
        match calls::call(kind, &mut client, &register, &mut chance).await {
            Ok(()) => {
                if shared.phase.load(Ordering::Relaxed) == COUNTING {
                    times.push(micros(begun));
                    shared.answered.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(error) => {
                errors += 1;
                shared.answered.fetch_add(1, Ordering::Relaxed);
                first.get_or_insert_with(|| format!("{error:#}"));
                // Whoever fails at once does not fail a million times.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    (times, errors, first)
}
