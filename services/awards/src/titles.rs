//! What the resources are called that figures are divided by.

use std::collections::HashMap;

use mingce_ingest::named::{organizations, talents};
use mingce_lifecycle::policy::Policies;
use mingce_lifecycle::round::Rounds;
use mingce_orm::{RequestContext, Result};

use crate::AwardRegister;
use crate::award::Awards;
use crate::scheme::Schemes;

impl AwardRegister {
    /// What the resources with these names are called: those that are known here, or by a service that answers.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub(crate) async fn titles(&self, cx: &RequestContext, names: &[String]) -> Result<HashMap<String, String>> {
        let mut titles = HashMap::new();
        titles.extend(self.store.titles::<Awards>(names).await?);
        titles.extend(self.store.titles::<Schemes>(names).await?);
        titles.extend(self.store.titles::<Rounds>(names).await?);
        titles.extend(self.store.titles::<Policies>(names).await?);
        titles.extend(organizations(&self.labs, cx, names).await);
        titles.extend(talents(&self.talent, cx, names).await);
        Ok(titles)
    }
}
