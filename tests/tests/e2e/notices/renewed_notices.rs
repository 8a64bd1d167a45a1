//! What is approved is what was on notice, and the time for objections is heard out: else another notice begins.

use mingce_e2e::{Store, failure};
use mingce_proto::labs::{
    Lab, LabDesignation, LabDesignationState, RenewNoticeOfLabDesignationRequest, ReturnLabDesignationRequest,
    UpdateLabRequest,
};
use mingce_proto::registry::{NoticeTerms, ObjectionState, UpholdObjectionRequest};
use prost_types::FieldMask;
use tonic::{Code, Status};

use super::fixture::{NoticeFixture, said, terms};

impl NoticeFixture {
    async fn renew(&self) -> Result<LabDesignation, Status> {
        let request = RenewNoticeOfLabDesignationRequest {
            name: self.case.clone(),
            reason: "登记内容有变".to_owned(),
            ..RenewNoticeOfLabDesignationRequest::default()
        };
        let answer = self.register.lab_cases().renew_notice_of_lab_designation(request).await;
        answer.map(tonic::Response::into_inner)
    }

    async fn rename(&self, display_name: &str) {
        let request = UpdateLabRequest {
            lab: Some(Lab {
                name: self.lab.name.clone(),
                display_name: display_name.to_owned(),
                ..Lab::default()
            }),
            update_mask: Some(FieldMask {
                paths: vec!["display_name".to_owned()],
            }),
            ..UpdateLabRequest::default()
        };
        self.register.labs().update_lab(request).await.unwrap();
    }
}

pub async fn what_changed_on_notice_is_not_approved(store: Store) {
    let setting = NoticeFixture::on_notice(store, terms()).await;
    let first = setting.facts().await.notice;
    setting.clock.set("2024-10-08");
    setting.rename("试深海重点实验室").await;
    setting.clock.set("2024-10-14");
    let verbs = said(&setting.now().await.verbs);
    assert_eq!(
        verbs,
        [
            "return",
            "renew_notice",
            "approve PUBLISHED_DIFFERS",
            "reject",
            "withdraw"
        ]
    );
    let refused = failure(setting.approve().await);
    assert_eq!(refused.blockers, [("PUBLISHED_DIFFERS".to_owned(), first.clone())]);
    assert!(refused.message.contains(" in lab:"), "{refused:?}");
    // As it was published, it can be approved.
    setting.rename("试海洋重点实验室").await;
    assert_eq!(said(&setting.now().await.verbs)[2], "approve");

    setting.rename("试深海重点实验室").await;
    let unsaid = RenewNoticeOfLabDesignationRequest {
        name: setting.case.clone(),
        ..RenewNoticeOfLabDesignationRequest::default()
    };
    let unsaid = failure(
        setting
            .register
            .lab_cases()
            .renew_notice_of_lab_designation(unsaid)
            .await,
    );
    assert_eq!(unsaid.fields, ["reason"]);
    let renewed = setting.renew().await.unwrap();
    assert_eq!(renewed.state(), LabDesignationState::OnNotice);
    let notice = setting.notice().await;
    assert_ne!(notice.name, first);
    assert_eq!(notice.fields[0].value, "试深海重点实验室");
    assert_eq!(
        (notice.start_date.as_str(), notice.end_date.as_str()),
        ("2024-10-14", "2024-10-23")
    );
    assert_eq!(said(&setting.now().await.verbs)[2], "approve NOTICE_RUNNING");
    setting.clock.set("2024-10-24");
    setting.approve().await.unwrap();
}

pub async fn an_upheld_objection_leads_to_another_notice(store: Store) {
    let setting = NoticeFixture::on_notice(store, terms()).await;
    let objection = setting.filed("试异议人").await;
    let open = failure(setting.renew().await);
    assert_eq!(open.reasons(), ["OBJECTION_OPEN"]);
    setting.accept(&objection).await.unwrap();
    let uphold = UpholdObjectionRequest {
        name: objection.name.clone(),
        finding: "名称有误".to_owned(),
        ..UpholdObjectionRequest::default()
    };
    let upheld = setting.register.cases().uphold_objection(uphold).await.unwrap();
    assert_eq!(upheld.into_inner().state(), ObjectionState::Upheld);
    setting.clock.set("2024-10-14");
    let refused = failure(setting.approve().await);
    assert_eq!(refused.reasons(), ["OBJECTION_UPHELD"]);
    setting.rename("试深海重点实验室").await;
    setting.renew().await.unwrap();
    assert_eq!(setting.facts().await.upheld_objections, Vec::<String>::new());
    setting.clock.set("2024-10-24");
    setting.approve().await.unwrap();
}

pub async fn one_on_notice_is_returned_to_be_changed(store: Store) {
    let setting = NoticeFixture::on_notice(store, terms()).await;
    let give_back = ReturnLabDesignationRequest {
        name: setting.case.clone(),
        reason: "计划名称有误".to_owned(),
        ..ReturnLabDesignationRequest::default()
    };
    let returned = setting.register.lab_cases().return_lab_designation(give_back).await;
    assert_eq!(returned.unwrap().into_inner().state(), LabDesignationState::Returned);
}

/// The published day holds: until it is over nothing is approved, and it is a working day.
pub async fn the_time_for_objections_is_heard_out(store: Store) {
    let long = mingce_proto::registry::LabDesignationTerms {
        notice: Some(NoticeTerms {
            working_days: 2,
            objection_days: 20,
        }),
        ..terms()
    };
    let setting = NoticeFixture::in_review(store, "2024-09-14", long).await;
    setting.publish().await.unwrap();
    let facts = setting.facts().await;
    // The 20th day after is 4 October, a holiday; the next working day is the 8th.
    assert_eq!(
        [&facts.notice_end_date, &facts.objection_end_date, &facts.due_date],
        ["2024-09-19", "2024-10-08", "2024-10-09"]
    );
    assert_eq!(setting.public().await.objection_end_date, "2024-10-08");
    setting.clock.set("2024-10-08");
    let refused = failure(setting.approve().await);
    assert_eq!(
        refused.blockers,
        [("OBJECTION_TIME_RUNNING".to_owned(), facts.notice.clone())]
    );
    let last = setting.filed("试异议人").await;
    setting.accept(&last).await.unwrap();
    let withdraw = mingce_proto::registry::WithdrawObjectionRequest {
        name: last.name,
        ..mingce_proto::registry::WithdrawObjectionRequest::default()
    };
    setting.register.cases().withdraw_objection(withdraw).await.unwrap();
    setting.clock.set("2024-10-09");
    let early = mingce_proto::labs::ApproveLabDesignationRequest {
        name: setting.case.clone(),
        document_number: "试科字〔2024〕9号".to_owned(),
        decision_date: "2024-10-08".to_owned(),
        ..mingce_proto::labs::ApproveLabDesignationRequest::default()
    };
    let early = failure(setting.register.lab_cases().approve_lab_designation(early).await);
    assert_eq!(early.is(), (Code::InvalidArgument, "DECISION_BEFORE_NOTICE_ENDED"));
    setting.approve().await.unwrap();
}
