//! Merged records count as one: in counts, groups, filters and ranks, of all services, also where its records are kept
//! in a database of another service.

use std::time::{Duration, Instant};

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::awards::*;
use mingce_proto::labs::*;
use mingce_proto::registry::{
    AwardCondition, ComputeStatisticsRequest, ComputeStatisticsResponse, Level, OrganizationReference, TalentReference,
};
use mingce_proto::talent::*;

use crate::builders::{annul, identifier, made, merge, organization, person};
use crate::talent_fixture::programme;

on_both_stores!(
    what_was_merged_counts_and_is_found_as_one,
    merges_of_merges_count_as_the_last_and_an_unmerge_as_before,
    a_person_who_was_annulled_is_not_counted,
    a_rank_of_a_duplicate_is_one_of_the_survivor,
    services_apart_count_what_was_merged_elsewhere,
    a_register_from_before_counts_its_merges_after_migrate,
);

/// Two records each of a university and of a person, a lab of each university, and an award and a designation of each
/// person.
struct Duplicates {
    organizations: [String; 2],
    persons: [String; 2],
    labs: [String; 2],
    scheme: String,
}

fn at(organization: &str) -> OrganizationReference {
    OrganizationReference {
        organization: organization.to_owned(),
        ..OrganizationReference::default()
    }
}

fn who(talent: &str) -> TalentReference {
    TalentReference {
        talent: talent.to_owned(),
        ..TalentReference::default()
    }
}

/// The services, which may be one.
struct Services<'a> {
    labs: &'a Register,
    talent: &'a Register,
    awards: &'a Register,
}

impl<'a> Services<'a> {
    fn one(register: &'a Register) -> Self {
        let (labs, talent, awards) = (register, register, register);
        Self { labs, talent, awards }
    }

    async fn make_duplicates(&self) -> Duplicates {
        programme(self.talent, "invented", "").await;
        let scheme = CreateSchemeRequest {
            scheme: Some(Scheme {
                display_name: "虚构的奖".to_owned(),
                code: "invented".to_owned(),
                level: Level::Municipal as i32,
                ..Scheme::default()
            }),
            ..CreateSchemeRequest::default()
        };
        let scheme = self
            .awards
            .awards()
            .create_scheme(scheme)
            .await
            .unwrap()
            .into_inner()
            .name;
        let (mut organizations, mut persons, mut labs) = (Vec::new(), Vec::new(), Vec::new());
        for one in ["甲", "乙"] {
            organizations.push(made(self.labs, organization(&format!("示例{one}大学"))).await.name);
            let employer = at(&organizations[organizations.len() - 1]);
            let talent = Talent {
                display_name: format!("示例{one}"),
                identifiers: vec![identifier(one)],
                employments: vec![Employment {
                    organization: Some(employer.clone()),
                    ..Employment::default()
                }],
                ..Talent::default()
            };
            persons.push(person(self.talent, talent).await.name);
            let talent = &persons[persons.len() - 1];
            let lab = Lab {
                display_name: format!("示例{one}实验室"),
                hosts: vec![LabHost {
                    organization: Some(employer.clone()),
                    ..LabHost::default()
                }],
                ..Lab::default()
            };
            let lab = CreateLabRequest {
                lab: Some(lab),
                ..CreateLabRequest::default()
            };
            labs.push(self.labs.labs().create_lab(lab).await.unwrap().into_inner().name);
            let designation = TalentDesignation {
                talent: Some(who(talent)),
                programme: Some(ProgrammeReference {
                    code: "invented".to_owned(),
                    ..ProgrammeReference::default()
                }),
                number: format!("证{one}"),
                employer: Some(employer.clone()),
                state: TalentDesignationState::InTerm as i32,
                decision_date: "2024-05-06".to_owned(),
                ..TalentDesignation::default()
            };
            let recorded = RecordTalentDesignationRequest {
                parent: talent.clone(),
                talent_designation: Some(designation),
                ..RecordTalentDesignationRequest::default()
            };
            self.talent.talent().record_talent_designation(recorded).await.unwrap();
            self.award(&scheme, one, talent, &employer).await;
        }
        Duplicates {
            organizations: organizations.try_into().unwrap(),
            persons: persons.try_into().unwrap(),
            labs: labs.try_into().unwrap(),
            scheme,
        }
    }

    async fn award(&self, scheme: &str, number: &str, talent: &str, employer: &OrganizationReference) {
        let award = Award {
            title: format!("虚构的成果{number}"),
            number: format!("2024-{number}"),
            year: 2024,
            state: AwardState::Conferred as i32,
            decision_date: "2024-05-06".to_owned(),
            scheme: Some(SchemeReference {
                scheme: scheme.to_owned(),
                ..SchemeReference::default()
            }),
            contributors: vec![Contributor {
                talent: Some(who(talent)),
                organizations: vec![employer.clone()],
                ..Contributor::default()
            }],
            completing_organizations: vec![CompletingOrganization {
                organization: Some(employer.clone()),
                ..CompletingOrganization::default()
            }],
            ..Award::default()
        };
        let recorded = RecordAwardRequest {
            award: Some(award),
            ..RecordAwardRequest::default()
        };
        self.awards.awards().record_award(recorded).await.unwrap();
    }

    async fn count(&self, collection: &str, count: &str, group_by: &[&str], filter: &str) -> ComputeStatisticsResponse {
        let request = ComputeStatisticsRequest {
            collection: collection.to_owned(),
            count: count.to_owned(),
            distinct: !count.is_empty(),
            group_by: group_by.iter().map(|&name| name.to_owned()).collect(),
            filter: filter.to_owned(),
        };
        let answer = match collection {
            "awards" => self.awards.awards().compute_statistics(request).await,
            "talents" | "talentDesignations" => self.talent.talent().compute_statistics(request).await,
            _ => self.labs.labs().compute_statistics(request).await,
        };
        answer.unwrap().into_inner()
    }

    /// How many things each field holds that may name one thing by two records.
    async fn things(&self) -> Vec<i64> {
        let mut found = Vec::new();
        for (collection, count) in CITING {
            let answer = self.count(collection, count, &[count], "").await;
            found.push(answer.total_count);
            // A thing is a group of its own.
            assert_eq!(
                i64::try_from(answer.groups.len()).unwrap(),
                answer.total_count,
                "{collection} {count}"
            );
        }
        found
    }

    /// How many records name a thing by one of its records.
    async fn naming(&self, thing: &str) -> Vec<i64> {
        let mut found = Vec::new();
        for (collection, count) in CITING {
            if (count == "contributors" || count == "talent") != thing.starts_with("talents/") {
                continue;
            }
            let total = self
                .count(collection, "", &[], &format!("{count} = {thing}"))
                .await
                .total_count;
            let others = self
                .count(collection, "", &[], &format!("{count} != {thing}"))
                .await
                .total_count;
            let all = self.count(collection, "", &[], "").await.total_count;
            assert_eq!(total + others, all, "{collection} {count} {thing}");
            found.push(total);
        }
        found
    }

    async fn merge_persons(&self, name: &str, survivor: &str) {
        let request = MergeTalentsRequest {
            name: name.to_owned(),
            survivor: survivor.to_owned(),
            reason: "one person".to_owned(),
            ..MergeTalentsRequest::default()
        };
        self.talent.talent().merge_talents(request).await.unwrap();
    }

    async fn merge_organizations(&self, name: &str, survivor: &str) {
        self.labs
            .labs()
            .merge_organizations(merge(name, survivor))
            .await
            .unwrap();
    }

    async fn unmerge(&self, organization: &str) {
        let request = UnmergeOrganizationRequest {
            name: organization.to_owned(),
            reason: "two universities".to_owned(),
            ..UnmergeOrganizationRequest::default()
        };
        self.labs.labs().unmerge_organization(request).await.unwrap();
    }
}

const CITING: [(&str, &str); 8] = [
    ("labs", "hosts"),
    ("labs", "lead_host"),
    ("talents", "employers"),
    ("talentDesignations", "talent"),
    ("talentDesignations", "employer"),
    ("awards", "contributors"),
    ("awards", "organizations"),
    ("awards", "completing_organizations"),
];

async fn what_was_merged_counts_and_is_found_as_one(store: Store) {
    let register = Register::start(store).await;
    let services = Services::one(&register);
    let pairs = services.make_duplicates().await;
    assert_eq!(services.things().await, [2; 8]);
    let [stays, goes] = &pairs.organizations;
    assert_eq!(services.naming(stays).await, [1; 6]);
    services.merge_organizations(goes, stays).await;
    services.merge_persons(&pairs.persons[1], &pairs.persons[0]).await;
    // The person who was merged is no record of its own any more: one is left with an employer.
    assert_eq!(services.things().await, [1; 8]);
    for name in [stays, goes] {
        assert_eq!(services.naming(name).await, [2, 2, 1, 2, 2, 2], "{name}");
    }
    for name in &pairs.persons {
        assert_eq!(services.naming(name).await, [2, 2], "{name}");
    }
    let groups = services
        .count("awards", "", &["contributors", "completing_organizations"], "")
        .await
        .groups;
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!(
        (groups[0].values.clone(), groups[0].count),
        (vec![pairs.persons[0].clone(), stays.clone()], 2)
    );
    // An award that names both records names one person.
    services.award(&pairs.scheme, "丙", &pairs.persons[1], &at(stays)).await;
    let pairs = ComputeStatisticsRequest {
        collection: "awards".to_owned(),
        count: "contributors".to_owned(),
        ..ComputeStatisticsRequest::default()
    };
    let pairs = register.awards().compute_statistics(pairs).await.unwrap().into_inner();
    assert_eq!(pairs.total_count, 3);
    // Lists and pages too; what a duplicate was merged into is asked for as it was written.
    let list = ListLabsRequest {
        filter: format!("hosts = {goes}"),
        include_total_size: true,
        ..ListLabsRequest::default()
    };
    let list = register.labs().list_labs(list).await.unwrap().into_inner();
    assert_eq!((list.labs.len(), list.total_size), (2, 2));
    let list = ListOrganizationsRequest {
        filter: format!("survivor = {goes} AND record_status = DUPLICATE"),
        ..ListOrganizationsRequest::default()
    };
    assert_eq!(
        register
            .labs()
            .list_organizations(list)
            .await
            .unwrap()
            .into_inner()
            .organizations,
        []
    );
}

async fn merges_of_merges_count_as_the_last_and_an_unmerge_as_before(store: Store) {
    let register = Register::start(store).await;
    let services = Services::one(&register);
    let pairs = services.make_duplicates().await;
    let [middle, first] = &pairs.organizations;
    let last = made(&register, organization("示例丙大学")).await.name;
    services.merge_organizations(first, middle).await;
    services.merge_organizations(middle, &last).await;
    for name in [first, middle, &last] {
        assert_eq!(services.naming(name).await, [2; 6], "{name}");
    }
    let groups = services.count("labs", "", &["hosts"], "").await.groups;
    assert_eq!((groups[0].values.clone(), groups[0].count), (vec![last.clone()], 2));
    services.unmerge(middle).await;
    for (name, expected) in [(first, 2), (middle, 2), (&last, 0)] {
        assert_eq!(services.naming(name).await, [expected; 6], "{name}");
    }
    services.unmerge(first).await;
    for (name, expected) in [(first, 1), (middle, 1), (&last, 0)] {
        assert_eq!(services.naming(name).await, [expected; 6], "{name}");
    }
    assert_eq!(services.count("labs", "hosts", &[], "").await.total_count, 2);
    // Labs are merged as organizations are.
    let merged = MergeLabsRequest {
        name: pairs.labs[1].clone(),
        survivor: pairs.labs[0].clone(),
        reason: "one lab".to_owned(),
        ..MergeLabsRequest::default()
    };
    register.labs().merge_labs(merged).await.unwrap();
    assert_eq!(services.count("labs", "hosts", &[], "").await.total_count, 1);
}

async fn a_person_who_was_annulled_is_not_counted(store: Store) {
    let register = Register::start(store).await;
    let services = Services::one(&register);
    let pairs = services.make_duplicates().await;
    services.merge_persons(&pairs.persons[1], &pairs.persons[0]).await;
    let annulled = AnnulTalentRequest {
        name: pairs.persons[0].clone(),
        reason: "recorded by mistake".to_owned(),
        ..AnnulTalentRequest::default()
    };
    register.talent().annul_talent(annulled).await.unwrap();
    let gone = made(&register, organization("示例丁大学")).await.name;
    register.labs().annul_organization(annul(&gone)).await.unwrap();
    for (collection, count) in [("talentDesignations", "talent"), ("awards", "contributors")] {
        let answer = services.count(collection, count, &[], "").await;
        assert_eq!(answer.total_count, 0, "{collection}");
        // The titles are there, and of nobody.
        let groups = services.count(collection, "", &[count], "").await.groups;
        let [group] = groups.as_slice() else {
            panic!("{groups:?}")
        };
        assert_eq!((group.values.as_slice(), group.count), ([String::new()].as_slice(), 2));
        // What names the record is found, so that it can be mended.
        let named = services
            .count(collection, "", &[], &format!("{count} = {}", pairs.persons[0]))
            .await;
        assert_eq!(named.total_count, 1);
    }
}

fn ranks(talent: &str) -> FindAwardRanksRequest {
    FindAwardRanksRequest {
        talent: talent.to_owned(),
        conditions: vec![AwardCondition {
            level: Level::Municipal as i32,
            max_rank: 1,
            ..AwardCondition::default()
        }],
        ..FindAwardRanksRequest::default()
    }
}

async fn a_rank_of_a_duplicate_is_one_of_the_survivor(store: Store) {
    let register = Register::start(store).await;
    let services = Services::one(&register);
    let pairs = services.make_duplicates().await;
    let found = async |talent: &str| {
        let answer = register.nominations().find_award_ranks(ranks(talent)).await;
        answer.unwrap().into_inner().ranks.len()
    };
    assert_eq!(found(&pairs.persons[0]).await, 1);
    services.merge_persons(&pairs.persons[1], &pairs.persons[0]).await;
    for name in &pairs.persons {
        assert_eq!(found(name).await, 2, "{name}");
    }
}

/// Waits until this is so.
async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn services_apart_count_what_was_merged_elsewhere(store: Store) {
    let labs = Register::start_with(store, &["labs"]).await;
    let talent = Register::start_with(store, &["talent", "--labs-url", &labs.url()]).await;
    let flags = ["awards", "--labs-url", &labs.url(), "--talent-url", &talent.url()];
    let awards = Register::start_with(store, &flags).await;
    let services = Services {
        labs: &labs,
        talent: &talent,
        awards: &awards,
    };
    let pairs = services.make_duplicates().await;
    let [stays, goes] = &pairs.organizations;
    let expect = async |what: &str, counts: [i64; 8]| {
        eventually(what, async || services.things().await == counts).await;
    };
    expect("all are two", [2; 8]).await;
    services.merge_organizations(goes, stays).await;
    services.merge_persons(&pairs.persons[1], &pairs.persons[0]).await;
    expect("all are one", [1; 8]).await;
    for name in [stays, goes] {
        assert_eq!(services.naming(name).await, [2, 2, 1, 2, 2, 2], "{name}");
    }
    for name in &pairs.persons {
        assert_eq!(services.naming(name).await, [2, 2], "{name}");
    }
    services.unmerge(goes).await;
    expect("the universities are two again", [2, 2, 1, 1, 2, 1, 2, 2]).await;
}

/// What the migration brings, taken back.
const BEFORE: &str = "DROP TABLE survivors; DELETE FROM mingce_ledger_migrations WHERE version LIKE '%_survivors'";

async fn a_register_from_before_counts_its_merges_after_migrate(store: Store) {
    let mut register = Register::start(store).await;
    let services = Services::one(&register);
    let pairs = services.make_duplicates().await;
    let last = made(&register, organization("示例丙大学")).await.name;
    services
        .merge_organizations(&pairs.organizations[0], &pairs.organizations[1])
        .await;
    services.merge_organizations(&pairs.organizations[1], &last).await;
    register.stop();
    register.execute(BEFORE).await;
    let refused = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(refused.contains("mingce migrate"), "{refused}");
    register.migrate().succeeded();
    register.restart();
    let services = Services::one(&register);
    let groups = services.count("labs", "", &["hosts"], "").await.groups;
    assert_eq!((groups[0].values.clone(), groups[0].count), (vec![last], 2));
    assert_eq!(
        services
            .count("awards", "completing_organizations", &[], "")
            .await
            .total_count,
        1
    );
}
