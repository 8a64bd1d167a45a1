//! Public notices and objections to them: what is published is frozen, runs by working days, and shows nothing else;
//! who objects is sealed.

use std::fs;

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{Lab, LabDesignationState, Organization, UpdateLabRequest};
use mingce_proto::registry::{
    CaseKind, ListCaseRevisionsRequest, ListNoticesRequest, ListPublicNoticesRequest, PublicField, PublicNotice,
};
use prost::Message;
use prost_types::FieldMask;
use sha2::{Digest, Sha256};
use tonic::Code;

use crate::builders::{organization, updated};

mod fixture;
mod objections;
mod renewed_notices;

use fixture::{FRIDAY, NoticeFixture, has, said, seven_days, terms};
use objections::{
    a_late_objection_is_refused, a_statement_that_names_who_objects_is_refused, an_anonymous_objection_is_refused,
    an_objection_needs_a_notice_and_no_decision, who_objects_is_sealed,
};
use renewed_notices::{
    an_upheld_objection_leads_to_another_notice, one_on_notice_is_returned_to_be_changed,
    the_time_for_objections_is_heard_out, what_changed_on_notice_is_not_approved,
};

on_both_stores!(
    a_notice_stays_as_it_was_published,
    the_public_sees_the_allow_listed_fields_alone,
    a_notice_runs_by_working_days_over_the_national_day,
    notices_are_listed_on_the_days_that_they_run,
    an_anonymous_objection_is_refused,
    a_late_objection_is_refused,
    an_objection_needs_a_notice_and_no_decision,
    who_objects_is_sealed,
    a_statement_that_names_who_objects_is_refused,
    a_year_without_a_calendar_is_said_until_it_is_given,
    what_changed_on_notice_is_not_approved,
    an_upheld_objection_leads_to_another_notice,
    one_on_notice_is_returned_to_be_changed,
    the_time_for_objections_is_heard_out,
);

/// What must not be published of the lab.
const PRIVATE: [&str; 3] = ["试成员", "试主任", "试路一号"];

/// The hash as the contract says it: `field=value` lines, each ended by a line feed, with `\` and line feeds in values
/// written out.
fn hash(fields: &[PublicField]) -> String {
    let mut lines = String::new();
    for field in fields {
        lines += &field.field;
        lines.push('=');
        for c in field.value.chars() {
            match c {
                '\\' => lines += "\\\\",
                '\n' => lines += "\\n",
                c => lines.push(c),
            }
        }
        lines.push('\n');
    }
    Sha256::digest(lines.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

async fn a_notice_stays_as_it_was_published(store: Store) {
    let setting = NoticeFixture::in_review(store, FRIDAY, terms()).await;
    let revision = setting.now().await.revision;
    setting.publish().await.unwrap();
    let published = setting.notice().await;
    let field = |field: &str, value: &str| PublicField {
        field: field.to_owned(),
        value: value.to_owned(),
    };
    assert_eq!(
        published.fields,
        [
            field("lab", "试海洋重点实验室"),
            field("programme", "区级重点实验室"),
            field("level", "区级"),
            field("field", "海洋\\生物"),
            field("hosts", "试海洋大学"),
        ]
    );
    assert_eq!(published.sha256, hash(&published.fields));
    assert_eq!(
        (&published.case_name, published.kind(), published.case_revision),
        (&setting.case, CaseKind::LabDesignation, revision)
    );
    let seen = setting.public().await;
    assert_eq!((&seen.fields, &seen.sha256), (&published.fields, &published.sha256));

    setting.clock.set("2024-10-08");
    let rename = UpdateLabRequest {
        lab: Some(Lab {
            name: setting.lab.name.clone(),
            display_name: "试深海重点实验室".to_owned(),
            field: "深海".to_owned(),
            ..Lab::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["display_name".to_owned(), "field".to_owned()],
        }),
        ..UpdateLabRequest::default()
    };
    setting.register.labs().update_lab(rename).await.unwrap();
    let renamed = Organization {
        name: setting.host.clone(),
        ..organization("试深海大学")
    };
    updated(&setting.register, renamed, &["display_name"]).await;
    setting.filed("试异议人").await;
    assert_eq!(setting.notice().await, published);
    assert_eq!(setting.public().await, seen);
    let request = ListCaseRevisionsRequest {
        name: published.name.clone(),
        ..ListCaseRevisionsRequest::default()
    };
    let history = setting.register.cases().list_case_revisions(request).await.unwrap();
    let verbs: Vec<_> = history
        .into_inner()
        .revisions
        .into_iter()
        .map(|entry| entry.verb)
        .collect();
    assert_eq!(verbs, ["publish"]);
}

async fn the_public_sees_the_allow_listed_fields_alone(store: Store) {
    let setting = NoticeFixture::on_notice(store, seven_days()).await;
    let seen = setting.public().await;
    let notice = setting.notice().await;
    let expected = PublicNotice {
        name: notice.name.clone(),
        display_name: "试海洋重点实验室·区级重点实验室".to_owned(),
        kind: CaseKind::LabDesignation as i32,
        start_date: FRIDAY.to_owned(),
        end_date: "2024-10-12".to_owned(),
        objection_end_date: "2024-10-08".to_owned(),
        fields: notice.fields,
        sha256: notice.sha256,
    };
    assert_eq!(seen, expected);
    let request = ListPublicNoticesRequest::default();
    let page = setting
        .register
        .cases()
        .list_public_notices(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.notices, [expected]);
    for private in PRIVATE {
        assert!(!has(&page.encode_to_vec(), private), "{private}");
    }
    assert!(
        has(&setting.lab.encode_to_vec(), PRIVATE[0]),
        "the lab has what is not published"
    );
}

async fn a_notice_runs_by_working_days_over_the_national_day(store: Store) {
    let setting = NoticeFixture::on_notice(store, terms()).await;
    let facts = setting.facts().await;
    // Sunday 29 September, the 30th, 8 to 11 October and Saturday 12 October.
    assert_eq!(
        [
            &facts.notice_start_date,
            &facts.notice_end_date,
            &facts.objection_end_date,
            &facts.due_date
        ],
        [FRIDAY, "2024-10-12", "2024-10-12", "2024-10-13"]
    );
    assert_eq!(setting.notice().await.working_days, 7);
    setting.clock.set("2024-10-12");
    assert_eq!(said(&setting.now().await.verbs)[2], "approve NOTICE_RUNNING");
    let running = failure(setting.approve().await);
    assert_eq!(running.blockers, [("NOTICE_RUNNING".to_owned(), facts.notice)]);
    assert_eq!(running.message, "the notice runs until 2024-10-12");
    setting.clock.set("2024-10-13");
    assert_eq!(said(&setting.now().await.verbs)[2], "approve");
    assert_eq!(setting.approve().await.unwrap().state(), LabDesignationState::Operating);
}

async fn notices_are_listed_on_the_days_that_they_run(store: Store) {
    let setting = NoticeFixture::on_notice(store, terms()).await;
    let name = setting.facts().await.notice;
    let any = CaseKind::Unspecified;
    for (day, runs) in [
        ("2024-09-26", false),
        (FRIDAY, true),
        ("2024-10-03", true),
        ("2024-10-12", true),
        ("2024-10-13", false),
    ] {
        let expected = if runs { vec![name.clone()] } else { Vec::new() };
        assert_eq!(setting.listed(any, day).await, expected, "{day}");
        assert_eq!(setting.listed(CaseKind::LabDesignation, day).await, expected, "{day}");
        assert_eq!(setting.listed(CaseKind::Award, day).await, Vec::<String>::new());
    }
    assert_eq!(setting.listed(any, "").await, [name.as_str()]);
    let no_day = ListPublicNoticesRequest {
        date: "2024-02-30".to_owned(),
        ..ListPublicNoticesRequest::default()
    };
    let refused = failure(setting.register.cases().list_public_notices(no_day).await);
    assert_eq!(
        (refused.code, refused.fields),
        (Code::InvalidArgument, vec!["date".to_owned()])
    );
    let list = ListNoticesRequest {
        filter: format!("case_name = \"{}\"", setting.case),
        ..ListNoticesRequest::default()
    };
    let page = setting.register.cases().list_notices(list).await.unwrap().into_inner();
    assert_eq!(
        page.notices.iter().map(|notice| &notice.name).collect::<Vec<_>>(),
        [&name]
    );
}

async fn a_year_without_a_calendar_is_said_until_it_is_given(store: Store) {
    let clock = Clock::on("2026-12-24");
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("days");
    fs::write(&table, "# none yet\n").unwrap();
    let flags = ["--clock", &clock.path(), "--calendar", table.to_str().unwrap()];
    let register = Register::start_with(store, &flags).await;
    let mut setting = NoticeFixture::of(clock, register, terms()).await;
    // What Get says of it and what happens when it is tried are one.
    assert_eq!(
        said(&setting.now().await.verbs),
        ["publish_notice CALENDAR_UNKNOWN", "reject", "withdraw"]
    );
    let unknown = failure(setting.publish().await);
    assert_eq!(unknown.is(), (Code::FailedPrecondition, "CASE_BLOCKED"));
    assert_eq!(unknown.reasons(), ["CALENDAR_UNKNOWN"]);
    assert!(unknown.message.contains("2027"), "{unknown:?}");
    assert_eq!(setting.now().await.state(), LabDesignationState::InReview);
    assert_eq!(setting.listed(CaseKind::Unspecified, "").await, Vec::<String>::new());

    setting.register.stop();
    fs::write(&table, "2027-01-01 rest\n2027-01-03 work  # make-up day\n").unwrap();
    setting.register.restart();
    assert_eq!(
        said(&setting.now().await.verbs),
        ["publish_notice", "reject", "withdraw"]
    );
    setting.publish().await.unwrap();
    // The 25th, 28th to 31st, Sunday the 3rd, and the 4th.
    assert_eq!(setting.facts().await.notice_end_date, "2027-01-04");
}
