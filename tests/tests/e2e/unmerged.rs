//! A merge that is taken back leaves records as they were before it, as far as nobody changed them since, and says what was written
//! meanwhile.

use mingce_e2e::mess::Dice;
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::awards::*;
use mingce_proto::labs::*;
use mingce_proto::registry::*;
use mingce_proto::talent::{
    CreateTalentRequest, Employment, GetTalentRequest, MergeTalentsRequest, Talent, UnmergeTalentRequest,
    UpdateTalentRequest,
};
use prost::Message;

use crate::made::{identifier, made, merge, organization, person, read, updated};

on_both_stores!(
    an_unmerge_restores_parent_successor_and_relations_in_their_places,
    what_was_changed_since_the_merge_stays_and_is_told,
    what_would_lead_in_a_circle_is_not_restored,
    a_lab_has_its_successor_again,
    what_was_written_meanwhile_is_listed,
    services_apart_list_what_was_written_meanwhile,
    a_survivor_that_was_merged_on_is_followed,
    a_repeated_unmerge_answers_the_same_report,
    merge_and_unmerge_leave_organizations_as_they_were,
    merge_and_unmerge_leave_labs_as_they_were,
    merge_and_unmerge_leave_persons_as_they_were,
    the_command_line_tells_what_was_restored_and_written,
);

fn at(organization: &str) -> OrganizationReference {
    OrganizationReference {
        organization: organization.to_owned(),
        ..OrganizationReference::default()
    }
}

fn called(name: &str) -> OrganizationReference {
    OrganizationReference {
        display_name: name.to_owned(),
        ..OrganizationReference::default()
    }
}

fn related(organization: &str, kind: OrganizationRelationKind) -> OrganizationRelation {
    OrganizationRelation {
        organization: Some(at(organization)),
        kind: kind.into(),
        ..OrganizationRelation::default()
    }
}

async fn merge_both(register: &Register, name: &str, survivor: &str) -> Organization {
    let answer = register.labs().merge_organizations(merge(name, survivor)).await;
    answer.unwrap().into_inner()
}

fn unmerge(name: &str) -> UnmergeOrganizationRequest {
    UnmergeOrganizationRequest {
        name: name.to_owned(),
        reason: "two after all".to_owned(),
        ..UnmergeOrganizationRequest::default()
    }
}

async fn undo(register: &Register, name: &str) -> (Organization, UnmergeReport) {
    let answer = register
        .labs()
        .unmerge_organization(unmerge(name))
        .await
        .unwrap()
        .into_inner();
    (answer.organization.unwrap(), answer.report.unwrap())
}

/// What a record is, without what each change of it sets.
fn lasting(mut organization: Organization) -> Organization {
    (organization.etag, organization.revision, organization.update_time) = (String::new(), 0, None);
    organization.sequence = 0;
    organization
}

fn outcomes(report: &UnmergeReport) -> Vec<(&str, UnmergedOutcome)> {
    report.fields.iter().map(|f| (f.field.as_str(), f.outcome())).collect()
}

async fn an_unmerge_restores_parent_successor_and_relations_in_their_places(store: Store) {
    use OrganizationRelationKind::{Predecessor, Related, Successor};
    let register = Register::start(store).await;
    let goes = made(&register, organization("示例乙大学")).await;
    let third = made(&register, organization("示例丙大学")).await;
    let stays = Organization {
        parent: goes.name.clone(),
        successor: goes.name.clone(),
        relations: vec![
            related(&third.name, Related),
            related(&goes.name, Predecessor),
            related(&third.name, Successor),
        ],
        ..organization("示例甲大学")
    };
    let stays = made(&register, stays).await;
    let merged = merge_both(&register, &goes.name, &stays.name).await;
    assert_eq!(
        (
            merged.parent.as_str(),
            merged.successor.as_str(),
            merged.relations.len()
        ),
        ("", "", 2)
    );

    let tried = UnmergeOrganizationRequest {
        validate_only: true,
        ..unmerge(&goes.name)
    };
    let tried = register.labs().unmerge_organization(tried).await.unwrap().into_inner();
    assert_eq!(lasting(read(&register, &stays.name).await), lasting(merged));
    let (back, report) = undo(&register, &goes.name).await;
    assert_eq!(lasting(back.clone()), lasting(goes));
    assert_eq!(lasting(tried.organization.unwrap()), lasting(back));
    assert_eq!(tried.report.as_ref(), Some(&report));
    assert_eq!(lasting(read(&register, &stays.name).await), lasting(stays.clone()));
    assert_eq!(
        outcomes(&report),
        ["names", "parent", "successor", "relations"].map(|field| (field, UnmergedOutcome::Restored)),
    );
    assert_eq!(
        (&report.survivor, &report.fields[1].value),
        (&stays.name, &stays.parent)
    );
    assert!(
        report.revisions.is_empty() && report.citations.is_empty() && !report.more_revisions,
        "{report:?}"
    );
}

async fn what_was_changed_since_the_merge_stays_and_is_told(store: Store) {
    use OrganizationRelationKind::{Predecessor, Related};
    let register = Register::start(store).await;
    let goes = made(&register, organization("示例乙大学")).await;
    let third = made(&register, organization("示例丙大学")).await;
    let stays = Organization {
        parent: goes.name.clone(),
        successor: goes.name.clone(),
        relations: vec![related(&goes.name, Predecessor)],
        ..organization("示例甲大学")
    };
    let stays = made(&register, stays).await;
    let merged = merge_both(&register, &goes.name, &stays.name).await;
    let change = Organization {
        parent: third.name.clone(),
        relations: vec![related(&third.name, Related)],
        names: [
            merged.names.clone(),
            vec![Name {
                text: "甲大".to_owned(),
                ..Name::default()
            }],
        ]
        .concat(),
        city: "青岛".to_owned(),
        ..merged
    };
    updated(&register, change, &["parent", "relations", "names", "city"]).await;
    let (_, report) = undo(&register, &goes.name).await;
    use UnmergedOutcome::{ChangedMeanwhile, Restored};
    assert_eq!(
        outcomes(&report),
        [
            ("names", Restored),
            ("parent", ChangedMeanwhile),
            ("successor", Restored),
            ("relations", Restored)
        ]
    );
    let now = read(&register, &stays.name).await;
    assert_eq!(
        (&now.parent, &now.successor, now.city.as_str()),
        (&third.name, &goes.name, "青岛")
    );
    // What the merge took out stands beside what came since.
    let others: Vec<&str> = now
        .relations
        .iter()
        .map(|r| r.organization.as_ref().unwrap().organization.as_str())
        .collect();
    assert_eq!(others, [goes.name.as_str(), third.name.as_str()]);
    let names: Vec<&str> = now.names.iter().map(|n| n.text.as_str()).collect();
    assert_eq!(names, ["甲大"]);
    let [change] = report.revisions.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(
        (change.resource.as_str(), change.verb.as_str()),
        (stays.name.as_str(), "update")
    );
    assert_eq!(change.changed_fields, ["names", "city", "parent", "relations"]);
    assert!(change.snapshot.is_none(), "{change:?}");
}

async fn what_would_lead_in_a_circle_is_not_restored(store: Store) {
    let register = Register::start(store).await;
    let top = made(&register, organization("示例上级")).await;
    let below = |parent: &str, name: &str| Organization {
        parent: parent.to_owned(),
        ..organization(name)
    };
    let goes = made(&register, below(&top.name, "示例乙大学")).await;
    let stays = made(&register, below(&goes.name, "示例甲大学")).await;
    merge_both(&register, &goes.name, &stays.name).await;
    updated(
        &register,
        Organization {
            parent: stays.name.clone(),
            ..top
        },
        &["parent"],
    )
    .await;
    let (back, report) = undo(&register, &goes.name).await;
    assert_eq!(lasting(back), lasting(goes));
    assert_eq!(
        outcomes(&report),
        [
            ("names", UnmergedOutcome::Restored),
            ("parent", UnmergedOutcome::AgainstRules)
        ]
    );
    assert_eq!(read(&register, &stays.name).await.parent, "");
}

async fn lab(register: &Register, lab: Lab) -> Lab {
    let request = CreateLabRequest {
        lab: Some(lab),
        ..CreateLabRequest::default()
    };
    register.labs().create_lab(request).await.unwrap().into_inner()
}

async fn merge_labs(register: &Register, name: &str, survivor: &str) {
    let request = MergeLabsRequest {
        name: name.to_owned(),
        survivor: survivor.to_owned(),
        reason: "one lab".to_owned(),
        ..MergeLabsRequest::default()
    };
    register.labs().merge_labs(request).await.unwrap();
}

async fn undo_lab(register: &Register, name: &str) -> UnmergeReport {
    let request = UnmergeLabRequest {
        name: name.to_owned(),
        reason: "two labs".to_owned(),
        ..UnmergeLabRequest::default()
    };
    register
        .labs()
        .unmerge_lab(request)
        .await
        .unwrap()
        .into_inner()
        .report
        .unwrap()
}

async fn read_lab(register: &Register, name: &str) -> Lab {
    let request = GetLabRequest {
        name: name.to_owned(),
        ..GetLabRequest::default()
    };
    let mut lab = register.labs().get_lab(request).await.unwrap().into_inner();
    (lab.etag, lab.revision, lab.update_time, lab.sequence) = (String::new(), 0, None, 0);
    lab
}

fn to_lab(name: &str) -> Option<LabReference> {
    Some(LabReference {
        lab: name.to_owned(),
        ..LabReference::default()
    })
}

async fn a_lab_has_its_successor_again(store: Store) {
    let register = Register::start(store).await;
    let named = |name: &str| Lab {
        display_name: name.to_owned(),
        ..Lab::default()
    };
    let goes = lab(&register, named("示例乙实验室")).await.name;
    let stays = Lab {
        successor: to_lab(&goes),
        ..named("示例甲实验室")
    };
    let stays = lab(&register, stays).await.name;
    let before = read_lab(&register, &stays).await;
    merge_labs(&register, &goes, &stays).await;
    assert_eq!(read_lab(&register, &stays).await.successor, None);
    let report = undo_lab(&register, &goes).await;
    assert_eq!(read_lab(&register, &stays).await, before);
    assert_eq!(
        outcomes(&report),
        ["names", "successor"].map(|field| (field, UnmergedOutcome::Restored))
    );
}

/// Three services, which may be one.
struct Services<'a>(&'a Register, &'a Register, &'a Register);

impl Services<'_> {
    async fn hosted(&self, name: &str, host: OrganizationReference) -> String {
        let of = Lab {
            display_name: name.to_owned(),
            hosts: vec![LabHost {
                organization: Some(host),
                ..LabHost::default()
            }],
            ..Lab::default()
        };
        lab(self.0, of).await.name
    }

    async fn employed(&self, name: &str, employer: OrganizationReference) -> String {
        let of = Talent {
            display_name: name.to_owned(),
            identifiers: vec![identifier(name)],
            employments: vec![Employment {
                organization: Some(employer),
                ..Employment::default()
            }],
            ..Talent::default()
        };
        person(self.1, of).await.name
    }

    async fn award(&self, scheme: &str, number: &str, completing: OrganizationReference) -> String {
        let award = Award {
            title: format!("虚构的成果{number}"),
            number: number.to_owned(),
            year: 2024,
            state: AwardState::Conferred as i32,
            decision_date: "2024-05-06".to_owned(),
            scheme: Some(SchemeReference {
                scheme: scheme.to_owned(),
                ..SchemeReference::default()
            }),
            completing_organizations: vec![CompletingOrganization {
                organization: Some(completing),
                ..CompletingOrganization::default()
            }],
            ..Award::default()
        };
        let request = RecordAwardRequest {
            award: Some(award),
            ..RecordAwardRequest::default()
        };
        self.2.awards().record_award(request).await.unwrap().into_inner().name
    }

    async fn scheme(&self) -> String {
        let request = CreateSchemeRequest {
            scheme: Some(Scheme {
                display_name: "虚构的奖".to_owned(),
                code: "invented".to_owned(),
                level: Level::Municipal as i32,
                ..Scheme::default()
            }),
            ..CreateSchemeRequest::default()
        };
        self.2.awards().create_scheme(request).await.unwrap().into_inner().name
    }

    /// Records before the merge and while it holds, and what is listed when it is taken back. `shared`: they share a ledger.
    async fn written_meanwhile(&self, shared: bool) {
        let scheme = self.scheme().await;
        let goes = made(
            self.0,
            Organization {
                identifiers: vec![identifier("goes")],
                ..organization("示例乙大学")
            },
        )
        .await;
        let stays = made(self.0, organization("示例甲大学")).await;
        // They name one of the two before the merge.
        let old = self.hosted("示例一实验室", at(&stays.name)).await;
        self.hosted("示例二实验室", at(&goes.name)).await;
        self.employed("示例丁", at(&stays.name)).await;
        self.award(&scheme, "1", at(&stays.name)).await;
        merge_both(self.0, &goes.name, &stays.name).await;
        let by_name = self.hosted("示例三实验室", called("示例乙大学")).await;
        let by_identifier = OrganizationReference {
            identifier: Some(identifier("goes")),
            ..OrganizationReference::default()
        };
        let hosted = self.hosted("示例四实验室", by_identifier).await;
        let below = made(
            self.0,
            Organization {
                parent: stays.name.clone(),
                ..organization("示例学院")
            },
        )
        .await
        .name;
        let employed = self.employed("示例戊", called("示例乙大学")).await;
        let awarded = self.award(&scheme, "2", called("示例乙大学")).await;
        // It named the survivor before, and does so still.
        let mut again = read_lab(self.0, &old).await;
        again.city = "青岛".to_owned();
        let request = UpdateLabRequest {
            lab: Some(again),
            ..UpdateLabRequest::default()
        };
        self.0.labs().update_lab(request).await.unwrap();
        let (_, report) = undo(self.0, &goes.name).await;
        let mut listed: Vec<(&str, Vec<String>)> = report
            .citations
            .iter()
            .map(|c| (c.resource.as_str(), c.display_names.clone()))
            .collect();
        listed.sort();
        let name = |name: &str| vec![name.to_owned()];
        let mut right = vec![
            (by_name.as_str(), name("示例乙大学")),
            (hosted.as_str(), name("示例甲大学")),
            (below.as_str(), vec![]),
        ];
        right.sort();
        assert_eq!(listed, right, "{report:?}");
        let of_lab = report.citations.iter().find(|c| c.resource == by_name).unwrap();
        assert_eq!(
            (of_lab.fields.join(","), &of_lab.cited),
            ("hosts,lead_host".to_owned(), &stays.name)
        );
        for request in self.asked(&report, shared) {
            let of_talent = self
                .1
                .talent()
                .list_citations(request.clone())
                .await
                .unwrap()
                .into_inner();
            let of_awards = self.2.awards().list_citations(request).await.unwrap().into_inner();
            let names = |answer: ListCitationsResponse| -> Vec<(String, Vec<String>)> {
                answer
                    .citations
                    .into_iter()
                    .map(|c| (c.resource, c.display_names))
                    .collect()
            };
            assert_eq!(names(of_talent), [(employed.clone(), name("示例乙大学"))]);
            assert_eq!(names(of_awards), [(awarded.clone(), name("示例乙大学"))]);
        }
        let all = ListCitationsRequest {
            name: stays.name.clone(),
            ..ListCitationsRequest::default()
        };
        assert_eq!(
            self.2
                .awards()
                .list_citations(all)
                .await
                .unwrap()
                .into_inner()
                .citations
                .len(),
            2
        );
    }

    /// The ways to ask the other services.
    fn asked(&self, report: &UnmergeReport, shared: bool) -> Vec<ListCitationsRequest> {
        let name = report.survivor.clone();
        let by_time = ListCitationsRequest {
            name: name.clone(),
            since_time: report.merge_time,
            ..ListCitationsRequest::default()
        };
        let by_place = ListCitationsRequest {
            name,
            since_sequence: report.merge_sequence,
            ..ListCitationsRequest::default()
        };
        let mut all = vec![by_time];
        all.extend(shared.then_some(by_place));
        all
    }
}

async fn what_was_written_meanwhile_is_listed(store: Store) {
    let register = Register::start(store).await;
    Services(&register, &register, &register).written_meanwhile(true).await;
}

async fn services_apart_list_what_was_written_meanwhile(store: Store) {
    let labs = Register::start_with(store, &["labs"]).await;
    let talent = Register::start_with(store, &["talent", "--labs-url", &labs.url()]).await;
    let awards = Register::start_with(
        store,
        &["awards", "--labs-url", &labs.url(), "--talent-url", &talent.url()],
    )
    .await;
    Services(&labs, &talent, &awards).written_meanwhile(false).await;
}

async fn a_survivor_that_was_merged_on_is_followed(store: Store) {
    let register = Register::start(store).await;
    let services = Services(&register, &register, &register);
    let mut names = Vec::new();
    for name in ["示例甲大学", "示例乙大学", "示例丙大学"] {
        names.push(made(&register, organization(name)).await.name);
    }
    let [first, middle, last] = names.as_slice() else {
        unreachable!()
    };
    merge_both(&register, first, middle).await;
    let early = services.hosted("示例一实验室", called("示例甲大学")).await;
    merge_both(&register, middle, last).await;
    let late = services.hosted("示例二实验室", called("示例甲大学")).await;
    updated(
        &register,
        Organization {
            name: last.clone(),
            city: "济南".to_owned(),
            ..organization("")
        },
        &["city"],
    )
    .await;
    let (back, report) = undo(&register, first).await;
    assert_eq!(back.record_status(), RecordStatus::Active);
    let mut cited: Vec<_> = report.citations.iter().map(|c| (&c.resource, &c.cited)).collect();
    cited.sort();
    let mut right = vec![(&early, middle), (&late, last)];
    right.sort();
    assert_eq!(cited, right, "{report:?}");
    let changed: Vec<_> = report
        .revisions
        .iter()
        .map(|r| (&r.resource, r.verb.as_str()))
        .collect();
    assert_eq!(changed, [(last, "update"), (middle, "merge")], "{report:?}");
    // The last has what it would have had from the second alone.
    let names: Vec<String> = read(&register, last).await.names.into_iter().map(|n| n.text).collect();
    assert_eq!(names, ["示例乙大学"]);
    undo(&register, middle).await;
    assert_eq!(read(&register, last).await.names, []);
    assert_eq!(read(&register, middle).await.names, []);
}

async fn a_repeated_unmerge_answers_the_same_report(store: Store) {
    let register = Register::start(store).await;
    let goes = made(&register, organization("示例乙大学")).await.name;
    let stays = made(
        &register,
        Organization {
            parent: goes.clone(),
            ..organization("示例甲大学")
        },
    )
    .await
    .name;
    merge_both(&register, &goes, &stays).await;
    let request = UnmergeOrganizationRequest {
        request_id: "0b8a4f4e-6f3c-4c8e-9a55-3f3a1b2c4d5e".to_owned(),
        ..unmerge(&goes)
    };
    let first = register
        .labs()
        .unmerge_organization(request.clone())
        .await
        .unwrap()
        .into_inner();
    // Both were changed since, and merged and taken apart once more.
    merge_both(&register, &goes, &stays).await;
    undo(&register, &goes).await;
    let again = register
        .labs()
        .unmerge_organization(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, first);
}

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

async fn the_command_line_tells_what_was_restored_and_written(store: Store) {
    let register = Register::start(store).await;
    let services = Services(&register, &register, &register);
    let goes = made(&register, organization("示例乙大学")).await.name;
    let stays = made(
        &register,
        Organization {
            parent: goes.clone(),
            ..organization("示例甲大学")
        },
    )
    .await
    .name;
    merge_both(&register, &goes, &stays).await;
    updated(
        &register,
        Organization {
            name: stays.clone(),
            city: "青岛".to_owned(),
            ..organization("")
        },
        &["city"],
    )
    .await;
    let lab = services.hosted("示例三实验室", called("示例乙大学")).await;
    let talent = services.employed("示例戊", called("示例甲大学")).await;
    let args = ["unmerge", "organizations", &goes, "--reason", "两个单位"];
    let tried = register.cli(&[&args[..], &["--dry-run"]].concat()).succeeded();
    let said = register.cli(&args).succeeded();
    for (said, word) in [(&tried, "would be restored"), (&said, "restored")] {
        assert!(said.contains(&format!("{stays}: parent ({goes}) {word}")), "{said}");
        assert!(
            said.contains(&format!("{stays} r3 ")) && said.contains("update by anonymous (city)"),
            "{said}"
        );
        assert!(
            said.contains(&format!(
                "{lab}  hosts, lead_host: {stays} as 示例乙大学, a name of this record"
            )),
            "{said}"
        );
        assert!(
            said.contains(&format!("{talent}  employers: {stays} as 示例甲大学\n")),
            "{said}"
        );
        assert!(!said.contains("not looked for"), "{said}");
    }
    assert_eq!(read(&register, &stays).await.parent, goes);
}
