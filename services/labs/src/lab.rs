//! Labs (重点实验室, 技术创新中心): the columns, keys and rules of the resource.

use std::sync::LazyLock;

use mingce_orm::model::collection::AcyclicReference;
use mingce_orm::model::identifier;
use mingce_orm::model::normalize::{
    Known, Violations, absorb_names, contradiction, enum_values, fits, identifier_keys, identifiers_differ,
    keep_identifier_order, names_of, normalize_identifiers, normalize_names, normalize_ranks, preserve_identifiers,
    preserve_names,
};
use mingce_orm::{
    Beside, Cell, Collection, Column, Field, Fit, Key, Likeness, Result, Shape, UnitOfWork, Violation, text,
};
use mingce_proto::labs::{Lab, LabHost};
use mingce_proto::registry::TalentReference;

use crate::organization::Organizations;

fn organization(host: &LabHost) -> &str {
    host.organization.as_ref().map_or("", |o| o.organization.as_str())
}

fn successor(lab: &Lab) -> &str {
    lab.successor.as_ref().map_or("", |s| s.lab.as_str())
}

/// A person by resource name, or by name where they are not in the register.
fn person(person: &Option<TalentReference>) -> &str {
    person.as_ref().map_or("", |p| {
        if p.talent.is_empty() {
            p.display_name.as_str()
        } else {
            p.talent.as_str()
        }
    })
}

/// What took over from a lab does not lead back to it.
const CHAINS: &[AcyclicReference<Labs>] = &[AcyclicReference {
    field: "successor",
    reason: "SUCCESSOR_CYCLE",
    next: |lab| vec![successor(lab)],
}];

fn known(item: &Lab) -> Known<'_> {
    (&item.display_name, &item.names, &item.identifiers)
}

/// The collection.
#[derive(Debug)]
pub(crate) enum Labs {}

impl Collection for Labs {
    type Item = Lab;
    const MESSAGE: &'static str = "mingce.labs.v1.Lab";
    const COLLECTION: &'static str = mingce_proto::collections::LABS;
    const TABLE: &'static str = "labs";
    const SINGULAR: &'static str = "lab";
    const FULL_ONLY: &'static [&'static str] = &["members", "academic_committee", "address"];
    const BY_NAME: bool = true;
    const OUTPUT_ONLY: &'static [&'static str] = &["distinct_from"];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Labs>> = LazyLock::new(|| {
            let kinds = enum_values("mingce.labs.v1.LabKind");
            let platforms = enum_values("mingce.labs.v1.LabPlatform");
            let states = enum_values("mingce.labs.v1.OperatingState");
            Shape::new(vec![
                Field {
                    column: Column::text("display_name"),
                    get: |l| l.display_name.as_str().into(),
                },
                Field {
                    column: Column::text("names")
                        .from_fields(&["display_name", "names.text"])
                        .search_only(),
                    get: |l| Cell::many(names_of(&l.display_name, &l.names)),
                },
                Field {
                    column: Column::text("identifiers")
                        .from_fields(&["identifiers.value"])
                        .search_only(),
                    get: |l| Cell::many(l.identifiers.iter().map(|i| i.value.as_str())),
                },
                Field {
                    column: Column::one_of("kind", kinds).groupable(),
                    get: |l| l.kind.into(),
                },
                Field {
                    column: Column::one_of("platform", platforms).groupable(),
                    get: |l| l.platform.into(),
                },
                Field {
                    column: Column::one_of("state", states).groupable(),
                    get: |l| l.state.into(),
                },
                Field {
                    column: Column::text("field").groupable(),
                    get: |l| l.field.as_str().into(),
                },
                Field {
                    column: Column::text("discipline_code").groupable(),
                    get: |l| l.discipline_code.as_str().into(),
                },
                Field {
                    column: Column::resource("hosts", "organizations/{id}")
                        .from_fields(&["hosts.organization.organization"])
                        .multi_valued()
                        .groupable(),
                    get: |l| Cell::many(l.hosts.iter().map(organization)),
                },
                Field {
                    column: Column::resource("lead_host", "organizations/{id}")
                        .from_fields(&["hosts.organization.organization"])
                        .groupable(),
                    get: |l| l.hosts.first().map_or("", organization).into(),
                },
                Field {
                    column: Column::integer("host_count").from_fields(&["hosts"]).groupable(),
                    get: |l| i64::try_from(l.hosts.len()).unwrap_or(0).into(),
                },
                Field {
                    column: Column::text("members")
                        .from_fields(&["members.person.talent", "members.person.display_name"])
                        .multi_valued()
                        .cites(),
                    get: |l| Cell::many(l.members.iter().map(|m| person(&m.person))),
                },
                Field {
                    column: Column::text("directors")
                        .from_fields(&["directors.person.talent", "directors.person.display_name"])
                        .multi_valued()
                        .cites(),
                    get: |l| Cell::many(l.directors.iter().map(|d| person(&d.person))),
                },
                Field {
                    column: Column::text("city").groupable(),
                    get: |l| l.city.as_str().into(),
                },
                Field {
                    column: Column::text("division_code").groupable(),
                    get: |l| l.division_code.as_str().into(),
                },
                Field {
                    column: Column::integer("area_square_metres"),
                    get: |l| l.area_square_metres.into(),
                },
                Field {
                    column: Column::integer("equipment_value_fen"),
                    get: |l| l.equipment_value_fen.into(),
                },
                Field {
                    column: Column::integer("established_year").groupable(),
                    get: |l| l.established_year.into(),
                },
                Field {
                    column: Column::resource("successor", "labs/{id}").from_fields(&["successor.lab"]),
                    get: |l| successor(l).into(),
                },
            ])
        });
        &SHAPE
    }

    fn title(item: &Self::Item) -> &str {
        &item.display_name
    }

    fn searched(item: &Self::Item) -> Vec<&str> {
        names_of(&item.display_name, &item.names).collect()
    }

    fn keys(item: &Self::Item) -> Vec<Key> {
        identifier_keys(&item.identifiers).collect()
    }

    fn acyclic_references() -> &'static [AcyclicReference<Self>] {
        CHAINS
    }

    fn normalize(item: &mut Self::Item) -> Vec<Violation> {
        let mut problems = Violations::default();
        problems.name("display_name", &mut item.display_name);
        normalize_names(&mut item.names, &item.display_name, &mut problems);
        normalize_identifiers(&mut item.identifiers, &mut problems);
        problems.division_code(&item.division_code);
        if !item.discipline_code.is_empty() {
            problems.check("discipline_code", identifier::discipline_code(&item.discipline_code));
        }
        normalize_ranks(
            &mut item.hosts,
            "hosts",
            (|h| h.rank, |h, rank| h.rank = rank),
            &mut problems,
        );
        let mut seen = std::collections::BTreeSet::new();
        for (place, host) in item.hosts.iter_mut().enumerate() {
            host.lead = host.rank == 1;
            let name = organization(host);
            if !name.is_empty() && !seen.insert(name.to_owned()) {
                problems.add(
                    format!("hosts[{place}].organization"),
                    "HOST_TWICE",
                    "each host stands once: leave one out",
                );
            }
        }
        for (place, director) in item.directors.iter().enumerate() {
            term(
                &mut problems,
                &format!("directors[{place}]"),
                &director.person,
                &director.start_date,
                &director.end_date,
            );
        }
        for (place, member) in item.members.iter().enumerate() {
            term(
                &mut problems,
                &format!("members[{place}]"),
                &member.person,
                &member.start_date,
                &member.end_date,
            );
        }
        if item
            .successor
            .as_ref()
            .is_some_and(|s| !s.lab.is_empty() && s.lab == item.name)
        {
            problems.add(
                "successor",
                "REFERENCE_TO_ITSELF",
                "a lab does not take over from itself: name the other one",
            );
        }
        problems.into_inner()
    }

    /// The same name in the same city, unless both have an identifier of one scheme and these differ. A lab of other hosts is another lab.
    fn is_same(work: &mut UnitOfWork, row: &Lab, stored: &Lab) -> Result<Fit> {
        let city = row.city.is_empty() || stored.city.is_empty() || text::same_name(&row.city, &stored.city);
        if !city || identifiers_differ(&row.identifiers, &stored.identifiers) {
            return Ok(Fit::No);
        }
        let fit = fits(
            (&row.display_name, &row.identifiers),
            &stored.display_name,
            &stored.names,
        );
        if fit != Fit::No && !shares_host(work, row, stored)? {
            return Ok(Fit::No);
        }
        Ok(fit)
    }

    fn contradicts(row: &Lab, stored: &Lab, by_own: bool) -> Option<Violation> {
        contradiction(known(row), known(stored), by_own)
    }

    fn keep_order(merged: &mut Lab, stored: &Lab) {
        keep_identifier_order(&mut merged.identifiers, &stored.identifiers);
    }

    fn rename(item: &mut Lab, title: &str) {
        title.clone_into(&mut item.display_name);
    }

    fn preserve(merged: &mut Self::Item, stored: &Self::Item) {
        preserve_identifiers(&mut merged.identifiers, &stored.identifiers);
        preserve_names(
            &mut merged.names,
            &merged.display_name,
            (&stored.display_name, &stored.names),
        );
    }

    fn on_merge(item: &mut Self::Item, other: &Self::Item, from: &str) {
        // What took over from it may be the duplicate, which now is the same lab.
        if item.successor.as_ref().is_some_and(|s| s.lab == from) {
            item.successor = None;
        }
        absorb_names(
            &mut item.names,
            &item.display_name,
            &other.display_name,
            &other.names,
            from,
        );
    }

    fn on_unmerge(item: &mut Self::Item, from: &str) {
        item.names.retain(|name| name.merged_from != from);
    }

    fn likeness(item: &Lab) -> Option<Likeness<'_>> {
        Some(Likeness {
            display_name: &item.display_name,
            names: &item.names,
            identifiers: &item.identifiers,
            beside: Beside::City(&item.city),
            unverified: false,
            distinct_from: &item.distinct_from,
        })
    }

    fn distinct_from(item: &mut Lab) -> Option<&mut Vec<String>> {
        Some(&mut item.distinct_from)
    }
}

/// Whether one host of a row is one of a stored lab's, by what stands for it today. Where one of them names none, it may be.
fn shares_host(work: &mut UnitOfWork, row: &Lab, stored: &Lab) -> Result<bool> {
    // One that is not resolved yet may be any.
    if stored.hosts.is_empty() || row.hosts.iter().all(|host| organization(host).is_empty()) {
        return Ok(true);
    }
    let given: Vec<&str> = row.hosts.iter().map(organization).collect();
    if stored.hosts.iter().any(|host| given.contains(&organization(host))) {
        return Ok(true);
    }
    let kind = &Organizations::shape().kind;
    let mut shares = false;
    // To the end, so that all that has to be loaded is asked for at once.
    let mut waits = None;
    for host in &stored.hosts {
        let Some(id) = kind.id(organization(host)) else {
            continue;
        };
        match work.survivor::<Organizations>(id) {
            Ok(Some(today)) => shares |= given.contains(&today.name.as_str()),
            Ok(None) => {}
            Err(error) => waits = Some(error),
        }
    }
    waits.map_or(Ok(shares), Err)
}

fn term(problems: &mut Violations, at: &str, who: &Option<TalentReference>, start: &str, end: &str) {
    if person(who).trim().is_empty() {
        problems.add(
            format!("{at}.person"),
            "PERSON_MISSING",
            "give the person's resource name or their name",
        );
    }
    if let Some(wrong) = who.as_ref().and_then(|who| kept_person(&format!("{at}.person"), who)) {
        problems.add(wrong.field, wrong.reason, wrong.description);
    }
    problems.partial_date(format!("{at}.start_date"), start);
    problems.partial_date(format!("{at}.end_date"), end);
    problems.period(format!("{at}.end_date"), start, end);
}

/// What a person who is kept as given may not have: what only serves to find them in the register.
pub(crate) fn kept_person(at: &str, who: &TalentReference) -> Option<Violation> {
    let given = [
        ("identity_document", !who.identity_document.is_empty()),
        ("birth_year", who.birth_year != 0),
        ("employer", !who.employer.is_empty()),
    ];
    let (field, _) = given.into_iter().find(|(_, given)| *given)?;
    let said = "a lab keeps its persons as they are given and looks for none of them: leave this out, or give `talent`";
    Some(Violation::new(format!("{at}.{field}"), "PERSON_NOT_RESOLVED", said))
}
