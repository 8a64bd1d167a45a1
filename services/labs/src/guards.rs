//! What has to hold before the verbs on a designation of a lab.

use jiff::civil::Date;
use mingce_lifecycle::{Guard, GuardContext, day};
use mingce_orm::{Blocker, Collection, Error, Result, UnitOfWork};
use mingce_proto::labs::{Lab, LabDesignation, LabMembership};
use mingce_proto::registry::{LabDesignationTerms, Policy};

use crate::designation::{self, Designations};
use crate::lab::Labs;

pub(crate) const HOSTS: Guard<Designations> = Guard {
    zh: "依托单位不超过规定数，且有且仅有一家牵头",
    en: "at most as many hosts as the policy allows, the first of them leading",
    check: hosts,
};
pub(crate) const FIXED_MEMBERS: Guard<Designations> = Guard {
    zh: "固定人员达到规定数",
    en: "as many fixed members as the policy asks for",
    check: fixed_members,
};
pub(crate) const AREA: Guard<Designations> = Guard {
    zh: "面积达到规定",
    en: "the area that the policy asks for",
    check: area,
};
pub(crate) const EQUIPMENT: Guard<Designations> = Guard {
    zh: "仪器设备价值达到规定",
    en: "equipment of the value that the policy asks for",
    check: equipment,
};
pub(crate) const BUILDING_OVER: Guard<Designations> = Guard {
    zh: "建设期已满",
    en: "the building term is over",
    check: building_over,
};
pub(crate) const EXTENSION_LEFT: Guard<Designations> = Guard {
    zh: "延长次数未用完",
    en: "the policy allows another extension",
    check: extension_left,
};

pub(crate) const RECTIFICATION_OVER: Guard<Designations> = Guard {
    zh: "整改期已满",
    en: "the rectification is over",
    check: rectification_over,
};
pub(crate) const RECTIFICATION_RUNS: Guard<Designations> = Guard {
    zh: "整改期未满",
    en: "the rectification is not over",
    check: rectification_runs,
};
pub(crate) const EVALUATION_LAST: Guard<Designations> = Guard {
    zh: "最近一次评估之后没有其他处理",
    en: "there is an evaluation, and nothing was built on the last one",
    check: evaluation_last,
};

/// The terms of a policy of labs.
pub(crate) fn terms(policy: Option<&Policy>) -> LabDesignationTerms {
    policy
        .and_then(|policy| policy.lab_designation.clone())
        .unwrap_or_default()
}

/// The lab of a designation: of one that was recorded twice the record that stays.
pub(crate) fn lab_of(work: &mut UnitOfWork, item: &LabDesignation) -> Result<Lab> {
    lab_named(work, designation::lab(item))
}

/// The lab that has a name, or that the one that has it was merged into.
pub(crate) fn lab_named(work: &mut UnitOfWork, name: &str) -> Result<Lab> {
    let id = mingce_orm::id::Name::parse(name)
        .map(|name| name.id)
        .unwrap_or_default();
    work.survivor::<Labs>(id)?
        .ok_or_else(|| Error::not_found(Labs::COLLECTION, name))
}

fn hosts(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let (lab, most) = (lab_of(look.work, look.item)?, terms(look.policy).max_hosts);
    let count = lab.hosts.len();
    if count == 0 {
        return Ok(vec![look.blocker(
            "HOST_MISSING",
            "the lab has no host",
            "没有依托单位",
        )]);
    }
    if most > 0 && count > usize::try_from(most).unwrap_or_default() {
        let (en, zh) = (
            format!("{count} hosts, at most {most} are allowed"),
            format!("依托单位{count}家，不得超过{most}家"),
        );
        return Ok(vec![look.blocker("TOO_MANY_HOSTS", en, zh)]);
    }
    Ok(Vec::new())
}

fn fixed_members(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let least = terms(look.policy).min_fixed_members;
    let (lab, today) = (lab_of(look.work, look.item)?, look.at.today.to_string());
    let count = lab
        .members
        .iter()
        .filter(|m| m.membership() == LabMembership::Fixed && day::is_within(&today, &m.start_date, &m.end_date))
        .count();
    if count >= usize::try_from(least).unwrap_or_default() {
        return Ok(Vec::new());
    }
    let (en, zh) = (
        format!("{count} fixed members, at least {least} are needed"),
        format!("固定人员{count}人，不得少于{least}人"),
    );
    Ok(vec![look.blocker("TOO_FEW_FIXED_MEMBERS", en, zh)])
}

fn area(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let (lab, least) = (lab_of(look.work, look.item)?, terms(look.policy).min_area_square_metres);
    let has = lab.area_square_metres;
    if has >= least {
        return Ok(Vec::new());
    }
    let (en, zh) = (
        format!("{has} square metres, at least {least} are needed"),
        format!("面积{has}平方米，不得少于{least}平方米"),
    );
    Ok(vec![look.blocker("AREA_TOO_SMALL", en, zh)])
}

fn equipment(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let (lab, least) = (
        lab_of(look.work, look.item)?,
        terms(look.policy).min_equipment_value_fen,
    );
    let has = lab.equipment_value_fen;
    if has >= least {
        return Ok(Vec::new());
    }
    let (en, zh) = (
        format!("equipment of {has} fen, at least {least} are needed"),
        format!("设备价值{has}分，不得少于{least}分"),
    );
    Ok(vec![look.blocker("EQUIPMENT_TOO_SMALL", en, zh)])
}

fn building_over(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let Some(end) = day::parse(&look.item.building_end_date)? else {
        return Ok(Vec::new());
    };
    if look.at.today > end {
        return Ok(Vec::new());
    }
    let (en, zh) = (format!("the building term runs until {end}"), format!("建设期至{end}"));
    Ok(vec![look.blocker("BUILDING_TERM_RUNNING", en, zh)])
}

fn extension_left(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let (had, most) = (look.item.extensions, terms(look.policy).max_extensions);
    if had < most {
        return Ok(Vec::new());
    }
    let (en, zh) = (
        format!("extended {had} of {most} times"),
        format!("已延长{had}次，不得超过{most}次"),
    );
    Ok(vec![look.blocker("EXTENSIONS_USED_UP", en, zh)])
}

/// The last day of a rectification that is not over.
fn rectifies_until(look: &GuardContext<'_, Designations>) -> Result<Option<Date>> {
    let end = day::parse(&look.item.rectification_end_date)?;
    Ok(end.filter(|end| look.at.today <= *end))
}

fn rectification_over(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let Some(end) = rectifies_until(look)? else {
        return Ok(Vec::new());
    };
    let (en, zh) = (
        format!("the rectification runs until {end}; shorten it where the lab is ready"),
        format!("整改期至{end}；提前完成的，先缩短整改期"),
    );
    Ok(vec![look.blocker("RECTIFICATION_RUNNING", en, zh)])
}

fn rectification_runs(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    if rectifies_until(look)?.is_some() {
        return Ok(Vec::new());
    }
    Ok(vec![look.blocker(
        "RECTIFICATION_OVER",
        "the rectification is over: evaluate the lab again",
        "整改期已满，可重新评估",
    )])
}

fn evaluation_last(look: &mut GuardContext<'_, Designations>) -> Result<Vec<Blocker>> {
    let last = look.item.evaluations.iter().rfind(|evaluation| !evaluation.annulled);
    let Some(last) = last else {
        return Ok(vec![look.blocker(
            "EVALUATION_MISSING",
            "there is no evaluation that could be annulled",
            "没有可撤销的评估",
        )]);
    };
    let is_known = last.state_before != 0;
    if is_known && last.state_after == look.item.state {
        return Ok(Vec::new());
    }
    let (en, zh) = if is_known {
        (
            format!("the designation has gone on since the evaluation of {}", last.date),
            format!("{}评估后已有其他处理", last.date),
        )
    } else {
        (
            format!(
                "it is not known how the designation stood before the evaluation of {}",
                last.date
            ),
            format!("{}评估前的状态未留存", last.date),
        )
    };
    Ok(vec![look.blocker("EVALUATION_BUILT_ON", en, zh)])
}
