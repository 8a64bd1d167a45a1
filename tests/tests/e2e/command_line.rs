//! The command line as offices use it: rows that are refused and mended, exports that are edited, imports that stop,
//! and merges.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{ListOrganizationsRequest, Organization, UpdateOrganizationRequest};

use crate::public_files::table;

on_both_stores!(
    refused_rows_are_a_workbook_that_goes_when_nothing_is_refused,
    an_import_that_fails_prints_what_it_kept,
    an_import_that_is_interrupted_ends_what_it_sent_and_says_what_was_kept,
    an_edited_export_does_not_undo_what_others_changed,
    an_export_of_another_register_is_loaded_into_an_empty_one,
    refused_rows_are_listed_in_the_order_of_the_file,
    what_is_made_by_the_way_is_listed_by_name,
    a_dry_run_counts_on_what_its_rows_would_change,
    records_are_merged_and_parted_again_by_command,
    reasons_are_in_chinese_where_asked,
);

async fn organizations(register: &Register) -> Vec<Organization> {
    let mut client = register.labs();
    let answer = client.list_organizations(ListOrganizationsRequest {
        page_size: 1000,
        order_by: "display_name".to_owned(),
        ..ListOrganizationsRequest::default()
    });
    answer.await.unwrap().into_inner().organizations
}

fn write(register: &Register, name: &str, text: &str) {
    fs::write(register.folder().join(name), text).unwrap();
}

async fn refused_rows_are_a_workbook_that_goes_when_nothing_is_refused(store: Store) {
    let register = Register::start(store).await;
    write(
        &register,
        "o.csv",
        "display_name,division_code\n甲大学,370200\n乙大学,1\n",
    );
    let import = |file: &str| register.cli(&["import", file, "--as", "organizations", "--refused", "refused.xlsx"]);
    let ran = import("o.csv");
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stdout.contains("1 rows were written to refused.xlsx"), "{ran:?}");
    let path = register.folder().join("refused.xlsx");
    assert!(fs::read(&path).unwrap().starts_with(b"PK"));
    // The file is one that an import takes in the same way.
    fs::copy(&path, register.folder().join("mended.xlsx")).unwrap();
    let ran = import("mended.xlsx");
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert_eq!(table(&ran.stdout), [("organizations".to_owned(), [0, 0, 0, 1])]);
    write(&register, "good.csv", "display_name,division_code\n乙大学,370200\n");
    let said = import("good.csv").succeeded();
    assert!(
        said.contains("nothing was refused; refused.xlsx of an earlier run was removed"),
        "{said}"
    );
    assert!(!path.exists());
    assert_eq!(organizations(&register).await.len(), 2);
}

async fn refused_rows_are_listed_in_the_order_of_the_file(store: Store) {
    let register = Register::start(store).await;
    let mapping = r#"
[[part]]
collection = "organizations"
[part.fields]
display_name = "{单位}"
division_code = "{区划}"
established_year = { from = "{成立}", date = "year" }
parent = "{上级}"
[[part]]
collection = "labs"
[part.fields]
display_name = "{单位}"
division_code = "{区划}"
established_year = { from = "{成立}", date = "year" }
"#;
    write(&register, "m.toml", mapping);
    // By turns the register and the mapping refuse a row; one names what is not there.
    let file = "单位,区划,成立,上级\n甲大学,990000,2001,\n乙大学,370202,某年,\n丙大学,370202,2001,ror:03cve4549\n\
                丁大学,990000,2001,\n戊大学,370202,某年,\n";
    write(&register, "o.csv", file);
    for flags in [&["--dry-run"][..], &[]] {
        let import = ["import", "o.csv", "--as", "m.toml", "--refused", "refused.csv"];
        let args = [&import[..], flags].concat();
        let ran = register.cli(&args);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        let listed = ran.stdout.lines().filter_map(|line| line.strip_prefix("  row "));
        let listed: String = listed.filter_map(|line| line.chars().next()).collect();
        assert_eq!(listed, "223345566", "{ran:?}");
        // The file has each row once, and what both parts say of a column once.
        let written = fs::read_to_string(register.folder().join("refused.csv")).unwrap();
        let rows: Vec<&str> = written.lines().skip(1).collect();
        assert_eq!(rows.len(), 5, "{written}");
        assert!(
            rows[0].starts_with("2,区划,990000,DIVISION_CODE_PROVINCE_UNKNOWN,"),
            "{written}"
        );
        assert!(rows[1].starts_with("3,成立,某年,DATE_INVALID,"), "{written}");
    }
}

async fn an_import_that_fails_prints_what_it_kept(store: Store) {
    let register = Register::start(store).await;
    let mut text = String::from("display_name\n");
    (0..2500).for_each(|n| text.push_str(&format!("单位{n:05}\n")));
    text.push_str("\"单位\n");
    write(&register, "break.csv", &text);
    let ran = register.cli(&["import", "break.csv", "--as", "organizations"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(
        table(&ran.stdout),
        [("organizations".to_owned(), [2500, 0, 0, 0])],
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("what stood before that place was imported"),
        "{ran:?}"
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    let ran = register.cli(&["import", "break.csv", "--as", "organizations"]);
    assert_eq!(
        table(&ran.stdout),
        [("organizations".to_owned(), [0, 0, 2500, 0])],
        "{ran:?}"
    );
}

async fn an_import_that_is_interrupted_ends_what_it_sent_and_says_what_was_kept(store: Store) {
    let register = Register::start(store).await;
    let mut text = String::from("display_name\n");
    (0..100_000).for_each(|n| text.push_str(&format!("单位{n:06}\n")));
    write(&register, "long.csv", &text);
    let running = register
        .command(&["import", "long.csv", "--as", "organizations"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while organizations(&register).await.is_empty() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let killed = Command::new("kill")
        .args(["-INT", &running.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8(output.stdout).unwrap();
    let rows = table(&said);
    let [(_, [created, 0, 0, 0])] = rows.as_slice() else {
        panic!("{said}")
    };
    let created = *created;
    let mut all = ListOrganizationsRequest {
        page_size: 1000,
        ..ListOrganizationsRequest::default()
    };
    let mut kept = 0;
    loop {
        let page = register
            .labs()
            .list_organizations(all.clone())
            .await
            .unwrap()
            .into_inner();
        kept += page.organizations.len() as u64;
        all.page_token = page.next_page_token;
        if all.page_token.is_empty() {
            break;
        }
    }
    assert!(0 < created && created < 100_000, "{said}");
    assert_eq!(created, kept, "{said}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("interrupted"));
}

async fn an_edited_export_does_not_undo_what_others_changed(store: Store) {
    let register = Register::start(store).await;
    write(&register, "o.csv", "display_name,city\n甲大学,青岛\n乙大学,青岛\n");
    register.cli(&["import", "o.csv", "--as", "organizations"]).succeeded();
    register
        .cli(&["export", "organizations", "--to", "out.csv", "--lang", "zh"])
        .succeeded();
    let exported = fs::read_to_string(register.folder().join("out.csv")).unwrap();
    // A colleague changes the one; the clerk edits both in the file.
    let first = organizations(&register)
        .await
        .into_iter()
        .find(|o| o.display_name == "甲大学")
        .unwrap();
    let name = first.name.clone();
    let update = UpdateOrganizationRequest {
        organization: Some(Organization {
            city: "济南".to_owned(),
            ..first
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["city".to_owned()],
        }),
        ..UpdateOrganizationRequest::default()
    };
    register.labs().update_organization(update).await.unwrap();
    fs::write(register.folder().join("edited.csv"), exported.replace("青岛", "烟台")).unwrap();
    let ran = register.cli(&["import", "edited.csv", "--as", "organizations"]);
    assert_eq!(
        table(&ran.stdout),
        [("organizations".to_owned(), [0, 1, 0, 1])],
        "{ran:?}"
    );
    assert!(ran.stdout.contains("etag \"r1\": ETAG_MISMATCH: "), "{ran:?}");
    let city = |all: Vec<Organization>| all.into_iter().find(|o| o.name == name).unwrap().city;
    assert_eq!(city(organizations(&register).await), "济南");
    // What says the same as the register is unchanged, whatever its etag.
    let ran = register.cli(&["import", "edited.csv", "--as", "organizations", "--force"]);
    assert_eq!(table(&ran.succeeded()), [("organizations".to_owned(), [0, 1, 1, 0])]);
    assert_eq!(city(organizations(&register).await), "烟台");
    let ran = register.cli(&["import", "edited.csv", "--as", "organizations"]);
    assert_eq!(table(&ran.succeeded()), [("organizations".to_owned(), [0, 0, 2, 0])]);
}

async fn an_export_of_another_register_is_loaded_into_an_empty_one(store: Store) {
    let here = Register::start(store).await;
    write(
        &here,
        "labs.csv",
        "display_name,hosts,state\n甲实验室,甲大学、乙研究所,停止\n",
    );
    here.cli(&["import", "labs.csv", "--as", "labs"]).succeeded();
    here.cli(&["export", "labs", "--to", "out.xlsx", "--lang", "zh"])
        .succeeded();
    let there = Register::start(store).await;
    fs::copy(here.folder().join("out.xlsx"), there.folder().join("out.xlsx")).unwrap();
    let ran = there.cli(&["import", "out.xlsx", "--as", "labs"]);
    let said = ran.succeeded();
    assert_eq!(table(&said), [("labs".to_owned(), [1, 0, 0, 0])], "{said}");
    let again = there.cli(&["import", "out.xlsx", "--as", "labs"]).succeeded();
    assert_eq!(table(&again), [("labs".to_owned(), [0, 0, 1, 0])], "{again}");
    let found = there.cli(&["search", "labs", "甲实验室"]).succeeded();
    assert!(found.contains("甲实验室  (甲大学, 乙研究所"), "{found}");
}

async fn what_is_made_by_the_way_is_listed_by_name(store: Store) {
    let register = Register::start(store).await;
    let mut text = String::from("display_name,hosts\n");
    (1..=22).for_each(|n| text.push_str(&format!("实验室{n:02},单位{n:02}\n")));
    write(&register, "labs.csv", &text);
    let args = ["import", "labs.csv", "--as", "labs", "--created", "made.csv"];
    let dry = register.cli(&[&args[..], &["--dry-run"]].concat()).succeeded();
    assert!(
        dry.contains("would be created because rows name them:\n  organizations: 单位01\n"),
        "{dry}"
    );
    assert!(dry.contains("and 2 more; --created FILE writes them all"), "{dry}");
    let listed = |file: &str| {
        let text = fs::read_to_string(register.folder().join(file)).unwrap();
        text.lines()
            .skip(1)
            .map(|l| l.split(',').nth(1).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let would = listed("made.csv");
    assert_eq!(would.len(), 22);
    register.cli(&args).succeeded();
    assert_eq!(listed("made.csv"), would, "a dry run is what the run then does");
}

async fn a_dry_run_counts_on_what_its_rows_would_change(store: Store) {
    let register = Register::start(store).await;
    let part =
        |collection: &str, fields: &str| format!("[[part]]\ncollection = \"{collection}\"\n[part.fields]\n{fields}\n");
    let number = "{ scheme = \"staff\", value = \"{编号}\" }";
    let file = "{ scheme = \"archive\", value = \"{档案号}\" }";
    let persons = part(
        "talents",
        &format!("display_name = \"{{姓名}}\"\nidentifiers = [{number}, {file}]"),
    );
    let decisions = part(
        "talentDesignations",
        &format!(
            "talent = {{ identifier = {file} }}\nprogramme = {{ code = \"lj\" }}\nstate = \"IN_TERM\"\ndecision_date = \"2024-06-30\"\nnumber = \"{{档案号}}\""
        ),
    );
    write(
        &register,
        "p.csv",
        "display_name,code,kind,level\n领军人才,lj,领军人才,区级\n",
    );
    register.cli(&["import", "p.csv", "--as", "programmes"]).succeeded();
    let first = part(
        "talents",
        &format!("display_name = \"{{姓名}}\"\nidentifiers = [{number}]"),
    );
    write(&register, "first.toml", &first);
    write(&register, "both.toml", &format!("{persons}{decisions}"));
    write(&register, "t.csv", "姓名,编号,档案号\n张示一,P1,D1\n李示二,P2,D2\n");
    register.cli(&["import", "t.csv", "--as", "first.toml"]).succeeded();
    let dry = register.cli(&["import", "t.csv", "--as", "both.toml", "--dry-run"]);
    let done = register.cli(&["import", "t.csv", "--as", "both.toml"]);
    let expected = [
        ("talents".to_owned(), [0, 2, 0, 0]),
        ("talentDesignations".to_owned(), [2, 0, 0, 0]),
    ];
    assert_eq!(table(&done.stdout), expected, "{done:?}");
    assert_eq!(table(&dry.stdout), expected, "{dry:?}");
}

async fn records_are_merged_and_parted_again_by_command(store: Store) {
    let register = Register::start(store).await;
    write(&register, "o.csv", "display_name,city\n甲大学,青岛\n甲大学等,烟台\n");
    register.cli(&["import", "o.csv", "--as", "organizations"]).succeeded();
    let all = organizations(&register).await;
    let of = |name: &str| all.iter().find(|o| o.display_name == name).unwrap().name.clone();
    let (duplicate, survivor) = (of("甲大学等"), of("甲大学"));
    let args = ["merge", "organizations", &duplicate, &survivor, "--reason", "录入重复"];
    let said = register.cli(&[&args[..], &["--dry-run"]].concat()).succeeded();
    assert!(
        said.contains("would end as a duplicate of") && said.contains("甲大学等  (烟台)"),
        "{said}"
    );
    assert_eq!(organizations(&register).await.len(), 2);
    let said = register.cli(&args).succeeded();
    assert!(said.contains("ended as a duplicate of"), "{said}");
    assert_eq!(organizations(&register).await.len(), 1);
    let id = duplicate.split_once('/').unwrap().1;
    let said = register
        .cli(&["unmerge", "organizations", id, "--reason", "两个单位"])
        .succeeded();
    assert!(said.contains("is a record of its own again"), "{said}");
    assert_eq!(organizations(&register).await.len(), 2);
    let said = register
        .cli(&["merge", "awards", "a", "b", "--reason", "x"])
        .failed_with_one_line();
    assert!(said.contains("awards are not merged"), "{said}");
    let said = register
        .cli(&["merge", "organizations", "labs/x", &survivor, "--reason", "x"])
        .failed_with_one_line();
    assert!(said.contains("is no resource name of organizations"), "{said}");
}

async fn reasons_are_in_chinese_where_asked(store: Store) {
    let register = Register::start(store).await;
    write(&register, "o.csv", "display_name,kind\n孙\u{3000}示六,怪\n");
    let ran = register.cli(&["import", "o.csv", "--as", "organizations", "--lang", "zh"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let row = "第 2 行, kind \"怪\": ENUM_VALUE_UNKNOWN: 该值不在规定的选项之内，请按提示填写 \
               (one of UNIVERSITY (高校), ";
    assert!(ran.stdout.contains(row), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("行数      新建      更新       未变     被拒"),
        "{}",
        ran.stdout
    );
    let ran = register
        .command(&["import", "o.csv", "--as", "organizations"])
        .env("LC_ALL", "zh_CN.UTF-8")
        .output()
        .unwrap();
    assert!(String::from_utf8(ran.stdout).unwrap().contains(row));

    // What is wrong with a file, and the lines of the summary.
    write(&register, "page.xls", "<html><table><tr><td>姓名");
    write(&register, "empty.csv", "\n");
    write(&register, "break.csv", "display_name\n甲大学\n\"乙大学\n");
    for (args, said) in [
        (
            ["import", "page.xls", "--as", "organizations"],
            "mingce: page.xls：这是网页（HTML）",
        ),
        (
            ["import", "empty.csv", "--as", "organizations"],
            "mingce: empty.csv：没有表头；文件是空的",
        ),
        (
            ["import", "nowhere.csv", "--as", "organizations"],
            "mingce: nowhere.csv：文件不存在",
        ),
        (
            ["import", "o.csv", "--as", "mapping"],
            "mingce: 没有名为 \"mapping\" 的映射",
        ),
        (
            ["import", "break.csv", "--as", "organizations"],
            "mingce: 导入中断：该处之前的内容已导入：break.csv：第3行：单元格的引号没有结束",
        ),
    ] {
        let ran = register.cli(&[&args[..], &["--lang", "zh"]].concat());
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.starts_with(said), "{ran:?}");
        assert!(!register.cli(&args).stderr.contains('：'), "{args:?}");
    }
    write(&register, "l.csv", "display_name,hosts\n实验室,丙大学\n");
    let said = register
        .cli(&["import", "l.csv", "--as", "labs", "--lang", "zh"])
        .succeeded();
    assert!(
        said.contains("labs：已新建 1 条被引用的 organizations 记录（未核实）"),
        "{said}"
    );
}
