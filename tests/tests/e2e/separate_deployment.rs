//! Separate deployment: services in processes of their own ask each other, and say which one is missing.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use mingce_e2e::{Register, Store, failure, on_both_stores, raw_client};
use mingce_proto::awards::{
    Award, AwardState, Contributor, CreateSchemeRequest, RecordAwardRequest, Scheme, SchemeReference,
};
use mingce_proto::labs::{MergeOrganizationsRequest, Organization};
use mingce_proto::registry::{OrganizationReference, TalentReference};
use mingce_proto::talent::{CreateTalentRequest, Employment, Talent};
use prost::Message;
use tonic::Code;

use crate::builders::{identifier, made, organization, person};

on_both_stores!(
    an_award_names_what_two_other_processes_keep,
    what_does_not_exist_is_said_with_its_path,
    an_owner_that_is_down_is_named_at_once_and_missed_no_longer_than_it_is,
    an_owner_that_does_not_answer_holds_a_call_no_longer_than_its_deadline,
    a_file_is_loaded_into_three_processes,
    a_service_that_needs_another_says_so_before_it_writes_anything,
);

/// The labs, talent and awards service, each alone with a database of its own.
async fn three(store: Store) -> [Register; 3] {
    let labs = Register::start_with(store, &["labs"]).await;
    let talent = Register::start_with(store, &["talent", "--labs-url", &labs.url()]).await;
    let flags = ["awards", "--labs-url", &labs.url(), "--talent-url", &talent.url()];
    let awards = Register::start_with(store, &flags).await;
    [labs, talent, awards]
}

fn at(organization: &str) -> OrganizationReference {
    OrganizationReference {
        organization: organization.to_owned(),
        ..OrganizationReference::default()
    }
}

fn employed(organization: &str) -> Talent {
    Talent {
        display_name: "张三".to_owned(),
        identifiers: vec![identifier("1")],
        employments: vec![Employment {
            organization: Some(at(organization)),
            ..Employment::default()
        }],
        ..Talent::default()
    }
}

fn creates(talent: Talent) -> CreateTalentRequest {
    CreateTalentRequest {
        talent: Some(talent),
        ..CreateTalentRequest::default()
    }
}

/// An award for a person and their organization.
async fn award(awards: &Register, talent: &str, organization: &str) -> RecordAwardRequest {
    let scheme = Scheme {
        display_name: "虚构的科学奖".to_owned(),
        code: "invented".to_owned(),
        ..Scheme::default()
    };
    let request = CreateSchemeRequest {
        scheme: Some(scheme),
        ..CreateSchemeRequest::default()
    };
    let scheme = awards.awards().create_scheme(request).await.unwrap().into_inner();
    let contributor = Contributor {
        talent: Some(TalentReference {
            talent: talent.to_owned(),
            ..TalentReference::default()
        }),
        organizations: vec![at(organization)],
        ..Contributor::default()
    };
    let award = Award {
        title: "虚构的成果".to_owned(),
        number: "2024-1".to_owned(),
        year: 2024,
        state: AwardState::Conferred as i32,
        scheme: Some(SchemeReference {
            scheme: scheme.name,
            ..SchemeReference::default()
        }),
        contributors: vec![contributor],
        ..Award::default()
    };
    RecordAwardRequest {
        award: Some(award),
        ..RecordAwardRequest::default()
    }
}

/// No such organization.
const NOBODY: &str = "organizations/01jd2k3m4n5p6q7r8s9t0v1w2x";

async fn an_award_names_what_two_other_processes_keep(store: Store) {
    let [labs, talent, awards] = three(store).await;
    let stays = made(&labs, organization("青岛大学")).await;
    let goes = made(&labs, organization("青大")).await;
    let merge = MergeOrganizationsRequest {
        name: goes.name.clone(),
        survivor: stays.name.clone(),
        reason: "the same".to_owned(),
        ..MergeOrganizationsRequest::default()
    };
    labs.labs().merge_organizations(merge).await.unwrap();
    // A duplicate that is named leads to its survivor.
    let person = person(&talent, employed(&goes.name)).await;
    let employer = person.employments[0].organization.clone().unwrap();
    assert_eq!(
        (employer.organization, employer.display_name.as_str()),
        (stays.name.clone(), "青岛大学")
    );
    let request = award(&awards, &person.name, &stays.name).await;
    let award = awards.awards().record_award(request).await.unwrap().into_inner();
    let contributor = &award.contributors[0];
    assert_eq!(contributor.talent.as_ref().unwrap().display_name, "张三");
    assert_eq!(contributor.organizations[0].display_name, "青岛大学");
}

async fn what_does_not_exist_is_said_with_its_path(store: Store) {
    let [labs, talent, awards] = three(store).await;
    let refused = failure(talent.talent().create_talent(creates(employed(NOBODY))).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "REFERENCE_NOT_FOUND"),
        "{refused:?}"
    );
    assert_eq!(
        refused.fields,
        ["talent.employments[0].organization.organization"],
        "{refused:?}"
    );
    assert!(refused.descriptions[0].contains(NOBODY), "{refused:?}");
    // All that is wrong is said at once.
    let stranger = "talents/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let refused = failure(
        awards
            .awards()
            .record_award(award(&awards, stranger, NOBODY).await)
            .await,
    );
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "REFERENCE_NOT_FOUND"),
        "{refused:?}"
    );
    let mut fields = refused.fields.clone();
    fields.sort();
    let paths = ["organizations[0].organization", "talent.talent"].map(|path| format!("award.contributors[0].{path}"));
    assert_eq!(fields, paths, "{refused:?}");
    // A lab names hosts of its own service: the same is said.
    let child = Organization {
        parent: NOBODY.to_owned(),
        ..organization("一个部门")
    };
    let refused = failure(labs.labs().create_organization(crate::builders::create(child)).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "REFERENCE_NOT_FOUND"),
        "{refused:?}"
    );
    assert_eq!(refused.fields, ["organization.parent"], "{refused:?}");
}

async fn an_owner_that_is_down_is_named_at_once_and_missed_no_longer_than_it_is(store: Store) {
    // The port of an owner that comes back has to be known.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let mut labs = Register::prepare(store, &["labs"]).await;
    let url = format!("http://{address}");
    let talent = Register::start_with(store, &["talent", "--labs-url", &url]).await;
    let since = Instant::now();
    let refused = failure(talent.talent().create_talent(creates(employed(NOBODY))).await);
    assert_eq!(refused.code, Code::Unavailable, "{refused:?}");
    assert!(refused.message.contains("labs"), "{refused:?}");
    assert!(
        since.elapsed() < Duration::from_secs(3),
        "it took {:?}",
        since.elapsed()
    );
    // What needs no other service goes on.
    let nobodys = Talent {
        display_name: "李四".to_owned(),
        ..Talent::default()
    };
    person(&talent, nobodys).await;

    labs.restart_at(&address);
    let employer = made(&labs, organization("青岛大学")).await;
    person(&talent, employed(&employer.name)).await;
    labs.kill();
    let refused = failure(talent.talent().create_talent(creates(employed(&employer.name))).await);
    assert_eq!(refused.code, Code::Unavailable, "{refused:?}");

    let awards = Register::start_with(store, &["awards", "--labs-url", &talent.url(), "--talent-url", &url]).await;
    let mut request = award(&awards, "talents/01jd2k3m4n5p6q7r8s9t0v1w2x", NOBODY).await;
    request.award.as_mut().unwrap().contributors[0].organizations.clear();
    let refused = failure(awards.awards().record_award(request).await);
    assert_eq!(refused.code, Code::Unavailable, "{refused:?}");
    assert!(refused.message.contains("talent"), "{refused:?}");
}

async fn an_owner_that_does_not_answer_holds_a_call_no_longer_than_its_deadline(store: Store) {
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let talent = Register::start_with(store, &["talent", "--labs-url", &url]).await;
    let message = creates(employed(NOBODY)).encode_to_vec();
    let since = Instant::now();
    let method = "mingce.talent.v1.TalentService/CreateTalent";
    let refused = failure(raw_client::call(&talent, method, &message, &[("grpc-timeout", "700m")]).await);
    // Whichever comes first: that the owner is given up, or that the time is over.
    match refused.code {
        Code::Unavailable => assert!(refused.message.contains("labs"), "{refused:?}"),
        code => assert_eq!(code, Code::DeadlineExceeded, "{refused:?}"),
    }
    assert!(
        since.elapsed() < Duration::from_secs(2),
        "it took {:?}",
        since.elapsed()
    );
}

async fn a_file_is_loaded_into_three_processes(store: Store) {
    let [labs, talent, awards] = three(store).await;
    let file = labs.folder().join("talents.jsonl");
    let line = r#"{"displayName": "王五", "identifiers": [{"scheme": "number", "value": "5"}], "employments": [{"organization": {"displayName": "青岛某公司"}}]}"#;
    std::fs::write(&file, format!("{line}\n")).unwrap();
    let file = file.to_str().unwrap();
    let args = ["import", file, "--as", "talents", "--talent-url", &talent.url()];
    for (flags, created) in [(&["--dry-run"][..], 1), (&[], 1), (&[], 0)] {
        let said = labs.cli(&[&args[..], flags].concat()).succeeded();
        let row = said.lines().find(|line| line.starts_with("talents")).unwrap();
        let numbers: Vec<u64> = row.split_whitespace().skip(1).map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers, [1, created, 0, 1 - created, 0], "{said}");
    }
    let found = labs.cli(&["search", "organizations", "青岛某公司"]).succeeded();
    assert!(found.contains("organizations/"), "{found}");
    drop(awards);
}

async fn a_service_that_needs_another_says_so_before_it_writes_anything(store: Store) {
    for flags in [&["talent"][..], &["awards"], &["awards", "talent"], &["labs", "awards"]] {
        let register = Register::prepare(store, flags).await;
        let said = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
        assert!(said.contains("-url"), "{flags:?}: {said}");
        assert!(!register.data().exists(), "{flags:?}");
    }
}
