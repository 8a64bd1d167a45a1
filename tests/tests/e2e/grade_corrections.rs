//! Corrections of awards and of designations of persons: grades and their caps, contributors, terms, families.

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::{
    Award, AwardState, CompletingOrganization, CorrectAwardRequest, ListRevisionsRequest as AwardRevisions,
    UpdateAwardRequest,
};
use mingce_proto::registry::GetRoundRequest;
use mingce_proto::talent::{
    CorrectTalentDesignationRequest, ProgrammeReference, TalentDesignation, UpdateTalentDesignationRequest,
};
use tonic::Code;

use crate::award_fixture::{Year, contributor, terms as award_terms};
use crate::corrections::mask;
use crate::talent_fixture::{applicant, approve, on_notice, programme, spring, terms};

on_both_stores!(
    another_grade_takes_its_place_in_the_caps,
    the_terms_of_a_person_follow_the_day_and_a_family_stays_one,
);

fn better(of: &Award, paths: &[&str], right: Award) -> CorrectAwardRequest {
    CorrectAwardRequest {
        name: of.name.clone(),
        reason: "等级误录".to_owned(),
        document_number: "试更〔2024〕2号".to_owned(),
        award: Some(right),
        update_mask: mask(paths),
        ..CorrectAwardRequest::default()
    }
}

/// One first prize and two second prizes there are; three are given.
async fn another_grade_takes_its_place_in_the_caps(store: Store) {
    let year = Year::begin(store, award_terms()).await;
    let mut names = Vec::new();
    for title in ["甲", "乙"] {
        let name = year.in_review(year.work(title)).await;
        year.shortlist(&name, "二等奖").await.unwrap();
        names.push(name);
    }
    year.clock.advance(30);
    let mut given = Vec::new();
    for name in &names {
        given.push(year.approve(name, &name[7..]).await.unwrap());
    }
    let one = &given[0];
    let of = |grade: &str| Award {
        grade: grade.to_owned(),
        ..Award::default()
    };
    let update = UpdateAwardRequest {
        award: Some(Award {
            name: one.name.clone(),
            contributors: vec![contributor(&year.people[3], &year.organizations[0])],
            ..of("一等奖")
        }),
        update_mask: mask(&["grade", "contributors"]),
        ..UpdateAwardRequest::default()
    };
    let refused = failure(year.register.awards().update_award(update).await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "FIELD_DECIDED"));
    assert_eq!(refused.fields, ["award.grade", "award.contributors"]);
    assert_eq!(year.taken().await, [("一等奖".to_owned(), 0), ("二等奖".to_owned(), 2)]);
    let unknown = failure(
        year.register
            .nominations()
            .correct_award(better(one, &["grade"], of("三等奖")))
            .await,
    );
    assert_eq!(unknown.is(), (Code::InvalidArgument, "GRADE_UNKNOWN"), "{unknown:?}");
    let done = year
        .register
        .nominations()
        .correct_award(better(one, &["grade"], of("一等奖")))
        .await
        .unwrap();
    let done = done.into_inner();
    assert_eq!((done.grade.as_str(), done.state()), ("一等奖", AwardState::Approved));
    assert_eq!(year.taken().await, [("一等奖".to_owned(), 1), ("二等奖".to_owned(), 1)]);
    let full = failure(
        year.register
            .nominations()
            .correct_award(better(&given[1], &["grade"], of("一等奖")))
            .await,
    );
    assert_eq!(full.reasons(), ["CAP_REACHED"], "{full:?}");
    assert_eq!(year.taken().await, [("一等奖".to_owned(), 1), ("二等奖".to_owned(), 1)]);
    // Three contributors are too many for a second prize, and each has an organization that completed it.
    let three: Vec<_> = (0..3)
        .map(|n| contributor(&year.people[n], &year.organizations[0]))
        .collect();
    let many = Award {
        contributors: three,
        ..Award::default()
    };
    let crowded = failure(
        year.register
            .nominations()
            .correct_award(better(&given[1], &["contributors"], many.clone()))
            .await,
    );
    assert_eq!(crowded.reasons(), ["TOO_MANY_CONTRIBUTORS"], "{crowded:?}");
    let elsewhere = Award {
        completing_organizations: vec![CompletingOrganization {
            organization: Some(crate::award_fixture::at(&year.organizations[2])),
            ..CompletingOrganization::default()
        }],
        ..Award::default()
    };
    let outside = better(&given[1], &["completing_organizations"], elsewhere);
    let outside = failure(year.register.nominations().correct_award(outside).await);
    assert!(
        outside.reasons().contains(&"CONTRIBUTOR_ORGANIZATION_MISSING"),
        "{outside:?}"
    );
    let more = year
        .register
        .nominations()
        .correct_award(better(one, &["contributors"], many))
        .await
        .unwrap();
    assert_eq!(more.into_inner().contributors.len(), 3);
    let request = AwardRevisions {
        name: one.name.clone(),
        page_size: 2,
        ..AwardRevisions::default()
    };
    let history = year
        .register
        .awards()
        .list_revisions(request)
        .await
        .unwrap()
        .into_inner()
        .revisions;
    assert_eq!(
        history.iter().map(|entry| entry.verb.as_str()).collect::<Vec<_>>(),
        ["correct", "correct"]
    );
    let round = GetRoundRequest {
        name: year.round.name.clone(),
        ..GetRoundRequest::default()
    };
    let round = year.register.cases().get_round(round).await.unwrap().into_inner();
    assert!(round.caps.iter().all(|cap| cap.used <= cap.limit), "{round:?}");
}

async fn the_terms_of_a_person_follow_the_day_and_a_family_stays_one(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (_, round) = spring(&register, terms()).await;
    for (code, family) in [("one", "island"), ("two", "coast"), ("three", "island")] {
        programme(&register, code, family).await;
    }
    let talent = applicant(&register, "申报人").await.name;
    let (first, second) = (
        on_notice(&register, &talent, "one", &round.name).await,
        on_notice(&register, &talent, "two", &round.name).await,
    );
    clock.set("2024-04-01");
    let first = approve(&register, &first).await.unwrap().into_inner();
    let second = approve(&register, &second).await.unwrap().into_inner();
    assert_eq!(first.end_date, "2026-03-31");
    let right = |of: &TalentDesignation, paths: &[&str], right: TalentDesignation| CorrectTalentDesignationRequest {
        name: of.name.clone(),
        reason: "文件误录".to_owned(),
        document_number: "试更〔2024〕3号".to_owned(),
        talent_designation: Some(right),
        update_mask: mask(paths),
        ..CorrectTalentDesignationRequest::default()
    };
    let under = |code: &str| TalentDesignation {
        programme: Some(ProgrammeReference {
            code: code.to_owned(),
            ..ProgrammeReference::default()
        }),
        ..TalentDesignation::default()
    };
    let touched = UpdateTalentDesignationRequest {
        talent_designation: Some(TalentDesignation {
            name: second.name.clone(),
            ..under("three")
        }),
        update_mask: mask(&["programme"]),
        ..UpdateTalentDesignationRequest::default()
    };
    let refused = failure(register.talent().update_talent_designation(touched).await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "FIELD_DECIDED"), "{refused:?}");
    let taken = register
        .talent_cases()
        .correct_talent_designation(right(&second, &["programme"], under("three")))
        .await;
    let taken = failure(taken);
    assert_eq!(taken.reasons(), ["FAMILY_TAKEN"], "{taken:?}");
    clock.set("2024-05-06");
    let day = TalentDesignation {
        decision_date: "2024-04-15".to_owned(),
        ..TalentDesignation::default()
    };
    let moved = register
        .talent_cases()
        .correct_talent_designation(right(&first, &["decision_date"], day))
        .await;
    let moved = moved.unwrap().into_inner();
    assert_eq!(
        (moved.start_date.as_str(), moved.end_date.as_str()),
        ("2024-04-15", "2026-04-14")
    );
    assert_eq!(
        moved.case.unwrap().due_date,
        "2025-04-15",
        "the mid-term assessment comes later"
    );
}
