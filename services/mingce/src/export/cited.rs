//! What references in an export say beside resource names, so that another register finds what they mean: identifiers, codes,
//! cities, hosts, years of birth.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result};
use mingce_mapping::Collection;
use mingce_orm::model::identifier::identifies;
use mingce_proto::collections;
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage, Value};
use tonic::transport::Channel;

use crate::import::{Servers, collection};
use crate::wire;

/// How many records one call asks for.
const PIECE: usize = 1_000;

/// How many records are remembered before they are asked for anew.
const REMEMBERED: usize = 100_000;

/// How often a record that was merged leads on.
const MERGES: usize = 100;

/// The messages that name a record: the message, its field with the resource name, the collection.
const REFERENCES: [(&str, &str, &str); 5] = [
    (
        "mingce.registry.v1.OrganizationReference",
        "organization",
        collections::ORGANIZATIONS,
    ),
    ("mingce.registry.v1.TalentReference", "talent", collections::TALENTS),
    ("mingce.labs.v1.LabReference", "lab", collections::LABS),
    (
        "mingce.talent.v1.ProgrammeReference",
        "programme",
        collections::PROGRAMMES,
    ),
    ("mingce.awards.v1.SchemeReference", "scheme", collections::SCHEMES),
];

/// What another register needs to find a record: fields of a reference.
type Known = BTreeMap<&'static str, Value>;

/// Fills in references, a page at a time.
pub struct Cited<'a> {
    of: &'static Collection,
    servers: &'a Servers,
    channels: HashMap<String, Channel>,
    known: HashMap<String, Known>,
}

impl<'a> Cited<'a> {
    /// For resources of a collection.
    pub fn new(of: &'static Collection, servers: &'a Servers) -> Self {
        Self {
            of,
            servers,
            channels: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// Fills in the references of some resources.
    ///
    /// # Errors
    /// Where a service cannot be asked.
    pub async fn fill(&mut self, resources: &mut [Value]) -> Result<()> {
        if self.known.len() > REMEMBERED {
            self.known.clear();
        }
        let mut wanted: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for resource in resources.iter_mut() {
            each(resource, self.of, &mut |label, name, _| {
                if !self.known.contains_key(name) {
                    wanted.entry(label).or_default().insert(name.to_owned());
                }
            });
        }
        for (label, names) in wanted {
            self.learn(collection(label)?, names).await?;
        }
        for resource in resources {
            each(resource, self.of, &mut |_, name, reference| {
                for (field, value) in self.known.get(name).into_iter().flatten() {
                    reference.set_field_by_name(field, value.clone());
                }
            });
        }
        Ok(())
    }

    /// Learns what is known of records, of those that were merged by what stands for them.
    async fn learn(&mut self, of: &'static Collection, names: BTreeSet<String>) -> Result<()> {
        let mut waiting: Vec<(String, String)> = names.into_iter().map(|name| (name.clone(), name)).collect();
        for _ in 0..MERGES {
            let mut merged = Vec::new();
            for piece in waiting.chunks(PIECE) {
                let asked = piece.iter().map(|(_, at)| at.clone()).collect::<BTreeSet<_>>();
                let found = self.get(of, asked).await?;
                for (name, at) in piece {
                    let Some(record) = found.get(at) else { continue };
                    let survivor = text(record, "survivor");
                    if survivor.is_empty() {
                        self.known.insert(name.clone(), tells(record));
                    } else {
                        merged.push((name.clone(), survivor));
                    }
                }
            }
            if merged.is_empty() {
                break;
            }
            waiting = merged;
        }
        Ok(())
    }

    async fn get(&mut self, of: &Collection, names: BTreeSet<String>) -> Result<HashMap<String, DynamicMessage>> {
        let method = of.method("BatchGet").context("the contract has no such method")?;
        let field = of.field_in(&method.output()).context("the answer holds no resources")?;
        let url = self.servers.of(of);
        if !self.channels.contains_key(url) {
            self.channels.insert(url.to_owned(), wire::connect(url).await?);
        }
        let channel = self.channels.get(url).context("a server is missing")?;
        let mut request = DynamicMessage::new(method.input());
        let names = names.into_iter().map(Value::String).collect();
        request.set_field_by_name("names", Value::List(names));
        let answer = wire::unary(channel, &method, &request).await;
        let mut answer = answer.map_err(|s| wire::failure(&format!("reading {} that are named", of.label), &s))?;
        let Some(Value::List(records)) = answer.take_field(&field) else {
            return Ok(HashMap::new());
        };
        let named = |record: Value| match record {
            Value::Message(record) => Some((text(&record, "name"), record)),
            _ => None,
        };
        Ok(records.into_iter().filter_map(named).collect())
    }
}

/// Goes to the references in a value that have a resource name: collection, name, reference.
fn each(value: &mut Value, of: &Collection, visit: &mut dyn FnMut(&'static str, &str, &mut DynamicMessage)) {
    match value {
        Value::List(items) => items.iter_mut().for_each(|item| each(item, of, visit)),
        Value::Message(message) => {
            if let Some((field, label)) = referring(&message.descriptor()) {
                // A lab keeps its persons as they are given.
                let is_kept = of.label == collections::LABS && label == collections::TALENTS;
                let name = text(message, field);
                if !name.is_empty() && !is_kept {
                    visit(label, &name, message);
                }
                return;
            }
            message.fields_mut().for_each(|(_, inner)| each(inner, of, visit));
        }
        _ => {}
    }
}

fn referring(message: &MessageDescriptor) -> Option<(&'static str, &'static str)> {
    let known = REFERENCES.iter().find(|(name, ..)| *name == message.full_name());
    known.map(|(_, field, label)| (*field, *label))
}

/// What another register finds a record by, beside its name: an identifier that its subject has alone before others.
fn tells(record: &DynamicMessage) -> Known {
    let mut known = Known::new();
    let code = text(record, "code");
    if !code.is_empty() {
        known.insert("code", Value::String(code));
        return known;
    }
    let held = items(record, "identifiers");
    let is_own = |held: &&DynamicMessage| identifies(&text(held, "scheme"));
    let best = held.iter().find(is_own).or(held.first());
    if let Some(best) = best {
        known.insert("identifier", Value::Message(best.clone()));
    }
    let kind = record.descriptor();
    if kind.name() == "Organization" || (kind.name() == "Lab" && best.is_none()) {
        let city = text(record, "city");
        if !city.is_empty() {
            known.insert("city", Value::String(city));
        }
    }
    let of_first = |field: &str| {
        let first = items(record, field).into_iter().next()?;
        let organization = first.get_field_by_name("organization")?.as_message()?.clone();
        Some(text(&organization, "display_name")).filter(|name| !name.is_empty())
    };
    match kind.name() {
        "Lab" if best.is_none() => {
            known.extend(of_first("hosts").map(|host| ("host", Value::String(host))));
        }
        "Talent" if best.is_none() => {
            let year = record.get_field_by_name("birth_year").and_then(|year| year.as_i32());
            match year.filter(|year| *year != 0) {
                Some(year) => known.extend([("birth_year", Value::I32(year))]),
                None => known.extend(of_first("employments").map(|employer| ("employer", Value::String(employer)))),
            }
        }
        _ => {}
    }
    known
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn items(message: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    match message.get_field_by_name(field).as_deref() {
        Some(Value::List(items)) => items.iter().filter_map(Value::as_message).cloned().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use mingce_proto::names::POOL;
    use prost_reflect::Kind;

    use super::*;

    /// A new reference of the contract is filled in too, or this says so.
    #[test]
    fn all_references_of_the_contract_are_known_with_their_fields() {
        let of_contract: BTreeSet<String> = POOL
            .all_messages()
            .map(|message| message.full_name().to_owned())
            .filter(|name| {
                name.starts_with("mingce.") && name.ends_with("Reference") && !name.ends_with("CreatedReference")
            })
            .collect();
        let known: BTreeSet<String> = REFERENCES.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(of_contract, known);
        for (message, field, label) in REFERENCES {
            let message = POOL.get_message_by_name(message).unwrap();
            assert_eq!(message.get_field_by_name(field).unwrap().kind(), Kind::String);
            assert!(collection(label).unwrap().method("BatchGet").is_some());
        }
    }
}
