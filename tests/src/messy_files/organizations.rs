//! Organizations, and what is wrong with lists of them.

use serde_json::{Value, json};

use super::world::{World, identifiers, names, signs, text, uscc};
use super::{Expected, Form, Kind, Record, Subject, common, kind, only};

/// The subject.
pub static SUBJECT: Subject = Subject {
    collection: "organizations",
    columns: &[
        "序号",
        "单位名称",
        "代码",
        "编号",
        "城市",
        "类别",
        "成立时间",
        "网址",
        "曾用名",
    ],
    headers: &[&[
        "序号",
        "单位名称",
        "代码",
        "编号",
        "城市",
        "类别",
        "成立时间",
        "网址",
        "曾用名",
    ]],
    above: 0,
    text: ("utf-8-bom", ','),
    mapping: r#"
[[part]]
collection = "organizations"
skip = { column = "序号", is = ["合计", "总计"], because = "a total" }

[part.fields]
display_name = { from = "{单位名称}", clean = ["spaces", "numbering", "marks", "han-spaces"] }
city = "{城市}"
kind = "{类别}"
established_year = { from = "{成立时间}", date = "year" }
website = "{网址}"
names = { text = { from = "{曾用名}", clean = ["han-spaces"] }, kind = "FORMER" }
identifiers = [
  { scheme = "number", value = { from = "{编号}", clean = ["apostrophe"] } },
  { scheme = "uscc", value = "{代码}" },
]
"#,
    clean,
    kinds: &KINDS,
    before: common::nothing_before,
    project,
};

fn clean(world: &mut World, number: usize) -> (Vec<String>, Record) {
    let words = [
        ("大学", "UNIVERSITY"),
        ("研究院", "RESEARCH_INSTITUTE"),
        ("公司", "ENTERPRISE"),
    ];
    let (ending, kind) = words[number % 3];
    let name = format!("青岛{}{ending}", signs(number));
    let city = world.rng.one_of(&["青岛", "长沙", "马鞍山", "大连"]);
    let year = 1900 + world.rng.below(120);
    let site = format!("https://example.org/{number}");
    let cells = [
        (number + 1).to_string(),
        name.clone(),
        uscc(number),
        format!("DW-{number:06}"),
        city.to_owned(),
        kind.to_owned(),
        year.to_string(),
        site.clone(),
        String::new(),
    ];
    let record = json!({
        "displayName": name,
        "city": city,
        "kind": format!("ORGANIZATION_KIND_{kind}"),
        "establishedYear": year,
        "website": site,
        "identifiers": [["number", format!("DW-{number:06}")], ["uscc", uscc(number)]],
        "names": [],
    });
    (cells.to_vec(), record.as_object().unwrap().clone())
}

fn project(of: &Value) -> Record {
    let record = json!({
        "displayName": of["displayName"],
        "city": text(&of["city"]),
        "kind": text(&of["kind"]),
        "establishedYear": of["establishedYear"].as_i64().unwrap_or_default(),
        "website": text(&of["website"]),
        "identifiers": identifiers(of),
        "names": names(of),
    });
    record.as_object().unwrap().clone()
}

static KINDS: [Kind; 39] = [
    kind("characters without width in a name", |s| common::unseen(s, "单位名称")),
    kind("characters without width in a city", |s| common::unseen(s, "城市")),
    kind("characters without width in a number", |s| {
        let number = s.get("编号");
        s.set("编号", number.replace('-', "-\u{200b}"));
        s.refused("IDENTIFIER_UNSEEN_CHARACTER");
    }),
    kind("radicals", |s| common::radicals(s, "单位名称")),
    kind("a number in full width", |s| common::wide(s, "编号")),
    kind("another dash in a number", |s| common::dashes(s, "编号")),
    kind("a damaged character", |s| common::damaged(s, "单位名称")),
    kind("a character that turns the text", |s| common::turned(s, "城市")),
    kind("a line break of its own sort", |s| {
        let city = s.get("城市");
        s.set("城市", format!("{city}\u{2028}甲"));
        s.refused("NAME_UNSEEN_CHARACTER");
    }),
    kind("a name of which nothing can be seen", |s| {
        let sign = s.world.rng.one_of(&["\u{3164}", "\u{2800}", "\u{200b}"]);
        s.set("单位名称", sign);
        s.refused("NAME_EMPTY");
    }),
    kind("a middle dot of another sort", |s| {
        let (dot, name) = (s.world.rng.one_of(&["•", "・", "‧", " · ", "⋅"]), s.get("单位名称"));
        s.set("单位名称", name.replacen("青岛", &format!("青岛{dot}"), 1));
        s.makes("displayName", name.replacen("青岛", "青岛·", 1));
    }),
    kind("a code in small letters, with blanks", |s| {
        let code = s.get("代码").to_lowercase();
        s.set("代码", format!("统一社会信用代码：{} {}", &code[..8], &code[8..]));
    }),
    kind("a code with a wrong check", |s| {
        let code = s.get("代码");
        let last = if code.ends_with('0') { '1' } else { '0' };
        s.set("代码", format!("{}{last}", &code[..17]));
        s.refused("USCC_CHECK_WRONG");
    }),
    kind("a code that lost a character", |s| {
        let code = s.get("代码");
        s.set("代码", &code[..17]);
        s.refused("USCC_MALFORMED");
    }),
    kind("a code that says that there is none", |s| {
        let said = common::none(s);
        s.set("代码", said);
        let number = s.get("编号");
        s.makes("identifiers", json!([["number", number]]));
    }),
    only(Form::Book, "a code as a number, of which digits are lost", |s| {
        s.set_number("代码", format!("9137990100{:08}", s.number), "General");
        s.refused("NUMBER_ROUNDED");
    }),
    only(Form::Text, "a code made scientific", |s| {
        s.set("代码", "9.13799E+17");
        s.refused("NUMBER_ROUNDED");
    }),
    only(Form::Book, "a number with the zeros of its format", |s| {
        let number = format!("{:06}", s.number);
        s.set_number("编号", s.number.to_string(), "000000");
        let code = s.get("代码");
        s.makes("identifiers", json!([["number", number], ["uscc", code]]));
    }),
    kind("an apostrophe before a number", |s| {
        let number = s.get("编号");
        s.set("编号", format!("'{number}"));
    }),
    kind("a word that is no kind", |s| {
        s.set("类别", "某种单位");
        s.refused("ENUM_VALUE_UNKNOWN");
    }),
    kind("a kind in small letters with a blank", |s| {
        let word = s.get("类别").to_lowercase().replace('_', " ");
        s.set("类别", word);
    }),
    kind("no name", |s| {
        s.set("单位名称", "");
        s.refused("STRING_MIN_LEN");
    }),
    kind("a total", |s| {
        s.again(Expected::Nothing);
        s.set_again("序号", "合计");
    }),
    kind("a blank row", common::blank),
    kind("the same row twice", common::doubled),
    kind("a second row of the same number", |s| {
        common::twice(s, "网址", "https://example.org/other")
    }),
    kind("the code of another", |s| {
        s.again(Expected::Refused("RECORDS_DISAGREE"));
        s.set_again("单位名称", "临沂虚构化肥厂");
        let number = format!("DX-{:06}", s.number);
        s.set_again("编号", number);
    }),
    kind("the number of another", |s| {
        s.again(Expected::Refused("RECORDS_DISAGREE"));
        let code = uscc(50_000_000 + s.number);
        s.set_again("代码", code);
    }),
    kind("the name that another had", |s| {
        let (number, old) = (s.number, format!("青岛旧{}学院", signs(s.number)));
        s.set("曾用名", &old);
        s.makes("names", json!([[old, "NAME_KIND_FORMER"]]));
        let Expected::Record(mut record) = s.row.right.clone() else {
            return;
        };
        let name = record["displayName"].as_str().unwrap().to_owned();
        s.world.renamed.push((old.clone(), name));
        if number.is_multiple_of(2) {
            return;
        }
        s.world.renamed.pop();
        let (code, held) = (uscc(60_000_000 + number), format!("DN-{number:06}"));
        record.insert("displayName".to_owned(), old.clone().into());
        record.insert("names".to_owned(), json!([]));
        record.insert("identifiers".to_owned(), json!([["number", held], ["uscc", code]]));
        s.again(Expected::Record(record));
        s.set_again("单位名称", old);
        s.set_again("代码", code);
        s.set_again("编号", held);
        s.set_again("曾用名", "");
    }),
    kind("the same name elsewhere", |s| {
        let Expected::Record(mut record) = s.row.right.clone() else {
            return;
        };
        let (code, held) = (uscc(70_000_000 + s.number), format!("DE-{:06}", s.number));
        record.insert("city".to_owned(), "喀什".into());
        record.insert("identifiers".to_owned(), json!([["number", held], ["uscc", code]]));
        s.again(Expected::Record(record));
        s.set_again("城市", "喀什");
        s.set_again("代码", code);
        s.set_again("编号", held);
    }),
    only(Form::Book, "a hidden row", common::hidden),
    kind("a failed formula", |s| common::failed(s, "网址")),
    only(Form::Book, "a formula without its value", |s| {
        common::valueless(s, "网址")
    }),
    kind("a year that cannot be", |s| {
        s.set("成立时间", "9634");
        s.refused("YEAR_IMPLAUSIBLE");
    }),
    kind("a year in words", |s| {
        let (year, month) = (s.get("成立时间"), 1 + s.number % 12);
        let forms = [
            format!("{year}年"),
            format!("{year}年{month}月"),
            format!("{year}.{month:02}"),
            format!("{year}/{month}/1"),
        ];
        s.set("成立时间", &forms[s.number % 4]);
    }),
    only(Form::Book, "a month as a number, of which the year counts", |s| {
        s.set_number("成立时间", "2010.1", "General");
        s.makes("establishedYear", 2010);
    }),
    only(Form::Text, "a separator that is not quoted", common::long),
    kind("the number of an identity card in clear", |s| {
        common::in_clear(s, "单位名称")
    }),
    kind("the number of its row, marks and line breaks", |s| match s.number % 3 {
        0 => {
            let name = s.get("单位名称");
            s.set("单位名称", format!("{}. {name}", s.number + 1));
        }
        1 => {
            let name = s.get("单位名称");
            s.set("单位名称", format!("*{name}※"));
        }
        _ => common::broken(s, "单位名称"),
    }),
];
