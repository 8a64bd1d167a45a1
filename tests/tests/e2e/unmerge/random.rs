//! Random records that are merged and taken apart are as they were. `MINGCE_UNMERGE_SEEDS` says with how many seeds.

use mingce_e2e::messy_files::Rng;
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{Lab, OrganizationRelationKind};
use mingce_proto::registry::{Name, NameKind};
use mingce_proto::talent::{
    CreateTalentRequest, GetTalentRequest, MergeTalentsRequest, Talent, UnmergeTalentRequest, UpdateTalentRequest,
};
use prost::Message;

use super::{lab, lasting, merge_both, merge_labs, read_lab, related, to_lab, undo, undo_lab};
use crate::builders::{identifier, made, organization, read};

on_both_stores!(
    merge_and_unmerge_leave_organizations_as_they_were,
    merge_and_unmerge_leave_labs_as_they_were,
    merge_and_unmerge_leave_persons_as_they_were,
);

/// Random records that name each other, one merged into the next and that into the last, taken apart in either order,
/// and merged and taken apart at once: nothing is another than before.
async fn merge_and_unmerge_leave_organizations_as_they_were(store: Store) {
    let register = Register::start(store).await;
    for seed in seeds() {
        let mut rng = Rng(seed);
        let mut names: Vec<String> = Vec::new();
        let outsider = made(&register, organization("示例外校")).await.name;
        for _ in 0..3 {
            let mut new = organization(rng.one_of(&WORDS));
            let known: Vec<String> = names.iter().cloned().chain([outsider.clone()]).collect();
            new.names = random_names(&mut rng);
            if rng.below(2) == 0 {
                new.parent = known[rng.below(known.len())].clone();
            }
            if rng.below(2) == 0 {
                new.successor = known[rng.below(known.len())].clone();
            }
            let mut order = known.clone();
            for _ in 0..rng.below(4) {
                let other = order.remove(rng.below(order.len()));
                let kinds = [OrganizationRelationKind::Related, OrganizationRelationKind::Predecessor];
                new.relations.push(related(&other, rng.one_of(&kinds)));
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
        let order = if rng.below(2) == 0 { [2, 1, 0] } else { [0, 1, 2] };
        for steps in plans(&mut rng, order) {
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
    let many = std::env::var("MINGCE_UNMERGE_SEEDS").map_or(8, |text| text.parse().unwrap());
    1..=many
}

fn random_names(rng: &mut Rng) -> Vec<Name> {
    let kinds = [NameKind::Alias, NameKind::Former, NameKind::Official];
    let count = rng.below(4);
    (0..count)
        .map(|_| Name {
            text: rng.one_of(&WORDS).to_owned(),
            kind: rng.one_of(&kinds).into(),
            language: rng.one_of(&["", "zh"]).to_owned(),
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
fn plans(rng: &mut Rng, [a, b, c]: [usize; 3]) -> [Vec<Step>; 3] {
    use Step::{Merge, Unmerge};
    let (one, other) = rng.one_of(&[(a, b), (b, a), (a, c), (c, b)]);
    [
        vec![Merge(one, other), Unmerge(one)],
        vec![Merge(a, b), Merge(b, c), Unmerge(a), Unmerge(b)],
        vec![Merge(a, b), Merge(b, c), Unmerge(b), Unmerge(a)],
    ]
}

async fn merge_and_unmerge_leave_labs_as_they_were(store: Store) {
    let register = Register::start(store).await;
    for seed in seeds() {
        let mut rng = Rng(seed);
        let mut names: Vec<String> = Vec::new();
        for _ in 0..3 {
            let mut new = Lab {
                display_name: rng.one_of(&WORDS).to_owned(),
                names: random_names(&mut rng),
                ..Lab::default()
            };
            if !names.is_empty() && rng.below(3) > 0 {
                new.successor = to_lab(&names[rng.below(names.len())]);
            }
            names.push(lab(&register, new).await.name);
        }
        let mut before = Vec::new();
        for name in &names {
            before.push(read_lab(&register, name).await);
        }
        let order = if rng.below(2) == 0 { [2, 1, 0] } else { [0, 1, 2] };
        for steps in plans(&mut rng, order) {
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
        let mut rng = Rng(seed);
        let mut names: Vec<String> = Vec::new();
        for document in ["E98765", "", "E12345"] {
            let document = if document.is_empty() {
                String::new()
            } else {
                format!("{document}{seed:03}")
            };
            let new = Talent {
                display_name: rng.one_of(&WORDS).to_owned(),
                names: random_names(&mut rng),
                identifiers: vec![identifier(&format!("{seed}-{}", names.len()))],
                identity_document: document,
                birth_date: rng.one_of(&["", "1970-01-02"]).to_owned(),
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
        for steps in plans(&mut rng, [0, 1, 2]) {
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
