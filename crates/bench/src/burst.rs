//! A full queue: thousands of creates at once. Those that the register refuses are sent again with the same request id
//! until each person is made, and none may be made twice.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::Channel;

use crate::calls::{self, PATIENCE, Register, connect};
use crate::cpu::Watch;
use crate::figures::{Figure, number};
use crate::load::{Measured, micros};
use crate::persons::Chance;

/// The row of the table.
pub const WHAT: &str = "burst of creates";
/// The calls that a connection carries at once.
const STREAMS: usize = 100;
/// The first pause before a create is sent again; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a person may take to be made.
const WHOLE_TIME: Duration = Duration::from_secs(60);

/// How a person came to be made.
#[derive(Debug)]
struct Made {
    number: u64,
    name: Result<String>,
    /// µs from the first attempt to the answer.
    time: u32,
    /// µs until the first attempt was refused.
    refused: Option<u32>,
    attempts: u32,
}

/// Sends so many creates at once, and answers the row of the table. Its times are those from the first attempt to the
/// person.
///
/// # Errors
/// Where the server cannot be reached.
pub async fn burst(address: &str, register: &Arc<Register>, count: usize, watch: Watch) -> Result<Figure> {
    let clients = connect(address, count.div_ceil(STREAMS), PATIENCE).await?;
    let counting = watch.begin()?;
    let mut creates = JoinSet::new();
    for client in clients.iter().cycle().take(count) {
        let number = register.next.fetch_add(1, Ordering::Relaxed);
        creates.spawn(make(client.clone(), number));
    }
    let mut all = Vec::with_capacity(count);
    while let Some(made) = creates.join_next().await {
        all.push(made.context("a create ended by itself")?);
    }
    let used = counting.end()?;

    let (mut errors, mut error) = (0, None);
    let mut wrong = |what: String| {
        errors += 1;
        error.get_or_insert(what);
    };
    let (mut times, mut refusals, mut attempts, mut names) = (Vec::new(), Vec::new(), 0, Vec::new());
    for made in all {
        refusals.extend(made.refused);
        attempts = made.attempts.max(attempts);
        match made.name {
            Ok(name) => {
                times.push(made.time);
                names.push((made.number, name));
            }
            Err(error) => wrong(format!("a person was not made: {error:#}")),
        }
    }
    let others: HashSet<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
    if others.len() < names.len() {
        wrong("two requests were answered with one person".to_owned());
    }
    for other in again(&clients, names.clone()).await? {
        wrong(other);
    }

    let refused = refusals.len();
    let refusals = Measured::new(refusals, 0, None, used);
    let slowest = refusals.within(0.99).map_or(String::new(), |time| {
        format!(" (99 of 100 refusals within {} ms)", number(time))
    });
    let made = names.len();
    let note = format!("{refused} of {count} refused at first{slowest}, {made} made after at most {attempts} attempts");
    let measured = Measured::new(times, errors, error, used);
    let figure = Figure::of_calls(WHAT, count, measured, watch.database.is_some());
    Ok(Figure { note, ..figure })
}

/// Makes a person, with as many attempts as that takes.
async fn make(mut client: TalentServiceClient<Channel>, number: u64) -> Made {
    let begun = Instant::now();
    let (mut chance, mut pause) = (Chance::new(number), FIRST_PAUSE);
    let (mut refused, mut attempts) = (None, 0);
    loop {
        attempts += 1;
        let name = calls::make(&mut client, number).await;
        let again = name.as_ref().is_err_and(may_try_again) && begun.elapsed() < WHOLE_TIME;
        if !again {
            let time = micros(begun);
            return Made {
                number,
                name,
                time,
                refused,
                attempts,
            };
        }
        if attempts == 1 {
            refused = Some(micros(begun));
        }
        // Half of the pause and a part of the rest, so that not all come back at once.
        let part = u32::try_from(chance.below(100)).unwrap_or_default();
        tokio::time::sleep(pause / 2 + pause * part / 200).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn may_try_again(error: &anyhow::Error) -> bool {
    calls::code(error) == Some(Code::ResourceExhausted)
}

/// Sends each request once more: it must be answered with the person that it made. What was answered otherwise.
async fn again(clients: &[TalentServiceClient<Channel>], names: Vec<(u64, String)>) -> Result<Vec<String>> {
    let names = Arc::new(names);
    let mut senders = JoinSet::new();
    let every = clients.len();
    for (first, client) in clients.iter().enumerate() {
        let (names, mut client) = (Arc::clone(&names), client.clone());
        senders.spawn(async move {
            let mut wrong = Vec::new();
            for (number, name) in names.iter().skip(first).step_by(every) {
                match calls::make(&mut client, *number).await {
                    Ok(answered) if answered == *name => {}
                    Ok(answered) => wrong.push(format!("a request that made {name} made {answered} too")),
                    Err(error) => wrong.push(format!("a request that made {name} was not answered again: {error:#}")),
                }
            }
            wrong
        });
    }
    let mut wrong = Vec::new();
    while let Some(found) = senders.join_next().await {
        wrong.append(&mut found.context("a call ended by itself")?);
    }
    Ok(wrong)
}
