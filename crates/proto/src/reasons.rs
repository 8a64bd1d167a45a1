//! Every machine-readable reason of an error, a refused row or a blocked verb, with what it means in English and Chinese. The one table
//! is `reasons.txt`; `docs/reasons.md` is written from it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// Its name in UPPER_SNAKE_CASE.
    pub name: &'static str,
    /// Where it comes: names of gRPC codes, `row`, `blocker` and `start`, with commas between.
    pub at: &'static str,
    /// What it means, and what to do.
    pub english: &'static str,
    /// The same in Chinese, shorter.
    pub chinese: &'static str,
    /// The heading that it stands under.
    pub group: &'static str,
}

const TEXT: &str = include_str!("../reasons.txt");

static ALL: LazyLock<Vec<Reason>> = LazyLock::new(|| read(TEXT));
static BY_NAME: LazyLock<BTreeMap<&'static str, Reason>> =
    LazyLock::new(|| ALL.iter().map(|reason| (reason.name, *reason)).collect());

fn read(text: &'static str) -> Vec<Reason> {
    let mut group = "";
    let mut all = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            group = heading;
        } else if line.starts_with('#') {
            // A comment.
        } else if let [name, at, english, chinese] = line.split(" | ").collect::<Vec<_>>()[..] {
            all.push(Reason {
                name,
                at,
                english,
                chinese,
                group,
            });
        }
    }
    all
}

/// All reasons, in the order of the table.
pub fn all() -> &'static [Reason] {
    &ALL
}

/// The reason of this name.
pub fn of(name: &str) -> Option<&'static Reason> {
    BY_NAME.get(name)
}

/// What a reason means, in Chinese; nothing for one that is not in the table.
pub fn chinese(name: &str) -> Option<&'static str> {
    of(name).map(|reason| reason.chinese)
}
