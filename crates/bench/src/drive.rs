//! Measures a register that is running already: fills it, or calls it. For profiles and for trials of a setting.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use mingce_proto::talent::ListTalentsRequest;

use crate::background::{BackgroundClient, BackgroundLoad, IMPORTED};
use crate::calls::{Kind, PATIENCE, Register, connect};
use crate::cpu::{Used, Watch};
use crate::{fill, load, plan};

/// What is done to a running register.
#[derive(Debug, Subcommand)]
pub enum Drive {
    /// Imports invented persons into a running register
    Fill {
        #[command(flatten)]
        at: At,
        /// The number of the first of them
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        from: u64,
        /// How many
        #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
        count: u64,
    },
    /// Calls a running register that was filled so
    Call {
        #[command(flatten)]
        at: At,
        /// What is called
        #[arg(value_enum)]
        kinds: Vec<Kind>,
        /// How many calls run at once
        #[arg(long, value_name = "COUNT", default_value_t = 64)]
        in_flight: usize,
        /// For how long
        #[arg(long, value_name = "SECONDS", default_value_t = 5)]
        seconds: u64,
        /// Who else is about meanwhile; as often as wanted
        #[arg(long, value_name = "WHO", value_enum)]
        background: Vec<BackgroundClient>,
    },
}

/// Where the register is.
#[derive(Debug, Args)]
pub struct At {
    /// HOST:PORT of the register
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50051")]
    address: String,
    /// Its process, whose CPU time is counted
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// PostgreSQL's first process
    #[arg(long, value_name = "PID")]
    database_pid: Option<u32>,
}

impl At {
    fn watch(&self) -> Watch {
        Watch {
            server: self.pid,
            database: self.database_pid,
        }
    }
}

impl Drive {
    /// Does it, and answers a line for each measurement.
    ///
    /// # Errors
    /// Where the register cannot be reached or answers something wrong.
    pub async fn run(&self) -> Result<Vec<String>> {
        match self {
            Self::Fill { at, from, count } => {
                let (_, used) = fill::import(&at.address, *from..*from + *count, at.watch()).await?;
                Ok(vec![line("import", fill::STREAMS, *count, &used, None)])
            }
            Self::Call {
                at,
                kinds,
                in_flight,
                seconds,
                background,
            } => {
                let register = Arc::new(known(&at.address).await?);
                let clients = connect(&at.address, plan::CONNECTIONS, PATIENCE).await?;
                let mut lines = Vec::new();
                for kind in kinds {
                    let time = Duration::from_secs(*seconds);
                    let around = BackgroundLoad::gather(&at.address, background, IMPORTED, &register).await?;
                    let measured = load::measure(*kind, &clients, &register, *in_flight, time, at.watch()).await?;
                    let done = around.leave().await?;
                    if let Some(error) = &measured.error {
                        lines.push(format!("{} errors: {error}", measured.errors));
                    }
                    let times = [0.5, 0.99, 1.0].map(|share| measured.within(share).unwrap_or_default());
                    lines.push(line(
                        kind.name(),
                        *in_flight,
                        measured.requests,
                        &measured.used,
                        Some(times),
                    ));
                    if !background.is_empty() {
                        lines.push(format!("{}, {} errors", done.note, done.errors));
                    }
                }
                Ok(lines)
            }
        }
    }
}

fn line(what: &str, in_flight: usize, requests: u64, used: &Used, times: Option<[f64; 3]>) -> String {
    let each = |micros: f64| micros / requests.max(1) as f64;
    let times = times.map_or(String::new(), |[p50, p99, longest]| {
        format!(", p50 {p50:.2} ms, p99 {p99:.2} ms, longest {longest:.2} ms")
    });
    format!(
        "{what} at {in_flight}: {:.0}/s, CPU µs each: server {:.1}, database {:.1}, load {:.1}{times}, others {:.0}%",
        requests as f64 / used.time.as_secs_f64(),
        each(used.server),
        each(used.database),
        each(used.own),
        used.others * 100.0
    )
}

/// The persons of a register, as its list has them.
async fn known(address: &str) -> Result<Register> {
    let mut client = connect(address, 1, PATIENCE).await?.pop().context("no connection")?;
    client = client.max_decoding_message_size(16 << 20);
    let mut register = Register {
        tokens: vec![String::new()],
        ..Register::default()
    };
    while let Some(page_token) = register.tokens.last().cloned() {
        let request = ListTalentsRequest {
            page_size: 1000,
            page_token,
            ..ListTalentsRequest::default()
        };
        let answer = client.list_talents(request).await?.into_inner();
        register.names.extend(answer.talents.into_iter().map(|t| t.name));
        if answer.next_page_token.is_empty() {
            break;
        }
        register.tokens.push(answer.next_page_token);
    }
    ensure!(
        register.names.len() >= 2000,
        "the register has fewer than 2,000 persons: fill it first"
    );
    register.tokens.pop();
    register.tokens.pop();
    // Nobody has made these persons yet, in this run of the benchmark or in another.
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
    register.next = AtomicU64::new(now.wrapping_mul(1000) % 9_000_000_000);
    Ok(register)
}
