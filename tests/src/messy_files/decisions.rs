//! Decisions on labs and on persons, and what is wrong with lists of them.

use serde_json::{Value, json};

use super::talents::serial;
use super::world::{World, text};
use super::{Form, Kind, Record, Subject, common, kind, only};

/// Decisions on labs.
pub static LABS: Subject = Subject {
    collection: "labDesignations",
    columns: &["编号", "层级", "计划", "证书", "文号", "批准", "状态"],
    headers: &[&["编号", "层级", "计划", "证书", "文号", "批准", "状态"]],
    above: 0,
    text: ("utf-16le", '\t'),
    mapping: r#"
[[part]]
collection = "labDesignations"

[part.fields]
lab = { identifier = { scheme = "number", value = "{编号}" } }
level = "{层级}"
programme = "{计划}"
number = "{证书}"
document_number = "{文号}"
decision_date = { from = "{批准}", date = "partial" }
state = "{状态}"
"#,
    clean: lab,
    kinds: &OF_LABS,
    before: common::nothing_before,
    project: |of| project(of, text(&of["lab"]["displayName"]), text(&of["programme"])),
};

/// Decisions on persons.
pub static TALENTS: Subject = Subject {
    collection: "talentDesignations",
    columns: &["编号", "计划", "证书", "文号", "批准", "状态"],
    headers: &[&["编号", "计划", "证书", "文号", "批准", "状态"]],
    above: 0,
    text: ("gb18030", ','),
    mapping: r#"
[[part]]
collection = "talentDesignations"

[part.fields]
talent = { identifier = { scheme = "staff", value = "{编号}" } }
programme = { code = { from = "{计划}", clean = ["halfwidth", "lower"] } }
number = "{证书}"
document_number = "{文号}"
decision_date = { from = "{批准}", date = "partial" }
state = "{状态}"
"#,
    clean: talent,
    kinds: &OF_TALENTS,
    before: common::nothing_before,
    project: |of| {
        project(
            of,
            text(&of["talent"]["displayName"]),
            text(&of["programme"]["displayName"]),
        )
    },
};

fn lab(world: &mut World, number: usize) -> (Vec<String>, Record) {
    let (held, name) = world.lab();
    decision(
        world,
        number,
        held,
        name,
        Some("市级"),
        ("青岛市重点实验室", "青岛市重点实验室"),
        ("运行", "LAB_DESIGNATION_STATE_OPERATING"),
    )
}

fn talent(world: &mut World, number: usize) -> (Vec<String>, Record) {
    let (held, name) = world.talent();
    decision(
        world,
        number,
        held,
        name,
        None,
        ("messy-plan", "虚构计划"),
        ("管理期内", "TALENT_DESIGNATION_STATE_IN_TERM"),
    )
}

fn decision(
    world: &mut World,
    number: usize,
    held: String,
    name: String,
    level: Option<&str>,
    (plan, programme): (&str, &str),
    (word, state): (&str, &str),
) -> (Vec<String>, Record) {
    let day = format!(
        "20{:02}-{:02}-{:02}",
        10 + world.rng.below(14),
        1 + world.rng.below(12),
        1 + world.rng.below(28)
    );
    let mut cells = vec![
        held,
        plan.to_owned(),
        format!("ZS-{number:06}"),
        format!("虚构〔{}〕{number}号", &day[..4]),
        day.clone(),
        word.to_owned(),
    ];
    if let Some(level) = level {
        cells.insert(1, level.to_owned());
    }
    let record = json!({
        "of": name,
        "level": "LEVEL_MUNICIPAL",
        "programme": programme,
        "number": cells[cells.len() - 4],
        "document": cells[cells.len() - 3],
        "day": day,
        "state": state,
    });
    (cells, record.as_object().unwrap().clone())
}

fn project(of: &Value, whose: Value, programme: Value) -> Record {
    let record = json!({
        "of": whose,
        "level": text(&of["level"]),
        "programme": programme,
        "number": text(&of["number"]),
        "document": text(&of["documentNumber"]),
        "day": text(&of["decisionDate"]),
        "state": text(&of["state"]),
    });
    record.as_object().unwrap().clone()
}

/// What is wrong with any decision.
const SHARED: [Kind; 24] = [
    kind("a day in other forms", |s| {
        let day = s.get("批准");
        let (year, month, date) = (
            &day[..4],
            day[5..7].trim_start_matches('0'),
            day[8..].trim_start_matches('0'),
        );
        let forms = [
            format!("{year}/{month}/{date}"),
            format!("{year}.{month}.{date}"),
            format!("{year}年{month}月{date}日"),
            day.replace('-', ""),
            format!("{day} 00:00:00"),
        ];
        s.set("批准", &forms[s.number % 5]);
    }),
    only(Form::Book, "a day that a spreadsheet keeps as a number", |s| {
        let day = s.get("批准");
        let format = ["yyyy-mm-dd", "General"][s.number % 2];
        s.set_number("批准", serial(&day).to_string(), format);
    }),
    kind("the number of a day as a text", |s| {
        let day = s.get("批准");
        s.set("批准", serial(&day).to_string());
    }),
    kind("a time with its zone", |s| {
        let forms = [
            ("2024-06-30T16:30:00Z", "2024-07-01"),
            ("2024-07-01T00:30:00+08:00", "2024-07-01"),
            ("2024-02-28T15:59:59Z", "2024-02-28"),
        ];
        let (written, day) = forms[s.number % 3];
        s.set("批准", written);
        s.makes("day", day);
    }),
    kind("a month or a year alone", |s| {
        let forms = [
            ("2024年3月", "2024-03"),
            ("2024-03", "2024-03"),
            ("2024.3", "2024-03"),
            ("2024", "2024"),
        ];
        let (written, day) = forms[s.number % 4];
        s.set("批准", written);
        s.makes("day", day);
    }),
    kind("a day that there is not", |s| {
        let forms = ["2023-02-29", "2024-13-01", "2024年4月31日"];
        s.set("批准", forms[s.number % 3]);
        s.refused("DATE_INVALID");
    }),
    kind("a date with the day in front", |s| {
        let forms = ["30.06.2024", "6/30/24", "30-6-2024"];
        s.set("批准", forms[s.number % 3]);
        s.refused("DATE_INVALID");
    }),
    kind("a month of five digits", |s| {
        s.set("批准", "20243");
        s.refused("DATE_AMBIGUOUS");
    }),
    only(Form::Book, "January or October", |s| {
        s.set_number("批准", "2010.1", "General");
        s.refused("DATE_AMBIGUOUS");
    }),
    kind("a year that cannot be", |s| {
        s.set("批准", "2924-06-30");
        s.refused("YEAR_IMPLAUSIBLE");
    }),
    kind("somebody that there is not", |s| {
        s.set("编号", "NIX-1");
        s.refused("REFERENCE_NOT_FOUND");
    }),
    kind("nobody", |s| {
        s.set("编号", "");
        s.refused("REFERENCE_NOT_FOUND");
    }),
    kind("the number of a thing in full width", |s| common::wide(s, "编号")),
    kind("another dash in the number of a thing", |s| common::dashes(s, "编号")),
    kind("a certificate in full width", |s| common::wide(s, "证书")),
    kind("another dash in a certificate", |s| common::dashes(s, "证书")),
    kind("characters without width in a certificate", |s| {
        common::unseen(s, "证书")
    }),
    kind("a damaged document", |s| common::damaged(s, "文号")),
    kind("a decision that is not made yet", |s| {
        s.set("状态", "草稿");
        s.refused("STATE_UNDECIDED");
    }),
    kind("a word that is no state", |s| {
        s.set("状态", "某种状态");
        s.refused("ENUM_VALUE_UNKNOWN");
    }),
    kind("a second row of the same certificate", |s| {
        common::twice(s, "文号", "虚构〔2001〕1号")
    }),
    kind("the same row twice", common::doubled),
    only(Form::Book, "a hidden row", common::hidden),
    kind("a failed formula", |s| common::failed(s, "文号")),
];

static OF_LABS: [Kind; 28] = with(
    SHARED,
    [
        kind("a level that there is not", |s| {
            s.set("层级", "镇级");
            s.refused("ENUM_VALUE_UNKNOWN");
        }),
        kind("a programme in radicals", |s| common::radicals(s, "计划")),
        kind("characters without width in a programme", |s| common::unseen(s, "计划")),
        only(Form::Text, "a separator that is not quoted", common::long),
    ],
);

static OF_TALENTS: [Kind; 28] = with(
    SHARED,
    [
        kind("a programme that there is not", |s| {
            s.set("计划", "nix");
            s.refused("REFERENCE_NOT_FOUND");
        }),
        kind("a programme in full width and capitals", |s| common::wide(s, "计划")),
        kind("the number of an identity card in clear", |s| {
            common::in_clear(s, "文号")
        }),
        only(Form::Text, "a separator that is not quoted", common::long),
    ],
);

/// What every decision has, and four kinds more.
const fn with(shared: [Kind; 24], own: [Kind; 4]) -> [Kind; 28] {
    let [a, b, c, d] = own;
    let [
        k1,
        k2,
        k3,
        k4,
        k5,
        k6,
        k7,
        k8,
        k9,
        k10,
        k11,
        k12,
        k13,
        k14,
        k15,
        k16,
        k17,
        k18,
        k19,
        k20,
        k21,
        k22,
        k23,
        k24,
    ] = shared;
    [
        k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15, k16, k17, k18, k19, k20, k21, k22, k23, k24,
        a, b, c, d,
    ]
}
