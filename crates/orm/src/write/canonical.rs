//! The forms of a resource: as it is stored, as a caller may send it, and what of it can be written.

use prost::Message;

use crate::error::{Error, Result, Violation};
use crate::model::collection::Collection;
use crate::model::head::Head;
use crate::model::{message_fields, resource, texts, validate};

/// The resource in its stored form.
///
/// # Errors
/// With what is wrong with it.
pub fn normalized<C: Collection>(resource: &C::Item) -> Result<C::Item> {
    let encoded = resource.encode_to_vec();
    let mut new = texts::in_one_form(C::MESSAGE, &encoded).unwrap_or_else(|| resource.clone());
    let problems = unsound::<C>(&new, &encoded).or_else(|| Some(C::normalize(&mut new)).filter(|p| !p.is_empty()));
    problems.map_or(Ok(new), |problems| Err(refused::<C>(problems)))
}

/// What the contract finds wrong with a resource, as it was sent.
pub(crate) fn unsound<C: Collection>(resource: &C::Item, encoded: &[u8]) -> Option<Vec<Violation>> {
    let mut problems = validate::check(resource, "");
    problems.extend(with_nul::<C>(encoded));
    (!problems.is_empty()).then_some(problems)
}

/// What is wrong with the first text of an encoded resource that holds U+0000.
pub(crate) fn with_nul<C: Collection>(encoded: &[u8]) -> Option<Violation> {
    let field = mingce_proto::texts::with_nul(C::MESSAGE, encoded)?;
    Some(Violation::new(field, "TEXT_HOLDS_NUL", texts::HOLDS_NUL))
}

/// What is wrong with a resource, as an error of the request that holds it.
pub(crate) fn refused<C: Collection>(mut problems: Vec<Violation>) -> Error {
    for problem in &mut problems {
        problem.field = format!("{}.{}", C::SINGULAR, problem.field);
    }
    Error::invalid_all(problems)
}

/// A resource as a caller may send it: without its output-only fields, but for its name and etag.
///
/// # Errors
/// Where it does not read back.
pub fn inbound<C: Collection>(new: C::Item) -> Result<C::Item> {
    less::<C>(new, |number| {
        matches!(number, 1 | 3) || C::shape().kind.is_writable(number)
    })
}

/// What can be written of a resource, and nothing of its head: a copy of a record is not that record.
///
/// # Errors
/// Where it does not read back.
pub fn writable<C: Collection>(new: C::Item) -> Result<C::Item> {
    less::<C>(new, |number| C::shape().kind.is_writable(number))
}

/// A resource with only the fields that `keep` says.
fn less<C: Collection>(new: C::Item, keep: impl Fn(u32) -> bool) -> Result<C::Item> {
    let kept = message_fields::retain_if_changed(&new.encode_to_vec(), keep)?;
    kept.map_or(Ok(new), |kept| resource::decode::<C>(&kept))
}

/// A resource under a name, whatever head it had: for verbs whose requests name it apart.
pub fn named<C: Collection>(resource: &C::Item, name: &str) -> Result<C::Item> {
    let head = Head {
        name: name.to_owned(),
        ..Head::default()
    };
    resource::decode::<C>(&head.with(&resource.encode_to_vec())?)
}

/// What a row said, without what is sealed.
pub(crate) fn without_sealed<C: Collection>(said: &[u8]) -> Result<Vec<u8>> {
    let sealed = resource::private::<C>();
    message_fields::retain(said, |number| !sealed.contains(&number))
}
