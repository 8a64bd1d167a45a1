//! Fixture: a lab in review or on notice, and the calls on its notice and on objections to it.

use mingce_e2e::cases::{Clock, Terms, load, notice_of, open, policy, round};
use mingce_e2e::{Register, Store};
use mingce_proto::labs::{
    AcceptLabDesignationRequest, ApproveLabDesignationRequest, CreateLabDesignationRequest, CreateLabRequest,
    GetLabDesignationRequest, Lab, LabDesignation, LabDirector, LabHost, LabMember, LabMembership,
    PublishNoticeOfLabDesignationRequest, SubmitLabDesignationRequest,
};
use mingce_proto::registry::{
    AcceptObjectionRequest, CaseFacts, CaseKind, CaseVerb, FileObjectionRequest, GetNoticeRequest, GetObjectionRequest,
    GetPublicNoticeRequest, LabDesignationTerms, Level, ListPublicNoticesRequest, Notice, NoticeTerms, Objection,
    ObjectionRefusal, OrganizationReference, PublicNotice, RefuseObjectionRequest, TalentReference,
};
use tonic::Status;

use crate::builders::{made, organization};

/// The Friday before the holidays of 2024: the Sunday after it is worked, 1 to 7 October are free, Saturday 12 October
/// is worked.
pub const FRIDAY: &str = "2024-09-27";

/// A lab with its application.
pub struct NoticeFixture {
    pub clock: Clock,
    pub register: Register,
    pub lab: Lab,
    pub host: String,
    pub case: String,
}

/// Seven working days; objections are heard for five days of them.
pub fn seven_days() -> LabDesignationTerms {
    LabDesignationTerms {
        notice: Some(NoticeTerms {
            working_days: 7,
            objection_days: 5,
        }),
        ..terms()
    }
}

pub fn terms() -> LabDesignationTerms {
    LabDesignationTerms {
        notice: notice_of(7),
        max_failures: 1,
        ..LabDesignationTerms::default()
    }
}

impl NoticeFixture {
    /// A lab in review on a day.
    pub async fn in_review(store: Store, day: &str, terms: LabDesignationTerms) -> Self {
        let clock = Clock::on(day);
        let register = Register::start_at(store, &clock).await;
        Self::of(clock, register, terms).await
    }

    pub async fn of(clock: Clock, register: Register, terms: LabDesignationTerms) -> Self {
        load(&register, policy("1", "2020-01-01", Terms::Lab(terms))).await;
        let today = clock.today();
        let round = open(
            &register,
            round(CaseKind::LabDesignation, Level::District, &today, &today),
        )
        .await;
        let host = made(&register, organization("试海洋大学")).await.name;
        let person = |name: &str| {
            Some(TalentReference {
                display_name: name.to_owned(),
                ..TalentReference::default()
            })
        };
        let lab = Lab {
            display_name: "试海洋重点实验室".to_owned(),
            field: "海洋\\生物".to_owned(),
            hosts: vec![LabHost {
                organization: Some(OrganizationReference {
                    organization: host.clone(),
                    ..OrganizationReference::default()
                }),
                ..LabHost::default()
            }],
            directors: vec![LabDirector {
                person: person("试主任"),
                ..LabDirector::default()
            }],
            members: vec![LabMember {
                person: person("试成员"),
                membership: LabMembership::Fixed as i32,
                ..LabMember::default()
            }],
            address: "试路一号".to_owned(),
            area_square_metres: 86420,
            ..Lab::default()
        };
        let request = CreateLabRequest {
            lab: Some(lab),
            ..CreateLabRequest::default()
        };
        let lab = register.labs().create_lab(request).await.unwrap().into_inner();
        let request = CreateLabDesignationRequest {
            parent: lab.name.clone(),
            lab_designation: Some(LabDesignation {
                level: Level::District as i32,
                programme: "区级重点实验室".to_owned(),
                ..LabDesignation::default()
            }),
            round: round.name,
            ..CreateLabDesignationRequest::default()
        };
        let case = register.lab_cases().create_lab_designation(request).await.unwrap();
        let setting = Self {
            clock,
            register,
            lab,
            host,
            case: case.into_inner().name,
        };
        let submit = SubmitLabDesignationRequest {
            name: setting.case.clone(),
            ..SubmitLabDesignationRequest::default()
        };
        setting
            .register
            .lab_cases()
            .submit_lab_designation(submit)
            .await
            .unwrap();
        let accept = AcceptLabDesignationRequest {
            name: setting.case.clone(),
            ..AcceptLabDesignationRequest::default()
        };
        setting
            .register
            .lab_cases()
            .accept_lab_designation(accept)
            .await
            .unwrap();
        setting
    }

    /// The same on notice since the Friday before the holidays.
    pub async fn on_notice(store: Store, terms: LabDesignationTerms) -> Self {
        let setting = Self::in_review(store, FRIDAY, terms).await;
        setting.publish().await.unwrap();
        setting
    }

    pub async fn publish(&self) -> Result<LabDesignation, Status> {
        let request = PublishNoticeOfLabDesignationRequest {
            name: self.case.clone(),
            ..PublishNoticeOfLabDesignationRequest::default()
        };
        let answer = self
            .register
            .lab_cases()
            .publish_notice_of_lab_designation(request)
            .await;
        answer.map(tonic::Response::into_inner)
    }

    pub async fn approve(&self) -> Result<LabDesignation, Status> {
        let request = ApproveLabDesignationRequest {
            name: self.case.clone(),
            document_number: "试科字〔2024〕9号".to_owned(),
            ..ApproveLabDesignationRequest::default()
        };
        let answer = self.register.lab_cases().approve_lab_designation(request).await;
        answer.map(tonic::Response::into_inner)
    }

    pub async fn now(&self) -> LabDesignation {
        let request = GetLabDesignationRequest {
            name: self.case.clone(),
            ..GetLabDesignationRequest::default()
        };
        self.register
            .labs()
            .get_lab_designation(request)
            .await
            .unwrap()
            .into_inner()
    }

    pub async fn facts(&self) -> CaseFacts {
        self.now().await.case.unwrap()
    }

    pub async fn notice(&self) -> Notice {
        let request = GetNoticeRequest {
            name: self.facts().await.notice,
            ..GetNoticeRequest::default()
        };
        self.register.cases().get_notice(request).await.unwrap().into_inner()
    }

    pub async fn public(&self) -> PublicNotice {
        let request = GetPublicNoticeRequest {
            name: self.facts().await.notice,
        };
        self.register
            .cases()
            .get_public_notice(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// The names of the public notices of a kind that run on a day.
    pub async fn listed(&self, kind: CaseKind, date: &str) -> Vec<String> {
        let request = ListPublicNoticesRequest {
            kind: kind as i32,
            date: date.to_owned(),
            ..ListPublicNoticesRequest::default()
        };
        let page = self.register.cases().list_public_notices(request).await.unwrap();
        page.into_inner()
            .notices
            .into_iter()
            .map(|notice| notice.name)
            .collect()
    }

    pub fn objection(&self, name: &str, contact: &str) -> Objection {
        Objection {
            case_name: self.case.clone(),
            objector_name: name.to_owned(),
            objector_contact: contact.to_owned(),
            statement: "公示的依托单位与实际不符".to_owned(),
            evidence: vec!["工商登记材料".to_owned()],
            ..Objection::default()
        }
    }

    pub async fn file(&self, objection: Objection) -> Result<Objection, Status> {
        let request = FileObjectionRequest {
            objection: Some(objection),
            ..FileObjectionRequest::default()
        };
        let answer = self.register.cases().file_objection(request).await;
        answer.map(tonic::Response::into_inner)
    }

    pub async fn filed(&self, name: &str) -> Objection {
        self.file(self.objection(name, "")).await.unwrap()
    }

    pub async fn read(&self, objection: &Objection) -> Objection {
        let request = GetObjectionRequest {
            name: objection.name.clone(),
            ..GetObjectionRequest::default()
        };
        self.register.cases().get_objection(request).await.unwrap().into_inner()
    }

    pub async fn accept(&self, objection: &Objection) -> Result<Objection, Status> {
        let request = AcceptObjectionRequest {
            name: objection.name.clone(),
            ..AcceptObjectionRequest::default()
        };
        let answer = self.register.cases().accept_objection(request).await;
        answer.map(tonic::Response::into_inner)
    }

    pub async fn refuse(&self, objection: &Objection, refusal: ObjectionRefusal) -> Result<Objection, Status> {
        let request = RefuseObjectionRequest {
            name: objection.name.clone(),
            reason: "依规定不予受理".to_owned(),
            refusal: refusal as i32,
            ..RefuseObjectionRequest::default()
        };
        let answer = self.register.cases().refuse_objection(request).await;
        answer.map(tonic::Response::into_inner)
    }
}

/// A verb with what stands in its way, as in `accept OBJECTION_ANONYMOUS`.
pub fn said(verbs: &[CaseVerb]) -> Vec<String> {
    let said = |verb: &CaseVerb| {
        let reasons = verb.blockers.iter().map(|blocker| blocker.reason.as_str());
        [verb.verb.as_str()]
            .into_iter()
            .chain(reasons)
            .collect::<Vec<_>>()
            .join(" ")
    };
    verbs.iter().map(said).collect()
}

pub fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}
