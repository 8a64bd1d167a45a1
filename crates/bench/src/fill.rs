//! Fills a register through its own import, and finds its way around in it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mingce_proto::registry::ImportSettings;
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use mingce_proto::talent::{ImportTalentsRequest, ListTalentsRequest};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::calls::{Register, connect};
use crate::cpu::{Used, Watch};
use crate::persons;

/// Streams that run at once: while one waits for the database, another is checked.
pub const STREAMS: usize = 4;
/// Rows of a stream.
const ROWS: u64 = 5000;
/// The longest that a stream may take, and the whole.
const STREAM_TIME: Duration = Duration::from_secs(300);
const WHOLE_TIME: Duration = Duration::from_secs(900);
/// The most rows that a page can have.
const LARGEST_PAGE: i32 = 1000;

/// Imports the persons with these numbers, and answers their names and what it took.
///
/// # Errors
/// Where a stream fails, a row is not created, or it takes too long.
pub async fn import(address: &str, numbers: Range<u64>, watch: Watch) -> Result<(Vec<String>, Used)> {
    let count = numbers.end.saturating_sub(numbers.start);
    let next = Arc::new(AtomicU64::new(numbers.start));
    let clients = connect(address, STREAMS, STREAM_TIME).await?;
    let counting = watch.begin()?;
    let mut streams = JoinSet::new();
    for mut client in clients {
        let (next, numbers) = (Arc::clone(&next), numbers.clone());
        // Short imports are shared out too.
        let rows = ROWS.min(count.div_ceil(STREAMS as u64)).max(1);
        streams.spawn(async move {
            let mut names = Vec::new();
            loop {
                let from = next.fetch_add(rows, Ordering::Relaxed);
                if from >= numbers.end {
                    return Ok::<_, anyhow::Error>(names);
                }
                names.append(&mut stream(&mut client, from..numbers.end.min(from + rows)).await?);
            }
        });
    }
    let all = async {
        let mut names = Vec::new();
        while let Some(stream) = streams.join_next().await {
            names.append(&mut stream??);
        }
        Ok::<_, anyhow::Error>(names)
    };
    let names = tokio::time::timeout(WHOLE_TIME, all)
        .await
        .context("the import takes too long")??;
    let used = counting.end()?;
    ensure!(
        names.len() as u64 == count,
        "{count} rows were sent and {} answered",
        names.len()
    );
    Ok((names, used))
}

/// Imports the persons of some numbers in one stream, and answers their names.
///
/// # Errors
/// Where the stream fails or a row is not created.
pub async fn stream(client: &mut TalentServiceClient<Channel>, numbers: Range<u64>) -> Result<Vec<String>> {
    let settings = ImportSettings {
        source: "benchmark".to_owned(),
        ..ImportSettings::default()
    };
    let first = ImportTalentsRequest {
        settings: Some(settings),
        ..ImportTalentsRequest::default()
    };
    let rest = numbers.map(|number| ImportTalentsRequest {
        row: i64::try_from(number + 1).unwrap_or(i64::MAX),
        talent: Some(persons::talent(number)),
        ..ImportTalentsRequest::default()
    });
    let messages = tokio_stream::iter(std::iter::once(first).chain(rest));
    let answer = client
        .import_talents(messages)
        .await
        .context("an import failed")?
        .into_inner();
    let mut names = Vec::with_capacity(answer.outcomes.len());
    for outcome in answer.outcomes {
        ensure!(
            outcome.outcome() == Outcome::Created,
            "row {} was not created: {outcome:?}",
            outcome.row
        );
        names.push(outcome.name);
    }
    Ok(names)
}

/// Walks through the whole list for tokens of pages all over it, and counts.
///
/// # Errors
/// Where a page fails, or the list does not hold every person once.
pub async fn look_around(address: &str, names: Vec<String>) -> Result<Register> {
    let mut client = connect(address, 1, Duration::from_secs(60))
        .await?
        .pop()
        .context("no connection")?;
    client = client.max_decoding_message_size(16 << 20);
    let count = names.len();
    // Even a small register has several pages.
    let page_size = LARGEST_PAGE.min(i32::try_from(count / 8)?).max(1);
    let (mut tokens, mut seen) = (vec![String::new()], 0);
    while let Some(page_token) = tokens.last().cloned() {
        let request = ListTalentsRequest {
            page_size,
            page_token,
            ..ListTalentsRequest::default()
        };
        let answer = client
            .list_talents(request)
            .await
            .context("a page failed")?
            .into_inner();
        seen += answer.talents.len();
        if answer.next_page_token.is_empty() {
            break;
        }
        tokens.push(answer.next_page_token);
    }
    ensure!(seen == count, "the list has {seen} persons of {count}");
    // The last ones may have less than a whole page after them.
    if tokens.len() > 2 {
        tokens.truncate(tokens.len() - 2);
    }
    Ok(Register {
        next: AtomicU64::new(count as u64),
        names,
        tokens,
    })
}
