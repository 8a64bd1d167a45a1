//! Dry runs of several streams: a row finds what rows of an earlier stream would have made, as the run does.

use mingce_e2e::{Store, on_both_stores};
use mingce_proto::registry::ImportSettings;
use mingce_proto::talent::Talent;

use crate::refused_rows::{Answer, award, awards, designations, employed, ends, prepared, recognised, talents};

on_both_stores!(a_row_that_means_what_an_earlier_stream_would_make_is_told_so);

async fn a_row_that_means_what_an_earlier_stream_would_make_is_told_so(store: Store) {
    let register = prepared(store).await;
    let first = award("1", 2024, "丁大学");
    let other = recognised("island", "1", "丙大学");
    let with_passport = |title: &str| Talent {
        identity_document: "E12345678".to_owned(),
        title: title.to_owned(),
        ..employed("丙三立", Vec::new(), "乙大学")
    };
    // Of awards and designations by their number, of persons by what is sealed; none of them is told to the second
    // stream.
    for validate_only in [true, false] {
        let run = |rows: &str| ImportSettings {
            validate_only,
            run: format!("{rows} {validate_only}"),
            ..ImportSettings::default()
        };
        let one = awards(&register, std::slice::from_ref(&first), run("awards")).await;
        let two = [first.clone(), award("1", 2023, "丁大学"), award("2", 2024, "丁大学")];
        let two = awards(&register, &two, run("awards")).await;
        expect(&one, &two, ["UNCHANGED", "ROW_TWICE", "CREATED"]);

        let one = designations(&register, std::slice::from_ref(&other), run("designations")).await;
        let two = [
            other.clone(),
            recognised("island", "1", "没有六"),
            recognised("isle", "2", "丙大学"),
        ];
        let two = designations(&register, &two, run("designations")).await;
        expect(&one, &two, ["UNCHANGED", "ROW_TWICE", "IDENTIFIER_TAKEN"]);

        let one = talents(&register, &[with_passport("教授")], run("talents")).await;
        let two = [with_passport("教授"), with_passport("副教授")];
        let two = talents(&register, &two, run("talents")).await;
        expect(&one, &two, ["UNCHANGED", "ROW_TWICE"]);
    }
    // Another run is not that run, and one without a name is one stream.
    let other_run = ImportSettings {
        validate_only: true,
        ..ImportSettings::default()
    };
    for _ in 0..2 {
        let told = awards(&register, &[award("3", 2024, "丁大学")], other_run.clone()).await;
        assert_eq!(ends(&told.0), ["CREATED"]);
    }
}

#[track_caller]
fn expect<const N: usize>(first: &Answer, second: &Answer, ends_of_second: [&str; N]) {
    assert_eq!(
        (ends(&first.0), ends(&second.0)),
        (vec!["CREATED".to_owned()], ends_of_second.map(str::to_owned).to_vec())
    );
    // A record that is not there has no name.
    assert!(first.0.iter().all(|outcome| outcome.problems.is_empty()));
}
