//! Objections: by name and in time, while something is published and not decided; who objects is sealed.

use std::fs;

use mingce_e2e::{Failure, Store, failure};
use mingce_proto::labs::ListRevisionsRequest;
use mingce_proto::registry::{
    DismissObjectionRequest, FileObjectionRequest, ListCaseRevisionsRequest, ListObjectionsRequest, Objection,
    ObjectionRefusal, ObjectionState, View, WithdrawObjectionRequest,
};
use prost::Message;
use tonic::Code;

use super::fixture::{FRIDAY, NoticeFixture, has, said, seven_days, terms};

pub async fn an_anonymous_objection_is_refused(store: Store) {
    let setting = NoticeFixture::on_notice(store, seven_days()).await;
    let filed = setting.filed(" ").await;
    assert_eq!((filed.state(), filed.named), (ObjectionState::Filed, false));
    assert_eq!(setting.facts().await.open_objections, [filed.name.as_str()]);
    assert_eq!(
        said(&setting.read(&filed).await.verbs),
        ["accept OBJECTION_ANONYMOUS", "refuse", "withdraw"]
    );
    let blocked = failure(setting.accept(&filed).await);
    assert_eq!(blocked.is(), (Code::FailedPrecondition, "CASE_BLOCKED"));
    assert_eq!(
        blocked.blockers,
        [("OBJECTION_ANONYMOUS".to_owned(), filed.name.clone())]
    );
    let unsaid = failure(setting.refuse(&filed, ObjectionRefusal::Unspecified).await);
    assert_eq!(
        (unsaid.code, unsaid.fields),
        (Code::InvalidArgument, vec!["refusal".to_owned()])
    );
    let refused = setting.refuse(&filed, ObjectionRefusal::Anonymous).await.unwrap();
    assert_eq!(
        (refused.state(), refused.refusal()),
        (ObjectionState::Refused, ObjectionRefusal::Anonymous)
    );
    assert_eq!(setting.facts().await.open_objections, Vec::<String>::new());
    assert_eq!(setting.read(&filed).await.verbs, []);
    let twice = failure(setting.refuse(&filed, ObjectionRefusal::Anonymous).await);
    assert_eq!(twice.is(), (Code::FailedPrecondition, "STATE_WRONG"));
}

pub async fn a_late_objection_is_refused(store: Store) {
    let setting = NoticeFixture::on_notice(store, seven_days()).await;
    setting.clock.set("2024-10-08");
    let in_time = setting.filed("试异议人").await;
    setting.clock.set("2024-10-09");
    // What was filed in time is accepted later too.
    assert_eq!(
        setting.accept(&in_time).await.unwrap().state(),
        ObjectionState::InInvestigation
    );
    let late = setting.filed("另一异议人").await;
    assert_eq!(
        said(&setting.read(&late).await.verbs),
        ["accept OBJECTION_LATE", "refuse", "withdraw"]
    );
    let blocked = failure(setting.accept(&late).await);
    assert_eq!(blocked.blockers, [("OBJECTION_LATE".to_owned(), late.notice.clone())]);
    assert_eq!(blocked.message, "objections were possible until 2024-10-08");
    let both = setting.filed("").await;
    let blocked = failure(setting.accept(&both).await);
    assert_eq!(blocked.reasons(), ["OBJECTION_ANONYMOUS", "OBJECTION_LATE"]);
    for objection in [&late, &both] {
        let refused = setting.refuse(objection, ObjectionRefusal::Late).await.unwrap();
        assert_eq!(refused.refusal(), ObjectionRefusal::Late);
    }
    assert_eq!(setting.facts().await.open_objections, [in_time.name.as_str()]);
    let request = WithdrawObjectionRequest {
        name: in_time.name,
        ..WithdrawObjectionRequest::default()
    };
    let withdrawn = setting.register.cases().withdraw_objection(request).await.unwrap();
    assert_eq!(withdrawn.into_inner().state(), ObjectionState::Withdrawn);
    setting.clock.set("2024-10-14");
    assert_eq!(
        said(&setting.now().await.verbs),
        ["return", "renew_notice", "approve", "reject", "withdraw"]
    );
}

pub async fn an_objection_needs_a_notice_and_no_decision(store: Store) {
    let setting = NoticeFixture::in_review(store, FRIDAY, terms()).await;
    let early = failure(setting.file(setting.objection("试异议人", "")).await);
    assert_eq!(early.is(), (Code::FailedPrecondition, "NOTICE_MISSING"));
    let nobody = Objection {
        case_name: format!("labs/{0}/designations/{0}", "0".repeat(26)),
        ..setting.objection("试异议人", "")
    };
    assert_eq!(failure(setting.file(nobody).await).code, Code::NotFound);
    setting.publish().await.unwrap();
    setting.clock.set("2024-10-14");
    setting.approve().await.unwrap();
    let after = failure(setting.file(setting.objection("试异议人", "")).await);
    assert_eq!(after.is(), (Code::FailedPrecondition, "CASE_DECIDED"));
}

pub async fn who_objects_is_sealed(store: Store) {
    const NAME: &str = "秘异议人";
    const CONTACT: &str = "secret-objector@example.org";
    const REQUEST: &str = "0191f3a0-5c1e-7d2a-9b3c-4d5e6f708192";
    let mut setting = NoticeFixture::on_notice(store, terms()).await;
    let mut answers: Vec<Vec<u8>> = Vec::new();
    let given = FileObjectionRequest {
        objection: Some(setting.objection(NAME, CONTACT)),
        request_id: REQUEST.to_owned(),
        validate_only: false,
    };
    let dry = FileObjectionRequest {
        request_id: String::new(),
        validate_only: true,
        ..given.clone()
    };
    let mut client = setting.register.cases();
    answers.push(client.file_objection(dry).await.unwrap().into_inner().encode_to_vec());
    let filed = client.file_objection(given.clone()).await.unwrap().into_inner();
    answers.push(filed.encode_to_vec());
    assert!(filed.named);
    // The same call again answers the same; with another objector it is another call.
    let again = client.file_objection(given.clone()).await.unwrap().into_inner();
    assert_eq!(again, filed);
    let other = FileObjectionRequest {
        objection: Some(setting.objection("另一异议人", CONTACT)),
        ..given
    };
    let reused = failure(client.file_objection(other).await);
    assert_eq!(reused.is(), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
    answers.push(setting.read(&filed).await.encode_to_vec());
    answers.push(setting.accept(&filed).await.unwrap().encode_to_vec());
    let list = ListObjectionsRequest {
        view: View::Full as i32,
        ..ListObjectionsRequest::default()
    };
    let page = client.list_objections(list).await.unwrap().into_inner();
    assert_eq!(page.objections.len(), 1);
    answers.push(page.encode_to_vec());
    for unknown in ["objector_name = \"秘异议人\"", "objector_contact : \"secret\""] {
        let list = ListObjectionsRequest {
            filter: unknown.to_owned(),
            ..ListObjectionsRequest::default()
        };
        assert_eq!(failure(client.list_objections(list).await).code, Code::InvalidArgument);
    }
    let history = ListCaseRevisionsRequest {
        name: filed.name.clone(),
        ..ListCaseRevisionsRequest::default()
    };
    let history = client.list_case_revisions(history).await.unwrap().into_inner();
    let verbs: Vec<_> = history.revisions.iter().map(|entry| entry.verb.as_str()).collect();
    assert_eq!(verbs, ["accept", "file"]);
    answers.push(history.encode_to_vec());
    let history = ListRevisionsRequest {
        name: setting.case.clone(),
        ..ListRevisionsRequest::default()
    };
    let history = setting
        .register
        .labs()
        .list_revisions(history)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(history.revisions[0].verb, "object");
    answers.push(history.encode_to_vec());
    answers.push(setting.now().await.encode_to_vec());
    for answer in &answers {
        assert!(!has(answer, NAME) && !has(answer, CONTACT));
    }
    // The tasks of the client end before its register does.
    drop(client);
    let ran = setting.register.stop();
    for said in [ran.stdout, ran.stderr] {
        assert!(!said.contains(NAME) && !said.contains(CONTACT), "{said}");
    }
    if store == Store::Sqlite {
        let mut files = 0;
        for entry in fs::read_dir(setting.register.data()).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(!has(&bytes, NAME) && !has(&bytes, CONTACT));
            files += usize::from(has(&bytes, "工商登记材料"));
        }
        assert!(files > 0, "what is not sealed lies there in plain");
    } else {
        for (table, column) in [("objections", "body"), ("ledger", "snapshot")] {
            let rows = format!("SELECT COUNT(*) FROM {table} AS t WHERE POSITION('\\x{{}}'::bytea IN t.{column}) > 0");
            for (text, is_there) in [(NAME, false), (CONTACT, false), ("工商登记材料", true)] {
                let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                let found = setting.register.number(&rows.replace("{}", &hex)).await;
                assert_eq!(found > 0, is_there, "{text} in {table}");
            }
        }
    }
}

pub async fn a_statement_that_names_who_objects_is_refused(store: Store) {
    let setting = NoticeFixture::on_notice(store, terms()).await;
    let says_so = |refused: &Failure, field: &str| {
        assert_eq!(refused.is(), (Code::InvalidArgument, "STATEMENT_NAMES_OBJECTOR"));
        assert_eq!(refused.fields, [field]);
        let whole = format!("{refused:?}");
        assert!(!whole.contains("试异议人") && !whole.contains("13900000000"), "{whole}");
    };
    let named = Objection {
        statement: "本人试异议人认为公示内容不实".to_owned(),
        ..setting.objection("试异议人", "13900000000")
    };
    says_so(&failure(setting.file(named).await), "objection.statement");
    let reached = Objection {
        statement: "公示内容不实，请致电13900000000".to_owned(),
        ..setting.objection("试异议人", "13900000000")
    };
    says_so(&failure(setting.file(reached).await), "objection.statement");
    let shown = Objection {
        evidence: vec!["合同".to_owned(), "试异议人的劳动合同".to_owned()],
        ..setting.objection("试异议人", "13900000000")
    };
    says_so(&failure(setting.file(shown).await), "objection.evidence[1]");
    assert_eq!(setting.facts().await.open_objections, Vec::<String>::new());
    // Nor does what was found say it.
    let filed = setting.filed("试异议人").await;
    setting.accept(&filed).await.unwrap();
    let dismiss = DismissObjectionRequest {
        name: filed.name.clone(),
        finding: "试异议人所称不实".to_owned(),
        ..DismissObjectionRequest::default()
    };
    let found = failure(setting.register.cases().dismiss_objection(dismiss).await);
    says_so(&found, "objection.finding");
    assert_eq!(setting.read(&filed).await.state(), ObjectionState::InInvestigation);
}
