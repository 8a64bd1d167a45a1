//! What an earlier version has left is brought to this one by `mingce migrate`: tables of life cycles, and texts as they were written
//! before characters had one form.

use std::time::Instant;
use std::{env, fs};

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{ListOrganizationsRequest, Organization, SearchLabsRequest, SearchOrganizationsRequest};
use mingce_proto::registry::ComputeStatisticsRequest;
use mingce_proto::talent::{ListTalentsRequest, SearchTalentsRequest};

use crate::files::table;
use crate::made::{made, organization, read, updated};

on_both_stores!(
    texts_of_an_earlier_version_are_refused_and_after_migrate_found_in_every_way,
    records_of_an_earlier_version_get_the_numbers_of_their_last_changes,
);

/// What the migrations of life cycles bring, taken back.
const BEFORE: &str = "
    DROP TABLE policies, policies_values, policies_keys, rounds, rounds_values, rounds_keys, notices, notices_values, notices_keys,
        objections, objections_values, objections_keys, panels, panels_values, panels_keys, reviews, reviews_values, reviews_keys,
        nominating_bodies, nominating_bodies_values, nominating_bodies_keys, recommendations, recommendations_values,
        recommendations_keys;
    ALTER TABLE lab_designations DROP COLUMN case_round, DROP COLUMN case_policy, DROP COLUMN due_date, DROP COLUMN due,
        DROP COLUMN due_since;
    ALTER TABLE talent_designations DROP COLUMN case_round, DROP COLUMN case_policy, DROP COLUMN due_date, DROP COLUMN due,
        DROP COLUMN due_since, DROP COLUMN family;
    ALTER TABLE awards DROP COLUMN case_round, DROP COLUMN case_policy, DROP COLUMN due_date, DROP COLUMN due,
        DROP COLUMN due_since, DROP COLUMN public_safety, DROP COLUMN nominator;
    ALTER TABLE ledger_head DROP COLUMN time;
    ALTER TABLE imports DROP COLUMN sequence;
    ALTER TABLE organizations DROP COLUMN sequence;
    ALTER TABLE labs DROP COLUMN sequence;
    ALTER TABLE lab_designations DROP COLUMN sequence;
    ALTER TABLE talents DROP COLUMN sequence;
    ALTER TABLE programmes DROP COLUMN sequence;
    ALTER TABLE talent_designations DROP COLUMN sequence;
    ALTER TABLE schemes DROP COLUMN sequence;
    ALTER TABLE awards DROP COLUMN sequence;
    DELETE FROM mingce_ledger_migrations WHERE version LIKE '%_sequences';
    DELETE FROM mingce_labs_migrations WHERE version LIKE '%_sequences';
    DELETE FROM mingce_talent_migrations WHERE version LIKE '%_sequences';
    DELETE FROM mingce_awards_migrations WHERE version LIKE '%_sequences';
    DELETE FROM awards_values WHERE field = 'joined_organizations';
    DROP TABLE mingce_cases_migrations;
    DELETE FROM mingce_labs_migrations WHERE version LIKE '%000003%' OR version LIKE '%000040%';
    DELETE FROM mingce_talent_migrations WHERE version LIKE '%000003%' OR version LIKE '%000040%';
    DELETE FROM mingce_awards_migrations WHERE version LIKE '%000003%' OR version LIKE '%000040%';";

async fn joined(register: &Register) -> i64 {
    let asked = ComputeStatisticsRequest {
        collection: "awards".to_owned(),
        count: "joined_organizations".to_owned(),
        ..ComputeStatisticsRequest::default()
    };
    register
        .awards()
        .compute_statistics(asked)
        .await
        .unwrap()
        .into_inner()
        .total_count
}

#[tokio::test]
async fn an_earlier_register_is_refused_and_after_migrate_has_everything() {
    let mut register = Register::start_with(Store::Postgres, &["--sample"]).await;
    let mut before = joined(&register).await;
    for _ in 0..200 {
        if before > 0 && register.stdout().contains("sample loaded") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        before = joined(&register).await;
    }
    assert!(before > 0);
    register.stop();
    register.execute(BEFORE).await;
    let refused = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(refused.contains("mingce migrate"), "{refused}");
    register.migrate().succeeded();
    register.restart();
    assert_eq!(joined(&register).await, before);
}

/// Takes the numbers out of the rows, as earlier versions had none.
async fn without_numbers(register: &Register, store: Store, all: &[Organization]) {
    for table in ["organizations", "labs", "lab_designations", "imports"] {
        // SQLite drops no column that an index has.
        let text = format!("DROP INDEX {table}_by_sequence; ALTER TABLE {table} DROP COLUMN sequence;");
        register.execute(&text).await;
    }
    let bytes = "SELECT sum(length(body)) FROM organizations";
    let before = register.number(bytes).await;
    for one in all {
        // Field 100 of a message: its key, and a number of one byte.
        let field = format!("A006{:02X}", one.sequence);
        let body = match store {
            Store::Sqlite => format!("unhex(replace(hex(body), '{field}', ''))"),
            Store::Postgres => format!("decode(replace(upper(encode(body, 'hex')), '{field}', ''), 'hex')"),
        };
        let text = format!("UPDATE organizations SET body = {body} WHERE name = '{}'", one.name);
        register.execute(&text).await;
    }
    let gone = before - register.number(bytes).await;
    assert_eq!(gone, 3 * i64::try_from(all.len()).unwrap());
    let text = "ALTER TABLE ledger_head DROP COLUMN time;
                DELETE FROM mingce_ledger_migrations WHERE version LIKE '%_sequences';
                DELETE FROM mingce_labs_migrations WHERE version LIKE '%_sequences';";
    register.execute(text).await;
}

async fn records_of_an_earlier_version_get_the_numbers_of_their_last_changes(store: Store) {
    let mut register = Register::start(store).await;
    let mut all = Vec::new();
    for place in 0..3 {
        all.push(made(&register, organization(&format!("青岛示例{place}所"))).await);
    }
    let other = Organization {
        city: "青岛".to_owned(),
        ..all.remove(0)
    };
    all.push(updated(&register, other, &["city"]).await);
    register.stop();
    without_numbers(&register, store, &all).await;
    let refused = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(refused.contains("mingce migrate"), "{refused}");
    register.migrate().succeeded();
    register.restart();
    // They are as they were, in answers and in lists.
    for one in &all {
        assert_eq!(&read(&register, &one.name).await, one);
    }
    let asked = ListOrganizationsRequest {
        filter: format!("sequence >= {}", all[0].sequence),
        order_by: "sequence".to_owned(),
        ..ListOrganizationsRequest::default()
    };
    let listed = register.labs().list_organizations(asked).await.unwrap().into_inner();
    assert_eq!(listed.organizations, all);
    // The next change is later than all of them.
    let next = made(&register, organization("青岛示例新所")).await;
    assert_eq!(next.sequence, 5);
    let time = |one: &Organization| one.update_time.map(|time| (time.seconds, time.nanos));
    assert!(all.iter().all(|one| time(one) < time(&next)));
    let again = updated(
        &register,
        Organization {
            city: "济南".to_owned(),
            ..all[0].clone()
        },
        &["city"],
    )
    .await;
    assert_eq!((again.sequence, again.revision), (6, all[0].revision + 1));
    assert_eq!(read(&register, &again.name).await, again);
}

/// How many persons there are, where `MINGCE_UPGRADE` does not say.
const PERSONS: usize = 300;

/// Characters as they were stored, and as they are: radicals, which are as long as the characters that they stand for.
const OLD: [(&str, &str); 2] = [("⻘", "青"), ("⻓", "长")];

/// Writes the texts of records as an earlier version has stored them: bodies, columns, values, keys; and no search index of them.
async fn as_before(register: &Register, store: Store) {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
    for (table, columns) in [
        ("organizations", &["display_name", "city"][..]),
        ("labs", &["display_name", "city", "field"]),
        ("talents", &["display_name", "title"]),
    ] {
        for (old, new) in OLD {
            let body = match store {
                Store::Sqlite => format!("unhex(replace(hex(body), '{}', '{}'))", hex(new), hex(old)),
                Store::Postgres => {
                    let (new, old) = (hex(new).to_lowercase(), hex(old).to_lowercase());
                    format!("decode(replace(encode(body, 'hex'), '{new}', '{old}'), 'hex')")
                }
            };
            let columns: Vec<String> = columns
                .iter()
                .map(|c| format!("{c} = replace({c}, '{new}', '{old}')"))
                .collect();
            let text = format!(
                "UPDATE {table} SET body = {body}, {};
                 UPDATE {table}_values SET value = replace(value, '{new}', '{old}');
                 UPDATE {table}_keys SET key = replace(key, '{new}', '{old}');",
                columns.join(", ")
            );
            register.execute(&text).await;
        }
        let index = match store {
            Store::Sqlite => format!("DROP TABLE {table}_search"),
            Store::Postgres => format!("UPDATE {table} SET tokens = ''::tsvector"),
        };
        register.execute(&index).await;
    }
    register
        .execute("DELETE FROM settings WHERE name = 'text' OR name LIKE 'text %'")
        .await;
}

#[allow(clippy::print_stdout)]
async fn texts_of_an_earlier_version_are_refused_and_after_migrate_found_in_every_way(store: Store) {
    let persons = env::var("MINGCE_UPGRADE").map_or(PERSONS, |text| text.parse().unwrap());
    let mut register = Register::start(store).await;
    let import = |register: &Register, name: &str, collection: &str, text: &str| {
        fs::write(register.beside().join(name), text).unwrap();
        let ran = register
            .command(&["import", name, "--as", collection])
            .output()
            .unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        assert!(ran.status.success(), "{said}");
        table(&said)[0].1
    };
    let organizations = "display_name,city,identifiers\n青岛长江示例所,青岛,\"[{\"\"scheme\"\":\"\"code\"\",\"\"value\"\":\"\"青-1\"\"}]\"\n";
    let labs = "display_name,city,field,hosts\n长江生态实验室,青岛,青年科学,青岛长江示例所\n";
    let mut talents = "display_name,title,identifiers\n".to_owned();
    for n in 0..persons {
        talents.push_str(&format!(
            "长青{n},青年教授,\"[{{\"\"scheme\"\":\"\"staff\"\",\"\"value\"\":\"\"青{n}\"\"}}]\"\n"
        ));
    }
    assert_eq!(import(&register, "o.csv", "organizations", organizations), [1, 0, 0, 0]);
    assert_eq!(import(&register, "l.csv", "labs", labs), [1, 0, 0, 0]);
    assert_eq!(
        import(&register, "t.csv", "talents", &talents),
        [persons as u64, 0, 0, 0]
    );
    register.stop();
    as_before(&register, store).await;
    let refused = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(refused.contains("mingce migrate"), "{refused}");
    let from = Instant::now();
    register.migrate().succeeded();
    println!(
        "{store:?}: migrate over {persons} persons took {:.1} s",
        from.elapsed().as_secs_f64()
    );
    register.restart();

    // Filters, searches, groups and references by what people write.
    let asked = ListOrganizationsRequest {
        filter: "display_name = \"青岛长江示例所\" AND city = \"青岛\" AND identifiers : \"青-1\"".to_owned(),
        ..ListOrganizationsRequest::default()
    };
    assert_eq!(
        register
            .labs()
            .list_organizations(asked)
            .await
            .unwrap()
            .into_inner()
            .organizations
            .len(),
        1
    );
    let asked = ListTalentsRequest {
        filter: "title = \"青年教授\" AND display_name = \"长青7\"".to_owned(),
        ..ListTalentsRequest::default()
    };
    assert_eq!(
        register
            .talent()
            .list_talents(asked)
            .await
            .unwrap()
            .into_inner()
            .talents
            .len(),
        1
    );
    for query in ["青岛长江示例所", "qingdao changjiang", "qdcj"] {
        let asked = SearchOrganizationsRequest {
            query: query.to_owned(),
            ..SearchOrganizationsRequest::default()
        };
        let found = register.labs().search_organizations(asked).await.unwrap().into_inner();
        assert_eq!(found.organizations.len(), 1, "{query}");
    }
    let asked = SearchLabsRequest {
        query: "长江生态".to_owned(),
        ..SearchLabsRequest::default()
    };
    assert_eq!(
        register
            .labs()
            .search_labs(asked)
            .await
            .unwrap()
            .into_inner()
            .labs
            .len(),
        1
    );
    let asked = SearchTalentsRequest {
        query: "长青7".to_owned(),
        ..SearchTalentsRequest::default()
    };
    assert!(
        !register
            .talent()
            .search_talents(asked)
            .await
            .unwrap()
            .into_inner()
            .talents
            .is_empty()
    );
    let asked = ComputeStatisticsRequest {
        collection: "talents".to_owned(),
        group_by: vec!["title".to_owned()],
        ..ComputeStatisticsRequest::default()
    };
    let groups = register
        .talent()
        .compute_statistics(asked)
        .await
        .unwrap()
        .into_inner()
        .groups;
    let groups: Vec<_> = groups
        .iter()
        .map(|group| (group.values.join(""), group.count))
        .collect();
    assert_eq!(groups, [("青年教授".to_owned(), i64::try_from(persons).unwrap())]);
    // The files of that time mean the same records, and once they have been loaded again, nothing changes.
    for (name, collection, text) in [
        ("o.csv", "organizations", organizations),
        ("l.csv", "labs", labs),
        ("t.csv", "talents", &talents),
    ] {
        let [created, _, _, refused] = import(&register, name, collection, text);
        assert_eq!((created, refused), (0, 0), "{collection}");
        let [created, updated, _, refused] = import(&register, name, collection, text);
        assert_eq!((created, updated, refused), (0, 0, 0), "{collection}");
    }
}
