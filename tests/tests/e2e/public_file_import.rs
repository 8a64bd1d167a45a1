//! The import of the public files: loaded, counted and searched.

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::awards::{Award, ListAwardsRequest};
use mingce_proto::registry::{ComputeStatisticsRequest, ComputeStatisticsResponse, View};

use crate::public_files::{FILES, counted, folder, import, ledger, load, rows, statistics, table};

on_both_stores!(
    the_figures_are_those_of_the_files,
    labs_before_their_hosts_make_hosts_that_the_next_file_fills,
    a_dry_run_says_what_the_import_does_and_writes_nothing,
    names_are_found_however_they_are_typed,
);

fn groups(counted: &ComputeStatisticsResponse) -> Vec<(&str, i64)> {
    counted
        .groups
        .iter()
        .map(|group| (group.values[0].as_str(), group.count))
        .collect()
}

async fn awards(register: &Register) -> Vec<Award> {
    let request = ListAwardsRequest {
        page_size: 1000,
        view: View::Full as i32,
        ..ListAwardsRequest::default()
    };
    register
        .awards()
        .list_awards(request)
        .await
        .unwrap()
        .into_inner()
        .awards
}

async fn the_figures_are_those_of_the_files(store: Store) {
    let Some(folder) = folder() else { return };
    let mut register = Register::start(store).await;
    let summaries = FILES.map(|file| table(&import(&register, &folder, file, &[])));
    assert_eq!(summaries[0], rows(&[("organizations", [211, 0, 0, 0])]));
    assert_eq!(summaries[1], rows(&[("labs", [340, 0, 0, 0]), ("labs", [0, 1, 0, 0])]));
    let made = |n| [n, 0, 0, 0];
    let nobel = [
        ("schemes", made(6)),
        ("organizations", made(23)),
        ("talents", made(881)),
        ("awards", made(579)),
    ];
    assert_eq!(summaries[2], rows(&nobel));

    let pairs = counted(&register, statistics("awards", "contributors", &["category"])).await;
    let expected = [
        ("chemistry", 175),
        ("economics", 78),
        ("literature", 113),
        ("medicine", 211),
        ("peace", 130),
        ("physics", 204),
    ];
    assert_eq!((groups(&pairs), pairs.total_count), (expected.to_vec(), 911));
    let laureates = ComputeStatisticsRequest {
        distinct: true,
        ..statistics("awards", "contributors", &[])
    };
    assert_eq!(counted(&register, laureates).await.total_count, 904);
    let states = counted(&register, statistics("labs", "", &["state"])).await;
    let expected = [("ACTIVE", 333), ("INACTIVE", 6), ("WITHDRAWN", 1)];
    let states: Vec<_> = groups(&states)
        .into_iter()
        .map(|(s, n)| (s.trim_start_matches("OPERATING_STATE_"), n))
        .collect();
    assert_eq!(states, expected);
    let hosts = counted(&register, statistics("labs", "", &["host_count"])).await;
    assert_eq!(groups(&hosts), [("0", 19), ("1", 301), ("2", 16), ("3", 4)]);
    let links = counted(&register, statistics("labs", "hosts", &[])).await;
    assert_eq!(links.total_count, 301 + 2 * 16 + 3 * 4);

    // Whatever the whole is divided by, the parts are the whole.
    for (collection, dimensions, total) in [
        (
            "organizations",
            &[
                "kind",
                "state",
                "city",
                "country_code",
                "established_year",
                "unverified",
            ][..],
            None,
        ),
        (
            "labs",
            &[
                "kind",
                "platform",
                "state",
                "city",
                "host_count",
                "lead_host",
                "established_year",
            ],
            Some(340),
        ),
        (
            "talents",
            &["nationality", "title", "birth_year", "deceased"],
            Some(881),
        ),
        (
            "awards",
            &[
                "scheme",
                "year",
                "grade",
                "state",
                "level",
                "category",
                "contributor_count",
            ],
            Some(579),
        ),
        ("schemes", &["level", "category", "subject", "issuer"], Some(6)),
    ] {
        let whole = counted(&register, statistics(collection, "", &[])).await.total_count;
        assert!(total.is_none_or(|total| total == whole), "{collection}: {whole}");
        for dimension in dimensions {
            let divided = counted(&register, statistics(collection, "", &[dimension])).await;
            let sum: i64 = divided.groups.iter().map(|group| group.count).sum();
            assert_eq!(
                (sum, divided.total_count),
                (whole, whole),
                "{collection} by {dimension}"
            );
        }
    }
    let awards = awards(&register).await;
    // The newest first, where nothing else is said.
    assert!(awards.is_sorted_by(|a, b| a.year >= b.year) && awards[0].year == 2016);
    for award in awards {
        // In twelfths, which halves, thirds and quarters are whole numbers of.
        let share = |c: &mingce_proto::awards::Contributor| c.share.map_or(0, |s| 12 * s.numerator / s.denominator);
        let sum: i32 = award.contributors.iter().map(share).sum();
        assert_eq!(sum, 12, "{}", award.title);
    }

    let before = ledger(&mut register).await;
    let again = FILES.map(|file| table(&import(&register, &folder, file, &[])));
    for (first, second) in summaries.iter().zip(&again) {
        for ((label, [created, updated, ..]), (_, numbers)) in first.iter().zip(second) {
            assert_eq!(*numbers, [0, 0, created + updated, 0], "{label}");
        }
    }
    assert_eq!(ledger(&mut register).await, before);
}

async fn labs_before_their_hosts_make_hosts_that_the_next_file_fills(store: Store) {
    let Some(folder) = folder() else { return };
    let register = Register::start(store).await;
    let labs = import(&register, &folder, FILES[1], &[]);
    assert!(
        labs.contains("211 organizations that rows name created, unverified"),
        "{labs}"
    );
    let organizations = import(&register, &folder, FILES[0], &[]);
    assert_eq!(table(&organizations), rows(&[("organizations", [0, 211, 0, 0])]));
    assert_eq!(
        counted(&register, statistics("organizations", "", &[]))
            .await
            .total_count,
        211
    );
}

async fn a_dry_run_says_what_the_import_does_and_writes_nothing(store: Store) {
    let Some(folder) = folder() else { return };
    let mut register = Register::start(store).await;
    let mut entries = 0;
    // The labs first, so that all their hosts are missing; again at the end, so that nothing is.
    for file in [FILES[1], FILES[0], FILES[2], FILES[1]] {
        let said = import(&register, &folder, file, &["--dry-run"]);
        assert_eq!(ledger(&mut register).await, entries, "{file:?}");
        let done = import(&register, &folder, file, &[]);
        entries = ledger(&mut register).await;
        let (head, said) = said.split_once('\n').unwrap();
        assert!(head.contains("dry run"), "{head}");
        // A dry run is no import that could be taken back.
        let is_told = |line: &&str| !line.starts_with("import ");
        let done: Vec<&str> = done.lines().filter(is_told).collect();
        let said = said.replace("would be created", "created");
        assert_eq!(said.lines().collect::<Vec<_>>(), done, "{file:?}");
    }
}

async fn names_are_found_however_they_are_typed(store: Store) {
    let Some(folder) = folder() else { return };
    let register = Register::start(store).await;
    load(&register, &folder);
    for (collection, query, found) in [
        ("talents", "Rontgen", "Wilhelm Conrad Röntgen"),
        ("talents", "röntgen wilhelm", "Wilhelm Conrad Röntgen"),
        ("talents", "Curie, Marie", "Marie Curie, née Sklodowska"),
        (
            "labs",
            "State Key Pollution Control",
            "污染控制与资源化研究国家重点实验室",
        ),
        ("labs", "污染控制", "污染控制与资源化研究国家重点实验室"),
        ("labs", "wurankongzhi", "污染控制与资源化研究国家重点实验室"),
        ("labs", "wrkz", "污染控制与资源化研究国家重点实验室"),
        ("organizations", "南京大学", "南京大学"),
        ("organizations", "nanjingdaxue", "南京大学"),
        ("organizations", "nanjing daxue", "南京大学"),
        ("organizations", "njdx", "南京大学"),
        ("organizations", "NJU", "南京大学"),
        ("organizations", "Nanjing University", "南京大学"),
        ("awards", "Nobel Prize in Physics 1901", "Nobel Prize in Physics 1901"),
    ] {
        let said = register.cli(&["search", collection, query]).succeeded();
        let names: Vec<_> = said
            .lines()
            .filter_map(|line| line.split_once("  "))
            // City, host and the like stand behind the name.
            .map(|(_, name)| name.split("  (").next().unwrap_or(name))
            .collect();
        assert!(names.contains(&found), "{query}: {names:?}");
        // A query that names one thing finds few beside it.
        assert!(names.len() <= 6, "{query}: {names:?}");
    }
    let said = register.cli(&["search", "labs", "State Key"]).succeeded();
    assert!(said.contains("the first 50"), "{said}");
    assert!(
        register
            .cli(&["search", "talents", "nobody such"])
            .succeeded()
            .contains("nothing found")
    );
}
