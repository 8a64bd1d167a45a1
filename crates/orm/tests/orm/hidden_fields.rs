//! Fields that a caller does not see: in filters, orders, counts, masks, lookups and the history they are as fields that do
//! not exist. What the caller sees is answered as to everybody.

use mingce_orm::{Class, Collection, Error, List, Mask, RequestContext, Since, Store};
use mingce_proto::Classes;
use mingce_proto::awards::{Award, AwardState, SchemeReference};
use mingce_proto::labs::Organization;
use mingce_proto::registry::{ComputeStatisticsRequest, FieldClass, Identifier};
use mingce_proto::talent::Talent;

use crate::collections::{Institutes, Persons, Prizes};
use crate::fixture_db::{FixtureDb, Kind, Read, block_on, call, cx, make, store, vault};

const PUBLIC: Classes = Classes::of(&[FieldClass::Public]);
const OFFICE: Classes = PUBLIC.with(FieldClass::Internal);
const PERSONS: Classes = OFFICE.with(FieldClass::Personal);

fn seeing(visible: Classes) -> RequestContext {
    RequestContext {
        visible,
        ..cx("user:reader")
    }
}

/// What is said of a field, with another name in the place of its own.
fn said(error: &Error, name: &str) -> String {
    format!("{error:?}").replace(name, "…")
}

fn award(title: &str, year: i32) -> Award {
    let scheme = SchemeReference {
        scheme: "schemes/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
        ..SchemeReference::default()
    };
    Award {
        title: title.to_owned(),
        year,
        scheme: Some(scheme),
        evidence: vec!["10.1000/182".to_owned()],
        classified: true,
        state: AwardState::Conferred.into(),
        ..Award::default()
    }
}

async fn counted(store: &Store, cx: &RequestContext, change: impl Fn(&mut ComputeStatisticsRequest)) -> Option<Error> {
    let mut wanted = ComputeStatisticsRequest::default();
    change(&mut wanted);
    store.count::<Prizes>(cx, &wanted).await.err()
}

async fn hidden_columns_do_not_exist(kind: Kind) {
    let (_fixture, db) = FixtureDb::new(kind).await;
    let store = store(&db);
    for (title, year) in [("b", 2023), ("a", 2023), ("c", 2024)] {
        make::<Prizes>(&store, award(title, year)).await;
    }
    let public = seeing(PUBLIC);
    for (hidden, other) in [("classified", "klassified"), ("evidence", "evidenze")] {
        let refused = async |name: &str| {
            let mut all = Vec::new();
            for text in [
                "{}:*",
                "{} = 1",
                "{} > 3",
                "year = 2023 AND NOT ({} != x)",
                "{}",
                "{} 1",
            ] {
                let expression = text.replace("{}", name);
                let list = List {
                    filter: &expression,
                    ..List::default()
                };
                all.push(store.list::<Prizes>(&public, list).await.unwrap_err());
                all.extend(counted(&store, &public, |wanted| wanted.filter.clone_from(&expression)).await);
            }
            for text in ["{}", "{} desc", "year, {}", "{} {}"] {
                let order = text.replace("{}", name);
                let list = List {
                    order_by: &order,
                    ..List::default()
                };
                all.push(store.list::<Prizes>(&public, list).await.unwrap_err());
            }
            all.extend(counted(&store, &public, |wanted| wanted.group_by = vec![name.to_owned()]).await);
            all.extend(counted(&store, &public, |wanted| name.clone_into(&mut wanted.count)).await);
            all
        };
        let (of_hidden, of_other) = (refused(hidden).await, refused(other).await);
        assert_eq!((of_hidden.len(), of_other.len()), (18, 18));
        for (one, another) in of_hidden.iter().zip(&of_other) {
            assert_eq!(said(one, hidden), said(another, other));
        }
        // Of what there is, it is not named.
        let none = List {
            filter: "colour = 1",
            ..List::default()
        };
        let refused = store.list::<Prizes>(&public, none).await.unwrap_err();
        assert!(
            refused.message().contains("`year`") && !refused.message().contains(hidden),
            "{refused}"
        );
    }
    // Who sees it is answered.
    assert!(
        counted(&store, &seeing(OFFICE), |wanted| wanted.group_by =
            vec!["classified".to_owned()])
        .await
        .is_none()
    );
    let everything = store.list::<Prizes>(&cx("user:reader"), List::default()).await.unwrap();
    let shown = store.list::<Prizes>(&public, List::default()).await.unwrap();
    assert_eq!(everything.items().unwrap(), shown.items().unwrap());
    let titles = shown.items().unwrap().into_iter().map(|award| award.title);
    assert_eq!(titles.collect::<Vec<_>>(), ["c", "a", "b"]);
    // Records that name another one in a hidden field do not name it.
    let cited = async |visible| {
        let kinds = [&Prizes::shape().kind];
        let name = "schemes/01jd2k3m4n5p6q7r8s9t0v1w2x";
        let (found, _) = store
            .cited(&seeing(visible), &kinds, name, Since::Sequence(0))
            .await
            .unwrap();
        found.len()
    };
    assert_eq!((cited(Classes::ALL).await, cited(Classes::NONE).await), (3, 0));
    db.close().await;
}

async fn a_change_of_hidden_fields_alone_did_not_happen(kind: Kind) {
    let (_fixture, db) = FixtureDb::new(kind).await;
    let store = Store::new(db.clone(), Some(vault()));
    let person = Talent {
        display_name: "张示一".to_owned(),
        birth_date: "1949".to_owned(),
        ..Talent::default()
    };
    let made = make::<Persons>(&store, person).await;
    for (path, change) in [
        (
            "title",
            Talent {
                title: "教授".to_owned(),
                ..made.clone()
            },
        ),
        (
            "birth_date",
            Talent {
                birth_date: "1950".to_owned(),
                ..made.clone()
            },
        ),
        (
            "display_name",
            Talent {
                display_name: "张示二".to_owned(),
                ..made.clone()
            },
        ),
    ] {
        let change = Talent {
            etag: String::new(),
            ..change
        };
        let mask = Mask::parse::<Persons>(&[path.to_owned()], &change, Classes::ALL).unwrap();
        store
            .update::<Persons>(&cx("user:clerk"), call(), change, mask)
            .await
            .read()
            .unwrap();
    }
    let kinds = [&Persons::shape().kind];
    let told = async |visible| {
        let (entries, _) = store
            .history(&seeing(visible), &kinds, &made.name, 10, "")
            .await
            .unwrap();
        let fields = entries.into_iter().map(|entry| entry.changed_fields.join(","));
        fields.collect::<Vec<_>>()
    };
    let all = told(Classes::ALL).await;
    assert_eq!(all.len(), 4);
    assert_eq!(told(PERSONS).await, all);
    let office = told(OFFICE).await;
    assert_eq!(office.len(), 3, "{office:?}");
    assert!(office.iter().all(|fields| !fields.contains("birth_date")), "{office:?}");
    let public = told(PUBLIC).await;
    assert_eq!(public.len(), 2, "{public:?}");
    assert!(
        public
            .iter()
            .all(|fields| fields.contains("display_name") && !fields.contains("title"))
    );
    // Page by page, a page that tells nothing leads on.
    let (first, next) = store.history(&seeing(PUBLIC), &kinds, &made.name, 2, "").await.unwrap();
    let (second, end) = store
        .history(&seeing(PUBLIC), &kinds, &made.name, 2, &next)
        .await
        .unwrap();
    assert_eq!((first.len(), second.len(), end.as_str()), (1, 1, ""));
    db.close().await;
}

async fn a_hidden_identifier_finds_nothing(kind: Kind) {
    let (_fixture, db) = FixtureDb::new(kind).await;
    let store = store(&db);
    let identifier = |value: &str| Identifier {
        scheme: "sample".to_owned(),
        value: value.to_owned(),
    };
    let institute = Organization {
        display_name: "甲大学".to_owned(),
        identifiers: vec![identifier("S-1")],
        ..Organization::default()
    };
    let made = make::<Institutes>(&store, institute).await;
    let find = async |value: &str, visible| {
        let wanted = identifier(value);
        store
            .get_by_identifier::<Institutes>(&seeing(visible), Some(&wanted), 0)
            .await
            .read()
    };
    assert_eq!(find("S-1", Classes::ALL).await.unwrap(), made);
    let (hidden, unknown) = (
        find("S-1", Classes::NONE).await.unwrap_err(),
        find("S-2", Classes::ALL).await.unwrap_err(),
    );
    assert_eq!(hidden.class(), Class::NotFound);
    assert_eq!(format!("{hidden:?}"), format!("{unknown:?}"));
    // Neither do the words of a name that is hidden.
    let found = async |visible| {
        let page = store
            .search::<Institutes>(&seeing(visible), "甲大学", 10, "", 0)
            .await
            .unwrap();
        page.items().unwrap().len()
    };
    assert_eq!((found(PUBLIC).await, found(Classes::NONE).await), (1, 0));
    db.close().await;
}

#[test]
fn hidden_columns_do_not_exist_on_both_databases() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(hidden_columns_do_not_exist(kind));
    }
}

#[test]
fn a_change_of_hidden_fields_alone_did_not_happen_on_both_databases() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(a_change_of_hidden_fields_alone_did_not_happen(kind));
    }
}

#[test]
fn a_hidden_identifier_finds_nothing_on_both_databases() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(a_hidden_identifier_finds_nothing(kind));
    }
}

/// The fields of a mask as those of what it takes.
fn taken(paths: &[&str], given: &Talent, visible: Classes) -> Result<Talent, Error> {
    let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    Mask::parse::<Persons>(&paths, given, visible)?.only::<Persons>(given)
}

#[test]
fn a_mask_has_no_hidden_field() {
    let given = Talent {
        display_name: "张示一".to_owned(),
        title: "教授".to_owned(),
        nationality: "CN".to_owned(),
        identity_document: "E12345678-invented".to_owned(),
        ..Talent::default()
    };
    for (hidden, other, visible) in [
        ("title", "titel", PUBLIC),
        ("nationality", "nationalitee", OFFICE),
        ("identity_document", "identity_dokument", OFFICE),
        // One that nobody can set is no more known.
        ("etag", "etog", PUBLIC),
    ] {
        let refused = |name: &str| taken(&[name], &given, visible).unwrap_err();
        assert_eq!(refused(hidden).violations()[0].reason, "MASK_FIELD_UNKNOWN");
        assert_eq!(said(&refused(hidden), hidden), said(&refused(other), other));
    }
    // What is sealed is given by who sees what is personal.
    assert_eq!(
        taken(&["identity_document"], &given, PERSONS)
            .unwrap()
            .identity_document,
        given.identity_document
    );
    // Whoever sends everything sends what there is to be seen, and takes nothing away of what is not.
    for paths in [&[][..], &["*"]] {
        let office = taken(paths, &given, OFFICE).unwrap();
        let seen = Talent {
            nationality: String::new(),
            identity_document: String::new(),
            ..given.clone()
        };
        assert_eq!(office, seen, "{paths:?}");
        assert_eq!(taken(paths, &given, PERSONS).unwrap(), given, "{paths:?}");
    }
    let stored = Talent {
        nationality: "FR".to_owned(),
        ..given.clone()
    };
    let emptied = Talent::default();
    let mask = Mask::parse::<Persons>(&["*".to_owned()], &emptied, OFFICE).unwrap();
    let left = mask.apply::<Persons>(&stored, &emptied).unwrap();
    assert_eq!((left.nationality.as_str(), left.title.as_str()), ("FR", ""));
    assert_eq!(left.identity_document, stored.identity_document);
}

#[test]
fn a_correction_has_no_hidden_field() {
    let among = |path: &str, visible| {
        let fields = ["display_name", "title", "nationality"];
        Mask::among::<Persons>(&[path.to_owned()], &fields, visible)
    };
    for (hidden, other, visible) in [("title", "titel", PUBLIC), ("nationality", "nationalitee", OFFICE)] {
        let (one, another) = (among(hidden, visible).unwrap_err(), among(other, visible).unwrap_err());
        assert_eq!(said(&one, hidden), said(&another, other));
        assert!(among(hidden, PERSONS).is_ok() && among("display_name", visible).is_ok());
    }
}

#[test]
fn where_the_register_reads_for_itself_it_sees_everything_for_the_same_caller() {
    let caller = seeing(PUBLIC);
    let itself = caller.seeing_all();
    assert_eq!((itself.visible, caller.visible), (Classes::ALL, PUBLIC));
    assert_eq!((&itself.actor, itself.now), (&caller.actor, caller.now));
}
