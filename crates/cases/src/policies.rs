//! What would be decided otherwise under another policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use mingce_lifecycle::policy::{self, Policies};
use mingce_lifecycle::{At, Scope};
use mingce_orm::store::{inbound, settled};
use mingce_orm::{Cx, Error};
use mingce_proto::registry::{SimulatePolicyRequest, SimulatePolicyResponse};

use crate::CaseRegister;

impl CaseRegister {
    pub(crate) async fn simulate(&self, cx: &Cx, r: SimulatePolicyRequest) -> Result<SimulatePolicyResponse, Error> {
        let draft = settled::<Policies>(&inbound::<Policies>(&r.policy.unwrap_or_default())?)?;
        let Some(kind) = self.kinds.iter().find(|kind| kind.kind() == draft.kind()) else {
            let said = format!("this server has no cases of {}", draft.kind().as_str_name());
            return Err(Error::invalid("policy.kind", "TERMS_OF_OTHER_KIND", said));
        };
        let mut names = r.cases;
        if let Some(other) = names.iter().find(|name| !kind.owns(name)) {
            let said = format!(
                "{other} is no case that a policy of {} decides",
                draft.kind().as_str_name()
            );
            return Err(Error::invalid("cases", "TERMS_OF_OTHER_KIND", said));
        }
        if !r.round.is_empty() {
            names.extend(kind.of_round(&self.store, cx, &r.round).await?);
        }
        names.sort();
        names.dedup();
        let at = self.at(cx)?;
        let mut register = self.store.rehearsal();
        let scopes = self.store.rehearse(&mut register, |work| {
            let all: Vec<_> = names.iter().map(|name| kind.undetermined(work, name)).collect();
            all.into_iter().collect::<Result<Vec<_>, Error>>()
        });
        let (scopes, mut in_force) = (scopes.await?, BTreeMap::new());
        for scope in scopes.iter().flatten() {
            if !in_force.contains_key(scope) {
                let (level, programme) = (scope.0, scope.1.as_str());
                let day = at.today.to_string();
                let found = policy::in_force(&self.store, cx, draft.kind(), Scope { level, programme }, &day).await?;
                in_force.insert(scope, Arc::new(found));
            }
        }
        let moments: Vec<At> = scopes
            .iter()
            .map(|scope| At {
                in_force: scope.as_ref().and_then(|scope| in_force.get(scope)).cloned(),
                ..at.clone()
            })
            .collect();
        let differences = self.store.rehearse(&mut register, |work| {
            let all: Vec<_> = names
                .iter()
                .zip(&moments)
                .map(|(name, at)| kind.simulate(work, at, name, &draft))
                .collect();
            all.into_iter().collect::<Result<Vec<_>, Error>>()
        });
        let differences = differences.await?.into_iter().flatten().collect();
        Ok(SimulatePolicyResponse {
            differences,
            cases: i32::try_from(names.len()).unwrap_or(i32::MAX),
        })
    }
}
