//! Filters of due work: for one who acts, of one kind, of one case, of one round.

use super::*;

pub async fn a_list_is_filtered_by_who_acts_and_by_kind(store: Store) {
    let year = Everything::begin(store, None).await;
    let register = &year.register;
    let all = due(register, until("2025-12-31")).await;
    let actors = [
        DueActor::Applicant,
        DueActor::NominatingBody,
        DueActor::Office,
        DueActor::Reviewer,
        DueActor::Decider,
        DueActor::Register,
    ];
    for actor in actors {
        let request = ListDueWorkRequest {
            actor: actor as i32,
            ..until("2025-12-31")
        };
        let expected: Vec<DueWork> = all.iter().filter(|work| work.actor() == actor).cloned().collect();
        assert_eq!(due(register, request).await, expected, "{actor:?}");
    }
    for number in 1..=15 {
        let kind = DueKind::try_from(number).unwrap();
        let request = ListDueWorkRequest {
            due: number,
            ..until("2025-12-31")
        };
        let expected: Vec<DueWork> = all.iter().filter(|work| work.due() == kind).cloned().collect();
        assert_eq!(due(register, request).await, expected, "{kind:?}");
    }
    // Both.
    let request = ListDueWorkRequest {
        due: DueKind::Review as i32,
        actor: DueActor::Office as i32,
        ..until("2025-12-31")
    };
    let work = due(register, request).await;
    let titles: Vec<&str> = work.iter().map(|work| work.display_name.as_str()).collect();
    assert_eq!(titles, [format!("试未组室·{PROGRAMME}")]);
    // Of one case: the case, its objections, its reviews.
    let of_case = |case: &str| ListDueWorkRequest {
        case_name: case.to_owned(),
        ..until("2025-12-31")
    };
    let work = due(register, of_case(&year.objected)).await;
    assert_eq!(
        said(&work),
        [
            ("2024-03-13", DueKind::NoticeEnds, DueActor::Decider),
            ("", DueKind::Objection, DueActor::Office)
        ]
    );
    let work = due(register, of_case(&year.reviewed)).await;
    assert_eq!(said(&work), [("", DueKind::Review, DueActor::Reviewer); 2]);
    // In pages too.
    let mut request = ListDueWorkRequest {
        page_size: 1,
        ..of_case(&year.objected)
    };
    let first = tried(register, request.clone()).await.unwrap();
    request.page_token = first.next_page_token;
    let second = tried(register, request).await.unwrap();
    let both = [first.due_work, second.due_work].concat();
    assert_eq!((both.len(), second.next_page_token.as_str()), (2, ""));
    assert_eq!(both, due(register, of_case(&year.objected)).await);
    // Of one round: its cases, what is about them, and itself.
    let request = ListDueWorkRequest {
        round: year.round.clone(),
        ..until("2025-12-31")
    };
    let expected: Vec<DueWork> = all.iter().filter(|work| work.round == year.round).cloned().collect();
    assert_eq!(expected.len(), 5, "{all:#?}");
    assert_eq!(due(register, request).await, expected);
}
