//! Life cycles over the wire: a clock that a test turns, and the policies and rounds that cases are decided by.

use std::fs;

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use mingce_proto::awards::award_nomination_service_client::AwardNominationServiceClient;
use mingce_proto::labs::lab_designation_service_client::LabDesignationServiceClient;
use mingce_proto::registry::case_service_client::CaseServiceClient;
use mingce_proto::registry::import_service_client::ImportServiceClient;
use mingce_proto::registry::{
    AwardTerms, CaseKind, CreatePolicyRequest, CreateRoundRequest, LabDesignationTerms, Level, NominatingBodyTerms,
    NoticeTerms, Policy, RecommendationTerms, Round, RoundCap, TalentDesignationTerms, TermSource,
};
use mingce_proto::talent::nominating_body_service_client::NominatingBodyServiceClient;
use mingce_proto::talent::recommendation_service_client::RecommendationServiceClient;
use mingce_proto::talent::talent_designation_service_client::TalentDesignationServiceClient;
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::register::Register;
use crate::store::Store;

/// Clients of the services of life cycles.
impl Register {
    /// Starts a register whose time is that of a clock.
    pub async fn start_at(store: Store, clock: &Clock) -> Self {
        Self::start_with(store, &["--clock", &clock.path()]).await
    }

    /// A client of what all cases share.
    pub fn cases(&self) -> CaseServiceClient<Channel> {
        CaseServiceClient::new(self.channel())
    }

    /// A client of the imports that were made.
    pub fn imports(&self) -> ImportServiceClient<Channel> {
        ImportServiceClient::new(self.channel())
    }

    /// A client of the life cycle of designations of labs. A batch of a thousand moves fits.
    pub fn lab_cases(&self) -> LabDesignationServiceClient<Channel> {
        LabDesignationServiceClient::new(self.channel())
    }

    /// A client of the life cycle of designations of persons.
    pub fn talent_cases(&self) -> TalentDesignationServiceClient<Channel> {
        TalentDesignationServiceClient::new(self.channel())
    }

    /// A client of nominating bodies.
    pub fn bodies(&self) -> NominatingBodyServiceClient<Channel> {
        NominatingBodyServiceClient::new(self.channel())
    }

    /// A client of recommendations.
    pub fn recommendations(&self) -> RecommendationServiceClient<Channel> {
        RecommendationServiceClient::new(self.channel())
    }

    /// A client of the life cycle of awards.
    pub fn nominations(&self) -> AwardNominationServiceClient<Channel> {
        AwardNominationServiceClient::new(self.channel())
    }
}

/// The clock of a register: a file that says nine in the morning of a day in China.
#[derive(Debug)]
pub struct Clock {
    folder: TempDir,
}

impl Clock {
    /// A clock that stands on a day, for example `2024-03-01`.
    pub fn on(day: &str) -> Self {
        let clock = Self {
            folder: tempfile::Builder::new().prefix("mingce-clock.").tempdir().unwrap(),
        };
        clock.set(day);
        clock
    }

    /// The file, for `--clock`.
    pub fn path(&self) -> String {
        self.folder.path().join("now").to_str().unwrap().to_owned()
    }

    /// Turns it to a day.
    pub fn set(&self, day: &str) {
        let day: Date = day.parse().unwrap();
        let new = self.folder.path().join("next");
        fs::write(&new, format!("{day}T09:00:00+08:00\n")).unwrap();
        // Whoever reads it finds the one time or the other, and never half of one.
        fs::rename(new, self.path()).unwrap();
    }

    /// The day that it says.
    pub fn today(&self) -> String {
        fs::read_to_string(self.path()).unwrap()[..10].to_owned()
    }

    /// Turns it on by so many days, and answers the day.
    pub fn advance(&self, days: i64) -> String {
        self.set(&after(&self.today(), days.days()));
        self.today()
    }

    /// Turns it to the day after another.
    pub fn set_after(&self, day: &str) {
        self.set(&after(day, 1.day()));
    }
}

/// The day that comes so long after another, for example `1.month()`.
pub fn after(day: &str, span: Span) -> String {
    let day: Date = day.parse().unwrap();
    day.checked_add(span).unwrap().to_string()
}

/// The terms of a policy, of one kind.
#[derive(Debug, Clone)]
pub enum Terms {
    /// Of designations of labs.
    Lab(LabDesignationTerms),
    /// Of designations of persons.
    Talent(TalentDesignationTerms),
    /// Of nominating bodies.
    Body(NominatingBodyTerms),
    /// Of recommendations.
    Recommendation(RecommendationTerms),
    /// Of awards.
    Award(AwardTerms),
}

/// Every term that a policy can have, by the path under which one source stands for it.
const TERMS: [&str; 32] = [
    "acceptance_notice",
    "annual_report_months",
    "authorisation_months",
    "award_conditions",
    "bar_years",
    "building_months",
    "evaluation_months",
    "excellent_score",
    "expires_by_itself",
    "failed_years",
    "full_points",
    "good_score",
    "grades",
    "handling",
    "max_age",
    "max_extension_months",
    "max_extensions",
    "max_failures",
    "max_hosts",
    "midterm_months",
    "min_area_square_metres",
    "min_equipment_value_fen",
    "min_fixed_members",
    "notice",
    "output_points",
    "project_cap",
    "qualified_score",
    "quantitative_percent",
    "rectification_months",
    "review",
    "term_months",
    "yearly_quota",
];

/// A policy for all levels and programmes of a kind, from a day on. All its numbers are assumed.
pub fn policy(version: &str, start_date: &str, terms: Terms) -> Policy {
    let mut policy = Policy {
        display_name: format!("试用政策{version}"),
        version: version.to_owned(),
        start_date: start_date.to_owned(),
        sources: TERMS
            .map(|term| TermSource {
                term: term.to_owned(),
                source: "assumed".to_owned(),
            })
            .to_vec(),
        ..Policy::default()
    };
    let message = match &terms {
        Terms::Lab(_) => "LabDesignationTerms",
        Terms::Talent(_) => "TalentDesignationTerms",
        Terms::Body(_) => "NominatingBodyTerms",
        Terms::Recommendation(_) => "RecommendationTerms",
        Terms::Award(_) => "AwardTerms",
    };
    let known = mingce_proto::names::fields(&format!("mingce.registry.v1.{message}"));
    policy
        .sources
        .retain(|source| known.iter().any(|(_, name)| *name == source.term));
    match terms {
        Terms::Lab(terms) => {
            policy.set_kind(CaseKind::LabDesignation);
            policy.lab_designation = Some(terms);
        }
        Terms::Talent(terms) => {
            policy.set_kind(CaseKind::TalentDesignation);
            policy.talent_designation = Some(terms);
        }
        Terms::Body(terms) => {
            policy.set_kind(CaseKind::NominatingBody);
            policy.nominating_body = Some(terms);
        }
        Terms::Recommendation(terms) => {
            policy.set_kind(CaseKind::Recommendation);
            policy.recommendation = Some(terms);
        }
        Terms::Award(terms) => {
            policy.set_kind(CaseKind::Award);
            policy.award = Some(terms);
        }
    }
    policy
}

/// A notice of so many working days, with objections as long as it runs.
pub fn notice_of(working_days: i32) -> Option<NoticeTerms> {
    Some(NoticeTerms {
        working_days,
        objection_days: 0,
    })
}

/// Loads a policy.
pub async fn load(register: &Register, policy: Policy) -> Policy {
    let request = CreatePolicyRequest {
        policy: Some(policy),
        ..CreatePolicyRequest::default()
    };
    register.cases().create_policy(request).await.unwrap().into_inner()
}

/// A round for a kind of case at a level, for all programmes, from one day to another, under the policy that is then in
/// force.
pub fn round(kind: CaseKind, level: Level, start_date: &str, end_date: &str) -> Round {
    Round {
        display_name: format!("{}年第一批", &start_date[..4]),
        kind: kind as i32,
        level: level as i32,
        year: start_date[..4].parse().unwrap(),
        start_date: start_date.to_owned(),
        end_date: end_date.to_owned(),
        ..Round::default()
    }
}

/// A cap for all cases of a round, or for those of a grade.
pub fn cap(grade: &str, limit: i32) -> RoundCap {
    RoundCap {
        grade: grade.to_owned(),
        limit,
        used: 0,
    }
}

/// Opens a round.
pub async fn open(register: &Register, round: Round) -> Round {
    let request = CreateRoundRequest {
        round: Some(round),
        ..CreateRoundRequest::default()
    };
    register.cases().create_round(request).await.unwrap().into_inner()
}
