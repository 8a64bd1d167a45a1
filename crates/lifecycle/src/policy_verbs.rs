//! The verbs of policies: a version is loaded, or annulled.

use std::sync::Arc;

use mingce_orm::write::canonical::inbound;
use mingce_orm::write::precondition::require_active;
use mingce_orm::{Call, Class, Collection, Error, RequestContext, Result, Store, UnitOfWork, WriteResult};
use mingce_proto::codec::Reply;
use mingce_proto::registry::{Policy, RecordStatus};

use crate::any::DynCase;
use crate::based::Basis;
use crate::policy::{Policies, built_in_name};
use crate::round::Rounds;
use crate::transition::Step;

/// Annuls a policy under which nothing came.
///
/// # Errors
/// NOT_FOUND; ABORTED; FAILED_PRECONDITION, reasons `POLICY_IN_USE`, `POLICY_SHIPPED`.
pub fn annul(
    work: &mut UnitOfWork,
    cx: &RequestContext,
    step: &Step,
    kinds: &[Arc<dyn DynCase>],
) -> Result<WriteResult> {
    let policy = require_active::<Policies>(work, &step.name, &step.etag)?;
    let refuse = |reason, said: String| {
        Err(Error::new(Class::Precondition, reason, said).about(Policies::COLLECTION, &policy.name))
    };
    // It would be in force again, without anybody having loaded it.
    if built_in_name(policy.kind())? == policy.name {
        return refuse(
            "POLICY_SHIPPED",
            "the program ships it: load one that takes its place".to_owned(),
        );
    }
    let mut used = work.is_named::<Rounds>("policy", &policy.name, |round| &round.policy)?;
    for kind in kinds.iter().filter(|kind| kind.kind() == policy.kind()) {
        used |= kind.is_under(work, &policy.name)?;
    }
    if used {
        return refuse(
            "POLICY_IN_USE",
            format!(
                "rounds or cases are under {}: load a version that takes its place",
                policy.name
            ),
        );
    }
    work.change::<Policies>(cx, &step.stamp, &policy, RecordStatus::Annulled, "")
}

/// Loads a policy version, which may be based on another.
///
/// # Errors
/// With every wrong field; NOT_FOUND; ALREADY_EXISTS.
pub async fn create(
    store: &Store,
    cx: &RequestContext,
    call: Call,
    policy: Policy,
    based_on: &Basis<'_>,
) -> Result<Reply<Policy>> {
    let new = inbound::<Policies>(policy)?;
    let new = match based_on.whole(store, cx, new).await {
        Ok(new) => new,
        Err(error) => return store.answered::<Policies>(cx, &call).await?.ok_or(error),
    };
    let new = Policy {
        name: String::new(),
        etag: String::new(),
        ..new
    };
    store.create::<Policies>(cx, call, "create", new).await
}
