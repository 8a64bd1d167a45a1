//! What has to hold before the verbs on a designation of a person.

use std::collections::BTreeMap;

use jiff::civil::Date;
use mingce_lifecycle::{Guard, Look, blocker, day};
use mingce_orm::{Blocker, Collection, Cx, Error, List, Result, Store, Work};
use mingce_proto::registry::{Policy, TalentDesignationTerms};
use mingce_proto::talent::{Talent, TalentDesignation};

use crate::TalentRegister;
use crate::designation::{self, Designations, family_key, programme};
use crate::eligibility;
use crate::programme::Programmes;
use crate::talent::Talents;

pub(crate) const MAX_AGE: Guard<Designations> = Guard {
    zh: "年龄不超过规定",
    en: "not older than the policy allows",
    check: max_age,
};
pub(crate) const ONE_PER_FAMILY: Guard<Designations> = Guard {
    zh: "同一人在同一计划系列内没有其他有效认定",
    en: "the person has no other live designation in the family of programmes",
    check: one_per_family,
};
pub(crate) const NOT_ASSESSED: Guard<Designations> = Guard {
    zh: "尚未中期评估",
    en: "there was no mid-term assessment yet",
    check: not_assessed,
};
pub(crate) const MIDTERM_REACHED: Guard<Designations> = Guard {
    zh: "已到中期评估日",
    en: "the day of the mid-term assessment has come",
    check: midterm_reached,
};
pub(crate) const LAST_DAY_REACHED: Guard<Designations> = Guard {
    zh: "已到管理期最后一日",
    en: "the last day of the management period has come",
    check: last_day_reached,
};

/// The terms of a policy of persons.
pub(crate) fn terms(policy: Option<&Policy>) -> TalentDesignationTerms {
    policy
        .and_then(|policy| policy.talent_designation.clone())
        .unwrap_or_default()
}

/// The person whom a reference means today.
pub(crate) fn person_of(work: &mut Work, name: &str) -> Result<Talent> {
    let missing = || Error::not_found(Talents::COLLECTION, name);
    let id = Talents::shape().kind.id(name).ok_or_else(missing)?;
    work.survivor::<Talents>(id)?.ok_or_else(missing)
}

/// The family that an undecided designation would be live in: that of its programme today.
pub(crate) fn family_of(work: &mut Work, item: &TalentDesignation) -> Result<String> {
    let programme = match Programmes::shape().kind.id(programme(item)) {
        Some(id) => work.consult::<Programmes>(id)?,
        None => None,
    };
    Ok(programme.map_or_else(|| item.family.clone(), |programme| programme.family))
}

/// The live designation of a person in a family. Also looked for where the person was recorded twice and merged since (`records` has
/// the names of all); the row of the person is read, so that of two decisions at once one comes after the other.
pub(crate) fn live_in_family(
    work: &mut Work,
    talent: &str,
    records: &[String],
    family: &str,
) -> Result<Option<TalentDesignation>> {
    if family.is_empty() {
        return Ok(None);
    }
    let survivor = person_of(work, talent)?.name;
    let names = [talent, survivor.as_str()]
        .into_iter()
        .chain(records.iter().map(String::as_str));
    let asked: Vec<_> = names
        .map(|name| work.owner::<Designations>(&family_key(name, family)))
        .collect();
    for owner in asked {
        if let Some(id) = owner? {
            return work.get::<Designations>(&id);
        }
    }
    Ok(None)
}

fn max_age(look: &mut Look<'_, Designations>) -> Result<Vec<Blocker>> {
    let most = terms(look.policy).max_age;
    let person = designation::talent(look.item);
    eligibility::age(look.work, person, most, look.at.today).map(Vec::from_iter)
}

fn one_per_family(look: &mut Look<'_, Designations>) -> Result<Vec<Blocker>> {
    let family = family_of(look.work, look.item)?;
    let live = live_in_family(look.work, designation::talent(look.item), &look.at.records, &family)?;
    let other = live.filter(|live| live.name != look.item.name);
    Ok(other.map(|other| family_taken(other, &family)).into_iter().collect())
}

/// Another designation is live in the family.
pub(crate) fn family_taken(other: TalentDesignation, family: &str) -> Blocker {
    let (en, zh) = (
        format!("the person has a live designation in the family {family} already"),
        format!("该人员在{family}系列内已有有效认定"),
    );
    blocker("FAMILY_TAKEN", other.name, en, zh)
}

fn not_assessed(look: &mut Look<'_, Designations>) -> Result<Vec<Blocker>> {
    let day = &look.item.midterm_date;
    if day.is_empty() {
        return Ok(Vec::new());
    }
    let (en, zh) = (format!("it was assessed on {day}"), format!("已于{day}中期评估"));
    Ok(vec![look.blocker("MIDTERM_DONE", en, zh)])
}

fn midterm_reached(look: &mut Look<'_, Designations>) -> Result<Vec<Blocker>> {
    match midterm_day(look.item, look.policy)? {
        Some(day) if look.at.today < day => {
            let (en, zh) = (
                format!("the mid-term assessment comes up on {day}"),
                format!("中期评估日为{day}"),
            );
            Ok(vec![look.blocker("MIDTERM_NOT_REACHED", en, zh)])
        }
        _ => Ok(Vec::new()),
    }
}

fn last_day_reached(look: &mut Look<'_, Designations>) -> Result<Vec<Blocker>> {
    let end = day::last_of(&look.item.end_date)?;
    let Some(end) = end.filter(|end| look.at.today < *end) else {
        return Ok(Vec::new());
    };
    let (en, zh) = (
        format!("the management period runs until {end}"),
        format!("管理期至{end}"),
    );
    Ok(vec![look.blocker("TERM_RUNNING", en, zh)])
}

/// The day on which the mid-term assessment comes up; `None` where the policy has none, or the beginning is not known. What
/// would lie beyond the calendar lies at its end.
pub(crate) fn midterm_day(item: &TalentDesignation, policy: Option<&Policy>) -> Result<Option<Date>> {
    let months = terms(policy).midterm_months;
    let start = if item.start_date.is_empty() {
        &item.decision_date
    } else {
        &item.start_date
    };
    let start = day::first_of(start)?.filter(|_| months > 0);
    Ok(start.map(|start| day::months_after(start, months).unwrap_or(Date::MAX)))
}

/// The names of all records of a person: of the one that stands for it, and of those that were merged into that.
///
/// # Errors
/// Where the database cannot be read.
pub(crate) async fn records_of(store: &Store, cx: &Cx, talent: &str) -> Result<Vec<String>> {
    let person = store
        .rehearse(&mut store.rehearsal(), |work| person_of(work, talent))
        .await?;
    store.family::<Talents>(cx, &person.name).await
}

impl TalentRegister {
    /// Refuses a merger of two records of which each has a live designation in the same family: one of them has to end first.
    ///
    /// # Errors
    /// FAILED_PRECONDITION, reason `FAMILY_TAKEN`.
    pub(crate) async fn expect_no_shared_family(&self, cx: &Cx, both: [&str; 2]) -> Result<()> {
        let mut families: Vec<BTreeMap<String, String>> = Vec::new();
        for name in both {
            let records = self.store.family::<Talents>(cx, name).await?;
            let list = List {
                page_size: 1000,
                filter: "(state = IN_TERM OR state = SUSPENDED) AND family:*",
                parents: &records,
                ..List::default()
            };
            let live = self.store.list::<Designations>(cx, list).await?.items()?;
            families.push(live.into_iter().map(|d| (d.family, d.name)).collect());
        }
        let [ours, theirs] = families.as_slice() else {
            return Ok(());
        };
        let blockers: Vec<Blocker> = ours
            .iter()
            .filter_map(|(family, one)| {
                theirs
                    .get(family)
                    .filter(|other| *other != one)
                    .map(|other| (family, one, other))
            })
            .map(|(family, one, other)| {
                let en = format!("{one} and {other} are both live in the family {family}: end one of them first");
                let zh = format!("{one}与{other}在同一计划类别{family}中均有效，须先终结其一");
                blocker("FAMILY_TAKEN", other, en, zh)
            })
            .collect();
        if blockers.is_empty() {
            return Ok(());
        }
        Err(Error::blocked("FAMILY_TAKEN", blockers).about(Talents::COLLECTION, both[0]))
    }
}
