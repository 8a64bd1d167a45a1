//! Record matching: which record a row of an import means, by what it is known, what says that it is another one, and
//! rows of one run that mean the same.

use std::fs;

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{ImportLabsRequest, ImportOrganizationsRequest, Lab, LabHost, Organization};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{Identifier, ImportSettings, Name, NameKind, OrganizationReference, RowOutcome};
use mingce_proto::talent::{ImportTalentsRequest, Talent};
use prost_types::FieldMask;

use crate::builders::{count, identifier, made, organization, read, update, updated};

on_both_stores!(
    a_row_that_shares_an_identifier_and_is_of_another_subject_is_refused,
    a_name_of_old_serves_a_reference_and_no_row_with_identifiers,
    labs_of_one_name_and_other_hosts_are_other_labs,
    a_second_row_of_a_run_that_means_one_record_and_differs_is_refused,
    a_file_of_several_streams_is_one_run_and_its_dry_run_says_the_same,
    a_row_that_renames_keeps_the_old_name_as_a_former_one,
    a_row_of_an_old_export_does_not_overwrite_what_was_changed_since,
    an_export_goes_into_an_empty_register,
    the_same_messy_file_a_second_time_changes_nothing,
);

/// What became of organizations that are sent as one stream.
async fn organizations(register: &Register, rows: &[Organization], settings: ImportSettings) -> Vec<RowOutcome> {
    let requests = (1..)
        .zip(rows.to_vec())
        .map(|(row, organization)| ImportOrganizationsRequest {
            settings: (row == 1).then(|| settings.clone()),
            row,
            organization: Some(organization),
        });
    let requests: Vec<_> = requests.collect();
    let mut service = register.labs();
    let answer = service.import_organizations(tokio_stream::iter(requests)).await;
    answer.unwrap().into_inner().outcomes
}

async fn labs(register: &Register, rows: &[Lab]) -> Vec<RowOutcome> {
    let requests = (1..).zip(rows.to_vec()).map(|(row, lab)| ImportLabsRequest {
        settings: None,
        row,
        lab: Some(lab),
    });
    let requests: Vec<_> = requests.collect();
    let mut service = register.labs();
    let answer = service.import_labs(tokio_stream::iter(requests)).await;
    answer.unwrap().into_inner().outcomes
}

async fn talents(register: &Register, rows: &[Talent]) -> Vec<RowOutcome> {
    let requests = (1..).zip(rows.to_vec()).map(|(row, talent)| ImportTalentsRequest {
        settings: None,
        row,
        talent: Some(talent),
    });
    let requests: Vec<_> = requests.collect();
    let mut service = register.talent();
    let answer = service.import_talents(tokio_stream::iter(requests)).await;
    answer.unwrap().into_inner().outcomes
}

/// How each row ended: one letter, and for those that were refused the reason.
fn ends(outcomes: &[RowOutcome]) -> Vec<&str> {
    let end = |outcome: &'_ RowOutcome| match outcome.outcome() {
        Outcome::Created => "created",
        Outcome::Updated => "updated",
        Outcome::Unchanged => "unchanged",
        _ => "",
    };
    outcomes
        .iter()
        .map(|outcome| match outcome.problems.first() {
            Some(problem) => problem.reason.as_str(),
            None => end(outcome),
        })
        .collect()
}

fn held(scheme: &str, value: &str) -> Identifier {
    Identifier {
        scheme: scheme.to_owned(),
        value: value.to_owned(),
    }
}

fn person(display_name: &str, identifiers: Vec<Identifier>, identity_document: &str) -> Talent {
    Talent {
        display_name: display_name.to_owned(),
        identifiers,
        identity_document: identity_document.to_owned(),
        ..Talent::default()
    }
}

fn known(display_name: &str, identifiers: Vec<Identifier>) -> Organization {
    Organization {
        identifiers,
        ..organization(display_name)
    }
}

async fn a_row_that_shares_an_identifier_and_is_of_another_subject_is_refused(store: Store) {
    let register = Register::start(store).await;
    let orcid = || held("orcid", "0000-0002-1825-0097");
    let first = person("甲一明", vec![orcid(), held("staff", "1001")], "P1234567");
    let told = talents(&register, std::slice::from_ref(&first)).await;
    assert_eq!(ends(&told), ["created"]);
    let name = &told[0].name;
    let wrong = [
        person("乙二亮", vec![orcid()], "P7654321"),
        person("甲一明", vec![orcid()], "P7654321"),
        person("乙二亮", vec![], "P1234567"),
        person("乙二亮", vec![held("staff", "1001")], ""),
        person(
            "甲一明",
            vec![held("staff", "1001"), held("orcid", "0000-0001-5109-3700")],
            "",
        ),
    ];
    let refused = talents(&register, &wrong).await;
    assert_eq!(ends(&refused), ["RECORDS_DISAGREE"; 5]);
    for outcome in &refused {
        assert!(
            outcome.problems[0].description.contains(name),
            "the holder: {outcome:?}"
        );
        assert!(!outcome.problems[0].description.contains("1234567"), "nothing sealed");
    }
    assert_eq!(
        ends(&talents(&register, &[first]).await),
        ["unchanged"],
        "nothing of it was overwritten"
    );
    // A number that more than one house gives makes no other surname or given name into the same person.
    let shared = |name: &str| person(name, vec![held("staff", "2002")], "");
    let rows = [
        shared("甲三"),
        shared("甲四"),
        shared("乙三"),
        shared("甲三丰"),
        shared("Jia San"),
    ];
    let told = talents(&register, &rows[..3]).await;
    assert_eq!(ends(&told), ["created", "RECORDS_DISAGREE", "RECORDS_DISAGREE"]);
    for row in &rows[3..] {
        assert_eq!(
            ends(&talents(&register, std::slice::from_ref(row)).await),
            ["updated"],
            "{}",
            row.display_name
        );
    }
    let born = |name: &str| Talent {
        birth_date: "1970".to_owned(),
        ..person(name, vec![held("staff", "3003")], "")
    };
    for (name, end) in [("甲三", "created"), ("甲四", "updated"), ("乙五", "RECORDS_DISAGREE")] {
        assert_eq!(
            ends(&talents(&register, &[born(name)]).await),
            [end],
            "{name}: the same year of birth"
        );
    }
    // A clerk who says which record is meant may mend what it is known by.
    let mended = Talent {
        name: name.clone(),
        ..person("乙二亮", vec![orcid(), held("staff", "1001")], "P7654321")
    };
    assert_eq!(ends(&talents(&register, &[mended]).await), ["updated"]);

    let wiki = || held("wiki", "Q1");
    let (one, other) = (held("ror", "05a28rw58"), held("ror", "00cmhce21"));
    let rows = [
        known("一号研究院", vec![wiki(), one.clone()]),
        known("一号研究院", vec![wiki(), other]),
        known("一号研究院", vec![one.clone(), held("wiki", "Q2")]),
    ];
    let told = organizations(&register, &rows[..2], ImportSettings::default()).await;
    assert_eq!(ends(&told), ["created", "RECORDS_DISAGREE"]);
    // What shares an identifier that one subject has alone may have another number of another scheme by now.
    let told = organizations(&register, &rows[2..], ImportSettings::default()).await;
    assert_eq!(ends(&told), ["updated"]);
    let stranger = known("Faculty of Poetry", vec![held("wiki", "Q2"), held("grid", "9")]);
    let named = known("Ministry of Rain", vec![held("grid", "9")]);
    let told = organizations(&register, std::slice::from_ref(&stranger), ImportSettings::default()).await;
    assert_eq!(ends(&told), ["updated"], "a name in another script says nothing");
    let told = organizations(&register, &[named], ImportSettings::default()).await;
    assert_eq!(ends(&told), ["RECORDS_DISAGREE"]);
}

async fn a_name_of_old_serves_a_reference_and_no_row_with_identifiers(store: Store) {
    let register = Register::start(store).await;
    let old = |text: &str, kind: NameKind| Name {
        text: text.to_owned(),
        kind: kind as i32,
        end_date: if kind == NameKind::Former { "2015-06-30" } else { "" }.to_owned(),
        ..Name::default()
    };
    let stays = made(
        &register,
        Organization {
            city: "青岛".to_owned(),
            names: vec![old("旧名学院", NameKind::Former), old("旧大", NameKind::Alias)],
            ..organization("新名大学")
        },
    )
    .await;
    let lab = |display_name: &str, host: &str| Lab {
        display_name: display_name.to_owned(),
        hosts: vec![LabHost {
            organization: Some(OrganizationReference {
                display_name: host.to_owned(),
                ..OrganizationReference::default()
            }),
            ..LabHost::default()
        }],
        ..Lab::default()
    };
    assert_eq!(
        ends(&labs(&register, &[lab("实验室一", "旧名学院")]).await),
        ["created"]
    );
    assert_eq!(count(&register).await, 1, "a reference by the old name finds it");
    let row = |name: &str, number: &str| Organization {
        city: "青岛".to_owned(),
        ..known(name, vec![identifier(number)])
    };
    let rows = [row("旧名学院", "7"), row("旧大", "8"), row("新名大学", "9")];
    let told = organizations(&register, &rows, ImportSettings::default()).await;
    assert_eq!(ends(&told), ["created", "created", "updated"]);
    assert_eq!(told[2].name, stays.name);
    // Now both have the name: the one that bears it today is meant.
    let told = labs(&register, &[lab("实验室二", "旧名学院"), lab("实验室三", "旧名学院")]).await;
    assert_eq!(ends(&told), ["created", "created"]);
    let bare = Organization {
        city: "青岛".to_owned(),
        website: "https://example.org".to_owned(),
        ..organization("旧名学院")
    };
    let told = organizations(&register, &[bare], ImportSettings::default()).await;
    assert_eq!(ends(&told), ["updated"]);
    assert_ne!(told[0].name, stays.name);
    assert_eq!(count(&register).await, 3);
}

async fn labs_of_one_name_and_other_hosts_are_other_labs(store: Store) {
    let register = Register::start(store).await;
    let lab = |host: &str| Lab {
        display_name: "海洋化学实验室".to_owned(),
        city: "青岛".to_owned(),
        hosts: vec![LabHost {
            organization: Some(OrganizationReference {
                display_name: host.to_owned(),
                ..OrganizationReference::default()
            }),
            ..LabHost::default()
        }],
        ..Lab::default()
    };
    let rows = [lab("第一大学"), lab("第二大学")];
    assert_eq!(ends(&labs(&register, &rows).await), ["created", "created"]);
    assert_eq!(ends(&labs(&register, &rows).await), ["unchanged", "unchanged"]);
    let unsaid = Lab {
        hosts: Vec::new(),
        ..lab("")
    };
    assert_eq!(ends(&labs(&register, &[unsaid]).await), ["RECORDS_DISAGREE"]);
}

async fn a_second_row_of_a_run_that_means_one_record_and_differs_is_refused(store: Store) {
    let register = Register::start(store).await;
    let row = |city: &str| Organization {
        city: city.to_owned(),
        ..known("甲研究所", vec![identifier("5")])
    };
    let rows = [row("青岛"), row("济南"), row("青岛")];
    let dry = ImportSettings {
        validate_only: true,
        ..ImportSettings::default()
    };
    for settings in [dry, ImportSettings::default()] {
        let told = organizations(&register, &rows, settings).await;
        assert_eq!(ends(&told), ["created", "ROW_TWICE", "unchanged"]);
        let said = &told[1].problems[0].description;
        assert!(said.contains("row 1") && said.contains("与第1行为同一条记录"), "{said}");
    }
    let told = organizations(&register, &rows, ImportSettings::default()).await;
    assert_eq!(ends(&told), ["unchanged", "ROW_TWICE", "unchanged"]);
    // Another run may say something else, and identifiers in another order are no change.
    assert_eq!(
        ends(&organizations(&register, &[row("济南")], ImportSettings::default()).await),
        ["updated"]
    );
    let both = known("甲研究所", vec![identifier("5"), held("grid", "6")]);
    assert_eq!(
        ends(&organizations(&register, std::slice::from_ref(&both), ImportSettings::default()).await),
        ["updated"]
    );
    let mut turned = both;
    turned.identifiers.reverse();
    let told = organizations(&register, &[turned.clone()], ImportSettings::default()).await;
    assert_eq!(ends(&told), ["unchanged"]);
    let stored = read(&register, &told[0].name).await;
    turned.name.clone_from(&stored.name);
    assert_eq!(updated(&register, turned, &["identifiers"]).await.etag, stored.etag);
}

async fn a_file_of_several_streams_is_one_run_and_its_dry_run_says_the_same(store: Store) {
    let register = Register::start(store).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, mapping) = (folder.path().join("list.csv"), folder.path().join("list.toml"));
    let fields =
        "display_name = \"{name}\"\ncity = \"{city}\"\nidentifiers = { scheme = \"number\", value = \"{number}\" }\n";
    fs::write(
        &mapping,
        format!("[[part]]\ncollection = \"organizations\"\n[part.fields]\n{fields}"),
    )
    .unwrap();
    let mut text = "name,city,number\n".to_owned();
    for row in 0..2_100 {
        text.push_str(&format!("研究所{row},青岛,{row}\n"));
    }
    text.push_str("研究所7,济南,7\n研究所8,青岛,8\n");
    fs::write(&file, text).unwrap();
    let (file, mapping) = (file.to_str().unwrap(), mapping.to_str().unwrap());
    for flags in [vec!["--dry-run"], vec![]] {
        let args = [vec!["import", file, "--as", mapping], flags].concat();
        let told = register.command(&args).output().unwrap();
        let said = String::from_utf8_lossy(&told.stdout).into_owned();
        assert_eq!(told.status.code(), Some(3), "{said}");
        assert!(
            said.contains("ROW_TWICE") && said.contains("与第9行为同一条记录"),
            "{said}"
        );
        let numbers: Vec<&str> = said
            .lines()
            .find(|l| l.contains("2102"))
            .unwrap()
            .split_whitespace()
            .collect();
        assert_eq!(numbers[1..], ["2102", "2100", "0", "1", "1"], "{said}");
    }
    assert_eq!(count(&register).await, 2_100);
}

async fn a_row_that_renames_keeps_the_old_name_as_a_former_one(store: Store) {
    let register = Register::start(store).await;
    let names = ImportSettings {
        update_mask: Some(FieldMask {
            paths: vec!["display_name".to_owned(), "names".to_owned()],
        }),
        ..ImportSettings::default()
    };
    let row = |name: &str| Organization {
        city: "青岛".to_owned(),
        ..known(name, vec![identifier("5")])
    };
    organizations(&register, &[row("某某学院")], names.clone()).await;
    let renamed = organizations(&register, &[row("某某大学")], names.clone()).await;
    let stored = read(&register, &renamed[0].name).await;
    assert_eq!((stored.display_name.as_str(), stored.names.len()), ("某某大学", 1));
    assert_eq!(
        (stored.names[0].text.as_str(), stored.names[0].kind()),
        ("某某学院", NameKind::Former)
    );
    assert_eq!(
        ends(&organizations(&register, &[row("某某大学")], names.clone()).await),
        ["unchanged"]
    );
    let listed = Lab {
        display_name: "实验室".to_owned(),
        hosts: vec![LabHost {
            organization: Some(OrganizationReference {
                display_name: "某某学院".to_owned(),
                ..OrganizationReference::default()
            }),
            ..LabHost::default()
        }],
        ..Lab::default()
    };
    assert_eq!(ends(&labs(&register, &[listed]).await), ["created"]);
    assert_eq!(count(&register).await, 1, "a list by the old name finds it");
    organizations(&register, &[row("某某学院")], names).await;
    let back = read(&register, &stored.name).await;
    assert_eq!((back.names.len(), back.names[0].text.as_str()), (1, "某某大学"));

    // There and back by rows that say nothing of other names: the name in use is not one of old too.
    for name in ["某某大学", "某某学院", "某某大学"] {
        organizations(&register, &[row(name)], ImportSettings::default()).await;
    }
    let there = read(&register, &stored.name).await;
    assert_eq!(there.display_name, "某某大学");
    assert_eq!((there.names.len(), there.names[0].text.as_str()), (1, "某某学院"));
}

async fn a_row_of_an_old_export_does_not_overwrite_what_was_changed_since(store: Store) {
    let register = Register::start(store).await;
    let exported = made(&register, known("甲研究所", vec![identifier("5")])).await;
    let changed = Organization {
        city: "青岛".to_owned(),
        ..exported.clone()
    };
    updated(&register, changed.clone(), &["city"]).await;
    let old = Organization {
        website: "https://example.org".to_owned(),
        ..exported.clone()
    };
    assert_eq!(
        ends(&organizations(&register, std::slice::from_ref(&old), ImportSettings::default()).await),
        ["ETAG_MISMATCH"]
    );
    assert_eq!(
        ends(&organizations(&register, &[exported], ImportSettings::default()).await),
        ["unchanged"]
    );
    let fresh = Organization {
        etag: read(&register, &old.name).await.etag,
        ..old
    };
    assert_eq!(
        ends(&organizations(&register, &[fresh], ImportSettings::default()).await),
        ["updated"]
    );
    let request = update(changed, &["city"]);
    assert!(
        register.labs().update_organization(request).await.is_err(),
        "the same in a call"
    );
}

async fn an_export_goes_into_an_empty_register(store: Store) {
    let (one, other) = (Register::start(store).await, Register::start(store).await);
    made(&one, known("甲研究所", vec![identifier("5")])).await;
    made(&one, organization("乙研究所")).await;
    let lab = Lab {
        display_name: "实验室".to_owned(),
        hosts: vec![LabHost {
            organization: Some(OrganizationReference {
                display_name: "乙研究所".to_owned(),
                ..OrganizationReference::default()
            }),
            ..LabHost::default()
        }],
        ..Lab::default()
    };
    assert_eq!(ends(&labs(&one, &[lab]).await), ["created"]);
    let folder = tempfile::tempdir().unwrap();
    for collection in ["organizations", "labs"] {
        let file = folder.path().join(format!("{collection}.csv"));
        let path = file.to_str().unwrap();
        assert!(
            one.command(&["export", collection, "--to", path])
                .output()
                .unwrap()
                .status
                .success()
        );
        for new in [true, false] {
            let told = other.command(&["import", path, "--as", collection]).output().unwrap();
            let said = String::from_utf8_lossy(&told.stdout).into_owned();
            assert!(told.status.success(), "{said}");
            let numbers: Vec<&str> = said
                .lines()
                .find(|l| l.starts_with(collection))
                .unwrap()
                .split_whitespace()
                .collect();
            assert_eq!(numbers[2] != "0", new, "{said}");
            assert_eq!(numbers[3], "0", "{said}");
        }
    }
    assert_eq!(count(&other).await, 2);
}

/// Numbers that are the same each time.
struct Rng(u64);

impl Rng {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// A row with a number, by which it is known, and much else that may be anything.
fn messy(rng: &mut Rng) -> Organization {
    const NAMES: [&str; 9] = [
        "甲研究所",
        "甲 研究所",
        "甲所",
        "乙大学",
        "乙学院",
        "Alpha Institute",
        "ALPHA institute",
        "丙",
        "丁中心",
    ];
    let mut row = organization(rng.one_of(&NAMES));
    row.city = rng.one_of(&["", "青岛", "济南", "Qingdao"]).to_owned();
    row.website = rng
        .one_of(&["", "https://example.org", "https://example.com"])
        .to_owned();
    row.unverified = rng.below(5) == 0;
    let value = rng.one_of(&["1", "2", "３", " 4", "5", "3", "6 ", "7", "8", "9"]);
    row.identifiers.push(identifier(value));
    for _ in 0..rng.below(3) {
        row.names.push(Name {
            text: rng.one_of(&NAMES).to_owned(),
            kind: i32::try_from(rng.below(5)).unwrap(),
            ..Name::default()
        });
    }
    row
}

async fn the_same_messy_file_a_second_time_changes_nothing(store: Store) {
    for seed in 1..=2 {
        let register = Register::start(store).await;
        let mut rng = Rng(seed);
        let rows: Vec<Organization> = (0..60).map(|_| messy(&mut rng)).collect();
        let mask = ["display_name", "city", "website", "identifiers", "names", "unverified"];
        let settings = ImportSettings {
            update_mask: (seed % 2 == 0).then(|| FieldMask {
                paths: mask.map(str::to_owned).to_vec(),
            }),
            ..ImportSettings::default()
        };
        let first = organizations(&register, &rows, settings.clone()).await;
        let records = count(&register).await;
        for again in 2..4 {
            let told = organizations(&register, &rows, settings.clone()).await;
            for ((row, before), now) in rows.iter().zip(&first).zip(&told) {
                assert!(
                    !matches!(now.outcome(), Outcome::Created | Outcome::Updated),
                    "seed {seed}, run {again}: {row:?}\nfirst {before:?}\nnow {now:?}"
                );
            }
        }
        assert_eq!(count(&register).await, records);
    }
}
