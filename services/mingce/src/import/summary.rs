//! The table that ends an import, the first refused rows, and the first records that rows name and that are new.

use std::io::{self, Write};

use mingce_mapping::{HIDDEN, Refusal, chinese, seen};
use mingce_orm::model::identifier::holds_resident_id;
use mingce_proto::registry::CreatedReference;

use super::{KeptFields, Summary, Tally};
use crate::lang::Lang;

/// How many refused rows and new records are shown.
pub const SHOWN: usize = 20;

/// Prints what became of a file.
pub fn print(out: &mut impl Write, summary: &Summary, dry_run: bool, lang: Lang) -> io::Result<()> {
    if dry_run {
        let said = lang.choose(
            "试运行：没有写入任何内容；以下是导入将会做的事 (dry run)",
            "dry run: nothing was written; this is what an import would do",
        );
        writeln!(out, "{said}")?;
    }
    let head = match lang {
        Lang::En => ["rows", "created", "updated", "unchanged", "refused"],
        Lang::Zh => ["行数", "新建", "更新", "未变", "被拒"],
    };
    let mut line = " ".repeat(20);
    for (text, width) in head.iter().zip([10, 10, 10, 11, 9]) {
        // A Chinese sign takes two places.
        let wide = text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>();
        line.push_str(&" ".repeat(width - wide));
        line.push_str(text);
    }
    writeln!(out, "{line}")?;
    for tally in &summary.tallies {
        let Tally {
            collection,
            counts,
            created,
            updated,
            unchanged,
            refused,
            ..
        } = tally;
        writeln!(
            out,
            "{collection:20}{:>10}{created:>10}{updated:>10}{unchanged:>11}{refused:>9}",
            counts.source_rows
        )?;
    }
    for tally in &summary.tallies {
        notes(out, tally, dry_run, lang)?;
    }
    made(out, &summary.made, dry_run, lang)?;
    kept(out, &summary.kept, lang)?;
    let changed = summary.tallies.iter().any(|t| t.created + t.updated > 0) || !summary.made.is_empty();
    if changed && !summary.run.is_empty() {
        let run = &summary.run;
        let said = match lang {
            Lang::Zh => format!("本次导入 {run}；撤回：mingce undo {run} --reason …"),
            Lang::En => format!("import {run}; mingce undo {run} --reason … takes it back"),
        };
        writeln!(out, "{said}")?;
    }
    if summary.refusals.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", lang.choose("被拒的行：", "refused:"))?;
    for refusal in summary.refusals.iter().take(SHOWN) {
        writeln!(out, "  {}", told(refusal, lang))?;
    }
    match summary.refusals.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => match lang {
            Lang::En => writeln!(out, "  and {more} more; --refused FILE writes them all"),
            Lang::Zh => writeln!(out, "  还有 {more} 个；用 --refused FILE 写出全部"),
        },
    }
}

/// One refusal in one line.
pub fn told(refusal: &Refusal, lang: Lang) -> String {
    let mut line = match lang {
        Lang::En => format!("row {}", refusal.row),
        Lang::Zh => format!("第 {} 行", refusal.row),
    };
    if !refusal.column.is_empty() {
        line.push_str(&format!(", {}", seen(&refusal.column)));
    }
    // The text of a cell with an identity number in it stays off the terminal.
    if !refusal.value.is_empty() && !holds_resident_id(&refusal.value) {
        let value = shortened(&refusal.value);
        // One that has quotation marks itself, as an etag has, gets no others.
        let mark = if value.starts_with('"') { "" } else { "\"" };
        line.push_str(&format!(" {mark}{}{mark}", seen(&value)));
    }
    let description = seen(&refusal.description);
    match (lang, chinese(&refusal.reason)) {
        (Lang::Zh, Some(said)) => format!("{line}: {}: {said} ({description})", refusal.reason),
        _ => format!("{line}: {}: {description}", refusal.reason),
    }
}

/// The records that rows name and that are new, by name.
fn made(out: &mut impl Write, made: &[CreatedReference], dry_run: bool, lang: Lang) -> io::Result<()> {
    if made.is_empty() {
        return Ok(());
    }
    let head = match (lang, dry_run) {
        (Lang::En, true) => "would be created because rows name them:",
        (Lang::En, false) => "created because rows name them:",
        (Lang::Zh, true) => "将因被引用而新建：",
        (Lang::Zh, false) => "因被引用而新建：",
    };
    writeln!(out, "{head}")?;
    for record in made.iter().take(SHOWN) {
        let city = record.key.rsplit_once('|').map_or("", |(_, city)| city);
        let place = if city.is_empty() {
            String::new()
        } else {
            format!(" ({})", seen(city))
        };
        writeln!(out, "  {}: {}{place}", record.collection, seen(&record.display_name))?;
    }
    match made.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => match lang {
            Lang::En => writeln!(out, "  and {more} more; --created FILE writes them all"),
            Lang::Zh => writeln!(out, "  还有 {more} 个；用 --created FILE 写出全部"),
        },
    }
}

/// The fields that stay as people left them.
fn kept(out: &mut impl Write, kept: &[KeptFields], lang: Lang) -> io::Result<()> {
    if kept.is_empty() {
        return Ok(());
    }
    let head = lang.choose(
        "保留人工修改、未按文件更新的字段：",
        "fields that stay as people changed them:",
    );
    writeln!(out, "{head}")?;
    for record in kept.iter().take(SHOWN) {
        let (name, fields) = (seen(&record.display_name), record.fields.join(", "));
        match lang {
            Lang::En => writeln!(out, "  row {}, {name}: {fields}", record.row)?,
            Lang::Zh => writeln!(out, "  第 {} 行，{name}：{fields}", record.row)?,
        }
    }
    match kept.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => match lang {
            Lang::En => writeln!(out, "  and {more} more rows"),
            Lang::Zh => writeln!(out, "  还有 {more} 行"),
        },
    }
}

/// What the table has no column for.
fn notes(out: &mut impl Write, tally: &Tally, dry_run: bool, lang: Lang) -> io::Result<()> {
    let mut notes = Vec::new();
    let joined = tally.counts.joined;
    if joined > 0 {
        notes.push(match lang {
            Lang::En => format!("{joined} rows joined to an earlier row of the same resource"),
            Lang::Zh => format!("{joined} 行并入同一条记录的前一行"),
        });
    }
    for (reason, count) in &tally.counts.skipped {
        notes.push(match lang {
            Lang::En => format!("{count} skipped: {}", seen(reason)),
            Lang::Zh if reason == HIDDEN => format!("跳过 {count} 行：在表中被隐藏或筛掉"),
            Lang::Zh => format!("跳过 {count} 行：{}", seen(reason)),
        });
    }
    for (collection, count) in &tally.references {
        notes.push(match (lang, dry_run) {
            (Lang::En, true) => format!("{count} {collection} that rows name would be created, unverified"),
            (Lang::En, false) => format!("{count} {collection} that rows name created, unverified"),
            (Lang::Zh, true) => format!("将新建 {count} 条被引用的 {collection} 记录（未核实）"),
            (Lang::Zh, false) => format!("已新建 {count} 条被引用的 {collection} 记录（未核实）"),
        });
    }
    let unclear = tally.unclear;
    if unclear > 0 {
        notes.push(match lang {
            Lang::En => format!("of {unclear} rows it is not known what became of them"),
            Lang::Zh => format!("有 {unclear} 行不知结果如何"),
        });
    }
    if notes.is_empty() {
        return Ok(());
    }
    let (colon, between) = (lang.choose("：", ": "), lang.choose("；", "; "));
    writeln!(out, "{}{colon}{}", tally.collection, notes.join(between))
}

fn shortened(value: &str) -> String {
    let mut text: String = value.chars().take(80).collect();
    if text.len() < value.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mingce_mapping::Counts;

    use super::*;

    fn refusal(value: &str, reason: &str) -> Refusal {
        Refusal {
            row: 7,
            rows: vec![5, 6, 7],
            column: "name".to_owned(),
            value: value.to_owned(),
            personal: false,
            reason: reason.to_owned(),
            description: "give a city".to_owned(),
        }
    }

    #[test]
    fn the_summary_says_what_became_of_each_row() {
        let skipped = BTreeMap::from([("no prize".to_owned(), 6)]);
        let counts = Counts {
            source_rows: 975,
            resources: 579,
            joined: 390,
            refused: 0,
            skipped,
        };
        let references = BTreeMap::from([("organizations".to_owned(), 334)]);
        let tally = Tally {
            counts,
            created: 578,
            refused: 1,
            references,
            ..Tally::new("awards")
        };
        let made = CreatedReference {
            collection: "organizations".to_owned(),
            key: "甲大学|青岛".to_owned(),
            display_name: "甲大学".to_owned(),
            name: String::new(),
        };
        let summary = Summary {
            run: String::new(),
            tallies: vec![tally],
            refusals: vec![refusal(&"x".repeat(90), "REFERENCE_AMBIGUOUS"); 22],
            made: vec![made; 21],
            kept: Vec::new(),
        };
        let mut out = Vec::new();
        print(&mut out, &summary, false, Lang::En).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[1],
            "awards                     975       578         0          0        1"
        );
        assert_eq!(
            lines[2],
            "awards: 390 rows joined to an earlier row of the same resource; 6 skipped: no prize; 334 organizations that rows name created, unverified"
        );
        assert_eq!(lines[3], "created because rows name them:");
        assert_eq!(lines[4], "  organizations: 甲大学 (青岛)");
        assert_eq!(lines[24], "  and 1 more; --created FILE writes them all");
        assert_eq!(
            lines[26],
            format!(
                "  row 7, name \"{}…\": REFERENCE_AMBIGUOUS: give a city",
                "x".repeat(80)
            )
        );
        assert_eq!(lines.last(), Some(&"  and 2 more; --refused FILE writes them all"));

        let mut out = Vec::new();
        print(&mut out, &summary, true, Lang::Zh).unwrap();
        let text = String::from_utf8(out).unwrap();
        let notes = "awards：390 行并入同一条记录的前一行；跳过 6 行：no prize；将新建 334 条被引用的 organizations 记录（未核实）";
        assert!(text.lines().any(|line| line == notes), "{text}");
    }

    #[test]
    fn values_stand_as_people_see_them_and_documents_not_at_all() {
        let shown = told(&refusal("孙\u{3000}示六", "REFERENCE_AMBIGUOUS"), Lang::Zh);
        assert_eq!(
            shown,
            "第 7 行, name \"孙\u{3000}示六\": REFERENCE_AMBIGUOUS: 有几条记录同名，见下；请补充标识或城市，若是重复记录，请用 mingce merge 合并 (give a city)"
        );
        let etag = told(&refusal("\"r9\"", "ETAG_MISMATCH"), Lang::En);
        assert_eq!(etag, "row 7, name \"r9\": ETAG_MISMATCH: give a city");
        let hidden = told(
            &refusal("张三 370102198001019876", "IDENTITY_DOCUMENT_IN_CLEAR"),
            Lang::En,
        );
        assert_eq!(hidden, "row 7, name: IDENTITY_DOCUMENT_IN_CLEAR: give a city");
        assert_eq!(
            told(&refusal("a\u{1b}[2J", "NEW_REASON"), Lang::Zh),
            "第 7 行, name \"a<U+001B>[2J\": NEW_REASON: give a city"
        );
    }
}
