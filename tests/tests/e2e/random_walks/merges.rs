//! Records of organizations, labs and persons behind cases that turn out to be one, and two after all: no case changes
//! by that, what is open and what happens still agree, and both records are as they were once they stand alone again.

use mingce_e2e::Failure;
use serde_json::{Value, json};
use tonic::Code;

use super::walk::{CaseRef, Walk, plain};

/// What is merged, with its methods.
#[derive(Debug)]
pub struct RecordType {
    pub field: &'static str,
    pub create: &'static str,
    get: &'static str,
    merge: &'static str,
    unmerge: &'static str,
}

pub static ORGANIZATION: RecordType = RecordType {
    field: "organization",
    create: "mingce.labs.v1.LabService/CreateOrganization",
    get: "mingce.labs.v1.LabService/GetOrganization",
    merge: "mingce.labs.v1.LabService/MergeOrganizations",
    unmerge: "mingce.labs.v1.LabService/UnmergeOrganization",
};

pub static LABORATORY: RecordType = RecordType {
    field: "lab",
    create: "mingce.labs.v1.LabService/CreateLab",
    get: "mingce.labs.v1.LabService/GetLab",
    merge: "mingce.labs.v1.LabService/MergeLabs",
    unmerge: "mingce.labs.v1.LabService/UnmergeLab",
};

pub static PERSON: RecordType = RecordType {
    field: "talent",
    create: "mingce.talent.v1.TalentService/CreateTalent",
    get: "mingce.talent.v1.TalentService/GetTalent",
    merge: "mingce.talent.v1.TalentService/MergeTalents",
    unmerge: "mingce.talent.v1.TalentService/UnmergeTalent",
};

/// A record of the world, and what it was made of.
#[derive(Debug)]
pub struct KnownRecord {
    pub sort: &'static RecordType,
    pub body: Value,
    pub name: String,
}

/// Two records of one thing.
#[derive(Debug)]
pub struct DuplicatePair {
    sort: &'static RecordType,
    names: [String; 2],
    /// While they are merged.
    now: Option<Merged>,
}

#[derive(Debug, Clone)]
struct Merged {
    /// The place of the duplicate among the names.
    duplicate: usize,
    /// Both records before the merge.
    before: [Value; 2],
    /// The revision of the survivor after it.
    revision: Value,
}

impl DuplicatePair {
    /// The duplicate and the survivor, while they are merged.
    pub fn merged(&self) -> Option<(&str, &str)> {
        let duplicate = self.now.as_ref()?.duplicate;
        Some((&self.names[duplicate], &self.names[1 - duplicate]))
    }
}

/// A record without what each change of it sets.
fn lasting(record: &Value) -> Value {
    let mut record = record.clone();
    for field in ["etag", "revision", "update_time", "sequence"] {
        record[field] = Value::Null;
    }
    record
}

impl Walk<'_> {
    /// Records some things of the world once more.
    pub async fn make_duplicates(&mut self) {
        for known in std::mem::take(&mut self.world.known) {
            // These two are named by verbs, which do not look for survivors.
            if [&self.world.reviewer, &self.world.names.successor].contains(&&known.name) {
                continue;
            }
            let other = self
                .made(known.sort.create, json!({known.sort.field: known.body}))
                .await;
            self.world.twins.push(DuplicatePair {
                sort: known.sort,
                names: [known.name, other],
                now: None,
            });
        }
    }

    /// Merges two records of one thing, or takes that back.
    pub async fn merge_or_unmerge(&mut self, case: &CaseRef, before: &Value) {
        let place = self.rng.below(self.world.twins.len());
        let twins = &self.world.twins[place];
        let (sort, names) = (twins.sort, twins.names.clone());
        let now = match twins.now.clone() {
            None => self.merge(sort, &names).await,
            Some(merged) => self.unmerge(sort, &names, merged).await,
        };
        self.world.twins[place].now = now;
        let after = self.read(case).await;
        assert_eq!(
            revision_of(&after),
            revision_of(before),
            "a merge behind a case changes it"
        );
        assert_eq!(plain(&after), plain(before), "a merge behind a case changes it");
        self.fresh = None;
    }

    async fn both(&self, sort: &RecordType, names: &[String; 2]) -> [Value; 2] {
        let [one, other] = names;
        [
            self.wire.done(sort.get, json!({"name": one})).await,
            self.wire.done(sort.get, json!({"name": other})).await,
        ]
    }

    async fn merge(&mut self, sort: &'static RecordType, names: &[String; 2]) -> Option<Merged> {
        let before = self.both(sort, names).await;
        let duplicate = self.rng.below(2);
        let (name, survivor) = (&names[duplicate], &names[1 - duplicate]);
        let is_trial = self.rng.in_hundred(10);
        let request = json!({"name": name, "survivor": survivor, "reason": "试走", "validate_only": is_trial});
        let answer = self.wire.call(sort.merge, &request).await;
        let said = answer.as_ref().map(revision_of).map_err(Failure::is);
        self.say(format!("merge {name} into {survivor}, trial {is_trial}: {said:?}"));
        let after = self.both(sort, names).await;
        match answer {
            Ok(_) if is_trial => {
                assert_eq!(after, before);
                None
            }
            Ok(answer) => {
                assert_eq!(answer, after[1 - duplicate]);
                assert_eq!(after[duplicate]["survivor"], json!(survivor));
                self.met.merges += 1;
                Some(Merged {
                    duplicate,
                    before,
                    revision: revision_of(&answer),
                })
            }
            Err(failure) => {
                // Both have a live title of one family.
                assert_eq!(failure.is(), (Code::FailedPrecondition, "FAMILY_TAKEN"), "{failure:?}");
                assert_eq!(after, before);
                self.met.not_merged += 1;
                None
            }
        }
    }

    async fn unmerge(&mut self, sort: &'static RecordType, names: &[String; 2], merged: Merged) -> Option<Merged> {
        let was = &names[1 - merged.duplicate];
        let stood = self.wire.done(sort.get, json!({"name": was})).await;
        let name = &names[merged.duplicate];
        let is_trial = self.rng.in_hundred(10);
        let request = json!({"name": name, "reason": "试走", "validate_only": is_trial});
        let answer = self.wire.done(sort.unmerge, request).await;
        self.say(format!("unmerge {name}, trial {is_trial}"));
        assert_eq!(answer["report"]["survivor"], json!(was), "{answer}");
        let after = self.both(sort, names).await;
        if is_trial {
            assert_eq!(after[1 - merged.duplicate], stood);
            return Some(merged);
        }
        self.met.unmerges += 1;
        assert_eq!(answer[sort.field], after[merged.duplicate]);
        assert_eq!(
            lasting(&after[merged.duplicate]),
            lasting(&merged.before[merged.duplicate])
        );
        if revision_of(&stood) == merged.revision {
            assert_eq!(
                lasting(&after[1 - merged.duplicate]),
                lasting(&merged.before[1 - merged.duplicate])
            );
        }
        None
    }
}

fn revision_of(record: &Value) -> Value {
    record["revision"].clone()
}
