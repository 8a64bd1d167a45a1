//! `mingce search`: resources by any of their names, or decisions by their document numbers, one a line.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use mingce_mapping::seen;
use mingce_proto::registry::View;
use prost_reflect::{DynamicMessage, Value};

use crate::documents;
use crate::import::{Servers, collection};
use crate::wire;

/// How many are shown.
const SHOWN: i32 = 50;

/// What `mingce search` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct SearchArgs {
    /// organizations, labs, talents or awards.
    #[arg(required_unless_present = "document")]
    pub collection: Option<String>,
    /// A name or a part of one: 张三, zhangsan, zs, State Key.
    #[arg(required_unless_present = "document")]
    pub query: Vec<String>,
    /// The decisions of all services by a document number, such as 青科规〔2021〕13号; any brackets around the year will do
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["collection", "query"])]
    pub document: Option<String>,
    /// Of documents: all whose numbers begin so
    #[arg(long, requires = "document")]
    pub prefix: bool,
    /// Where the services are.
    #[command(flatten)]
    pub servers: Servers,
}

/// Runs the command. Finding nothing is no failure.
///
/// # Errors
/// Where the collection has no search or the server fails.
pub async fn run(args: SearchArgs) -> Result<ExitCode> {
    if let Some(number) = args.document {
        return documents::run(&args.servers, &number, args.prefix).await;
    }
    let collection = collection(args.collection.as_deref().unwrap_or_default())?;
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
    // Employers and hosts tell records of one name apart.
    request.set_field_by_name("view", Value::EnumNumber(View::Full.into()));
    let answer = wire::unary(&channel, &method, &request).await;
    let mut page = answer.map_err(|s| wire::failure(&format!("searching {}", collection.label), &s))?;
    let mut out = io::stdout().lock();
    let Some(Value::List(items)) = page.take_field(&field) else {
        writeln!(out, "nothing found")?;
        return Ok(ExitCode::SUCCESS);
    };
    for item in items.iter().filter_map(Value::as_message) {
        writeln!(out, "{}", described(item))?;
    }
    if !matches!(page.get_field_by_name("next_page_token").as_deref(), Some(Value::String(t)) if t.is_empty()) {
        writeln!(out, "the first {SHOWN}; say more of the name to see fewer")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A record in one line: its resource name, its name, and what tells it from others of that name: city, employer or hosts, and
/// the year of birth where an answer has one.
pub fn described(record: &DynamicMessage) -> String {
    let text = |name: &str| match record.get_field_by_name(name).as_deref() {
        Some(Value::String(text)) => text.clone(),
        Some(Value::I32(year)) if *year > 0 => year.to_string(),
        _ => String::new(),
    };
    let shown = Some(text("display_name"))
        .filter(|t| !t.is_empty())
        .unwrap_or_else(|| text("title"));
    let mut beside: Vec<String> = ["employments", "hosts"]
        .into_iter()
        .flat_map(|list| organizations(record, list))
        .collect();
    beside.push(text("city"));
    beside.push(text("birth_year"));
    beside.retain(|text| !text.is_empty());
    let beside = if beside.is_empty() {
        String::new()
    } else {
        format!("  ({})", beside.join(", "))
    };
    format!("{}  {}", text("name"), seen(&format!("{shown}{beside}")))
}

/// The organizations that a list of a record names, without those of times that have ended.
fn organizations(record: &DynamicMessage, list: &str) -> Vec<String> {
    let field = record.get_field_by_name(list);
    let items = field.as_deref().and_then(Value::as_list).unwrap_or_default();
    let current = |item: &&DynamicMessage| {
        let end = item.get_field_by_name("end_date");
        end.as_deref().and_then(Value::as_str).is_none_or(str::is_empty)
    };
    let name = |item: &DynamicMessage| {
        let organization = item.get_field_by_name("organization")?;
        let name = organization.as_message()?.get_field_by_name("display_name")?;
        name.as_str().map(str::to_owned)
    };
    let items = items.iter().filter_map(Value::as_message).filter(current);
    items.filter_map(name).collect()
}
