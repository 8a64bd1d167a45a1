//! Who may review: a conflict is told or overridden, merged records hide none, and a reviewer has a case once.

use mingce_e2e::cases::{Clock, Terms, load, open, policy};
use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::awards::{
    Award, AwardState, Contributor, CreateSchemeRequest, RecordAwardRequest, Scheme, SchemeReference,
};
use mingce_proto::labs::GetOrganizationRequest;
use mingce_proto::registry::{AssignReviewerRequest, Conflict, ConflictKind, ListReviewsRequest, TalentReference};
use mingce_proto::talent::{MergeTalentsRequest, Talent, UpdateTalentRequest};
use tonic::Code;

use super::{applicant, assign, at, clear, clear_one, employed, panel, read_panel, read_review, ready, reviewed};
use crate::builders::{made, merge, organization};
use crate::lab_fixture::{district, done, draft, history, in_review};

on_both_stores!(
    a_reviewer_in_conflict_is_refused_with_each_conflict,
    a_conflict_is_overridden_with_a_reason_that_is_kept,
    a_reviewer_has_a_case_once,
    records_that_were_merged_hide_no_conflict,
    a_labs_service_alone_clears_nobody_and_says_whom_it_cannot_ask,
);

/// A conferred award of these persons.
async fn awarded(register: &Register, number: &str, persons: &[&str]) -> String {
    let request = CreateSchemeRequest {
        scheme: Some(Scheme {
            display_name: format!("虚构的科学奖{number}"),
            code: format!("invented-{number}"),
            ..Scheme::default()
        }),
        ..CreateSchemeRequest::default()
    };
    let scheme = register.awards().create_scheme(request).await.unwrap().into_inner();
    let contributor = |talent: &&str| Contributor {
        talent: Some(TalentReference {
            talent: (*talent).to_owned(),
            ..TalentReference::default()
        }),
        ..Contributor::default()
    };
    let award = Award {
        title: "虚构的成果".to_owned(),
        number: number.to_owned(),
        year: 2020,
        state: AwardState::Conferred as i32,
        scheme: Some(SchemeReference {
            scheme: scheme.name,
            ..SchemeReference::default()
        }),
        contributors: persons.iter().map(contributor).collect(),
        ..Award::default()
    };
    let request = RecordAwardRequest {
        award: Some(award),
        ..RecordAwardRequest::default()
    };
    register.awards().record_award(request).await.unwrap().into_inner().name
}

fn conflicts(why: &Failure) -> Vec<(&str, &str)> {
    assert_eq!(why.is(), (Code::FailedPrecondition, "REVIEWER_IN_CONFLICT"), "{why:?}");
    why.blockers
        .iter()
        .map(|(reason, subject)| (reason.as_str(), subject.as_str()))
        .collect()
}

async fn a_reviewer_in_conflict_is_refused_with_each_conflict(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let applicant = applicant(&register, &round).await;
    // Weeks later the window still begins two years before the submission, and ends today.
    clock.set("2024-04-20");
    let panel = panel(&register, &[&applicant.case.name]).await;
    let place = (panel.name.as_str(), applicant.case.name.as_str());
    let (host, member) = (applicant.host.as_str(), applicant.member.as_str());
    let elsewhere = made(&register, organization("无关大学")).await.name;

    for party in [member, &applicant.director] {
        let why = failure(assign(&register, place, party, "").await);
        assert_eq!(conflicts(&why), [("CONFLICT_PARTY", party)]);
    }
    // At the time, and not at another.
    for (start, end, is_conflict) in [
        ("2020-01-01", "", true),
        ("", "", true),
        ("2010-01-01", "2022-03-10", false),
        ("2010-01-01", "2022-03-11", true),
        ("2010", "2021", false),
        ("2010", "2022", true),
        ("2024-04-20", "", true),
        ("2024-04-21", "", false),
        ("2024-05", "", false),
    ] {
        let employments = vec![at(&elsewhere, "2000", ""), at(host, start, end)];
        let reviewer = employed(&register, "评审", employments).await;
        let answer = assign(&register, place, &reviewer, "").await;
        if is_conflict {
            let why = failure(answer);
            assert_eq!(
                conflicts(&why),
                [("CONFLICT_SAME_ORGANIZATION", host)],
                "{start} to {end}"
            );
        } else {
            let review = answer.unwrap_or_else(|why| panic!("{start} to {end}: {why:?}"));
            assert_eq!((review.conflicts, review.override_reason.as_str()), (vec![], ""));
        }
    }
    let [stranger, colleague, both] = clear(&register).await;
    let award = awarded(&register, "2020-1", &[&colleague, member]).await;
    awarded(&register, "2020-2", &[&stranger, &colleague]).await;
    let why = failure(assign(&register, place, &colleague, "").await);
    assert_eq!(conflicts(&why), [("CONFLICT_CO_CONTRIBUTOR", award.as_str())]);
    let said = format!("虚构的成果 ({award})");
    assert!(why.message.contains(&said), "{said} is not in {why:?}");
    // An award with one who has an award with a party is none with the party.
    assign(&register, place, &stranger, "").await.unwrap();

    let unknown = employed(&register, "无履历", vec![]).await;
    let why = failure(assign(&register, place, &unknown, "").await);
    assert_eq!(conflicts(&why), [("PROFILE_MISSING", unknown.as_str())]);

    // All of them are said at once.
    let second = awarded(&register, "2020-3", &[&applicant.director, &both]).await;
    let third = awarded(&register, "2020-4", &[&both, member]).await;
    let change = UpdateTalentRequest {
        talent: Some(Talent {
            name: both.clone(),
            employments: vec![at(host, "2023", "")],
            ..Talent::default()
        }),
        ..UpdateTalentRequest::default()
    };
    register.talent().update_talent(change).await.unwrap();
    let why = failure(assign(&register, place, &both, "").await);
    let mut expected = vec![
        ("CONFLICT_SAME_ORGANIZATION", host),
        ("CONFLICT_CO_CONTRIBUTOR", second.as_str()),
        ("CONFLICT_CO_CONTRIBUTOR", third.as_str()),
    ];
    let mut found = conflicts(&why);
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);

    // Whom nobody knows.
    let nobody = "talents/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let why = failure(assign(&register, place, nobody, "").await);
    assert_eq!((why.code, why.resource.as_str()), (Code::NotFound, nobody), "{why:?}");
    let [free] = clear_one(&register).await;
    let why = failure(assign(&register, ("panels/01jd2k3m4n5p6q7r8s9t0v1w2x", place.1), &free, "").await);
    assert_eq!(why.code, Code::NotFound, "{why:?}");
    let other = draft(&register, "试用实验室乙", &round).await;
    let why = failure(assign(&register, (place.0, &other.name), &free, "").await);
    assert_eq!(why.is(), (Code::InvalidArgument, "CASE_OF_OTHER_PANEL"), "{why:?}");
}

async fn a_conflict_is_overridden_with_a_reason_that_is_kept(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let applicant = applicant(&register, &round).await;
    let panel = panel(&register, &[&applicant.case.name]).await;
    let place = (panel.name.as_str(), applicant.case.name.as_str());
    let reviewer = employed(&register, "评审", vec![at(&applicant.host, "2020", "")]).await;
    let refused = failure(assign(&register, place, &reviewer, "").await);
    assert_eq!(read_panel(&register, &panel.name).await.reviews, [""; 0]);
    let request = GetOrganizationRequest {
        name: applicant.host.clone(),
        view: 0,
    };
    let host = register.labs().get_organization(request).await.unwrap().into_inner();
    let reason = "该领域仅此一名专家，经分管领导批准";
    let review = assign(&register, place, &reviewer, reason).await.unwrap();
    let conflict = Conflict {
        kind: ConflictKind::SameOrganization as i32,
        subject: applicant.host.clone(),
        display_name: host.display_name,
    };
    let said = format!("{} ({})", conflict.display_name, conflict.subject);
    assert!(refused.message.contains(&said), "{refused:?}");
    assert_eq!(
        (review.conflicts.as_slice(), review.override_reason.as_str()),
        ([conflict.clone()].as_slice(), reason)
    );
    assert_eq!(read_review(&register, &review.name).await, review);
    assert_eq!(
        read_panel(&register, &panel.name).await.reviews,
        std::slice::from_ref(&review.name)
    );
    let entries = history(&register, &review.name).await;
    assert_eq!((done(&entries), entries[0].reason.as_str()), (vec!["assign"], reason));
    let entries = history(&register, &panel.name).await;
    assert_eq!(
        (done(&entries), entries[1].reason.as_str()),
        (vec!["create", "assign"], reason)
    );

    // Nobody is in conflict where there is none: a reason that was not needed is not kept as if it were.
    let [free] = clear(&register).await;
    let review = assign(&register, place, &free, reason).await.unwrap();
    assert_eq!((review.conflicts, review.override_reason.as_str()), (vec![], ""));
}

async fn a_reviewer_has_a_case_once(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let [one, other] = [
        draft(&register, "试用实验室甲", &round).await,
        draft(&register, "试用实验室乙", &round).await,
    ];
    in_review(&register, &one.name).await;
    in_review(&register, &other.name).await;
    let panel = panel(&register, &[&one.name, &other.name]).await;
    let [reviewer] = clear(&register).await;
    let first = assign(&register, (&panel.name, &one.name), &reviewer, "")
        .await
        .unwrap();
    assert_eq!(first.reviewer.as_ref().unwrap().display_name, "评审0");
    let why = failure(assign(&register, (&panel.name, &one.name), &reviewer, "").await);
    assert_eq!(
        (why.code, why.resource.as_str()),
        (Code::AlreadyExists, first.name.as_str()),
        "{why:?}"
    );
    // Another case is another review.
    let second = assign(&register, (&panel.name, &other.name), &reviewer, "")
        .await
        .unwrap();
    let reviews = read_panel(&register, &panel.name).await.reviews;
    assert_eq!(reviews, [first.name.clone(), second.name.clone()]);
    for (filter, count) in [
        (format!("panel = \"{}\"", panel.name), 2),
        (format!("case_name = \"{}\"", one.name), 1),
        (format!("reviewer = \"{reviewer}\""), 2),
        ("panel = \"panels/01jd2k3m4n5p6q7r8s9t0v1w2x\"".to_owned(), 0),
    ] {
        let request = ListReviewsRequest {
            filter: filter.clone(),
            ..ListReviewsRequest::default()
        };
        let found = register
            .cases()
            .list_reviews(request)
            .await
            .unwrap()
            .into_inner()
            .reviews;
        assert_eq!(found.len(), count, "{filter}");
    }
    // Asked twice with one request id it is one.
    let [another] = clear_one(&register).await;
    let request = AssignReviewerRequest {
        panel: panel.name.clone(),
        case_name: one.name.clone(),
        reviewer: another,
        request_id: "0192f3a4-5b6c-7d8e-9f01-23456789abcd".to_owned(),
        ..AssignReviewerRequest::default()
    };
    let first = register
        .cases()
        .assign_reviewer(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = register.cases().assign_reviewer(request).await.unwrap().into_inner();
    assert_eq!(first, again);
    assert_eq!(read_panel(&register, &panel.name).await.reviews.len(), 3);
}

async fn records_that_were_merged_hide_no_conflict(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let applicant = applicant(&register, &round).await;
    let panel = panel(&register, &[&applicant.case.name]).await;
    let place = (panel.name.as_str(), applicant.case.name.as_str());
    let [double, colleague, director, older, newer, free] = clear(&register).await;
    let merged = async |name: &str, survivor: &str| {
        let request = MergeTalentsRequest {
            name: name.to_owned(),
            survivor: survivor.to_owned(),
            reason: "同一人".to_owned(),
            ..MergeTalentsRequest::default()
        };
        register.talent().merge_talents(request).await.unwrap();
    };
    let refused = async |reviewer: &str| failure(assign(&register, place, reviewer, "").await);

    // Who was merged into a party is a party, and an award with them is one with the party.
    let award = awarded(&register, "2020-1", &[&double, &colleague]).await;
    merged(&double, &applicant.member).await;
    assert_eq!(
        conflicts(&refused(&double).await),
        [("CONFLICT_PARTY", applicant.member.as_str())]
    );
    assert_eq!(
        conflicts(&refused(&colleague).await),
        [("CONFLICT_CO_CONTRIBUTOR", award.as_str())]
    );
    // So is the one into whom a party was merged.
    merged(&applicant.director, &director).await;
    assert_eq!(
        conflicts(&refused(&director).await),
        [("CONFLICT_PARTY", director.as_str())]
    );
    // An award that a record has which was merged into the reviewer's.
    let award = awarded(&register, "2020-2", &[&older, &applicant.member]).await;
    merged(&older, &newer).await;
    for name in [&older, &newer] {
        assert_eq!(
            conflicts(&refused(name).await),
            [("CONFLICT_CO_CONTRIBUTOR", award.as_str())]
        );
    }
    // The same of organizations, whichever of the two stays.
    let short = made(&register, organization("海大")).await.name;
    let reviewer = employed(&register, "评审", vec![at(&short, "2020", "")]).await;
    let request = merge(&short, &applicant.host);
    register.labs().merge_organizations(request).await.unwrap();
    let host = applicant.host.as_str();
    assert_eq!(
        conflicts(&refused(&reviewer).await),
        [("CONFLICT_SAME_ORGANIZATION", host)]
    );
    let wide = made(&register, organization("海滨综合大学")).await.name;
    register.labs().merge_organizations(merge(host, &wide)).await.unwrap();
    let other = employed(&register, "评审", vec![at(&wide, "2020", "")]).await;
    for reviewer in [&reviewer, &other] {
        assert_eq!(
            conflicts(&refused(reviewer).await),
            [("CONFLICT_SAME_ORGANIZATION", wide.as_str())]
        );
    }
    // Whom nothing keeps from it reviews as the one record that is left, and once.
    let [twin] = clear_one(&register).await;
    merged(&twin, &free).await;
    let review = assign(&register, place, &twin, "").await.unwrap();
    assert_eq!(review.reviewer.unwrap().talent, free);
    let why = refused(&free).await;
    assert_eq!(
        (why.code, why.resource),
        (Code::AlreadyExists, review.name),
        "{:?}",
        why.reason
    );
}

async fn a_labs_service_alone_clears_nobody_and_says_whom_it_cannot_ask(store: Store) {
    let clock = Clock::on("2024-03-11");
    let nobody = "talents/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let clock_file = clock.path();
    let mut flags = vec!["labs", "--clock", &clock_file];
    for is_told in [false, true] {
        if is_told {
            // Nothing listens there.
            flags.extend([
                "--talent-url",
                "http://127.0.0.1:9",
                "--awards-url",
                "http://127.0.0.1:9",
            ]);
        }
        let register = Register::start_with(store, &flags).await;
        load(&register, policy("1", "2024-01-01", Terms::Lab(reviewed()))).await;
        let round = open(&register, district("2024-03-10", "2024-12-20")).await;
        let case = draft(&register, "试用实验室甲", &round).await.name;
        in_review(&register, &case).await;
        let panel = panel(&register, &[&case]).await;
        let answer = assign(&register, (&panel.name, &case), nobody, "").await;
        let why = failure(answer);
        if is_told {
            assert_eq!(why.code, Code::Unavailable, "{why:?}");
            assert!(why.message.contains("talent"), "{why:?}");
            // A reason makes up for a conflict, not for an answer that is missing.
            let why = failure(assign(&register, (&panel.name, &case), nobody, "急需").await);
            assert_eq!(why.code, Code::Unavailable, "{why:?}");
        } else {
            // What is not set here says nothing of a person, and a reason does not make up for it.
            let with_reason = failure(assign(&register, (&panel.name, &case), nobody, "急需").await);
            for why in [why, with_reason] {
                assert_eq!(why.is(), (Code::FailedPrecondition, "PEER_NOT_CONFIGURED"), "{why:?}");
                assert!(why.message.contains("--talent-url"), "{why:?}");
            }
        }
    }
}
