//! `mingce search`: resources by any of their names, one a line.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use prost_reflect::{DynamicMessage, Value};

use crate::import::{Servers, collection};
use crate::wire;

/// How many are shown.
const SHOWN: i32 = 50;

/// What `mingce search` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct SearchArgs {
    /// organizations, labs, talents or awards.
    pub collection: String,
    /// A name or a part of one: 张三, zhangsan, zs, State Key.
    #[arg(required = true)]
    pub query: Vec<String>,
    /// Where the services are.
    #[command(flatten)]
    pub servers: Servers,
}

/// Runs the command. Finding nothing is no failure.
///
/// # Errors
/// Where the collection has no search or the server fails.
pub async fn run(args: SearchArgs) -> Result<ExitCode> {
    let collection = collection(&args.collection)?;
    let Some(method) = collection.method("Search") else {
        bail!(
            "{} have no search; `mingce export {} --to - --filter …` finds by their fields",
            collection.label,
            collection.label
        );
    };
    let field = collection
        .field_in(&method.output())
        .context("the search holds no resources")?;
    let channel = wire::connect(args.servers.of(collection)).await?;
    let mut request = DynamicMessage::new(method.input());
    request.set_field_by_name("query", Value::String(args.query.join(" ")));
    request.set_field_by_name("page_size", Value::I32(SHOWN));
    let answer = wire::unary(&channel, &method, &request).await;
    let mut page = answer.map_err(|s| wire::failure(&format!("searching {}", collection.label), &s))?;
    let mut out = io::stdout().lock();
    let Some(Value::List(items)) = page.take_field(&field) else {
        writeln!(out, "nothing found")?;
        return Ok(ExitCode::SUCCESS);
    };
    for item in items.iter().filter_map(Value::as_message) {
        let text = |name: &str| match item.get_field_by_name(name).as_deref() {
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        };
        let shown = Some(text("display_name"))
            .filter(|t| !t.is_empty())
            .unwrap_or_else(|| text("title"));
        writeln!(out, "{}  {shown}", text("name"))?;
    }
    if !matches!(page.get_field_by_name("next_page_token").as_deref(), Some(Value::String(t)) if t.is_empty()) {
        writeln!(out, "the first {SHOWN}; say more of the name to see fewer")?;
    }
    Ok(ExitCode::SUCCESS)
}
