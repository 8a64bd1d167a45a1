//! Due work on the command line: one table, also over services in processes of their own.

use super::*;

pub async fn the_command_line_lists_what_is_due(store: Store) {
    let year = Everything::begin(store, None).await;
    let register = &year.register;
    let printed = register.cli(&["due", "--until", "2025-12-31"]).succeeded();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 15, "{printed}");
    assert!(lines[0].starts_with("due "), "{printed}");
    assert!(lines[1].starts_with("2022-01-01  overdue  evaluation"), "{printed}");
    assert!(printed.contains("reviewer 评甲"), "{printed}");
    let printed = register
        .cli(&["due", "--lang", "zh", "--actor", "reviewer"])
        .succeeded();
    assert!(
        printed.contains("评审专家 评乙") && !printed.contains("经办处室"),
        "{printed}"
    );
    let printed = register
        .cli(&["due", "--json", "--kind", "objection", "--case", &year.objected])
        .succeeded();
    let json: serde_json::Value = serde_json::from_str(printed.trim()).unwrap();
    assert_eq!(
        (json["due"].as_str(), json["actor"].as_str(), json["caseName"].as_str()),
        (
            Some("DUE_KIND_OBJECTION"),
            Some("DUE_ACTOR_OFFICE"),
            Some(year.objected.as_str())
        )
    );
    let printed = register
        .cli(&["due", "--overdue", "--collection", "rounds"])
        .succeeded();
    assert_eq!(printed, "nothing is due\n");
    let printed = register
        .cli(&["due", "--until", "2025-12-31", "--limit", "2"])
        .succeeded();
    assert!(printed.ends_with("there is more: give a larger --limit\n"), "{printed}");
    let said = register.cli(&["due", "--until", "2025-02-30"]).failed_with_one_line();
    assert!(said.contains("2025-02-30"), "{said}");
    let said = register
        .cli(&["due", "--collection", "lab-designations"])
        .failed_with_one_line();
    assert!(said.contains("use labDesignations"), "{said}");
}

pub async fn three_processes_are_asked_for_one_list(store: Store) {
    let labs = Register::start_with(store, &["labs"]).await;
    let talent = Register::start_with(store, &["talent", "--labs-url", &labs.url()]).await;
    let flags = ["awards", "--labs-url", &labs.url(), "--talent-url", &talent.url()];
    let awards = Register::start_with(store, &flags).await;
    programme(&talent, "p", "").await;
    recorded_title(&talent, "赵甲", "p", ["2019-01-01", "2022-12-31"]).await;
    let lab = recorded_lab(
        &labs,
        "试远室",
        of_lab(LabDesignationState::Operating, "2015-01-01", ""),
    )
    .await;
    recorded_title(&talent, "赵乙", "p", ["2010-01-01", "2013-12-31"]).await;
    let urls = [labs.url(), talent.url(), awards.url()];
    let at = |rest: &[&str]| {
        let own = [
            "due",
            "--labs-url",
            &urls[0],
            "--talent-url",
            &urls[1],
            "--awards-url",
            &urls[2],
        ];
        let args: Vec<&str> = own.into_iter().chain(rest.iter().copied()).collect();
        labs.cli(&args)
    };
    let printed = at(&[]).succeeded();
    let days: Vec<&str> = printed.lines().skip(1).map(|line| &line[..10]).collect();
    assert_eq!(days, ["2013-12-31", "2017-01-01", "2022-12-31"], "{printed}");
    // A case and a collection that one of them has.
    let printed = at(&["--case", &lab.name]).succeeded();
    assert_eq!(printed.lines().count(), 2, "{printed}");
    let printed = at(&["--collection", "talentDesignations", "--limit", "1"]).succeeded();
    assert!(printed.contains("赵乙") && !printed.contains("赵甲"), "{printed}");
    let said = at(&["--collection", "labs"]).failed_with_one_line();
    assert!(said.contains("unknown collection"), "{said}");
}
