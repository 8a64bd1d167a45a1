//! `mingce check`: what a file holds, and whether a mapping reads it. It needs no server and changes nothing.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use mingce_mapping::{HIDDEN, Item, Mapping, Options, Refusal, Source, Survey};

use crate::import::{collection, told_refusal};
use crate::lang::Lang;

/// How many refused rows are shown.
const SHOWN: usize = 20;

/// What `mingce check` takes.
#[derive(clap::Args, Clone, Debug)]
pub struct CheckArgs {
    /// The file: CSV or XLSX.
    pub file: PathBuf,
    /// Reads it by this mapping and tells what it would refuse: one that ships, a collection, or a TOML file.
    #[arg(long = "as", value_name = "MAPPING")]
    pub mapping: Option<String>,
    /// The sheet of a workbook; the first that is not hidden where none is named.
    #[arg(long)]
    pub sheet: Option<String>,
    /// What a draft is for: organizations, labs or talents; told from the headers where none is named.
    #[arg(long, value_name = "COLLECTION")]
    pub collection: Option<String>,
    /// Writes the draft of a mapping to this new file instead of showing it.
    #[arg(long, value_name = "FILE")]
    pub draft: Option<PathBuf>,
    /// Language of what is said; that of the system where none is named.
    #[arg(long, value_enum)]
    pub lang: Option<Lang>,
}

/// Runs the command: 3 where the mapping refuses rows.
///
/// # Errors
/// Where the file or the mapping cannot be used.
pub fn run(args: &CheckArgs) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    if let Some(name) = &args.mapping {
        return with(name, args, &mut out);
    }
    let options = Options {
        sheet: args.sheet.clone(),
        ..Options::default()
    };
    let survey = Survey::of(&args.file, &options)?;
    let lang = Lang::of(args.lang);
    told(&survey.source, &mut out, lang)?;
    if survey.columns.is_empty() {
        let said = lang.choose(
            "JSON 行：请用 --as 指定一个集合导入",
            "JSON lines: import them `--as` a collection",
        );
        writeln!(out, "{said}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = survey.header.iter().map(u64::to_string).collect();
    match lang {
        Lang::En => writeln!(
            out,
            "headers seem to be in row {} (表头似乎在第{}行)",
            rows.join(", "),
            rows.join("、")
        )?,
        Lang::Zh => writeln!(out, "表头似乎在第{}行", rows.join("、"))?,
    }
    writeln!(out)?;
    for column in &survey.columns {
        let words = column.guess.words();
        writeln!(out, "{}\t{}\t{}\t{words}", column.letter, column.name, column.example)?;
    }
    let label = args.collection.as_deref().unwrap_or(survey.collection());
    let draft = survey.draft(collection(label)?)?;
    match &args.draft {
        Some(path) => {
            let mut file = std::fs::File::create_new(path).with_context(|| path.display().to_string())?;
            file.write_all(draft.as_bytes())?;
            let said = lang.choose("映射草稿已写入", "the draft of a mapping is in");
            writeln!(out, "\n{said} {}", path.display())?;
        }
        None => write!(out, "\n{draft}")?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What a workbook says of its sheets and rows.
fn told(source: &Source, out: &mut dyn Write, lang: Lang) -> Result<()> {
    for sheet in source.sheets() {
        let read = match sheet.name == source.sheet() {
            true => lang.choose("，读取此表", ", this one"),
            false => "",
        };
        let hidden = match sheet.hidden {
            true => lang.choose("，隐藏", ", hidden (隐藏)"),
            false => "",
        };
        writeln!(out, "{} {}{hidden}{read}", lang.choose("工作表", "sheet"), sheet.name)?;
    }
    let rows = source.approximate_rows();
    match lang {
        Lang::En => writeln!(out, "about {rows} rows")?,
        Lang::Zh => writeln!(out, "约 {rows} 行")?,
    }
    match (source.hidden_rows(), lang) {
        ((0, false), _) => {}
        ((0, true), _) => {
            let said = lang.choose("设有筛选，但没有隐藏的行", "a filter is set and hides nothing");
            writeln!(out, "{said}")?;
        }
        ((rows, filter), Lang::En) => writeln!(
            out,
            "{rows} rows are hidden{} (有隐藏或被筛选的行): a mapping says `hidden = \"read\"` or `hidden = \"skip\"`",
            if filter { ", a filter is set" } else { "" }
        )?,
        ((rows, filter), Lang::Zh) => writeln!(
            out,
            "有 {rows} 行被隐藏{}：在映射中写明 hidden = \"read\" 或 hidden = \"skip\"",
            if filter { "（设有筛选）" } else { "" }
        )?,
    }
    Ok(())
}

/// Reads the file by a mapping and tells what it refuses.
fn with(name: &str, args: &CheckArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let mapping = Mapping::find(name)?;
    let mut options = mapping.options();
    options.sheet = args.sheet.clone().or(options.sheet);
    let source = Source::open(&args.file, &options)?;
    let lang = Lang::of(args.lang);
    told(&source, out, lang)?;
    mapping.check(&source)?;
    let mut any = false;
    for part in mapping.parts() {
        let (mut shown, mut reasons) = (Vec::new(), BTreeMap::<String, u64>::new());
        let counts = part.read(&mapping, &source, &mut |item| {
            if let Item::Refused(refusals) = item {
                for refusal in refusals {
                    *reasons.entry(refusal.reason.clone()).or_default() += 1;
                    shown.push(refusal);
                }
            }
            Ok(true)
        })?;
        // Rows that are joined are told at the end.
        shown.sort_by_key(|refusal: &Refusal| refusal.row);
        any |= counts.refused > 0;
        let label = part.collection().label;
        match lang {
            Lang::En => writeln!(out, "{label}: {} read, {} refused", counts.resources, counts.refused)?,
            Lang::Zh => writeln!(out, "{label}：读取 {}，被拒 {}", counts.resources, counts.refused)?,
        }
        for (reason, count) in &counts.skipped {
            match lang {
                Lang::En => writeln!(out, "  passed over, {reason}: {count}")?,
                Lang::Zh if reason == HIDDEN => writeln!(out, "  跳过，在表中被隐藏或筛掉：{count}")?,
                Lang::Zh => writeln!(out, "  跳过，{reason}：{count}")?,
            }
        }
        for (reason, count) in &reasons {
            writeln!(out, "  {reason}: {count}")?;
        }
        for refusal in shown.iter().take(SHOWN) {
            writeln!(out, "  {}", told_refusal(refusal, lang))?;
        }
    }
    Ok(if any { ExitCode::from(3) } else { ExitCode::SUCCESS })
}
