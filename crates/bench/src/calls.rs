//! The calls that are measured. Each looks at its answer: a wrong one is an error, however fast it came.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mingce_proto::registry::View;
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use mingce_proto::talent::{CreateTalentRequest, GetTalentRequest, ListTalentsRequest, SearchTalentsRequest, Talent};
use serde::Serialize;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::persons::{self, Chance};

/// Rows of a page, of a large one, and of what a search answers at most.
const PAGE: i32 = 50;
const LARGE_PAGE: i32 = 1000;
const FOUND: i32 = 20;

/// Longer than this no call takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One person by name.
    Get,
    /// A page of 50 from anywhere in the list.
    Page,
    /// A page of 1,000 from anywhere in the list, with all of each person.
    LargePage,
    /// Two characters of a name, the first 20.
    Search,
    /// A new person.
    Create,
    /// Of ten calls eight gets, a page and a create.
    Mixed,
}

impl Kind {
    /// What it is called in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Page => "page of 50",
            Self::LargePage => "page of 1000",
            Self::Search => "search",
            Self::Create => "create",
            Self::Mixed => "mixed",
        }
    }
}

/// What is known of a filled register.
#[derive(Debug, Default)]
pub struct Register {
    /// Names of its persons.
    pub names: Vec<String>,
    /// Tokens of pages all over the list; the empty one is the first page.
    pub tokens: Vec<String>,
    /// The number of the next person to be made.
    pub next: AtomicU64,
}

/// Connections to a server at `host:port`.
///
/// # Errors
/// Where it cannot be reached.
pub async fn connect(address: &str, connections: usize, time: Duration) -> Result<Vec<TalentServiceClient<Channel>>> {
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        clients.push(connect_from(address, None, time).await?);
    }
    Ok(clients)
}

/// A connection to a server at `host:port`, from one of this machine's own addresses.
///
/// # Errors
/// Where it cannot be reached.
pub async fn connect_from(address: &str, from: Option<IpAddr>, time: Duration) -> Result<TalentServiceClient<Channel>> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?
        .local_address(from)
        .tcp_nodelay(true)
        .timeout(time)
        .connect()
        .await
        .with_context(|| format!("cannot connect to {address}"))?;
    Ok(TalentServiceClient::new(channel))
}

/// Makes one call and checks what it answers.
///
/// # Errors
/// Where it fails or answers something wrong.
pub async fn call(
    kind: Kind,
    client: &mut TalentServiceClient<Channel>,
    register: &Register,
    chance: &mut Chance,
) -> Result<()> {
    match kind {
        Kind::Get => get(client, register, chance).await,
        Kind::Page => page(client, register, chance, PAGE).await,
        Kind::LargePage => page(client, register, chance, LARGE_PAGE).await,
        Kind::Search => search(client, register, chance).await,
        Kind::Create => create(client, register).await,
        Kind::Mixed => match chance.below(10) {
            0 => create(client, register).await,
            1 => page(client, register, chance, PAGE).await,
            _ => get(client, register, chance).await,
        },
    }
}

async fn get(client: &mut TalentServiceClient<Channel>, register: &Register, chance: &mut Chance) -> Result<()> {
    let name = one(&register.names, chance)?.clone();
    let request = GetTalentRequest {
        name: name.clone(),
        ..GetTalentRequest::default()
    };
    let person = client.get_talent(request).await?.into_inner();
    ensure!(
        person.name == name && !person.display_name.is_empty(),
        "asked for {name}, got {}",
        person.name
    );
    Ok(())
}

async fn page(
    client: &mut TalentServiceClient<Channel>,
    register: &Register,
    chance: &mut Chance,
    page_size: i32,
) -> Result<()> {
    let page_token = one(&register.tokens, chance)?.clone();
    let view = if page_size == PAGE { View::Basic } else { View::Full }.into();
    let request = ListTalentsRequest {
        page_size,
        page_token,
        view,
        ..ListTalentsRequest::default()
    };
    let answer = client.list_talents(request).await?.into_inner();
    let rows = answer.talents.len();
    // A small register has no thousand rows everywhere.
    ensure!(
        rows == page_size as usize || (rows > 0 && page_size == LARGE_PAGE),
        "a page of {page_size} has {rows} rows"
    );
    Ok(())
}

async fn search(client: &mut TalentServiceClient<Channel>, register: &Register, chance: &mut Chance) -> Result<()> {
    let query = persons::query(chance.below(register.names.len() as u64));
    let request = SearchTalentsRequest {
        query: query.clone(),
        page_size: FOUND,
        ..SearchTalentsRequest::default()
    };
    let answer = client.search_talents(request).await?.into_inner();
    ensure!(
        !answer.talents.is_empty() && answer.talents.iter().all(|person| person.display_name.contains(&query)),
        "a search for {query} finds {} rows, or others",
        answer.talents.len()
    );
    Ok(())
}

async fn create(client: &mut TalentServiceClient<Channel>, register: &Register) -> Result<()> {
    let number = register.next.fetch_add(1, Ordering::Relaxed);
    make(client, number).await.map(|_| ())
}

/// Creates the person of a number, and answers the name.
///
/// # Errors
/// Where it fails or answers something wrong.
pub async fn make(client: &mut TalentServiceClient<Channel>, number: u64) -> Result<String> {
    let talent = persons::talent(number);
    let wanted = talent.display_name.clone();
    let request = CreateTalentRequest {
        talent: Some(talent),
        request_id: persons::request_id(number),
        ..CreateTalentRequest::default()
    };
    let made: Talent = client.create_talent(request).await?.into_inner();
    ensure!(
        made.display_name == wanted && made.revision == 1,
        "a create answered {}",
        made.name
    );
    Ok(made.name)
}

/// The code with which a server refused a call, where it was the server that did.
pub fn code(error: &anyhow::Error) -> Option<Code> {
    error.downcast_ref::<Status>().map(Status::code)
}

fn one<'a, T>(list: &'a [T], chance: &mut Chance) -> Result<&'a T> {
    let place = usize::try_from(chance.below(list.len() as u64))?;
    list.get(place).context("the register is empty")
}
