//! One resource on its way in: a create, an update, a correction.

use mingce_lifecycle::correct::{self, Correction};
use mingce_lifecycle::{Case, Cases, Invocation, Step};
use mingce_orm::model::texts::cleaned;
use mingce_orm::model::validate::check;
use mingce_orm::write::canonical::{named, writable};
use mingce_orm::{Call, Collection, Error, Mask, RequestContext, Violation};
use mingce_proto::Validate;
use mingce_proto::codec::Reply;

use crate::session::{Prepare, Row, Session};
/// Creates a resource, or records it as it was decided (`verb` says which), its references resolved.
///
/// # Errors
/// With every wrong field.
pub async fn create<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    call: Call,
    verb: &'static str,
    resource: Option<C::Item>,
) -> Result<Reply<C::Item>, Error> {
    create_as::<C>(service, cx, call, verb, resource, |_| {}).await
}

/// The same, with what the service sets by itself, such as the first state of a life cycle.
///
/// # Errors
/// With every wrong field.
pub async fn create_as<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    call: Call,
    verb: &'static str,
    resource: Option<C::Item>,
    begin: impl FnOnce(&mut C::Item),
) -> Result<Reply<C::Item>, Error> {
    let new = writable::<C>(resource.unwrap_or_default())?;
    let mut resource = match prepared::<C>(service, cx, &call, new).await {
        Ok(resource) => resource,
        // What it names may have changed since a first try was done.
        Err(error) => return service.store().answered::<C>(cx, &call).await?.ok_or(error),
    };
    begin(&mut resource);
    service.store().create::<C>(cx, call, verb, resource).await
}

/// Updates the fields of a resource that a mask names, their references resolved.
///
/// # Errors
/// With every wrong field.
pub async fn update<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    call: Call,
    resource: Option<C::Item>,
    paths: Option<prost_types::FieldMask>,
) -> Result<Reply<C::Item>, Error> {
    let resource = resource.unwrap_or_default();
    let mask = Mask::parse::<C>(&paths.unwrap_or_default().paths, &resource, cx.visible)?;
    let given = checked::<C>(&mask, &resource)?;
    let resource = match prepared::<C>(service, cx, &call, given).await {
        Ok(resource) => resource,
        Err(error) => return service.store().answered::<C>(cx, &call).await?.ok_or(error),
    };
    service.store().update::<C>(cx, call, resource, mask).await
}

/// The fields of a resource that a mask names, each right by itself.
fn checked<C: Collection>(mask: &Mask, resource: &C::Item) -> Result<C::Item, Error> {
    let given = mask.only::<C>(resource)?;
    let mut problems = inner_problems(&given);
    let given = cleaned(C::MESSAGE, given, |_| false).unwrap_or_else(|texts| {
        problems.extend(texts);
        C::Item::default()
    });
    if problems.is_empty() {
        return Ok(given);
    }
    Err(Error::invalid_all(problems.into_iter().map(below::<C>).collect()))
}

/// What a correction says is right, and where.
#[derive(Debug)]
pub struct Right<C: Collection> {
    /// The resource.
    pub resource: Option<C::Item>,
    /// The fields that are corrected.
    pub paths: Option<prost_types::FieldMask>,
}

/// Corrects what the decision on a case says, its references resolved.
///
/// # Errors
/// With every wrong field, and with what stands in the way.
pub async fn correct<C: Case>(
    service: &impl Prepare<C>,
    cases: Cases<'_>,
    cx: &RequestContext,
    (call, step): (Call, Step),
    right: Right<C>,
) -> Result<Reply<C::Item>, Error> {
    let paths = right.paths.unwrap_or_default().paths;
    let mask = Mask::among::<C>(&paths, C::DECIDED, cx.visible)?.with_derived::<C>();
    let resource = named::<C>(&right.resource.unwrap_or_default(), &step.name)?;
    let given = match prepared::<C>(service, cx, &call, checked::<C>(&mask, &resource)?).await {
        Ok(given) => given,
        Err(error) => return service.store().answered::<C>(cx, &call).await?.ok_or(error),
    };
    let correction = Correction { mask, given };
    let wanted = correct::correct::<C>(step, correction);
    cases.execute(cx, Invocation { call, wanted }).await
}

async fn prepared<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    call: &Call,
    resource: C::Item,
) -> Result<C::Item, Error> {
    let mut rows = [Row::<C>::new(1, resource)];
    service.prepare(cx, &mut Session::strict(call), &mut rows).await?;
    let [row] = rows;
    let problems = row.notes.problems;
    if problems.is_empty() {
        return Ok(row.resource);
    }
    Err(Error::invalid_all(problems.into_iter().map(below::<C>).collect()))
}

fn below<C: Collection>(mut problem: Violation) -> Violation {
    problem.field = format!("{}.{}", C::SINGULAR, problem.field);
    problem
}

/// What is wrong inside the fields of a resource of which only some fields are given: a field that is missing here may
/// well be there in what is stored, which is checked when both are put together.
pub(crate) fn inner_problems(resource: &impl Validate) -> Vec<Violation> {
    let mut problems = check(resource, "");
    problems.retain(|problem| problem.field.contains(['.', '[']));
    problems
}

/// Refuses a resource that breaks rules of the contract inside its fields, for calls that look at something else before the rest.
///
/// # Errors
/// With every wrong field.
pub fn expect_sound<C: Collection>(resource: &C::Item) -> Result<(), Error> {
    let problems: Vec<_> = inner_problems(resource).into_iter().map(below::<C>).collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid_all(problems))
    }
}
