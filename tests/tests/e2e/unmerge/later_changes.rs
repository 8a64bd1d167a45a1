//! What was written between a merge and its unmerge is listed, by one service and by several, and on the command line.

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::awards::{
    Award, AwardState, CompletingOrganization, CreateSchemeRequest, RecordAwardRequest, Scheme, SchemeReference,
};
use mingce_proto::labs::{Lab, LabHost, Organization, UpdateLabRequest};
use mingce_proto::registry::{
    Level, ListCitationsRequest, ListCitationsResponse, OrganizationReference, RecordStatus, UnmergeReport,
};
use mingce_proto::talent::{Employment, Talent};

use super::{at, lab, merge_both, read_lab, undo};
use crate::builders::{identifier, made, organization, person, read, updated};

on_both_stores!(
    what_was_written_meanwhile_is_listed,
    services_apart_list_what_was_written_meanwhile,
    a_survivor_that_was_merged_on_is_followed,
    the_command_line_tells_what_was_restored_and_written,
);

fn called(name: &str) -> OrganizationReference {
    OrganizationReference {
        display_name: name.to_owned(),
        ..OrganizationReference::default()
    }
}

/// Three services, which may be one.
struct Services<'a>(&'a Register, &'a Register, &'a Register);

impl Services<'_> {
    async fn hosted(&self, name: &str, host: OrganizationReference) -> String {
        let of = Lab {
            display_name: name.to_owned(),
            hosts: vec![LabHost {
                organization: Some(host),
                ..LabHost::default()
            }],
            ..Lab::default()
        };
        lab(self.0, of).await.name
    }

    async fn employed(&self, name: &str, employer: OrganizationReference) -> String {
        let of = Talent {
            display_name: name.to_owned(),
            identifiers: vec![identifier(name)],
            employments: vec![Employment {
                organization: Some(employer),
                ..Employment::default()
            }],
            ..Talent::default()
        };
        person(self.1, of).await.name
    }

    async fn award(&self, scheme: &str, number: &str, completing: OrganizationReference) -> String {
        let award = Award {
            title: format!("虚构的成果{number}"),
            number: number.to_owned(),
            year: 2024,
            state: AwardState::Conferred as i32,
            decision_date: "2024-05-06".to_owned(),
            scheme: Some(SchemeReference {
                scheme: scheme.to_owned(),
                ..SchemeReference::default()
            }),
            completing_organizations: vec![CompletingOrganization {
                organization: Some(completing),
                ..CompletingOrganization::default()
            }],
            ..Award::default()
        };
        let request = RecordAwardRequest {
            award: Some(award),
            ..RecordAwardRequest::default()
        };
        self.2.awards().record_award(request).await.unwrap().into_inner().name
    }

    async fn scheme(&self) -> String {
        let request = CreateSchemeRequest {
            scheme: Some(Scheme {
                display_name: "虚构的奖".to_owned(),
                code: "invented".to_owned(),
                level: Level::Municipal as i32,
                ..Scheme::default()
            }),
            ..CreateSchemeRequest::default()
        };
        self.2.awards().create_scheme(request).await.unwrap().into_inner().name
    }

    /// Records before the merge and while it holds, and what is listed when it is taken back. `shared`: they share a
    /// ledger.
    async fn written_meanwhile(&self, shared: bool) {
        let scheme = self.scheme().await;
        let goes = made(
            self.0,
            Organization {
                identifiers: vec![identifier("goes")],
                ..organization("示例乙大学")
            },
        )
        .await;
        let stays = made(self.0, organization("示例甲大学")).await;
        // They name one of the two before the merge.
        let old = self.hosted("示例一实验室", at(&stays.name)).await;
        self.hosted("示例二实验室", at(&goes.name)).await;
        self.employed("示例丁", at(&stays.name)).await;
        self.award(&scheme, "1", at(&stays.name)).await;
        merge_both(self.0, &goes.name, &stays.name).await;
        let by_name = self.hosted("示例三实验室", called("示例乙大学")).await;
        let by_identifier = OrganizationReference {
            identifier: Some(identifier("goes")),
            ..OrganizationReference::default()
        };
        let hosted = self.hosted("示例四实验室", by_identifier).await;
        let below = made(
            self.0,
            Organization {
                parent: stays.name.clone(),
                ..organization("示例学院")
            },
        )
        .await
        .name;
        let employed = self.employed("示例戊", called("示例乙大学")).await;
        let awarded = self.award(&scheme, "2", called("示例乙大学")).await;
        // It named the survivor before, and does so still.
        let mut again = read_lab(self.0, &old).await;
        again.city = "青岛".to_owned();
        let request = UpdateLabRequest {
            lab: Some(again),
            ..UpdateLabRequest::default()
        };
        self.0.labs().update_lab(request).await.unwrap();
        let (_, report) = undo(self.0, &goes.name).await;
        let mut listed: Vec<(&str, Vec<String>)> = report
            .citations
            .iter()
            .map(|c| (c.resource.as_str(), c.display_names.clone()))
            .collect();
        listed.sort();
        let name = |name: &str| vec![name.to_owned()];
        let mut right = vec![
            (by_name.as_str(), name("示例乙大学")),
            (hosted.as_str(), name("示例甲大学")),
            (below.as_str(), vec![]),
        ];
        right.sort();
        assert_eq!(listed, right, "{report:?}");
        let of_lab = report.citations.iter().find(|c| c.resource == by_name).unwrap();
        assert_eq!(
            (of_lab.fields.join(","), &of_lab.cited),
            ("hosts,lead_host".to_owned(), &stays.name)
        );
        for request in self.asked(&report, shared) {
            let of_talent = self
                .1
                .talent()
                .list_citations(request.clone())
                .await
                .unwrap()
                .into_inner();
            let of_awards = self.2.awards().list_citations(request).await.unwrap().into_inner();
            let names = |answer: ListCitationsResponse| -> Vec<(String, Vec<String>)> {
                answer
                    .citations
                    .into_iter()
                    .map(|c| (c.resource, c.display_names))
                    .collect()
            };
            assert_eq!(names(of_talent), [(employed.clone(), name("示例乙大学"))]);
            assert_eq!(names(of_awards), [(awarded.clone(), name("示例乙大学"))]);
        }
        let all = ListCitationsRequest {
            name: stays.name.clone(),
            ..ListCitationsRequest::default()
        };
        assert_eq!(
            self.2
                .awards()
                .list_citations(all)
                .await
                .unwrap()
                .into_inner()
                .citations
                .len(),
            2
        );
    }

    /// The ways to ask the other services.
    fn asked(&self, report: &UnmergeReport, shared: bool) -> Vec<ListCitationsRequest> {
        let name = report.survivor.clone();
        let by_time = ListCitationsRequest {
            name: name.clone(),
            since_time: report.merge_time,
            ..ListCitationsRequest::default()
        };
        let by_place = ListCitationsRequest {
            name,
            since_sequence: report.merge_sequence,
            ..ListCitationsRequest::default()
        };
        let mut all = vec![by_time];
        all.extend(shared.then_some(by_place));
        all
    }
}

async fn what_was_written_meanwhile_is_listed(store: Store) {
    let register = Register::start(store).await;
    Services(&register, &register, &register).written_meanwhile(true).await;
}

async fn services_apart_list_what_was_written_meanwhile(store: Store) {
    let labs = Register::start_with(store, &["labs"]).await;
    let talent = Register::start_with(store, &["talent", "--labs-url", &labs.url()]).await;
    let awards = Register::start_with(
        store,
        &["awards", "--labs-url", &labs.url(), "--talent-url", &talent.url()],
    )
    .await;
    Services(&labs, &talent, &awards).written_meanwhile(false).await;
}

async fn a_survivor_that_was_merged_on_is_followed(store: Store) {
    let register = Register::start(store).await;
    let services = Services(&register, &register, &register);
    let mut names = Vec::new();
    for name in ["示例甲大学", "示例乙大学", "示例丙大学"] {
        names.push(made(&register, organization(name)).await.name);
    }
    let [first, middle, last] = names.as_slice() else {
        unreachable!()
    };
    merge_both(&register, first, middle).await;
    let early = services.hosted("示例一实验室", called("示例甲大学")).await;
    merge_both(&register, middle, last).await;
    let late = services.hosted("示例二实验室", called("示例甲大学")).await;
    updated(
        &register,
        Organization {
            name: last.clone(),
            city: "济南".to_owned(),
            ..organization("")
        },
        &["city"],
    )
    .await;
    let (back, report) = undo(&register, first).await;
    assert_eq!(back.record_status(), RecordStatus::Active);
    let mut cited: Vec<_> = report.citations.iter().map(|c| (&c.resource, &c.cited)).collect();
    cited.sort();
    let mut right = vec![(&early, middle), (&late, last)];
    right.sort();
    assert_eq!(cited, right, "{report:?}");
    let changed: Vec<_> = report
        .revisions
        .iter()
        .map(|r| (&r.resource, r.verb.as_str()))
        .collect();
    assert_eq!(changed, [(last, "update"), (middle, "merge")], "{report:?}");
    // The last has what it would have had from the second alone.
    let names: Vec<String> = read(&register, last).await.names.into_iter().map(|n| n.text).collect();
    assert_eq!(names, ["示例乙大学"]);
    undo(&register, middle).await;
    assert_eq!(read(&register, last).await.names, []);
    assert_eq!(read(&register, middle).await.names, []);
}

async fn the_command_line_tells_what_was_restored_and_written(store: Store) {
    let register = Register::start(store).await;
    let services = Services(&register, &register, &register);
    let goes = made(&register, organization("示例乙大学")).await.name;
    let stays = made(
        &register,
        Organization {
            parent: goes.clone(),
            ..organization("示例甲大学")
        },
    )
    .await
    .name;
    merge_both(&register, &goes, &stays).await;
    updated(
        &register,
        Organization {
            name: stays.clone(),
            city: "青岛".to_owned(),
            ..organization("")
        },
        &["city"],
    )
    .await;
    let lab = services.hosted("示例三实验室", called("示例乙大学")).await;
    let talent = services.employed("示例戊", called("示例甲大学")).await;
    let args = ["unmerge", "organizations", &goes, "--reason", "两个单位"];
    let tried = register.cli(&[&args[..], &["--dry-run"]].concat()).succeeded();
    let said = register.cli(&args).succeeded();
    for (said, word) in [(&tried, "would be restored"), (&said, "restored")] {
        assert!(said.contains(&format!("{stays}: parent ({goes}) {word}")), "{said}");
        assert!(
            said.contains(&format!("{stays} r3 ")) && said.contains("update by anonymous (city)"),
            "{said}"
        );
        assert!(
            said.contains(&format!(
                "{lab}  hosts, lead_host: {stays} as 示例乙大学, a name of this record"
            )),
            "{said}"
        );
        assert!(
            said.contains(&format!("{talent}  employers: {stays} as 示例甲大学\n")),
            "{said}"
        );
        assert!(!said.contains("not looked for"), "{said}");
    }
    assert_eq!(read(&register, &stays).await.parent, goes);
}
