//! The setting `keep_edits`: an import keeps what people changed since the last one, field by field, and says which.

use std::fs;

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{ImportOrganizationsRequest, Organization};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{ImportSettings, RowOutcome};
use mingce_proto::talent::{ImportTalentsRequest, Talent, UpdateTalentRequest};
use prost_types::FieldMask;

use crate::builders::{identifier, organization, read, updated};

on_both_stores!(
    a_field_that_a_person_changed_stays_and_others_are_taken,
    what_is_sealed_stays_without_being_compared,
    the_command_says_which_fields_stay,
);

fn settings(keep_edits: bool, validate_only: bool) -> ImportSettings {
    ImportSettings {
        keep_edits,
        validate_only,
        ..ImportSettings::default()
    }
}

async fn import(register: &Register, row: &Organization, settings: ImportSettings) -> RowOutcome {
    let request = ImportOrganizationsRequest {
        settings: Some(settings),
        row: 1,
        organization: Some(row.clone()),
    };
    let answer = register
        .labs()
        .import_organizations(tokio_stream::iter([request]))
        .await;
    answer.unwrap().into_inner().outcomes.remove(0)
}

fn row(city: &str, website: &str) -> Organization {
    Organization {
        city: city.to_owned(),
        website: website.to_owned(),
        identifiers: vec![identifier("1")],
        ..organization("甲研究所")
    }
}

async fn a_field_that_a_person_changed_stays_and_others_are_taken(store: Store) {
    let register = Register::start(store).await;
    let keep = || settings(true, false);
    let first = import(&register, &row("青岛", "https://a.example"), keep()).await;
    let name = first.name.clone();
    assert_eq!((first.outcome(), first.kept_fields.len()), (Outcome::Created, 0));
    // What imports wrote, imports change.
    let again = import(&register, &row("济南", "https://a.example"), keep()).await;
    assert_eq!((again.outcome(), again.kept_fields.len()), (Outcome::Updated, 0));
    let mended = Organization {
        name: name.clone(),
        city: "烟台".to_owned(),
        ..Organization::default()
    };
    updated(&register, mended, &["city"]).await;
    for validate_only in [true, false] {
        let kept = import(
            &register,
            &row("济南", "https://b.example"),
            settings(true, validate_only),
        )
        .await;
        assert_eq!(kept.outcome(), Outcome::Updated, "{kept:?}");
        assert_eq!(kept.kept_fields, ["city"]);
    }
    let stored = read(&register, &name).await;
    assert_eq!(
        (stored.city.as_str(), stored.website.as_str()),
        ("烟台", "https://b.example")
    );
    // It stays as often as the file comes, and a row that says the same as the person keeps nothing.
    let kept = import(&register, &row("济南", "https://b.example"), keep()).await;
    assert_eq!(
        (kept.outcome(), kept.kept_fields.as_slice()),
        (Outcome::Unchanged, &["city".to_owned()][..])
    );
    let same = import(&register, &row("烟台", "https://b.example"), keep()).await;
    assert_eq!((same.outcome(), same.kept_fields.len()), (Outcome::Unchanged, 0));
    // Without the setting it is written over, and belongs to imports again.
    let over = import(&register, &row("济南", "https://b.example"), settings(false, false)).await;
    assert_eq!((over.outcome(), over.kept_fields.len()), (Outcome::Updated, 0));
    let after = import(&register, &row("青岛", "https://b.example"), keep()).await;
    assert_eq!((after.outcome(), after.kept_fields.len()), (Outcome::Updated, 0));
}

async fn what_is_sealed_stays_without_being_compared(store: Store) {
    let register = Register::start(store).await;
    let import = async |talent: &Talent, validate_only: bool| {
        let request = ImportTalentsRequest {
            settings: Some(settings(true, validate_only)),
            row: 1,
            talent: Some(talent.clone()),
        };
        let answer = register.talent().import_talents(tokio_stream::iter([request])).await;
        answer.unwrap().into_inner().outcomes.remove(0)
    };
    let person = |birth_date: &str| Talent {
        display_name: "甲一明".to_owned(),
        identifiers: vec![identifier("1")],
        birth_date: birth_date.to_owned(),
        ..Talent::default()
    };
    let made = import(&person("1977"), false).await;
    let update = UpdateTalentRequest {
        talent: Some(Talent {
            name: made.name,
            birth_date: "1977-05-06".to_owned(),
            ..Talent::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["birth_date".to_owned()],
        }),
        ..UpdateTalentRequest::default()
    };
    register.talent().update_talent(update).await.unwrap();
    // A right guess is told like a wrong one.
    for validate_only in [true, false] {
        for day in ["1977-05-06", "1977-05-07"] {
            let kept = import(&person(day), validate_only).await;
            assert_eq!(
                (kept.outcome(), kept.kept_fields.as_slice()),
                (Outcome::Unchanged, &["birth_date".to_owned()][..])
            );
        }
    }
}

async fn the_command_says_which_fields_stay(store: Store) {
    let register = Register::start(store).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.csv");
    let (path, fields) = (
        file.to_str().unwrap().to_owned(),
        "display_name,city,website,identifiers",
    );
    let write = |city: &str| {
        let held = r#""[{""scheme"":""number"",""value"":""1""}]""#;
        fs::write(&file, format!("{fields}\n甲研究所,{city},https://a.example,{held}\n")).unwrap();
    };
    write("青岛");
    register.cli(&["import", &path, "--as", "organizations"]).succeeded();
    let found = register
        .labs()
        .list_organizations(mingce_proto::labs::ListOrganizationsRequest::default())
        .await;
    let name = found.unwrap().into_inner().organizations.remove(0).name;
    let mended = Organization {
        name: name.clone(),
        city: "烟台".to_owned(),
        ..Organization::default()
    };
    updated(&register, mended, &["city"]).await;
    write("济南");
    let said = register
        .cli(&["import", &path, "--as", "organizations", "--keep-edits", "--lang", "zh"])
        .succeeded();
    assert!(
        said.contains("保留人工修改") && said.contains("第 2 行，甲研究所：city"),
        "{said}"
    );
    assert_eq!(read(&register, &name).await.city, "烟台");
    register.cli(&["import", &path, "--as", "organizations"]).succeeded();
    assert_eq!(read(&register, &name).await.city, "济南");
}
