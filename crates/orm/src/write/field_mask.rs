//! Which fields of a resource an update sets.

use mingce_proto::Classes;
use mingce_proto::MOST_VIOLATIONS;
use mingce_proto::field_class::may_name;
use mingce_proto::weight::MOST_PATHS;
use prost::Message;

use crate::error::{Error, Result, Violation};
use crate::model::collection::Collection;
use crate::model::head::is_head;
use crate::model::{message_fields, resource};

/// The fields that an update sets.
#[derive(Debug, Clone)]
pub struct Mask {
    /// Numbers of the fields.
    fields: Vec<u32>,
    /// Fields that people changed since the last import stay.
    keeps_edits: bool,
}

impl Mask {
    fn of(fields: Vec<u32>) -> Self {
        Self {
            fields,
            keeps_edits: false,
        }
    }

    /// The mask of an import that leaves what people changed since the last one as it is.
    #[must_use]
    pub fn keeping_edits(mut self, keeps_edits: bool) -> Self {
        self.keeps_edits = keeps_edits;
        self
    }

    pub(crate) fn keeps_edits(&self) -> bool {
        self.keeps_edits
    }

    /// The names of its fields that are sealed and that a resource sets.
    pub(crate) fn sets_private<C: Collection>(&self, resource: &C::Item) -> Result<Vec<String>> {
        let (hidden, set) = (
            resource::private::<C>(),
            message_fields::present_fields(&resource.encode_to_vec())?,
        );
        let given = self.fields.iter().filter(|n| hidden.contains(n) && set.contains(n));
        Ok(given.map(|number| C::shape().kind.field(*number).to_owned()).collect())
    }

    /// The mask without fields, and without what follows from them.
    pub(crate) fn without_all<C: Collection>(mut self, fields: &[String]) -> Self {
        for field in fields {
            self = self.without::<C>(field);
            for (_, derived) in C::DERIVED.iter().filter(|(reference, _)| reference == field) {
                self = self.without::<C>(derived);
            }
        }
        self
    }

    /// The fields of an `update_mask`. None at all: those that are not empty in the resource. `*`: all that can be
    /// written; of the sealed ones, which a reader cannot send back, only those that are set. Of fields that are hidden
    /// from who sees these classes there are none.
    pub fn parse<C: Collection>(paths: &[String], resource: &C::Item, visible: Classes) -> Result<Self> {
        Self::parse_for::<C>(paths, &resource.encode_to_vec(), visible)
    }

    /// The same for an encoded resource.
    pub(crate) fn parse_for<C: Collection>(paths: &[String], encoded: &[u8], visible: Classes) -> Result<Self> {
        Self::parse_paths::<C>(paths, encoded, visible).map(Self::with_derived::<C>)
    }

    fn parse_paths<C: Collection>(paths: &[String], encoded: &[u8], visible: Classes) -> Result<Self> {
        let kind = &C::shape().kind;
        let is_known = |name: &str| visible.is_all() || may_name(kind.message, name, visible);
        if paths.is_empty() {
            let mut set = message_fields::present_fields(encoded)?;
            set.retain(|number| kind.is_writable(*number) && is_known(kind.field(*number)));
            return Ok(Self::of(set));
        }
        let known = kind.fields.iter().filter(|(_, name)| is_known(name));
        let all = known.clone().filter(|(number, _)| kind.is_writable(*number));
        if paths.iter().any(|path| path == "*") {
            return Self::of(all.map(|f| f.0).collect()).without_unset_private_of::<C>(encoded);
        }
        let (mut numbers, mut problems) = (Vec::new(), Vec::new());
        if paths.len() > MOST_PATHS {
            let said = format!("must have at most {MOST_PATHS} paths");
            return Err(Error::invalid("update_mask", "REPEATED_MAX_ITEMS", said));
        }
        for path in paths {
            if problems.len() > MOST_VIOLATIONS {
                break;
            }
            let wrong = |reason, description: String| Violation::new("update_mask", reason, description);
            match known.clone().find(|(_, name)| name == path) {
                Some((number, _)) if kind.is_writable(*number) => numbers.push(*number),
                Some(_) => problems.push(wrong("MASK_FIELD_OUTPUT_ONLY", format!("{path} cannot be written"))),
                None => {
                    let names: Vec<_> = all.clone().map(|(_, name)| name.as_str()).collect();
                    let known = format!("{path:?} is no top-level field of it: use {}", names.join(", "));
                    problems.push(wrong("MASK_FIELD_UNKNOWN", known));
                }
            }
        }
        if problems.is_empty() {
            Ok(Self::of(numbers))
        } else {
            Err(Error::invalid_all(problems))
        }
    }

    /// The fields that these paths name, each one of `fields` that is not hidden: for verbs that set others than an
    /// update does.
    ///
    /// # Errors
    /// Naming those that are none of them, and where no field is named.
    pub fn among<C: Collection>(paths: &[String], fields: &[&str], visible: Classes) -> Result<Self> {
        let is_known = |name: &&str| visible.is_all() || may_name(C::MESSAGE, name, visible);
        let fields: Vec<&str> = fields.iter().copied().filter(is_known).collect();
        let known = fields.join(", ");
        if paths.is_empty() {
            let said = format!("name the fields: one or more of {known}");
            return Err(Error::invalid("update_mask", "REQUIRED", said));
        }
        let number = |path: &String| {
            let named = C::shape().kind.fields.iter().find(|(_, name)| name == path);
            named
                .filter(|(_, name)| fields.contains(&name.as_str()))
                .map(|field| field.0)
        };
        let wrong = paths.iter().filter(|path| number(path).is_none()).take(MOST_VIOLATIONS);
        let wrong: Vec<Violation> = wrong
            .map(|path| {
                let said = format!("{path:?} is none of the fields that this sets: use {known}");
                Violation::new("update_mask", "MASK_FIELD_UNKNOWN", said)
            })
            .collect();
        if !wrong.is_empty() {
            return Err(Error::invalid_all(wrong));
        }
        Ok(Self::of(paths.iter().filter_map(number).collect()))
    }

    /// Whether one of its fields is sealed.
    pub(crate) fn has_private<C: Collection>(&self) -> bool {
        let hidden = resource::private::<C>();
        self.fields.iter().any(|number| hidden.contains(number))
    }

    /// `stored` with the fields of the mask as they are in `new`.
    pub fn apply<C: Collection>(&self, stored: &C::Item, new: &C::Item) -> Result<C::Item> {
        let merged = message_fields::replace(&stored.encode_to_vec(), &new.encode_to_vec(), |number| {
            self.fields.contains(&number)
        })?;
        resource::decode::<C>(&merged)
    }

    /// The mask without the sealed fields that a resource leaves empty.
    pub(crate) fn without_unset_private<C: Collection>(self, resource: &C::Item) -> Result<Self> {
        if !self.has_private::<C>() {
            return Ok(self);
        }
        self.without_unset_private_of::<C>(&resource.encode_to_vec())
    }

    /// The same for an encoded resource.
    pub(crate) fn without_unset_private_of<C: Collection>(mut self, encoded: &[u8]) -> Result<Self> {
        if !self.has_private::<C>() {
            return Ok(self);
        }
        let (hidden, set) = (resource::private::<C>(), message_fields::present_fields(encoded)?);
        self.fields
            .retain(|number| !hidden.contains(number) || set.contains(number));
        Ok(self)
    }

    /// What it names and may not be set, of what can be told without what is sealed.
    pub(crate) fn check_settable<C: Collection>(&self, stored: &C::Item, given: &C::Item) -> Result<Option<Violation>> {
        if !self.has_private::<C>() {
            return Ok(None);
        }
        Ok(C::check_settable(stored, &self.only::<C>(given)?))
    }

    /// The mask without a field.
    pub(crate) fn without<C: Collection>(mut self, field: &str) -> Self {
        let fields = &C::shape().kind.fields;
        self.fields
            .retain(|number| !fields.iter().any(|(known, name)| known == number && name == field));
        self
    }

    /// The mask with the output-only fields that follow from the references in it.
    #[must_use]
    pub fn with_derived<C: Collection>(mut self) -> Self {
        let number = |name: &str| C::shape().kind.fields.iter().find(|f| f.1 == name).map(|f| f.0);
        for (reference, field) in C::DERIVED {
            if number(reference).is_some_and(|n| self.fields.contains(&n)) {
                self.fields.extend(number(field));
            }
        }
        self
    }

    /// `new` with nothing but the fields of the mask and its head.
    pub fn only<C: Collection>(&self, new: &C::Item) -> Result<C::Item> {
        let kept = message_fields::retain(&new.encode_to_vec(), |number| {
            is_head(number) || self.fields.contains(&number)
        })?;
        resource::decode::<C>(&kept)
    }
}
