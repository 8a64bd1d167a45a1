//! `docs/field-classes.md` against the contract.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use mingce_proto::field_class::class_of;
use mingce_proto::names::POOL;
use mingce_proto::registry::FieldClass;
use prost_reflect::{FieldDescriptor, MessageDescriptor};

/// What the page says before its tables.
const HEAD: &str = "\
# Classes of fields

Each field of each answer has a class, which says who may see it. The contract has it as an option
(`mingce.registry.v1.field_class`), and this page is made from the contract. [ADR 54](adr/0054-field-classes.md) says why
fields have the class that they have. A field within a message is seen where the field that holds the message is seen
too.

本页由接口契约生成，逐条列出每个字段的类别，即谁可以看到它。嵌套字段只有在外层字段也可见时才可见。

| class | 类别 | who sees it | 谁可以看到 |
| --- | --- | --- | --- |
| PUBLIC | 公开 | everybody who may call the method | 凡可调用该方法者 |
| INTERNAL | 内部 | who works with the register | 名册工作人员 |
| PERSONAL | 个人信息 | who has a right to personal data | 有个人信息权限者 |
| SEALED | 密存 | nobody: it is taken in, kept encrypted, and never answered | 任何人都看不到：只收取，加密保存，从不返回 |
";

/// The headings, in their order.
const RECORDS: &str = "Records 记录";
const PARTS: &str = "Parts of records and answers 记录和应答的组成部分";
const ANSWERS: &str = "Answers 应答";

fn class(field: &FieldDescriptor) -> &'static str {
    match class_of(field) {
        FieldClass::Public => "PUBLIC 公开",
        FieldClass::Internal => "INTERNAL 内部",
        FieldClass::Personal => "PERSONAL 个人信息",
        FieldClass::Sealed => "SEALED 密存",
        FieldClass::Unspecified => "—",
    }
}

fn is_record(message: &MessageDescriptor) -> bool {
    let has = |number: u32, name: &str| message.get_field(number).is_some_and(|field| field.name() == name);
    has(1, "name") && has(7, "record_status") && has(100, "sequence")
}

/// The messages of all answers, at any depth, each with its heading.
fn messages() -> BTreeMap<String, (&'static str, MessageDescriptor)> {
    let methods = POOL
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>());
    let mut left: Vec<(&'static str, MessageDescriptor)> = methods.map(|method| (ANSWERS, method.output())).collect();
    let mut found = BTreeMap::new();
    // What a method answers goes first, so that a part is no answer.
    let mut at = 0;
    while let Some((heading, message)) = left.get(at).cloned() {
        at += 1;
        let name = message.full_name().to_owned();
        if name.starts_with("google.protobuf.") || found.contains_key(&name) {
            continue;
        }
        let inner = message.fields().filter_map(|field| field.kind().as_message().cloned());
        left.extend(inner.map(|inner| (PARTS, inner)));
        let heading = if is_record(&message) { RECORDS } else { heading };
        found.insert(name, (heading, message));
    }
    found
}

fn page() -> String {
    let (mut page, messages) = (HEAD.to_owned(), messages());
    for heading in [RECORDS, PARTS, ANSWERS] {
        let _ = write!(page, "\n## {heading}\n");
        for (name, (_, message)) in messages.iter().filter(|(_, (of, _))| *of == heading) {
            let _ = write!(page, "\n### {name}\n\n| field 字段 | class 类别 |\n| --- | --- |\n");
            let mut fields: Vec<FieldDescriptor> = message.fields().collect();
            fields.sort_by_key(FieldDescriptor::number);
            for field in fields {
                let _ = writeln!(page, "| `{}` | {} |", field.name(), class(&field));
            }
        }
    }
    page
}

#[test]
#[expect(clippy::disallowed_methods, reason = "golden files are written anew by it")]
fn the_page_of_the_field_classes_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/field-classes.md");
    let page = page();
    assert!(
        page.lines().count() > 1000 && !page.contains("—"),
        "each field has a class"
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == page,
        "docs/field-classes.md is not what the contract says: UPDATE_GOLDEN=1 cargo test -p mingce-proto writes it"
    );
}
