//! `mingce unmerge`: a merge is taken back, with what was restored and what was written meanwhile, in all services.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use mingce_mapping::{Collection, seen};
use mingce_proto::names::POOL;
use mingce_proto::registry::{
    Citation, ListCitationsRequest, ListCitationsResponse, Revision, UnmergeReport, UnmergedOutcome,
};
use prost_reflect::{DynamicMessage, MethodDescriptor, ReflectMessage, Value};
use tonic::transport::Channel;

use crate::merge::{How, method_for, named, shown};
use crate::wire;

/// What `mingce unmerge` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct UnmergeArgs {
    /// organizations, labs or talents
    pub collection: String,
    /// The record that was merged: its resource name, or the part behind the slash
    pub duplicate: String,
    /// How it is done.
    #[command(flatten)]
    pub how: How,
}

/// The services that keep records, each with the collection by which its address is known.
const SERVICES: [(&str, &str); 3] = [
    ("mingce.labs.v1.LabService", "organizations"),
    ("mingce.talent.v1.TalentService", "talents"),
    ("mingce.awards.v1.AwardService", "awards"),
];
/// The service that cases share, which each process has.
const CASES: &str = "mingce.registry.v1.CaseService";

/// Runs `mingce unmerge`.
///
/// # Errors
/// Where the merge cannot be taken back, or the server fails.
pub async fn unmerge(args: UnmergeArgs) -> Result<ExitCode> {
    let (collection, method) = method_for(&args.collection, "Unmerge")?;
    let own = args.how.servers.of(collection).to_owned();
    let channel = wire::connect(&own).await?;
    let duplicate = named(collection, &args.duplicate)?;
    let shown = shown(&channel, collection, &duplicate).await?;
    let mut request = DynamicMessage::new(method.input());
    request.set_field_by_name("name", Value::String(duplicate));
    request.set_field_by_name("reason", Value::String(args.how.reason.clone()));
    request.set_field_by_name("validate_only", Value::Bool(args.how.dry_run));
    let answer = wire::unary(&channel, &method, &request)
        .await
        .map_err(|status| wire::failure("taking a merge back", &status))?;
    let report: UnmergeReport = match answer.get_field_by_name("report").as_deref() {
        Some(Value::Message(report)) => report.transcode_to()?,
        _ => UnmergeReport::default(),
    };
    let became = if args.how.dry_run { "would be" } else { "is" };
    let mut out = io::stdout().lock();
    writeln!(out, "{shown}\n  {became} a record of its own again")?;
    if report.survivor.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    tell_fields(&mut out, &report, args.how.dry_run)?;
    if !report.revisions.is_empty() {
        writeln!(out, "changes of what stood for it, which stay:")?;
        for revision in &report.revisions {
            writeln!(out, "  {}", change(revision))?;
        }
        if report.more_revisions {
            writeln!(out, "  and earlier ones: see the history of the survivor")?;
        }
    }
    let names = names_of(&answer, collection);
    let (mut citations, mut more) = (report.citations.clone(), report.more_citations);
    let mut cited: BTreeSet<String> = citations.iter().map(|citation| citation.cited.clone()).collect();
    cited.insert(report.survivor.clone());
    cited.extend(report.revisions.iter().map(|revision| revision.resource.clone()));
    let mut unasked = Vec::new();
    for (service, url) in others(&args.how, collection) {
        // Services of one process share the ledger.
        let by_place = url == own;
        for name in &cited {
            let request = ListCitationsRequest {
                name: name.clone(),
                since_sequence: if by_place { report.merge_sequence } else { 0 },
                since_time: report.merge_time.filter(|_| !by_place),
            };
            match listed(&url, service, &request).await {
                Ok(answer) => {
                    citations.extend(answer.citations);
                    more |= answer.more;
                }
                Err(error) => {
                    unasked.push(format!("{error:#}"));
                    break;
                }
            }
        }
    }
    tell_citations(&mut out, &citations, more, &names)?;
    for why in unasked {
        writeln!(out, "not looked for everywhere: {}", seen(&why))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The services beside the one that took the merge back, each with its address; those of cases once for each process.
fn others(how: &How, own: &Collection) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let mut processes = BTreeSet::new();
    for (service, label) in SERVICES {
        let Some(collection) = Collection::find(label) else {
            continue;
        };
        let url = how.servers.of(collection).to_owned();
        processes.insert(url.clone());
        if service != own.service {
            all.push((service, url));
        }
    }
    all.extend(processes.into_iter().map(|url| (CASES, url)));
    all
}

async fn listed(url: &str, service: &str, request: &ListCitationsRequest) -> Result<ListCitationsResponse> {
    let method = citations_of(service).context("the contract has no such list")?;
    let channel: Channel = wire::connect(url).await?;
    let mut asked = DynamicMessage::new(method.input());
    asked.transcode_from(request)?;
    let answer = wire::unary(&channel, &method, &asked).await;
    let answer = answer.map_err(|status| wire::failure(&format!("asking {service}"), &status))?;
    Ok(answer.transcode_to()?)
}

fn citations_of(service: &str) -> Option<MethodDescriptor> {
    let service = POOL.get_service_by_name(service)?;
    service.methods().find(|method| method.name() == "ListCitations")
}

/// The names of the record that stands alone again.
fn names_of(answer: &DynamicMessage, collection: &Collection) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let field = collection.field_in(&answer.descriptor());
    let value = field.map(|field| answer.get_field(&field).into_owned());
    let Some(Value::Message(record)) = value else {
        return names;
    };
    let text = |message: &DynamicMessage, field: &str| match message.get_field_by_name(field).as_deref() {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    names.insert(text(&record, "display_name"));
    if let Some(Value::List(items)) = record.get_field_by_name("names").as_deref() {
        names.extend(
            items
                .iter()
                .filter_map(Value::as_message)
                .map(|name| text(name, "text")),
        );
    }
    names
}

fn tell_fields(out: &mut impl Write, report: &UnmergeReport, dry: bool) -> io::Result<()> {
    for field in &report.fields {
        let value = if field.value.is_empty() {
            String::new()
        } else {
            format!(" ({})", seen(&field.value))
        };
        let said = match (field.outcome(), dry) {
            (UnmergedOutcome::Restored, false) => "restored",
            (UnmergedOutcome::Restored, true) => "would be restored",
            (UnmergedOutcome::AgainstRules, _) => "not restored: as it was it would break a rule now",
            _ => "not restored: changed meanwhile",
        };
        writeln!(out, "  {}: {}{value} {said}", report.survivor, field.field)?;
    }
    Ok(())
}

/// A change in one line: when, what, by whom, of which fields.
fn change(revision: &Revision) -> String {
    let time = revision.create_time.as_ref().map_or(String::new(), ToString::to_string);
    let fields = revision.changed_fields.join(", ");
    let why = if revision.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", seen(&revision.reason))
    };
    format!(
        "{} r{} {time} {} by {} ({fields}){why}",
        revision.resource, revision.revision, revision.verb, revision.actor
    )
}

fn tell_citations(out: &mut impl Write, all: &[Citation], more: bool, names: &BTreeSet<String>) -> io::Result<()> {
    if all.is_empty() {
        return writeln!(out, "no record began to name the survivor meanwhile");
    }
    writeln!(
        out,
        "records that began to name the survivor meanwhile; mend those that mean this record:"
    )?;
    for citation in all {
        let is_its = citation.display_names.iter().any(|name| names.contains(name));
        let called = if citation.display_names.is_empty() {
            String::new()
        } else {
            let of_it = if is_its { ", a name of this record" } else { "" };
            format!(" as {}{of_it}", seen(&citation.display_names.join(", ")))
        };
        writeln!(
            out,
            "  {}  {}: {}{called}",
            citation.resource,
            citation.fields.join(", "),
            citation.cited
        )?;
    }
    if more {
        writeln!(out, "  there may be more")?;
    }
    Ok(())
}
