//! What goes on beside a get in the worst hour of a register: somebody turns over pages of 1,000, somebody imports, and
//! many create.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::calls::{self, Kind, PATIENCE, Register, connect};
use crate::fill;
use crate::persons::Chance;

/// Creates in flight, and rows of each import.
const CREATES: usize = 32;
const ROWS: u64 = 1000;

/// Calls that go on until this is dropped.
#[derive(Debug)]
pub struct Crowd {
    // Its tasks end with it.
    _tasks: JoinSet<()>,
    errors: Arc<AtomicU64>,
}

impl Crowd {
    /// Begins.
    ///
    /// # Errors
    /// Where the server cannot be reached.
    pub async fn gather(address: &str, register: &Arc<Register>) -> Result<Self> {
        let errors = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        let clients = connect(address, 3, PATIENCE).await?;
        for (client, kind) in clients
            .into_iter()
            .zip([Some(Kind::LargePage), Some(Kind::Create), None])
        {
            let workers = if kind == Some(Kind::Create) { CREATES } else { 1 };
            for worker in 0..workers {
                let chance = Chance::new(worker as u64);
                tasks.spawn(go_on(
                    kind,
                    client.clone(),
                    Arc::clone(register),
                    Arc::clone(&errors),
                    chance,
                ));
            }
        }
        Ok(Self { _tasks: tasks, errors })
    }

    /// How many of its calls failed so far.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }
}

/// Calls for ever; imports where there is no kind of call.
async fn go_on(
    kind: Option<Kind>,
    mut client: TalentServiceClient<Channel>,
    register: Arc<Register>,
    errors: Arc<AtomicU64>,
    mut chance: Chance,
) {
    loop {
        let result = match kind {
            Some(kind) => calls::call(kind, &mut client, &register, &mut chance).await,
            None => {
                let from = register.next.fetch_add(ROWS, Ordering::Relaxed);
                fill::stream(&mut client, from..from + ROWS).await.map(|_| ())
            }
        };
        if result.is_err() {
            errors.fetch_add(1, Ordering::Relaxed);
        }
    }
}
