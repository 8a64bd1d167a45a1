//! `mingce duplicates` lists pairs of records that may be of one subject; `mingce distinct` says of a pair that it is two.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use mingce_mapping::seen;
use mingce_proto::registry::{
    DuplicateReason, LikelyDuplicate, ListLikelyDuplicatesRequest, ListLikelyDuplicatesResponse,
};
use prost_reflect::{DynamicMessage, Value};

use crate::import::{Servers, collection};
use crate::lang::Lang;
use crate::merge::{How, method_for, named, shown};
use crate::wire;

/// What `mingce duplicates` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct DuplicatesArgs {
    /// organizations, labs or talents
    pub collection: String,
    /// Only those that share this; more than one can be given
    #[arg(long, value_enum)]
    pub reason: Vec<Reason>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Also those that were marked as distinct
    #[arg(long)]
    pub show_distinct: bool,
    /// Language of what is printed; that of the system where nothing is said
    #[arg(long, value_enum)]
    pub lang: Option<Lang>,
    /// Where the services are.
    #[command(flatten)]
    pub servers: Servers,
}

/// Why two records may be of one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Reason {
    /// An identifier, in another spelling
    Identifier,
    /// Of organizations and labs: name and city
    NameAndCity,
    /// Of persons: name and year of birth
    NameAndBirthYear,
    /// Of organizations and labs: the name, where the city of one is not known
    NameWithoutCity,
}

impl Reason {
    fn of_contract(self) -> DuplicateReason {
        match self {
            Self::Identifier => DuplicateReason::Identifier,
            Self::NameAndCity => DuplicateReason::NameAndCity,
            Self::NameAndBirthYear => DuplicateReason::NameAndBirthYear,
            Self::NameWithoutCity => DuplicateReason::NameWithoutCity,
        }
    }
}

fn words(reason: DuplicateReason, lang: Lang) -> &'static str {
    match reason {
        DuplicateReason::Identifier => lang.choose("标识相同（写法不同）", "the same identifier, written differently"),
        DuplicateReason::NameAndCity => lang.choose("名称和城市相同", "the same name and city"),
        DuplicateReason::NameAndBirthYear => lang.choose("姓名和出生年份相同", "the same name and year of birth"),
        DuplicateReason::NameWithoutCity => lang.choose("名称相同，城市不明", "the same name, and a city is not known"),
        DuplicateReason::Unspecified => "",
    }
}

/// What `mingce distinct` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct DistinctArgs {
    /// organizations, labs or talents
    pub collection: String,
    /// One record: its resource name, or the part behind the slash
    pub one: String,
    /// The other
    pub other: String,
    /// Takes it back
    #[arg(long)]
    pub undo: bool,
    /// How it is done.
    #[command(flatten)]
    pub how: How,
}

/// Runs `mingce duplicates`. Finding none is no failure.
///
/// # Errors
/// Where the collection has no such list, or the server fails.
pub async fn list(args: DuplicatesArgs) -> Result<ExitCode> {
    let collection = collection(&args.collection)?;
    let lang = Lang::of(args.lang);
    if collection.method("Merge").is_none() {
        bail!(
            "{} are not merged; organizations, labs and talents are",
            collection.label
        );
    }
    let method = collection
        .method_of_service("ListLikelyDuplicates")
        .context("the contract has no such list")?;
    let channel = wire::connect(args.servers.of(collection)).await?;
    let mut request = ListLikelyDuplicatesRequest {
        collection: collection.label.to_owned(),
        reasons: args.reason.iter().map(|reason| reason.of_contract().into()).collect(),
        show_distinct: args.show_distinct,
        ..ListLikelyDuplicatesRequest::default()
    };
    let mut out = io::stdout().lock();
    let mut left = args.limit;
    loop {
        request.page_size = i32::try_from(left).unwrap_or(i32::MAX);
        let mut asked = DynamicMessage::new(method.input());
        asked.transcode_from(&request)?;
        let answer = wire::unary(&channel, &method, &asked).await;
        let answer =
            answer.map_err(|s| wire::failure(&format!("listing likely duplicates of {}", collection.label), &s))?;
        let page: ListLikelyDuplicatesResponse = answer.transcode_to()?;
        for pair in &page.likely_duplicates {
            writeln!(out, "{}", told(collection.label, pair, lang))?;
            left = left.saturating_sub(1);
        }
        if page.next_page_token.is_empty() {
            let none = lang.choose("没有疑似重复的记录", "no likely duplicates");
            let all = lang.choose("以上为全部", "these are all");
            writeln!(out, "{}", if left == args.limit { none } else { all })?;
            return Ok(ExitCode::SUCCESS);
        }
        if left == 0 {
            let more = lang.choose(
                "可能还有更多：用 --limit 查看，或先处理以上各对",
                "there may be more: work through these, or give a larger --limit",
            );
            writeln!(out, "{more}")?;
            return Ok(ExitCode::SUCCESS);
        }
        request.page_token = page.next_page_token;
    }
}

/// A pair in five lines: both records, why, and what to do in either case.
fn told(label: &str, pair: &LikelyDuplicate, lang: Lang) -> String {
    let (record, duplicate) = (
        pair.record.clone().unwrap_or_default(),
        pair.duplicate.clone().unwrap_or_default(),
    );
    let line = |one: &mingce_proto::registry::likely_duplicate::Record| {
        let year = if one.birth_year > 0 {
            one.birth_year.to_string()
        } else {
            String::new()
        };
        let beside: Vec<&str> = [one.city.as_str(), &year]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
        let beside = if beside.is_empty() {
            String::new()
        } else {
            format!("  ({})", beside.join(", "))
        };
        format!("{}  {}", one.name, seen(&format!("{}{beside}", one.display_name)))
    };
    let mut why: Vec<String> = pair.reasons().map(|reason| words(reason, lang).to_owned()).collect();
    why.extend((!pair.shared_name.is_empty()).then(|| pair.shared_name.clone()));
    why.extend(
        pair.shared_identifiers
            .iter()
            .map(|held| format!("{} {}", held.scheme, held.value)),
    );
    if !pair.differing_schemes.is_empty() {
        let but = lang.choose("但下列标识不同：", "but these identifiers differ: ");
        why.push(format!("{but}{}", pair.differing_schemes.join(", ")));
    }
    if pair.distinct {
        why.push(lang.choose("已确认不是同一条", "marked as distinct").to_owned());
    }
    let (one, two) = (
        lang.choose("同一个：", "if it is one:  "),
        lang.choose("两个：", "if it is two:  "),
    );
    let (stays, goes) = (&record.name, &duplicate.name);
    format!(
        "{}\n{}\n  {}\n  {one}mingce merge {label} {goes} {stays} --reason …\n  {two}mingce distinct {label} {stays} {goes} --reason …\n",
        line(&record),
        line(&duplicate),
        seen(&why.join("; "))
    )
}

/// Runs `mingce distinct`.
///
/// # Errors
/// Where the records cannot be marked, or the server fails.
pub async fn distinct(args: DistinctArgs) -> Result<ExitCode> {
    let verb = if args.undo { "Unmark" } else { "Mark" };
    let (collection, method) = method_for(&args.collection, verb)?;
    let channel = wire::connect(args.how.servers.of(collection)).await?;
    let (one, other) = (named(collection, &args.one)?, named(collection, &args.other)?);
    let both = [
        shown(&channel, collection, &one).await?,
        shown(&channel, collection, &other).await?,
    ];
    let mut request = DynamicMessage::new(method.input());
    request.set_field_by_name("name", Value::String(one));
    request.set_field_by_name("other", Value::String(other));
    request.set_field_by_name("reason", Value::String(args.how.reason));
    request.set_field_by_name("validate_only", Value::Bool(args.how.dry_run));
    wire::unary(&channel, &method, &request)
        .await
        .map_err(|status| wire::failure("marking", &status))?;
    let became = match (args.undo, args.how.dry_run) {
        (false, false) => "are marked as distinct",
        (false, true) => "would be marked as distinct",
        (true, false) => "are no longer marked as distinct",
        (true, true) => "would no longer be marked as distinct",
    };
    writeln!(io::stdout(), "{}\n{}\n  {became}", both[0], both[1])?;
    Ok(ExitCode::SUCCESS)
}
