//! Validation rules that no pattern of the contract has: what each refuses, at which field, and that nothing was
//! written.

use std::fs;

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::{
    Award, AwardState, Contributor, CreateSchemeRequest, RecordAwardRequest, Scheme, SchemeReference, Share,
};
use mingce_proto::labs::{
    AnnulOrganizationRequest, CreateLabRequest, ImportOrganizationsRequest, Lab, LabDesignation, LabDesignationState,
    LabHost, LabReference, Organization, RecordLabDesignationRequest, ResolveOrganizationsRequest,
    SearchOrganizationsRequest, UpdateLabDesignationRequest,
};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{Identifier, ImportSettings, Level, Name, OrganizationReference, TalentReference};
use mingce_proto::talent::{
    CreateProgrammeRequest, CreateTalentRequest, Programme, ProgrammeReference, RecordTalentDesignationRequest, Talent,
    TalentDesignation, TalentDesignationState,
};
use tonic::Code;

use crate::builders::{annul, count, create, identifier, made, organization, person};

/// The number that the standard itself has as its example, as somebody types it who writes Chinese.
const WIDE_NUMBER: &str = "１１０１０５１９４９１２３１００２Ｘ";
const NUMBER: &str = "11010519491231002X";

on_both_stores!(
    a_text_with_a_zero_byte_is_refused_where_it_stands,
    a_zero_byte_in_what_is_looked_up_is_refused_too,
    a_name_with_characters_that_cannot_be_seen_is_refused,
    the_number_of_an_identity_card_is_refused_among_identifiers,
    an_identity_document_is_the_same_in_full_width_digits,
    a_designation_stays_with_its_parent,
    shares_that_exceed_the_prize_are_refused,
    the_command_refuses_addresses_that_are_none,
    the_command_refuses_to_write_refused_rows_over_its_file,
);

fn name(text: &str) -> Name {
    Name {
        text: text.to_owned(),
        ..Name::default()
    }
}

async fn a_text_with_a_zero_byte_is_refused_where_it_stands(store: Store) {
    let register = Register::start(store).await;
    let plain = organization("青岛大学");
    let wrong = [
        (
            "display_name",
            Organization {
                display_name: "青岛\0大学".to_owned(),
                ..plain.clone()
            },
        ),
        (
            "website",
            Organization {
                website: "\0".to_owned(),
                ..plain.clone()
            },
        ),
        (
            "names[1].text",
            Organization {
                names: vec![name("青大"), name("青\0大")],
                ..plain.clone()
            },
        ),
        (
            "identifiers[0].value",
            Organization {
                identifiers: vec![identifier("1\0")],
                ..plain.clone()
            },
        ),
    ];
    for (field, spoilt) in wrong {
        let refused = failure(register.labs().create_organization(create(spoilt.clone())).await);
        assert_eq!(refused.is(), (Code::InvalidArgument, "TEXT_HOLDS_NUL"), "{refused:?}");
        assert_eq!(refused.fields, [format!("organization.{field}")], "{refused:?}");
        let row = ImportOrganizationsRequest {
            settings: Some(ImportSettings::default()),
            row: 1,
            organization: Some(spoilt),
        };
        // Its neighbours are not touched by it.
        let neighbour = |row| ImportOrganizationsRequest {
            settings: None,
            row,
            organization: Some(organization("滨海大学")),
        };
        let rows = tokio_stream::iter([row, neighbour(2), neighbour(3)]);
        let answer = register.labs().import_organizations(rows).await.unwrap();
        let outcomes = answer.into_inner().outcomes;
        let told = &outcomes[0].problems[0];
        assert_eq!(
            (told.field.as_str(), told.reason.as_str()),
            (field, "TEXT_HOLDS_NUL"),
            "{outcomes:?}"
        );
        assert_eq!(outcomes[0].outcome(), Outcome::Refused, "{outcomes:?}");
        assert_eq!(outcomes[2].outcome(), Outcome::Unchanged, "{outcomes:?}");
        assert_eq!(outcomes.iter().map(|o| o.row).collect::<Vec<_>>(), [1, 2, 3]);
    }
    assert_eq!(count(&register).await, 1);
}

/// Not only in what is kept: also in what is only looked up, and in the words for the ledger.
async fn a_zero_byte_in_what_is_looked_up_is_refused_too(store: Store) {
    let register = Register::start(store).await;
    let host = OrganizationReference {
        display_name: "青岛\0大学".to_owned(),
        ..OrganizationReference::default()
    };
    let lab = Lab {
        display_name: "深海实验室".to_owned(),
        hosts: vec![LabHost {
            organization: Some(host.clone()),
            ..LabHost::default()
        }],
        ..Lab::default()
    };
    let request = CreateLabRequest {
        lab: Some(lab),
        ..CreateLabRequest::default()
    };
    let refused = failure(register.labs().create_lab(request).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "TEXT_HOLDS_NUL"), "{refused:?}");
    let field = "lab.hosts[0].organization.display_name";
    assert_eq!(refused.fields, [field], "{refused:?}");
    let request = ResolveOrganizationsRequest {
        references: vec![OrganizationReference::default(), host],
        create_missing: true,
        ..ResolveOrganizationsRequest::default()
    };
    let refused = failure(register.labs().resolve_organizations(request).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "TEXT_HOLDS_NUL"), "{refused:?}");
    assert_eq!(refused.fields, ["references[1].display_name"], "{refused:?}");
    let settings = ImportSettings {
        source: "a\0file".to_owned(),
        ..ImportSettings::default()
    };
    let row = ImportOrganizationsRequest {
        settings: Some(settings),
        row: 1,
        organization: Some(organization("滨海大学")),
    };
    let answer = register.labs().import_organizations(tokio_stream::iter([row])).await;
    let refused = failure(answer);
    assert_eq!(refused.is(), (Code::InvalidArgument, "TEXT_HOLDS_NUL"), "{refused:?}");
    assert_eq!(refused.fields, ["settings.source"], "{refused:?}");
    let request = SearchOrganizationsRequest {
        query: "青\0岛".to_owned(),
        ..SearchOrganizationsRequest::default()
    };
    if let Err(status) = register.labs().search_organizations(request).await {
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    }
    let made = made(&register, organization("滨海大学")).await;
    let request = AnnulOrganizationRequest {
        reason: "why\0not".to_owned(),
        ..annul(&made.name)
    };
    let refused = failure(register.labs().annul_organization(request).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "TEXT_HOLDS_NUL"), "{refused:?}");
    assert_eq!(refused.fields, ["reason"], "{refused:?}");
}

async fn a_name_with_characters_that_cannot_be_seen_is_refused(store: Store) {
    let register = Register::start(store).await;
    for (text, reason) in [
        ("青岛\n大学", "NAME_UNSEEN_CHARACTER"),
        ("青岛\u{202e}大学", "NAME_UNSEEN_CHARACTER"),
        ("青岛\u{2066}大学\u{2069}", "NAME_UNSEEN_CHARACTER"),
        ("青岛\u{200e}大学", "NAME_UNSEEN_CHARACTER"),
        ("青岛\u{fffd}大学", "TEXT_DAMAGED"),
        ("青岛\u{e863}大学", "TEXT_DAMAGED"),
        ("\u{3164}", "NAME_EMPTY"),
        ("\u{7f}", "NAME_UNSEEN_CHARACTER"),
        ("\u{200b}\u{ad}", "NAME_EMPTY"),
        ("\u{3000}", "NAME_EMPTY"),
    ] {
        let refused = failure(register.labs().create_organization(create(organization(text))).await);
        assert_eq!(refused.is(), (Code::InvalidArgument, reason), "{text:?}: {refused:?}");
        assert_eq!(refused.fields, ["organization.display_name"], "{refused:?}");
        let other = Organization {
            names: vec![name(text)],
            ..organization("青岛大学")
        };
        let refused = failure(register.labs().create_organization(create(other)).await);
        assert_eq!(refused.is(), (Code::InvalidArgument, reason), "{text:?}: {refused:?}");
        assert_eq!(refused.fields, ["organization.names[0].text"], "{refused:?}");
    }
    assert_eq!(count(&register).await, 0);
    // What joins letters of other scripts is no fault.
    made(&register, organization("می\u{200c}خواهم")).await;
}

async fn the_number_of_an_identity_card_is_refused_among_identifiers(store: Store) {
    let register = Register::start(store).await;
    for number in [NUMBER, "11010519491231002x", WIDE_NUMBER] {
        let talent = Talent {
            display_name: "张三".to_owned(),
            identifiers: vec![
                identifier("1"),
                Identifier {
                    scheme: "staff-number".to_owned(),
                    value: number.to_owned(),
                },
            ],
            ..Talent::default()
        };
        let request = CreateTalentRequest {
            talent: Some(talent),
            ..CreateTalentRequest::default()
        };
        let refused = failure(register.talent().create_talent(request).await);
        assert_eq!(
            refused.is(),
            (Code::InvalidArgument, "IDENTITY_DOCUMENT_IN_CLEAR"),
            "{refused:?}"
        );
        assert_eq!(refused.fields, ["talent.identifiers[1].value"], "{refused:?}");
        for written in [NUMBER, number] {
            assert!(!format!("{refused:?}").contains(written), "{refused:?}");
        }
    }
}

async fn an_identity_document_is_the_same_in_full_width_digits(store: Store) {
    let register = Register::start(store).await;
    let with = |number: &str| Talent {
        display_name: "张三".to_owned(),
        identity_document: number.to_owned(),
        ..Talent::default()
    };
    let wide = person(&register, with(WIDE_NUMBER)).await;
    assert_eq!(
        (wide.masked_identity_document.as_str(), wide.birth_year),
        ("********", 1949)
    );
    let request = CreateTalentRequest {
        talent: Some(with(NUMBER)),
        ..CreateTalentRequest::default()
    };
    let refused = failure(register.talent().create_talent(request).await);
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
    assert_eq!(refused.resource, wide.name, "{refused:?}");
}

/// Neither recorded under one and naming another, nor moved to another later.
async fn a_designation_stays_with_its_parent(store: Store) {
    let register = Register::start(store).await;
    let mut labs = Vec::new();
    for display_name in ["深海实验室", "海洋实验室"] {
        let lab = Lab {
            display_name: display_name.to_owned(),
            ..Lab::default()
        };
        let request = CreateLabRequest {
            lab: Some(lab),
            ..CreateLabRequest::default()
        };
        labs.push(register.labs().create_lab(request).await.unwrap().into_inner().name);
    }
    let [one, other] = labs.try_into().unwrap();
    let of = |lab: &str| LabDesignation {
        lab: Some(LabReference {
            lab: lab.to_owned(),
            ..LabReference::default()
        }),
        level: Level::District as i32,
        programme: "区级重点实验室".to_owned(),
        state: LabDesignationState::Operating as i32,
        decision_date: "2024-03-01".to_owned(),
        ..LabDesignation::default()
    };
    let record = |parent: &str, designation| RecordLabDesignationRequest {
        parent: parent.to_owned(),
        lab_designation: Some(designation),
        ..RecordLabDesignationRequest::default()
    };
    let refused = failure(register.labs().record_lab_designation(record(&one, of(&other))).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "PARENT_DIFFERS"), "{refused:?}");
    assert_eq!(refused.fields, ["lab_designation.lab.lab"], "{refused:?}");
    let recorded = register.labs().record_lab_designation(record(&one, of(&one))).await;
    let recorded = recorded.unwrap().into_inner();
    let moved = LabDesignation {
        lab: of(&other).lab,
        ..recorded.clone()
    };
    let request = UpdateLabDesignationRequest {
        lab_designation: Some(moved),
        ..UpdateLabDesignationRequest::default()
    };
    let refused = failure(register.labs().update_lab_designation(request).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "PARENT_DIFFERS"), "{refused:?}");
    assert_eq!(refused.fields, ["lab_designation.lab"], "{refused:?}");

    let of = |display_name: &str| Talent {
        display_name: display_name.to_owned(),
        identifiers: vec![identifier(display_name)],
        ..Talent::default()
    };
    let one = person(&register, of("甲某")).await.name;
    let other = person(&register, of("乙某")).await.name;
    let request = CreateProgrammeRequest {
        programme: Some(Programme {
            display_name: "虚构的人才计划".to_owned(),
            code: "invented".to_owned(),
            ..Programme::default()
        }),
        ..CreateProgrammeRequest::default()
    };
    register.talent().create_programme(request).await.unwrap();
    let designation = TalentDesignation {
        talent: Some(TalentReference {
            talent: other,
            ..TalentReference::default()
        }),
        programme: Some(ProgrammeReference {
            code: "invented".to_owned(),
            ..ProgrammeReference::default()
        }),
        state: TalentDesignationState::InTerm as i32,
        ..TalentDesignation::default()
    };
    let request = RecordTalentDesignationRequest {
        parent: one,
        talent_designation: Some(designation),
        ..RecordTalentDesignationRequest::default()
    };
    let refused = failure(register.talent().record_talent_designation(request).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "PARENT_DIFFERS"), "{refused:?}");
    assert_eq!(refused.fields, ["talent_designation.talent.talent"], "{refused:?}");
}

async fn shares_that_exceed_the_prize_are_refused(store: Store) {
    let register = Register::start(store).await;
    let request = CreateSchemeRequest {
        scheme: Some(Scheme {
            display_name: "虚构的科技奖".to_owned(),
            code: "prize".to_owned(),
            ..Scheme::default()
        }),
        ..CreateSchemeRequest::default()
    };
    register.awards().create_scheme(request).await.unwrap();
    let record = async |number: usize, shares: &[(i32, i32)]| {
        let contributors = shares
            .iter()
            .enumerate()
            .map(|(place, (numerator, denominator))| Contributor {
                talent: Some(TalentReference {
                    display_name: format!("某人 {place}"),
                    ..TalentReference::default()
                }),
                share: Some(Share {
                    numerator: *numerator,
                    denominator: *denominator,
                }),
                ..Contributor::default()
            });
        let award = Award {
            title: "一种虚构的方法".to_owned(),
            scheme: Some(SchemeReference {
                code: "prize".to_owned(),
                ..SchemeReference::default()
            }),
            number: number.to_string(),
            year: 2024,
            state: AwardState::Conferred as i32,
            contributors: contributors.collect(),
            ..Award::default()
        };
        let request = RecordAwardRequest {
            award: Some(award),
            ..RecordAwardRequest::default()
        };
        register.awards().record_award(request).await
    };
    // Twelve primes multiply to what can still be counted with; the product of twenty has no room in 128 bits.
    let primes = [
        997, 991, 983, 977, 971, 967, 953, 947, 941, 937, 929, 919, 911, 907, 887, 883, 881, 877, 863, 859,
    ];
    let of = |count: usize| primes[..count].iter().map(|prime| (1, *prime)).collect::<Vec<_>>();
    let right = [
        vec![(1, 2), (1, 3), (1, 6)],
        vec![(1, 4); 4],
        vec![(1, 1000); 500],
        of(12),
    ];
    for (number, shares) in right.iter().enumerate() {
        record(number, shares).await.unwrap();
    }
    let mut over = of(11);
    over.push((937, 937));
    let wrong = [
        (vec![(1, 2), (2, 3)], "SHARES_EXCEED_WHOLE"),
        (vec![(1000, 1)], "SHARES_EXCEED_WHOLE"),
        (vec![(1000, 1); 500], "SHARES_EXCEED_WHOLE"),
        (over, "SHARES_EXCEED_WHOLE"),
        (of(20), "SHARES_UNCLEAR"),
    ];
    for (shares, reason) in wrong {
        let refused = failure(record(100, &shares).await);
        assert_eq!(refused.is(), (Code::InvalidArgument, reason), "{shares:?}: {refused:?}");
        assert_eq!(refused.fields, ["award.contributors"], "{refused:?}");
    }
}

async fn the_command_refuses_addresses_that_are_none(store: Store) {
    let register = Register::start(store).await;
    fs::write(register.folder().join("o.csv"), "display_name\n青岛大学\n").unwrap();
    for url in ["https://127.0.0.1:1", "127.0.0.1:1", "", "http://", "http://a b:1"] {
        for command in [
            &["import", "o.csv", "--as", "organizations"][..],
            &["export", "organizations", "--to", "out.csv"],
            &["search", "organizations", "青岛"],
        ] {
            // `cli` gives the right address first; a service's own address goes before it.
            let ran = register.cli(&[command, &["--labs-url", url]].concat());
            let said = ran.failed_with_one_line();
            assert!(
                said.contains("http://HOST:PORT") || said.contains(&format!("{url:?}")),
                "{url}: {said}"
            );
        }
    }
    assert_eq!(count(&register).await, 0);
    assert!(!register.folder().join("out.csv").exists());
}

async fn the_command_refuses_to_write_refused_rows_over_its_file(store: Store) {
    let register = Register::start(store).await;
    let content = "display_name,division_code\n青岛大学,1\n";
    let file = register.folder().join("o.csv");
    fs::write(&file, content).unwrap();
    fs::create_dir(register.folder().join("folder")).unwrap();
    for refused in ["o.csv", "./o.csv", "folder/../o.csv", file.to_str().unwrap()] {
        let ran = register.cli(&["import", "o.csv", "--as", "organizations", "--refused", refused]);
        let said = ran.failed_with_one_line();
        assert!(said.contains("--refused names the file that is imported"), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
    }
    for refused in ["refused.xls", "refused", "refused.csv.gz"] {
        let ran = register.cli(&["import", "o.csv", "--as", "organizations", "--refused", refused]);
        let said = ran.failed_with_one_line();
        assert!(said.contains("--refused writes .xlsx or .csv"), "{said}");
        assert!(!register.folder().join(refused).exists());
    }
    let ran = register.cli(&["import", "o.csv", "--as", "organizations", "--refused", "refused.CSV"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        fs::read_to_string(register.folder().join("refused.CSV"))
            .unwrap()
            .contains("青岛大学")
    );
    assert_eq!(count(&register).await, 0);
}
