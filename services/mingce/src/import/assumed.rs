//! What a dry run would have created so far. Each call is told of that only what its rows can mean, so that the length of a
//! file is no matter.

use std::collections::{BTreeSet, HashMap};

use mingce_orm::model::identifier;
use mingce_orm::text;
use mingce_proto::registry::AssumedRecord;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, Value};

/// Records that do not exist yet, found by their names and identifiers.
#[derive(Debug, Default)]
pub struct Assumed {
    records: Vec<AssumedRecord>,
    places: HashMap<String, Vec<usize>>,
}

impl Assumed {
    /// What was added so far is not of the rows that come.
    pub fn begin_part(&mut self) {
        self.records.iter_mut().for_each(|record| record.row = 0);
    }

    /// Adds a record.
    pub fn push(&mut self, record: AssumedRecord) {
        let place = self.records.len();
        let mut keys: BTreeSet<String> = record.names.iter().map(|name| named(name)).collect();
        keys.insert(named(&record.display_name));
        for held in &record.identifiers {
            keys.insert(identified(&held.scheme, &held.value));
            // A code stands alone in what refers to it, and what names a parent has both.
            keys.insert(named(&held.value));
            keys.insert(named(&format!("{}:{}", held.scheme, held.value)));
        }
        for key in keys {
            self.places.entry(key).or_default().push(place);
        }
        self.records.push(record);
    }

    /// Those that rows may mean, in the order in which they were added.
    pub fn meant_by<'a>(&self, rows: impl IntoIterator<Item = &'a DynamicMessage>) -> Vec<AssumedRecord> {
        if self.records.is_empty() {
            return Vec::new();
        }
        let mut found = BTreeSet::new();
        for row in rows {
            self.look(row, &mut found);
        }
        let record = |place: usize| self.records.get(place).cloned();
        found.into_iter().filter_map(record).collect()
    }

    fn look(&self, message: &DynamicMessage, found: &mut BTreeSet<usize>) {
        let text = |name: &str| {
            let field = message.get_field_by_name(name)?;
            field.as_str().map(str::to_owned)
        };
        if let (Some(scheme), Some(value)) = (text("scheme"), text("value")) {
            found.extend(self.places.get(&identified(&scheme, &value)).into_iter().flatten());
        }
        for (_, value) in message.fields() {
            match value {
                Value::List(items) => items.iter().for_each(|item| self.look_at(item, found)),
                value => self.look_at(value, found),
            }
        }
    }

    fn look_at(&self, value: &Value, found: &mut BTreeSet<usize>) {
        match value {
            Value::String(text) => found.extend(self.places.get(&named(text)).into_iter().flatten()),
            Value::Message(message) => self.look(message, found),
            _ => {}
        }
    }
}

/// How much memory a server takes to remember in a dry run what a resource would become, about: the resource as it is stored, and an
/// entry for each text by which it may be found.
pub fn remembered(message: &DynamicMessage) -> usize {
    const ENTRY: usize = 450;
    fn texts(value: &Value) -> usize {
        match value {
            Value::String(_) => 1,
            Value::List(items) => items.iter().map(texts).sum(),
            Value::Message(message) => message.fields().map(|(_, value)| texts(value)).sum(),
            _ => 0,
        }
    }
    let all: usize = message.fields().map(|(_, value)| texts(value)).sum();
    2 * message.encoded_len() + ENTRY * (all + 1)
}

fn named(name: &str) -> String {
    text::fold(name)
}

fn identified(scheme: &str, value: &str) -> String {
    let canonical = identifier::canonical(scheme, value).unwrap_or_else(|_| value.to_owned());
    // No folded name has this between its words.
    format!("{scheme}\n{canonical}")
}

#[cfg(test)]
mod tests {
    use mingce_mapping::{Item, Mapping, Row, Source};
    use mingce_proto::registry::Identifier;

    use super::*;

    fn rows() -> Vec<Row> {
        let mapping = Mapping::find("ror-labs").unwrap();
        let header = "ror_id,name_zh,name_en,acronyms,aliases,status,established,city,host_ror_ids,host_names,successor_ror_ids,website";
        let text =
            format!("{header}\nhttps://ror.org/000190731,甲实验室,,,,active,,,https://ror.org/00cmhce21,乙 大学,,\n");
        let source = Source::from_bytes("labs.csv", text.into_bytes(), &mapping.options()).unwrap();
        let mut rows = Vec::new();
        let mut keep = |item| {
            if let Item::Row(row) = item {
                rows.push(row);
            }
            Ok(true)
        };
        mapping.parts()[0].read(&mapping, &source, &mut keep).unwrap();
        rows
    }

    #[test]
    fn a_call_is_told_only_what_its_rows_can_mean() {
        let mut assumed = Assumed::default();
        let mut record = |name: &str, scheme: &str, value: &str| {
            let identifiers = if value.is_empty() {
                vec![]
            } else {
                vec![Identifier {
                    scheme: scheme.to_owned(),
                    value: value.to_owned(),
                }]
            };
            assumed.push(AssumedRecord {
                collection: "organizations".to_owned(),
                display_name: name.to_owned(),
                identifiers,
                ..AssumedRecord::default()
            });
        };
        record("丙大学", "", "");
        record("别名", "ror", "00cmhce21");
        record("乙-大学", "", "");
        record("丁", "ror", "05a28rw58");
        let meant: Vec<String> = assumed
            .meant_by(rows().iter().map(|row| &row.message))
            .into_iter()
            .map(|r| r.display_name)
            .collect();
        assert_eq!(meant, ["别名", "乙-大学"]);
    }
}
