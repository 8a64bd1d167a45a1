//! What falls due of cases and rounds, by day and kind.

use mingce_e2e::cases::{Clock, load};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::ReturnLabDesignationRequest;
use mingce_proto::registry::{DueKind, DueWork, LabDesignationTerms, ListDueWorkRequest, ListDueWorkResponse};
use tonic::{Code, Status};

use super::labs_policy;
use crate::lab_fixture::{approved, draft, easy, in_review, opened, published, submitted};

on_both_stores!(due_work_is_listed_by_day_and_kind_in_pages);

async fn due(register: &Register, request: ListDueWorkRequest) -> Result<ListDueWorkResponse, Status> {
    let answer = register.cases().list_due_work(request).await;
    answer.map(tonic::Response::into_inner)
}

fn wanted(collection: &str, until_date: &str, due: DueKind) -> ListDueWorkRequest {
    ListDueWorkRequest {
        collection: collection.to_owned(),
        until_date: until_date.to_owned(),
        due: due as i32,
        ..ListDueWorkRequest::default()
    }
}

fn said(work: &[DueWork]) -> Vec<(&str, DueKind, bool)> {
    work.iter()
        .map(|work| (work.date.as_str(), work.due(), work.automatic))
        .collect()
}

async fn due_work_is_listed_by_day_and_kind_in_pages(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = Register::start_at(store, &clock).await;
    let terms = LabDesignationTerms {
        building_months: 2,
        ..easy()
    };
    load(&register, labs_policy(terms)).await;
    let round = opened(&register, "2024-03-10", "2024-12-20", &[]).await;
    let [building, noticed, returned, boundless] = [
        draft(&register, "试用实验室甲", &round).await,
        draft(&register, "试用实验室乙", &round).await,
        draft(&register, "试用实验室丙", &round).await,
        draft(&register, "试用实验室丁", &round).await,
    ];
    in_review(&register, &building.name).await;
    published(&register, &building.name).await.unwrap();
    clock.set("2024-03-14");
    // Its building term: to 13 May.
    let answer = approved(&register, &building.name).await.unwrap();
    assert_eq!(answer.building_end_date, "2024-05-13");
    in_review(&register, &noticed.name).await;
    published(&register, &noticed.name).await.unwrap();
    for (case, due_date) in [(&returned, "2024-04-10"), (&boundless, "")] {
        submitted(&register, &case.name).await.unwrap();
        let back = ReturnLabDesignationRequest {
            name: case.name.clone(),
            reason: "材料不全".to_owned(),
            due_date: due_date.to_owned(),
            ..ReturnLabDesignationRequest::default()
        };
        register.lab_cases().return_lab_designation(back).await.unwrap();
    }
    let everything = [
        ("2024-03-16", DueKind::NoticeEnds, false),
        ("2024-04-10", DueKind::Resubmission, false),
        ("2024-05-13", DueKind::BuildingEnds, false),
    ];
    // Behind them waits what was returned without a day.
    let waiting = ("", DueKind::Resubmission, false);
    let and_waiting = |dated: &[(&'static str, DueKind, bool)]| [dated, &[waiting]].concat();
    let labs = |until: &str, kind: DueKind| wanted("labDesignations", until, kind);
    let answer = due(&register, labs("2024-12-31", DueKind::Unspecified)).await.unwrap();
    assert_eq!(said(&answer.due_work), and_waiting(&everything));
    let names: Vec<_> = answer.due_work.iter().map(|work| work.name.as_str()).collect();
    assert_eq!(names, [&noticed.name, &returned.name, &building.name, &boundless.name]);
    assert_eq!(answer.due_work[2].display_name, "试用实验室甲·区级重点实验室");
    // By day: that day is in, the day before is not. Without a day: today.
    for (until, count) in [
        ("2024-03-15", 0),
        ("2024-03-16", 1),
        ("2024-05-12", 2),
        ("2024-05-13", 3),
        ("", 0),
    ] {
        let answer = due(&register, labs(until, DueKind::Unspecified)).await.unwrap();
        assert_eq!(
            said(&answer.due_work),
            and_waiting(&everything[..count]),
            "until {until:?}"
        );
    }
    clock.set("2024-03-16");
    let answer = due(&register, labs("", DueKind::Unspecified)).await.unwrap();
    assert_eq!(said(&answer.due_work), and_waiting(&everything[..1]));
    // By kind.
    for (kind, expected) in [
        (DueKind::NoticeEnds, everything[..1].to_vec()),
        (DueKind::Resubmission, and_waiting(&everything[1..2])),
        (DueKind::BuildingEnds, everything[2..].to_vec()),
        (DueKind::Evaluation, Vec::new()),
    ] {
        let answer = due(&register, labs("2024-12-31", kind)).await.unwrap();
        assert_eq!(said(&answer.due_work), expected, "{kind:?}");
    }
    // In pages.
    let mut request = ListDueWorkRequest {
        page_size: 2,
        ..labs("2024-12-31", DueKind::Unspecified)
    };
    let first = due(&register, request.clone()).await.unwrap();
    assert_eq!(said(&first.due_work), everything[..2]);
    request.page_token = first.next_page_token;
    let second = due(&register, request.clone()).await.unwrap();
    assert_eq!(
        (said(&second.due_work), second.next_page_token.as_str()),
        (and_waiting(&everything[2..]), "")
    );
    request.until_date = "2024-11-30".to_owned();
    let why = failure(due(&register, request.clone()).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "PAGE_TOKEN_OTHER_QUERY"), "{why:?}");
    request.page_token = "?".to_owned();
    let why = failure(due(&register, request).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "PAGE_TOKEN_MALFORMED"), "{why:?}");
    // Rounds, which end by themselves.
    let answer = due(&register, wanted("rounds", "2024-12-21", DueKind::Unspecified))
        .await
        .unwrap();
    assert_eq!(said(&answer.due_work), [("2024-12-21", DueKind::RoundEnds, true)]);
    assert_eq!(
        (&answer.due_work[0].name, &answer.due_work[0].display_name),
        (&round.name, &round.display_name)
    );
    let answer = due(&register, wanted("rounds", "2024-12-20", DueKind::Unspecified))
        .await
        .unwrap();
    assert_eq!(said(&answer.due_work), []);
    for (collection, until, reason) in [
        ("labs", "", "COLLECTION_UNKNOWN"),
        ("labDesignations", "2024-02-30", "DATE_INVALID"),
    ] {
        let why = failure(due(&register, wanted(collection, until, DueKind::Unspecified)).await);
        assert_eq!(why.is(), (Code::InvalidArgument, reason), "{why:?}");
    }
    // What is done is not due any more.
    approved(&register, &noticed.name).await.unwrap();
    let answer = due(&register, labs("2024-04-30", DueKind::Unspecified)).await.unwrap();
    assert_eq!(said(&answer.due_work), and_waiting(&everything[1..2]));
}
