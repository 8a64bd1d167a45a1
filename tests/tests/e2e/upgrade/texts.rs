//! Texts as they were written before characters had one form.

use std::time::Instant;
use std::{env, fs};

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::ListLabsRequest;

use super::{DAY, groups, labs_called, organizations, organizations_called, talents, talents_called, upgraded};
use crate::public_files::table;

on_both_stores!(
    texts_of_then_are_found_in_every_way,
    many_texts_of_an_earlier_version_are_made_anew,
);

fn import(register: &Register, name: &str, collection: &str, text: &str) -> [u64; 4] {
    fs::write(register.folder().join(name), text).unwrap();
    let ran = register
        .command(&["import", name, "--as", collection])
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{said}");
    table(&said)[0].1
}

/// A cell of identifiers.
fn identified(scheme: &str, value: &str) -> String {
    format!("\"[{{\"\"scheme\"\":\"\"{scheme}\"\",\"\"value\"\":\"\"{value}\"\"}}]\"")
}

async fn texts_of_then_are_found_in_every_way(store: Store) {
    let clock = Clock::on(DAY);
    let register = upgraded(store, &clock).await;
    // Filters, searches, groups and references by what people write. The records have radicals, and characters of full
    // width.
    let filter = "display_name = \"青岛长江示例研究所（AB）\" AND city = \"青岛\" AND identifiers : \"青-2\"";
    let institute = organizations(&register, filter).await.remove(0);
    assert_eq!(institute.display_name, "⻘岛⻓江示例研究所（ＡＢ）");
    let asked = ListLabsRequest {
        filter: "field = \"青年科学\" AND city = \"青岛\"".to_owned(),
        ..ListLabsRequest::default()
    };
    let labs = register.labs().list_labs(asked).await.unwrap().into_inner().labs;
    assert_eq!(labs.len(), 1);
    let filter = "title = \"青年教授\" AND display_name = \"示例长青\" AND identifiers : \"青7\"";
    assert_eq!(talents(&register, filter).await.len(), 1);
    for query in ["青岛长江示例研究所", "qingdao changjiang", "qdcj", "⻘岛⻓江"] {
        assert_eq!(
            organizations_called(&register, query).await,
            ["⻘岛⻓江示例研究所（ＡＢ）"],
            "{query}"
        );
    }
    assert_eq!(labs_called(&register, "长江生态").await, ["⻓江生态示例实验室"]);
    assert_eq!(talents_called(&register, "示例长青").await, ["示例⻓⻘"]);
    assert_eq!(
        groups(&register, "organizations", "city").await,
        [("青岛".to_owned(), 2)]
    );
    assert_eq!(
        groups(&register, "talents", "title").await,
        [(String::new(), 1), ("教授".to_owned(), 1), ("青年教授".to_owned(), 1)]
    );
    // The files of that time mean the same records, and once they have been loaded again, nothing changes.
    let (code, staff) = (identified("code", "⻘－２"), identified("staff", "⻘７"));
    for (name, collection, header, row) in [
        (
            "o.csv",
            "organizations",
            "display_name,city,identifiers",
            format!("⻘岛⻓江示例研究所（ＡＢ）,⻘岛,{code}"),
        ),
        (
            "l.csv",
            "labs",
            "display_name,city,field,hosts",
            "⻓江生态示例实验室,⻘岛,⻘年科学,⻘岛⻓江示例研究所（ＡＢ）".to_owned(),
        ),
        (
            "t.csv",
            "talents",
            "display_name,title,identifiers",
            format!("示例⻓⻘,⻘年教授,{staff}"),
        ),
    ] {
        let text = format!("{header}\n{row}\n");
        let [created, _, _, refused] = import(&register, name, collection, &text);
        assert_eq!((created, refused), (0, 0), "{collection}");
        let [created, updated, _, refused] = import(&register, name, collection, &text);
        assert_eq!((created, updated, refused), (0, 0, 0), "{collection}");
    }
}

/// How many persons there are, where `MINGCE_UPGRADE` does not say.
const PERSONS: usize = 300;

/// Writes the texts of persons as an earlier version has stored them, with radicals, which are as long as the
/// characters that they stand for: bodies, columns, values, keys; and no search index of them.
async fn as_before(register: &Register, store: Store) {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
    for (old, new) in [("⻘", "青"), ("⻓", "长")] {
        let body = match store {
            Store::Sqlite => format!("unhex(replace(hex(body), '{}', '{}'))", hex(new), hex(old)),
            Store::Postgres => {
                let (new, old) = (hex(new).to_lowercase(), hex(old).to_lowercase());
                format!("decode(replace(encode(body, 'hex'), '{new}', '{old}'), 'hex')")
            }
        };
        let text = format!(
            "UPDATE talents SET body = {body}, display_name = replace(display_name, '{new}', '{old}'),
                 title = replace(title, '{new}', '{old}');
             UPDATE talents_values SET value = replace(value, '{new}', '{old}');
             UPDATE talents_keys SET key = replace(key, '{new}', '{old}');"
        );
        register.execute(&text).await;
    }
    let index = match store {
        Store::Sqlite => "DROP TABLE talents_search",
        Store::Postgres => "UPDATE talents SET tokens = ''::tsvector",
    };
    register.execute(index).await;
    register
        .execute("DELETE FROM settings WHERE name = 'text' OR name LIKE 'text %'")
        .await;
}

#[allow(clippy::print_stdout)]
async fn many_texts_of_an_earlier_version_are_made_anew(store: Store) {
    let persons = env::var("MINGCE_UPGRADE").map_or(PERSONS, |text| text.parse().unwrap());
    let mut register = Register::start(store).await;
    let mut text = "display_name,title,identifiers\n".to_owned();
    for n in 0..persons {
        text.push_str(&format!(
            "长青{n},青年教授,{}\n",
            identified("staff", &format!("青{n}"))
        ));
    }
    assert_eq!(import(&register, "t.csv", "talents", &text), [persons as u64, 0, 0, 0]);
    register.stop();
    as_before(&register, store).await;
    let refused = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(
        refused.contains("[INDEX_OUTDATED]") && refused.contains("mingce migrate"),
        "{refused}"
    );
    let from = Instant::now();
    register.migrate().succeeded();
    println!(
        "{store:?}: migrate over {persons} persons took {:.1} s",
        from.elapsed().as_secs_f64()
    );
    register.restart();
    let filter = "title = \"青年教授\" AND display_name = \"长青7\" AND identifiers : \"青7\"";
    assert_eq!(talents(&register, filter).await.len(), 1);
    assert!(!talents_called(&register, "长青7").await.is_empty());
    assert_eq!(
        groups(&register, "talents", "title").await,
        [("青年教授".to_owned(), i64::try_from(persons).unwrap())]
    );
}
