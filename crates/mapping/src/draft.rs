//! A mapping to begin with, of what a file seems to hold.

use crate::collection::Collection;
use crate::error::{Error, said};
use crate::survey::{Guess, SeenColumn, Survey};

/// The signs between persons or disciplines that a draft names also where no cell has them yet.
const USUAL: [char; 2] = ['、', '；'];

/// Headers by what they contain, and the field that they mean, in the order in which they are tried.
const WORDS: [(&str, &str, &[&str]); 24] = [
    (
        "labs",
        "display_name",
        &["实验室名称", "平台名称", "名称", "实验室", "Name", "name"],
    ),
    ("labs", "hosts", &["依托单位", "承担单位", "建设单位"]),
    ("labs", "city", &["所在市", "所在城市", "城市", "地市"]),
    ("labs", "address", &["地址"]),
    ("labs", "field", &["领域"]),
    ("labs", "website", &["网址", "网站"]),
    ("labs", "academic_committee", &["学术委员"]),
    ("labs", "area_square_metres", &["面积"]),
    ("labs", "established_year", &["成立", "建立", "组建"]),
    ("talents", "display_name", &["姓名", "人才", "Name", "name"]),
    ("talents", "identity_document", &["身份证", "证件号"]),
    ("talents", "birth_date", &["出生", "生日"]),
    ("talents", "nationality", &["国籍"]),
    ("talents", "education", &["学历"]),
    ("talents", "title", &["职称"]),
    ("talents", "employments", &["工作单位", "所在单位", "用人单位", "单位"]),
    ("talents", "disciplines", &["学科", "专业"]),
    (
        "organizations",
        "display_name",
        &["单位名称", "机构名称", "企业名称", "名称", "单位", "Name", "name"],
    ),
    ("organizations", "identifiers", &["统一社会信用代码", "信用代码"]),
    ("organizations", "city", &["所在市", "城市", "地市"]),
    ("organizations", "division_code", &["行政区划代码"]),
    ("organizations", "established_year", &["成立"]),
    ("organizations", "website", &["网址", "网站"]),
    ("organizations", "country_code", &["国家代码"]),
];

impl Survey {
    /// The collection whose words most headers have.
    pub fn collection(&self) -> &'static str {
        let score = |label: &&str| {
            WORDS
                .iter()
                .filter(|(of, ..)| of == label)
                .filter_map(|w| self.column(w.2))
                .count()
        };
        let labels = ["organizations", "talents", "labs"];
        labels.into_iter().max_by_key(score).unwrap_or("organizations")
    }

    /// A mapping of this file into `collection`: the fields that its headers seem to mean, and in remarks those columns that are left.
    pub fn draft(&self, collection: &'static Collection) -> Result<String, Error> {
        let message = collection.descriptor()?;
        let mut text = format!(
            "# A draft: read it, mend it, then `mingce import {} --as THIS.toml --dry-run`.\n",
            self.source.name()
        );
        if !self.source.sheet().is_empty() {
            text.push_str(&format!("sheet = {}\n", quoted(self.source.sheet())));
        }
        match self.header.as_slice() {
            [] => {}
            [one] => text.push_str(&format!("header = {one}\n")),
            several => text.push_str(&format!("header = {several:?}\n")),
        }
        text.push_str(&format!(
            "\n[[part]]\ncollection = {}\n\n[part.fields]\n",
            quoted(collection.label)
        ));
        let mut used = Vec::new();
        let words = WORDS.iter().filter(|(of, ..)| *of == collection.label);
        for (_, field, words) in words {
            let free = |c: &&SeenColumn| !used.contains(&c.letter) && c.guess != Guess::Empty;
            let Some(column) = self.columns.iter().filter(free).find(|c| meant(c, words)) else {
                continue;
            };
            if message.get_field_by_name(field).is_none() {
                continue;
            }
            text.push_str(&line(field, column));
            used.push(column.letter.clone());
        }
        if !used.iter().any(|_| text.contains("\ndisplay_name = ")) {
            let Some(column) = self
                .columns
                .iter()
                .find(|c| c.guess == Guess::Text && !used.contains(&c.letter))
            else {
                return Err(Error::source(
                    self.source.name(),
                    said(
                        "no column of texts that could be a name; write a mapping that says which is",
                        "没有可以作为名称的文字列；请自行编写映射，写明哪一列是名称",
                    ),
                ));
            };
            text.push_str(&line("display_name", column));
            used.push(column.letter.clone());
        }
        for column in self
            .columns
            .iter()
            .filter(|c| !used.contains(&c.letter) && c.guess != Guess::Empty)
        {
            // A remark ends with its line.
            let name: String = column.name.chars().filter(|c| !c.is_control()).collect();
            text.push_str(&format!(
                "# {} {name} ({}): {}\n",
                column.letter,
                column.guess.words(),
                column.reference
            ));
        }
        Ok(text)
    }

    fn column(&self, words: &[&str]) -> Option<&SeenColumn> {
        self.columns.iter().find(|c| c.guess != Guess::Empty && meant(c, words))
    }
}

fn meant(column: &SeenColumn, words: &[&str]) -> bool {
    let name = column.name.replace(char::is_whitespace, "");
    words
        .iter()
        .any(|word| name == *word || (!word.is_ascii() && name.contains(word)))
}

/// The line of a field.
fn line(field: &str, column: &SeenColumn) -> String {
    let from = quoted(&column.reference);
    let name = column.reference.trim_start_matches('{').trim_end_matches('}');
    let split = if column.between.is_empty() {
        String::new()
    } else {
        let by = listed(column.between.iter().copied());
        format!("split = {{ by = {by}, columns = [{}] }}, ", quoted(name))
    };
    match field {
        "hosts" => format!("hosts = {{ {split}organization = {{ display_name = {from} }} }}\n"),
        "employments" => format!("employments = {{ {split}organization = {{ display_name = {from} }} }}\n"),
        "academic_committee" | "disciplines" => {
            let further = column.between.iter().filter(|c| !USUAL.contains(c));
            let by = listed(USUAL.iter().chain(further).copied());
            format!("{field} = {{ from = {from}, split = {by} }}\n")
        }
        "identifiers" => format!("identifiers = {{ scheme = \"uscc\", value = {from} }}\n"),
        "established_year" => format!("{field} = {{ from = {from}, date = \"year\" }}\n"),
        "birth_date" => format!("{field} = {{ from = {from}, date = \"partial\" }}\n"),
        "area_square_metres" => format!(
            "{field} = {{ from = {from}, clean = [\"about\"], units = {{ \"㎡\" = 1, \"平方米\" = 1, \"m2\" = 1 }} }}\n"
        ),
        _ => format!("{field} = {from}\n"),
    }
}

/// Signs as a mapping lists them.
fn listed(signs: impl Iterator<Item = char>) -> String {
    let signs: Vec<_> = signs.map(|sign| quoted(&sign.to_string())).collect();
    format!("[{}]", signs.join(", "))
}

fn quoted(text: &str) -> String {
    // JSON escapes what TOML escapes, in the same way.
    serde_json::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use rust_xlsxwriter::{Format, Workbook};

    use super::*;
    use crate::options::Options;
    use crate::reading::Item;
    use crate::source::Source;
    use crate::spec::Mapping;

    fn survey(name: &str, bytes: Vec<u8>) -> Survey {
        Survey::new(&Options::default(), &|options| {
            Source::from_bytes(name, bytes.clone(), options)
        })
        .unwrap()
    }

    /// How many rows the draft reads, and how many it refuses.
    fn tried(survey: &Survey, name: &str, bytes: Vec<u8>) -> (usize, usize) {
        let draft = survey.draft(Collection::find(survey.collection()).unwrap()).unwrap();
        let mapping = Mapping::parse("draft", &draft).unwrap_or_else(|e| panic!("{e}\n{draft}"));
        let source = Source::from_bytes(name, bytes, &mapping.options()).unwrap();
        mapping.check(&source).unwrap();
        let mut read = (0, 0);
        mapping.parts()[0]
            .read(&mapping, &source, &mut |item| {
                match item {
                    Item::Row(_) => read.0 += 1,
                    Item::Refused(refusals) => panic!("{refusals:?}\n{draft}"),
                }
                Ok(true)
            })
            .unwrap();
        read.1 = draft
            .lines()
            .filter(|l| l.starts_with("# ") && !l.starts_with("# A draft"))
            .count();
        read
    }

    #[test]
    fn a_list_below_a_title_with_grouped_headers_is_drafted_and_the_draft_reads_it() {
        let mut book = Workbook::new();
        book.add_worksheet().set_name("说明").unwrap().set_hidden(true);
        let sheet = book.add_worksheet().set_name("名单").unwrap();
        sheet.set_active(true);
        sheet.merge_range(0, 0, 0, 6, "重点实验室名单", &Format::new()).unwrap();
        sheet.write_row(1, 0, ["序号", "实验室名称", "依托单位"]).unwrap();
        sheet.merge_range(1, 3, 1, 4, "主任", &Format::new()).unwrap();
        sheet.write_row(1, 5, ["面积", "成立时间"]).unwrap();
        sheet.write_row(2, 3, ["姓名", "职称"]).unwrap();
        for row in 3..6 {
            sheet.write_number(row, 0, row - 2).unwrap();
            sheet
                .write_row(
                    row,
                    1,
                    ["海洋示例室", "甲大学、乙所", "张示一", "教授", "约1500㎡", "2019年3月"],
                )
                .unwrap();
        }
        let bytes = book.save_to_buffer().unwrap();
        let survey = survey("t.xlsx", bytes.clone());
        assert_eq!(survey.header, [2, 3]);
        assert_eq!(survey.collection(), "labs");
        assert_eq!(survey.source.sheet(), "名单");
        let column = &survey.columns[3];
        assert_eq!(
            (column.letter.as_str(), column.name.as_str(), column.example.as_str()),
            ("D", "主任/姓名", "张示一")
        );
        assert_eq!(survey.columns[6].guess, Guess::Date);
        assert_eq!(tried(&survey, "t.xlsx", bytes), (3, 3));
    }

    #[test]
    fn several_values_in_a_cell_are_seen_by_every_sign_that_stands_between_them() {
        for (sign, by) in [
            ("、", "[\"、\"]"),
            ("，", "[\"，\"]"),
            ("；", "[\"；\"]"),
            ("|", "[\"|\"]"),
            ("\n", "[\"\\n\"]"),
        ] {
            let names = ["甲大学", "乙研究所"].join(sign);
            let header = "实验室名称,依托单位,学术委员会,面积";
            let labs = format!("{header}\n海洋示例室,\"{names}\",\"{names}\",\"1，500\"\n");
            let labs = survey("t.csv", labs.into());
            assert_eq!(labs.columns[3].guess, Guess::Number);
            let draft = labs.draft(Collection::find("labs").unwrap()).unwrap();
            let hosts = format!("hosts = {{ split = {{ by = {by}, columns = [\"依托单位\"] }}, organization");
            assert!(draft.contains(&hosts), "{draft}");
            let mapping = Mapping::parse("draft", &draft).unwrap_or_else(|e| panic!("{e}\n{draft}"));
            let mut counts = Vec::new();
            mapping.parts()[0]
                .read(&mapping, &labs.source, &mut |item| {
                    match item {
                        Item::Row(row) => counts.extend(["hosts", "academic_committee"].map(|field| {
                            let value = row.message.get_field_by_name(field).unwrap();
                            value.as_list().unwrap().len()
                        })),
                        Item::Refused(refusals) => panic!("{refusals:?}\n{draft}"),
                    }
                    Ok(true)
                })
                .unwrap();
            assert_eq!(counts, [2, 2], "{draft}");
            let persons = format!("姓名,工作单位\n张示一,\"{names}\"\n");
            let draft = survey("t.csv", persons.into());
            let draft = draft.draft(Collection::find("talents").unwrap()).unwrap();
            let employments = format!("employments = {{ split = {{ by = {by}");
            assert!(draft.contains(&employments), "{draft}");
            Mapping::parse("draft", &draft).unwrap_or_else(|e| panic!("{e}\n{draft}"));
        }
    }

    #[test]
    fn a_list_of_persons_in_csv_is_drafted_without_their_documents_shown() {
        let csv = "附件\n\n姓名,身份证号,出生年月,备注,备注\n张示一,370200198510010010,1985-10,x,y\n李示二,370200198610010017,1986.11,,\n";
        let survey = survey("t.csv", csv.into());
        assert_eq!((survey.header.as_slice(), survey.collection()), (&[3][..], "talents"));
        assert_eq!(survey.columns[1].guess, Guess::IdentityDocument);
        assert_eq!(survey.columns[1].example, "3***");
        assert_eq!(survey.columns[4].reference, "{#E}");
        assert_eq!(tried(&survey, "t.csv", csv.into()), (2, 2));
    }
}
