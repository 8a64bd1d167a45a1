//! The same file again, of more rows than one group: what was decided of its rows is found piece by piece, and is kept
//! for 400 days. Rows that name what stands behind them come in the first time.

use std::collections::BTreeMap;
use std::fs;

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::Organization;
use mingce_proto::registry::{ImportSettings, RowOutcome};

use crate::builders::{identifier, organization};
use crate::imports::{newest, sent, sent_from};

on_both_stores!(
    what_was_decided_of_rows_is_kept_for_400_days,
    what_was_decided_of_rows_is_found_piece_by_piece,
    rows_that_name_what_stands_behind_them_come_in_the_first_time,
    rows_that_name_what_stands_behind_them_come_in_when_a_file_is_sent_in_several_calls,
    new_rows_behind_many_that_are_known_end_as_they_do_alone,
);

/// An organization that is known by its number; it belongs to the one with the other number, where there is one.
fn body(number: &str, parent: &str) -> Organization {
    let parent = match parent {
        "" => String::new(),
        parent => format!("number:{parent}"),
    };
    Organization {
        identifiers: vec![identifier(number)],
        parent,
        ..organization(&format!("示例单位{number}"))
    }
}

/// An import of the file whose SHA-256 is written with this digit.
fn of_file(digit: char, run: &str) -> ImportSettings {
    ImportSettings {
        source: "名单.jsonl".to_owned(),
        source_sha256: digit.to_string().repeat(64),
        run: run.to_owned(),
        ..ImportSettings::default()
    }
}

/// How rows ended, or why they were refused, each with how many.
fn ends(outcomes: &[RowOutcome]) -> Vec<(&str, usize)> {
    let mut ends = BTreeMap::new();
    for outcome in outcomes {
        let end = match outcome.problems.first() {
            Some(problem) => problem.reason.as_str(),
            None => outcome.outcome().as_str_name(),
        };
        *ends.entry(end).or_insert(0) += 1;
    }
    ends.into_iter().collect()
}

/// Makes pairs of which one belongs to the other, and answers a file with two rows for each. The first one closes a
/// circle, and is refused. After the second one it would close none.
async fn pairs(register: &Register, count: usize) -> Vec<Organization> {
    let number = |which: &str, pair: usize| format!("{which}{pair}");
    let (mut upper, mut lower, mut file) = (vec![body("top", "")], Vec::new(), Vec::new());
    for pair in 0..count {
        let (up, low) = (number("u", pair), number("l", pair));
        upper.push(body(&up, ""));
        lower.push(body(&low, &up));
        file.extend([body(&up, &low), body(&low, "top")]);
    }
    for rows in [&upper, &lower] {
        let made = sent(register, ImportSettings::default(), rows).await;
        assert_eq!(ends(&made), [("OUTCOME_CREATED", rows.len())]);
    }
    file
}

/// What a row would make is drafted ahead or not, by how the rows before it ended.
async fn new_rows_behind_many_that_are_known_end_as_they_do_alone(store: Store) {
    let register = Register::start(store).await;
    let mut rows: Vec<Organization> = (0..1_100).map(|n| body(&format!("k{n}"), "")).collect();
    let made = sent(&register, ImportSettings::default(), &rows).await;
    assert_eq!(ends(&made), [("OUTCOME_CREATED", 1_100)]);
    let new = [
        body("n1", ""),
        Organization {
            name: "organizations/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
            ..body("n2", "k1")
        },
        Organization {
            display_name: " ".to_owned(),
            ..body("n3", "")
        },
        Organization {
            website: "x".repeat(5_000),
            ..body("n4", "")
        },
        Organization {
            division_code: "99".to_owned(),
            ..body("n5", "")
        },
    ];
    let tried = ImportSettings {
        validate_only: true,
        ..ImportSettings::default()
    };
    let said = |outcomes: &[RowOutcome]| {
        let said = outcomes.iter().map(|one| (one.outcome(), one.problems.clone()));
        said.collect::<Vec<_>>()
    };
    let alone = said(&sent(&register, tried.clone(), &new).await);
    assert_eq!(
        alone.iter().filter(|(_, problems)| problems.is_empty()).count(),
        2,
        "{alone:?}"
    );
    rows.extend(new);
    for settings in [tried, ImportSettings::default()] {
        let outcomes = sent(&register, settings, &rows).await;
        assert_eq!(ends(&outcomes[..1_100]), [("OUTCOME_UNCHANGED", 1_100)]);
        assert_eq!(said(&outcomes[1_100..]), alone);
    }
    let again = sent(&register, ImportSettings::default(), &rows).await;
    assert_eq!(ends(&again[..1_102]), [("OUTCOME_UNCHANGED", 1_102)]);
}

async fn what_was_decided_of_rows_is_kept_for_400_days(store: Store) {
    const MEANT: &str = "SELECT COUNT(*) FROM import_seen WHERE length(seen) > 0";
    const DECIDED: &str = "SELECT COUNT(*) FROM import_seen WHERE length(decided) > 0";
    let mut register = Register::start(store).await;
    let file = pairs(&register, 1).await;
    let first = sent(&register, of_file('a', "first"), &file).await;
    assert_eq!(ends(&first), [("OUTCOME_UPDATED", 1), ("PARENT_CYCLE", 1)]);
    register.stop();
    let noted = register.number(DECIDED).await;
    assert!(noted > 0 && register.number(MEANT).await > 0);
    let mut age = 0_i64;
    for (days, end, kept) in [
        (2, "ROW_REFUSED_BEFORE", noted),
        (399, "ROW_REFUSED_BEFORE", noted),
        (401, "OUTCOME_UPDATED", 0),
    ] {
        let passed = (days - age) * 24 * 3600 * 1_000_000;
        let older = format!("UPDATE import_seen SET create_time = create_time - {passed}");
        register.execute(&older).await;
        age = days;
        // A register looks when it starts for what it need not keep.
        register.restart();
        let dry = ImportSettings {
            validate_only: true,
            ..of_file('a', "")
        };
        let again = sent(&register, dry, &file).await;
        assert_eq!(ends(&again), [("OUTCOME_UNCHANGED", 1), (end, 1)], "{days} days");
        register.stop();
        // What the rows meant is kept for a day, for further calls of the same import.
        let found = (register.number(MEANT).await, register.number(DECIDED).await);
        assert_eq!(found, (0, kept), "{days} days");
    }
}

async fn what_was_decided_of_rows_is_found_piece_by_piece(store: Store) {
    const PAIRS: usize = 1100;
    let register = Register::start(store).await;
    let file = pairs(&register, PAIRS).await;
    // What is noted at the end of a call ends elsewhere than a piece of a call with all rows does.
    let mut first = Vec::new();
    for (rows, from) in file.chunks(700).zip((1..).step_by(700)) {
        first.extend(sent_from(from, &register, of_file('a', "first"), rows).await);
    }
    assert_eq!(ends(&first), [("OUTCOME_UPDATED", PAIRS), ("PARENT_CYCLE", PAIRS)]);
    for run in ["second", "third"] {
        let again = sent(&register, of_file('a', run), &file).await;
        let expected = [("OUTCOME_UNCHANGED", PAIRS), ("ROW_REFUSED_BEFORE", PAIRS)];
        assert_eq!(ends(&again), expected, "{run} time");
    }
    // It is by what was decided that they are refused: of another file nothing was.
    let dry = ImportSettings {
        validate_only: true,
        ..of_file('b', "")
    };
    let other = sent(&register, dry, &file[..200]).await;
    assert_eq!(ends(&other), [("OUTCOME_UNCHANGED", 100), ("OUTCOME_UPDATED", 100)]);
}

async fn rows_that_name_what_stands_behind_them_come_in_the_first_time(store: Store) {
    let register = Register::start(store).await;
    // More than are taken together, and the first of them only after others that name something themselves.
    let number = |which: &str, n: usize| format!("{which}{n}");
    let low = (0..1200).map(|n| body(&number("a", n), &number("b", n)));
    let middle = (0..1200).map(|n| body(&number("b", n), &number("c", n % 100)));
    let high = (0..100).map(|n| body(&number("c", n), ""));
    let file: Vec<Organization> = low.chain(middle).chain(high).collect();
    let first = sent(&register, of_file('a', "first"), &file).await;
    assert_eq!(ends(&first), [("OUTCOME_CREATED", 2500)]);
    for ((outcome, row), body) in first.iter().zip(1..).zip(&file) {
        assert_eq!((outcome.row, &outcome.display_name), (row, &body.display_name));
    }
    let counts = newest(&register).await.counts.remove(0);
    assert_eq!((counts.created, counts.refused), (2500, 0));
    // The same file, and another one with the same rows, each of which is looked at.
    for (digit, run) in [('a', "second"), ('b', "other")] {
        let again = sent(&register, of_file(digit, run), &file).await;
        assert_eq!(ends(&again), [("OUTCOME_UNCHANGED", 2500)], "{run}");
    }
}

async fn rows_that_name_what_stands_behind_them_come_in_when_a_file_is_sent_in_several_calls(store: Store) {
    let register = Register::start(store).await;
    let line = |number: &str, parent: &str| {
        let body = body(number, parent);
        let held = &body.identifiers[0];
        let line = serde_json::json!({
            "displayName": body.display_name,
            "identifiers": [{"scheme": held.scheme, "value": held.value}],
            "parent": body.parent,
        });
        format!("{line}\n")
    };
    // A call takes 2,000 rows: what the first ones name stands two calls behind them, and itself names the last one.
    let low = (0..2100).map(|n| line(&format!("a{n}"), &format!("b{}", n % 2050)));
    let middle = (0..2050).map(|n| line(&format!("b{n}"), "c"));
    let last = [line("nobody", "nothing"), line("c", "")];
    let file: String = low.chain(middle).chain(last).collect();
    fs::write(register.folder().join("名单.jsonl"), file).unwrap();
    let ends = [[4151, 0, 0, 1], [4151, 0, 0, 1], [0, 0, 4151, 1]];
    for (more, ends) in [&["--dry-run"][..], &[], &[]].into_iter().zip(ends) {
        let command = [
            "import",
            "名单.jsonl",
            "--as",
            "organizations",
            "--refused",
            "refused.jsonl",
        ];
        let ran = register.cli(&[&command, more].concat());
        assert_eq!(
            crate::public_files::table(&ran.stdout),
            [("organizations".to_owned(), ends)],
            "{ran:?}"
        );
        let refused = fs::read_to_string(register.folder().join("refused.jsonl")).unwrap();
        assert!(refused.contains("nobody") && refused.lines().count() == 1, "{refused}");
        if more.is_empty() {
            let [created, _, unchanged, refused] = ends.map(|count| i64::try_from(count).unwrap());
            let counts = newest(&register).await.counts.remove(0);
            assert_eq!(
                (counts.created, counts.unchanged, counts.refused),
                (created, unchanged, refused)
            );
        }
    }
}
