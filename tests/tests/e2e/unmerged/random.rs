//! Random records that are merged and taken apart are as they were. `MINGCE_UNMERGED` says with how many seeds.

use mingce_e2e::mess::Dice;
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{Lab, OrganizationRelationKind};
use mingce_proto::registry::{Name, NameKind};
use mingce_proto::talent::{
    CreateTalentRequest, GetTalentRequest, MergeTalentsRequest, Talent, UnmergeTalentRequest, UpdateTalentRequest,
};
use prost::Message;

use super::{lab, lasting, merge_both, merge_labs, read_lab, related, to_lab, undo, undo_lab};
use crate::made::{identifier, made, organization, read};

on_both_stores!(
    merge_and_unmerge_leave_organizations_as_they_were,
    merge_and_unmerge_leave_labs_as_they_were,
    merge_and_unmerge_leave_persons_as_they_were,
);

/// Random records that name each other, one merged into the next and that into the last, taken apart in either order, and merged and
/// taken apart at once: nothing is another than before.
async fn merge_and_unmerge_leave_organizations_as_they_were(store: Store) {
    let register = Register::start(store).await;
    for seed in seeds() {
        let mut dice = Dice(seed);
        let mut names: Vec<String> = Vec::new();
        let outsider = made(&register, organization("示例外校")).await.name;
        for _ in 0..3 {
            let mut new = organization(dice.one_of(&WORDS));
            let known: Vec<String> = names.iter().cloned().chain([outsider.clone()]).collect();
            new.names = random_names(&mut dice);
            if dice.roll(2) == 0 {
                new.parent = known[dice.roll(known.len())].clone();
            }
            if dice.roll(2) == 0 {
                new.successor = known[dice.roll(known.len())].clone();
            }
            let mut order = known.clone();
            for _ in 0..dice.roll(4) {
                let other = order.remove(dice.roll(order.len()));
                let kinds = [OrganizationRelationKind::Related, OrganizationRelationKind::Predecessor];
                new.relations.push(related(&other, dice.one_of(&kinds)));
                if order.is_empty() {
                    break;
                }
            }
            names.push(made(&register, new).await.name);
        }
        names.push(outsider);
        let mut before = Vec::new();
        for name in &names {
            before.push(lasting(read(&register, name).await));
        }
        let order = if dice.roll(2) == 0 { [2, 1, 0] } else { [0, 1, 2] };
        for steps in plans(&mut dice, order) {
            for step in &steps {
                match *step {
                    Step::Merge(name, into) => drop(merge_both(&register, &names[name], &names[into]).await),
                    Step::Unmerge(name) => drop(undo(&register, &names[name]).await),
                }
            }
            for (name, before) in names.iter().zip(&before) {
                assert_eq!(&lasting(read(&register, name).await), before, "seed {seed}: {steps:?}");
            }
        }
    }
}

const WORDS: [&str; 5] = ["示例大学", "示例学院", "示例大學", "Shili", "示例研究所"];

fn seeds() -> std::ops::RangeInclusive<u64> {
    let many = std::env::var("MINGCE_UNMERGED").map_or(8, |text| text.parse().unwrap());
    1..=many
}

fn random_names(dice: &mut Dice) -> Vec<Name> {
    let kinds = [NameKind::Alias, NameKind::Former, NameKind::Official];
    let count = dice.roll(4);
    (0..count)
        .map(|_| Name {
            text: dice.one_of(&WORDS).to_owned(),
            kind: dice.one_of(&kinds).into(),
            language: dice.one_of(&["", "zh"]).to_owned(),
            ..Name::default()
        })
        .collect()
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Merge(usize, usize),
    Unmerge(usize),
}

/// One merge that is taken back at once; a chain that is taken apart in either order.
fn plans(dice: &mut Dice, [a, b, c]: [usize; 3]) -> [Vec<Step>; 3] {
    use Step::{Merge, Unmerge};
    let (one, other) = dice.one_of(&[(a, b), (b, a), (a, c), (c, b)]);
    [
        vec![Merge(one, other), Unmerge(one)],
        vec![Merge(a, b), Merge(b, c), Unmerge(a), Unmerge(b)],
        vec![Merge(a, b), Merge(b, c), Unmerge(b), Unmerge(a)],
    ]
}

async fn merge_and_unmerge_leave_labs_as_they_were(store: Store) {
    let register = Register::start(store).await;
    for seed in seeds() {
        let mut dice = Dice(seed);
        let mut names: Vec<String> = Vec::new();
        for _ in 0..3 {
            let mut new = Lab {
                display_name: dice.one_of(&WORDS).to_owned(),
                names: random_names(&mut dice),
                ..Lab::default()
            };
            if !names.is_empty() && dice.roll(3) > 0 {
                new.successor = to_lab(&names[dice.roll(names.len())]);
            }
            names.push(lab(&register, new).await.name);
        }
        let mut before = Vec::new();
        for name in &names {
            before.push(read_lab(&register, name).await);
        }
        let order = if dice.roll(2) == 0 { [2, 1, 0] } else { [0, 1, 2] };
        for steps in plans(&mut dice, order) {
            for step in &steps {
                match *step {
                    Step::Merge(name, into) => merge_labs(&register, &names[name], &names[into]).await,
                    Step::Unmerge(name) => drop(undo_lab(&register, &names[name]).await),
                }
            }
            for (name, before) in names.iter().zip(&before) {
                assert_eq!(&read_lab(&register, name).await, before, "seed {seed}: {steps:?}");
            }
        }
    }
}

async fn merge_and_unmerge_leave_persons_as_they_were(store: Store) {
    let register = Register::start(store).await;
    let talents = || register.talent();
    let get = async |name: &str| {
        let request = GetTalentRequest {
            name: name.to_owned(),
            ..GetTalentRequest::default()
        };
        let mut talent = talents().get_talent(request).await.unwrap().into_inner();
        (talent.etag, talent.revision, talent.update_time, talent.sequence) = (String::new(), 0, None, 0);
        talent
    };
    for seed in seeds() {
        let mut dice = Dice(seed);
        let mut names: Vec<String> = Vec::new();
        for document in ["E98765", "", "E12345"] {
            let document = if document.is_empty() {
                String::new()
            } else {
                format!("{document}{seed:03}")
            };
            let new = Talent {
                display_name: dice.one_of(&WORDS).to_owned(),
                names: random_names(&mut dice),
                identifiers: vec![identifier(&format!("{seed}-{}", names.len()))],
                identity_document: document,
                birth_date: dice.one_of(&["", "1970-01-02"]).to_owned(),
                ..Talent::default()
            };
            let request = CreateTalentRequest {
                talent: Some(new),
                ..CreateTalentRequest::default()
            };
            names.push(talents().create_talent(request).await.unwrap().into_inner().name);
        }
        let mut before = Vec::new();
        for name in &names {
            before.push(get(name).await);
        }
        for steps in plans(&mut dice, [0, 1, 2]) {
            for step in &steps {
                match *step {
                    Step::Merge(name, into) => {
                        let request = MergeTalentsRequest {
                            name: names[name].clone(),
                            survivor: names[into].clone(),
                            reason: "one person".to_owned(),
                            ..MergeTalentsRequest::default()
                        };
                        talents().merge_talents(request).await.unwrap();
                    }
                    Step::Unmerge(name) => {
                        let request = UnmergeTalentRequest {
                            name: names[name].clone(),
                            reason: "two persons".to_owned(),
                            ..UnmergeTalentRequest::default()
                        };
                        let answer = talents().unmerge_talent(request).await.unwrap().into_inner();
                        // Nothing that is sealed stands in an answer.
                        let said = String::from_utf8_lossy(&answer.encode_to_vec()).into_owned();
                        assert!(!said.contains("E98765") && !said.contains("E12345"), "{answer:?}");
                    }
                }
            }
            for (name, before) in names.iter().zip(&before) {
                assert_eq!(&get(name).await, before, "seed {seed}: {steps:?}");
            }
        }
        // The sealed part is there still: the same document changes nothing.
        let request = GetTalentRequest {
            name: names[0].clone(),
            ..GetTalentRequest::default()
        };
        let revision = talents().get_talent(request).await.unwrap().into_inner().revision;
        let same = UpdateTalentRequest {
            talent: Some(Talent {
                name: names[0].clone(),
                identity_document: format!("E98765{seed:03}"),
                ..Talent::default()
            }),
            ..UpdateTalentRequest::default()
        };
        assert_eq!(
            talents().update_talent(same).await.unwrap().into_inner().revision,
            revision
        );
    }
}
