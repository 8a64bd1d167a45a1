//! What the resources are called that figures are divided by.

use std::collections::HashMap;

use mingce_lifecycle::policy::Policies;
use mingce_lifecycle::round::Rounds;
use mingce_orm::{Cx, Result};
use mingce_proto::registry::ComputeStatisticsResponse;
use mingce_server::named::{entitle, names, organizations};

use crate::TalentRegister;
use crate::body::NominatingBodies;
use crate::designation::Designations;
use crate::programme::Programmes;
use crate::recommendation::Recommendations;
use crate::talent::Talents;

impl TalentRegister {
    /// Figures with what the resources are called that are known here or by a service that answers.
    ///
    /// # Errors
    /// Those of the count, and where the database cannot be read.
    pub(crate) async fn entitled(
        &self,
        cx: &Cx,
        counted: Result<ComputeStatisticsResponse>,
    ) -> Result<ComputeStatisticsResponse> {
        let mut counted = counted?;
        let names = names(&counted);
        if names.is_empty() {
            return Ok(counted);
        }
        let mut titles = HashMap::new();
        titles.extend(self.store.titles::<Talents>(&names).await?);
        titles.extend(self.store.titles::<Programmes>(&names).await?);
        titles.extend(self.store.titles::<Designations>(&names).await?);
        titles.extend(self.store.titles::<NominatingBodies>(&names).await?);
        titles.extend(self.store.titles::<Recommendations>(&names).await?);
        titles.extend(self.store.titles::<Rounds>(&names).await?);
        titles.extend(self.store.titles::<Policies>(&names).await?);
        titles.extend(organizations(&self.labs, cx, &names).await);
        entitle(&mut counted, &titles);
        Ok(counted)
    }
}
