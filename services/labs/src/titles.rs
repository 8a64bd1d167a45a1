//! What the resources are called that figures are divided by.

use std::collections::HashMap;

use mingce_lifecycle::policy::Policies;
use mingce_lifecycle::round::Rounds;
use mingce_orm::Result;

use crate::LabRegister;
use crate::designation::Designations;
use crate::lab::Labs;
use crate::organization::Organizations;

impl LabRegister {
    /// What the resources with these names are called: those that are known here, or by a service that answers.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub(crate) async fn titles(&self, names: &[String]) -> Result<HashMap<String, String>> {
        let mut titles = HashMap::new();
        titles.extend(self.store.titles::<Organizations>(names).await?);
        titles.extend(self.store.titles::<Labs>(names).await?);
        titles.extend(self.store.titles::<Designations>(names).await?);
        titles.extend(self.store.titles::<Rounds>(names).await?);
        titles.extend(self.store.titles::<Policies>(names).await?);
        Ok(titles)
    }
}
