//! How persons and programmes are found by what references say of them.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use mingce_ingest::lookup::{Keyed, Lookup, identifier_key};
use mingce_orm::id::Id;
use mingce_orm::model::identifier::document;
use mingce_orm::model::normalize::{fits, names_of};
use mingce_orm::{Fit, Result, UnitOfWork, text};
use mingce_proto::registry::TalentReference;
use mingce_proto::talent::{Employment, Programme, ProgrammeReference, Talent};

use crate::programme::{Programmes, code_key};
use crate::talent::{Talents, document_key};

impl Lookup<Talents> for TalentReference {
    const HELPS: [&'static str; 2] = [
        "give an identifier, a year of birth or an employer; those that are one are merged with `mingce merge`",
        "请补充标识、出生年份或工作单位；若是重复记录，请用 mingce merge 合并",
    ];

    fn key(&self) -> Keyed {
        if let Some(key) = identifier_key(self.identifier.as_ref())? {
            return Ok(Some(key));
        }
        let held = document(&self.identity_document).map_err(|fault| ("identity_document", fault))?;
        Ok(held.map(|held| document_key(&held)))
    }

    /// A name alone is that of several, or of somebody outside the register.
    fn called(&self) -> &str {
        if self.birth_year == 0 && self.employer.trim().is_empty() {
            return "";
        }
        &self.display_name
    }

    fn fits(&self, _work: &mut UnitOfWork, stored: &Talent) -> Result<Fit> {
        let of_year = self.birth_year == 0 || self.birth_year == stored.birth_year;
        let employed = |employment: &Employment| {
            let employer = employment.organization.as_ref();
            employer.is_some_and(|o| text::same_name(&o.display_name, &self.employer))
        };
        if !of_year || !(self.employer.trim().is_empty() || stored.employments.iter().any(employed)) {
            return Ok(Fit::No);
        }
        Ok(fits(
            (self.display_name.trim(), &[]),
            &stored.display_name,
            &stored.names,
        ))
    }

    /// A document leads to a person only for who knows the person's name too: with another one nobody learns that the register has it.
    fn agrees(&self, stored: &Talent) -> bool {
        self.identifier.is_some()
            || names_of(&stored.display_name, &stored.names).any(|name| text::same_name(name, &self.display_name))
    }

    /// The same for the same document as long as the process runs, and no way back to the document.
    fn stand_in(&self) -> Option<Id> {
        static HASHERS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
        let held = document(&self.identity_document).ok().flatten()?;
        let [one, other] = HASHERS.each_ref().map(|hasher| hasher.hash_one(&held));
        Some(Id::from_bytes(
            (u128::from(one) << 64 | u128::from(other)).to_be_bytes(),
        ))
    }

    fn told(stored: &Talent) -> String {
        stored.name.clone()
    }
}

impl Lookup<Programmes> for ProgrammeReference {
    const HELPS: [&'static str; 2] = ["give the code", "请填写代码"];

    fn key(&self) -> Keyed {
        let given = !self.code.is_empty();
        Ok(given.then(|| code_key(&self.code)))
    }

    fn fits(&self, _work: &mut UnitOfWork, stored: &Programme) -> Result<Fit> {
        Ok(fits(
            (self.display_name.trim(), &[]),
            &stored.display_name,
            &stored.names,
        ))
    }

    fn told(stored: &Programme) -> String {
        format!("{} ({}, {})", stored.display_name, stored.code, stored.name)
    }
}
