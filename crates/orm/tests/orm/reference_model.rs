//! A reference model: the rules of [`Institutes`](crate::collections::Institutes) once more, over a list in memory.

use std::collections::{BTreeMap, BTreeSet};

use mingce_orm::text::fold;
use mingce_proto::labs::Organization;
use mingce_proto::registry::{Identifier, RecordStatus};

/// What a test looks at in a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub name: String,
    pub revision: i64,
    pub status: RecordStatus,
    pub survivor: String,
    pub display_name: String,
    /// Text, and the duplicate that it came with.
    pub names: Vec<(String, String)>,
    pub identifiers: Vec<String>,
    pub city: String,
}

impl From<Organization> for Record {
    fn from(item: Organization) -> Self {
        assert_eq!(item.etag, format!("\"r{}\"", item.revision));
        Self {
            status: item.record_status(),
            name: item.name,
            revision: item.revision,
            survivor: item.survivor,
            display_name: item.display_name,
            names: item.names.into_iter().map(|n| (n.text, n.merged_from)).collect(),
            identifiers: item.identifiers.into_iter().map(|i| i.value).collect(),
            city: item.city,
        }
    }
}

/// What a caller says of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    pub display_name: Option<String>,
    pub identifiers: Option<Vec<String>>,
    pub city: Option<String>,
}

impl Input {
    pub fn item(&self) -> Organization {
        let held = |value: &String| Identifier {
            scheme: "test".into(),
            value: value.clone(),
        };
        Organization {
            display_name: self.display_name.clone().unwrap_or_default(),
            identifiers: self.identifiers.iter().flatten().map(held).collect(),
            city: self.city.clone().unwrap_or_default(),
            ..Organization::default()
        }
    }

    /// The mask that names what is given.
    pub fn paths(&self) -> Vec<String> {
        let fields = [
            ("display_name", self.display_name.is_some()),
            ("identifiers", self.identifiers.is_some()),
            ("city", self.city.is_some() || *self == Self::default()),
        ];
        fields
            .iter()
            .filter(|(_, is_given)| *is_given)
            .map(|(path, _)| (*path).to_owned())
            .collect()
    }

    /// Without what a message cannot tell from not given.
    fn set(&self) -> Self {
        Self {
            display_name: self.display_name.clone().filter(|n| !n.is_empty()),
            identifiers: self.identifiers.clone().filter(|i| !i.is_empty()),
            city: self.city.clone().filter(|c| !c.is_empty()),
        }
    }
}

/// One change that a caller wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    Create(Input),
    Update {
        name: String,
        etag: String,
        input: Input,
    },
    Annul {
        name: String,
        etag: String,
    },
    Merge {
        name: String,
        survivor: String,
        etag: String,
    },
    Unmerge {
        name: String,
        etag: String,
    },
    Import(Input),
}

/// All records by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model(pub BTreeMap<String, Record>);

type Answer = Result<Record, &'static str>;

impl Model {
    /// Does one change and answers what the register must answer. A new record gets the name `new`.
    pub fn apply(&mut self, op: &Op, new: &str) -> Answer {
        let mut next = self.clone();
        let answer = next.change(op, new)?;
        *self = next;
        Ok(answer)
    }

    fn change(&mut self, op: &Op, new: &str) -> Answer {
        match op {
            Op::Create(input) => self.create(input, new),
            Op::Update { name, etag, input } => {
                let stored = self.expect(name, etag)?;
                active(&stored)?;
                let empty = Input {
                    city: Some(String::new()),
                    ..Input::default()
                };
                self.put(&stored, if *input == Input::default() { &empty } else { input })
            }
            Op::Annul { name, etag } => {
                let stored = self.expect(name, etag)?;
                active(&stored)?;
                self.write(Record {
                    status: RecordStatus::Annulled,
                    ..stored
                })
            }
            Op::Merge { name, survivor, etag } => {
                if name == survivor {
                    return Err("SURVIVOR_IS_SAME");
                }
                let duplicate = self.0.get(name).cloned().ok_or("RESOURCE_NOT_FOUND")?;
                let mut stays = self.expect(survivor, "")?;
                let duplicate = self.expect(&duplicate.name, etag)?;
                active(&duplicate)?;
                active(&stays)?;
                let own = stays.names.iter().filter(|n| n.1.is_empty());
                let known: BTreeSet<_> = own.map(|n| n.0.clone()).collect();
                let mut known: BTreeSet<_> = known.into_iter().chain([stays.display_name.clone()]).collect();
                for text in std::iter::once(&duplicate.display_name).chain(duplicate.names.iter().map(|n| &n.0)) {
                    if known.insert(text.clone()) {
                        stays.names.push((text.clone(), name.clone()));
                    }
                }
                self.write(Record {
                    status: RecordStatus::Duplicate,
                    survivor: survivor.clone(),
                    ..duplicate
                })?;
                self.rewrite(stays)
            }
            Op::Unmerge { name, etag } => {
                let duplicate = self.expect(name, etag)?;
                if duplicate.status != RecordStatus::Duplicate {
                    return Err("RECORD_NOT_DUPLICATE");
                }
                let mut was = self.0[&duplicate.survivor].clone();
                let mut is = was.clone();
                is.names.retain(|n| n.1 != *name);
                self.rewrite(is.clone())?;
                // What the survivor was merged into has the names that it would have taken over from that alone.
                while was.status == RecordStatus::Duplicate {
                    let above = self.0[&was.survivor].clone();
                    let mut changed = above.clone();
                    let (before, after) = (taken(&above, &is), taken(&above, &was));
                    changed
                        .names
                        .retain(|n| n.1 != was.name || !after.contains(&n.0) || before.contains(&n.0));
                    let new = before.into_iter().filter(|text| !after.contains(text));
                    changed.names.extend(new.map(|text| (text, was.name.clone())));
                    self.write(changed.clone())?;
                    (was, is) = (above, changed);
                }
                self.write(Record {
                    status: RecordStatus::Active,
                    survivor: String::new(),
                    ..duplicate
                })
            }
            Op::Import(input) => {
                let row = input.set();
                let mut meant = BTreeSet::new();
                let mut merged_away = true;
                for holder in row.identifiers.iter().flatten().filter_map(|held| self.holder(held)) {
                    let meant_one = self.stands_for(holder);
                    merged_away &= meant_one != holder;
                    meant.insert(meant_one);
                }
                merged_away &= !meant.is_empty();
                if meant.is_empty() {
                    let is_same = |r: &&Record| {
                        let names = std::iter::once(&r.display_name).chain(r.names.iter().map(|n| &n.0));
                        let named = names
                            .into_iter()
                            .any(|n| fold(n) == fold(row.display_name.as_deref().unwrap_or("")));
                        let city = row.city.as_ref().is_none_or(|c| r.city.is_empty() || *c == r.city);
                        named && city && r.status == RecordStatus::Active
                    };
                    meant.extend(self.0.values().filter(is_same).map(|r| r.name.clone()));
                }
                match meant.len() {
                    0 => self.create(&row, new),
                    1 => {
                        let stored = self.0[meant.first().unwrap()].clone();
                        active(&stored)?;
                        if merged_away {
                            return Ok(stored);
                        }
                        let trimmed = row.display_name.as_ref().map(|n| n.trim().to_owned());
                        // What its duplicates hold stays with them.
                        let own = |held: &String| {
                            let holder = self.holder(held);
                            holder.is_none_or(|h| h == stored.name || self.stands_for(h) != stored.name)
                        };
                        let identifiers = row.identifiers.map(|all| all.into_iter().filter(own).collect());
                        self.put(
                            &stored,
                            &Input {
                                display_name: trimmed,
                                identifiers,
                                ..row
                            },
                        )
                    }
                    _ => Err("RECORDS_DISAGREE"),
                }
            }
        }
    }

    fn create(&mut self, input: &Input, new: &str) -> Answer {
        let empty = Record {
            name: new.to_owned(),
            revision: 0,
            status: RecordStatus::Active,
            survivor: String::new(),
            display_name: String::new(),
            names: Vec::new(),
            identifiers: Vec::new(),
            city: String::new(),
        };
        self.put(&empty, input)
    }

    fn put(&mut self, stored: &Record, input: &Input) -> Answer {
        let mut record = stored.clone();
        if let Some(name) = &input.display_name {
            record.display_name.clone_from(name);
        }
        // The contract's own rule comes first.
        if record.display_name.is_empty() {
            return Err("STRING_MIN_LEN");
        }
        record.display_name = record.display_name.trim().to_owned();
        if let Some(held) = &input.identifiers {
            let mut seen = BTreeSet::new();
            record.identifiers = held.iter().filter(|i| seen.insert(*i)).cloned().collect();
        }
        if let Some(city) = &input.city {
            record.city.clone_from(city);
        }
        if record.display_name.is_empty() {
            return Err("NAME_EMPTY");
        }
        if record
            .identifiers
            .iter()
            .any(|held| self.holder(held).is_some_and(|holder| holder != record.name))
        {
            return Err("IDENTIFIER_TAKEN");
        }
        self.write(record)
    }

    fn write(&mut self, mut record: Record) -> Answer {
        if self.0.get(&record.name) != Some(&record) {
            record.revision += 1;
            self.0.insert(record.name.clone(), record.clone());
        }
        Ok(record)
    }

    /// Also where nothing changes: it is part of the history.
    fn rewrite(&mut self, mut record: Record) -> Answer {
        record.revision += 1;
        self.0.insert(record.name.clone(), record.clone());
        Ok(record)
    }

    fn expect(&self, name: &str, etag: &str) -> Answer {
        let stored = self.0.get(name).ok_or("RESOURCE_NOT_FOUND")?;
        let fits = etag.is_empty() || etag == format!("\"r{}\"", stored.revision);
        if fits { Ok(stored.clone()) } else { Err("ETAG_MISMATCH") }
    }

    fn holder(&self, identifier: &String) -> Option<&str> {
        let holds = |r: &&Record| r.status != RecordStatus::Annulled && r.identifiers.contains(identifier);
        self.0.values().find(holds).map(|r| r.name.as_str())
    }

    fn stands_for(&self, name: &str) -> String {
        let mut record = &self.0[name];
        while record.status == RecordStatus::Duplicate {
            record = &self.0[&record.survivor];
        }
        record.name.clone()
    }
}

/// The names that a record takes over from one that is merged into it.
fn taken(above: &Record, below: &Record) -> Vec<String> {
    let own = above.names.iter().filter(|n| n.1.is_empty()).map(|n| n.0.clone());
    let mut known: BTreeSet<String> = own.chain([above.display_name.clone()]).collect();
    let all = std::iter::once(&below.display_name).chain(below.names.iter().map(|n| &n.0));
    all.filter(|text| known.insert((*text).clone())).cloned().collect()
}

fn active(record: &Record) -> Result<(), &'static str> {
    if record.status == RecordStatus::Active {
        Ok(())
    } else {
        Err("RECORD_NOT_ACTIVE")
    }
}
