//! Many who are connected and call now and then.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use crate::calls::{self, Kind, PATIENCE, Register, connect_from};
use crate::persons::Chance;

/// The row of the table.
pub const WHAT: &str = "get beside many connections";
/// Connections from one address: the register lets no address have very many.
const FROM_ONE_ADDRESS: usize = 100;
/// The pause between one call and the next of another connection.
const PAUSE: Duration = Duration::from_millis(1);

/// Open connections, over which a call comes in turn until [`Connections::settle`].
#[derive(Debug)]
pub struct Connections {
    /// How many the server took.
    pub open: usize,
    /// Why it did not take the others.
    pub refused: Option<String>,
    enough: Arc<AtomicBool>,
    calling: JoinHandle<Called>,
}

/// The calls that came over the connections, and the connections themselves: they stay open with it.
#[derive(Debug)]
pub struct Called {
    /// Calls that were answered.
    pub answered: u64,
    /// Calls that failed.
    pub errors: u64,
    /// What the first of them said.
    pub error: Option<String>,
    _clients: Vec<TalentServiceClient<Channel>>,
}

impl Connections {
    /// Opens so many, as far as the server takes them, and begins to call.
    ///
    /// # Errors
    /// Where none can be opened.
    pub async fn open(address: &str, count: usize, register: &Arc<Register>) -> Result<Self> {
        let (mut clients, mut refused) = (Vec::with_capacity(count), None);
        let mut chance = Chance::new(count as u64);
        for number in 0..count {
            match open(address, number, register, &mut chance).await {
                Ok(client) => clients.push(client),
                Err(error) => refused = refused.or(Some(error.root_cause().to_string())),
            }
        }
        let open = clients.len();
        if let (0, Some(error)) = (open, &refused) {
            anyhow::bail!("no connection was taken: {error}");
        }
        let enough = Arc::new(AtomicBool::new(false));
        let calling = tokio::spawn(call_in_turn(clients, Arc::clone(register), Arc::clone(&enough), chance));
        Ok(Self {
            open,
            refused,
            enough,
            calling,
        })
    }

    /// Ends the calls after the round that runs. The connections stay open until the answer is dropped.
    ///
    /// # Errors
    /// Where the round does not end.
    pub async fn settle(self) -> Result<Called> {
        self.enough.store(true, Ordering::Relaxed);
        let round = tokio::time::timeout(4 * PATIENCE, self.calling).await;
        round
            .context("the calls over many connections do not end")?
            .context("they ended by themselves")
    }
}

/// Opens a connection. Whether the server took it shows with its first call.
async fn open(
    address: &str,
    number: usize,
    register: &Register,
    chance: &mut Chance,
) -> Result<TalentServiceClient<Channel>> {
    // All of 127.0.0.0/8 is this machine.
    let from = u8::try_from(2 + number / FROM_ONE_ADDRESS % 200)?;
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, from));
    let mut client = connect_from(address, Some(from), PATIENCE).await?;
    calls::call(Kind::Get, &mut client, register, chance).await?;
    Ok(client)
}

/// Calls over one connection after the other, over each at least once.
async fn call_in_turn(
    mut clients: Vec<TalentServiceClient<Channel>>,
    register: Arc<Register>,
    enough: Arc<AtomicBool>,
    mut chance: Chance,
) -> Called {
    let (mut answered, mut errors, mut first) = (0, 0, None);
    loop {
        for client in &mut clients {
            match calls::call(Kind::Get, client, &register, &mut chance).await {
                Ok(()) => answered += 1,
                Err(error) => {
                    errors += 1;
                    first.get_or_insert_with(|| format!("{error:#}"));
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        if enough.load(Ordering::Relaxed) {
            return Called {
                answered,
                errors,
                error: first,
                _clients: clients,
            };
        }
    }
}
