//! The only place that chooses gRPC codes: errors of the ORM crate to statuses, and another service's statuses to such
//! errors.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;

use mingce_orm::{Class, Error};
use mingce_proto::reasons::chinese;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// The domain of all reasons.
pub const DOMAIN: &str = "mingce";

/// What a caller learns of a fault of ours.
const OPAQUE: &str = "the register could not do this; its log says why";

/// A status travels in HTTP/2 headers, of which many clients take 16 KiB or even 8 KiB at most: beyond that they see a
/// broken connection and no reason. Sizes are as sent: the message percent-encoded, the details in base64.
const MESSAGE_BYTES: usize = 2_000;
const DETAIL_BYTES: usize = 3_000;

/// What a status carries within this process: its source is not sent.
#[derive(Debug, thiserror::Error)]
#[error("{log}")]
struct Detail {
    /// What only the log may say of it.
    log: String,
    /// Its blockers in Chinese, in their order.
    blockers: Vec<String>,
}

impl Detail {
    fn of_log(log: impl Into<String>) -> Arc<Self> {
        let (log, blockers) = (log.into(), Vec::new());
        Arc::new(Self { log, blockers })
    }
}

/// An error of the ORM crate as a status with its details.
pub fn from_error(error: Error) -> Status {
    let code = code(error.class());
    let (reason, message) = (error.reason(), clipped(error.message(), MESSAGE_BYTES));
    let about = error.resource();

    let mut metadata = HashMap::new();
    if let Some(first) = error.violations().first() {
        metadata.insert("field".to_owned(), clipped(&first.field, 300));
    }
    if let Some(about) = about {
        metadata.insert("resource".to_owned(), clipped(&about.name, 300));
    }
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    if let Some(about) = about {
        details.set_resource_info(about.collection, clipped(&about.name, 300), "", message.as_str());
    }
    for blocker in error.blockers() {
        let (subject, said) = (clipped(&blocker.subject, 300), clipped(&blocker.description, 300));
        details.add_precondition_failure_violation(blocker.reason, subject, said);
    }
    if code == Code::FailedPrecondition && error.blockers().is_empty() {
        let subject = about.map_or("", |about| about.name.as_str());
        details.add_precondition_failure_violation(reason, clipped(subject, 300), message.as_str());
    }
    if !error.violations().is_empty() {
        details.set_bad_request(violations(error.violations()));
    }

    let mut status = Status::with_error_details(code, message, details);
    if error.detail().is_some() || !error.blockers().is_empty() {
        status.set_source(Arc::new(Detail {
            log: error.detail().unwrap_or_default().to_owned(),
            blockers: error.blockers().iter().map(|b| b.description_zh.clone()).collect(),
        }));
    }
    status
}

/// An error of another service, `peer`, as one of ours: that it cannot be reached is for the caller to know, anything
/// else is a fault between the two of us.
pub fn from_status(status: Status, peer: &'static str) -> Error {
    match status.code() {
        Code::ResourceExhausted if reason(&status).as_deref() == Some("MESSAGE_TOO_LARGE") => Error::new(
            Class::Exhausted,
            "MESSAGE_TOO_LARGE",
            format!("this call names more than the service {peer} takes at once: send less at once"),
        ),
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => Error::new(
            Class::Unavailable,
            "PEER_UNAVAILABLE",
            format!("the service {peer}, which this call needs, does not answer: try again later"),
        )
        .about("services", peer),
        Code::Aborted => Error::new(
            Class::Aborted,
            "CONCURRENT_CHANGE",
            format!("another change in the service {peer} came first: try again"),
        ),
        code => Error::internal(format!(
            "the service {peer} answered {}: {}",
            name(code),
            status.message()
        )),
    }
}

/// A message is too large.
pub(crate) fn too_large(message: &str) -> Status {
    own(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", message)
}

/// A status of the server itself, with its reason.
pub(crate) fn own(code: Code, reason: &'static str, message: impl Into<String>) -> Status {
    Status::with_error_details(
        code,
        message,
        ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new()),
    )
}

/// The reason in a status's details, `None` where it has none.
pub(crate) fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// Gives a status that the libraries made the form of ours. `None` where it has it already.
pub(crate) fn normalized(status: &Status) -> Option<Status> {
    if !status.details().is_empty() || status.code() == Code::Ok {
        return None;
    }
    Some(match status.code() {
        Code::OutOfRange if status.message().contains("message length too large") => too_large(status.message()),
        code @ (Code::Internal | Code::Unknown | Code::DataLoss) => {
            let mut opaque = own(code, "INTERNAL", OPAQUE);
            opaque.set_source(Detail::of_log(status.message()));
            opaque
        }
        code => own(code, name(code), clipped(status.message(), MESSAGE_BYTES)),
    })
}

/// The status with the id of its call among the details, so that its caller can quote it.
pub(crate) fn with_request(status: &Status, id: &str) -> Status {
    let mut details = status.get_error_details();
    details.set_request_info(id, "");
    let mut told = Status::with_error_details(status.code(), status.message(), details);
    if let Some(detail) = status.source() {
        told.set_source(Detail::of_log(detail.to_string()));
    }
    told
}

/// The status with a Chinese text among the details: the reason, and each wrong field or blocker.
pub(crate) fn in_chinese(status: &Status) -> Status {
    let mut details = status.get_error_details();
    let reason = details.error_info().map_or("", |info| info.reason.as_str());
    let said = |reason: &str| chinese(reason).unwrap_or(reason).to_owned();
    let blockers = status.source().and_then(|source| source.downcast_ref::<Detail>());
    let fields = details
        .bad_request()
        .map_or(&[][..], |request| &request.field_violations);
    let mut parts: Vec<String> = match blockers {
        Some(detail) if !detail.blockers.is_empty() => detail.blockers.clone(),
        _ => fields
            .iter()
            .filter(|wrong| !wrong.field.is_empty())
            .map(|wrong| format!("{}：{}", wrong.field, said(&wrong.reason)))
            .collect(),
    };
    if parts.is_empty() || reason == "CASE_BLOCKED" {
        parts.insert(0, said(reason));
    }
    let room = (DETAIL_BYTES + 1_000).saturating_sub(status.details().len()).max(200);
    details.set_localized_message("zh-CN", cut(&parts.join("；"), room, char::len_utf8));
    Status::with_error_details(status.code(), status.message(), details)
}

/// The name of a code as the gRPC documentation writes it.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

fn code(class: Class) -> Code {
    match class {
        Class::Invalid => Code::InvalidArgument,
        Class::NotFound => Code::NotFound,
        Class::AlreadyExists => Code::AlreadyExists,
        Class::Precondition => Code::FailedPrecondition,
        Class::Aborted => Code::Aborted,
        Class::Exhausted => Code::ResourceExhausted,
        Class::Unavailable => Code::Unavailable,
        Class::Denied => Code::PermissionDenied,
        Class::Deadline => Code::DeadlineExceeded,
        Class::DataLoss => Code::DataLoss,
        Class::Internal => Code::Internal,
    }
}

/// As many violations as fit; the last one says how many there are besides.
fn violations(all: &[mingce_orm::Violation]) -> Vec<FieldViolation> {
    let mut kept = Vec::new();
    let mut room = DETAIL_BYTES;
    for violation in all {
        let mut kind = FieldViolation::new(clipped(&violation.field, 300), clipped(&violation.description, 900));
        kind.reason = violation.reason.to_owned();
        let size = kind.field.len() + kind.description.len() + kind.reason.len() + 12;
        if size > room {
            let rest = all.len() - kept.len();
            let mut more = FieldViolation::new(
                kind.field,
                format!("and {rest} more that are not listed, this one first"),
            );
            more.reason = kind.reason;
            kept.push(more);
            break;
        }
        room -= size;
        kept.push(kind);
    }
    kept
}

/// Cuts a text so that it takes at most `bytes` bytes percent-encoded.
fn clipped(text: &str, bytes: usize) -> String {
    let cost = |c: char| if c.is_ascii_alphanumeric() { 1 } else { 3 * c.len_utf8() };
    cut(text, bytes, cost)
}

/// Cuts a text so that its characters take at most `bytes` bytes, by what each of them takes.
fn cut(text: &str, bytes: usize, cost: impl Fn(char) -> usize) -> String {
    if text.chars().map(&cost).sum::<usize>() <= bytes {
        return text.to_owned();
    }
    let mut room = bytes.saturating_sub(9);
    let fits = |c: &char| {
        let cost = cost(*c);
        let fits = cost <= room;
        room = room.saturating_sub(cost);
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use mingce_orm::Violation;

    use super::*;

    #[test]
    fn each_class_has_its_code_and_carries_its_reason() {
        let codes = [
            (Class::Invalid, Code::InvalidArgument),
            (Class::NotFound, Code::NotFound),
            (Class::AlreadyExists, Code::AlreadyExists),
            (Class::Precondition, Code::FailedPrecondition),
            (Class::Aborted, Code::Aborted),
            (Class::Exhausted, Code::ResourceExhausted),
            (Class::Unavailable, Code::Unavailable),
            (Class::Denied, Code::PermissionDenied),
            (Class::Deadline, Code::DeadlineExceeded),
            (Class::Internal, Code::Internal),
        ];
        for (class, code) in codes {
            let status = from_error(Error::new(class, "SOME_REASON", "a sentence"));
            let info = status.get_details_error_info().unwrap();
            assert_eq!((status.code(), status.message()), (code, "a sentence"));
            assert_eq!((info.reason.as_str(), info.domain.as_str()), ("SOME_REASON", DOMAIN));
        }
    }

    #[test]
    fn wrong_fields_become_field_violations() {
        let status = from_error(Error::invalid(
            "lab.hosts[1].organization",
            "NAME_WRONG_KIND",
            "must name an organization",
        ));
        let violation = &status.get_details_bad_request().unwrap().field_violations[0];
        assert_eq!(violation.field, "lab.hosts[1].organization");
        assert_eq!(
            (violation.reason.as_str(), violation.description.as_str()),
            ("NAME_WRONG_KIND", "must name an organization")
        );
        assert_eq!(
            status.get_details_error_info().unwrap().metadata["field"],
            "lab.hosts[1].organization"
        );
    }

    #[test]
    fn the_resource_and_the_broken_precondition_are_named() {
        let status = from_error(Error::not_found("labs", "labs/1"));
        let resource = status.get_details_resource_info().unwrap();
        assert_eq!(
            (resource.resource_type.as_str(), resource.resource_name.as_str()),
            ("labs", "labs/1")
        );
        let merged = Error::new(Class::Precondition, "RECORD_NOT_ACTIVE", "the lab is merged").about("labs", "labs/1");
        let broken = from_error(merged)
            .get_details_precondition_failure()
            .unwrap()
            .violations
            .remove(0);
        assert_eq!(
            (broken.r#type.as_str(), broken.subject.as_str()),
            ("RECORD_NOT_ACTIVE", "labs/1")
        );
    }

    #[test]
    fn the_chinese_text_has_each_wrong_field_and_each_blocker() {
        let said = |error| {
            let status = in_chinese(&from_error(error));
            let text = status.get_details_localized_message().unwrap();
            assert_eq!(text.locale, "zh-CN");
            assert!(status.get_details_error_info().is_some());
            text.message
        };
        assert_eq!(
            said(Error::not_found("labs", "labs/1")),
            "登记册中没有该记录，请核对名称"
        );
        let wrong = |field: &str, reason| Violation::new(field, reason, "…");
        let two = vec![wrong("lab.city", "STRING_MAX_LEN"), wrong("lab.hosts[0]", "HOST_TWICE")];
        assert_eq!(
            said(Error::invalid_all(two)),
            "lab.city：文字过长，请缩短；lab.hosts[0]：同一依托单位出现两次，请删去一个"
        );
        let blocker = |zh: &str| mingce_orm::Blocker {
            reason: "NOTICE_RUNNING",
            subject: "notices/1".to_owned(),
            description: "the notice runs".to_owned(),
            description_zh: zh.to_owned(),
        };
        let blocked = Error::blocked("CASE_BLOCKED", vec![blocker("公示期至2024-03-08"), blocker("名额已满")]);
        assert_eq!(said(blocked), "当前不能办理，原因见后；公示期至2024-03-08；名额已满");
        assert!(!said(Error::internal("password of 10.0.0.7 refused")).contains("10.0"));
    }

    #[test]
    fn what_is_internal_stays_inside() {
        let status = from_error(Error::internal("password of 10.0.0.7 refused"));
        assert_eq!(status.source().unwrap().to_string(), "password of 10.0.0.7 refused");
        let mut headers = http::HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        assert!(
            !format!("{headers:?}").contains("10.0.0.7")
                && !format!("{:?}", status.get_error_details()).contains("10.0.0.7")
        );

        let foreign = normalized(&Status::internal("h2 protocol error at 10.0.0.7")).unwrap();
        assert_eq!((foreign.code(), foreign.message()), (Code::Internal, OPAQUE));
        assert_eq!(foreign.source().unwrap().to_string(), "h2 protocol error at 10.0.0.7");
    }

    #[test]
    fn a_status_fits_into_the_headers_of_any_client() {
        let violation = |n: usize| {
            let field = format!("lab.names[{n}].{}", "x".repeat(500));
            Violation::new(field, "STRING_MAX_LEN", "青岛市重点实验室".repeat(100))
        };
        for error in [
            Error::invalid_all((0..5000).map(violation).collect()),
            Error::not_found("labs", "实验室".repeat(5000)),
        ] {
            let mut headers = http::HeaderMap::new();
            in_chinese(&from_error(error)).add_header(&mut headers).unwrap();
            let bytes: usize = headers.iter().map(|(k, v)| k.as_str().len() + v.len() + 32).sum();
            assert!(bytes < 8 * 1024, "{bytes} bytes");
        }
        let cut = violations(&(0..5000).map(violation).collect::<Vec<_>>());
        let last = cut.last().unwrap();
        assert!(
            last.description.starts_with("and 49") && last.reason == "STRING_MAX_LEN",
            "{cut:?}"
        );
        assert!(last.field.starts_with("lab.names["), "{cut:?}");
    }

    #[test]
    fn a_peer_that_does_not_answer_is_named() {
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::ResourceExhausted] {
            let error = from_status(Status::new(code, "x"), "labs");
            assert_eq!(
                (error.class(), error.reason()),
                (Class::Unavailable, "PEER_UNAVAILABLE")
            );
            assert!(error.message().contains("labs"));
        }
        let error = from_status(too_large("x"), "labs");
        assert_eq!((error.class(), error.reason()), (Class::Exhausted, "MESSAGE_TOO_LARGE"));
        let error = from_status(Status::invalid_argument("secret"), "labs");
        assert_eq!(error.class(), Class::Internal);
        assert!(!error.message().contains("secret") && error.detail().unwrap().contains("INVALID_ARGUMENT"));
    }

    #[test]
    fn statuses_of_the_libraries_get_a_reason() {
        let status = normalized(&Status::out_of_range(
            "Error, decoded message length too large: found 9 bytes",
        ))
        .unwrap();
        assert_eq!(
            (status.code(), reason(&status).unwrap().as_str()),
            (Code::ResourceExhausted, "MESSAGE_TOO_LARGE")
        );
        let status = normalized(&Status::not_found("service not registered")).unwrap();
        assert_eq!(
            (status.message(), reason(&status).unwrap().as_str()),
            ("service not registered", "NOT_FOUND")
        );
        assert!(normalized(&from_error(Error::not_found("labs", "labs/1"))).is_none());
    }
}
