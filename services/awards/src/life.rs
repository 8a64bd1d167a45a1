//! The life cycle of awards: states, verbs, and what has to hold for each.

use jiff::civil::Date;
use mingce_lifecycle::ask::Ask;
use mingce_lifecycle::case::{Decided, Held};
use mingce_lifecycle::correct::VERB;
use mingce_lifecycle::entry::on_enter;
use mingce_lifecycle::guard::{
    calendar_known, cap_left, no_open_objection, no_upheld_objection, notice_over, published_same, reviewed,
    round_takes_once,
};
use mingce_lifecycle::notice::field;
use mingce_lifecycle::replays::Replays;
use mingce_lifecycle::{
    ByItself, Case, Parties, Phase, Scope, State, StateEntry, StateMachine, Stateful, Transition, TransitionContext,
};
use mingce_orm::{Result, UnitOfWork};
use mingce_proto::awards::{Award, AwardState as S, Contributor};
use mingce_proto::registry::{
    CaseKind, DueActor, DueKind, NoticeTerms, OrganizationReference, Policy, PublicField, ReviewTerms,
};

use crate::award::{Awards, completing, scheme};
use crate::guards::{
    ACCEPTANCE_CALENDAR, CONTRIBUTORS, EVIDENCE_FREE, NOMINATED_ONCE, NOT_BARRED, ORGANIZATION_AMONG_COMPLETING,
    ORGANIZATIONS, RENEWAL_CALENDAR, terms,
};
use crate::verbs::expect_grade;

const DRAFT: i32 = S::Draft as i32;
const NOMINATED: i32 = S::Nominated as i32;
const REFUSED: i32 = S::Refused as i32;
const ACCEPTED: i32 = S::Accepted as i32;
const IN_REVIEW: i32 = S::InReview as i32;
const SHORTLISTED: i32 = S::Shortlisted as i32;
const NOT_SELECTED: i32 = S::NotSelected as i32;
const APPROVED: i32 = S::Approved as i32;
const CONFERRED: i32 = S::Conferred as i32;
const REVOKED: i32 = S::Revoked as i32;
const WITHDRAWN: i32 = S::Withdrawn as i32;

static STATES: [State; 11] = [
    State::new(DRAFT, "draft", "草稿", "draft", Phase::Draft),
    State::new(NOMINATED, "nominated", "已提名", "nominated", Phase::Undecided),
    State::new(REFUSED, "refused", "不予受理", "refused", Phase::Ended),
    State::new(ACCEPTED, "accepted", "已受理", "accepted", Phase::Undecided),
    State::new(IN_REVIEW, "in_review", "评审中", "in review", Phase::Undecided),
    State::new(SHORTLISTED, "shortlisted", "入围", "shortlisted", Phase::Undecided),
    State::new(NOT_SELECTED, "not_selected", "未入围", "not selected", Phase::Ended),
    State::new(APPROVED, "approved", "已批准", "approved", Phase::Live),
    State::new(CONFERRED, "conferred", "授予", "conferred", Phase::Live),
    State::new(REVOKED, "revoked", "撤销", "revoked", Phase::Ended),
    State::new(WITHDRAWN, "withdrawn", "撤回", "withdrawn", Phase::Ended),
];

static LIFE: StateMachine<Awards> = StateMachine {
    zh: "科学技术奖",
    en: "Award",
    service: "mingce.awards.v1.AwardNominationService",
    state_enum: "mingce.awards.v1.AwardState",
    first: DRAFT,
    states: &STATES,
    transitions: &EDGES,
};

static EDGES: [Transition<Awards>; 12] = [
    Transition {
        verb: "nominate",
        zh: "提名",
        method: "NominateAward",
        from: &[DRAFT],
        to: &[NOMINATED],
        guards: &[
            round_takes_once(),
            CONTRIBUTORS,
            ORGANIZATIONS,
            ORGANIZATION_AMONG_COMPLETING,
            NOMINATED_ONCE,
            NOT_BARRED,
            EVIDENCE_FREE,
        ],
    },
    Transition {
        verb: "refuse",
        zh: "不予受理",
        method: "RefuseAward",
        from: &[NOMINATED],
        to: &[REFUSED],
        guards: &[],
    },
    Transition {
        verb: "accept",
        zh: "受理",
        method: "AcceptAward",
        from: &[NOMINATED],
        to: &[ACCEPTED],
        guards: &[ACCEPTANCE_CALENDAR],
    },
    Transition {
        verb: "review",
        zh: "进入评审",
        method: "ReviewAward",
        from: &[ACCEPTED],
        to: &[IN_REVIEW],
        guards: &[],
    },
    // What was objected to in the notice of acceptance is settled before the notice of the shortlist takes its place.
    Transition {
        verb: "shortlist",
        zh: "入围",
        method: "ShortlistAward",
        from: &[IN_REVIEW],
        to: &[SHORTLISTED],
        guards: &[reviewed(), no_open_objection(), no_upheld_objection(), calendar_known()],
    },
    Transition {
        verb: "renew_notice",
        zh: "重新公示",
        method: "RenewNoticeOfAward",
        from: &[ACCEPTED, IN_REVIEW, SHORTLISTED],
        to: &[ACCEPTED, SHORTLISTED],
        guards: &[no_open_objection(), RENEWAL_CALENDAR],
    },
    Transition {
        verb: "deselect",
        zh: "不入围",
        method: "DeselectAward",
        from: &[IN_REVIEW, SHORTLISTED],
        to: &[NOT_SELECTED],
        guards: &[],
    },
    Transition {
        verb: "approve",
        zh: "批准授奖",
        method: "ApproveAward",
        from: &[SHORTLISTED],
        to: &[APPROVED],
        guards: &[
            notice_over(),
            no_open_objection(),
            no_upheld_objection(),
            published_same(),
            cap_left(),
            EVIDENCE_FREE,
        ],
    },
    Transition {
        verb: "confer",
        zh: "授予",
        method: "ConferAward",
        from: &[APPROVED],
        to: &[CONFERRED],
        guards: &[],
    },
    Transition {
        verb: "revoke",
        zh: "撤销",
        method: "RevokeAward",
        from: &[CONFERRED],
        to: &[REVOKED],
        guards: &[],
    },
    Transition {
        verb: "withdraw",
        zh: "撤回",
        method: "WithdrawAward",
        from: &[DRAFT, NOMINATED, ACCEPTED, IN_REVIEW, SHORTLISTED],
        to: &[WITHDRAWN],
        guards: &[],
    },
    Transition {
        verb: VERB,
        zh: "更正",
        method: "CorrectAward",
        from: &[APPROVED, CONFERRED, REVOKED],
        to: &[],
        guards: &[],
    },
];

/// What holds for a decision on an award, by the fields that it looks at.
static OF_DECISION: [Held<Awards>; 6] = [
    (&["contributors", "grade"], CONTRIBUTORS),
    (&["completing_organizations", "grade"], ORGANIZATIONS),
    (
        &["contributors", "completing_organizations", "scheme"],
        ORGANIZATION_AMONG_COMPLETING,
    ),
    (&["title", "project_code", "year", "scheme"], NOMINATED_ONCE),
    (&["evidence", "scheme"], EVIDENCE_FREE),
    // What was secret had no notice.
    (&["classified", "public_safety"], notice_over()),
];

static REPLAYS: Replays<Awards> = Replays {
    enters: "nominate",
    approves: "approve",
    refuses: "deselect",
    at_entry: &[CONTRIBUTORS, ORGANIZATIONS, NOT_BARRED],
    at_decision: &[reviewed()],
};

impl Stateful for Awards {
    fn state_machine() -> &'static StateMachine<Self> {
        &LIFE
    }
    fn governed_by(item: &Award) -> Option<(i32, String)> {
        let scope = Self::scope(item);
        Some((scope.level, scope.programme.to_owned()))
    }
    fn on_enter(item: &mut Award, arrival: &mut StateEntry<'_>) -> Result<()> {
        on_enter::<Self>(item, arrival)
    }
}

impl Case for Awards {
    const KIND: CaseKind = CaseKind::Award;
    const ON_NOTICE: &'static [i32] = &[ACCEPTED, SHORTLISTED];
    const IN_REVIEW: &'static [i32] = &[IN_REVIEW];

    fn decided_by(item: &Award) -> Decided<'_> {
        Decided {
            number: &item.document_number,
            date: &item.decision_date,
            issuer: None,
        }
    }
    fn scope(item: &Award) -> Scope<'_> {
        Scope {
            level: item.level,
            programme: scheme(item),
        }
    }
    fn grade(item: &Award) -> &str {
        &item.grade
    }
    fn was_approved(item: &Award) -> bool {
        matches!(item.state(), S::Approved | S::Conferred | S::Revoked)
    }
    fn display(_work: &mut UnitOfWork, item: &Award) -> Result<String> {
        Ok(item.title.clone())
    }
    fn notice_terms(policy: &Policy) -> NoticeTerms {
        terms(Some(policy)).notice.unwrap_or_default()
    }
    fn review_terms(policy: &Policy) -> Option<&ReviewTerms> {
        policy.award.as_ref().and_then(|terms| terms.review.as_ref())
    }

    fn public_fields(_work: &mut UnitOfWork, item: &Award) -> Result<Vec<PublicField>> {
        let scheme = item.scheme.as_ref().map_or("", |scheme| scheme.display_name.as_str());
        let contributors: Vec<&str> = item.contributors.iter().map(contributor).collect();
        let of = item.completing_organizations.iter();
        let organizations: Vec<&str> = of.map(|one| display_name(&one.organization)).collect();
        Ok(vec![
            field("title", item.title.as_str()),
            field("scheme", scheme),
            field("year", item.year.to_string()),
            field("grade", item.grade.as_str()),
            field("contributors", contributors.join("、")),
            field("completing_organizations", organizations.join("、")),
            field("nominator", item.nominator.as_str()),
        ])
    }

    fn is_secret(item: &Award) -> bool {
        item.classified || item.public_safety
    }

    fn parties(_work: &mut UnitOfWork, item: &Award) -> Result<Parties> {
        let mut parties = Parties::default();
        for contributor in &item.contributors {
            let person = contributor.talent.as_ref().map(|person| person.talent.clone());
            parties.persons.extend(person);
            let own = contributor
                .organizations
                .iter()
                .chain(&contributor.laureate_organization);
            parties.organizations.extend(own.map(|o| o.organization.clone()));
        }
        let completing = item.completing_organizations.iter().map(completing);
        parties.organizations.extend(completing.map(str::to_owned));
        parties.persons.remove("");
        parties.organizations.remove("");
        Ok(parties)
    }

    fn replays() -> &'static Replays<Self> {
        &REPLAYS
    }

    const DECIDED: &'static [&'static str] = &[
        "title",
        "scheme",
        "number",
        "year",
        "grade",
        "contributors",
        "completing_organizations",
        "evidence",
        "document_number",
        "decision_date",
        "money_fen",
        "classified",
        "public_safety",
        "project_code",
        "nominator",
    ];
    fn decision_date(item: &Award) -> &str {
        &item.decision_date
    }
    fn of_decision() -> &'static [Held<Self>] {
        &OF_DECISION
    }
    fn follow(before: &Award, item: &mut Award, crossing: &mut TransitionContext<'_>) -> Result<()> {
        if Self::is_taken_here(item) && (before.grade != item.grade || before.scheme != item.scheme) {
            expect_grade("award.grade", &item.grade, item, crossing)?;
        }
        Ok(())
    }

    /// Nothing but notices.
    fn due(_item: &Award, _policy: Option<&Policy>, _today: Date) -> Result<Option<(Date, DueKind)>> {
        Ok(None)
    }

    const ASKS: &'static [Ask] = &ASKS;
}

impl ByItself for Awards {}

/// Who acts, and on what.
static ASKS: [Ask; 5] = [
    Ask::at_once(NOMINATED, DueKind::FormalCheck, DueActor::Office, &["accept", "refuse"]),
    Ask::on_day(ACCEPTED, DueKind::NoticeEnds, DueActor::Office, &["review"]),
    Ask::at_once(IN_REVIEW, DueKind::Review, DueActor::Office, &["shortlist", "deselect"]),
    Ask::on_day(
        SHORTLISTED,
        DueKind::NoticeEnds,
        DueActor::Decider,
        &["approve", "deselect"],
    ),
    Ask::at_once(APPROVED, DueKind::Conferral, DueActor::Decider, &["confer"]),
];

fn display_name(reference: &Option<OrganizationReference>) -> &str {
    reference.as_ref().map_or("", |o| o.display_name.as_str())
}

fn contributor(of: &Contributor) -> &str {
    let person = of.talent.as_ref().map(|person| person.display_name.as_str());
    person.unwrap_or_else(|| display_name(&of.laureate_organization))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_life_cycle_is_up_to_date() {
        mingce_lifecycle::lifecycle_docs::expect_page::<Awards>("award.md");
    }

    #[test]
    fn the_life_cycle_is_that_of_the_contract() {
        assert_eq!(
            mingce_lifecycle::lifecycle_docs::faults::<Awards>(),
            Vec::<String>::new()
        );
        assert_eq!(mingce_lifecycle::due::faults::<Awards>(), Vec::<String>::new());
    }
}
