//! Fixture of the clerk's year: the policy, the round, forty labs with their hosts, and the calls that are made most.

use mingce_e2e::cases::{Clock, Terms, cap, load, notice_of, open, policy, round};
use mingce_e2e::{Register, Store};
use mingce_proto::labs::{
    BatchMoveLabDesignationsRequest, CreateLabDesignationRequest, CreateLabRequest, GetLabDesignationRequest,
    GetLabRequest, Lab, LabDesignation, LabDesignationMove, LabDesignationState, LabHost, LabMember, LabMembership,
    LabPlatform, ListLabDesignationsRequest, ListRevisionsRequest, OperatingState, UpdateLabRequest,
};
use mingce_proto::registry::{
    CaseKind, Criterion, DueKind, DueWork, GetRoundRequest, LabDesignationTerms, Level, ListDueWorkRequest,
    MoveOutcome, OrganizationReference, OutputKind, OutputPoints, Policy, ReviewTerms, Revision, Round,
    TalentReference, View,
};
use prost_types::FieldMask;

use crate::builders::{made, organization};

/// The programme of all applications.
pub const PROGRAMME: &str = "区级重点实验室";
/// How many labs apply in time.
pub const APPLICANTS: usize = 40;
/// How many can be approved.
pub const CAP: i32 = 27;

/// The register of the year, and what is in it.
pub struct Year {
    pub clock: Clock,
    pub register: Register,
    /// The policy of the round.
    pub policy: Policy,
    /// One that comes into force while the round runs.
    pub later: Policy,
    pub round: Round,
    /// Resource names of the organizations that host the labs.
    pub hosts: Vec<String>,
    /// The labs of the applications; the last is that of the late one.
    pub labs: Vec<Lab>,
    /// Resource names of the applications, in the order of their labs; the last is the late one.
    pub cases: Vec<String>,
}

/// The numbers that the year is decided by.
pub fn terms() -> LabDesignationTerms {
    let criterion = |code: &str, name: &str, weight_percent| Criterion {
        code: code.to_owned(),
        display_name: name.to_owned(),
        weight_percent,
    };
    let points = |kind: OutputKind, points| OutputPoints {
        kind: kind as i32,
        points,
    };
    LabDesignationTerms {
        notice: notice_of(5),
        review: Some(ReviewTerms {
            min_reviews: 2,
            min_score: 6000,
            criteria: vec![criterion("research", "科研水平", 60), criterion("team", "人才队伍", 40)],
            employment_months: 24,
        }),
        max_hosts: 2,
        min_fixed_members: 2,
        min_area_square_metres: 100,
        min_equipment_value_fen: 50_000_000,
        building_months: 12,
        max_extensions: 1,
        max_extension_months: 6,
        evaluation_months: 24,
        quantitative_percent: 70,
        full_points: 10,
        output_points: vec![
            points(OutputKind::Paper, 1),
            points(OutputKind::Monograph, 5),
            points(OutputKind::InventionPatent, 3),
        ],
        excellent_score: 85,
        good_score: 75,
        qualified_score: 60,
        max_failures: 2,
        rectification_months: 12,
        annual_report_months: 0,
        handling: None,
    }
}

/// Stricter numbers, for the version that comes later and for drafts.
pub fn stricter() -> LabDesignationTerms {
    let mut terms = terms();
    if let Some(review) = &mut terms.review {
        review.min_score = 9000;
    }
    terms.min_fixed_members = 3;
    terms.qualified_score = 70;
    terms
}

fn for_districts(policy: Policy) -> Policy {
    Policy {
        level: Level::District as i32,
        programme: PROGRAMME.to_owned(),
        ..policy
    }
}

/// A draft of a stricter policy, which is nowhere loaded.
pub fn draft() -> Policy {
    for_districts(policy("draft", "2030-01-01", Terms::Lab(stricter())))
}

impl Year {
    /// The title of an application.
    pub fn title(&self, case: usize) -> String {
        format!("{}·{}", self.labs[case].display_name, PROGRAMME)
    }

    /// The first day of March 2024: policies are loaded, the round is open, so many labs and a late one have their
    /// drafts.
    pub async fn begin(store: Store, applicants: usize, terms: LabDesignationTerms) -> Self {
        let clock = Clock::on("2024-03-01");
        let register = Register::start_at(store, &clock).await;
        let policy_now = for_districts(policy("2024.1", "2024-01-01", Terms::Lab(terms)));
        let policy_later = for_districts(policy("2024.2", "2024-03-10", Terms::Lab(stricter())));
        let loaded = load(&register, policy_now).await;
        let later = load(&register, policy_later).await;
        let opened = Round {
            display_name: "2024年度区级重点实验室".to_owned(),
            programme: PROGRAMME.to_owned(),
            caps: vec![cap("", CAP)],
            ..round(CaseKind::LabDesignation, Level::District, "2024-03-01", "2024-05-31")
        };
        let opened = open(&register, opened).await;
        let mut year = Self {
            clock,
            register,
            policy: loaded,
            later,
            round: opened,
            hosts: Vec::new(),
            labs: Vec::new(),
            cases: Vec::new(),
        };
        for number in 0..8 {
            let host = made(&year.register, organization(&format!("试大学{number}"))).await;
            year.hosts.push(host.name);
        }
        for number in 0..=applicants {
            let lab = year.make_lab(year.lab(number)).await;
            let case = year.apply(&lab).await;
            year.labs.push(lab);
            year.cases.push(case);
        }
        year
    }

    fn lab(&self, number: usize) -> Lab {
        let member = |who: &str, membership: LabMembership, end_date: &str| LabMember {
            person: Some(outsider(&format!("{who}{number}"))),
            membership: membership as i32,
            start_date: "2020-01-01".to_owned(),
            end_date: end_date.to_owned(),
        };
        Lab {
            display_name: format!("试重点实验室{number:02}"),
            platform: LabPlatform::KeyLaboratory as i32,
            state: OperatingState::Active as i32,
            field: "海洋生物".to_owned(),
            hosts: vec![LabHost {
                organization: Some(OrganizationReference {
                    organization: self.hosts[number % self.hosts.len()].clone(),
                    ..OrganizationReference::default()
                }),
                ..LabHost::default()
            }],
            members: vec![
                member("甲员", LabMembership::Fixed, ""),
                member("乙员", LabMembership::Fixed, "2025-12-31"),
                member("丙员", LabMembership::Visiting, ""),
            ],
            area_square_metres: 600,
            equipment_value_fen: 80_000_000,
            ..Lab::default()
        }
    }

    async fn make_lab(&self, lab: Lab) -> Lab {
        let request = CreateLabRequest {
            lab: Some(lab),
            ..CreateLabRequest::default()
        };
        self.register.labs().create_lab(request).await.unwrap().into_inner()
    }

    async fn apply(&self, lab: &Lab) -> String {
        let request = CreateLabDesignationRequest {
            parent: lab.name.clone(),
            lab_designation: Some(LabDesignation {
                level: Level::District as i32,
                programme: PROGRAMME.to_owned(),
                ..LabDesignation::default()
            }),
            round: self.round.name.clone(),
            ..CreateLabDesignationRequest::default()
        };
        let draft = self.register.lab_cases().create_lab_designation(request).await;
        let draft = draft.unwrap().into_inner();
        assert_eq!(draft.state(), LabDesignationState::Draft);
        draft.name
    }

    /// Sets these fields of a lab, whoever changed it meanwhile.
    pub async fn change_lab(&self, lab: Lab, paths: &[&str]) -> Lab {
        let etag = String::new();
        let request = UpdateLabRequest {
            lab: Some(Lab { etag, ..lab }),
            update_mask: Some(FieldMask {
                paths: paths.iter().map(|&path| path.to_owned()).collect(),
            }),
            ..UpdateLabRequest::default()
        };
        self.register.labs().update_lab(request).await.unwrap().into_inner()
    }

    /// The lab of a case as it is now.
    pub async fn lab_now(&self, case: usize) -> Lab {
        let request = GetLabRequest {
            name: self.labs[case].name.clone(),
            ..GetLabRequest::default()
        };
        self.register.labs().get_lab(request).await.unwrap().into_inner()
    }

    /// A case as it is now, with the verbs that lead on.
    pub async fn case(&self, case: usize) -> LabDesignation {
        let request = GetLabDesignationRequest {
            name: self.cases[case].clone(),
            ..GetLabDesignationRequest::default()
        };
        let found = self.register.labs().get_lab_designation(request).await;
        found.unwrap().into_inner()
    }

    /// What Get says of each verb: `submit`, or with what stands in its way, as in `approve NOTICE_RUNNING
    /// OBJECTION_OPEN`.
    pub async fn verbs(&self, case: usize) -> Vec<String> {
        let found = self.case(case).await;
        let said = |verb: mingce_proto::registry::CaseVerb| {
            assert_eq!(verb.open, verb.blockers.is_empty(), "{verb:?}");
            assert!(
                verb.method.starts_with("mingce.labs.v1.LabDesignationService/"),
                "{verb:?}"
            );
            let mut words = vec![verb.verb];
            for blocker in verb.blockers {
                assert!(
                    !blocker.subject.is_empty() && !blocker.description_zh.is_empty(),
                    "{blocker:?}"
                );
                words.push(blocker.reason);
            }
            words.join(" ")
        };
        found.verbs.into_iter().map(said).collect()
    }

    /// The cases of the round, all of them, by their resource names.
    pub async fn all(&self) -> Vec<LabDesignation> {
        let request = ListLabDesignationsRequest {
            parent: "labs/-".to_owned(),
            page_size: 1000,
            filter: format!("case_round = \"{}\"", self.round.name),
            view: View::Full as i32,
            ..ListLabDesignationsRequest::default()
        };
        let page = self.register.labs().list_lab_designations(request).await.unwrap();
        let mut all = page.into_inner().lab_designations;
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// How many cases of the round stand at a state.
    pub async fn count(&self, state: LabDesignationState) -> usize {
        self.all().await.iter().filter(|d| d.state() == state).count()
    }

    /// Moves cases on by one call, each with its own outcome or all or none.
    pub async fn batch(&self, moves: Vec<LabDesignationMove>, atomic: bool) -> Vec<MoveOutcome> {
        let names = moves.len();
        let request = BatchMoveLabDesignationsRequest { moves, atomic };
        let answer = self.register.lab_cases().batch_move_lab_designations(request).await;
        let answer = answer.unwrap().into_inner();
        assert_eq!(answer.outcomes.len(), names);
        let done = answer.outcomes.iter().filter(|outcome| outcome.done).count();
        assert_eq!(usize::try_from(answer.done).unwrap(), done);
        answer.outcomes
    }

    /// The same for moves that must all be done.
    pub async fn all_done(&self, moves: Vec<LabDesignationMove>) {
        for outcome in self.batch(moves, false).await {
            assert!(outcome.done, "{outcome:?}");
        }
    }

    /// The history of a case, the newest entry first.
    pub async fn history(&self, case: usize) -> Vec<Revision> {
        let request = ListRevisionsRequest {
            name: self.cases[case].clone(),
            ..ListRevisionsRequest::default()
        };
        let page = self.register.labs().list_revisions(request).await.unwrap();
        page.into_inner().revisions
    }

    /// The round as it is now.
    pub async fn round_now(&self) -> Round {
        let request = GetRoundRequest {
            name: self.round.name.clone(),
            ..GetRoundRequest::default()
        };
        self.register.cases().get_round(request).await.unwrap().into_inner()
    }

    /// What falls due in designations until a day.
    pub async fn due(&self, until: &str, kind: DueKind) -> Vec<DueWork> {
        let request = ListDueWorkRequest {
            collection: "labDesignations".to_owned(),
            until_date: until.to_owned(),
            due: kind as i32,
            page_size: 1000,
            ..ListDueWorkRequest::default()
        };
        let page = self.register.cases().list_due_work(request).await.unwrap();
        let work = page.into_inner().due_work;
        assert!(work.is_sorted_by(|one, other| one.date <= other.date), "{work:?}");
        work
    }
}

/// A person outside the register.
pub fn outsider(name: &str) -> TalentReference {
    TalentReference {
        display_name: name.to_owned(),
        ..TalentReference::default()
    }
}

/// Makes one move of each name.
pub fn moves<'a>(
    names: impl IntoIterator<Item = &'a String>,
    of: impl Fn(String) -> LabDesignationMove,
) -> Vec<LabDesignationMove> {
    names.into_iter().map(|name| of(name.clone())).collect()
}

/// The reasons of what stands in the way of a move.
pub fn reasons(outcome: &MoveOutcome) -> Vec<&str> {
    outcome.blockers.iter().map(|blocker| blocker.reason.as_str()).collect()
}
