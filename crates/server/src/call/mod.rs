//! From a tonic request to what the ORM crate wants (a context and a valid message), and from its result to a tonic
//! response.

pub mod status;

use mingce_orm::model::texts::cleaned;
use mingce_orm::model::validate::check;
use mingce_orm::{Error, RequestContext};
use mingce_proto::codec::Reply;
use mingce_proto::{Classes, Validate};
use prost::Name;
use tonic::{Request, Response, Status};

use crate::clock::{Clock, RequestTime};
use crate::layer::deadline::Deadline;

/// Who calls. The server puts it among the extensions of each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// `kind:id`, for example `user:clerk-07`; `anonymous` for somebody who did not say.
    pub actor: String,
}

impl Principal {
    /// Somebody who did not say who they are.
    pub fn anonymous() -> Self {
        Self {
            actor: "anonymous".to_owned(),
        }
    }
}

/// Says who sent a request, from its headers. Whoever it is, this version of the register knows nobody.
pub(crate) fn authenticate(_headers: &http::HeaderMap) -> Principal {
    Principal::anonymous()
}

/// Opens a request: its context, and its message once the rules in the contract hold for it.
///
/// # Errors
/// INVALID_ARGUMENT, naming each wrong field.
#[allow(clippy::result_large_err)]
pub fn open<T: Validate + Name + Default>(request: Request<T>) -> Result<(RequestContext, T), Status> {
    let cx = context(&request);
    let message = request.into_inner();
    let mut violations = check(&message, "");
    // Of what an update sends only the fields of its mask are looked at, when those are known.
    let skip = |field: &str| T::NAME.starts_with("Update") && !matches!(field, "reason" | "request_id");
    match cleaned(&T::full_name(), message, skip) {
        Ok(message) if violations.is_empty() => return Ok((cx, message)),
        Ok(_) => {}
        Err(problems) => violations.extend(problems),
    }
    Err(status::from_error(Error::invalid_all(violations)))
}

/// The context of a request, for streams, whose messages come later.
pub fn context<T>(request: &Request<T>) -> RequestContext {
    let extensions = request.extensions();
    RequestContext {
        actor: extensions
            .get::<Principal>()
            .map_or_else(|| Principal::anonymous().actor, |who| who.actor.clone()),
        now: extensions
            .get::<RequestTime>()
            .map_or_else(|| Clock::default().now(), |moment| moment.0),
        deadline: extensions.get::<Deadline>().map(|deadline| deadline.0),
        // In this version everybody sees everything.
        visible: Classes::ALL,
    }
}

/// What the method of a service returns.
pub type Answered<T> = Result<Response<Reply<T>>, Status>;

/// Answers a call with a result of the ORM crate.
///
/// # Errors
/// The error of the ORM crate as a status.
#[allow(clippy::result_large_err)]
pub fn reply<M, T: Into<Reply<M>>>(result: Result<T, Error>) -> Answered<M> {
    result
        .map(|answer| Response::new(answer.into()))
        .map_err(status::from_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mingce_proto::labs::GetOrganizationRequest;

    #[test]
    fn a_valid_message_opens_with_its_context() {
        let name = "organizations/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned();
        let (cx, message) = open(Request::new(GetOrganizationRequest {
            name: name.clone(),
            view: 0,
        }))
        .unwrap();
        assert_eq!(
            (cx.actor.as_str(), cx.deadline, message.name),
            ("anonymous", None, name)
        );
        assert!(
            cx.now > 1_700_000_000_000_000,
            "microseconds since 1970, not {}",
            cx.now
        );
    }

    #[test]
    fn principal_and_deadline_of_the_request_come_into_the_context() {
        let mut request = Request::new(());
        let until = std::time::Instant::now();
        request.extensions_mut().insert(Principal {
            actor: "user:clerk-07".to_owned(),
        });
        request.extensions_mut().insert(Deadline(until));
        let cx = context(&request);
        assert_eq!((cx.actor.as_str(), cx.deadline), ("user:clerk-07", Some(until)));
    }
}
