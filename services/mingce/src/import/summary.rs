//! The table that ends an import, and the first refused rows.

use std::io::{self, Write};

use super::{Summary, Tally};

/// How many refused rows are shown.
pub const SHOWN: usize = 20;

/// Prints what became of a file.
pub fn print(out: &mut impl Write, summary: &Summary, dry_run: bool) -> io::Result<()> {
    if dry_run {
        writeln!(out, "dry run: nothing was written; this is what an import would do")?;
    }
    let head = ["", "rows", "created", "updated", "unchanged", "refused"];
    writeln!(
        out,
        "{:20}{:>10}{:>10}{:>10}{:>11}{:>9}",
        head[0], head[1], head[2], head[3], head[4], head[5]
    )?;
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
        notes(out, tally, dry_run)?;
    }
    if summary.refusals.is_empty() {
        return Ok(());
    }
    writeln!(out, "refused:")?;
    for refusal in summary.refusals.iter().take(SHOWN) {
        let mut line = format!("  row {}", refusal.row);
        if !refusal.column.is_empty() {
            line.push_str(&format!(", {}", refusal.column));
        }
        if !refusal.value.is_empty() {
            line.push_str(&format!(" {:?}", shortened(&refusal.value)));
        }
        writeln!(out, "{line}: {}: {}", refusal.reason, refusal.description)?;
    }
    match summary.refusals.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more; --refused FILE writes them all"),
    }
}

/// What the table has no column for.
fn notes(out: &mut impl Write, tally: &Tally, dry_run: bool) -> io::Result<()> {
    let mut notes = Vec::new();
    if tally.counts.joined > 0 {
        notes.push(format!(
            "{} rows joined to an earlier row of the same resource",
            tally.counts.joined
        ));
    }
    for (reason, count) in &tally.counts.skipped {
        notes.push(format!("{count} skipped: {reason}"));
    }
    for (collection, count) in &tally.references {
        let made = if dry_run { "would be created" } else { "created" };
        notes.push(format!("{count} {collection} that rows name {made}, unverified"));
    }
    if notes.is_empty() {
        Ok(())
    } else {
        writeln!(out, "{}: {}", tally.collection, notes.join("; "))
    }
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

    use mingce_mapping::{Counts, Refusal};

    use super::*;

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
            collection: "awards",
            counts,
            created: 578,
            updated: 0,
            unchanged: 0,
            refused: 1,
            references,
        };
        let refusal = Refusal {
            row: 7,
            rows: vec![5, 6, 7],
            column: "name".to_owned(),
            value: "x".repeat(90),
            personal: false,
            reason: "REFERENCE_AMBIGUOUS".to_owned(),
            description: "give a city".to_owned(),
        };
        let summary = Summary {
            tallies: vec![tally],
            refusals: vec![refusal; 22],
        };
        let mut out = Vec::new();
        print(&mut out, &summary, false).unwrap();
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
        assert_eq!(
            lines[4],
            format!(
                "  row 7, name \"{}…\": REFERENCE_AMBIGUOUS: give a city",
                "x".repeat(80)
            )
        );
        assert_eq!(lines.last(), Some(&"  and 2 more; --refused FILE writes them all"));
    }
}
