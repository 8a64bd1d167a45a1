//! The check of a file before its import: what it holds, and a draft of a mapping that imports it.

use std::fs;
use std::process::Command;

use mingce_e2e::binary::{mingce, run};
use mingce_e2e::{Register, Store, on_both_stores};

on_both_stores!(a_list_is_checked_drafted_and_imported_by_its_draft);

const LIST: &str = "附件1\n\n序号,实验室名称,依托单位,面积\n1,潮汐能源示例实验室,示例一大学、示例二研究所,约900㎡\n2,滩涂生态示例实验室,示例一大学,1200\n";

async fn a_list_is_checked_drafted_and_imported_by_its_draft(store: Store) {
    let folder = tempfile::tempdir().unwrap();
    let [list, draft] = ["list.csv", "draft.toml"].map(|name| folder.path().join(name));
    fs::write(&list, LIST).unwrap();
    // Without a server.
    let mut command = Command::new(mingce());
    let told = run(command.arg("check").arg(&list).arg("--draft").arg(&draft)).succeeded();
    assert!(told.contains("表头似乎在第3行"), "{told}");
    assert!(told.contains("C\t依托单位\t示例一大学、示例二研究所"), "{told}");
    let [list, draft] = [list, draft].map(|path| path.display().to_string());
    let mut command = Command::new(mingce());
    let tried = run(command.args(["check", &list, "--as", &draft])).succeeded();
    assert!(tried.contains("labs: 2 read, 0 refused"), "{tried}");
    // What is refused is told as an import tells it, without the number of an identity card.
    let wrong = LIST.replace("1200", "370200198510010010号");
    let path = folder.path().join("wrong.csv").display().to_string();
    fs::write(&path, wrong).unwrap();
    let mut command = Command::new(mingce());
    let refused = run(command.args(["check", &path, "--as", &draft, "--lang", "en"]));
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stdout.contains("  row 5, 面积: UNIT_UNKNOWN: "), "{refused:?}");
    assert!(!refused.stdout.contains("3702001985"), "{refused:?}");
    let register = Register::start(store).await;
    register.cli(&["import", &list, "--as", &draft]).succeeded();
    let found = register.cli(&["search", "labs", "潮汐能源"]).succeeded();
    assert!(found.contains("潮汐能源示例实验室"), "{found}");
}
