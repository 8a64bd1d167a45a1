//! Awards, and what is wrong with lists of them. They stand in sections by their grade.

use serde_json::{Value, json};

use super::world::{World, person, signs, text};
use super::{Expected, Form, Kind, Record, SECTION, Subject, common, kind, only};

/// The subject.
pub static SUBJECT: Subject = Subject {
    collection: "awards",
    columns: &[
        "序号",
        "项目名称",
        "编号",
        "年度",
        "奖种",
        "完成人",
        "份额",
        "完成单位",
        "奖金（万元）",
        "状态",
    ],
    headers: &[&[
        "序号",
        "项目名称",
        "编号",
        "年度",
        "奖种",
        "完成人",
        "份额",
        "完成单位",
        "奖金（万元）",
        "状态",
    ]],
    above: 0,
    text: ("utf-8-bom", ','),
    mapping: r#"
[sections]
"等级" = { from = "{序号}", match = "^[一二三四五六七八九十]+、(.+?)（" }

[[part]]
collection = "awards"
skip = { column = "序号", is = "合计", because = "a total" }

[part.fields]
title = { from = "{项目名称}", clean = ["spaces", "quotes", "numbering"] }
number = "{编号}"
year = { from = "{年度}", date = "year" }
scheme = { code = { from = "{奖种}", clean = ["halfwidth", "lower"] } }
grade = "{等级}"
state = "{状态}"
money_fen = { from = "{奖金（万元）}", times = 1000000 }
contributors = { split = ["、", "；", ";", "\n"], talent = { display_name = { from = "{完成人}", clean = ["han-spaces"] } }, share = "{份额}" }
completing_organizations = { split = { by = ["、", "；", ";", "\n"], columns = ["完成单位"] }, organization = { display_name = "{完成单位}" } }
"#,
    clean,
    kinds: &KINDS,
    before: |number| {
        let grades = ["一等奖", "二等奖", "三等奖"];
        let place = number / SECTION;
        number.is_multiple_of(SECTION).then(|| {
            let mut cells = vec![String::new(); SUBJECT.columns.len()];
            cells[0] = format!(
                "{}、{}（{SECTION}项）",
                ["一", "二", "三"][place % 3],
                grades[place % 3]
            );
            cells
        })
    },
    project,
};

fn clean(world: &mut World, number: usize) -> (Vec<String>, Record) {
    let title = format!("{}关键技术及应用", signs(number));
    let people = [person(3 * number), person(3 * number + 1), person(3 * number + 2)];
    let hosts = world.two_organizations();
    let year = 2000 + world.rng.below(24);
    let grade = ["一等奖", "二等奖", "三等奖"][world.section % 3];
    let fen = 1_000_000 * (1 + world.rng.below(30));
    let cells = [
        (number + 1).to_string(),
        title.clone(),
        format!("J-{number:06}"),
        year.to_string(),
        "messy-prize".to_owned(),
        people.join("、"),
        "1/3、1/3、1/3".to_owned(),
        hosts.join("、"),
        (fen / 1_000_000).to_string(),
        "授奖".to_owned(),
    ];
    let record = json!({
        "title": title,
        "number": format!("J-{number:06}"),
        "year": year,
        "scheme": "虚构奖",
        "grade": grade,
        "state": "AWARD_STATE_CONFERRED",
        "money": fen.to_string(),
        "contributors": people,
        "shares": [[1, 3], [1, 3], [1, 3]],
        "organizations": hosts,
    });
    (cells.to_vec(), record.as_object().unwrap().clone())
}

fn project(of: &Value) -> Record {
    let list = |field: &str| of[field].as_array().cloned().unwrap_or_default();
    let contributors = list("contributors");
    let shares = contributors.iter().filter(|c| !c["share"].is_null());
    let record = json!({
        "title": of["title"],
        "number": text(&of["number"]),
        "year": of["year"],
        "scheme": text(&of["scheme"]["displayName"]),
        "grade": text(&of["grade"]),
        "state": of["state"],
        "money": text(&of["moneyFen"]),
        "contributors": contributors.iter().map(|c| text(&c["talent"]["displayName"])).collect::<Vec<_>>(),
        "shares": shares.map(|c| json!([c["share"]["numerator"], c["share"]["denominator"]])).collect::<Vec<_>>(),
        "organizations": list("completingOrganizations").iter().map(|c| text(&c["organization"]["displayName"])).collect::<Vec<_>>(),
    });
    record.as_object().unwrap().clone()
}

static KINDS: [Kind; 36] = [
    kind("two persons of one name in one cell", |s| {
        let people = [
            person(s.number),
            person(s.number + 7),
            person(s.number),
            person(s.number + 9),
        ];
        s.set("完成人", people.join("、"));
        s.set("份额", "1/4、1/4、1/4、1/4");
        s.makes("contributors", json!(people));
        s.makes("shares", json!([[1, 4], [1, 4], [1, 4], [1, 4]]));
    }),
    kind("another sign between names", |s| {
        let between = s.world.rng.one_of(&["；", ";", "\n", " 、 "]);
        for column in ["完成人", "份额"] {
            let text = s.get(column);
            s.set(column, text.replace('、', between));
        }
    }),
    kind("blanks in a name", |s| {
        let text = s.get("完成人");
        let mut signs: Vec<char> = text.chars().collect();
        signs.insert(1, '\u{3000}');
        s.set("完成人", signs.into_iter().collect::<String>());
    }),
    kind("characters without width in a name", |s| common::unseen(s, "完成人")),
    kind("characters without width in an organization", |s| {
        common::unseen(s, "完成单位")
    }),
    kind("radicals in an organization", |s| common::radicals(s, "完成单位")),
    kind("an organization by the name that it had", |s| {
        if s.world.renamed.is_empty() {
            return;
        }
        let place = s.world.rng.below(s.world.renamed.len());
        let (old, new) = s.world.renamed[place].clone();
        s.set("完成单位", old);
        s.makes("organizations", json!([new]));
    }),
    kind("one organization twice", |s| {
        let host = s.world.organization();
        s.set("完成单位", format!("{host}、{host}"));
        s.refused("ORGANIZATION_TWICE");
    }),
    kind("a share for each but one", |s| {
        s.set("份额", "1/2、1/2");
        s.refused("VALUES_UNEQUAL");
    }),
    kind("shares of more than the whole", |s| {
        s.set("份额", "1/2、1/2、1/2");
        s.refused("SHARES_EXCEED_WHOLE");
    }),
    kind("a share that is none", |s| {
        s.set("份额", "1/3、1/3、多");
        s.refused("FRACTION_INVALID");
    }),
    kind("shares in parts of a hundred", |s| {
        s.set("份额", "50%、25%、25%");
        s.makes("shares", json!([[50, 100], [25, 100], [25, 100]]));
    }),
    kind("no shares", |s| {
        s.set("份额", "");
        s.makes("shares", json!([]));
    }),
    kind("a number in full width", |s| common::wide(s, "编号")),
    kind("another dash in a number", |s| common::dashes(s, "编号")),
    kind("characters without width in a number", |s| common::unseen(s, "编号")),
    kind("no number", |s| {
        s.set("编号", "");
        s.refused("NUMBER_MISSING");
    }),
    kind("a damaged title", |s| common::damaged(s, "项目名称")),
    kind("a damaged name", |s| common::damaged(s, "完成人")),
    kind("a character that turns the text", |s| common::turned(s, "项目名称")),
    kind("a title in marks, with its number, or in two lines", |s| {
        match s.number % 3 {
            0 => {
                let title = s.get("项目名称");
                s.set("项目名称", format!("“{title}”"));
            }
            1 => {
                let title = s.get("项目名称");
                s.set("项目名称", format!("（{}）{title}", s.number + 1));
            }
            _ => {
                let (title, place) = (s.get("项目名称"), s.place("项目名称"));
                s.row.cells[place] = super::Cell::Text(format!("{title}\n"));
            }
        }
    }),
    kind("no title", |s| {
        s.set("项目名称", "");
        s.refused("STRING_MIN_LEN");
    }),
    kind("the number of an identity card in clear", |s| {
        common::in_clear(s, "项目名称")
    }),
    kind("a year in words", |s| {
        let year = s.get("年度");
        let forms = [format!("{year}年"), format!("{year}年度"), format!("{year}-06-30")];
        if s.number % 3 == 1 {
            s.refused("DATE_INVALID");
        }
        s.set("年度", &forms[s.number % 3]);
    }),
    kind("a year of two digits", |s| {
        s.set("年度", "24");
        s.refused("DATE_INVALID");
    }),
    kind("a scheme that there is not", |s| {
        s.set("奖种", "nix");
        s.refused("REFERENCE_NOT_FOUND");
    }),
    kind("a scheme in full width and capitals", |s| {
        common::wide(s, "奖种");
        let text = s.get("奖种").to_uppercase();
        s.set("奖种", text);
    }),
    kind("money in groups", |s| {
        s.set("奖金（万元）", "1,000.5");
        s.makes("money", "1000500000");
    }),
    kind("money in words", |s| {
        s.set("奖金（万元）", "五万");
        s.refused("NUMBER_INVALID");
    }),
    only(Form::Book, "the noise of a sum", |s| {
        s.set_number("奖金（万元）", "0.30000000000000004", "General");
        s.makes("money", "300000");
    }),
    kind("an award that is not given yet", |s| {
        s.set("状态", "评审中");
        s.refused("STATE_UNDECIDED");
    }),
    kind("a second row of the same number", |s| {
        common::twice(s, "奖金（万元）", "77")
    }),
    kind("the same row twice", common::doubled),
    kind("a total and a blank row", |s| {
        s.again(Expected::Nothing);
        s.set_again("序号", "合计");
        common::blank(s);
    }),
    only(Form::Book, "a formula without its value", |s| {
        common::valueless(s, "奖金（万元）")
    }),
    only(Form::Text, "a separator that is not quoted", common::long),
];
