//! Whether who calls may call the method.

use std::sync::Arc;

use http::Request;
use tonic::{Code, Status};

use super::{Answering, CallInfo, Inner, RequestBody, refuse, unknown_call};
use crate::call::{Principal, status};
use crate::layer::methods::{Method, OPEN};

/// The layer.
pub(crate) fn authorization<B: RequestBody, S: Inner<B>>((): &(), inner: &mut S, request: Request<B>) -> Answering {
    let call = request.extensions().get::<Arc<CallInfo>>();
    let who = request.extensions().get::<Principal>();
    let allowed = match (call, who) {
        (Some(call), Some(who)) => authorise(who, &call.method),
        _ => Err(unknown_call()),
    };
    match allowed {
        Ok(()) => inner.call(request),
        Err(refusal) => refuse(request, refusal),
    }
}

/// May `who` call `method`? In this version everybody may call what has a permission at all.
fn authorise(_who: &Principal, method: &Method) -> Result<(), Status> {
    let open = || {
        OPEN.iter().any(|service| {
            method
                .path
                .strip_prefix('/')
                .is_some_and(|path| path.starts_with(service))
        })
    };
    if method.permission.is_some() || open() {
        return Ok(());
    }
    Err(status::own(
        Code::PermissionDenied,
        "PERMISSION_DENIED",
        "the method has no permission, so nobody may call it",
    ))
}
