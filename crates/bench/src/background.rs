//! What goes on beside a get in the worst hour of a register: somebody turns over pages of 1,000, somebody imports, and
//! many create.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::Channel;

use crate::calls::{self, Kind, PATIENCE, Register, connect};
use crate::fill;
use crate::persons::Chance;

/// Creates in flight, and the connections that they come over: a connection carries a hundred calls at once.
const CREATES: usize = 256;
const CONNECTIONS: usize = 4;
/// How many rows each stream of an import has: it is taken in pieces of 1,000.
pub const IMPORTED: u64 = 4000;
/// How long a create that was refused waits.
const PAUSE: Duration = Duration::from_millis(50);

/// Who is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BackgroundClient {
    /// One caller turns over pages of 1,000.
    Pages,
    /// One caller imports, stream after stream.
    Import,
    /// 256 creates are in flight.
    Creates,
}

/// The rows of the table, and who is about in each.
pub const CROWDS: [(&str, &[BackgroundClient]); 4] = [
    ("get beside pages of 1000", &[BackgroundClient::Pages]),
    ("get beside an import", &[BackgroundClient::Import]),
    ("get beside a flood of creates", &[BackgroundClient::Creates]),
    (
        "get beside a crowd",
        &[
            BackgroundClient::Pages,
            BackgroundClient::Import,
            BackgroundClient::Creates,
        ],
    ),
];

/// Calls that go on until [`BackgroundLoad::leave`], or until this is dropped. They have threads of their own, as other programs would:
/// who measures does not stand in line with them.
#[derive(Debug)]
pub struct BackgroundLoad {
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
    threads: Option<Runtime>,
}

impl Drop for BackgroundLoad {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    leaving: AtomicBool,
    pages: AtomicU64,
    imported: AtomicU64,
    created: AtomicU64,
    refused: AtomicU64,
    errors: AtomicU64,
}

/// What a crowd did.
#[derive(Debug)]
pub struct Done {
    /// In words.
    pub note: String,
    /// Calls that failed. A create that was refused because too many were about is none of them.
    pub errors: u64,
}

impl BackgroundLoad {
    /// Begins. `rows` is how many each stream of an import has.
    ///
    /// # Errors
    /// Where the server cannot be reached.
    pub async fn gather(
        address: &str,
        guests: &[BackgroundClient],
        rows: u64,
        register: &Arc<Register>,
    ) -> Result<Self> {
        let threads = Builder::new_multi_thread().enable_all().build()?;
        let handle = threads.handle().clone();
        // From here on, so that the threads end as they must where somebody does not come.
        let mut crowd = Self {
            tasks: JoinSet::new(),
            shared: Arc::default(),
            threads: Some(threads),
        };
        for guest in guests {
            let (connections, workers) = match guest {
                BackgroundClient::Creates => (CONNECTIONS, CREATES),
                BackgroundClient::Pages | BackgroundClient::Import => (1, 1),
            };
            let to = address.to_owned();
            let clients = handle.spawn(async move { connect(&to, connections, PATIENCE).await });
            let clients = clients.await.context("no connection for those beside")??;
            for (worker, client) in clients.iter().cycle().take(workers).enumerate() {
                let (client, register, shared) = (client.clone(), Arc::clone(register), Arc::clone(&crowd.shared));
                let chance = Chance::new(worker as u64);
                let calls = go_on(*guest, client, register, rows, shared, chance);
                crowd.tasks.spawn_on(calls, &handle);
            }
        }
        Ok(crowd)
    }

    /// Lets everybody end the call that runs, and answers what they did.
    ///
    /// # Errors
    /// Where somebody does not end.
    pub async fn leave(mut self) -> Result<Done> {
        let shared = &self.shared;
        // What was done up to now was done beside the measurement.
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let did = [
            (count(&shared.pages), "pages"),
            (count(&shared.imported), "rows imported"),
            (count(&shared.created), "creates"),
            (count(&shared.refused), "creates refused"),
        ];
        shared.leaving.store(true, Ordering::Relaxed);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(2 * PATIENCE, all)
            .await
            .context("the calls beside it do not end")?;
        let did: Vec<String> = did
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        Ok(Done {
            note: format!("beside it: {}", did.join(", ")),
            errors: self.shared.errors.load(Ordering::Relaxed),
        })
    }
}

async fn go_on(
    guest: BackgroundClient,
    mut client: TalentServiceClient<Channel>,
    register: Arc<Register>,
    rows: u64,
    shared: Arc<Shared>,
    mut chance: Chance,
) {
    while !shared.leaving.load(Ordering::Relaxed) {
        let (result, counter, count) = match guest {
            BackgroundClient::Pages => {
                let page = calls::call(Kind::LargePage, &mut client, &register, &mut chance).await;
                (page, &shared.pages, 1)
            }
            BackgroundClient::Creates => {
                let create = calls::call(Kind::Create, &mut client, &register, &mut chance).await;
                (create, &shared.created, 1)
            }
            BackgroundClient::Import => {
                let from = register.next.fetch_add(rows, Ordering::Relaxed);
                let stream = fill::stream(&mut client, from..from + rows).await;
                (stream.map(|_| ()), &shared.imported, rows)
            }
        };
        match result {
            Ok(()) => {
                counter.fetch_add(count, Ordering::Relaxed);
            }
            Err(error)
                if guest == BackgroundClient::Creates && calls::code(&error) == Some(Code::ResourceExhausted) =>
            {
                shared.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            Err(_) => {
                shared.errors.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn guests_that_find_nobody_are_an_error_and_their_threads_end() {
        let nobody = BackgroundLoad::gather("127.0.0.1:1", &[BackgroundClient::Pages], 1, &Arc::default()).await;
        assert!(nobody.is_err());
    }
}
