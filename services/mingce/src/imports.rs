//! `mingce imports` lists what was imported; `mingce undo` takes an import back, in each service that has a part of it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use mingce_mapping::seen;
use mingce_orm::model::revision::micros;
use mingce_proto::registry::import_service_client::ImportServiceClient;
use mingce_proto::registry::{
    GetImportRequest, Import, ImportState, ListImportsRequest, StayReason, StayingRecord, UndoImportRequest,
};
use tonic::Code;
use tonic::transport::Channel;

use crate::import::Servers;
use crate::lang::Lang;
use crate::wire;

/// The exit code where something stays.
const STAYS: u8 = 3;

/// What `mingce imports` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct ImportsArgs {
    /// Which ones, for example 'source = "名单.xlsx"' or 'state = INTERRUPTED'
    #[arg(long)]
    pub filter: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Language of what is printed; that of the system where nothing is said
    #[arg(long, value_enum)]
    pub lang: Option<Lang>,
    /// Where the services are.
    #[command(flatten)]
    pub servers: Servers,
}

/// What `mingce undo` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct UndoArgs {
    /// The import: what `mingce import` and `mingce imports` call it
    pub import: String,
    /// Why, for the ledger; no personal data
    #[arg(long)]
    pub reason: String,
    /// Says what would be, and does nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Lists at most so many records that stay
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..))]
    pub limit: u32,
    /// Language of what is printed; that of the system where nothing is said
    #[arg(long, value_enum)]
    pub lang: Option<Lang>,
    /// Where the services are.
    #[command(flatten)]
    pub servers: Servers,
}

type Client = ImportServiceClient<Channel>;

/// The services, each once, in the order in which an import is taken back: what names others comes first.
async fn clients(servers: &Servers) -> Result<Vec<Client>> {
    let mut urls: Vec<&str> = Vec::new();
    for own in [&servers.awards_url, &servers.talent_url, &servers.labs_url] {
        let url = own.as_deref().unwrap_or(&servers.server);
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    let mut clients = Vec::with_capacity(urls.len());
    for url in urls {
        clients.push(ImportServiceClient::new(wire::connect(url).await?).max_decoding_message_size(64 << 20));
    }
    Ok(clients)
}

async fn listed(client: &mut Client, filter: &str, page_size: i32) -> Result<Vec<Import>> {
    let request = ListImportsRequest {
        page_size,
        filter: filter.to_owned(),
        ..ListImportsRequest::default()
    };
    let page = client.list_imports(request).await;
    Ok(page
        .map_err(|status| wire::failure("listing imports", &status))?
        .into_inner()
        .imports)
}

/// Runs `mingce imports`. Finding none is no failure.
///
/// # Errors
/// Where the filter is none, or a server fails.
pub async fn list(args: ImportsArgs) -> Result<ExitCode> {
    let lang = Lang::of(args.lang);
    let limit = i32::try_from(args.limit).unwrap_or(i32::MAX);
    // Services that share a database list the same ones.
    let mut found: BTreeMap<String, Import> = BTreeMap::new();
    for mut client in clients(&args.servers).await? {
        let page = listed(&mut client, args.filter.as_deref().unwrap_or_default(), limit).await?;
        found.extend(page.into_iter().map(|import| (import.name.clone(), import)));
    }
    let begun = |import: &Import| import.create_time.as_ref().map_or(0, micros);
    let mut found: Vec<Import> = found.into_values().collect();
    found.sort_by_key(|import| std::cmp::Reverse(begun(import)));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut out = io::stdout().lock();
    if found.is_empty() {
        writeln!(out, "{}", lang.choose("没有导入记录", "no imports"))?;
        return Ok(ExitCode::SUCCESS);
    }
    for import in &found {
        writeln!(out, "{}", told(import, lang))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn state(state: ImportState, lang: Lang) -> &'static str {
    match state {
        ImportState::Running => lang.choose("进行中", "running"),
        ImportState::Done => lang.choose("已完成", "done"),
        ImportState::Interrupted => lang.choose("已中断", "interrupted"),
        ImportState::Failed => lang.choose("失败", "failed"),
        ImportState::Undone => lang.choose("已撤回", "undone"),
        ImportState::PartlyUndone => lang.choose("部分撤回", "partly undone"),
        ImportState::Unspecified => "",
    }
}

/// An import in a line of its own and one for each collection.
fn told(import: &Import, lang: Lang) -> String {
    let begun = import
        .create_time
        .as_ref()
        .map_or(String::new(), |time| time.to_string());
    let begun = begun
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end_matches('Z')
        .replace('T', " ");
    let mapping = match import.mapping.as_str() {
        "" => String::new(),
        mapping => format!(" --as {mapping}"),
    };
    let mut lines = vec![format!(
        "{}  {begun} UTC  {}  {}  {}",
        import.run,
        state(import.state(), lang),
        seen(&format!("{}{mapping}", import.source)),
        import.actor
    )];
    if !import.failure.is_empty() {
        lines.push(format!("  {}{}", lang.choose("原因：", "because of "), import.failure));
    }
    for counts in &import.counts {
        let numbers = [
            (counts.created, lang.choose("新建", "created")),
            (counts.updated, lang.choose("更新", "updated")),
            (counts.unchanged, lang.choose("未变", "unchanged")),
            (counts.refused, lang.choose("被拒", "refused")),
            (
                counts.created_references,
                lang.choose("因行中提及而新建", "created because rows name them"),
            ),
        ];
        let numbers = numbers.into_iter().filter(|(number, _)| *number > 0);
        let numbers: Vec<String> = numbers
            .map(|(number, what)| match lang {
                Lang::Zh => format!("{what} {number}"),
                Lang::En => format!("{number} {what}"),
            })
            .collect();
        let numbers = if numbers.is_empty() {
            lang.choose("无", "nothing").to_owned()
        } else {
            numbers.join(lang.choose("，", ", "))
        };
        lines.push(format!("  {}: {numbers}", counts.collection));
    }
    if import.annulled + import.restored + import.staying > 0 {
        lines.push(format!("  {}", became(import, (0, 0), false, lang)));
    }
    lines.join("\n")
}

/// What an undo did, beside what undos before it had done.
fn became(import: &Import, (annulled, restored): (i64, i64), dry_run: bool, lang: Lang) -> String {
    let (annulled, restored, stays) = (import.annulled - annulled, import.restored - restored, import.staying);
    match (lang, dry_run) {
        (Lang::Zh, false) => format!("撤回：作废 {annulled}，恢复原状 {restored}，保留 {stays}"),
        (Lang::Zh, true) => format!("将撤回：作废 {annulled}，恢复原状 {restored}，保留 {stays}"),
        (Lang::En, false) => format!("taken back: {annulled} annulled, {restored} set back; {stays} stay"),
        (Lang::En, true) => format!("would be taken back: {annulled} annulled, {restored} set back; {stays} stay"),
    }
}

/// The run of an import that is named by its resource name, its id or its run.
async fn run_of(clients: &mut [Client], given: &str) -> Result<String> {
    let id = given.strip_prefix("imports/").unwrap_or(given);
    for client in clients.iter_mut() {
        let request = GetImportRequest {
            name: format!("imports/{id}"),
            ..GetImportRequest::default()
        };
        match client.get_import(request).await {
            Ok(import) => return Ok(import.into_inner().run),
            Err(status) if matches!(status.code(), Code::NotFound | Code::InvalidArgument) => {}
            Err(status) => return Err(wire::failure(&format!("reading {given}"), &status)),
        }
    }
    Ok(id.to_owned())
}

/// Runs `mingce undo`. Exit 0 where nothing stays, 3 where something does.
///
/// # Errors
/// Where there is no such import, it is under way, or a server fails: the same command goes on where it stopped.
pub async fn undo(args: UndoArgs) -> Result<ExitCode> {
    let lang = Lang::of(args.lang);
    let mut clients = clients(&args.servers).await?;
    let run = run_of(&mut clients, &args.import).await?;
    let (mut any, mut staying) = (false, BTreeMap::new());
    let mut lines = Vec::new();
    let filter = format!("run = \"{}\"", run.replace(['"', '\\'], ""));
    for client in &mut clients {
        for import in listed(client, &filter, 2).await? {
            any = true;
            let before = (import.annulled, import.restored);
            let after = back(client, &args, &import, &mut staying).await?;
            lines.push((after, before));
        }
    }
    if !any {
        bail!(
            "{} {}",
            lang.choose("没有这样的导入：", "there is no such import:"),
            seen(&args.import)
        );
    }
    let mut out = io::stdout().lock();
    for (import, before) in &lines {
        let said = became(import, *before, args.dry_run, lang);
        writeln!(out, "{}  {}\n  {said}", import.run, seen(&import.source))?;
    }
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    for stays in staying.values().take(limit) {
        writeln!(out, "{}", why(stays, lang))?;
    }
    if let Some(more) = staying.len().checked_sub(limit).filter(|more| *more > 0) {
        let said = match lang {
            Lang::Zh => format!("另有 {more} 条保留：用 --limit 查看"),
            Lang::En => format!("{more} more stay: give a larger --limit"),
        };
        writeln!(out, "{said}")?;
    }
    Ok(if staying.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(STAYS)
    })
}

/// Takes one service's part of an import back, page by page. What stays is added to `staying`, what another service has taken back taken
/// out.
async fn back(
    client: &mut Client,
    args: &UndoArgs,
    import: &Import,
    staying: &mut BTreeMap<String, StayingRecord>,
) -> Result<Import> {
    let mut request = UndoImportRequest {
        name: import.name.clone(),
        reason: args.reason.clone(),
        validate_only: args.dry_run,
        ..UndoImportRequest::default()
    };
    let mut after = import.clone();
    let (mut first, mut elsewhere) = (true, BTreeMap::new());
    loop {
        let answer = client.undo_import(request.clone()).await;
        let answer = answer.map_err(|status| {
            let what = format!("taking {} back", import.name);
            wire::failure(&what, &status)
        })?;
        let page = answer.into_inner();
        let now = page.import.unwrap_or_default();
        if args.dry_run {
            // Each page says what it alone would do.
            after.annulled += now.annulled - import.annulled;
            after.restored += now.restored - import.restored;
            let others = if first { 0 } else { after.staying };
            let of_page = now.staying - if first { 0 } else { import.staying };
            after.staying = others + of_page;
        } else {
            after = now;
        }
        first = false;
        for stays in page.staying {
            let into = if stays.reason() == StayReason::Elsewhere {
                &mut elsewhere
            } else {
                &mut *staying
            };
            into.insert(stays.name.clone(), stays);
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    // What this service knows nothing of, another may have looked at before; what stood there is overtaken by what it says now.
    staying.retain(|name, stays| stays.reason() != StayReason::Elsewhere || elsewhere.contains_key(name));
    for (name, stays) in elsewhere {
        staying.entry(name).or_insert(stays);
    }
    Ok(after)
}

/// A record that stays, and why.
fn why(stays: &StayingRecord, lang: Lang) -> String {
    let when = stays
        .change_time
        .as_ref()
        .map_or(String::new(), |time| time.to_string());
    let when = when
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end_matches('Z')
        .replace('T', " ");
    let by = if stays.import.is_empty() {
        &stays.actor
    } else {
        &stays.import
    };
    let change = match lang {
        Lang::Zh => format!("（修订 {}，{}，{by}，{when} UTC）", stays.revision, stays.verb),
        Lang::En => format!(" (revision {}, {} by {by}, {when} UTC)", stays.revision, stays.verb),
    };
    let why = match stays.reason() {
        StayReason::ChangedSince => format!("{}{change}", lang.choose("此后有改动", "changed since")),
        StayReason::Merged => format!("{}{change}", lang.choose("此后被合并", "merged since")),
        StayReason::DecidedSince => format!("{}{change}", lang.choose("此后办理过手续", "decided since")),
        StayReason::ReferredTo => format!(
            "{}{}",
            lang.choose("被引用：", "referred to by "),
            stays.referrers.join(lang.choose("、", ", "))
        ),
        StayReason::Sealed => format!(
            "{}{}",
            lang.choose(
                "加密字段无法恢复，保持现状：",
                "sealed fields cannot be set back and stay: "
            ),
            stays.fields.join(lang.choose("、", ", "))
        ),
        StayReason::InConflict => format!(
            "{}{}",
            lang.choose("原状与现有记录冲突：", "what it was cannot stand any more: "),
            stays.detail
        ),
        StayReason::Elsewhere => lang
            .choose(
                "由另一服务管理：请用 --labs-url 等指明",
                "another service keeps it: say where, with --labs-url and the like",
            )
            .to_owned(),
        StayReason::Unspecified => String::new(),
    };
    format!("{}  {}\n  {}", stays.name, seen(&stays.display_name), seen(&why))
}
