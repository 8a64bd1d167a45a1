//! What happens to nominating bodies by itself: quotas of years that are over lapse, and authorisations end.

use mingce_lifecycle::by_itself::due_again;
use mingce_lifecycle::case::facts;
use mingce_lifecycle::policy::policy_of;
use mingce_lifecycle::{ByItself, Command, EvalContext, Step};
use mingce_orm::write::canonical::normalized;
use mingce_orm::{AuditInfo, Result, UnitOfWork, WriteResult};
use mingce_proto::registry::{DueKind, Policy};
use mingce_proto::talent::NominatingBody;

use crate::body::{NominatingBodies, has_lapsed, terms};

impl ByItself for NominatingBodies {
    const AUTOMATIC: &'static [DueKind] = &[DueKind::QuotaEnds, DueKind::AuthorisationEnds];

    fn is_automatic(item: &NominatingBody, policy: Option<&Policy>) -> bool {
        match facts::<Self>(item).due() {
            DueKind::AuthorisationEnds => terms(policy).expires_by_itself,
            due => Self::AUTOMATIC.contains(&due),
        }
    }

    fn by_itself(work: &mut UnitOfWork, at: &EvalContext, item: &NominatingBody) -> Result<Option<WriteResult>> {
        let due = facts::<Self>(item);
        let policy = policy_of::<Self>(work, at, item)?;
        let reason = format!("due {}", due.due_date);
        match due.due() {
            DueKind::QuotaEnds => {
                let stamp = AuditInfo {
                    reason,
                    ..AuditInfo::new("lapse_quota")
                };
                let lapsed = lapsed(item, at, policy.as_ref())?;
                work.update::<Self>(&at.cx, &stamp, &normalized::<Self>(&lapsed)?)
                    .map(Some)
            }
            DueKind::AuthorisationEnds if terms(policy.as_ref()).expires_by_itself => {
                let step = Step {
                    name: item.name.clone(),
                    stamp: AuditInfo {
                        reason,
                        ..AuditInfo::default()
                    },
                    ..Step::default()
                };
                let expire = Command::<Self>::new("expire", step, |_, _| Ok(()));
                expire.apply(work, at).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// A body whose quotas of years that are over have lapsed.
pub(crate) fn lapsed(item: &NominatingBody, at: &EvalContext, policy: Option<&Policy>) -> Result<NominatingBody> {
    let mut body = item.clone();
    for quota in &mut body.quotas {
        quota.lapsed = has_lapsed(quota, at.today);
    }
    due_again::<NominatingBodies>(&mut body, at, policy)?;
    Ok(body)
}
