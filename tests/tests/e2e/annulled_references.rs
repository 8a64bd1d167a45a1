//! References to annulled and merged records: who has them stays as it is, also where its own export is loaded again
//! or all of its fields are set. Only new references are held to what is there.

use std::fs;

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::{
    AnnulSchemeRequest, Award, AwardState, CompletingOrganization, Contributor, CorrectAwardRequest,
    CreateSchemeRequest, RecordAwardRequest, Scheme, SchemeGrade, SchemeReference, UpdateAwardRequest,
    UpdateSchemeRequest,
};
use mingce_proto::labs::{
    AnnulLabRequest, CreateLabRequest, ImportLabsRequest, Lab, LabDesignation, LabDesignationState, LabHost,
    LabReference, MergeLabsRequest, Organization, RecordLabDesignationRequest, UpdateLabDesignationRequest,
    UpdateLabRequest,
};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{ImportSettings, Level, OrganizationReference, RowOutcome, TalentReference};
use mingce_proto::talent::{
    AnnulProgrammeRequest, AnnulTalentRequest, CreateProgrammeRequest, Employment, MergeTalentsRequest, Programme,
    ProgrammeKind, ProgrammeReference, RecordTalentDesignationRequest, Talent, TalentDesignation,
    TalentDesignationState, UpdateTalentDesignationRequest, UpdateTalentRequest,
};
use prost_types::FieldMask;
use tonic::Code;

use crate::builders::{annul, create, identifier, made, merge, organization, person, update};
use crate::public_files::{ledger, rows, table};

on_both_stores!(
    an_export_imports_as_unchanged_whatever_became_of_what_it_names,
    an_update_of_all_fields_leaves_references_to_what_is_gone,
    a_new_reference_to_an_annulled_record_is_refused,
    a_row_that_is_known_by_its_identifier_keeps_its_references_too,
    an_award_keeps_a_grade_that_its_scheme_has_no_more,
);

fn host(name: &str) -> LabHost {
    LabHost {
        organization: Some(to(name)),
        ..LabHost::default()
    }
}

fn to(organization: &str) -> OrganizationReference {
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

fn all() -> Option<FieldMask> {
    Some(FieldMask {
        paths: vec!["*".to_owned()],
    })
}

fn reason() -> String {
    "recorded by mistake".to_owned()
}

async fn lab(register: &Register, lab: Lab) -> Lab {
    let request = CreateLabRequest {
        lab: Some(lab),
        ..CreateLabRequest::default()
    };
    register.labs().create_lab(request).await.unwrap().into_inner()
}

/// Records of every collection, each of which names an organization, lab, person, programme or scheme that was annulled
/// or merged since.
struct Named {
    child: Organization,
    lab: Lab,
    of_lab: Vec<LabDesignation>,
    person: Talent,
    of_person: Vec<TalentDesignation>,
    award: Award,
}

async fn named(register: &Register) -> Named {
    let [wrong, twice, stays] = ["误录大学", "滨海学院", "青岛海洋学院"].map(organization);
    let wrong = made(register, wrong).await.name;
    let twice = made(register, twice).await.name;
    let stays = made(register, stays).await.name;
    let child = Organization {
        parent: wrong.clone(),
        successor: twice.clone(),
        ..organization("误录大学医学院")
    };
    let child = made(register, child).await;

    let of = |display_name: &str| Lab {
        display_name: display_name.to_owned(),
        ..Lab::default()
    };
    let wrong_lab = lab(register, of("误录实验室")).await.name;
    let twice_lab = lab(register, of("海洋实验室（二）")).await.name;
    let stays_lab = lab(register, of("海洋实验室")).await.name;
    let hosted = Lab {
        hosts: [&wrong, &twice, &stays].map(|name| host(name)).to_vec(),
        successor: Some(LabReference {
            lab: wrong_lab.clone(),
            ..LabReference::default()
        }),
        ..of("深海重点实验室")
    };
    let hosted = lab(register, hosted).await;
    let mut of_lab = Vec::new();
    for parent in [&wrong_lab, &twice_lab] {
        let designation = LabDesignation {
            level: Level::District as i32,
            programme: "区级重点实验室".to_owned(),
            state: LabDesignationState::Operating as i32,
            decision_date: "2024-03-01".to_owned(),
            ..LabDesignation::default()
        };
        let request = RecordLabDesignationRequest {
            parent: parent.clone(),
            lab_designation: Some(designation),
            ..RecordLabDesignationRequest::default()
        };
        let recorded = register.labs().record_lab_designation(request).await.unwrap();
        of_lab.push(recorded.into_inner());
    }

    let of = |display_name: &str, number: &str| Talent {
        display_name: display_name.to_owned(),
        identifiers: vec![identifier(number)],
        ..Talent::default()
    };
    let wrong_person = person(register, of("误某", "wrong")).await.name;
    let twice_person = person(register, of("甲某某", "twice")).await.name;
    let stays_person = person(register, of("甲某", "stays")).await.name;
    let employed = Talent {
        employments: [&wrong, &twice]
            .map(|name| Employment {
                organization: Some(to(name)),
                ..Employment::default()
            })
            .to_vec(),
        ..of("乙某", "employed")
    };
    let employed = person(register, employed).await;
    let request = CreateProgrammeRequest {
        programme: Some(Programme {
            display_name: "虚构的人才计划".to_owned(),
            code: "invented".to_owned(),
            kind: ProgrammeKind::LeadingTalent as i32,
            level: Level::District as i32,
            ..Programme::default()
        }),
        ..CreateProgrammeRequest::default()
    };
    let programme = register
        .talent()
        .create_programme(request)
        .await
        .unwrap()
        .into_inner()
        .name;
    let mut of_person = Vec::new();
    for (parent, employer) in [(&wrong_person, &wrong), (&twice_person, &twice)] {
        let designation = TalentDesignation {
            programme: Some(ProgrammeReference {
                programme: programme.clone(),
                ..ProgrammeReference::default()
            }),
            employer: Some(to(employer)),
            state: TalentDesignationState::InTerm as i32,
            decision_date: "2023-06-01".to_owned(),
            ..TalentDesignation::default()
        };
        let request = RecordTalentDesignationRequest {
            parent: parent.clone(),
            talent_designation: Some(designation),
            ..RecordTalentDesignationRequest::default()
        };
        let recorded = register.talent().record_talent_designation(request).await.unwrap();
        of_person.push(recorded.into_inner());
    }

    let request = CreateSchemeRequest {
        scheme: Some(Scheme {
            display_name: "虚构的科技奖".to_owned(),
            code: "prize".to_owned(),
            level: Level::Municipal as i32,
            category: "科技进步".to_owned(),
            ..Scheme::default()
        }),
        ..CreateSchemeRequest::default()
    };
    let scheme = register
        .awards()
        .create_scheme(request)
        .await
        .unwrap()
        .into_inner()
        .name;
    let by = |talent: &str| Contributor {
        talent: Some(who(talent)),
        organizations: vec![to(&twice)],
        ..Contributor::default()
    };
    let award = Award {
        title: "一种虚构的方法".to_owned(),
        scheme: Some(SchemeReference {
            scheme: scheme.clone(),
            ..SchemeReference::default()
        }),
        number: "2024-1".to_owned(),
        year: 2024,
        state: AwardState::Conferred as i32,
        contributors: vec![
            by(&wrong_person),
            by(&twice_person),
            by(&stays_person),
            Contributor {
                laureate_organization: Some(to(&wrong)),
                ..Contributor::default()
            },
        ],
        completing_organizations: [&twice, &stays, &wrong]
            .map(|name| CompletingOrganization {
                organization: Some(to(name)),
                ..CompletingOrganization::default()
            })
            .to_vec(),
        ..Award::default()
    };
    let request = RecordAwardRequest {
        award: Some(award),
        ..RecordAwardRequest::default()
    };
    let award = register.awards().record_award(request).await.unwrap().into_inner();

    gone(
        register,
        [&wrong, &wrong_lab, &wrong_person, &programme, &scheme],
        [
            (&twice, &stays),
            (&twice_lab, &stays_lab),
            (&twice_person, &stays_person),
        ],
    )
    .await;
    Named {
        child,
        lab: hosted,
        of_lab,
        person: employed,
        of_person,
        award,
    }
}

/// Annuls an organization, a lab, a person, a programme and a scheme; merges organizations, labs and persons.
async fn gone(register: &Register, annulled: [&str; 5], merged: [(&str, &str); 3]) {
    let [organization, lab, talent, programme, scheme] = annulled.map(str::to_owned);
    register.labs().annul_organization(annul(&organization)).await.unwrap();
    let request = AnnulLabRequest {
        name: lab,
        reason: reason(),
        ..AnnulLabRequest::default()
    };
    register.labs().annul_lab(request).await.unwrap();
    let request = AnnulTalentRequest {
        name: talent,
        reason: reason(),
        ..AnnulTalentRequest::default()
    };
    register.talent().annul_talent(request).await.unwrap();
    let request = AnnulProgrammeRequest {
        name: programme,
        reason: reason(),
        ..AnnulProgrammeRequest::default()
    };
    register.talent().annul_programme(request).await.unwrap();
    let request = AnnulSchemeRequest {
        name: scheme,
        reason: reason(),
        ..AnnulSchemeRequest::default()
    };
    register.awards().annul_scheme(request).await.unwrap();
    let [organizations, labs, talents] = merged;
    let request = merge(organizations.0, organizations.1);
    register.labs().merge_organizations(request).await.unwrap();
    let request = MergeLabsRequest {
        name: labs.0.to_owned(),
        survivor: labs.1.to_owned(),
        reason: reason(),
        ..MergeLabsRequest::default()
    };
    register.labs().merge_labs(request).await.unwrap();
    let request = MergeTalentsRequest {
        name: talents.0.to_owned(),
        survivor: talents.1.to_owned(),
        reason: reason(),
        ..MergeTalentsRequest::default()
    };
    register.talent().merge_talents(request).await.unwrap();
}

async fn an_export_imports_as_unchanged_whatever_became_of_what_it_names(store: Store) {
    let mut register = Register::start(store).await;
    named(&register).await;
    let entries = ledger(&mut register).await;
    // Programmes and schemes are not among them: both were annulled.
    for (collection, count) in [
        ("organizations", 2),
        ("labs", 2),
        ("labDesignations", 2),
        ("talents", 2),
        ("talentDesignations", 2),
        ("awards", 1),
    ] {
        for ending in ["csv", "xlsx", "jsonl"] {
            let file = format!("{collection}.{ending}");
            register.cli(&["export", collection, "--to", &file]).succeeded();
            for flags in [&["--dry-run"][..], &[]] {
                let args = [&["import", &file, "--as", collection], flags].concat();
                let ran = register.cli(&args);
                assert_eq!(
                    table(&ran.stdout),
                    rows(&[(collection, [0, 0, count, 0])]),
                    "{file} {flags:?}: {ran:?}"
                );
            }
            fs::remove_file(register.folder().join(file)).unwrap();
        }
        // Without resource names the records are known by their keys.
        let lines = register.cli(&["export", collection, "--to", "-"]).succeeded();
        let nameless = lines.lines().map(|line| {
            let mut resource: serde_json::Value = serde_json::from_str(line).unwrap();
            resource.as_object_mut().unwrap().remove("name").unwrap();
            format!("{resource}\n")
        });
        fs::write(register.folder().join("nameless.jsonl"), nameless.collect::<String>()).unwrap();
        let ran = register.cli(&["import", "nameless.jsonl", "--as", collection]);
        assert_eq!(table(&ran.stdout), rows(&[(collection, [0, 0, count, 0])]), "{ran:?}");
    }
    assert_eq!(ledger(&mut register).await, entries);
}

async fn an_update_of_all_fields_leaves_references_to_what_is_gone(store: Store) {
    let register = Register::start(store).await;
    let named = named(&register).await;
    let answer = register
        .labs()
        .update_organization(update(named.child.clone(), &["*"]))
        .await;
    assert_eq!(answer.unwrap().into_inner(), named.child);
    // Something else changes, and the references do not, also where their words are left out.
    let mut changed = named.lab.clone();
    changed.city = "青岛".to_owned();
    let mut bare = changed.clone();
    for host in bare.hosts.iter_mut().filter_map(|host| host.organization.as_mut()) {
        host.display_name.clear();
    }
    let request = UpdateLabRequest {
        lab: Some(bare),
        update_mask: all(),
        ..UpdateLabRequest::default()
    };
    let answer = register.labs().update_lab(request).await.unwrap().into_inner();
    assert_eq!(
        (&answer.hosts, &answer.successor, answer.city.as_str()),
        (&changed.hosts, &changed.successor, "青岛")
    );
    for designation in named.of_lab {
        let request = UpdateLabDesignationRequest {
            lab_designation: Some(designation.clone()),
            update_mask: all(),
            ..UpdateLabDesignationRequest::default()
        };
        let answer = register.labs().update_lab_designation(request).await;
        assert_eq!(answer.unwrap().into_inner(), designation);
    }
    let request = UpdateTalentRequest {
        talent: Some(named.person.clone()),
        update_mask: all(),
        ..UpdateTalentRequest::default()
    };
    let answer = register.talent().update_talent(request).await;
    assert_eq!(answer.unwrap().into_inner(), named.person);
    for designation in named.of_person {
        let request = UpdateTalentDesignationRequest {
            talent_designation: Some(designation.clone()),
            update_mask: all(),
            ..UpdateTalentDesignationRequest::default()
        };
        let answer = register.talent().update_talent_designation(request).await;
        assert_eq!(answer.unwrap().into_inner(), designation);
    }
    assert_eq!(
        (named.award.level(), named.award.category.as_str()),
        (Level::Municipal, "科技进步")
    );
    let request = UpdateAwardRequest {
        award: Some(named.award.clone()),
        update_mask: all(),
        ..UpdateAwardRequest::default()
    };
    let answer = register.awards().update_award(request).await;
    assert_eq!(answer.unwrap().into_inner(), named.award);
}

async fn a_new_reference_to_an_annulled_record_is_refused(store: Store) {
    let register = Register::start(store).await;
    let named = named(&register).await;
    let wrong = named.child.parent.clone();
    // By somebody who has none, in another field of one who has, and by a new record that copies one who has.
    let other = made(&register, organization("别的大学")).await;
    let child = Organization {
        parent: wrong.clone(),
        ..other
    };
    let elsewhere = Organization {
        successor: wrong.clone(),
        ..named.child.clone()
    };
    for (organization, field) in [(child, "parent"), (elsewhere, "successor")] {
        let refused = failure(register.labs().update_organization(update(organization, &["*"])).await);
        assert_eq!(
            refused.is(),
            (Code::InvalidArgument, "REFERENCE_NOT_FOUND"),
            "{refused:?}"
        );
        assert_eq!(refused.fields, [format!("organization.{field}")], "{refused:?}");
    }
    let refused = failure(register.labs().create_organization(create(named.child.clone())).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "REFERENCE_NOT_FOUND"),
        "{refused:?}"
    );
    assert_eq!(refused.fields, ["organization.parent"], "{refused:?}");
    let award = Award {
        number: "2024-2".to_owned(),
        ..named.award
    };
    let request = RecordAwardRequest {
        award: Some(award),
        ..RecordAwardRequest::default()
    };
    let refused = failure(register.awards().record_award(request).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "REFERENCE_NOT_FOUND"),
        "{refused:?}"
    );
    let mut fields = refused.fields.clone();
    fields.sort();
    let expected = [
        "award.completing_organizations[2].organization.organization",
        "award.contributors[0].talent.talent",
        "award.contributors[3].laureate_organization.organization",
        "award.scheme.scheme",
    ];
    assert_eq!(fields, expected, "{refused:?}");
}

async fn import(register: &Register, lab: Lab) -> RowOutcome {
    let row = ImportLabsRequest {
        settings: Some(ImportSettings::default()),
        row: 1,
        lab: Some(lab),
    };
    let answer = register.labs().import_labs(tokio_stream::iter([row])).await.unwrap();
    answer.into_inner().outcomes.remove(0)
}

async fn a_row_that_is_known_by_its_identifier_keeps_its_references_too(store: Store) {
    let register = Register::start(store).await;
    let wrong = made(&register, organization("误录大学")).await.name;
    let row = Lab {
        display_name: "深海重点实验室".to_owned(),
        identifiers: vec![identifier("1")],
        hosts: vec![host(&wrong)],
        ..Lab::default()
    };
    assert_eq!(import(&register, row.clone()).await.outcome(), Outcome::Created);
    register.labs().annul_organization(annul(&wrong)).await.unwrap();
    let again = import(&register, row.clone()).await;
    assert_eq!(again.outcome(), Outcome::Unchanged, "{again:?}");
    let other = Lab {
        display_name: "另一个实验室".to_owned(),
        identifiers: vec![identifier("2")],
        ..row
    };
    let refused = import(&register, other).await;
    assert_eq!(refused.outcome(), Outcome::Refused, "{refused:?}");
    assert_eq!(
        (refused.problems[0].field.as_str(), refused.problems[0].reason.as_str()),
        ("hosts[0].organization.organization", "REFERENCE_NOT_FOUND")
    );
}

/// The grade was right when the award was given; another one has to be one of today's.
async fn an_award_keeps_a_grade_that_its_scheme_has_no_more(store: Store) {
    let register = Register::start(store).await;
    let grade = |grade: &str| SchemeGrade {
        grade: grade.to_owned(),
        ..SchemeGrade::default()
    };
    let scheme = Scheme {
        display_name: "虚构的科技奖".to_owned(),
        code: "prize".to_owned(),
        grades: vec![grade("特等奖"), grade("一等奖")],
        ..Scheme::default()
    };
    let request = CreateSchemeRequest {
        scheme: Some(scheme),
        ..CreateSchemeRequest::default()
    };
    let mut scheme = register.awards().create_scheme(request).await.unwrap().into_inner();
    let award = Award {
        title: "一种虚构的方法".to_owned(),
        scheme: Some(SchemeReference {
            scheme: scheme.name.clone(),
            ..SchemeReference::default()
        }),
        number: "2024-1".to_owned(),
        year: 2024,
        grade: "特等奖".to_owned(),
        state: AwardState::Conferred as i32,
        ..Award::default()
    };
    let request = RecordAwardRequest {
        award: Some(award),
        ..RecordAwardRequest::default()
    };
    let award = register.awards().record_award(request).await.unwrap().into_inner();
    scheme.grades = vec![grade("一等奖")];
    let request = UpdateSchemeRequest {
        scheme: Some(scheme),
        ..UpdateSchemeRequest::default()
    };
    register.awards().update_scheme(request).await.unwrap();

    let set = async |award: &Award| {
        let request = UpdateAwardRequest {
            award: Some(award.clone()),
            update_mask: all(),
            ..UpdateAwardRequest::default()
        };
        register
            .awards()
            .update_award(request)
            .await
            .map(tonic::Response::into_inner)
    };
    assert_eq!(set(&award).await.unwrap(), award);
    let ran = register.cli(&["export", "awards", "--to", "awards.csv"]);
    ran.succeeded();
    let ran = register.cli(&["import", "awards.csv", "--as", "awards"]);
    assert_eq!(table(&ran.stdout), rows(&[("awards", [0, 0, 1, 0])]), "{ran:?}");
    let other = Award {
        grade: "二等奖".to_owned(),
        ..award.clone()
    };
    let refused = failure(set(&other).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "GRADE_UNKNOWN"), "{refused:?}");
    let first = Award {
        grade: "一等奖".to_owned(),
        ..award.clone()
    };
    let decided = failure(set(&first).await);
    assert_eq!(decided.is(), (Code::FailedPrecondition, "FIELD_DECIDED"), "{decided:?}");
    let corrected = async |award: &Award| {
        let request = CorrectAwardRequest {
            name: award.name.clone(),
            reason: "等级误录".to_owned(),
            document_number: "试更〔2024〕1号".to_owned(),
            award: Some(award.clone()),
            update_mask: Some(FieldMask {
                paths: vec!["grade".to_owned()],
            }),
            ..CorrectAwardRequest::default()
        };
        register.nominations().correct_award(request).await
    };
    let back = corrected(&first).await.unwrap().into_inner();
    assert_eq!(back.grade, "一等奖");
    let refused = failure(corrected(&award).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "GRADE_UNKNOWN"), "{refused:?}");
}
