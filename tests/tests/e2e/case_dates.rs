//! All dates of a case, met or not, and why it was returned or decided so.

use mingce_e2e::cases::{Clock, Terms, load, notice_of, open, policy};
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{
    AcceptCompletionOfLabDesignationRequest, LabDesignation, LabDesignationState, RejectLabDesignationRequest,
    ReturnLabDesignationRequest, SubmitAnnualReportOfLabDesignationRequest,
};
use mingce_proto::registry::{
    CaseDate, CaseReason, DueActor, DueKind, LabDesignationTerms, ListDueWorkRequest, NoticeTerms, Policy,
};
use mingce_proto::talent::SuspendNominatingBodyRequest;

use crate::body_fixture::{applied, authorise, body, grant, notice_of_body, programme};
use crate::lab_fixture::{approved, district, draft, easy, get, in_review, published, submitted};

on_both_stores!(
    a_lab_has_all_its_dates_from_the_draft_to_the_evaluation,
    owed_reports_are_told_year_by_year_and_fall_due,
    why_a_case_was_returned_is_said_as_long_as_it_is,
    why_an_earlier_version_returned_a_case_is_found_in_the_ledger,
    a_body_has_the_days_of_its_quotas_and_of_its_authorisation,
);

fn of_labs(terms: LabDesignationTerms) -> Policy {
    policy("1", "2024-01-01", Terms::Lab(terms))
}

/// The dates of a case: what, when, whether met and on which day.
fn said(dates: &[CaseDate]) -> Vec<(DueKind, &str, bool, &str)> {
    let each = dates
        .iter()
        .map(|one| (one.due(), one.date.as_str(), one.met, one.met_date.as_str()));
    each.collect()
}

async fn dates(register: &Register, name: &str) -> Vec<CaseDate> {
    get(register, name).await.case.unwrap().dates
}

async fn a_lab_has_all_its_dates_from_the_draft_to_the_evaluation(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = Register::start_at(store, &clock).await;
    let terms = LabDesignationTerms {
        notice: Some(NoticeTerms {
            working_days: 1,
            objection_days: 10,
        }),
        building_months: 12,
        evaluation_months: 24,
        ..easy()
    };
    load(&register, of_labs(terms)).await;
    let round = open(&register, district("2024-03-10", "2024-12-20")).await;
    let name = draft(&register, "试日期室", &round).await.name;
    let drafted = dates(&register, &name).await;
    assert_eq!(said(&drafted), [(DueKind::Submission, "2024-12-20", false, "")]);
    assert_eq!((drafted[0].actor(), drafted[0].overdue), (DueActor::Applicant, false));
    submitted(&register, &name).await.unwrap();
    let checked = [
        (DueKind::Submission, "", true, "2024-03-11"),
        (DueKind::FormalCheck, "", false, ""),
    ];
    assert_eq!(said(&dates(&register, &name).await), checked);
    let back = ReturnLabDesignationRequest {
        name: name.clone(),
        reason: "缺少附件".to_owned(),
        due_date: "2024-03-20".to_owned(),
        ..ReturnLabDesignationRequest::default()
    };
    register.lab_cases().return_lab_designation(back).await.unwrap();
    clock.set("2024-03-21");
    let returned = dates(&register, &name).await;
    assert_eq!(
        said(&returned),
        [
            (DueKind::Submission, "", true, "2024-03-11"),
            (DueKind::Resubmission, "2024-03-20", false, "")
        ]
    );
    assert!(returned[1].overdue && !returned[0].overdue);
    clock.set("2024-03-20");
    in_review(&register, &name).await;
    published(&register, &name).await.unwrap();
    let noticed = [
        (DueKind::Submission, "", true, "2024-03-11"),
        (DueKind::ObjectionsEnd, "2024-04-01", false, ""),
        (DueKind::NoticeEnds, "2024-04-02", false, ""),
    ];
    assert_eq!(said(&dates(&register, &name).await), noticed);
    clock.set("2024-04-02");
    approved(&register, &name).await.unwrap();
    let building = [
        (DueKind::Submission, "", true, "2024-03-11"),
        (DueKind::ObjectionsEnd, "2024-04-01", true, ""),
        (DueKind::NoticeEnds, "2024-04-02", true, ""),
        (DueKind::BuildingEnds, "2025-04-01", false, ""),
    ];
    assert_eq!(said(&dates(&register, &name).await), building);
    clock.set("2025-04-02");
    let done = AcceptCompletionOfLabDesignationRequest {
        name: name.clone(),
        ..AcceptCompletionOfLabDesignationRequest::default()
    };
    register
        .lab_cases()
        .accept_completion_of_lab_designation(done)
        .await
        .unwrap();
    let operating = dates(&register, &name).await;
    assert_eq!(
        said(&operating[3..]),
        [
            (DueKind::BuildingEnds, "2025-04-01", true, "2025-04-02"),
            (DueKind::Evaluation, "2027-04-02", false, ""),
            // Nothing says until when the report on 2024 is owed.
            (DueKind::AnnualReport, "", false, ""),
        ]
    );
    assert_eq!(operating[5].year, 2024);
}

async fn report(register: &Register, name: &str, year: i32) {
    let request = SubmitAnnualReportOfLabDesignationRequest {
        name: name.to_owned(),
        year,
        summary: "一年".to_owned(),
        ..SubmitAnnualReportOfLabDesignationRequest::default()
    };
    register
        .lab_cases()
        .submit_annual_report_of_lab_designation(request)
        .await
        .unwrap();
}

async fn reports(register: &Register, name: &str) -> Vec<(i32, String, bool, bool)> {
    let all = dates(register, name).await.into_iter();
    let mut reports: Vec<_> = all
        .filter(|one| one.due() == DueKind::AnnualReport)
        .map(|one| (one.year, one.date.clone(), one.met, one.overdue))
        .collect();
    reports.sort();
    reports
}

async fn owed_reports_are_told_year_by_year_and_fall_due(store: Store) {
    let clock = Clock::on("2022-03-11");
    let register = Register::start_at(store, &clock).await;
    let terms = LabDesignationTerms {
        annual_report_months: 3,
        ..easy()
    };
    load(
        &register,
        Policy {
            start_date: "2022-01-01".to_owned(),
            ..of_labs(terms)
        },
    )
    .await;
    let round = open(&register, district("2022-03-10", "2022-12-20")).await;
    let name = draft(&register, "试年报室", &round).await.name;
    in_review(&register, &name).await;
    published(&register, &name).await.unwrap();
    clock.set("2022-03-16");
    let made: LabDesignation = approved(&register, &name).await.unwrap();
    assert_eq!(made.state(), LabDesignationState::Operating);
    let facts = made.case.unwrap();
    assert_eq!(
        (facts.due_date.as_str(), facts.due()),
        ("2023-03-31", DueKind::AnnualReport)
    );
    clock.set("2024-05-06");
    let owed = |year: i32, met: bool| (year, format!("{}-03-31", year + 1), met, !met);
    assert_eq!(reports(&register, &name).await, [owed(2022, false), owed(2023, false)]);
    let request = ListDueWorkRequest {
        due: DueKind::AnnualReport as i32,
        actor: DueActor::Applicant as i32,
        ..ListDueWorkRequest::default()
    };
    let work = register
        .cases()
        .list_due_work(request.clone())
        .await
        .unwrap()
        .into_inner()
        .due_work;
    assert_eq!((work.len(), work[0].date.as_str()), (1, "2023-03-31"));
    assert_eq!(work[0].verbs, ["submit_annual_report"]);
    // One comes in: the next one is due.
    report(&register, &name, 2022).await;
    assert_eq!(reports(&register, &name).await, [owed(2022, true), owed(2023, false)]);
    let work = register
        .cases()
        .list_due_work(request.clone())
        .await
        .unwrap()
        .into_inner()
        .due_work;
    assert_eq!(work[0].date, "2024-03-31");
    report(&register, &name, 2023).await;
    assert_eq!(reports(&register, &name).await, [owed(2022, true), owed(2023, true)]);
    let work = register
        .cases()
        .list_due_work(request)
        .await
        .unwrap()
        .into_inner()
        .due_work;
    assert_eq!(work, []);
}

async fn why_a_case_was_returned_is_said_as_long_as_it_is(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = Register::start_at(store, &clock).await;
    load(&register, of_labs(easy())).await;
    let round = open(&register, district("2024-03-10", "2024-12-20")).await;
    let name = draft(&register, "试退回室", &round).await.name;
    submitted(&register, &name).await.unwrap();
    let back = |reason: &str, due_date: &str| ReturnLabDesignationRequest {
        name: name.clone(),
        reason: reason.to_owned(),
        due_date: due_date.to_owned(),
        ..ReturnLabDesignationRequest::default()
    };
    let said = |reason: &str, until: &str| CaseReason {
        verb: "return".to_owned(),
        reason: reason.to_owned(),
        actor: "anonymous".to_owned(),
        date: "2024-03-11".to_owned(),
        until_date: until.to_owned(),
    };
    let mut client = register.lab_cases();
    client
        .return_lab_designation(back("缺少仪器清单", "2024-03-20"))
        .await
        .unwrap();
    let facts = get(&register, &name).await.case.unwrap();
    assert_eq!(facts.return_reason, Some(said("缺少仪器清单", "2024-03-20")));
    assert_eq!(facts.decision_reason, None);
    // Returned once more: the newer reason.
    client.return_lab_designation(back("仍缺盖章页", "")).await.unwrap();
    assert_eq!(
        get(&register, &name).await.case.unwrap().return_reason,
        Some(said("仍缺盖章页", ""))
    );
    submitted(&register, &name).await.unwrap();
    assert_eq!(get(&register, &name).await.case.unwrap().return_reason, None);
    // And why it was decided against it.
    let accepted = crate::lab_fixture::accept(&name);
    client.accept_lab_designation(accepted).await.unwrap();
    clock.set("2024-03-12");
    let reject = RejectLabDesignationRequest {
        name: name.clone(),
        reason: "未达到评审要求".to_owned(),
        ..RejectLabDesignationRequest::default()
    };
    client.reject_lab_designation(reject).await.unwrap();
    let facts = get(&register, &name).await.case.unwrap();
    let why = facts.decision_reason.unwrap();
    assert_eq!(
        (why.verb.as_str(), why.reason.as_str(), why.date.as_str()),
        ("reject", "未达到评审要求", "2024-03-12")
    );
    assert_eq!(facts.return_reason, None);
}

async fn why_an_earlier_version_returned_a_case_is_found_in_the_ledger(store: Store) {
    let clock = Clock::on("2024-03-11");
    let mut register = Register::start_at(store, &clock).await;
    load(&register, of_labs(easy())).await;
    let round = open(&register, district("2024-03-10", "2024-12-20")).await;
    let name = draft(&register, "试旧退室", &round).await.name;
    // A body as an earlier version wrote it: that of before the return, in the state that followed.
    submitted(&register, &name).await.unwrap();
    let back = ReturnLabDesignationRequest {
        name: name.clone(),
        reason: "缺少附件".to_owned(),
        ..ReturnLabDesignationRequest::default()
    };
    let returned = register
        .lab_cases()
        .return_lab_designation(back)
        .await
        .unwrap()
        .into_inner();
    let expected = returned.case.clone().unwrap().return_reason;
    assert!(expected.is_some());
    let mut old = returned;
    old.verbs.clear();
    old.case.as_mut().unwrap().return_reason = None;
    let hex: String = prost::Message::encode_to_vec(&old)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let body = if store == Store::Sqlite {
        format!("X'{hex}'")
    } else {
        format!("'\\x{hex}'::bytea")
    };
    register.stop();
    let id = name.rsplit('/').next().unwrap();
    register
        .execute(&format!("UPDATE lab_designations SET body = {body} WHERE id = '{id}'"))
        .await;
    register.restart();
    assert_eq!(get(&register, &name).await.case.unwrap().return_reason, expected);
}

async fn a_body_has_the_days_of_its_quotas_and_of_its_authorisation(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = Register::start_at(store, &clock).await;
    let terms = mingce_proto::registry::NominatingBodyTerms {
        notice: notice_of(1),
        authorisation_months: 12,
        ..mingce_proto::registry::NominatingBodyTerms::default()
    };
    load(&register, policy("1", "2024-01-01", Terms::Body(terms))).await;
    let under = programme(&register, "r", "").await;
    let name = applied(&register, "试荐才单位", &under).await.name;
    notice_of_body(&register, &name).await;
    clock.set("2024-03-13");
    authorise(&register, &name, "").await.unwrap();
    for year in [2024, 2025] {
        grant(&register, &name, (year, 3)).await.unwrap();
    }
    let stands = body(&register, &name).await;
    let all = said(&stands.case.as_ref().unwrap().dates)
        .into_iter()
        .filter(|(kind, ..)| [DueKind::QuotaEnds, DueKind::AuthorisationEnds].contains(kind))
        .collect::<Vec<_>>();
    assert_eq!(
        all,
        [
            (DueKind::QuotaEnds, "2025-01-01", false, ""),
            (DueKind::AuthorisationEnds, "2025-03-13", false, ""),
            (DueKind::QuotaEnds, "2026-01-01", false, ""),
        ]
    );
    let suspend = SuspendNominatingBodyRequest {
        name: name.clone(),
        reason: "材料核查".to_owned(),
        ..SuspendNominatingBodyRequest::default()
    };
    register.bodies().suspend_nominating_body(suspend).await.unwrap();
    let facts = body(&register, &name).await.case.unwrap();
    assert_eq!(facts.decision_reason.unwrap().reason, "材料核查");
}
