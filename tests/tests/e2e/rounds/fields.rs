//! What a round may say when it is opened, and what of it may be changed.

use mingce_e2e::cases::{Clock, cap, load, open};
use mingce_e2e::{Store, failure, on_both_stores};
use mingce_proto::registry::{CreateRoundRequest, DueKind, Level, Policy, Round, RoundCap, RoundState};
use tonic::Code;

use super::{closed, labs_policy, read, updated, with_easy_terms};
use crate::lab_fixture::{approved, begin, district, draft, easy, in_review, opened, published};

on_both_stores!(
    what_is_wrong_with_a_round_is_said_with_its_field,
    an_update_of_a_round_keeps_to_its_rules,
);

async fn what_is_wrong_with_a_round_is_said_with_its_field(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let good = district("2024-03-10", "2024-12-20");
    for (round, reason, field) in [
        (
            Round {
                end_date: "2024-03-09".to_owned(),
                ..good.clone()
            },
            "PERIOD_REVERSED",
            "round.end_date",
        ),
        (
            Round {
                start_date: "2024-02-30".to_owned(),
                ..good.clone()
            },
            "DATE_DOES_NOT_EXIST",
            "round.start_date",
        ),
        (
            Round {
                caps: vec![cap("", 1), cap("一等奖", 1), cap("", 2)],
                ..good.clone()
            },
            "CAP_TWICE",
            "round.caps[2].grade",
        ),
    ] {
        let request = CreateRoundRequest {
            round: Some(round),
            ..CreateRoundRequest::default()
        };
        let why = failure(register.cases().create_round(request).await);
        assert_eq!(why.is(), (Code::InvalidArgument, reason), "{why:?}");
        assert_eq!(why.fields, [field], "{why:?}");
    }
    let nowhere = Round {
        policy: "policies/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
        ..good.clone()
    };
    let request = CreateRoundRequest {
        round: Some(nowhere),
        ..CreateRoundRequest::default()
    };
    let why = failure(register.cases().create_round(request).await);
    assert_eq!(
        (why.code, why.resource.as_str()),
        (Code::NotFound, "policies/01jd2k3m4n5p6q7r8s9t0v1w2x")
    );
    // What is output only is not taken over.
    let pretending = Round {
        state: RoundState::Closed as i32,
        caps: vec![RoundCap { used: 3, ..cap("", 4) }],
        due_date: "2030-01-01".to_owned(),
        ..good.clone()
    };
    let opened = open(&register, pretending).await;
    assert_eq!(
        (opened.state(), opened.caps[0].used, opened.due_date.as_str()),
        (RoundState::Open, 0, "2024-12-21")
    );
    // A case for another level or programme is none of it.
    let municipal = Round {
        level: Level::Municipal as i32,
        ..good.clone()
    };
    let municipal = open(&register, municipal).await;
    let elsewhere = Round {
        programme: "另一个计划".to_owned(),
        ..good
    };
    let elsewhere = open(&register, elsewhere).await;
    let lab = mingce_proto::labs::Lab {
        name: draft(&register, "试用实验室", &opened)
            .await
            .name
            .split("/designations/")
            .next()
            .unwrap()
            .to_owned(),
        ..Default::default()
    };
    for round in [&municipal, &elsewhere] {
        let mut request = begin(&lab, round);
        request.lab_designation.as_mut().unwrap().level = Level::District as i32;
        let why = failure(register.lab_cases().create_lab_designation(request).await);
        assert_eq!(why.is(), (Code::InvalidArgument, "ROUND_OF_OTHER_KIND"), "{why:?}");
    }
    // One application of a lab in a round.
    let why = failure(register.lab_cases().create_lab_designation(begin(&lab, &opened)).await);
    assert_eq!(why.code, Code::AlreadyExists, "{why:?}");
}

async fn an_update_of_a_round_keeps_to_its_rules(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let round = opened(&register, "2024-03-10", "2024-12-20", &[cap("", 3)]).await;
    let newer = Policy {
        version: "2".to_owned(),
        ..labs_policy(easy())
    };
    let other = load(&register, newer).await;
    for name in ["试用实验室甲", "试用实验室乙"] {
        let case = draft(&register, name, &round).await;
        in_review(&register, &case.name).await;
        published(&register, &case.name).await.unwrap();
        clock.advance(7);
        approved(&register, &case.name).await.unwrap();
    }
    let now = read(&register, &round.name).await;
    assert_eq!(now.caps[0].used, 2);

    // What a round is for stays.
    for (changed, path) in [
        (
            Round {
                level: Level::Municipal as i32,
                ..now.clone()
            },
            "level",
        ),
        (
            Round {
                programme: "另一个计划".to_owned(),
                ..now.clone()
            },
            "programme",
        ),
        (
            Round {
                year: 2025,
                ..now.clone()
            },
            "year",
        ),
        (
            Round {
                policy: other.name.clone(),
                ..now.clone()
            },
            "policy",
        ),
        (
            Round {
                kind: mingce_proto::registry::CaseKind::Award as i32,
                ..now.clone()
            },
            "kind",
        ),
    ] {
        for paths in [&[path][..], &["*"][..]] {
            let answer = updated(&register, changed.clone(), paths).await;
            assert!(answer.is_err(), "{path} by {paths:?}: {answer:?}");
            let why = failure(answer);
            assert_eq!(why.is(), (Code::InvalidArgument, "ROUND_FIXED"), "{path}: {why:?}");
        }
    }
    // A cap is not lowered below what is taken, left out or not.
    for caps in [vec![cap("", 1)], vec![], vec![cap("一等奖", 4)]] {
        let changed = Round { caps, ..now.clone() };
        let why = failure(updated(&register, changed, &["caps"]).await);
        assert_eq!(why.is(), (Code::InvalidArgument, "CAP_BELOW_USED"), "{why:?}");
        assert!(why.fields[0].starts_with("round.caps["), "{why:?}");
    }
    assert_eq!(read(&register, &round.name).await, now);
    // What is taken is not written by a caller.
    let changed = Round {
        caps: vec![RoundCap { used: 0, ..cap("", 2) }, cap("二等奖", 1)],
        ..now.clone()
    };
    let after = updated(&register, changed, &["caps"]).await.unwrap();
    assert_eq!(after.caps, [RoundCap { used: 2, ..cap("", 2) }, cap("二等奖", 1)]);
    let third = draft(&register, "试用实验室丙", &round).await;
    in_review(&register, &third.name).await;
    published(&register, &third.name).await.unwrap();
    clock.advance(7);
    let why = failure(approved(&register, &third.name).await);
    assert_eq!(why.reasons(), ["CAP_REACHED"], "{why:?}");
    // A larger one lets the next through; the name and the window change too.
    let changed = Round {
        display_name: "2024年第一批（延期）".to_owned(),
        end_date: "2025-01-31".to_owned(),
        caps: vec![cap("", 3)],
        ..after.clone()
    };
    let stale = Round {
        etag: now.etag.clone(),
        ..changed.clone()
    };
    let why = failure(updated(&register, stale, &["end_date"]).await);
    assert_eq!(why.is(), (Code::Aborted, "ETAG_MISMATCH"), "{why:?}");
    let paths = ["display_name", "end_date", "caps"];
    let after = updated(&register, changed, &paths).await.unwrap();
    assert_eq!(
        (after.due_date.as_str(), after.due()),
        ("2025-02-01", DueKind::RoundEnds)
    );
    approved(&register, &third.name).await.unwrap();

    closed(&register, &round.name).await.unwrap();
    let after = read(&register, &round.name).await;
    let reopened = Round {
        end_date: "2025-02-28".to_owned(),
        ..after.clone()
    };
    let why = failure(updated(&register, reopened, &["end_date"]).await);
    assert_eq!(why.is(), (Code::FailedPrecondition, "ROUND_CLOSED"), "{why:?}");
    assert_eq!(read(&register, &round.name).await, after);
}
