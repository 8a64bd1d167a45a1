//! Due work: one list over all kinds, of records too, that says who has to act.

use mingce_e2e::cases::{Clock, Terms, load, open, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{Lab, LabDesignation, LabDesignationState, RecordLabDesignationRequest};
use mingce_proto::registry::{
    DueActor, DueKind, DueWork, FileObjectionRequest, GetPanelRequest, HandlingTerms, LabDesignationTerms, Level,
    ListDueWorkRequest, ListDueWorkResponse, MissingReview, NominatingBodyTerms, Objection, OrganizationReference,
    Policy, RecommendationTerms, ReviewTerms, View,
};
use mingce_proto::talent::{
    Employment, ProgrammeReference, RecordTalentDesignationRequest, Talent, TalentDesignation, TalentDesignationState,
};
use tonic::{Code, Status};

use crate::body_fixture::{applied, authorise, drafted, notice_of_body};
use crate::builders::{made, organization, person};
use crate::lab_fixture::{PROGRAMME, district, draft, easy, in_review, lab, published, submitted};
use crate::talent_fixture::{applicant, assign, close, panel, programme, score};

mod command_line;
mod filters;
mod migration;
mod recorded_cases;

use command_line::{the_command_line_lists_what_is_due, three_processes_are_asked_for_one_list};
use filters::a_list_is_filtered_by_who_acts_and_by_kind;
use migration::what_an_earlier_version_stored_falls_due_after_migrate;
use recorded_cases::{
    a_new_policy_moves_what_was_recorded, a_record_stands_in_the_list_once, what_was_recorded_falls_due_at_once,
};

on_both_stores!(
    what_was_recorded_falls_due_at_once,
    a_new_policy_moves_what_was_recorded,
    a_record_stands_in_the_list_once,
    one_list_over_all_kinds_is_the_same_in_pages_of_any_size,
    a_panel_says_who_has_not_reviewed,
    terms_of_handling_set_days,
    what_was_asked_wrongly_is_said,
    a_list_is_filtered_by_who_acts_and_by_kind,
    what_an_earlier_version_stored_falls_due_after_migrate,
    the_command_line_lists_what_is_due,
    three_processes_are_asked_for_one_list,
);

async fn tried(register: &Register, request: ListDueWorkRequest) -> Result<ListDueWorkResponse, Status> {
    let answer = register.cases().list_due_work(request).await;
    answer.map(tonic::Response::into_inner)
}

/// Everything that is due up to a day.
fn until(day: &str) -> ListDueWorkRequest {
    ListDueWorkRequest {
        until_date: day.to_owned(),
        page_size: 1000,
        ..ListDueWorkRequest::default()
    }
}

async fn due(register: &Register, request: ListDueWorkRequest) -> Vec<DueWork> {
    let answer = tried(register, request).await.unwrap();
    assert_eq!(answer.next_page_token, "");
    answer.due_work
}

/// What falls due when, and who acts.
fn said(work: &[DueWork]) -> Vec<(&str, DueKind, DueActor)> {
    let each = work.iter().map(|work| (work.date.as_str(), work.due(), work.actor()));
    each.collect()
}

/// Records a designation of a lab of its own.
async fn recorded_lab(register: &Register, name: &str, designation: LabDesignation) -> LabDesignation {
    let host = made(register, organization(&format!("{name}的依托单位"))).await;
    let named = Lab {
        display_name: name.to_owned(),
        ..Lab::default()
    };
    let lab = lab(register, &host.name, named).await;
    let request = RecordLabDesignationRequest {
        parent: lab.name,
        lab_designation: Some(LabDesignation {
            level: Level::District as i32,
            programme: PROGRAMME.to_owned(),
            ..designation
        }),
        ..RecordLabDesignationRequest::default()
    };
    register
        .labs()
        .record_lab_designation(request)
        .await
        .unwrap()
        .into_inner()
}

fn of_lab(state: LabDesignationState, decision_date: &str, end_date: &str) -> LabDesignation {
    LabDesignation {
        state: state as i32,
        decision_date: decision_date.to_owned(),
        end_date: end_date.to_owned(),
        ..LabDesignation::default()
    }
}

/// Records a title of a person in its term.
async fn recorded_title(register: &Register, name: &str, code: &str, [start, end]: [&str; 2]) -> TalentDesignation {
    let person = applicant(register, name).await;
    let request = RecordTalentDesignationRequest {
        parent: person.name,
        talent_designation: Some(TalentDesignation {
            programme: Some(ProgrammeReference {
                code: code.to_owned(),
                ..ProgrammeReference::default()
            }),
            state: TalentDesignationState::InTerm as i32,
            decision_date: start.to_owned(),
            end_date: end.to_owned(),
            ..TalentDesignation::default()
        }),
        ..RecordTalentDesignationRequest::default()
    };
    register
        .talent()
        .record_talent_designation(request)
        .await
        .unwrap()
        .into_inner()
}

/// A register in which something of every kind is due.
struct Everything {
    register: Register,
    clock: Clock,
    /// Resource names: of the case with an objection, of the one before a panel.
    objected: String,
    reviewed: String,
    panel: String,
    round: String,
}

fn reviewed_terms() -> LabDesignationTerms {
    let criterion = |code: &str, weight_percent| mingce_proto::registry::Criterion {
        code: code.to_owned(),
        display_name: code.to_owned(),
        weight_percent,
    };
    LabDesignationTerms {
        review: Some(ReviewTerms {
            min_reviews: 1,
            criteria: vec![criterion("achievement", 60), criterion("prospect", 40)],
            ..ReviewTerms::default()
        }),
        building_months: 12,
        evaluation_months: 24,
        ..easy()
    }
}

/// A person who works somewhere.
async fn employed(register: &Register, name: &str, organization: &str) -> String {
    let employment = Employment {
        organization: Some(OrganizationReference {
            organization: organization.to_owned(),
            ..OrganizationReference::default()
        }),
        start_date: "2015-09".to_owned(),
        ..Employment::default()
    };
    let talent = Talent {
        display_name: name.to_owned(),
        employments: vec![employment],
        ..Talent::default()
    };
    person(register, talent).await.name
}

impl Everything {
    async fn begin(store: Store, handling: Option<HandlingTerms>) -> Self {
        let clock = Clock::on("2024-03-11");
        let register = Register::start_at(store, &clock).await;
        let terms = LabDesignationTerms { handling, ..easy() };
        let reviewed = LabDesignationTerms {
            handling,
            ..reviewed_terms()
        };
        let strict = Policy {
            programme: PROGRAMME.to_owned(),
            ..policy("2", "2024-01-01", Terms::Lab(reviewed))
        };
        let strict = load(&register, strict).await;
        load(&register, policy("1", "2023-01-01", Terms::Lab(terms))).await;
        let bodies = NominatingBodyTerms {
            notice: mingce_e2e::cases::notice_of(1),
            authorisation_months: 12,
            yearly_quota: 3,
            ..NominatingBodyTerms::default()
        };
        load(&register, policy("1", "2024-01-01", Terms::Body(bodies))).await;
        let recommended = RecommendationTerms {
            notice: mingce_e2e::cases::notice_of(1),
            term_months: 24,
            ..RecommendationTerms::default()
        };
        load(&register, policy("1", "2024-01-01", Terms::Recommendation(recommended))).await;
        open(&register, district("2024-03-10", "2024-03-29")).await;
        let with_review = mingce_proto::registry::Round {
            policy: strict.name,
            programme: PROGRAMME.to_owned(),
            ..district("2024-03-10", "2024-04-30")
        };
        let with_review = open(&register, with_review).await;
        programme(&register, "p", "").await;
        recorded_title(&register, "李甲", "p", ["2023-03-01", "2027-02-28"]).await;
        recorded_lab(
            &register,
            "试旧室",
            of_lab(LabDesignationState::Operating, "2020-01-01", ""),
        )
        .await;
        let waits = draft(&register, "试待审室", &with_review).await;
        submitted(&register, &waits.name).await.unwrap();
        let reviewed = draft(&register, "试评审室", &with_review).await;
        in_review(&register, &reviewed.name).await;
        let bare = draft(&register, "试未组室", &with_review).await;
        in_review(&register, &bare.name).await;
        let own = policy(
            "3",
            "2023-01-01",
            Terms::Lab(LabDesignationTerms { handling, ..easy() }),
        );
        let own = load(&register, own).await;
        let open_round = mingce_proto::registry::Round {
            policy: own.name,
            ..district("2024-03-10", "2024-03-29")
        };
        let open_round = open(&register, open_round).await;
        let objected = draft(&register, "试异议室", &open_round).await;
        in_review(&register, &objected.name).await;
        published(&register, &objected.name).await.unwrap();
        let objection = FileObjectionRequest {
            objection: Some(Objection {
                case_name: objected.name.clone(),
                objector_name: "钱某某".to_owned(),
                statement: "面积不实".to_owned(),
                ..Objection::default()
            }),
            ..FileObjectionRequest::default()
        };
        register.cases().file_objection(objection).await.unwrap();
        let panel = panel(&register, &reviewed.name).await;
        let elsewhere = made(&register, organization("无关大学")).await;
        for reviewer in ["评甲", "评乙"] {
            let person = employed(&register, reviewer, &elsewhere.name).await;
            assign(&register, &panel, &reviewed.name, &person, "").await.unwrap();
        }
        let under = crate::body_fixture::programme(&register, "r", "").await;
        applied(&register, "试待授权单位", &under).await;
        let body = applied(&register, "试荐才单位", &under).await;
        notice_of_body(&register, &body.name).await;
        clock.set("2024-03-13");
        authorise(&register, &body.name, "2024-11-30").await.unwrap();
        let person = applicant(&register, "王甲").await;
        drafted(&register, &body.name, &person.name, 2024).await;
        Self {
            objected: objected.name,
            reviewed: reviewed.name,
            panel,
            round: with_review.name,
            register,
            clock,
        }
    }
}

async fn one_list_over_all_kinds_is_the_same_in_pages_of_any_size(store: Store) {
    let year = Everything::begin(store, None).await;
    let register = &year.register;
    let all = due(register, until("2025-12-31")).await;
    use DueActor::{Decider, NominatingBody, Office, Register as Itself, Reviewer};
    // Two of one collection and day may stand in either order.
    let mut each = said(&all);
    each[8..10].sort();
    assert_eq!(
        each,
        [
            ("2022-01-01", DueKind::Evaluation, Office),
            ("2024-03-13", DueKind::NoticeEnds, Decider),
            ("2024-03-30", DueKind::RoundEnds, Itself),
            ("2024-03-30", DueKind::RoundEnds, Itself),
            ("2024-05-01", DueKind::RoundEnds, Itself),
            ("2024-12-01", DueKind::AuthorisationEnds, Office),
            ("2024-12-31", DueKind::Filing, NominatingBody),
            ("2025-03-01", DueKind::Midterm, Office),
            ("", DueKind::FormalCheck, Office),
            ("", DueKind::Review, Office),
            ("", DueKind::FormalCheck, Office),
            ("", DueKind::Objection, Office),
            ("", DueKind::Review, Reviewer),
            ("", DueKind::Review, Reviewer),
        ]
    );
    // What waits says since when, and comes behind all that has a day.
    assert!(all[8..].iter().all(|work| work.since_date == "2024-03-11"), "{all:#?}");
    let bare = all
        .iter()
        .find(|work| work.display_name.starts_with("试未组室"))
        .unwrap();
    assert_eq!(bare.verbs, ["create_panel"]);
    let mut reviewers: Vec<&str> = all[12..]
        .iter()
        .map(|work| work.reviewer_display_name.as_str())
        .collect();
    reviewers.sort_unstable();
    assert_eq!(reviewers, ["评乙", "评甲"]);
    assert!(
        all[12..]
            .iter()
            .all(|work| work.case_name == year.reviewed && work.round == year.round)
    );
    assert_eq!((&all[11].case_name, all[11].verbs.len()), (&year.objected, 2));
    for size in [1, 2, 3, 5, 13, 14] {
        let mut request = ListDueWorkRequest {
            page_size: size,
            ..until("2025-12-31")
        };
        let mut paged = Vec::new();
        loop {
            let page = tried(register, request.clone()).await.unwrap();
            assert!(page.due_work.len() <= usize::try_from(size).unwrap());
            paged.extend(page.due_work);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(paged, all, "pages of {size}");
    }
    // Each collection by itself has its part.
    let mut parts = Vec::new();
    for collection in [
        "labDesignations",
        "talentDesignations",
        "nominatingBodies",
        "recommendations",
        "awards",
        "rounds",
        "objections",
        "panels",
        "reviews",
    ] {
        let request = ListDueWorkRequest {
            collection: collection.to_owned(),
            ..until("2025-12-31")
        };
        let part = due(register, request).await;
        assert!(part.iter().all(|work| work.collection == collection), "{part:#?}");
        parts.extend(part.into_iter().map(|work| work.name));
    }
    let mut names: Vec<String> = all.iter().map(|work| work.name.clone()).collect();
    parts.sort();
    names.sort();
    assert_eq!(parts, names);
    // The day decides of what is overdue.
    year.clock.set("2024-03-14");
    let late = ListDueWorkRequest {
        overdue_only: true,
        ..until("2025-12-31")
    };
    let late = due(register, late).await;
    assert_eq!(
        said(&late),
        [
            ("2022-01-01", DueKind::Evaluation, Office),
            ("2024-03-13", DueKind::NoticeEnds, Decider)
        ]
    );
    assert!(late.iter().all(|work| work.overdue));
}

async fn missing(register: &Register, panel: &str) -> Vec<MissingReview> {
    let request = GetPanelRequest {
        name: panel.to_owned(),
        view: View::Full as i32,
    };
    let panel = register.cases().get_panel(request).await.unwrap().into_inner();
    panel.missing_reviews
}

async fn a_panel_says_who_has_not_reviewed(store: Store) {
    let year = Everything::begin(store, None).await;
    let register = &year.register;
    let of_review = ListDueWorkRequest {
        due: DueKind::Review as i32,
        case_name: year.reviewed.clone(),
        ..until("")
    };
    let mut work = due(register, of_review.clone()).await;
    let mut waited_for = missing(register, &year.panel).await;
    work.sort_by_key(|work| work.reviewer_display_name.clone());
    waited_for.sort_by_key(|one| one.reviewer_display_name.clone());
    let names: Vec<&str> = waited_for
        .iter()
        .map(|one| one.reviewer_display_name.as_str())
        .collect();
    assert_eq!(names, ["评乙", "评甲"]);
    for (one, work) in waited_for.iter().zip(&work) {
        assert_eq!((&one.review, &one.reviewer), (&work.name, &work.reviewer));
        assert_eq!(
            (&one.case_name, one.since_date.as_str()),
            (&year.reviewed, "2024-03-11")
        );
        assert_eq!(one.case_display_name, work.display_name);
        assert_eq!(work.methods, ["mingce.registry.v1.CaseService/SubmitReview"]);
    }
    // One submits: the other is missed.
    score(register, &waited_for[0].review, [80, 80]).await;
    assert_eq!(missing(register, &year.panel).await, waited_for[1..]);
    assert_eq!(due(register, of_review.clone()).await, work[1..]);
    // All are there: the office closes the panel.
    score(register, &waited_for[1].review, [80, 80]).await;
    assert_eq!(missing(register, &year.panel).await, []);
    let work = due(register, of_review.clone()).await;
    assert_eq!(said(&work), [("", DueKind::Review, DueActor::Office)]);
    assert_eq!(
        (&work[0].name, work[0].verbs.as_slice()),
        (&year.panel, ["close".to_owned()].as_slice())
    );
    // It is closed: what follows is due of the case itself.
    close(register, &year.panel).await;
    let work = due(register, of_review).await;
    assert_eq!(said(&work), [("", DueKind::Review, DueActor::Office)]);
    assert_eq!((&work[0].name, work[0].verbs.len()), (&year.reviewed, 2));
    assert_eq!(work[0].verbs, ["publish_notice", "reject"]);
}

async fn terms_of_handling_set_days(store: Store) {
    let handling = HandlingTerms {
        formal_check_days: 5,
        review_days: 30,
        investigation_days: 20,
    };
    let year = Everything::begin(store, Some(handling)).await;
    let all = due(&year.register, until("2024-04-30")).await;
    let of = |kind: DueKind| {
        let found = all
            .iter()
            .filter(|work| work.due() == kind && work.collection != "nominatingBodies");
        let days: Vec<(&str, &str)> = found
            .map(|work| (work.date.as_str(), work.since_date.as_str()))
            .collect();
        days
    };
    // Saturday 16 March is a day off, and Sunday too; 31 March is a Sunday.
    assert_eq!(of(DueKind::FormalCheck), [("2024-03-18", "2024-03-11")]);
    assert_eq!(of(DueKind::Objection), [("2024-04-01", "2024-03-11")]);
    let reviews = [
        ("2024-04-10", "2024-03-11"),
        ("2024-04-10", "2024-03-11"),
        ("", "2024-03-11"),
    ];
    assert_eq!(of(DueKind::Review), reviews);
    let due_dates: Vec<String> = missing(&year.register, &year.panel)
        .await
        .into_iter()
        .map(|one| one.due_date)
        .collect();
    assert_eq!(due_dates, ["2024-04-10", "2024-04-10"]);
}

async fn what_was_asked_wrongly_is_said(store: Store) {
    let year = Everything::begin(store, None).await;
    let wrong = |request: ListDueWorkRequest| {
        let register = &year.register;
        async move { failure(tried(register, request).await) }
    };
    let nowhere = ListDueWorkRequest {
        collection: "labs".to_owned(),
        ..until("")
    };
    assert_eq!(wrong(nowhere).await.is(), (Code::InvalidArgument, "COLLECTION_UNKNOWN"));
    let no_case = ListDueWorkRequest {
        case_name: year.panel.clone(),
        ..until("")
    };
    assert_eq!(wrong(no_case).await.is(), (Code::InvalidArgument, "CASE_ELSEWHERE"));
    let gone = ListDueWorkRequest {
        case_name: "awards/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
        ..until("")
    };
    assert_eq!(wrong(gone).await.code, Code::NotFound);
    // A token belongs to its query, whatever of it changes.
    let first = ListDueWorkRequest {
        page_size: 2,
        ..until("2025-12-31")
    };
    let token = tried(&year.register, first.clone()).await.unwrap().next_page_token;
    let changes: [fn(&mut ListDueWorkRequest); 4] = [
        |r| r.actor = DueActor::Office as i32,
        |r| r.overdue_only = true,
        |r| r.collection = "rounds".to_owned(),
        |r| r.due = DueKind::Review as i32,
    ];
    for change in changes {
        let mut request = ListDueWorkRequest {
            page_token: token.clone(),
            ..first.clone()
        };
        change(&mut request);
        let why = wrong(request).await;
        assert_eq!(why.is(), (Code::InvalidArgument, "PAGE_TOKEN_OTHER_QUERY"));
    }
    let round = ListDueWorkRequest {
        round: "rounds/x".to_owned(),
        ..until("")
    };
    assert_eq!(wrong(round).await.fields, ["round"]);
}
