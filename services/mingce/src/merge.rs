//! `mingce merge`: two records of one thing become one. And back: `unmerge.rs`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use mingce_mapping::{Collection, seen};
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use tonic::transport::Channel;

use crate::import::{Servers, collection};
use crate::search::described;
use crate::wire;

/// What both ways take.
#[derive(clap::Args, Clone, Debug)]
pub struct How {
    /// Why, for the ledger; no personal data
    #[arg(long)]
    pub reason: String,
    /// Says whether it could be done, and does nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where the services are.
    #[command(flatten)]
    pub servers: Servers,
}

/// What `mingce merge` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct MergeArgs {
    /// organizations, labs or talents
    pub collection: String,
    /// The record that ends as a duplicate: its resource name, or the part behind the slash
    pub duplicate: String,
    /// The record that stays
    pub survivor: String,
    /// How it is done.
    #[command(flatten)]
    pub how: How,
}

/// Runs `mingce merge`.
///
/// # Errors
/// Where the records cannot be merged, or the server fails.
pub async fn merge(args: MergeArgs) -> Result<ExitCode> {
    let (collection, method) = method_for(&args.collection, "Merge")?;
    let channel = wire::connect(args.how.servers.of(collection)).await?;
    let duplicate = named(collection, &args.duplicate)?;
    let survivor = named(collection, &args.survivor)?;
    // Both are shown, so that a slip is seen.
    let shown = [
        shown(&channel, collection, &duplicate).await?,
        shown(&channel, collection, &survivor).await?,
    ];
    let mut request = DynamicMessage::new(method.input());
    request.set_field_by_name("name", Value::String(duplicate));
    request.set_field_by_name("survivor", Value::String(survivor));
    request.set_field_by_name("reason", Value::String(args.how.reason));
    request.set_field_by_name("validate_only", Value::Bool(args.how.dry_run));
    wire::unary(&channel, &method, &request)
        .await
        .map_err(|status| wire::failure("merging", &status))?;
    let became = if args.how.dry_run {
        "would end as a duplicate of"
    } else {
        "ended as a duplicate of"
    };
    writeln!(io::stdout(), "{}\n  {became}\n{}", shown[0], shown[1])?;
    Ok(ExitCode::SUCCESS)
}

/// The collection and its method; `Unmerge` is of one record, and `Mark` says as what.
pub fn method_for(label: &str, verb: &str) -> Result<(&'static Collection, MethodDescriptor)> {
    let collection = collection(label)?;
    let distinct = || collection.method_like(verb, "Distinct");
    match collection
        .method(verb)
        .or_else(|| collection.method_of_one(verb))
        .or_else(distinct)
    {
        Some(method) => Ok((collection, method)),
        None => bail!("{label} are not merged; organizations, labs and talents are"),
    }
}

/// The resource name that is meant.
pub fn named(collection: &Collection, given: &str) -> Result<String> {
    let own = format!("{}/", collection.label);
    match given.split_once('/') {
        None => Ok(format!("{own}{given}")),
        Some(_) if given.starts_with(&own) => Ok(given.to_owned()),
        Some(_) => bail!(
            "{} is no resource name of {}: expected {own}…",
            seen(given),
            collection.label
        ),
    }
}

/// A record in one line.
pub async fn shown(channel: &Channel, collection: &Collection, name: &str) -> Result<String> {
    let method = collection
        .method_of_one("Get")
        .context("the contract has no such get")?;
    let mut request = DynamicMessage::new(method.input());
    request.set_field_by_name("name", Value::String(name.to_owned()));
    let record = wire::unary(channel, &method, &request)
        .await
        .map_err(|status| wire::failure(&format!("reading {name}"), &status))?;
    Ok(described(&record))
}
