//! Labs, and what is wrong with lists of them. Their headers have two rows, below a title.

use serde_json::{Value, json};

use super::world::{World, identifiers, names, signs, text};
use super::{Expected, Form, Kind, Record, Subject, common, kind, only};

/// The subject.
pub static SUBJECT: Subject = Subject {
    collection: "labs",
    columns: &[
        "名称",
        "编号",
        "依托单位",
        "城市",
        "类型",
        "面积",
        "设备（万元）",
        "成立",
        "主任/姓名",
        "主任/任期",
    ],
    headers: &[
        &["", "", "", "", "", "", "", "", "主任", ""],
        &[
            "名称",
            "编号",
            "依托单位",
            "城市",
            "类型",
            "面积",
            "设备（万元）",
            "成立",
            "姓名",
            "任期",
        ],
    ],
    above: 3,
    text: ("gb18030", ','),
    mapping: r#"
header = [4, 5]
FILL_DOWN

[[part]]
collection = "labs"

[part.fields]
display_name = { from = "{名称}", clean = ["spaces", "han-spaces"], remove = "（曾用名.*）" }
names = { text = { from = "{名称}", clean = ["han-spaces"], match = "（曾用名(.*)）" }, kind = "FORMER" }
identifiers = { scheme = "number", value = "{编号}" }
city = "{城市}"
kind = { from = "{类型}", values = { "学科类" = "ACADEMIC", "企业类" = "ENTERPRISE" } }
hosts = { split = { by = ["、", "；", "\n"], columns = ["依托单位"] }, organization = { display_name = { from = "{依托单位}", clean = ["han-spaces", "etc"] } } }
area_square_metres = { from = "{面积}", clean = ["about"], units = { "" = 1, "㎡" = 1, "平方米" = 1, "亩" = 667 } }
equipment_value_fen = { from = "{设备（万元）}", clean = ["about"], times = 1000000 }
established_year = { from = "{成立}", date = "year" }

[[part.fields.directors]]
person = { display_name = "{主任/姓名}" }
start_date = { from = "{主任/任期}", date = "partial", range = "start" }
end_date = { from = "{主任/任期}", date = "partial", range = "end" }
"#,
    clean,
    kinds: &KINDS,
    before: common::nothing_before,
    project,
};

fn clean(world: &mut World, number: usize) -> (Vec<String>, Record) {
    let (host, name) = (world.organization(), format!("{}国家重点实验室", signs(number)));
    let (kind, word) = [("学科类", "ACADEMIC"), ("企业类", "ENTERPRISE")][number % 2];
    let (area, fen) = (
        500 + world.rng.below(5000),
        100_000_000 + 10_000 * world.rng.below(90_000),
    );
    let year = 1980 + world.rng.below(40);
    let value = format!("{}.{:02}", fen / 1_000_000, fen / 10_000 % 100);
    let director = super::world::person(number);
    let cells = [
        name.clone(),
        format!("SYS-{number:06}"),
        host.clone(),
        "青岛".to_owned(),
        kind.to_owned(),
        area.to_string(),
        value,
        year.to_string(),
        director.clone(),
        "2011.03.01-2016.09.30".to_owned(),
    ];
    let record = json!({
        "displayName": name,
        "names": [],
        "identifiers": [["number", format!("SYS-{number:06}")]],
        "city": "青岛",
        "kind": format!("LAB_KIND_{word}"),
        "hosts": [host],
        "area": area.to_string(),
        "equipment": fen.to_string(),
        "year": year,
        "directors": [[director, "2011-03-01", "2016-09-30"]],
    });
    (cells.to_vec(), record.as_object().unwrap().clone())
}

fn project(of: &Value) -> Record {
    let list = |field: &str| of[field].as_array().cloned().unwrap_or_default();
    let hosts = list("hosts")
        .into_iter()
        .map(|h| h["organization"]["displayName"].clone());
    let directors = list("directors").into_iter().map(|d| {
        json!([
            text(&d["person"]["displayName"]),
            text(&d["startDate"]),
            text(&d["endDate"])
        ])
    });
    let record = json!({
        "displayName": of["displayName"],
        "names": names(of),
        "identifiers": identifiers(of),
        "city": text(&of["city"]),
        "kind": text(&of["kind"]),
        "hosts": hosts.collect::<Vec<_>>(),
        "area": text(&of["areaSquareMetres"]),
        "equipment": text(&of["equipmentValueFen"]),
        "year": of["establishedYear"].as_i64().unwrap_or_default(),
        "directors": directors.collect::<Vec<_>>(),
    });
    record.as_object().unwrap().clone()
}

static KINDS: [Kind; 38] = [
    kind("characters without width in a host", |s| common::unseen(s, "依托单位")),
    kind("radicals in a host", |s| common::radicals(s, "依托单位")),
    kind("blanks in a host", |s| common::spaced(s, "依托单位")),
    kind("two hosts", |s| {
        let [one, other] = s.world.two_organizations();
        let between = s.world.rng.one_of(&["、", "；", "\n"]);
        s.set("依托单位", format!("{one}{between}{other}"));
        s.makes("hosts", json!([one, other]));
    }),
    kind("one host twice", |s| {
        let host = s.get("依托单位");
        s.set("依托单位", format!("{host}、{host}"));
        s.refused("HOST_TWICE");
    }),
    kind("a host by the name that it had", |s| {
        if s.world.renamed.is_empty() {
            return;
        }
        let place = s.world.rng.below(s.world.renamed.len());
        let (old, new) = s.world.renamed[place].clone();
        s.set("依托单位", old);
        s.makes("hosts", json!([new]));
    }),
    kind("a host and others", |s| {
        let host = s.get("依托单位");
        s.set("依托单位", format!("{host}等"));
    }),
    kind("a damaged host", |s| common::damaged(s, "依托单位")),
    kind("a damaged name", |s| common::damaged(s, "名称")),
    kind("a character that turns the text", |s| common::turned(s, "城市")),
    kind("characters without width in a name", |s| common::unseen(s, "名称")),
    kind("blanks in a name", |s| common::spaced(s, "名称")),
    kind("a line break in a name", |s| common::broken(s, "名称")),
    kind("an old name in brackets", |s| {
        let (name, old) = (s.get("名称"), format!("旧{}实验室", signs(s.number)));
        s.set("名称", format!("{name}（曾用名{old}）"));
        s.makes("names", json!([[old, "NAME_KIND_FORMER"]]));
    }),
    kind("one name at two hosts, without numbers", |s| {
        let [one, other] = s.world.two_organizations();
        s.set("编号", "");
        s.makes("identifiers", json!([]));
        s.set("依托单位", &one);
        s.makes("hosts", json!([one]));
        let Expected::Record(mut record) = s.row.right.clone() else {
            return;
        };
        record.insert("hosts".to_owned(), json!([other]));
        s.again(Expected::Record(record));
        s.set_again("依托单位", other);
    }),
    only(Form::Book, "a host in a merged cell", |s| {
        let Expected::Record(mut record) = s.row.right.clone() else {
            return;
        };
        let (name, number) = (
            format!("{}技术创新中心", signs(s.number)),
            format!("SYM-{:06}", s.number),
        );
        record.insert("displayName".to_owned(), name.clone().into());
        record.insert("identifiers".to_owned(), json!([["number", number]]));
        let place = s.place("依托单位");
        s.again(Expected::Record(record)).merged = Some(place);
        s.set_again("名称", name);
        s.set_again("编号", number);
        s.set_again("依托单位", "");
    }),
    kind("an area with its unit", |s| {
        let area = s.get("面积");
        let unit = s.world.rng.one_of(&["㎡", "平方米", " ㎡", "m²"]);
        if unit == "m²" {
            s.refused("UNIT_UNKNOWN");
        }
        s.set("面积", format!("{area}{unit}"));
    }),
    kind("an area of another unit", |s| {
        s.set("面积", "3亩");
        s.makes("area", "2001");
    }),
    kind("a unit that nobody knows", |s| {
        s.set("面积", "1500英尺");
        s.refused("UNIT_UNKNOWN");
    }),
    kind("an area that is about so", |s| {
        let area = s.get("面积");
        let forms = [format!("约{area}"), format!("{area}余平方米"), format!("{area}左右")];
        s.set("面积", &forms[s.number % 3]);
    }),
    kind("an area of full width, in groups", |s| {
        s.set("面积", "１，５００");
        s.makes("area", "1500");
    }),
    only(Form::Book, "the noise of a sum", |s| {
        let (number, fen) = [
            ("3.3000000000000003", "3300000"),
            ("0.30000000000000004", "300000"),
            ("434.99999999999994", "435000000"),
            ("7.0000000000000007E-2", "70000"),
        ][s.number % 4];
        s.set_number("设备（万元）", number, "General");
        s.makes("equipment", fen);
    }),
    kind("a value in groups", |s| {
        s.set("设备（万元）", "1,234.50");
        s.makes("equipment", "1234500000");
    }),
    kind("a value of parts of a fen", |s| {
        s.set("设备（万元）", "0.12345678");
        s.refused("NUMBER_NOT_WHOLE");
    }),
    kind("a value in words", |s| {
        s.set("设备（万元）", "三百万");
        s.refused("NUMBER_INVALID");
    }),
    only(Form::Book, "October with its zero", |s| {
        s.set_number("成立", "2010.1", "0.00");
        s.makes("year", 2010);
    }),
    only(Form::Book, "January or October, of which the year counts", |s| {
        s.set_number("成立", "2010.1", "General");
        s.makes("year", 2010);
    }),
    only(Form::Book, "a day shown as a month", |s| {
        s.set_number("成立", "45352", "yyyy\"年\"m\"月\"");
        s.makes("year", 2024);
    }),
    kind("a term that goes on", |s| {
        let end = s.world.rng.one_of(&["至今", "-", "—今"]);
        s.set("主任/任期", format!("2012年3月1日{end}"));
        let director = s.get("主任/姓名");
        s.makes("directors", json!([[director, "2012-03-01", ""]]));
    }),
    kind("a term that ends before it begins", |s| {
        s.set("主任/任期", "2016.09.30-2011.03.01");
        s.refused("PERIOD_REVERSED");
    }),
    kind("a term of months", |s| {
        s.set("主任/任期", "2011.03-2016.09");
        let director = s.get("主任/姓名");
        s.makes("directors", json!([[director, "2011-03", "2016-09"]]));
    }),
    kind("a day that there is not", |s| {
        s.set("主任/任期", "2011.02.30-2016.09.30");
        s.refused("DATE_INVALID");
    }),
    kind("a value that the mapping does not list", |s| {
        s.set("类型", "综合类");
        s.refused("VALUE_UNKNOWN");
    }),
    kind("a second row of the same number", |s| common::twice(s, "面积", "1")),
    kind("the same row twice", common::doubled),
    only(Form::Book, "a hidden row", common::hidden),
    only(Form::Book, "a formula without its value", |s| {
        common::valueless(s, "面积")
    }),
    only(Form::Text, "a separator that is not quoted", common::long),
];
