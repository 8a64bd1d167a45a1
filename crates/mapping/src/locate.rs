//! The way back from a field of a resource to the row and the columns it came from.

use prost_reflect::FieldDescriptor;

use crate::row::Row;
use crate::spec::{Content, Entry, Filling, Group, Mapping, Part, Text};

impl Part {
    /// Whether one of `columns` (joined by a comma) fills a field whose content no message may repeat.
    pub fn is_personal(&self, mapping: &Mapping, columns: &str) -> bool {
        let named = |name: &str| columns.split(", ").any(|c| c == name);
        let Content::Mapped { group, .. } = &self.content else {
            return self.collection.input_only.iter().any(|field| named(field));
        };
        let mut personal = Vec::new();
        sealed_in(group, &|field| self.collection.is_personal(field), &mut personal);
        let mut of_file = Vec::new();
        personal
            .into_iter()
            .for_each(|c| mapping.columns.of_file(c, &mut of_file));
        of_file.into_iter().any(|c| named(mapping.columns.name(c)))
    }

    /// The row and the columns behind a field of a resource, given as a path such as `hosts[1].organization.identifier`.
    /// Columns are joined by a comma; empty where the field is none that the source speaks of.
    pub fn locate(&self, mapping: &Mapping, row: &Row, path: &str) -> (u64, String) {
        let steps: Vec<(&str, Option<usize>)> = path.split('.').map(step).collect();
        let Some(&(name, index)) = steps.first() else {
            return (row.number, String::new());
        };
        let Content::Mapped { group, .. } = &self.content else {
            let known = self.message.get_field_by_name(name).is_some();
            return (row.number, if known { name.to_owned() } else { String::new() });
        };
        let Some((field, filling)) = find(group, name) else {
            return (row.number, String::new());
        };
        let origin = row.origins.iter().find(|o| o.field == field.number()).zip(index);
        let item = origin.and_then(|(o, index)| o.items.get(index));
        let mut columns = Vec::new();
        let rest = steps.get(1..).unwrap_or_default();
        match (filling, item) {
            (Filling::List(entries), Some(&(entry, _))) => {
                entries
                    .get(entry)
                    .into_iter()
                    .for_each(|e| of_entry(e, rest, &mut columns));
            }
            _ => of_filling(filling, rest, &mut columns),
        }
        let mut found = Vec::new();
        columns.into_iter().for_each(|c| mapping.columns.of_file(c, &mut found));
        let names: Vec<_> = found.into_iter().map(|c| mapping.columns.name(c)).collect();
        (item.map_or(row.number, |&(_, number)| number), names.join(", "))
    }
}

/// A step of a path: the field's name and the place in its list.
fn step(text: &str) -> (&str, Option<usize>) {
    match text.split_once('[') {
        Some((name, index)) => (name, index.trim_end_matches(']').parse().ok()),
        None => (text, None),
    }
}

fn find<'g>(group: &'g Group, name: &str) -> Option<&'g (FieldDescriptor, Filling)> {
    group.fields.iter().find(|(f, _)| f.name() == name)
}

fn of_text(text: &Text, columns: &mut Vec<usize>) {
    columns.extend(text.from.columns());
}

/// The columns behind fields that no message may repeat, at any depth.
fn sealed_in(group: &Group, is_personal: &dyn Fn(&str) -> bool, columns: &mut Vec<usize>) {
    for (field, filling) in &group.fields {
        if is_personal(field.name()) {
            of_filling(filling, &[], columns);
            continue;
        }
        let entries = match filling {
            Filling::Value(_) => continue,
            Filling::Message(group) => {
                sealed_in(group, is_personal, columns);
                continue;
            }
            Filling::List(entries) => entries,
        };
        for entry in entries {
            if let Entry::Message { group, .. } = entry {
                sealed_in(group, is_personal, columns);
            }
        }
    }
}

/// The columns behind a filling, along the rest of a path; all of them where the path ends or leads nowhere.
fn of_filling(filling: &Filling, rest: &[(&str, Option<usize>)], columns: &mut Vec<usize>) {
    match filling {
        Filling::Value(texts) => texts.iter().for_each(|t| of_text(t, columns)),
        Filling::Message(group) => of_group(group, rest, columns),
        Filling::List(entries) => entries.iter().for_each(|e| of_entry(e, rest, columns)),
    }
}

fn of_entry(entry: &Entry, rest: &[(&str, Option<usize>)], columns: &mut Vec<usize>) {
    match entry {
        Entry::Value(text) => of_text(text, columns),
        Entry::Message { group, .. } => of_group(group, rest, columns),
    }
}

fn of_group(group: &Group, rest: &[(&str, Option<usize>)], columns: &mut Vec<usize>) {
    match rest
        .split_first()
        .and_then(|((name, _), rest)| Some((find(group, name)?, rest)))
    {
        Some(((_, filling), rest)) => of_filling(filling, rest, columns),
        None => group.fields.iter().for_each(|(_, f)| of_filling(f, &[], columns)),
    }
}
