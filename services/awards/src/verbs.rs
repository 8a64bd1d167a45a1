//! What each verb on an award does beside leading to another state: one function for each request.

use mingce_lifecycle::caps::{enter, use_cap};
use mingce_lifecycle::case::decided;
use mingce_lifecycle::cases::{Asked, asked};
use mingce_lifecycle::{Case, Command, Invocation, TransitionContext, documented_invocation_of, invocation_of, notice};
use mingce_orm::{Error, Result};
use mingce_proto::awards::*;
use mingce_proto::registry::Round;

use crate::award::{Awards, scheme};
use crate::guards::{renewed, terms};
use crate::scheme::Schemes;

type Wanted = Invocation<Awards>;

pub(crate) fn nominate(r: NominateAwardRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("nominate", step, |item: &mut Award, crossing| {
        Awards::facts_mut(item).submit_date = crossing.at.today.to_string();
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn refuse(r: RefuseAwardRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("refuse", step, |_: &mut Award, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn accept(r: AcceptAwardRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("accept", step, |item: &mut Award, crossing| {
        let terms = terms(crossing.policy).acceptance_notice.unwrap_or_default();
        notice::publish::<Awards>(item, crossing, terms)
    });
    Invocation { call, wanted }
}

pub(crate) fn review(r: ReviewAwardRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("review", step, |_: &mut Award, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn shortlist(r: ShortlistAwardRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("shortlist", step, move |item: &mut Award, crossing| {
        expect_grade("grade", &r.grade, item, crossing)?;
        item.grade.clone_from(&r.grade);
        let terms = crossing.policy.map(Awards::notice_terms).unwrap_or_default();
        notice::publish::<Awards>(item, crossing, terms)
    });
    Invocation { call, wanted }
}

pub(crate) fn renew_notice(r: RenewNoticeOfAwardRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("renew_notice", step, move |item: &mut Award, crossing| {
        if !r.grade.is_empty() {
            if item.state() != AwardState::Shortlisted {
                let said = "it is not shortlisted yet: leave the grade out";
                return Err(Error::invalid("grade", "GRADE_UNKNOWN", said));
            }
            expect_grade("grade", &r.grade, item, crossing)?;
            item.grade.clone_from(&r.grade);
        }
        let terms = renewed(item, crossing.policy);
        if item.state() == AwardState::InReview {
            item.set_state(AwardState::Accepted);
        }
        notice::publish::<Awards>(item, crossing, terms)
    });
    Invocation { call, wanted }
}

pub(crate) fn deselect(r: DeselectAwardRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("deselect", step, |_: &mut Award, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn approve(r: ApproveAwardRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("approve", step, move |item: &mut Award, crossing| {
        let decided = decided::<Awards>(item, &r.decision_date, crossing.at)?;
        use_cap::<Awards>(item, crossing)?;
        item.number.clone_from(&r.number);
        item.decision_date = decided.to_string();
        item.document_number.clone_from(&r.document_number);
        item.money_fen = r.money_fen;
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn confer(r: ConferAwardRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("confer", step, |_: &mut Award, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn revoke(r: RevokeAwardRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("revoke", step, |_: &mut Award, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn withdraw(r: WithdrawAwardRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("withdraw", step, |_: &mut Award, _| Ok(()));
    Invocation { call, wanted }
}

/// A grade is one of the policy's, else of the scheme's; none where there are none.
pub(crate) fn expect_grade(field: &str, grade: &str, item: &Award, crossing: &mut TransitionContext<'_>) -> Result<()> {
    let of_policy = terms(crossing.policy).grades;
    let known: Vec<String> = if of_policy.is_empty() {
        let scheme = crossing.work.require_unchanged::<Schemes>(scheme(item))?;
        scheme.grades.into_iter().map(|known| known.grade).collect()
    } else {
        of_policy.into_iter().map(|known| known.grade).collect()
    };
    if known.iter().any(|known| known == grade) || (known.is_empty() && grade.is_empty()) {
        return Ok(());
    }
    let said = if known.is_empty() {
        "the scheme has no grades: leave it empty".to_owned()
    } else {
        format!("give one of {}", known.join(", "))
    };
    Err(Error::invalid(field, "GRADE_UNKNOWN", said))
}

/// One move of a batch.
pub(crate) fn one_of(verb: award_move::Verb) -> Asked<Awards> {
    use award_move::Verb;
    match verb {
        Verb::Nominate(r) => asked("nominate", *r, nominate),
        Verb::Refuse(r) => asked("refuse", *r, refuse),
        Verb::Accept(r) => asked("accept", *r, accept),
        Verb::Review(r) => asked("review", *r, review),
        Verb::Shortlist(r) => asked("shortlist", *r, shortlist),
        Verb::RenewNoticeOf(r) => asked("renew_notice_of", *r, renew_notice),
        Verb::Deselect(r) => asked("deselect", *r, deselect),
        Verb::Approve(r) => asked("approve", *r, approve),
        Verb::Confer(r) => asked("confer", *r, confer),
        Verb::Revoke(r) => asked("revoke", *r, revoke),
        Verb::Withdraw(r) => asked("withdraw", *r, withdraw),
    }
}

/// An award as it begins: the draft of a nomination for a round.
pub(crate) fn begin(item: &mut Award, round: &Round) {
    item.set_state(AwardState::Draft);
    item.round.clone_from(&round.display_name);
    enter::<Awards>(item, round);
}
