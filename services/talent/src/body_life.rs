//! The life cycle of nominating bodies: what the register knows of each case. Its states and verbs are in `body_machine.rs`, and
//! what happens by itself is in `body_by_itself.rs`.

use jiff::civil::Date;
use mingce_lifecycle::ask::Ask;
use mingce_lifecycle::case::Decided;
use mingce_lifecycle::correct::{expect_ended, moved_end};
use mingce_lifecycle::dates::{met, on};
use mingce_lifecycle::entry::on_enter;
use mingce_lifecycle::notice::{field, level_in_words};
use mingce_lifecycle::replay::term_under;
use mingce_lifecycle::replays::Replays;
use mingce_lifecycle::{
    Case, EvalContext, Parties, Phase, Scope, StateEntry, StateMachine, Stateful, TransitionContext, day,
};
use mingce_orm::{Collection, Error, Result, UnitOfWork};
use mingce_proto::registry::{CaseDate, CaseKind, DueActor, DueKind, NoticeTerms, Policy, PublicField};
use mingce_proto::talent::NominatingBody;

use crate::body::{NominatingBodies, organization, organization_name, programme, terms};
use crate::body_machine::{APPLIED, AUTHORISED, LIFE, ON_NOTICE, REPLAYS, SUSPENDED};

/// The name of a programme as it is today; its resource name where it has none.
pub(crate) fn programme_name(work: &mut UnitOfWork, name: &str) -> Result<String> {
    let kind = &crate::programme::Programmes::shape().kind;
    let found = match kind.id(name) {
        Some(id) => work.get_shared::<crate::programme::Programmes>(id)?,
        None => None,
    };
    Ok(found.map_or_else(|| name.to_owned(), |programme| programme.display_name))
}

impl Stateful for NominatingBodies {
    fn state_machine() -> &'static StateMachine<Self> {
        &LIFE
    }
    fn governed_by(item: &NominatingBody) -> Option<(i32, String)> {
        let scope = Self::scope(item);
        Some((scope.level, scope.programme.to_owned()))
    }
    fn on_enter(item: &mut NominatingBody, arrival: &mut StateEntry<'_>) -> Result<()> {
        on_enter::<Self>(item, arrival)
    }
}

impl Case for NominatingBodies {
    const KIND: CaseKind = CaseKind::NominatingBody;
    const ON_NOTICE: &'static [i32] = &[ON_NOTICE];

    fn decided_by(item: &NominatingBody) -> Decided<'_> {
        Decided {
            number: &item.document_number,
            ..Decided::default()
        }
    }
    fn scope(item: &NominatingBody) -> Scope<'_> {
        Scope {
            level: item.level,
            programme: programme(item),
        }
    }
    /// None is recorded as history.
    fn is_taken_here(_item: &NominatingBody) -> bool {
        true
    }
    fn display(work: &mut UnitOfWork, item: &NominatingBody) -> Result<String> {
        let programme = programme_name(work, programme(item))?;
        Ok(format!("{}·{programme}", organization_name(item)))
    }
    fn notice_terms(policy: &Policy) -> NoticeTerms {
        terms(Some(policy)).notice.unwrap_or_default()
    }

    fn public_fields(work: &mut UnitOfWork, item: &NominatingBody) -> Result<Vec<PublicField>> {
        Ok(vec![
            field("organization", organization_name(item)),
            field("programme", programme_name(work, programme(item))?),
            field("level", level_in_words(item.level)),
        ])
    }

    fn parties(_work: &mut UnitOfWork, item: &NominatingBody) -> Result<Parties> {
        let mut parties = Parties::default();
        parties.organizations.insert(organization(item).to_owned());
        parties.organizations.remove("");
        Ok(parties)
    }

    const DECIDED: &'static [&'static str] = &["organization", "start_date", "end_date", "document_number"];
    /// It is authorised from the day of the decision on.
    const DECISION_DATE: &'static str = "start_date";
    fn decision_date(item: &NominatingBody) -> &str {
        &item.start_date
    }

    /// The authorisation ends as far after its first day as before.
    fn follow(before: &NominatingBody, item: &mut NominatingBody, crossing: &mut TransitionContext<'_>) -> Result<()> {
        if item.end_date == before.end_date {
            let days = (before.start_date.as_str(), item.start_date.as_str());
            item.end_date = moved_end(&before.end_date, days, terms(crossing.policy).authorisation_months)?;
        }
        if item.end_date < item.start_date {
            let (start, end) = (&item.start_date, &item.end_date);
            let said = format!("{end} is before {start}, the first day of the authorisation");
            return Err(Error::invalid("nominating_body.end_date", "PERIOD_REVERSED", said));
        }
        expect_ended::<Self>(item, [&before.end_date, &item.end_date], crossing)
    }

    /// The authorisation, and the quotas of years that were not granted otherwise.
    fn results(
        item: &NominatingBody,
        policy: Option<&Policy>,
        other: &Policy,
    ) -> Result<Vec<(String, String, String)>> {
        let (own, other) = (terms(policy), terms(Some(other)));
        let months = [own.authorisation_months, other.authorisation_months];
        let term = term_under("authorisation", &item.start_date, &item.end_date, months)?;
        let by_policy = item.quotas.iter().filter(|quota| quota.limit == own.yearly_quota);
        let said = |limit: i32, used: i32| format!("{used} of {limit} used");
        let quotas = by_policy.map(|quota| {
            let (was, is) = (said(quota.limit, quota.used), said(other.yearly_quota, quota.used));
            (format!("quota {}", quota.year), was, is)
        });
        Ok(term.into_iter().chain(quotas).collect())
    }

    fn replays() -> &'static Replays<Self> {
        &REPLAYS
    }

    const HELD: &'static [i32] = &[SUSPENDED];

    fn dates(item: &NominatingBody, policy: Option<&Policy>, at: &EvalContext) -> Result<Vec<CaseDate>> {
        let is_live = Self::state_machine().phase(item.state) == Phase::Live;
        let ends = day::parse(&item.end_date)?.and_then(|end| day::days_after(end, 1).ok());
        let by_itself = terms(policy).expires_by_itself;
        let actor = if by_itself {
            DueActor::Register
        } else {
            DueActor::Office
        };
        let ends = ends.map(|ends| met(on(DueKind::AuthorisationEnds, ends, actor), !is_live, ""));
        let quotas = item.quotas.iter().filter_map(|quota| {
            let over = i16::try_from(quota.year + 1).ok()?;
            let over = Date::new(over, 1, 1).ok()?;
            let lapses = met(on(DueKind::QuotaEnds, over, DueActor::Register), at.today >= over, "");
            Some(CaseDate {
                year: quota.year,
                ..lapses
            })
        });
        Ok(ends.into_iter().chain(quotas).collect())
    }

    const ASKS: &'static [Ask] = &ASKS;

    /// The end of the authorisation, or before it the end of the year of a quota.
    fn due(item: &NominatingBody, _policy: Option<&Policy>, _today: Date) -> Result<Option<(Date, DueKind)>> {
        if Self::state_machine().phase(item.state) != Phase::Live {
            return Ok(None);
        }
        // What would lie beyond the calendar never comes.
        let ends = day::parse(&item.end_date)?.and_then(|end| day::days_after(end, 1).ok());
        let years = item.quotas.iter().filter(|quota| !quota.lapsed).map(|quota| quota.year);
        let over = years.min().and_then(|year| i16::try_from(year + 1).ok());
        let over = over.and_then(|year| Date::new(year, 1, 1).ok());
        Ok(match (ends, over) {
            (ends, Some(over)) if ends.is_none_or(|ends| over < ends) => Some((over, DueKind::QuotaEnds)),
            (ends, _) => ends.map(|ends| (ends, DueKind::AuthorisationEnds)),
        })
    }
}

/// Who acts, and on what.
static ASKS: [Ask; 6] = [
    Ask::at_once(
        APPLIED,
        DueKind::FormalCheck,
        DueActor::Office,
        &["publish_notice", "refuse"],
    ),
    Ask::on_day(
        ON_NOTICE,
        DueKind::NoticeEnds,
        DueActor::Decider,
        &["authorise", "refuse"],
    ),
    Ask::on_day(AUTHORISED, DueKind::AuthorisationEnds, DueActor::Office, &["expire"]),
    Ask::on_day(SUSPENDED, DueKind::AuthorisationEnds, DueActor::Office, &["expire"]),
    Ask::on_day(AUTHORISED, DueKind::QuotaEnds, DueActor::Register, &[]),
    Ask::on_day(SUSPENDED, DueKind::QuotaEnds, DueActor::Register, &[]),
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mingce_lifecycle::Calendar;
    use mingce_lifecycle::case::facts;
    use mingce_orm::RequestContext;
    use mingce_proto::Classes;
    use mingce_proto::talent::NominatingQuota;

    use super::*;
    use crate::body_by_itself::lapsed;
    use crate::body_machine::{EXPIRED, REFUSED, REVOKED};

    #[test]
    fn the_page_of_the_life_cycle_is_up_to_date() {
        mingce_lifecycle::lifecycle_docs::expect_page::<NominatingBodies>("nominating-body.md");
    }

    #[test]
    fn the_life_cycle_is_that_of_the_contract() {
        assert_eq!(
            mingce_lifecycle::lifecycle_docs::faults::<NominatingBodies>(),
            Vec::<String>::new()
        );
        assert_eq!(
            mingce_lifecycle::due::faults::<NominatingBodies>(),
            Vec::<String>::new()
        );
    }

    fn body(end_date: &str, years: &[i32]) -> NominatingBody {
        let quota = |year: &i32| NominatingQuota {
            year: *year,
            limit: 5,
            ..NominatingQuota::default()
        };
        NominatingBody {
            state: AUTHORISED,
            end_date: end_date.to_owned(),
            quotas: years.iter().map(quota).collect(),
            ..NominatingBody::default()
        }
    }

    fn due(item: &NominatingBody) -> Option<(String, DueKind)> {
        let due = NominatingBodies::due(item, None, Date::MIN).unwrap();
        due.map(|(day, kind)| (day.to_string(), kind))
    }

    #[test]
    fn what_comes_first_falls_due() {
        let ends = |day: &str| Some((day.to_owned(), DueKind::AuthorisationEnds));
        let quota = |day: &str| Some((day.to_owned(), DueKind::QuotaEnds));
        assert_eq!(due(&body("2027-02-28", &[])), ends("2027-03-01"));
        assert_eq!(due(&body("2027-02-28", &[2026, 2025])), quota("2026-01-01"));
        assert_eq!(due(&body("2024-11-30", &[2024])), ends("2024-12-01"));
        assert_eq!(due(&body("2024-12-31", &[2024])), ends("2025-01-01"), "with its year");
        assert_eq!(due(&body("", &[2024])), quota("2025-01-01"));
        assert_eq!(due(&body("9999-12-31", &[])), None);
        assert_eq!(due(&body("9999-12-31", &[9999])), None);
        for ended in [EXPIRED, REVOKED, REFUSED, APPLIED, ON_NOTICE] {
            let mut body = body("2027-02-28", &[2024]);
            body.state = ended;
            assert_eq!(due(&body), None, "{ended}");
        }
    }

    #[test]
    fn years_lapse_one_after_the_other_or_several_at_once_after_an_outage() {
        let at = |now: &str| {
            let cx = RequestContext {
                actor: String::new(),
                now: now.parse::<jiff::Timestamp>().unwrap().as_microsecond(),
                deadline: None,
                visible: Classes::ALL,
            };
            EvalContext::new(&cx, &Arc::new(Calendar::national())).unwrap()
        };
        let mut granted = body("2030-02-28", &[2024, 2025, 2026]);
        NominatingBodies::facts_mut(&mut granted).state_date = "2024-03-01".to_owned();
        let one = lapsed(&granted, &at("2024-12-31T16:00:00Z"), None).unwrap();
        assert_eq!(
            one.quotas.iter().map(|q| q.lapsed).collect::<Vec<_>>(),
            [true, false, false]
        );
        let facts = facts::<NominatingBodies>(&one);
        assert_eq!(
            (facts.due_date.as_str(), facts.due()),
            ("2026-01-01", DueKind::QuotaEnds)
        );
        assert_eq!(facts.state_date, "2024-03-01", "its state is the same since");
        let all = lapsed(&granted, &at("2027-05-01T00:00:00Z"), None).unwrap();
        assert!(all.quotas.iter().all(|q| q.lapsed));
        assert_eq!(due(&all), Some(("2030-03-01".to_owned(), DueKind::AuthorisationEnds)));
    }
}
