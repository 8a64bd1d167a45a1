//! From a tonic request to what the kit wants (a context and a valid message), and from its result to a tonic response.

use std::time::{SystemTime, UNIX_EPOCH};

use mingce_orm::rules::check;
use mingce_orm::{Cx, Error};
use mingce_proto::Validate;
use tonic::{Request, Response, Status};

use crate::deadline::Deadline;
use crate::status;

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
pub fn open<T: Validate>(request: Request<T>) -> Result<(Cx, T), Status> {
    let cx = context(&request);
    let message = request.into_inner();
    let violations = check(&message, "");
    if violations.is_empty() {
        Ok((cx, message))
    } else {
        Err(status::from_error(Error::invalid_all(violations)))
    }
}

/// The context of a request, for streams, whose messages come later.
pub fn context<T>(request: &Request<T>) -> Cx {
    let extensions = request.extensions();
    Cx {
        actor: extensions
            .get::<Principal>()
            .map_or_else(|| Principal::anonymous().actor, |who| who.actor.clone()),
        now: now(),
        deadline: extensions.get::<Deadline>().map(|deadline| deadline.0),
    }
}

/// Answers a call with what the kit made of it.
///
/// # Errors
/// The kit's error as a status.
#[allow(clippy::result_large_err)]
pub fn reply<T>(result: Result<T, Error>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(status::from_error)
}

/// Microseconds since 1970. The one place that reads the clock for the kit.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mingce_proto::labs::{GetOrganizationRequest, Organization};
    use mingce_proto::registry::Name;

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

    #[test]
    fn each_wrong_field_is_named_with_what_would_be_right() {
        let broken = check(
            &GetOrganizationRequest {
                name: "labs/1".to_owned(),
                view: 99,
            },
            "",
        );
        let found: Vec<_> = broken.iter().map(|v| (v.field.as_str(), v.reason)).collect();
        assert_eq!(found, [("name", "STRING_PATTERN"), ("view", "ENUM_DEFINED_ONLY")]);
        assert_eq!(
            broken[0].description,
            "must look like organizations/01jd2k3m4n5p6q7r8s9t0v1w2x"
        );
    }

    #[test]
    fn a_pattern_of_names_is_told_by_an_example_and_another_as_it_is() {
        let told = |pattern: &str| description("string.pattern", &format!("does not match regex pattern `{pattern}`"));
        assert_eq!(
            told("^(labs/[0-9a-hjkmnp-tv-z]{26})?$"),
            "must look like labs/01jd2k3m4n5p6q7r8s9t0v1w2x, or be empty"
        );
        assert_eq!(told("^[a-z][a-z0-9-]{0,39}$"), "must match ^[a-z][a-z0-9-]{0,39}$");
        assert_eq!(
            told("^(labs|talents)/[0-9a-hjkmnp-tv-z]{26}$"),
            "must match ^(labs|talents)/[0-9a-hjkmnp-tv-z]{26}$"
        );
    }

    #[test]
    fn paths_stand_below_the_prefix_and_keep_their_index() {
        let name = Name {
            text: String::new(),
            start_date: "spring".to_owned(),
            ..Name::default()
        };
        let organization = Organization {
            names: vec![
                Name {
                    text: "a".to_owned(),
                    ..Name::default()
                },
                name,
            ],
            ..Default::default()
        };
        let fields: Vec<_> = check(&organization, "organization")
            .into_iter()
            .map(|v| v.field)
            .collect();
        assert!(fields.contains(&"organization.names[1].text".to_owned()), "{fields:?}");
        assert!(
            fields.contains(&"organization.names[1].start_date".to_owned()),
            "{fields:?}"
        );
    }

    #[test]
    fn a_reason_is_made_once_and_kept() {
        assert!(std::ptr::eq(reason("string.max_len"), reason("string.max_len")));
        assert_eq!(
            (reason("string.max_len"), reason("")),
            ("STRING_MAX_LEN", "RULE_BROKEN")
        );
    }
}
