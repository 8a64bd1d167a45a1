//! Persons, and what is wrong with lists of them.

use serde_json::{Value, json};

use super::world::{World, identifiers, names, orcid, person, resident, signs, stranger, text};
use super::{Expected, Form, Kind, Record, Subject, common, kind, only};

/// The subject.
pub static SUBJECT: Subject = Subject {
    collection: "talents",
    columns: &[
        "姓名",
        "工号",
        "ORCID",
        "身份证号",
        "出生日期",
        "单位",
        "职务",
        "起止",
        "职称",
    ],
    headers: &[&[
        "姓名",
        "工号",
        "ORCID",
        "身份证号",
        "出生日期",
        "单位",
        "职务",
        "起止",
        "职称",
    ]],
    above: 0,
    text: ("utf-8", ';'),
    mapping: r#"
[[part]]
collection = "talents"

[part.fields]
display_name = { from = "{姓名}", clean = ["spaces", "marks", "brackets", "han-spaces"] }
names = { text = { from = "{姓名}", match = "（曾用名(.*)）" }, kind = "FORMER" }
identifiers = [
  { scheme = "staff", value = { from = "{工号}", clean = ["apostrophe"] } },
  { scheme = "orcid", value = "{ORCID}" },
]
identity_document = "{身份证号}"
birth_date = { from = "{出生日期}", date = "partial" }
title = "{职称}"

[[part.fields.employments]]
organization = { display_name = "{单位}" }
position = "{职务}"
start_date = { from = "{起止}", date = "partial", range = "start" }
end_date = { from = "{起止}", date = "partial", range = "end" }
"#,
    clean,
    kinds: &KINDS,
    before: common::nothing_before,
    project,
};

fn clean(world: &mut World, number: usize) -> (Vec<String>, Record) {
    let (name, host, (day, card)) = (person(number), world.organization(), resident(number));
    let cells = [
        name.clone(),
        format!("G-{number:06}"),
        orcid(number),
        card,
        day.clone(),
        host.clone(),
        "研究员".to_owned(),
        "2010.10-2015.09".to_owned(),
        "教授".to_owned(),
    ];
    let record = json!({
        "displayName": name,
        "names": [],
        "identifiers": [["staff", format!("G-{number:06}")], ["orcid", orcid(number)]],
        "document": true,
        "born": day[..4].parse::<i64>().unwrap(),
        "employments": [[host, "研究员", "2010-10", "2015-09"]],
        "title": "教授",
    });
    (cells.to_vec(), record.as_object().unwrap().clone())
}

fn project(of: &Value) -> Record {
    let all = of["employments"].as_array().cloned().unwrap_or_default();
    let employments = all.into_iter().map(|e| {
        let host = text(&e["organization"]["displayName"]);
        json!([host, text(&e["position"]), text(&e["startDate"]), text(&e["endDate"])])
    });
    let record = json!({
        "displayName": of["displayName"],
        "names": names(of),
        "identifiers": identifiers(of),
        "document": of["maskedIdentityDocument"].as_str().is_some_and(|text| !text.is_empty()),
        "born": of["birthYear"].as_i64().unwrap_or_default(),
        "employments": employments.collect::<Vec<_>>(),
        "title": text(&of["title"]),
    });
    record.as_object().unwrap().clone()
}

static KINDS: [Kind; 42] = [
    kind("blanks in a name", |s| common::spaced(s, "姓名")),
    kind("characters without width in a name", |s| common::unseen(s, "姓名")),
    kind("a mark or a word behind a name", |s| {
        let name = s.get("姓名");
        let forms = [
            format!("{name}*"),
            format!("{name}（女）"),
            format!("※{name}"),
            format!("{name}(副)"),
        ];
        s.set("姓名", &forms[s.number % 4]);
    }),
    kind("an old name in brackets", |s| {
        let (name, old) = (
            s.get("姓名"),
            format!("{}{}", s.get("姓名").chars().next().unwrap(), signs(s.number)),
        );
        s.set("姓名", format!("{name}（曾用名{old}）"));
        s.makes("names", json!([[old, "NAME_KIND_FORMER"]]));
    }),
    kind("a damaged name", |s| common::damaged(s, "姓名")),
    kind("a damaged employer", |s| common::damaged(s, "单位")),
    kind("a character that turns the text", |s| common::turned(s, "职务")),
    kind("no name", |s| {
        s.set("姓名", "　");
        s.refused("STRING_MIN_LEN");
    }),
    kind("the number of an identity card in clear", |s| {
        common::in_clear(s, "职务")
    }),
    kind("an employer in radicals", |s| common::radicals(s, "单位")),
    kind("characters without width in an employer", |s| common::unseen(s, "单位")),
    kind("a document with a label, blanks or an apostrophe", |s| {
        let card = s.get("身份证号");
        let forms = [
            format!("'{card}"),
            format!("身份证：{card}"),
            format!("{} {} {}", &card[..6], &card[6..14], &card[14..]),
            card.to_lowercase(),
        ];
        s.set("身份证号", &forms[s.number % 4]);
    }),
    kind("a document in full width", |s| common::wide(s, "身份证号")),
    kind("a document of 15 digits", |s| {
        let card = s.get("身份证号");
        s.set("身份证号", format!("{}{}", &card[..6], &card[8..17]));
    }),
    kind("a document that lost a digit", |s| {
        let card = s.get("身份证号");
        s.set("身份证号", &card[..17]);
        s.refused("IDENTITY_DOCUMENT_UNCLEAR");
    }),
    kind("a document with a sign that is unread", |s| {
        let card = s.get("身份证号");
        s.set("身份证号", format!("{}?{}", &card[..10], &card[11..]));
        s.refused("IDENTITY_DOCUMENT_UNCLEAR");
    }),
    kind("a document with a wrong check", |s| {
        let card = s.get("身份证号");
        let last = if card.ends_with('0') { '1' } else { '0' };
        s.set("身份证号", format!("{}{last}", &card[..17]));
        s.refused("RESIDENT_ID_CHECK_WRONG");
    }),
    kind("a document with a day that there is not", |s| {
        let card = s.get("身份证号");
        s.set("身份证号", format!("{}1331{}", &card[..10], &card[14..]));
        s.refused("RESIDENT_ID_BIRTH_DATE_WRONG");
    }),
    kind("a document that says that there is none", |s| {
        let said = common::none(s);
        s.set("身份证号", said);
        s.makes("document", false);
    }),
    kind("a document that is none", |s| {
        s.set("身份证号", "办理中…请稍后");
        s.refused("IDENTITY_DOCUMENT_UNCLEAR");
    }),
    only(Form::Book, "a document as a number, of which digits are lost", |s| {
        let card = s.get("身份证号");
        s.set_number("身份证号", format!("{}000", &card[..15]), "General");
        s.refused("NUMBER_ROUNDED");
    }),
    only(Form::Text, "a document made scientific", |s| {
        let card = s.get("身份证号");
        s.set("身份证号", format!("{}.{}E+17", &card[..1], &card[1..6]));
        s.refused("NUMBER_ROUNDED");
    }),
    kind("a day of birth that is another than in the document", |s| {
        s.set("出生日期", "1931-01-01");
        s.refused("BIRTH_DATE_DIFFERS");
    }),
    kind("a month of birth in words", |s| {
        let day = s.get("出生日期");
        s.set(
            "出生日期",
            format!("{}年{}月", &day[..4], day[5..7].trim_start_matches('0')),
        );
    }),
    kind("a month of five digits", |s| {
        s.set("出生日期", "19763");
        s.refused("DATE_AMBIGUOUS");
    }),
    kind("a date with the day in front", |s| {
        s.set("出生日期", "30.06.1976");
        s.refused("DATE_INVALID");
    }),
    only(Form::Book, "a day that a spreadsheet keeps as a number", |s| {
        let (day, card) = (s.get("出生日期"), s.get("身份证号"));
        let serial = serial(&day);
        s.set_number("出生日期", serial.to_string(), "yyyy-mm-dd");
        assert_eq!(card[6..14], day.replace('-', ""));
    }),
    only(Form::Book, "January or October", |s| {
        s.set_number("出生日期", "1976.1", "General");
        s.refused("DATE_AMBIGUOUS");
    }),
    kind("a term that goes on", |s| {
        let forms = ["2010年10月至今", "2010.10-", "2010.10—", "2010/10-至今"];
        s.set("起止", forms[s.number % 4]);
        let host = s.get("单位");
        s.makes("employments", json!([[host, "研究员", "2010-10", ""]]));
    }),
    kind("a term with another dash", |s| {
        let dash = s.world.rng.one_of(&["—", "–", "~", "～", "至", "到", "－"]);
        s.set("起止", format!("2010年10月{dash}2015年9月"));
    }),
    kind("a term that ends before it begins", |s| {
        s.set("起止", "2015.09-2010.10");
        s.refused("PERIOD_REVERSED");
    }),
    kind("an ORCID as an address", |s| {
        let orcid = s.get("ORCID");
        let forms = [
            format!("https://orcid.org/{orcid}"),
            format!("orcid.org/{orcid}"),
            orcid.replace('-', ""),
            format!("ORCID: {orcid}"),
        ];
        s.set("ORCID", &forms[s.number % 4]);
    }),
    kind("an ORCID with a wrong check", |s| {
        let orcid = s.get("ORCID");
        let last = if orcid.ends_with('0') { '1' } else { '0' };
        s.set("ORCID", format!("{}{last}", &orcid[..18]));
        s.refused("ORCID_CHECK_WRONG");
    }),
    kind("a number in full width", |s| common::wide(s, "工号")),
    kind("another dash in a number", |s| common::dashes(s, "工号")),
    kind("an unseen character in a number", |s| {
        let number = s.get("工号");
        s.set("工号", format!("{number}\u{200b}"));
        s.refused("IDENTIFIER_UNSEEN_CHARACTER");
    }),
    kind("the number of another", |s| {
        s.again(Expected::Refused("RECORDS_DISAGREE"));
        s.set_again("姓名", stranger());
        for column in ["ORCID", "身份证号", "出生日期"] {
            s.set_again(column, "");
        }
    }),
    kind("the number of another with the same surname", |s| {
        let surname = s.get("姓名").chars().next().unwrap();
        s.again(Expected::Refused("RECORDS_DISAGREE"));
        s.set_again("姓名", format!("{surname}虚构"));
        for column in ["ORCID", "身份证号", "出生日期"] {
            s.set_again(column, "");
        }
    }),
    kind("the document of another", |s| {
        s.again(Expected::Refused("RECORDS_DISAGREE"));
        s.set_again("姓名", stranger());
        let number = format!("GX-{:06}", s.number);
        s.set_again("工号", number);
        s.set_again("ORCID", "");
    }),
    kind("a second row of the same number", |s| {
        common::twice(s, "职称", "副教授")
    }),
    kind("the same row twice", common::doubled),
    only(Form::Book, "a hidden row", common::hidden),
];

/// The number of a day in a spreadsheet.
pub(super) fn serial(day: &str) -> i64 {
    let part = |range: std::ops::Range<usize>| day[range].parse::<i64>().unwrap();
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    // Days since the beginning of March of the year 0.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    days - 693_899
}
