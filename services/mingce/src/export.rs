//! `mingce export`: a collection of the register into a file that imports again as unchanged.

mod cited;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use mingce_mapping::{Collection, Format, Writer};
use prost_reflect::{DynamicMessage, Value};
use tonic::transport::Channel;

use self::cited::Cited;
use crate::import::{Servers, collection};
use crate::lang::Lang;
use crate::replaced::beside;
use crate::wire;

/// Resources in one page.
const PAGE: i32 = 1_000;

/// `VIEW_FULL` of the contract.
const FULL: i32 = mingce_proto::registry::View::Full as i32;

/// What `mingce export` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct ExportArgs {
    /// organizations, labs, labDesignations, talents, programmes, talentDesignations, schemes or awards.
    pub collection: String,
    /// A file that ends in .csv, .xlsx or .jsonl; `-` writes JSON lines to the standard output.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// Which ones, for example `city = "Qingdao"`.
    #[arg(long, default_value = "")]
    pub filter: String,
    /// Fields to sort by, for example `display_name desc`.
    #[arg(long, default_value = "")]
    pub order_by: String,
    /// zh: enum values in Chinese words, in .csv and .xlsx; an import takes them as well
    #[arg(long, value_enum)]
    pub lang: Option<Lang>,
    /// Where the services are.
    #[command(flatten)]
    pub servers: Servers,
}

/// Runs the command.
///
/// # Errors
/// Where the server fails or the file cannot be written; a file that was there before stays as it was.
pub async fn run(args: ExportArgs) -> Result<ExitCode> {
    let collection = collection(&args.collection)?;
    let standard_output = args.to == Path::new("-");
    let format = if standard_output {
        Format::JsonLines
    } else {
        Format::of(&args.to)?
    };
    let channel = wire::connect(args.servers.of(collection)).await?;
    let (written, target) = if standard_output {
        let mut writer = Writer::lines(collection, Box::new(io::BufWriter::new(io::stdout())))?;
        let written = pages(&channel, collection, &args, &mut writer).await?;
        writer.finish()?;
        (written, None)
    } else {
        let (beside, file) = beside(&args.to)?;
        let mut writer = Writer::new(format, collection, file)?;
        if args.lang == Some(Lang::Zh) {
            writer = writer.in_words();
        }
        let written = pages(&channel, collection, &args, &mut writer).await?;
        writer.finish()?;
        (written, Some(beside))
    };
    if let Some(file) = target {
        file.persist(&args.to)
            .with_context(|| format!("cannot write {}", args.to.display()))?;
        writeln!(
            io::stdout(),
            "{written} {} written to {}",
            collection.label,
            args.to.display()
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes all pages and answers how many resources there were.
async fn pages(
    channel: &Channel,
    collection: &'static Collection,
    args: &ExportArgs,
    writer: &mut Writer,
) -> Result<u64> {
    let method = collection.method("List").context("the contract has no such list")?;
    let field = collection
        .field_in(&method.output())
        .context("the list holds no resources")?;
    let mut written = 0;
    let mut token = String::new();
    let mut cited = Cited::new(collection, &args.servers);
    loop {
        let mut request = DynamicMessage::new(method.input());
        request.set_field_by_name("page_size", Value::I32(PAGE));
        request.set_field_by_name("page_token", Value::String(token));
        request.set_field_by_name("filter", Value::String(args.filter.clone()));
        request.set_field_by_name("order_by", Value::String(args.order_by.clone()));
        request.set_field_by_name("view", Value::EnumNumber(FULL));
        if !collection.parent.is_empty() {
            request.set_field_by_name("parent", Value::String(collection.parent.to_owned()));
        }
        let answer = wire::unary(channel, &method, &request).await;
        let mut page = answer.map_err(|s| wire::failure(&format!("listing {}", collection.label), &s))?;
        if let Some(Value::List(mut items)) = page.take_field(&field) {
            cited.fill(&mut items).await?;
            for item in items.iter().filter_map(Value::as_message) {
                writer.write(item)?;
                written += 1;
            }
        }
        token = match page.take_field_by_name("next_page_token") {
            Some(Value::String(token)) if !token.is_empty() => token,
            _ => return Ok(written),
        };
    }
}
