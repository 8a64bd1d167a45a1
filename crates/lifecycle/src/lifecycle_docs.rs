//! A life cycle as a page that an official can read: its states, its verbs with what has to hold, and a drawing.

use std::fmt::Write;

use crate::state_machine::{Phase, Stateful};

/// The page, in both languages, as Markdown with a Mermaid drawing.
pub fn page<C: Stateful>() -> String {
    let life = C::state_machine();
    let mut page = format!("# {} · {}\n\n", life.zh, life.en);
    let _ = writeln!(
        page,
        "Methods of `{}`. This page is generated from the table that the program runs on.\n",
        life.service
    );
    let _ = writeln!(
        page,
        "## 状态 · States\n\n| 状态 | State | `state` | 阶段 · Phase |\n| --- | --- | --- | --- |"
    );
    for state in life.states {
        let phase = match state.phase {
            Phase::Draft => "可修改 · editable",
            Phase::Undecided => "待决定 · awaiting decision",
            Phase::Live => "有效 · live",
            Phase::Ended => "终结 · ended",
        };
        let _ = writeln!(page, "| {} | {} | `{}` | {phase} |", state.zh, state.en, state.code);
    }
    let _ = writeln!(
        page,
        "\n## 环节 · Transitions\n\n| 环节 | Verb | Method | 从 · From | 到 · To |\n| --- | --- | --- | --- | --- |"
    );
    let code = |number: &i32| life.state(*number).map_or("?", |state| state.code);
    for edge in life.transitions {
        let list = |states: &[i32]| {
            states
                .iter()
                .map(|s| format!("`{}`", code(s)))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let _ = writeln!(
            page,
            "| {} | `{}` | `{}` | {} | {} |",
            edge.zh,
            edge.verb,
            edge.method,
            list(edge.from),
            if edge.to.is_empty() {
                "不变 · stays".to_owned()
            } else {
                list(edge.to)
            }
        );
    }
    page.push_str("\n## 条件 · Guards\n");
    for edge in life.transitions.iter().filter(|edge| !edge.guards.is_empty()) {
        let _ = writeln!(page, "\n{} · `{}`\n", edge.zh, edge.verb);
        for guard in edge.guards {
            let _ = writeln!(page, "- {} ·\n  {}", guard.zh, guard.en);
        }
    }
    page.push_str("\n## 图 · State diagram\n\n```mermaid\nstateDiagram-v2\n");
    for state in life.states {
        let _ = writeln!(page, "    {}: {} {}", state.code, state.zh, state.en);
    }
    let _ = writeln!(page, "    [*] --> {}", code(&life.first));
    for edge in life.transitions {
        for from in edge.from {
            for to in if edge.to.is_empty() {
                std::slice::from_ref(from)
            } else {
                edge.to
            } {
                let _ = writeln!(page, "    {} --> {}: {} {}", code(from), code(to), edge.zh, edge.verb);
            }
        }
    }
    for state in life
        .states
        .iter()
        .filter(|state| life.from(state.number).all(|edge| edge.verb == crate::correct::VERB))
    {
        let _ = writeln!(page, "    {} --> [*]", state.code);
    }
    page.push_str("```\n");
    page
}

/// What is wrong with a life cycle: states that are not those of the contract, edges to nowhere, verbs or methods that stand twice
/// or are not in the contract, states that cannot be reached. For tests of services.
pub fn faults<C: Stateful>() -> Vec<String> {
    let life = C::state_machine();
    let mut faults = Vec::new();
    let contract = mingce_proto::names::values(life.state_enum);
    let prefix = contract
        .first()
        .map_or("", |(name, _)| name.trim_end_matches("UNSPECIFIED"));
    for (name, number) in contract.iter().filter(|(_, number)| *number != 0) {
        match life.state(*number) {
            None => faults.push(format!("{name} is no state of it")),
            Some(state) if format!("{prefix}{}", state.code.to_uppercase()) != *name => {
                faults.push(format!("{name} is called {} here", state.code));
            }
            Some(_) => {}
        }
    }
    for state in life.states {
        if !contract.iter().any(|(_, number)| *number == state.number) {
            faults.push(format!("{} is not in the contract", state.code));
        }
        let reached = state.number == life.first || life.transitions.iter().any(|e| e.to.contains(&state.number));
        if !reached {
            faults.push(format!("nothing leads to {}", state.code));
        }
    }
    let service = mingce_proto::names::POOL.get_service_by_name(life.service);
    for (place, edge) in life.transitions.iter().enumerate() {
        let known = service
            .as_ref()
            .is_some_and(|s| s.methods().any(|m| m.name() == edge.method));
        if !known {
            faults.push(format!("{} has no method {}", life.service, edge.method));
        }
        if life
            .transitions
            .iter()
            .skip(place + 1)
            .any(|e| e.verb == edge.verb || e.method == edge.method)
        {
            faults.push(format!("{} stands twice", edge.verb));
        }
        for state in edge.from.iter().chain(edge.to) {
            if life.state(*state).is_none() {
                faults.push(format!("{} names a state {state} that it does not have", edge.verb));
            }
        }
    }
    faults
}

/// Holds a page in `docs/life-cycles` to the table; with `UPDATE_GOLDEN` in the environment it is written anew. For tests of services.
///
/// # Panics
/// Where the page says something else.
#[allow(clippy::panic)]
#[expect(clippy::disallowed_methods, reason = "golden files are written anew by it")]
pub fn expect_page<C: Stateful>(file: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/life-cycles")
        .join(file);
    let page = page::<C>();
    if std::env::var_os("UPDATE_GOLDEN").is_some()
        && let Err(error) = std::fs::write(&path, &page)
    {
        panic!("{}: {error}", path.display());
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    if written != page {
        panic!(
            "{} is not what the table says; UPDATE_GOLDEN=1 writes it anew. It should be:\n{page}",
            path.display()
        );
    }
}
