//! What has to hold before the verbs on a designation of a person.

use jiff::civil::Date;
use mingce_lifecycle::{Guard, GuardContext, blocker, day};
use mingce_orm::{Blocker, Collection, Result, UnitOfWork};
use mingce_proto::registry::Policy;
use mingce_proto::talent::{TalentCompletionGrade, TalentDesignation, TalentDesignationState as S};

use crate::designation::{self, Designations, family_key, programme, terms};
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

pub(crate) const MIDTERM_LAST: Guard<Designations> = Guard {
    zh: "已中期评估，其后没有其他处理",
    en: "there was a mid-term assessment, and nothing was built on it",
    check: midterm_last,
};
pub(crate) const COMPLETION_LAST: Guard<Designations> = Guard {
    zh: "已期满考核，其后没有其他处理",
    en: "the end came with the assessment of the term, and nothing was built on it",
    check: completion_last,
};

/// The family that an undecided designation would be live in: that of its programme today.
pub(crate) fn family_of(work: &mut UnitOfWork, item: &TalentDesignation) -> Result<String> {
    let programme = match Programmes::shape().kind.id(programme(item)) {
        Some(id) => work.get_shared::<Programmes>(id)?,
        None => None,
    };
    Ok(programme.map_or_else(|| item.family.clone(), |programme| programme.family))
}

/// The live designation of a person in a family, under whichever name the person was recorded. The person is held, so that of two
/// decisions at once one comes after the other.
pub(crate) fn live_in_family(work: &mut UnitOfWork, talent: &str, family: &str) -> Result<Option<TalentDesignation>> {
    if family.is_empty() {
        return Ok(None);
    }
    let names = work.records::<Talents>(talent)?;
    let asked: Vec<_> = names
        .iter()
        .map(|name| work.owner::<Designations>(&family_key(name, family)))
        .collect();
    for owner in asked {
        if let Some(id) = owner? {
            return work.get::<Designations>(&id);
        }
    }
    Ok(None)
}

fn max_age(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let most = terms(look.policy).max_age;
    let person = designation::talent(look.item);
    eligibility::age(look.work, person, most, look.at.today).map(Vec::from_iter)
}

fn one_per_family(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let family = family_of(look.work, look.item)?;
    let live = live_in_family(look.work, designation::talent(look.item), &family)?;
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

fn not_assessed(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let day = &look.item.midterm_date;
    if day.is_empty() {
        return Ok(Vec::new());
    }
    let (en, zh) = (format!("it was assessed on {day}"), format!("已于{day}中期评估"));
    Ok(vec![look.blocker("MIDTERM_DONE", en, zh)])
}

fn midterm_reached(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
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

fn midterm_last(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let item = look.item;
    if item.midterm_date.is_empty() {
        return Ok(vec![look.blocker(
            "MIDTERM_MISSING",
            "there was no mid-term assessment",
            "尚未中期评估",
        )]);
    }
    // Of one that failed, the designation has been resumed.
    if item.state() == S::Suspended || item.midterm_passed() {
        return Ok(Vec::new());
    }
    let day = &item.midterm_date;
    let (en, zh) = (
        format!("the designation was resumed after the assessment of {day}"),
        format!("{day}中期评估后已恢复"),
    );
    Ok(vec![look.blocker("MIDTERM_BUILT_ON", en, zh)])
}

fn completion_last(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let ended = match look.item.completion_grade() {
        TalentCompletionGrade::Unspecified => {
            let (en, zh) = ("the term was not assessed", "未经期满考核");
            return Ok(vec![look.blocker("COMPLETION_MISSING", en, zh)]);
        }
        TalentCompletionGrade::Unqualified => S::Cancelled,
        _ => S::Completed,
    };
    if look.item.state() == ended {
        return Ok(Vec::new());
    }
    let (en, zh) = ("the designation was cancelled after the assessment", "期满考核后已取消");
    Ok(vec![look.blocker("COMPLETION_BUILT_ON", en, zh)])
}

fn last_day_reached(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
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

/// The day on which the management period began; `None` where nothing says it.
pub(crate) fn began(item: &TalentDesignation) -> Result<Option<Date>> {
    let began = [&item.start_date, &item.decision_date];
    let began = began.into_iter().find(|date| !date.is_empty());
    day::first_of(began.map_or("", String::as_str))
}

/// The day on which the mid-term assessment comes up; `None` where the policy has none, or the beginning is not known. What
/// would lie beyond the calendar lies at its end.
pub(crate) fn midterm_day(item: &TalentDesignation, policy: Option<&Policy>) -> Result<Option<Date>> {
    let months = terms(policy).midterm_months;
    let start = began(item)?.filter(|_| months > 0);
    Ok(start.map(|start| day::months_after(start, months).unwrap_or(Date::MAX)))
}
