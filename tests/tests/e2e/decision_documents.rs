//! The documents of decisions: each case keeps all of its own, a filter finds it by each of their numbers, and one
//! search finds the decisions of all services.

use mingce_e2e::cases::{Clock, Terms, cap, load, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::{Award, AwardState, CreateSchemeRequest, RecordAwardRequest, Scheme, SchemeReference};
use mingce_proto::labs::{
    CorrectLabDesignationRequest, EvaluateLabDesignationRequest, Lab, LabDesignation, LabDesignationState,
    ListLabDesignationsRequest, RecordLabDesignationRequest, RevokeLabDesignationRequest,
};
use mingce_proto::registry::{
    CaseKind, ComputeStatisticsRequest, DecisionDocument, Level, ListDecisionDocumentsRequest,
    ListDecisionDocumentsResponse,
};
use mingce_proto::talent::{
    CreateProgrammeRequest, Programme, ProgrammeKind, ProgrammeReference, RecordTalentDesignationRequest, Talent,
    TalentDesignation, TalentDesignationState,
};
use prost::Message;
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::builders::{made, organization, person};
use crate::lab_fixture::{accept, approve, draft, easy, get, lab, opened, published, submitted};

on_both_stores!(
    each_decision_keeps_its_document_and_is_found_by_it,
    a_recorded_decision_has_its_document_and_what_follows_adds_its_own,
    one_search_finds_the_decisions_of_all_kinds_in_pages,
    the_command_line_asks_every_service,
    cases_of_an_earlier_version_get_their_documents_by_migrate,
);

type Told<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

fn told(documents: &[DecisionDocument]) -> Vec<Told<'_>> {
    let state = |d: &'_ DecisionDocument| d.state.rfind("STATE_").map_or(0, |at| at + "STATE_".len());
    let told = documents.iter().map(|d| {
        let state = d.state.get(state(d)..).unwrap_or_default();
        (
            d.verb.as_str(),
            d.number.as_str(),
            d.date.as_str(),
            d.issuer.as_str(),
            state,
        )
    });
    told.collect()
}

async fn begun(store: Store) -> (Clock, Register) {
    let clock = Clock::on("2025-03-03");
    let register = Register::start_at(store, &clock).await;
    load(&register, policy("2025.1", "2025-01-01", Terms::Lab(easy()))).await;
    (clock, register)
}

/// A lab that was approved on 2025-03-12 by 试新科字〔2025〕9号.
async fn decided(clock: &Clock, register: &Register) -> LabDesignation {
    let round = opened(register, "2025-03-01", "2025-03-31", &[cap("", 5)]).await;
    let name = draft(register, "试用实验室", &round).await.name;
    submitted(register, &name).await.unwrap();
    register
        .lab_cases()
        .accept_lab_designation(accept(&name))
        .await
        .unwrap();
    published(register, &name).await.unwrap();
    clock.set("2025-03-12");
    let mut request = approve(&name);
    request.document_number = "试新科字〔2025〕9号".to_owned();
    request.issuer = "青岛示例区科学技术局".to_owned();
    let answer = register.lab_cases().approve_lab_designation(request).await;
    answer.unwrap().into_inner()
}

async fn listed(register: &Register, filter: &str) -> Vec<String> {
    let request = ListLabDesignationsRequest {
        parent: "labs/-".to_owned(),
        filter: filter.to_owned(),
        ..ListLabDesignationsRequest::default()
    };
    let answer = register.labs().list_lab_designations(request).await;
    let page = answer
        .unwrap_or_else(|status| panic!("{filter}: {status}"))
        .into_inner();
    page.lab_designations.into_iter().map(|d| d.name).collect()
}

async fn evaluated(register: &Register, name: &str, number: &str, issuer: &str) -> LabDesignation {
    let request = EvaluateLabDesignationRequest {
        name: name.to_owned(),
        document_number: number.to_owned(),
        issuer: issuer.to_owned(),
        year: 2026,
        start_date: "2025-04-01".to_owned(),
        end_date: "2026-03-31".to_owned(),
        no_outputs: true,
        qualitative_score: Some(100),
        ..EvaluateLabDesignationRequest::default()
    };
    let answer = register.lab_cases().evaluate_lab_designation(request).await;
    answer.unwrap().into_inner()
}

async fn revoked(register: &Register, name: &str, number: &str) -> LabDesignation {
    let request = RevokeLabDesignationRequest {
        name: name.to_owned(),
        reason: "弄虚作假".to_owned(),
        document_number: number.to_owned(),
        ..RevokeLabDesignationRequest::default()
    };
    let answer = register.lab_cases().revoke_lab_designation(request).await;
    answer.unwrap().into_inner()
}

async fn each_decision_keeps_its_document_and_is_found_by_it(store: Store) {
    let (clock, register) = begun(store).await;
    let case = decided(&clock, &register).await;
    clock.set("2026-04-10");
    evaluated(&register, &case.name, "试评〔2026〕2号", "青岛示例评估中心").await;
    let correct = CorrectLabDesignationRequest {
        name: case.name.clone(),
        reason: "文号误录".to_owned(),
        document_number: "试更〔2026〕3号".to_owned(),
        issuer: "青岛示例区科学技术局".to_owned(),
        lab_designation: Some(LabDesignation {
            document_number: "试新科字〔2025〕19号".to_owned(),
            ..LabDesignation::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["document_number".to_owned()],
        }),
        ..CorrectLabDesignationRequest::default()
    };
    register.lab_cases().correct_lab_designation(correct).await.unwrap();
    clock.set("2026-05-11");
    let ended = revoked(&register, &case.name, "试撤〔2026〕55号").await;
    assert_eq!(ended.document_number, "试新科字〔2025〕19号", "that of the decision");
    assert_eq!(
        told(&ended.documents),
        [
            (
                "approve",
                "试新科字〔2025〕19号",
                "2025-03-12",
                "青岛示例区科学技术局",
                "OPERATING"
            ),
            (
                "evaluate",
                "试评〔2026〕2号",
                "2026-04-10",
                "青岛示例评估中心",
                // Nothing was produced.
                ended.evaluations[0]
                    .state_after()
                    .as_str_name()
                    .rsplit_once("STATE_")
                    .unwrap()
                    .1
            ),
            (
                "correct",
                "试更〔2026〕3号",
                "2026-04-10",
                "青岛示例区科学技术局",
                ended.evaluations[0]
                    .state_after()
                    .as_str_name()
                    .rsplit_once("STATE_")
                    .unwrap()
                    .1
            ),
            ("revoke", "试撤〔2026〕55号", "2026-05-11", "", "REVOKED"),
        ]
    );
    assert_eq!(get(&register, &case.name).await.documents, ended.documents);
    // By each number, in whatever brackets; the decision's own stays in a field of its own.
    for number in [
        "试新科字〔2025〕19号",
        "试新科字[2025]19号",
        "试新科字（２０２５） 19 号",
        "试评【2026】2号",
        "试更(2026)3号",
        "试撤〔2026〕55号",
    ] {
        for found in [
            listed(&register, &format!("documents = \"{number}\"")).await,
            listed(&register, &format!("documents:\"{number}\"")).await,
        ] {
            assert_eq!(found, [case.name.as_str()], "{number}");
        }
    }
    for number in ["试新科字〔2025〕9号", "试评〔2026〕", "试评〔2025〕2号"] {
        assert!(listed(&register, &format!("documents = \"{number}\"")).await.is_empty());
    }
    let own = "document_number = \"试新科字[2025]19号\" AND document_number:\"[2025\"";
    assert_eq!(listed(&register, own).await, [case.name.as_str()]);
    assert!(
        listed(&register, "document_number = \"试撤〔2026〕55号\"")
            .await
            .is_empty()
    );
    let asked = ComputeStatisticsRequest {
        collection: "labDesignations".to_owned(),
        group_by: vec!["documents".to_owned()],
        ..ComputeStatisticsRequest::default()
    };
    let counted = register.labs().compute_statistics(asked).await.unwrap().into_inner();
    let groups: Vec<&str> = counted.groups.iter().map(|group| group.values[0].as_str()).collect();
    assert_eq!(groups.len(), 4, "{groups:?}");
    assert!(groups.contains(&"试评〔2026〕2号"), "{groups:?}");
}

/// A recorded designation of a new lab.
async fn recorded(register: &Register, name: &str, number: &str) -> LabDesignation {
    let host = made(register, organization(&format!("青岛示例{name}有限公司"))).await;
    let made = lab(
        register,
        &host.name,
        Lab {
            display_name: name.to_owned(),
            kind: 1,
            platform: 1,
            state: 1,
            ..Lab::default()
        },
    )
    .await;
    let request = RecordLabDesignationRequest {
        parent: made.name,
        lab_designation: Some(LabDesignation {
            level: Level::District as i32,
            programme: "区级重点实验室".to_owned(),
            state: LabDesignationState::Operating as i32,
            document_number: number.to_owned(),
            decision_date: "2021-06".to_owned(),
            // Callers do not set them.
            documents: vec![DecisionDocument {
                number: "试伪〔2021〕1号".to_owned(),
                ..DecisionDocument::default()
            }],
            ..LabDesignation::default()
        }),
        ..RecordLabDesignationRequest::default()
    };
    let answer = register.labs().record_lab_designation(request).await;
    answer.unwrap().into_inner()
}

async fn a_recorded_decision_has_its_document_and_what_follows_adds_its_own(store: Store) {
    let (_clock, register) = begun(store).await;
    let case = recorded(&register, "试录实验室", "试科规〔2021〕13号").await;
    let first = ("record", "试科规〔2021〕13号", "2021-06", "", "OPERATING");
    assert_eq!(told(&case.documents), [first]);
    let ended = revoked(&register, &case.name, "试撤〔2025〕1号").await;
    assert_eq!(ended.document_number, "试科规〔2021〕13号");
    let last = ("revoke", "试撤〔2025〕1号", "2025-03-03", "", "REVOKED");
    assert_eq!(told(&ended.documents), [first, last]);
    let none = recorded(&register, "试无实验室", "").await;
    assert_eq!(told(&none.documents), []);
}

async fn award(register: &Register, number: &str, document: &str) -> Award {
    let scheme = Scheme {
        display_name: format!("虚构的奖{number}"),
        code: format!("invented-{number}"),
        ..Scheme::default()
    };
    let request = CreateSchemeRequest {
        scheme: Some(scheme),
        ..CreateSchemeRequest::default()
    };
    let scheme = register.awards().create_scheme(request).await.unwrap().into_inner();
    let award = Award {
        title: "虚构的成果".to_owned(),
        number: number.to_owned(),
        year: 2025,
        state: AwardState::Conferred as i32,
        document_number: document.to_owned(),
        scheme: Some(SchemeReference {
            scheme: scheme.name,
            ..SchemeReference::default()
        }),
        ..Award::default()
    };
    let request = RecordAwardRequest {
        award: Some(award),
        ..RecordAwardRequest::default()
    };
    register.awards().record_award(request).await.unwrap().into_inner()
}

async fn title(register: &Register, document: &str) -> TalentDesignation {
    let programme = Programme {
        display_name: "虚构的人才计划".to_owned(),
        code: "invented".to_owned(),
        kind: ProgrammeKind::AutonomousRecommendation as i32,
        level: Level::District as i32,
        ..Programme::default()
    };
    let request = CreateProgrammeRequest {
        programme: Some(programme),
        ..CreateProgrammeRequest::default()
    };
    let programme = register.talent().create_programme(request).await.unwrap().into_inner();
    let holder = Talent {
        display_name: "试甲".to_owned(),
        ..Talent::default()
    };
    let request = RecordTalentDesignationRequest {
        parent: person(register, holder).await.name,
        talent_designation: Some(TalentDesignation {
            programme: Some(ProgrammeReference {
                programme: programme.name,
                ..ProgrammeReference::default()
            }),
            state: TalentDesignationState::InTerm as i32,
            document_number: document.to_owned(),
            ..TalentDesignation::default()
        }),
        ..RecordTalentDesignationRequest::default()
    };
    let answer = register.talent().record_talent_designation(request).await;
    answer.unwrap().into_inner()
}

async fn found(
    register: &Register,
    request: ListDecisionDocumentsRequest,
) -> Result<ListDecisionDocumentsResponse, Status> {
    let answer = register.cases().list_decision_documents(request).await;
    answer.map(tonic::Response::into_inner)
}

fn wanted(number: &str, prefix: bool) -> ListDecisionDocumentsRequest {
    ListDecisionDocumentsRequest {
        number: number.to_owned(),
        prefix,
        ..ListDecisionDocumentsRequest::default()
    }
}

async fn one_search_finds_the_decisions_of_all_kinds_in_pages(store: Store) {
    let (_clock, register) = begun(store).await;
    let mut all = Vec::new();
    for place in 1..=3 {
        let number = if place == 2 {
            "试科字[2025]9号"
        } else {
            "试科字〔2025〕9号"
        };
        all.push(recorded(&register, &format!("试{place}实验室"), number).await.name);
    }
    // Those of one number are in the order of their ids.
    all.sort_by_key(|name| name.rsplit('/').next().map(str::to_owned));
    all.push(title(&register, "试科字【2025】9号").await.name);
    all.push(award(&register, "1", "试科字（2025）9号").await.name);
    let other = award(&register, "2", "试科字〔2025〕19号").await.name;
    let names = |page: &ListDecisionDocumentsResponse| -> Vec<String> {
        page.documents.iter().map(|one| one.name.clone()).collect()
    };

    let whole = found(&register, wanted("试科字〔2025〕9号", false)).await.unwrap();
    assert_eq!((names(&whole), whole.next_page_token.as_str()), (all.clone(), ""));
    let second = whole
        .documents
        .iter()
        .find(|one| one.display_name == "试2实验室·区级重点实验室");
    let document = second.unwrap().document.clone().unwrap();
    assert_eq!(document.number, "试科字[2025]9号", "as it was written");
    let kinds: Vec<CaseKind> = whole.documents.iter().map(|one| one.kind()).collect();
    use CaseKind::{Award as A, LabDesignation as L, TalentDesignation as T};
    assert_eq!(kinds, [L, L, L, T, A]);

    for page_size in 1..=4 {
        let mut request = ListDecisionDocumentsRequest {
            page_size,
            ..wanted("试科字[2025]9号", false)
        };
        let mut paged = Vec::new();
        loop {
            let page = found(&register, request.clone()).await.unwrap();
            assert!(page.documents.len() <= usize::try_from(page_size).unwrap());
            paged.extend(names(&page));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
            let strange = ListDecisionDocumentsRequest {
                number: "试科字〔2024〕9号".to_owned(),
                ..request.clone()
            };
            assert_eq!(
                failure(found(&register, strange).await).reason,
                "PAGE_TOKEN_OTHER_QUERY"
            );
        }
        assert_eq!(paged, all, "pages of {page_size}");
    }

    let begun = found(&register, wanted("试科字[2025]", true)).await.unwrap();
    let mut begun = names(&begun);
    begun.sort();
    let mut with_other = [all.clone(), vec![other]].concat();
    with_other.sort();
    assert_eq!(begun, with_other);
    let exact = found(&register, wanted("试科字[2025]", false)).await.unwrap();
    assert_eq!(names(&exact), Vec::<String>::new());
    let awards = ListDecisionDocumentsRequest {
        kind: A as i32,
        ..wanted("试科字〔2025〕9号", false)
    };
    assert_eq!(names(&found(&register, awards).await.unwrap()), all[4..]);
    let none = failure(found(&register, wanted("", false)).await);
    assert_eq!(
        (none.code, none.fields),
        (Code::InvalidArgument, vec!["number".to_owned()])
    );
}

async fn the_command_line_asks_every_service(store: Store) {
    let labs = Register::start_with(store, &["labs"]).await;
    let talent = Register::start_with(store, &["talent", "--labs-url", &labs.url()]).await;
    let flags = ["awards", "--labs-url", &labs.url(), "--talent-url", &talent.url()];
    let awards = Register::start_with(store, &flags).await;
    let all = [
        recorded(&labs, "试一实验室", "试科字〔2025〕9号").await.name,
        title(&talent, "试科字[2025]9号").await.name,
        award(&awards, "1", "试科字（2025）9号").await.name,
    ];
    award(&awards, "2", "试科字〔2025〕10号").await;
    let elsewhere = ListDecisionDocumentsRequest {
        kind: CaseKind::Award as i32,
        ..wanted("试科字〔2025〕9号", false)
    };
    let refused = failure(found(&labs, elsewhere).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "CASE_KIND_ELSEWHERE"));

    let beside = ["--talent-url", &talent.url(), "--awards-url", &awards.url()];
    let search = |args: &[&str]| {
        let args = [&["search"], args, &beside].concat();
        labs.cli(&args)
    };
    let said = search(&["--document", "试科字【2025】9号"]).succeeded();
    let mut lines: Vec<&str> = said.lines().map(|line| line.split("  ").next().unwrap()).collect();
    lines.sort_unstable();
    let mut expected: Vec<&str> = all.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(lines, expected, "{said}");
    assert!(
        said.contains("试一实验室·区级重点实验室  试科字〔2025〕9号  2021-06  record"),
        "{said}"
    );
    let begun = search(&["--document", "试科字〔2025〕", "--prefix"]).succeeded();
    assert_eq!(begun.lines().count(), 4, "{begun}");
    assert_eq!(
        search(&["--document", "试科字〔2024〕9号"]).succeeded().trim(),
        "nothing found"
    );
    // The same server by two names is asked once.
    let twice = labs
        .cli(&[
            "search",
            "--document",
            "试科字〔2025〕9号",
            "--labs-url",
            &labs.url().replace("127.0.0.1", "localhost"),
        ])
        .succeeded();
    assert_eq!(twice.lines().count(), 1, "{twice}");
    drop(awards);
    let down = search(&["--document", "试科字〔2025〕9号"]).failed_with_one_line();
    assert!(
        down.contains("cannot connect"),
        "what was not asked is not said to have nothing: {down}"
    );
}

/// Writes a case as an earlier version had it: the number of the last verb, and no documents.
async fn as_before(register: &Register, store: Store, table: &str, name: &str, body: &[u8]) {
    let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    let body = match store {
        Store::Sqlite => format!("x'{hex}'"),
        Store::Postgres => format!("decode('{hex}', 'hex')"),
    };
    register
        .execute(&format!(
            "UPDATE {table} SET body = {body} WHERE name = '{name}';
             DELETE FROM {table}_values WHERE field = 'documents';
             DELETE FROM settings WHERE name = 'documents {table}';"
        ))
        .await;
}

async fn cases_of_an_earlier_version_get_their_documents_by_migrate(store: Store) {
    let (clock, mut register) = begun(store).await;
    let case = decided(&clock, &register).await;
    clock.set("2026-04-10");
    evaluated(&register, &case.name, "试评〔2026〕2号", "").await;
    let whole = get(&register, &case.name).await;
    let award = award(&register, "1", "试科字[2025]9号").await;
    register.stop();
    let before = LabDesignation {
        document_number: "试评〔2026〕2号".to_owned(),
        documents: Vec::new(),
        verbs: Vec::new(),
        ..whole.clone()
    };
    as_before(
        &register,
        store,
        "lab_designations",
        &case.name,
        &before.encode_to_vec(),
    )
    .await;
    let before = Award {
        documents: Vec::new(),
        verbs: Vec::new(),
        ..award.clone()
    };
    as_before(&register, store, "awards", &award.name, &before.encode_to_vec()).await;
    register.set_flags(&[]);
    let refused = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(refused.contains("mingce migrate"), "{refused}");
    register.migrate().succeeded();
    register.restart();
    let filled = get(&register, &case.name).await;
    assert_eq!(filled.document_number, "试新科字〔2025〕9号", "that of the decision");
    assert_eq!(told(&filled.documents), told(&whole.documents));
    assert_eq!(filled.revision, whole.revision + 1, "the ledger says so");
    for number in ["试新科字〔2025〕9号", "试评〔2026〕2号"] {
        let found = found(&register, wanted(number, false)).await.unwrap();
        assert_eq!(found.documents[0].name, case.name, "{number}");
    }
    let found = found(&register, wanted("试科字〔2025〕9号", false)).await.unwrap();
    assert_eq!(found.documents[0].name, award.name);
    // Nothing is done twice.
    register.stop();
    register.migrate().succeeded();
    register.restart();
    assert_eq!(get(&register, &case.name).await, filled);
}
