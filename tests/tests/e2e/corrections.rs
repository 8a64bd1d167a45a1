//! Corrections: updates and imports do not touch what was decided. Corrections do, with a reason, a document and the
//! guards of the decision.

use mingce_e2e::cases::{Clock, Terms, cap, load, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    CorrectLabDesignationRequest, ImportLabDesignationsRequest, LabDesignation, LabDesignationState,
    ListRevisionsRequest, RecordLabDesignationRequest, UpdateLabDesignationRequest, UpdateLabRequest,
    UpdateOrganizationRequest,
};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{ImportSettings, LabDesignationTerms, Level, Round, UpdateRoundRequest};
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::builders::{made, organization};
use crate::lab_fixture::{approved, draft, easy, get, in_review, opened, published};

on_both_stores!(
    an_update_after_the_decision_is_refused_and_a_correction_done,
    a_correction_is_held_to_what_the_decision_was,
    a_recorded_decision_is_filled_in_and_then_stays,
    a_row_of_an_import_leaves_a_decision_as_it_is,
    every_update_takes_a_reason,
);

pub fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask {
        paths: paths.iter().map(|&path| path.to_owned()).collect(),
    })
}

/// A register with a lab that was approved on 2024-03-08, after a notice up to 2024-03-06.
async fn decided(store: Store, terms: LabDesignationTerms) -> (Clock, Register, Round, LabDesignation) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    load(&register, policy("2024.1", "2024-01-01", Terms::Lab(terms))).await;
    let round = opened(&register, "2024-03-01", "2024-03-31", &[cap("", 5)]).await;
    let name = draft(&register, "试用实验室", &round).await.name;
    crate::lab_fixture::submitted(&register, &name).await.unwrap();
    let answer = register
        .lab_cases()
        .accept_lab_designation(crate::lab_fixture::accept(&name))
        .await;
    answer.unwrap();
    published(&register, &name).await.unwrap();
    clock.set("2024-03-08");
    let approved = approved(&register, &name).await.unwrap();
    (clock, register, round, approved)
}

fn right(of: &LabDesignation, paths: &[&str], right: LabDesignation) -> CorrectLabDesignationRequest {
    CorrectLabDesignationRequest {
        name: of.name.clone(),
        reason: "文件误录".to_owned(),
        document_number: "试更〔2024〕1号".to_owned(),
        lab_designation: Some(right),
        update_mask: mask(paths),
        ..CorrectLabDesignationRequest::default()
    }
}

async fn corrected(register: &Register, request: CorrectLabDesignationRequest) -> Result<LabDesignation, Status> {
    let answer = register.lab_cases().correct_lab_designation(request).await;
    answer.map(tonic::Response::into_inner)
}

fn update(of: &LabDesignation, paths: &[&str], new: LabDesignation) -> UpdateLabDesignationRequest {
    UpdateLabDesignationRequest {
        lab_designation: Some(LabDesignation {
            name: of.name.clone(),
            ..new
        }),
        update_mask: mask(paths),
        ..UpdateLabDesignationRequest::default()
    }
}

/// What another decision would have said.
fn other() -> LabDesignation {
    LabDesignation {
        level: Level::National as i32,
        programme: "国家重点实验室".to_owned(),
        number: "国-1".to_owned(),
        round: "2020年第一批".to_owned(),
        document_number: "国科发〔2020〕1号".to_owned(),
        issuer: "科技部".to_owned(),
        decision_date: "2020-01-01".to_owned(),
        start_date: "2020-01-01".to_owned(),
        end_date: "2030-01-01".to_owned(),
        platform: 2,
        ..LabDesignation::default()
    }
}

const DECIDED: [&str; 10] = [
    "level",
    "programme",
    "platform",
    "number",
    "round",
    "document_number",
    "issuer",
    "decision_date",
    "start_date",
    "end_date",
];

async fn an_update_after_the_decision_is_refused_and_a_correction_done(store: Store) {
    let (_clock, register, _, case) = decided(store, easy()).await;
    for field in DECIDED {
        let mut request = update(&case, &[field], other());
        request.validate_only = field == "level";
        let refused = failure(register.labs().update_lab_designation(request).await);
        assert_eq!(refused.is(), (Code::FailedPrecondition, "FIELD_DECIDED"), "{refused:?}");
        assert_eq!(refused.fields, [format!("lab_designation.{field}")]);
        assert!(refused.descriptions[0].starts_with("was decided: "), "{refused:?}");
        assert!(refused.message.contains("CorrectLabDesignation"), "{refused:?}");
        assert_eq!(refused.resource, case.name);
    }
    let all = failure(
        register
            .labs()
            .update_lab_designation(update(
                &case,
                &["*"],
                LabDesignation {
                    state: case.state,
                    lab: case.lab.clone(),
                    ..other()
                },
            ))
            .await,
    );
    assert_eq!(
        (all.is(), all.fields.len()),
        ((Code::FailedPrecondition, "FIELD_DECIDED"), DECIDED.len())
    );
    // What says the same is no change.
    let same = get(&register, &case.name).await;
    let mut whole = update(&case, &["*"], same.clone());
    whole.lab_designation.as_mut().unwrap().verbs.clear();
    register.labs().update_lab_designation(whole).await.unwrap();
    assert_eq!(get(&register, &case.name).await, same);

    let what = LabDesignation {
        document_number: "试科规〔2024〕7号".to_owned(),
        number: "试-7".to_owned(),
        ..other()
    };
    let mut request = right(&case, &["document_number", "number"], what);
    request.validate_only = true;
    let tried = corrected(&register, request.clone()).await.unwrap();
    assert_eq!(tried.document_number, "试科规〔2024〕7号");
    assert_eq!(get(&register, &case.name).await, same, "nothing was written");
    request.validate_only = false;
    request.request_id = "6fa459ea-ee8a-4ca4-894e-db77e160355e".to_owned();
    request.etag = case.etag.clone();
    let done = corrected(&register, request.clone()).await.unwrap();
    assert_eq!(
        corrected(&register, request).await.unwrap(),
        done,
        "a repeated call answers the same"
    );
    assert_eq!(
        (
            done.number.as_str(),
            done.document_number.as_str(),
            done.level,
            done.state()
        ),
        ("试-7", "试科规〔2024〕7号", case.level, case.state())
    );
    assert_eq!(
        (done.revision, &done.case),
        (case.revision + 1, &case.case),
        "it is no step further"
    );
    let request = ListRevisionsRequest {
        name: case.name.clone(),
        page_size: 1,
        ..ListRevisionsRequest::default()
    };
    let newest = register
        .labs()
        .list_revisions(request)
        .await
        .unwrap()
        .into_inner()
        .revisions
        .remove(0);
    assert_eq!((newest.verb.as_str(), newest.reason.as_str()), ("correct", "文件误录"));
    let mut fields = newest.changed_fields.clone();
    fields.sort();
    assert_eq!(fields, ["document_number", "documents", "number"]);
    let stale = failure(
        corrected(
            &register,
            CorrectLabDesignationRequest {
                etag: case.etag.clone(),
                ..right(&case, &["issuer"], other())
            },
        )
        .await,
    );
    assert_eq!(stale.is(), (Code::Aborted, "ETAG_MISMATCH"));
}

async fn a_correction_is_held_to_what_the_decision_was(store: Store) {
    let terms = LabDesignationTerms {
        building_months: 24,
        ..easy()
    };
    let (clock, register, round, case) = decided(store, terms).await;
    assert_eq!(
        (case.start_date.as_str(), case.building_end_date.as_str()),
        ("2024-03-08", "2026-03-07")
    );
    let day = |day: &str| LabDesignation {
        decision_date: day.to_owned(),
        ..LabDesignation::default()
    };
    let notice_end = case.case.clone().unwrap().notice_end_date;
    for (wrong, reason) in [
        (notice_end.as_str(), "DECISION_BEFORE_NOTICE_ENDED"),
        ("2020-01-01", "DECISION_BEFORE_NOTICE_ENDED"),
        ("2024-03-09", "DATE_IN_FUTURE"),
        ("2024-03", "DATE_INCOMPLETE"),
        ("2024-02-30", "DATE_DOES_NOT_EXIST"),
        ("", "REQUIRED"),
    ] {
        let refused = failure(corrected(&register, right(&case, &["decision_date"], day(wrong))).await);
        assert_eq!(refused.is(), (Code::InvalidArgument, reason), "{wrong}: {refused:?}");
        assert_eq!(refused.fields, ["lab_designation.decision_date"], "{wrong}");
    }
    let refused = failure(corrected(&register, right(&case, &["level"], other())).await);
    assert_eq!(refused.reasons(), ["ROUND_OF_OTHER_KIND"], "{refused:?}");
    assert!(!refused.message.contains("round: "), "{refused:?}");
    assert_eq!(refused.blockers[0].1, round.name);
    for (paths, reason) in [
        (&["state"][..], "MASK_FIELD_UNKNOWN"),
        (&["case"], "MASK_FIELD_UNKNOWN"),
        (&["building_end_date"], "MASK_FIELD_UNKNOWN"),
        (&["*"], "MASK_FIELD_UNKNOWN"),
        (&[], "REQUIRED"),
    ] {
        let refused = failure(corrected(&register, right(&case, paths, other())).await);
        assert_eq!(refused.is(), (Code::InvalidArgument, reason), "{paths:?}: {refused:?}");
    }
    let same = right(&case, &["decision_date"], day("2024-03-08"));
    let refused = failure(corrected(&register, same).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "NOTHING_CORRECTED"));
    for (reason, document_number, field) in [("", "试〔2024〕1号", "reason"), ("误录", "", "document_number")] {
        let request = CorrectLabDesignationRequest {
            reason: reason.to_owned(),
            document_number: document_number.to_owned(),
            ..right(&case, &["decision_date"], day("2024-03-07"))
        };
        let refused = failure(corrected(&register, request).await);
        assert_eq!(
            (refused.code, refused.fields),
            (Code::InvalidArgument, vec![field.to_owned()])
        );
    }
    // The building term began with the decision.
    clock.set("2024-06-01");
    let done = corrected(&register, right(&case, &["decision_date"], day("2024-04-01")))
        .await
        .unwrap();
    assert_eq!(
        (
            done.decision_date.as_str(),
            done.start_date.as_str(),
            done.building_end_date.as_str()
        ),
        ("2024-04-01", "2024-04-01", "2026-03-31")
    );
    assert_eq!(done.case.as_ref().unwrap().due_date, "2026-03-31");
    // What still waits for its decision has none to correct.
    let waits = in_review(
        &register,
        &draft(
            &register,
            "另一实验室",
            &opened(&register, "2024-06-01", "2024-06-30", &[]).await,
        )
        .await
        .name,
    )
    .await;
    let refused = failure(corrected(&register, right(&waits, &["issuer"], other())).await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "STATE_WRONG"), "{refused:?}");
}

async fn a_recorded_decision_is_filled_in_and_then_stays(store: Store) {
    let clock = Clock::on("2024-06-03");
    let register = Register::start_at(store, &clock).await;
    let host = made(&register, organization("试用大学")).await;
    let named = mingce_proto::labs::Lab {
        display_name: "旧实验室".to_owned(),
        ..Default::default()
    };
    let lab = crate::lab_fixture::lab(&register, &host.name, named).await;
    let request = RecordLabDesignationRequest {
        parent: lab.name.clone(),
        lab_designation: Some(LabDesignation {
            level: Level::District as i32,
            programme: "区级重点实验室".to_owned(),
            state: LabDesignationState::Operating as i32,
            decision_date: "2019".to_owned(),
            ..LabDesignation::default()
        }),
        ..RecordLabDesignationRequest::default()
    };
    let old = register
        .labs()
        .record_lab_designation(request)
        .await
        .unwrap()
        .into_inner();
    let of = |decision_date: &str, document_number: &str| LabDesignation {
        decision_date: decision_date.to_owned(),
        document_number: document_number.to_owned(),
        ..LabDesignation::default()
    };
    let paths = ["decision_date", "document_number"];
    let filled = update(&old, &paths, of("2019-05", "试科〔2019〕5号"));
    let filled = register
        .labs()
        .update_lab_designation(filled)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(filled.document_number, "试科〔2019〕5号");
    for wrong in [
        of("2019-06", "试科〔2019〕5号"),
        of("2019", "试科〔2019〕5号"),
        of("2019-05", ""),
        of("2019-05", "试科〔2019〕6号"),
    ] {
        let refused = failure(
            register
                .labs()
                .update_lab_designation(update(&old, &paths, wrong))
                .await,
        );
        assert_eq!(refused.is(), (Code::FailedPrecondition, "FIELD_DECIDED"), "{refused:?}");
    }
    let future = failure(corrected(&register, right(&old, &["decision_date"], of("2025", ""))).await);
    assert_eq!(future.is(), (Code::InvalidArgument, "DATE_IN_FUTURE"));
    let done = corrected(
        &register,
        right(
            &old,
            &["decision_date", "level"],
            LabDesignation {
                level: Level::Municipal as i32,
                ..of("2018-12", "")
            },
        ),
    )
    .await
    .unwrap();
    assert_eq!(
        (done.decision_date.as_str(), done.year, done.level()),
        ("2018-12", 2018, Level::Municipal)
    );
    assert_eq!(done.case, None, "it comes under no policy");
    // How it ended is said with its last day.
    let ended = LabDesignation {
        state: LabDesignationState::Revoked as i32,
        end_date: "2023".to_owned(),
        ..LabDesignation::default()
    };
    let ended = register
        .labs()
        .update_lab_designation(update(&old, &["state", "end_date"], ended))
        .await
        .unwrap();
    assert_eq!(ended.into_inner().end_date, "2023");
}

async fn a_row_of_an_import_leaves_a_decision_as_it_is(store: Store) {
    let (_clock, register, _, case) = decided(store, easy()).await;
    let import = async |row: LabDesignation, validate_only: bool| {
        let row = ImportLabDesignationsRequest {
            settings: Some(ImportSettings {
                validate_only,
                ..ImportSettings::default()
            }),
            row: 1,
            lab_designation: Some(row),
        };
        let answer = register
            .labs()
            .import_lab_designations(tokio_stream::iter([row]))
            .await
            .unwrap();
        answer.into_inner().outcomes.remove(0)
    };
    let row = LabDesignation {
        verbs: Vec::new(),
        ..get(&register, &case.name).await
    };
    assert_eq!(import(row.clone(), false).await.outcome(), Outcome::Unchanged);
    for validate_only in [true, false] {
        let refused = import(
            LabDesignation {
                issuer: "另一个局".to_owned(),
                decision_date: "2024-03-07".to_owned(),
                ..row.clone()
            },
            validate_only,
        )
        .await;
        assert_eq!(refused.outcome(), Outcome::Refused, "{refused:?}");
        let problems: Vec<_> = refused
            .problems
            .iter()
            .map(|p| (p.field.as_str(), p.reason.as_str()))
            .collect();
        assert_eq!(
            problems,
            [("issuer", "FIELD_DECIDED"), ("decision_date", "FIELD_DECIDED")]
        );
        assert!(
            refused.problems[0].description.contains("CorrectLabDesignation"),
            "{refused:?}"
        );
    }
}

async fn every_update_takes_a_reason(store: Store) {
    let (_clock, register, round, case) = decided(store, easy()).await;
    let host = made(&register, organization("试改名大学")).await;
    let request = UpdateOrganizationRequest {
        organization: Some(mingce_proto::labs::Organization {
            name: host.name.clone(),
            city: "青岛".to_owned(),
            ..Default::default()
        }),
        reason: "地址核实".to_owned(),
        ..UpdateOrganizationRequest::default()
    };
    register.labs().update_organization(request).await.unwrap();
    let lab = case.lab.clone().unwrap().lab;
    let request = UpdateLabRequest {
        lab: Some(mingce_proto::labs::Lab {
            name: lab.clone(),
            field: "海洋".to_owned(),
            ..Default::default()
        }),
        reason: "领域调整".to_owned(),
        ..UpdateLabRequest::default()
    };
    register.labs().update_lab(request).await.unwrap();
    let newest = async |name: &str| {
        let request = ListRevisionsRequest {
            name: name.to_owned(),
            page_size: 1,
            ..ListRevisionsRequest::default()
        };
        let entry = register
            .labs()
            .list_revisions(request)
            .await
            .unwrap()
            .into_inner()
            .revisions
            .remove(0);
        (entry.verb, entry.reason)
    };
    assert_eq!(newest(&host.name).await, ("update".to_owned(), "地址核实".to_owned()));
    assert_eq!(newest(&lab).await, ("update".to_owned(), "领域调整".to_owned()));
    let request = UpdateRoundRequest {
        round: Some(Round {
            name: round.name.clone(),
            end_date: "2024-05-31".to_owned(),
            ..Round::default()
        }),
        reason: "延长申报".to_owned(),
        ..UpdateRoundRequest::default()
    };
    register.cases().update_round(request).await.unwrap();
    let history = crate::lab_fixture::history(&register, &round.name).await;
    let last = history.last().unwrap();
    assert_eq!((last.verb.as_str(), last.reason.as_str()), ("update", "延长申报"));
}
