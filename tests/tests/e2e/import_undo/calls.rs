//! The calls that take an import back: in pages, as a trial, and once.

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::registry::{ImportState, UndoImportRequest};
use tonic::Code;

use super::{load, numbers, undo};
use crate::builders::{made, organization, read, updated};
use crate::imports::{called, newest};

on_both_stores!(
    an_undo_goes_page_by_page_and_goes_on_where_it_stopped,
    an_undo_is_tried_and_done_once,
);

async fn an_undo_goes_page_by_page_and_goes_on_where_it_stopped(store: Store) {
    let register = Register::start(store).await;
    let text: String = (0..7).map(|n| format!("示例单位{n}\n")).collect();
    load(&register, "o.csv", &format!("display_name\n{text}"), "organizations");
    let import = newest(&register).await;
    let mut kept = called(&register, "示例单位6").await;
    kept.city = "青岛".to_owned();
    updated(&register, kept, &["city"]).await;
    let mut request = UndoImportRequest {
        page_size: 3,
        ..undo(&import)
    };
    let first = register
        .imports()
        .undo_import(request.clone())
        .await
        .unwrap()
        .into_inner();
    let after = first.import.unwrap();
    assert_eq!((after.state(), numbers(&after)), (ImportState::PartlyUndone, (2, 0, 1)));
    // Begun anew it comes to the same.
    let mut pages = 0;
    let last = loop {
        let answer = register
            .imports()
            .undo_import(request.clone())
            .await
            .unwrap()
            .into_inner();
        pages += 1;
        if answer.next_page_token.is_empty() {
            break answer.import.unwrap();
        }
        request.page_token = answer.next_page_token;
    };
    assert_eq!(
        (pages, last.state(), numbers(&last)),
        (3, ImportState::PartlyUndone, (6, 0, 1))
    );
    let of_other = failure(
        register
            .imports()
            .undo_import(UndoImportRequest {
                name: "imports/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
                ..request.clone()
            })
            .await,
    );
    assert_eq!(of_other.code, Code::NotFound);
    request.page_token = "nonsense".to_owned();
    let malformed = failure(register.imports().undo_import(request).await);
    assert_eq!(malformed.is(), (Code::InvalidArgument, "PAGE_TOKEN_MALFORMED"));
}

async fn an_undo_is_tried_and_done_once(store: Store) {
    let register = Register::start(store).await;
    let known = made(&register, organization("示例旧单位")).await;
    load(
        &register,
        "o.csv",
        "display_name,city\n示例旧单位,青岛\n示例新单位,青岛\n",
        "organizations",
    );
    let import = newest(&register).await;
    let send = async |request: UndoImportRequest| register.imports().undo_import(request).await;
    let tried = UndoImportRequest {
        validate_only: true,
        ..undo(&import)
    };
    let would = send(tried).await.unwrap().into_inner().import.unwrap();
    assert_eq!((would.state(), numbers(&would)), (ImportState::Undone, (1, 1, 0)));
    let said = register
        .cli(&["undo", &import.run, "--reason", "误导入", "--dry-run"])
        .succeeded();
    assert!(
        said.contains("would be taken back: 1 annulled, 1 set back; 0 stay"),
        "{said}"
    );
    assert_eq!(newest(&register).await, import);
    assert_eq!(read(&register, &known.name).await.city, "青岛");
    let refused = failure(
        send(UndoImportRequest {
            reason: String::new(),
            ..undo(&import)
        })
        .await,
    );
    assert_eq!(refused.fields, ["reason"]);
    let stale = UndoImportRequest {
        etag: "\"r1\"".to_owned(),
        ..undo(&import)
    };
    assert_eq!(failure(send(stale).await).is(), (Code::Aborted, "ETAG_MISMATCH"));
    let once = UndoImportRequest {
        request_id: "6b3b0c1e-4a43-4c8e-9a1d-2f1d3c5b7a90".to_owned(),
        etag: import.etag.clone(),
        ..undo(&import)
    };
    let first = send(once.clone()).await.unwrap().into_inner();
    // A retry finds it at another etag, and is answered all the same.
    let again = send(once.clone()).await.unwrap().into_inner();
    assert_eq!(first, again);
    let other = UndoImportRequest {
        reason: "另一原因".to_owned(),
        etag: String::new(),
        ..once
    };
    assert_eq!(
        failure(send(other).await).is(),
        (Code::InvalidArgument, "REQUEST_ID_REUSED")
    );
    assert_eq!(read(&register, &known.name).await.city, "");
    let unknown = register.cli(&["undo", "nothing-of-it", "--reason", "误导入"]);
    assert!(unknown.failed_with_one_line().contains("there is no such import"));
}
