//! `mingce search --document`: the decisions of all services that have a document number, one a line.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use mingce_mapping::seen;
use mingce_orm::text::document_number;
use mingce_proto::registry::case_service_client::CaseServiceClient;
use mingce_proto::registry::{DecisionDocument, DocumentOfCase, ListDecisionDocumentsRequest};

use crate::import::Servers;
use crate::wire;

/// How many are asked for at once.
const PAGE: i32 = 500;

/// Asks every service, and prints what they have in the order of numbers and days. Finding nothing is no failure.
///
/// # Errors
/// Where a service cannot be reached or refuses: an answer without its decisions would be taken for all.
pub async fn run(servers: &Servers, number: &str, prefix: bool) -> Result<ExitCode> {
    let mut all: Vec<DocumentOfCase> = Vec::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for address in servers.all() {
        let mut found = asked(address, number, prefix).await?;
        // One server may be known by two addresses.
        found.retain(|one| !known.contains(&one.name));
        known.extend(found.iter().map(|one| one.name.clone()));
        all.extend(found);
    }
    let own = DecisionDocument::default();
    all.sort_by_cached_key(|one| {
        let document = one.document.as_ref().unwrap_or(&own);
        let number = document_number(&document.number);
        (number, document.date.clone(), one.name.clone())
    });
    let mut out = io::stdout().lock();
    if all.is_empty() {
        writeln!(out, "nothing found")?;
    }
    for one in &all {
        writeln!(out, "{}", line(one))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn asked(address: &str, number: &str, prefix: bool) -> Result<Vec<DocumentOfCase>> {
    let mut cases = CaseServiceClient::new(wire::connect(address).await?);
    let mut request = ListDecisionDocumentsRequest {
        number: number.to_owned(),
        prefix,
        page_size: PAGE,
        ..ListDecisionDocumentsRequest::default()
    };
    let mut all = Vec::new();
    loop {
        let answer = cases.list_decision_documents(request.clone()).await;
        let answer = answer.map_err(|status| wire::failure(&format!("searching decisions at {address}"), &status))?;
        let page = answer.into_inner();
        all.extend(page.documents);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
}

/// A decision in one line: its case and what that is about, the number, the day, the verb, and who issued it.
fn line(one: &DocumentOfCase) -> String {
    let DecisionDocument {
        number,
        date,
        issuer,
        verb,
        ..
    } = one.document.clone().unwrap_or_default();
    let mut beside = vec![one.display_name.clone(), number, date, verb, issuer];
    beside.retain(|text| !text.is_empty());
    format!("{}  {}", one.name, seen(&beside.join("  ")))
}
