//! Fixture of the tests of awards: a municipal scheme with its policy and round, who takes part, and one function for
//! each verb.

use mingce_e2e::cases::{Clock, Terms, load, notice_of, open, policy, round};
use mingce_e2e::{Register, Store};
use mingce_proto::awards::*;
use mingce_proto::labs::Organization;
use mingce_proto::registry::{
    AwardTerms, CaseKind, GetRoundRequest, GradeTerms, Level, ListPublicNoticesRequest, OrganizationReference,
    PublicNotice, Round, TalentReference,
};
use mingce_proto::talent::{Employment, Talent};
use tonic::Status;

use crate::builders::{made, organization, person};

/// A register in a year of awards.
pub struct Year {
    pub clock: Clock,
    pub register: Register,
    pub scheme: Scheme,
    pub round: Round,
    pub organizations: Vec<Organization>,
    pub people: Vec<Talent>,
}

/// A policy: one first prize and two second prizes in a round, at most three contributors to a first one and two to a
/// second one; two failures bar for a year; nobody reviews.
pub fn terms() -> AwardTerms {
    let grade = |grade: &str, cap, max_contributors, max_organizations| GradeTerms {
        grade: grade.to_owned(),
        cap,
        max_contributors,
        max_organizations,
    };
    AwardTerms {
        acceptance_notice: notice_of(5),
        notice: notice_of(7),
        grades: vec![grade("一等奖", 1, 3, 2), grade("二等奖", 2, 2, 2)],
        failed_years: 2,
        bar_years: 1,
        ..AwardTerms::default()
    }
}

/// A round for nominations in March.
pub async fn march(register: &Register, scheme: &Scheme, year: &str) -> Round {
    let (first, last) = (format!("{year}-03-01"), format!("{year}-03-31"));
    let round = Round {
        programme: scheme.name.clone(),
        ..round(CaseKind::Award, Level::Municipal, &first, &last)
    };
    open(register, round).await
}

/// Makes a scheme at a level.
pub async fn scheme(register: &Register, code: &str, level: Level, subject: SchemeSubject, grades: &[&str]) -> Scheme {
    let grade = |grade: &&str| SchemeGrade {
        grade: (*grade).to_owned(),
        cap: 0,
    };
    let request = CreateSchemeRequest {
        scheme: Some(Scheme {
            display_name: format!("试用奖{code}"),
            code: code.to_owned(),
            level: level as i32,
            category: "自然".to_owned(),
            subject: subject as i32,
            grades: grades.iter().map(grade).collect(),
            ..Scheme::default()
        }),
        ..CreateSchemeRequest::default()
    };
    register.awards().create_scheme(request).await.unwrap().into_inner()
}

pub fn at(organization: &Organization) -> OrganizationReference {
    OrganizationReference {
        organization: organization.name.clone(),
        ..OrganizationReference::default()
    }
}

pub fn completing(organization: &Organization) -> CompletingOrganization {
    CompletingOrganization {
        rank: 0,
        organization: Some(at(organization)),
    }
}

pub fn contributor(person: &Talent, organization: &Organization) -> Contributor {
    Contributor {
        talent: Some(TalentReference {
            talent: person.name.clone(),
            ..TalentReference::default()
        }),
        organizations: vec![at(organization)],
        ..Contributor::default()
    }
}

/// What a read of a case says of a verb: whether it is open, and the reasons where it is not.
pub fn said(award: &Award, verb: &str) -> (bool, Vec<String>) {
    let found = award.verbs.iter().find(|known| known.verb == verb);
    let found = found.unwrap_or_else(|| panic!("{verb} does not lead on from {:?}", award.state()));
    (
        found.open,
        found.blockers.iter().map(|blocker| blocker.reason.clone()).collect(),
    )
}

impl Year {
    /// The first of March 2024, with these terms.
    pub async fn begin(store: Store, terms: AwardTerms) -> Self {
        let clock = Clock::on("2024-03-01");
        let register = Register::start_at(store, &clock).await;
        load(&register, policy("2024.1", "2024-01-01", Terms::Award(terms))).await;
        let scheme = scheme(
            &register,
            "trial",
            Level::Municipal,
            SchemeSubject::Project,
            &["一等奖", "二等奖"],
        )
        .await;
        let round = march(&register, &scheme, "2024").await;
        let mut organizations = Vec::new();
        for name in ["虚构海洋大学", "虚构环境研究院", "虚构仪器公司"] {
            organizations.push(made(&register, organization(name)).await);
        }
        let mut people = Vec::new();
        for (name, employer) in [("试甲", 0), ("试乙", 0), ("试丙", 1), ("试丁", 2)] {
            let talent = Talent {
                display_name: name.to_owned(),
                employments: vec![Employment {
                    organization: Some(at(&organizations[employer])),
                    start_date: "2015".to_owned(),
                    ..Employment::default()
                }],
                ..Talent::default()
            };
            people.push(person(&register, talent).await);
        }
        Self {
            clock,
            register,
            scheme,
            round,
            organizations,
            people,
        }
    }

    /// A nomination of the first person for their own university.
    pub fn work(&self, title: &str) -> Award {
        Award {
            title: title.to_owned(),
            scheme: Some(SchemeReference {
                scheme: self.scheme.name.clone(),
                ..SchemeReference::default()
            }),
            year: self.round.year,
            contributors: vec![contributor(&self.people[0], &self.organizations[0])],
            completing_organizations: vec![completing(&self.organizations[0])],
            nominator: "市南区科学技术局".to_owned(),
            ..Award::default()
        }
    }

    /// Begins a nomination in the round.
    pub async fn draft(&self, award: Award) -> Result<Award, Status> {
        let request = CreateAwardRequest {
            award: Some(award),
            round: self.round.name.clone(),
            ..CreateAwardRequest::default()
        };
        Ok(self.register.nominations().create_award(request).await?.into_inner())
    }

    pub async fn get(&self, name: &str) -> Award {
        let request = GetAwardRequest {
            name: name.to_owned(),
            ..GetAwardRequest::default()
        };
        self.register.awards().get_award(request).await.unwrap().into_inner()
    }

    pub async fn nominate(&self, name: &str) -> Result<Award, Status> {
        let request = NominateAwardRequest {
            name: name.to_owned(),
            ..NominateAwardRequest::default()
        };
        Ok(self.register.nominations().nominate_award(request).await?.into_inner())
    }

    pub async fn refuse(&self, name: &str) -> Result<Award, Status> {
        let request = RefuseAwardRequest {
            name: name.to_owned(),
            reason: "材料不齐".to_owned(),
            ..RefuseAwardRequest::default()
        };
        Ok(self.register.nominations().refuse_award(request).await?.into_inner())
    }

    pub async fn accept(&self, name: &str) -> Result<Award, Status> {
        let request = AcceptAwardRequest {
            name: name.to_owned(),
            ..AcceptAwardRequest::default()
        };
        Ok(self.register.nominations().accept_award(request).await?.into_inner())
    }

    pub async fn review(&self, name: &str) -> Result<Award, Status> {
        let request = ReviewAwardRequest {
            name: name.to_owned(),
            ..ReviewAwardRequest::default()
        };
        Ok(self.register.nominations().review_award(request).await?.into_inner())
    }

    pub async fn shortlist(&self, name: &str, grade: &str) -> Result<Award, Status> {
        let request = ShortlistAwardRequest {
            name: name.to_owned(),
            grade: grade.to_owned(),
            ..ShortlistAwardRequest::default()
        };
        Ok(self.register.nominations().shortlist_award(request).await?.into_inner())
    }

    pub async fn deselect(&self, name: &str) -> Result<Award, Status> {
        let request = DeselectAwardRequest {
            name: name.to_owned(),
            reason: "未获通过".to_owned(),
            ..DeselectAwardRequest::default()
        };
        Ok(self.register.nominations().deselect_award(request).await?.into_inner())
    }

    pub async fn approve(&self, name: &str, number: &str) -> Result<Award, Status> {
        Ok(self
            .register
            .nominations()
            .approve_award(approval(name, number))
            .await?
            .into_inner())
    }

    pub async fn confer(&self, name: &str) -> Result<Award, Status> {
        let request = ConferAwardRequest {
            name: name.to_owned(),
            ..ConferAwardRequest::default()
        };
        Ok(self.register.nominations().confer_award(request).await?.into_inner())
    }

    pub async fn revoke(&self, name: &str) -> Result<Award, Status> {
        let request = RevokeAwardRequest {
            name: name.to_owned(),
            reason: "成果造假".to_owned(),
            document_number: "青政试〔2031〕2号".to_owned(),
            ..RevokeAwardRequest::default()
        };
        Ok(self.register.nominations().revoke_award(request).await?.into_inner())
    }

    /// A nomination that is in review.
    pub async fn in_review(&self, award: Award) -> String {
        let name = self.draft(award).await.unwrap().name;
        self.nominate(&name).await.unwrap();
        self.accept(&name).await.unwrap();
        self.review(&name).await.unwrap();
        name
    }

    /// An award that was conferred for a nomination of this day.
    pub async fn conferred(&self, award: Award, grade: &str, number: &str) -> String {
        let name = self.in_review(award).await;
        self.shortlist(&name, grade).await.unwrap();
        self.clock.advance(30);
        self.approve(&name, number).await.unwrap();
        self.confer(&name).await.unwrap();
        name
    }

    /// Begins the year after, on the first of its March.
    pub async fn next(&mut self) {
        let year = (self.round.year + 1).to_string();
        self.clock.set(&format!("{year}-03-01"));
        self.round = march(&self.register, &self.scheme, &year).await;
    }

    /// The notices that are public.
    pub async fn notices(&self) -> Vec<PublicNotice> {
        let request = ListPublicNoticesRequest {
            kind: CaseKind::Award as i32,
            page_size: 1000,
            ..ListPublicNoticesRequest::default()
        };
        let page = self.register.cases().list_public_notices(request).await;
        page.unwrap().into_inner().notices
    }

    /// How many places of each cap of the round are taken.
    pub async fn taken(&self) -> Vec<(String, i32)> {
        let request = GetRoundRequest {
            name: self.round.name.clone(),
            ..GetRoundRequest::default()
        };
        let round = self.register.cases().get_round(request).await.unwrap().into_inner();
        round.caps.into_iter().map(|cap| (cap.grade, cap.used)).collect()
    }
}

pub fn approval(name: &str, number: &str) -> ApproveAwardRequest {
    ApproveAwardRequest {
        name: name.to_owned(),
        number: number.to_owned(),
        document_number: "青政试〔2024〕9号".to_owned(),
        money_fen: 5_000_000,
        ..ApproveAwardRequest::default()
    }
}
