//! What has to hold before something is nominated, and before it is rewarded.

use mingce_lifecycle::guard::calendar_of;
use mingce_lifecycle::{Guard, GuardContext, blocker};
use mingce_orm::{Blocker, Key, Result};
use mingce_proto::Headed;
use mingce_proto::awards::{Award, AwardState as S, Contributor, SchemeSubject};
use mingce_proto::registry::{AwardTerms, GradeTerms, NoticeTerms, Policy};

use crate::award::{Awards, completing, evidence_keys, nomination_key, organization, scheme};
use crate::scheme::Schemes;

pub(crate) const CONTRIBUTORS: Guard<Awards> = Guard {
    zh: "完成人数不超过等级规定数",
    en: "at most as many contributors as the grade allows",
    check: contributors,
};
pub(crate) const ORGANIZATIONS: Guard<Awards> = Guard {
    zh: "完成单位数不超过等级规定数",
    en: "at most as many completing organizations as the grade allows",
    check: organizations,
};
pub(crate) const ORGANIZATION_AMONG_COMPLETING: Guard<Awards> = Guard {
    zh: "项目奖每位完成人均有所在单位列入完成单位",
    en: "of a project, each contributor has an organization among the completing ones",
    check: organization_among_completing,
};
pub(crate) const NOMINATED_ONCE: Guard<Awards> = Guard {
    zh: "同一项目同一年度未重复提名",
    en: "the project was not nominated for the scheme in the same year before",
    check: nominated_once,
};
pub(crate) const NOT_BARRED: Guard<Awards> = Guard {
    zh: "未因连续未获奖而暂停提名",
    en: "the project is not barred by failed nominations of consecutive years",
    check: not_barred,
};
pub(crate) const EVIDENCE_FREE: Guard<Awards> = Guard {
    zh: "支撑材料未在同级奖励中获奖",
    en: "none of its evidence was rewarded at the same level",
    check: evidence_free,
};

pub(crate) const ACCEPTANCE_CALENDAR: Guard<Awards> = Guard {
    zh: "受理公示期内的节假日安排已录入",
    en: "the holidays of the notice of acceptance are known",
    check: |look| {
        let terms = terms(look.policy).acceptance_notice.unwrap_or_default();
        Ok(calendar_of(look, terms))
    },
};

pub(crate) const RENEWAL_CALENDAR: Guard<Awards> = Guard {
    zh: "公示期内的节假日安排已公布",
    en: "the holidays of the days that the notice runs are known",
    check: |look| {
        let terms = renewed(look.item, look.policy);
        Ok(calendar_of(look, terms))
    },
};

/// The terms of the notice that takes the place of the latest: before the shortlist that of the acceptance.
pub(crate) fn renewed(award: &Award, policy: Option<&Policy>) -> NoticeTerms {
    let terms = terms(policy);
    let of = if award.state() == S::Shortlisted {
        terms.notice
    } else {
        terms.acceptance_notice
    };
    of.unwrap_or_default()
}

/// The terms of a policy of awards.
pub(crate) fn terms(policy: Option<&Policy>) -> AwardTerms {
    policy.and_then(|policy| policy.award.clone()).unwrap_or_default()
}

/// The bound that holds for a grade; while no grade is set, the widest of all. 0: none.
fn bound(terms: &AwardTerms, grade: &str, of: fn(&GradeTerms) -> i32) -> usize {
    let own = terms.grades.iter().find(|known| known.grade == grade).map(of);
    let all = || terms.grades.iter().map(of);
    let widest = if all().any(|bound| bound == 0) {
        0
    } else {
        all().max().unwrap_or(0)
    };
    usize::try_from(own.unwrap_or(widest)).unwrap_or(0)
}

fn contributors(look: &mut GuardContext<'_, Awards>) -> Result<Vec<Blocker>> {
    let most = bound(&terms(look.policy), &look.item.grade, |grade| grade.max_contributors);
    let count = look.item.contributors.len();
    if most == 0 || count <= most {
        return Ok(Vec::new());
    }
    let (en, zh) = (
        format!("{count} contributors, at most {most} are allowed"),
        format!("完成人{count}人，不得超过{most}人"),
    );
    Ok(vec![look.blocker("TOO_MANY_CONTRIBUTORS", en, zh)])
}

fn organizations(look: &mut GuardContext<'_, Awards>) -> Result<Vec<Blocker>> {
    let most = bound(&terms(look.policy), &look.item.grade, |grade| grade.max_organizations);
    let count = look.item.completing_organizations.len();
    if most == 0 || count <= most {
        return Ok(Vec::new());
    }
    let (en, zh) = (
        format!("{count} completing organizations, at most {most} are allowed"),
        format!("完成单位{count}家，不得超过{most}家"),
    );
    Ok(vec![look.blocker("TOO_MANY_ORGANIZATIONS", en, zh)])
}

fn organization_among_completing(look: &mut GuardContext<'_, Awards>) -> Result<Vec<Blocker>> {
    let of = look.work.require_unchanged::<Schemes>(scheme(look.item))?;
    if of.subject() != SchemeSubject::Project {
        return Ok(Vec::new());
    }
    let award = look.item;
    let outside = award.contributors.iter().filter(|one| !is_inside(award, one));
    Ok(outside
        .map(|one| {
            let rank = one.rank;
            let (en, zh) = (
                format!("contributor {rank} has no organization among the completing ones"),
                format!("第{rank}完成人所在单位未列入完成单位"),
            );
            look.blocker("CONTRIBUTOR_ORGANIZATION_MISSING", en, zh)
        })
        .collect())
}

/// Whether one of a contributor's organizations, or the organization that it is, is among the completing ones.
fn is_inside(award: &Award, one: &Contributor) -> bool {
    let own = one.organizations.iter().map(|o| o.organization.as_str());
    let mut own = own.chain([organization(&one.laureate_organization)]);
    own.any(|own| !own.is_empty() && award.completing_organizations.iter().map(completing).any(|c| c == own))
}

/// The other award that holds a key.
fn other(look: &mut GuardContext<'_, Awards>, key: &Key) -> Result<Option<Award>> {
    let own = look.item.head().name.to_owned();
    let Some(id) = look.work.owner::<Awards>(key)? else {
        return Ok(None);
    };
    let found = look.work.get::<Awards>(&id)?;
    Ok(found.filter(|found| found.name != own))
}

fn nominated_once(look: &mut GuardContext<'_, Awards>) -> Result<Vec<Blocker>> {
    let year = look.item.year;
    let Some(other) = other(look, &nomination_key(look.item, year))? else {
        return Ok(Vec::new());
    };
    let name = other.name;
    let (en, zh) = (
        format!("the project was nominated for {year} already, as {name}"),
        format!("该项目{year}年度已提名"),
    );
    Ok(vec![blocker("NOMINATED_TWICE", name, en, zh)])
}

fn not_barred(look: &mut GuardContext<'_, Awards>) -> Result<Vec<Blocker>> {
    let (terms, year) = (terms(look.policy), look.item.year);
    if terms.failed_years <= 0 || terms.bar_years <= 0 {
        return Ok(Vec::new());
    }
    // Asks for all years before the first answer is needed, so that they are loaded together.
    let earliest = year - terms.bar_years - terms.failed_years + 1;
    let asked: Vec<(i32, Result<bool>)> = (earliest..year).map(|at| (at, failed(look, at))).collect();
    let mut years = Vec::new();
    for (at, failed) in asked {
        if failed? {
            years.push(at);
        }
    }
    // The latest run of years that is long enough and whose bar holds still.
    let run = (year - terms.bar_years..year).rev().find_map(|last| {
        let run: Vec<i32> = (last - terms.failed_years + 1..=last).collect();
        run.iter().all(|at| years.contains(at)).then_some(run)
    });
    let Some(run) = run else { return Ok(Vec::new()) };
    let until = run.last().map_or(year, |last| last + terms.bar_years);
    let said = |mark: &str| run.iter().map(i32::to_string).collect::<Vec<_>>().join(mark);
    let (en, zh) = (
        format!(
            "its nominations of {} failed: it is barred up to and with {until}",
            said(", ")
        ),
        format!("{}年连续未获奖，至{until}年不得提名", said("、")),
    );
    Ok(vec![look.blocker("NOMINATION_BARRED", en, zh)])
}

/// Whether the nomination of a year failed.
fn failed(look: &mut GuardContext<'_, Awards>, year: i32) -> Result<bool> {
    let found = other(look, &nomination_key(look.item, year))?;
    Ok(found.is_some_and(|found| matches!(found.state(), S::Refused | S::NotSelected)))
}

fn evidence_free(look: &mut GuardContext<'_, Awards>) -> Result<Vec<Blocker>> {
    let asked: Vec<Result<Option<Award>>> = evidence_keys(look.item).iter().map(|key| other(look, key)).collect();
    let mut blockers: Vec<Blocker> = Vec::new();
    for found in asked {
        let Some(found) = found? else { continue };
        let (name, number) = (found.name, found.number);
        if blockers.iter().any(|known| known.subject == name) {
            continue;
        }
        let (en, zh) = (
            format!("some of its evidence was rewarded with {number}, {name}"),
            format!("支撑材料已随{number}获奖"),
        );
        blockers.push(blocker("EVIDENCE_REWARDED", name, en, zh));
    }
    Ok(blockers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grade(grade: &str, max_contributors: i32) -> GradeTerms {
        GradeTerms {
            grade: grade.to_owned(),
            max_contributors,
            ..GradeTerms::default()
        }
    }

    #[test]
    fn a_bound_is_that_of_the_grade_and_without_a_grade_the_widest() {
        let of = |grades: &[GradeTerms], named: &str| {
            let terms = AwardTerms {
                grades: grades.to_vec(),
                ..AwardTerms::default()
            };
            bound(&terms, named, |grade| grade.max_contributors)
        };
        let two = [grade("一等奖", 15), grade("二等奖", 10)];
        assert_eq!(of(&two, "二等奖"), 10);
        assert_eq!(of(&two, ""), 15);
        // A grade without a bound is wider than any.
        let open = [grade("特等奖", 0), grade("一等奖", 15)];
        assert_eq!(of(&open, ""), 0);
        assert_eq!(of(&open, "一等奖"), 15);
        assert_eq!(of(&[], "一等奖"), 0);
    }
}
