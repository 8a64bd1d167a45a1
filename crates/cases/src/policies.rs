//! What would be decided otherwise under another policy.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use mingce_lifecycle::allocation::replay;
use mingce_lifecycle::based::Basis;
use mingce_lifecycle::in_force;
use mingce_lifecycle::policy::Policies;
use mingce_lifecycle::replay::{Marks, Tried};
use mingce_lifecycle::replays::Wanted;
use mingce_lifecycle::{DynCase, EvalContext, Scope};
use mingce_orm::write::canonical::{inbound, normalized};
use mingce_orm::write::store::Entered;
use mingce_orm::{Error, RequestContext, Result};
use mingce_proto::registry::{DecisionDifference, Policy, RoundCap, SimulatePolicyRequest, SimulatePolicyResponse};

use crate::CaseRegister;

/// At most so many cases are looked at in one call.
const MOST: usize = 5000;

/// So many cases are read at once: what they were is kept no longer.
const PIECE: usize = 100;

/// The policies in force by level and programme, as far as they were looked up.
type InForce = BTreeMap<(i32, String), Arc<Policy>>;

impl CaseRegister {
    pub(crate) async fn simulate(
        &self,
        cx: &RequestContext,
        r: SimulatePolicyRequest,
    ) -> Result<SimulatePolicyResponse> {
        let terms = r.terms_mask.clone().unwrap_or_default().paths;
        let basis = Basis {
            name: &r.based_on,
            terms: &terms,
        };
        let draft = inbound::<Policies>(r.policy.clone().unwrap_or_default())?;
        let draft = normalized::<Policies>(&basis.whole(&self.store, cx, draft).await?)?;
        let Some(kind) = self.kinds.iter().find(|kind| kind.kind() == draft.kind()) else {
            let said = format!("this server has no cases of {}", draft.kind().as_str_name());
            return Err(Error::invalid("policy.kind", "TERMS_OF_OTHER_KIND", said));
        };
        if let Some(other) = r.cases.iter().find(|name| !kind.owns(name)) {
            let said = format!(
                "{other} is no case that a policy of {} decides",
                draft.kind().as_str_name()
            );
            return Err(Error::invalid("cases", "TERMS_OF_OTHER_KIND", said));
        }
        expect_each_once(&r.caps)?;
        let (asked, all) = self.simulated(cx, kind.as_ref(), &r).await?;
        let wanted = Wanted {
            draft: &draft,
            caps: &r.caps,
        };
        let (mut differences, mut tried, mut in_force) = (Vec::new(), Vec::new(), InForce::new());
        for piece in all.chunks(PIECE) {
            let (found, decided) = self.piece(cx, kind.as_ref(), piece, &wanted, &mut in_force).await?;
            differences.extend(found.into_iter().filter(|one| asked.contains(&one.name)));
            tried.extend(decided);
        }
        let found = replay(tried, r.order(), |name| asked.contains(name));
        let cases = i32::try_from(asked.len()).unwrap_or(i32::MAX);
        let replayed = found.before.approved + found.before.refused;
        Ok(SimulatePolicyResponse {
            differences,
            cases,
            decisions: found.decisions,
            before: Some(found.before),
            after: Some(found.after),
            judged_count: found.judged,
            not_replayed_count: cases - replayed,
        })
    }

    /// The cases that are asked for, and with them the others of their rounds, which take places beside them.
    async fn simulated(
        &self,
        cx: &RequestContext,
        kind: &dyn DynCase,
        r: &SimulatePolicyRequest,
    ) -> Result<(BTreeSet<String>, Vec<String>)> {
        let rounds: Vec<String> = Some(r.round.clone())
            .filter(|round| !round.is_empty())
            .into_iter()
            .collect();
        let mut asked: BTreeSet<String> = r.cases.iter().cloned().collect();
        let mut theirs: BTreeSet<String> = BTreeSet::new();
        for piece in r.cases.chunks(PIECE) {
            let mut work = self.store.unit_of_work();
            let seen = self.store.try_edit(&mut work, |work| {
                let all: Vec<_> = piece.iter().map(|name| kind.look(work, name)).collect();
                all.into_iter().collect::<Result<Vec<_>>>()
            });
            theirs.extend(seen.await?.into_iter().map(|seen| seen.facts.round));
        }
        theirs.retain(|round| !round.is_empty() && *round != r.round);
        asked.extend(kind.of_rounds(&self.store, cx, &rounds, MOST).await?);
        let theirs: Vec<String> = theirs.into_iter().collect();
        let mut all = asked.clone();
        all.extend(kind.of_rounds(&self.store, cx, &theirs, MOST).await?);
        if all.len() > MOST {
            let said = format!("with all cases of their rounds these are more than {MOST}: name cases of fewer rounds");
            return Err(Error::invalid("cases", "TOO_MANY_CASES", said));
        }
        Ok((asked, all.into_iter().collect()))
    }

    /// What would differ for some cases now, and those of them that are decided, tried again.
    async fn piece(
        &self,
        cx: &RequestContext,
        kind: &dyn DynCase,
        names: &[String],
        wanted: &Wanted<'_>,
        in_force: &mut InForce,
    ) -> Result<(Vec<DecisionDifference>, Vec<Tried>)> {
        let marks = self.marks(cx, kind, names).await?;
        let sequences: BTreeSet<i64> = marks.iter().flatten().flat_map(Marks::sequences).collect();
        let held = self.store.snapshots(cx, &sequences).await?;
        let mut register = self.store.unit_of_work();
        let scopes = self.store.try_edit(&mut register, |work| {
            let all: Vec<_> = names.iter().map(|name| kind.undetermined(work, name)).collect();
            all.into_iter().collect::<Result<Vec<_>>>()
        });
        let (scopes, at) = (scopes.await?, self.at(cx)?);
        for scope in scopes.iter().flatten() {
            if !in_force.contains_key(scope) {
                let (level, programme) = (scope.0, scope.1.as_str());
                let day = at.today.to_string();
                let found = in_force::in_force(&self.store, cx, kind.kind(), Scope { level, programme }, &day).await?;
                in_force.insert(scope.clone(), Arc::new(found));
            }
        }
        let moments: Vec<EvalContext> = scopes
            .iter()
            .map(|scope| EvalContext {
                in_force: scope.as_ref().and_then(|scope| in_force.get(scope)).cloned(),
                ..at.clone()
            })
            .collect();
        let found = self.store.try_edit(&mut register, |work| {
            let cases = names.iter().zip(&moments).zip(&marks);
            let all: Vec<_> = cases
                .map(|((name, at), marks)| {
                    let differences = kind.simulate(work, at, name, wanted.draft);
                    let tried = match marks {
                        Some(marks) => kind.try_again(work, at, name, (marks, &held), wanted),
                        None => Ok(None),
                    };
                    Ok((differences?, tried?))
                })
                .collect();
            all.into_iter().collect::<Result<Vec<_>>>()
        });
        let (differences, tried): (Vec<_>, Vec<_>) = found.await?.into_iter().unzip();
        Ok((
            differences.into_iter().flatten().collect(),
            tried.into_iter().flatten().collect(),
        ))
    }

    /// By which entries of the ledger the cases can be replayed.
    async fn marks(&self, cx: &RequestContext, kind: &dyn DynCase, names: &[String]) -> Result<Vec<Option<Marks>>> {
        let beside: Vec<Option<String>> = names.iter().map(|name| kind.beside(name)).collect();
        let wanted = names.iter().chain(beside.iter().flatten()).cloned().collect();
        let entries = self.store.entries(cx, &wanted).await?;
        let mut by_name: HashMap<&str, Vec<&Entered>> = HashMap::new();
        for entry in &entries {
            by_name.entry(&entry.name).or_default().push(entry);
        }
        let of = |name: &str| by_name.get(name).map_or(&[][..], Vec::as_slice);
        let both = names.iter().zip(&beside);
        let marks = both.map(|(name, beside)| kind.marks(of(name), beside.as_deref().map_or(&[], of)));
        Ok(marks.collect())
    }
}

fn expect_each_once(caps: &[RoundCap]) -> Result<()> {
    for (place, cap) in caps.iter().enumerate() {
        if caps.iter().take(place).any(|other| other.grade == cap.grade) {
            let said = format!("{:?} has a cap already", cap.grade);
            return Err(Error::invalid(format!("caps[{place}].grade"), "CAP_TWICE", said));
        }
    }
    Ok(())
}
