//! Random histories of every case: what a read says is open or blocked and what then happens agree, no state follows
//! that could not, and the ledger has each change once.
//!
//! A walk depends on its seed alone. One that fails prints it, and `MINGCE_WALK_SEED` walks it again.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::ToSpan;
use jiff::civil::{Date, date};
use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, on_both_stores};

use json_client::JsonClient;
use life_cycles::{AWARD, BODY, Kind, LAB, RECOMMENDATION, TALENT};
use request::Rng;
use walk::{Coverage, Walk};

mod fixtures;
mod history;
mod json_client;
mod life_cycles;
mod merges;
mod other_steps;
pub mod request;
mod termination;
mod walk;

on_both_stores!(
    designations_of_labs,
    designations_of_persons,
    nominating_bodies,
    recommendations,
    awards,
);

/// Steps of one walk.
const STEPS: usize = 100;
/// So many walks there are of each kind, where `MINGCE_WALK_STEPS` does not say how many steps they have together.
const WALKS: u64 = 4;

async fn designations_of_labs(store: Store) {
    walks(
        store,
        &LAB,
        async |walk| walk.labs().await,
        &["AREA_TOO_SMALL", "NOTICE_RUNNING", "REVIEWS_MISSING", "TOO_MANY_HOSTS"],
    )
    .await;
}

async fn designations_of_persons(store: Store) {
    walks(
        store,
        &TALENT,
        async |walk| walk.talents().await,
        &["AGE_OVER", "NOTICE_RUNNING", "REVIEWS_MISSING"],
    )
    .await;
}

async fn nominating_bodies(store: Store) {
    walks(
        store,
        &BODY,
        async |walk| walk.bodies().await,
        &["AUTHORISATION_RUNNING", "NOTICE_RUNNING"],
    )
    .await;
}

async fn recommendations(store: Store) {
    walks(
        store,
        &RECOMMENDATION,
        async |walk| walk.recommendations().await,
        &["AGE_OVER", "BODY_NOT_AUTHORISED", "NOTICE_RUNNING"],
    )
    .await;
}

async fn awards(store: Store) {
    walks(
        store,
        &AWARD,
        async |walk| walk.awards().await,
        &["NOTICE_RUNNING", "REVIEWS_MISSING", "TOO_MANY_CONTRIBUTORS"],
    )
    .await;
}

/// Walks. Most verbs have to be done and refused on the way, and most of these reasons to stand in it, else the walks
/// got nowhere.
#[allow(clippy::print_stdout)]
async fn walks(store: Store, kind: &'static Kind, begin: impl AsyncFn(&mut Walk<'_>), reasons: &[&str]) {
    let clock = Clock::on("2023-01-04");
    let register = Register::start_at(store, &clock).await;
    // Two processes share a database, and each step falls to one of them.
    let another = match store {
        Store::Sqlite => None,
        Store::Postgres => Some(register.sibling().await),
    };
    let processes: Vec<&Register> = std::iter::once(&register).chain(&another).collect();
    let (wire, mut met) = (JsonClient::to(&processes), Coverage::default());
    let given = std::env::var("MINGCE_WALK_SEED")
        .ok()
        .map(|seed| seed.parse::<u64>().unwrap());
    let by_time = || u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_micros()) * 100;
    let first = given.unwrap_or_else(by_time);
    let steps = std::env::var("MINGCE_WALK_STEPS")
        .ok()
        .map(|steps| steps.parse::<u64>().unwrap());
    let walks = match (given, steps) {
        (Some(_), _) => 1,
        (None, Some(steps)) => steps.div_ceil(u64::try_from(STEPS).unwrap()),
        (None, None) => WALKS,
    };
    for seed in first..first + walks {
        clock.set(&first_day(seed).to_string());
        wire.begin(seed);
        let mut walk = Walk::new(&wire, &clock, &mut met, seed);
        begin(&mut walk).await;
        walk.make_duplicates().await;
        for _ in 0..STEPS {
            walk.step().await;
        }
        walk.end_all().await;
        walk.look_back().await;
    }
    if steps.is_some() {
        println!(
            "{}: {walks} walks of {STEPS} steps, {} tries of verbs, {} repeated, {} merges, {} refused, {} taken back",
            kind.name, met.tries, met.repeated, met.merges, met.not_merged, met.unmerges
        );
    }
    let missing = missing(kind, reasons, &met);
    let all = 2 * kind.transitions().len() + reasons.len();
    let is_far = given.is_some() || missing.len() < all / 2;
    assert!(
        is_far,
        "the walks from {first} on met too little, without {missing:?}: {met:?}"
    );
}

/// The day on which a walk begins: its own. One of eight begins where the holidays of the days ahead are not known.
fn first_day(seed: u64) -> Date {
    let mut rng = Rng::new(seed ^ 0x5eed);
    let (start, days) = match rng.below(8) {
        0 => (date(2026, 12, 1), 20),
        _ => (date(2023, 1, 4), 500),
    };
    let days = i64::try_from(rng.below(days)).unwrap();
    start.checked_add(days.days()).unwrap()
}

/// What the walks of a kind should have met and have not.
fn missing(kind: &Kind, reasons: &[&str], met: &Coverage) -> Vec<String> {
    let edges = kind.transitions();
    let undone = edges
        .iter()
        .filter(|edge| !met.done.contains(&(kind.name, edge.verb)))
        .map(|edge| format!("{} done", edge.verb));
    let legal = edges
        .iter()
        .filter(|edge| !met.wrong.contains(&(kind.name, edge.verb)))
        .map(|edge| format!("{} refused", edge.verb));
    let unmet = reasons
        .iter()
        .filter(|reason| !met.reasons.contains(**reason))
        .map(|reason| (*reason).to_owned());
    undone.chain(legal).chain(unmet).collect()
}
