//! What the resources are called that figures are divided by.

use std::collections::HashMap;

use mingce_ingest::named::organizations;
use mingce_lifecycle::policy::Policies;
use mingce_lifecycle::round::Rounds;
use mingce_orm::{RequestContext, Result};

use crate::TalentRegister;
use crate::body::NominatingBodies;
use crate::designation::Designations;
use crate::programme::Programmes;
use crate::recommendation::Recommendations;
use crate::talent::Talents;

impl TalentRegister {
    /// What the resources with these names are called: those that are known here, or by a service that answers.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub(crate) async fn titles(&self, cx: &RequestContext, names: &[String]) -> Result<HashMap<String, String>> {
        let mut titles = HashMap::new();
        titles.extend(self.store.titles::<Talents>(names).await?);
        titles.extend(self.store.titles::<Programmes>(names).await?);
        titles.extend(self.store.titles::<Designations>(names).await?);
        titles.extend(self.store.titles::<NominatingBodies>(names).await?);
        titles.extend(self.store.titles::<Recommendations>(names).await?);
        titles.extend(self.store.titles::<Rounds>(names).await?);
        titles.extend(self.store.titles::<Policies>(names).await?);
        titles.extend(organizations(&self.labs, cx, names).await);
        Ok(titles)
    }
}
