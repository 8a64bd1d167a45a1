//! Guards that several life cycles share.

use mingce_orm::model::column::points;
use mingce_orm::{Blocker, Result};
use mingce_proto::Headed;
use mingce_proto::registry::{NoticeTerms, RecordStatus, RoundState};

use crate::caps::misfit;
use crate::case::{Case, facts, heard_until};
use crate::day;
use crate::notice::{Notices, differences};
use crate::round::{Rounds, cap_of, cap_reached};
use crate::state_machine::{Guard, GuardContext, blocker};

/// The round takes cases on this day.
pub const fn round_takes<C: Case>() -> Guard<C> {
    Guard {
        zh: "在批次申报期内；退回补正的，在补正期内",
        en: "the round is open and the day is within its window; of a returned one, it is not after the day that was set",
        check: check_round::<C>,
    }
}

/// The same for cases that are never returned.
pub const fn round_takes_once<C: Case>() -> Guard<C> {
    Guard {
        zh: "在批次申报期内",
        en: "the round is open and the day is within its window",
        check: check_round::<C>,
    }
}

/// The holidays of the days that a notice would run are known.
pub const fn calendar_known<C: Case>() -> Guard<C> {
    Guard {
        zh: "公示期内的节假日安排已公布",
        en: "the holidays of the days that the notice runs are known",
        check: check_calendar::<C>,
    }
}

/// The notice has run its days.
pub const fn notice_over<C: Case>() -> Guard<C> {
    Guard {
        zh: "公示期和异议期已满",
        en: "the public-notice period and the time for objections have ended",
        check: check_notice::<C>,
    }
}

/// What was on notice is what the record says.
pub const fn published_same<C: Case>() -> Guard<C> {
    Guard {
        zh: "公示内容与登记内容一致",
        en: "what was on notice is what the record says",
        check: check_published::<C>,
    }
}

/// No objection waits for its outcome.
pub const fn no_open_objection<C: Case>() -> Guard<C> {
    Guard {
        zh: "没有未办结的异议",
        en: "no objection is open",
        check: check_open_objections::<C>,
    }
}

/// No objection to the latest notice was upheld.
pub const fn no_upheld_objection<C: Case>() -> Guard<C> {
    Guard {
        zh: "没有成立的异议",
        en: "no objection to the latest notice was upheld",
        check: check_upheld_objections::<C>,
    }
}

/// A closed panel has as many reviews of it as the policy asks for, and they are good enough.
pub const fn reviewed<C: Case>() -> Guard<C> {
    Guard {
        zh: "评审组已结束，评审份数和平均分达到规定",
        en: "a closed panel has the reviews and the mean score that the policy asks for",
        check: check_reviews::<C>,
    }
}

/// The caps of the round leave room.
pub const fn cap_left<C: Case>() -> Guard<C> {
    Guard {
        zh: "批次名额未用完",
        en: "the caps of the round leave room",
        check: check_caps::<C>,
    }
}

fn check_round<C: Case>(look: &mut GuardContext<'_, C>) -> Result<Vec<Blocker>> {
    let facts = facts::<C>(look.item);
    let name = facts.round;
    if name.is_empty() {
        return Ok(vec![look.blocker("ROUND_MISSING", "it is in no round", "未列入批次")]);
    }
    let round = look.work.require_unchanged::<Rounds>(&name)?;
    let today = look.at.today.to_string();
    let (start, end) = (&round.start_date, &round.end_date);
    let (came, until) = (facts.submit_date, facts.resubmit_date);
    Ok(if round.head().record_status() == RecordStatus::Annulled {
        vec![blocker("ROUND_ANNULLED", &name, "the round was annulled", "批次已作废")]
    } else if let Some(said) = misfit::<C>(&round, look.item) {
        vec![blocker("ROUND_OF_OTHER_KIND", &name, said, "批次不受理此类申报")]
    } else if !came.is_empty() {
        // It came in time. What it was returned for may be done after the window, until the day that was set for it.
        if until.is_empty() || today <= until {
            return Ok(Vec::new());
        }
        let (en, zh) = (
            format!("the deadline for resubmission was {until}"),
            format!("补正期至{until}"),
        );
        vec![look.blocker("RESUBMISSION_LATE", en, zh)]
    } else if today > *end {
        // Whether it has closed by itself yet makes no difference.
        let (en, zh) = (format!("the round took cases until {end}"), format!("批次受理至{end}"));
        vec![blocker("ROUND_OVER", &name, en, zh)]
    } else if round.state() == RoundState::Closed {
        vec![blocker("ROUND_CLOSED", &name, "the round is closed", "批次已截止")]
    } else if today < *start {
        let (en, zh) = (format!("the round opens on {start}"), format!("批次自{start}起受理"));
        vec![blocker("ROUND_NOT_BEGUN", &name, en, zh)]
    } else {
        Vec::new()
    })
}

fn check_calendar<C: Case>(look: &mut GuardContext<'_, C>) -> Result<Vec<Blocker>> {
    Ok(calendar_of(look, look.policy.map(C::notice_terms).unwrap_or_default()))
}

/// What stands in the way of a notice of these terms that would begin today. For a notice by other terms than those before the
/// decision.
pub fn calendar_of<C: Case>(look: &GuardContext<'_, C>, terms: NoticeTerms) -> Vec<Blocker> {
    if C::is_secret(look.item) {
        return Vec::new();
    }
    match look.at.end_of_objections(&terms) {
        Ok(_) => Vec::new(),
        Err(unknown) => {
            let zh = "公示期内有年份的节假日安排尚未录入";
            vec![look.blocker("CALENDAR_UNKNOWN", unknown.message(), zh)]
        }
    }
}

fn check_notice<C: Case>(look: &mut GuardContext<'_, C>) -> Result<Vec<Blocker>> {
    if C::is_secret(look.item) {
        return Ok(Vec::new());
    }
    let facts = facts::<C>(look.item);
    let Some(end) = day::parse(&facts.notice_end_date)? else {
        return Ok(vec![look.blocker("NOTICE_MISSING", "it was not published", "尚未公示")]);
    };
    if look.at.today <= end {
        let (en, zh) = (format!("the notice runs until {end}"), format!("公示期至{end}"));
        return Ok(vec![blocker("NOTICE_RUNNING", facts.notice, en, zh)]);
    }
    check_heard::<C>(look)
}

fn check_heard<C: Case>(look: &mut GuardContext<'_, C>) -> Result<Vec<Blocker>> {
    let facts = facts::<C>(look.item);
    let begun = day::parse(&facts.notice_start_date)?;
    // Of a notice that runs no day nothing is to be heard.
    let heard = heard_until(&facts)?.filter(|end| Some(*end) > begun && look.at.today <= *end);
    let Some(end) = heard else { return Ok(Vec::new()) };
    let (en, zh) = (format!("objections can be filed until {end}"), format!("异议期至{end}"));
    Ok(vec![blocker("OBJECTION_TIME_RUNNING", facts.notice, en, zh)])
}

fn check_published<C: Case>(look: &mut GuardContext<'_, C>) -> Result<Vec<Blocker>> {
    let name = facts::<C>(look.item).notice;
    if name.is_empty() || C::is_secret(look.item) {
        return Ok(Vec::new());
    }
    let (published, now) = (
        look.work.require_unchanged::<Notices>(&name),
        C::public_fields(look.work, look.item),
    );
    let different = differences(&published?.fields, &now?);
    if different.is_empty() {
        return Ok(Vec::new());
    }
    let (en, zh) = (
        format!(
            "the record says something else than the notice in {}: begin another notice",
            different.join(", ")
        ),
        format!("登记内容与公示不一致（{}），须重新公示", different.join("、")),
    );
    Ok(vec![blocker("PUBLISHED_DIFFERS", name, en, zh)])
}

fn check_open_objections<C: Case>(look: &mut GuardContext<'_, C>) -> Result<Vec<Blocker>> {
    let open = facts::<C>(look.item).open_objections;
    Ok(open
        .into_iter()
        .map(|name| {
            let (en, zh) = (format!("objection {name} is open"), format!("异议{name}尚未办结"));
            blocker("OBJECTION_OPEN", name, en, zh)
        })
        .collect())
}

fn check_upheld_objections<C: Case>(look: &mut GuardContext<'_, C>) -> Result<Vec<Blocker>> {
    let upheld = facts::<C>(look.item).upheld_objections;
    Ok(upheld
        .into_iter()
        .map(|name| {
            let (en, zh) = (format!("objection {name} was upheld"), format!("异议{name}成立"));
            blocker("OBJECTION_UPHELD", name, en, zh)
        })
        .collect())
}

fn check_reviews<C: Case>(look: &mut GuardContext<'_, C>) -> Result<Vec<Blocker>> {
    let Some(terms) = look.policy.and_then(C::review_terms) else {
        return Ok(Vec::new());
    };
    let facts = facts::<C>(look.item);
    let mut blockers = Vec::new();
    if facts.reviews < terms.min_reviews {
        let (have, want) = (facts.reviews, terms.min_reviews);
        let en = format!("closed panels have {have} of {want} reviews");
        blockers.push(look.blocker("REVIEWS_MISSING", en, format!("已结束的评审{have}份，规定{want}份")));
    } else if terms.min_reviews > 0 && facts.review_score < terms.min_score {
        let (have, want) = (points(facts.review_score.into()), points(terms.min_score.into()));
        let en = format!("the mean score is {have}, {want} are needed");
        blockers.push(look.blocker("SCORE_TOO_LOW", en, format!("平均分{have}，规定{want}")));
    }
    Ok(blockers)
}

fn check_caps<C: Case>(look: &mut GuardContext<'_, C>) -> Result<Vec<Blocker>> {
    let name = facts::<C>(look.item).round;
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let round = look.work.require::<Rounds>(&name)?;
    Ok(["", C::grade(look.item)]
        .into_iter()
        .filter_map(|grade| cap_of(&round, grade))
        .filter(|cap| cap.used >= cap.limit)
        .map(|cap| cap_reached(&name, cap))
        .collect::<Vec<_>>()
        .into_iter()
        .fold(Vec::new(), |mut seen, one| {
            if !seen.contains(&one) {
                seen.push(one);
            }
            seen
        }))
}
