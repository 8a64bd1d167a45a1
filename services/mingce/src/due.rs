//! `mingce due`: what falls due over all kinds and all services, by day, and who has to act.

use std::collections::HashSet;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use mingce_mapping::seen;
use mingce_proto::names::POOL;
use mingce_proto::registry::{DueActor, DueKind, DueWork, ListDueWorkRequest, ListDueWorkResponse};
use prost_reflect::{DynamicMessage, SerializeOptions};
use tonic::{Code, Status};

use crate::import::Servers;
use crate::lang::Lang;
use crate::wire;

/// What `mingce due` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct DueArgs {
    /// What is due up to and on this day, for example 2026-12-31; today where nothing is said
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
    /// Only what they have to do
    #[arg(long, value_enum)]
    pub actor: Option<Actor>,
    /// Only this kind, for example formal-check or term-ends
    #[arg(long, value_parser = due_kind)]
    pub kind: Option<DueKind>,
    /// Only what was due before today
    #[arg(long)]
    pub overdue: bool,
    /// Only this collection, for example labDesignations, objections or reviews
    #[arg(long)]
    pub collection: Option<String>,
    /// Only what is about this case: its resource name
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// Only what is about this round and its cases: its resource name
    #[arg(long, value_name = "NAME")]
    pub round: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Prints each as a line of JSON, as the contract has it
    #[arg(long)]
    pub json: bool,
    /// Language of what is printed; that of the system where nothing is said
    #[arg(long, value_enum)]
    pub lang: Option<Lang>,
    /// Where the services are: each that is named is asked.
    #[command(flatten)]
    pub servers: Servers,
}

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Actor {
    /// Who applies
    Applicant,
    /// The nominating body
    NominatingBody,
    /// The office that handles the case
    Office,
    /// A reviewer
    Reviewer,
    /// Who decides
    Decider,
    /// The register, by itself
    Register,
}

impl Actor {
    fn of_contract(self) -> DueActor {
        match self {
            Self::Applicant => DueActor::Applicant,
            Self::NominatingBody => DueActor::NominatingBody,
            Self::Office => DueActor::Office,
            Self::Reviewer => DueActor::Reviewer,
            Self::Decider => DueActor::Decider,
            Self::Register => DueActor::Register,
        }
    }
}

/// A kind by its name in the contract, or as the command line writes it: `formal-check`.
fn due_kind(text: &str) -> Result<DueKind, String> {
    let name = text.to_ascii_uppercase().replace('-', "_");
    let name = name.strip_prefix("DUE_KIND_").unwrap_or(&name);
    DueKind::from_str_name(&format!("DUE_KIND_{name}"))
        .filter(|kind| *kind != DueKind::Unspecified)
        .ok_or_else(|| {
            let known = mingce_proto::names::values("mingce.registry.v1.DueKind")
                .into_iter()
                .skip(1);
            let known = known.map(|(name, _)| name.trim_start_matches("DUE_KIND_").to_lowercase().replace('_', "-"));
            format!("available: {}", known.collect::<Vec<_>>().join(", "))
        })
}

/// Runs the command. That nothing is due is no failure.
///
/// # Errors
/// Where no server answers what was asked.
pub async fn run(args: DueArgs) -> Result<ExitCode> {
    let (limit, lang) = (usize::try_from(args.limit).unwrap_or(usize::MAX), Lang::of(args.lang));
    let (mut works, mut refused, mut answered) = (Vec::new(), None, false);
    let mut more = false;
    for url in servers(&args.servers) {
        match listed(&args, url, limit).await? {
            Ok((found, has_more)) => {
                answered = true;
                more |= has_more;
                works.extend(found);
            }
            // Another one may serve the case or the collection.
            Err(status) if matches!(status.code(), Code::InvalidArgument | Code::NotFound) => {
                refused.get_or_insert(status);
            }
            Err(status) => return Err(wire::failure(&format!("listing what is due at {url}"), &status)),
        }
    }
    if let (false, Some(status)) = (answered, &refused) {
        return Err(wire::failure("listing what is due", status));
    }
    // Those who share a database all have its rounds.
    let mut known = HashSet::new();
    works.retain(|work| known.insert((work.name.clone(), work.due)));
    works.sort_by_key(order);
    more |= works.len() > limit;
    works.truncate(limit);
    let mut out = io::stdout().lock();
    if args.json {
        for work in &works {
            writeln!(out, "{}", json(work)?)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if works.is_empty() {
        writeln!(out, "{}", lang.choose("没有到期或待办事项", "nothing is due"))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&mut out, &works, lang)?;
    if more {
        let said = lang.choose("还有更多：用 --limit 查看", "there is more: give a larger --limit");
        writeln!(out, "{said}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Each address that is named, once.
fn servers(servers: &Servers) -> Vec<&str> {
    let named = [&servers.labs_url, &servers.talent_url, &servers.awards_url];
    let mut urls: Vec<&str> = named.map(|url| url.as_deref().unwrap_or(&servers.server)).to_vec();
    urls.sort_unstable();
    urls.dedup();
    urls
}

/// What has a day comes first, by day.
fn order(work: &DueWork) -> (bool, String) {
    let is_dated = !work.date.is_empty();
    (
        !is_dated,
        if is_dated {
            work.date.clone()
        } else {
            work.since_date.clone()
        },
    )
}

type Listed = Result<(Vec<DueWork>, bool), Status>;

/// What one server says, up to a number, and whether it has more.
async fn listed(args: &DueArgs, url: &str, limit: usize) -> Result<Listed> {
    let service = POOL.get_service_by_name("mingce.registry.v1.CaseService");
    let method = service.and_then(|service| service.methods().find(|method| method.name() == "ListDueWork"));
    let method = method.context("the contract has no list of what is due")?;
    let channel = wire::connect(url).await?;
    let text = |option: &Option<String>| option.clone().unwrap_or_default();
    let mut request = ListDueWorkRequest {
        collection: text(&args.collection),
        until_date: text(&args.until),
        due: args.kind.unwrap_or_default() as i32,
        actor: args.actor.map_or(DueActor::Unspecified, Actor::of_contract) as i32,
        overdue_only: args.overdue,
        case_name: text(&args.case),
        round: text(&args.round),
        ..ListDueWorkRequest::default()
    };
    let mut works = Vec::new();
    loop {
        request.page_size = i32::try_from(limit.saturating_sub(works.len()).min(1000)).unwrap_or(1000);
        let mut asked = DynamicMessage::new(method.input());
        asked.transcode_from(&request)?;
        let page: ListDueWorkResponse = match wire::unary(&channel, &method, &asked).await {
            Ok(answer) => answer.transcode_to()?,
            Err(status) => return Ok(Err(status)),
        };
        works.extend(page.due_work);
        let more = !page.next_page_token.is_empty();
        if !more || works.len() >= limit {
            return Ok(Ok((works, more)));
        }
        request.page_token = page.next_page_token;
    }
}

fn json(work: &DueWork) -> Result<String> {
    let Some(descriptor) = POOL.get_message_by_name("mingce.registry.v1.DueWork") else {
        bail!("the contract has no due work");
    };
    let mut message = DynamicMessage::new(descriptor);
    message.transcode_from(work)?;
    let (mut text, options) = (Vec::new(), SerializeOptions::new());
    message.serialize_with_options(&mut serde_json::Serializer::new(&mut text), &options)?;
    Ok(String::from_utf8(text)?)
}

/// The table: a line for each, the columns as wide as what they hold.
fn print(out: &mut impl Write, works: &[DueWork], lang: Lang) -> io::Result<()> {
    let head = match lang {
        Lang::En => ["due", "", "what", "who acts", "since", "verbs", "title", "name"],
        Lang::Zh => ["到期", "", "事项", "责任方", "自", "可办环节", "名称", "资源名"],
    };
    let mut rows = vec![head.map(str::to_owned)];
    for work in works {
        let late = if work.overdue {
            lang.choose("已逾期", "overdue")
        } else {
            ""
        };
        let mut who = actor(work.actor(), lang).to_owned();
        if !work.reviewer_display_name.is_empty() {
            who = format!("{who} {}", work.reviewer_display_name);
        }
        let date = if work.date.is_empty() { "—" } else { &work.date };
        rows.push([
            date.to_owned(),
            late.to_owned(),
            what(work.due(), lang).to_owned(),
            seen(&who).into_owned(),
            work.since_date.clone(),
            work.verbs.join(","),
            seen(&work.display_name).into_owned(),
            work.name.clone(),
        ]);
    }
    let width = |text: &str| text.chars().map(|c| if c < '\u{2e80}' { 1 } else { 2 }).sum::<usize>();
    let mut widths = [0; 8];
    for row in &rows {
        for (most, cell) in widths.iter_mut().zip(row) {
            *most = (*most).max(width(cell));
        }
    }
    for row in &rows {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, most)| format!("{cell}{}", " ".repeat(most - width(cell))));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn what(due: DueKind, lang: Lang) -> &'static str {
    match due {
        DueKind::NoticeEnds => lang.choose("公示期满", "notice over"),
        DueKind::Resubmission => lang.choose("退回补正", "resubmission"),
        DueKind::BuildingEnds => lang.choose("建设期满", "building term ends"),
        DueKind::Evaluation => lang.choose("评估", "evaluation"),
        DueKind::RectificationEnds => lang.choose("整改期满", "rectification ends"),
        DueKind::Midterm => lang.choose("中期评估", "mid-term"),
        DueKind::TermEnds => lang.choose("期满", "term ends"),
        DueKind::AuthorisationEnds => lang.choose("授权到期", "authorisation ends"),
        DueKind::RoundEnds => lang.choose("批次截止", "round ends"),
        DueKind::QuotaEnds => lang.choose("年度名额到期", "quota ends"),
        DueKind::FormalCheck => lang.choose("形式审查", "formal check"),
        DueKind::Review => lang.choose("评审", "review"),
        DueKind::Objection => lang.choose("异议处理", "objection"),
        DueKind::Filing => lang.choose("荐才备案", "filing"),
        DueKind::Conferral => lang.choose("授予", "conferral"),
        DueKind::Submission => lang.choose("申报", "submission"),
        DueKind::ObjectionsEnd => lang.choose("异议期满", "objections end"),
        DueKind::AnnualReport => lang.choose("年度报告", "annual report"),
        DueKind::Unspecified => "",
    }
}

fn actor(actor: DueActor, lang: Lang) -> &'static str {
    match actor {
        DueActor::Applicant => lang.choose("申报人", "applicant"),
        DueActor::NominatingBody => lang.choose("荐才单位", "nominating body"),
        DueActor::Office => lang.choose("经办处室", "office"),
        DueActor::Reviewer => lang.choose("评审专家", "reviewer"),
        DueActor::Decider => lang.choose("决定机关", "decider"),
        DueActor::Register => lang.choose("系统", "register"),
        DueActor::Unspecified => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_either_spelling() {
        assert_eq!(due_kind("formal-check"), Ok(DueKind::FormalCheck));
        assert_eq!(due_kind("DUE_KIND_TERM_ENDS"), Ok(DueKind::TermEnds));
        let said = due_kind("unspecified").unwrap_err();
        assert!(said.contains("building-ends"), "{said}");
    }

    #[test]
    fn the_columns_of_the_table_are_as_wide_as_chinese_is() {
        let work = |title: &str, date: &str| DueWork {
            display_name: title.to_owned(),
            date: date.to_owned(),
            due: DueKind::TermEnds as i32,
            actor: DueActor::Office as i32,
            verbs: vec!["complete".to_owned()],
            name: "talents/a".to_owned(),
            ..DueWork::default()
        };
        let mut out = Vec::new();
        print(&mut out, &[work("甲", "2026-01-01"), work("海洋", "")], Lang::Zh).unwrap();
        let said = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[1], "2026-01-01    期满  经办处室      complete  甲    talents/a");
        assert_eq!(lines[2], "—             期满  经办处室      complete  海洋  talents/a");
    }
}
