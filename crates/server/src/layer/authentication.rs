//! Who calls, and at which time: both are the same for all that the call does.

use http::Request;

use super::{Answering, Inner, RequestBody};
use crate::call::authenticate;
use crate::clock::{Clock, RequestTime};

/// The layer.
pub(crate) fn authentication<B: RequestBody, S: Inner<B>>(
    clock: &Clock,
    inner: &mut S,
    mut request: Request<B>,
) -> Answering {
    let principal = authenticate(request.headers());
    request.extensions_mut().insert(principal);
    request.extensions_mut().insert(RequestTime(clock.now()));
    inner.call(request)
}
