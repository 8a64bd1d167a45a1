//! The unique keys of resources.

use crate::error::{Error, Result};
use crate::model::vault::Vault;
use crate::text;

/// A unique key that an active or merged record holds: an identifier, a code, a number within its scheme.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// What kind of key, for example `identifiers/ror` or `code`.
    pub namespace: String,
    /// Its value, in its canonical form.
    pub value: String,
    /// Personal data: stored as a keyed blind index only.
    pub private: bool,
    /// It says what a record has alone, not which record it is: rows of an import are not matched by it.
    pub non_identifying: bool,
    /// The field that holds it, for errors.
    pub field: String,
}

impl Key {
    /// A key that anybody may see.
    pub fn new(space: impl Into<String>, value: impl Into<String>, field: impl Into<String>) -> Self {
        Self {
            namespace: space.into(),
            value: value.into(),
            private: false,
            non_identifying: false,
            field: field.into(),
        }
    }

    /// The same key as a claim, which nobody else can make and by which no record is known.
    #[must_use]
    pub fn non_identifying(mut self) -> Self {
        self.non_identifying = true;
        self
    }

    /// The key of an identifier. One in `identifiers` and one in a reference meet here.
    pub fn identifier(scheme: &str, value: &str, field: impl Into<String>) -> Self {
        Self::new(format!("identifiers/{scheme}"), value, field)
    }

    /// Whether a subject has it alone and keeps it: what shares it is the same subject.
    pub(crate) fn is_own(&self) -> bool {
        self.private
            || self
                .namespace
                .strip_prefix("identifiers/")
                .is_none_or(crate::model::identifier::identifies)
    }

    /// As the key stands in the database.
    pub(crate) fn stored(&self, vault: Option<&Vault>) -> Result<String> {
        match (self.private, vault) {
            (false, _) => Ok(format!("{}/{}", self.namespace, text::grouped(&self.value))),
            (true, Some(vault)) => Ok(format!(
                "{}/{}",
                self.namespace,
                vault.blind(&self.namespace, &self.value)
            )),
            (true, None) => Err(Error::internal("a private key needs a vault")),
        }
    }
}
