//! What a call failed with, in a shape that a test can compare at one glance.

use std::collections::BTreeMap;

use mingce_proto::reasons;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The parts of a gRPC error that callers act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The gRPC code.
    pub code: Code,
    /// The reason of the ErrorInfo, for example `ETAG_MISMATCH`; empty where there is none.
    pub reason: String,
    /// The domain of the ErrorInfo.
    pub domain: String,
    /// The metadata of the ErrorInfo.
    pub metadata: BTreeMap<String, String>,
    /// The paths of the field violations, in their order.
    pub fields: Vec<String>,
    /// What each field violation says.
    pub descriptions: Vec<String>,
    /// What stands in the way: the reason and the subject of each violation of the PreconditionFailure.
    pub blockers: Vec<(String, String)>,
    /// The name of the resource that the ResourceInfo points at.
    pub resource: String,
    /// The message for the developer.
    pub message: String,
}

/// Each reason of a failure stands in the table of reasons, and comes as the table says.
fn expect_documented(status: &Status) {
    let details = status.get_error_details();
    let is_at = |reason: &str, at: &[&str]| {
        reasons::of(reason).is_some_and(|known| known.at.split(", ").any(|one| at.contains(&one)))
    };
    if let Some(info) = details.error_info().filter(|info| info.domain == "mingce") {
        let code = info_code(status.code());
        assert!(
            is_at(&info.reason, &[&code]),
            "{} is not {code} in reasons.txt",
            info.reason
        );
    }
    for wrong in details
        .bad_request()
        .map_or(&[][..], |request| &request.field_violations)
    {
        assert!(
            reasons::of(&wrong.reason).is_some(),
            "{} is not in reasons.txt",
            wrong.reason
        );
    }
    for broken in details
        .precondition_failure()
        .map_or(&[][..], |failure| &failure.violations)
    {
        let at = ["blocker", "FAILED_PRECONDITION"];
        assert!(
            is_at(&broken.r#type, &at),
            "{} is no blocker in reasons.txt",
            broken.r#type
        );
    }
}

/// `InvalidArgument` as the documentation writes it: `INVALID_ARGUMENT`.
fn info_code(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        expect_documented(&status);
        let details = status.get_error_details();
        let info = details.error_info();
        let violations = details
            .bad_request()
            .map(|b| b.field_violations.as_slice())
            .unwrap_or_default();
        Self {
            code: status.code(),
            reason: info.map(|i| i.reason.clone()).unwrap_or_default(),
            domain: info.map(|i| i.domain.clone()).unwrap_or_default(),
            metadata: info
                .map(|i| i.metadata.clone().into_iter().collect())
                .unwrap_or_default(),
            fields: violations.iter().map(|v| v.field.clone()).collect(),
            descriptions: violations.iter().map(|v| v.description.clone()).collect(),
            blockers: details
                .precondition_failure()
                .map(|p| {
                    p.violations
                        .iter()
                        .map(|v| (v.r#type.clone(), v.subject.clone()))
                        .collect()
                })
                .unwrap_or_default(),
            resource: details
                .resource_info()
                .map(|r| r.resource_name.clone())
                .unwrap_or_default(),
            message: status.message().to_owned(),
        }
    }
}

/// The failure of a call that must fail.
#[track_caller]
pub fn failure<T: std::fmt::Debug>(answer: Result<T, Status>) -> Failure {
    match answer {
        Ok(answer) => panic!("this should have failed, and answered {answer:?}"),
        Err(status) => {
            let failure = Failure::from(status);
            failure.shows_nothing_internal();
            failure.says_each_field_once();
            failure
        }
    }
}

impl Failure {
    /// Code and reason, for one comparison.
    pub fn is(&self) -> (Code, &str) {
        (self.code, &self.reason)
    }

    /// The reasons of what stands in the way.
    pub fn reasons(&self) -> Vec<&str> {
        self.blockers.iter().map(|(reason, _)| reason.as_str()).collect()
    }

    /// A violation has its field beside its text, so the text does not begin with it once more.
    #[track_caller]
    fn says_each_field_once(&self) {
        for (field, said) in self.fields.iter().zip(&self.descriptions) {
            let last = field.rsplit('.').next().unwrap_or(field);
            let twice = [field.as_str(), last]
                .iter()
                .any(|name| said.starts_with(&format!("{name}: ")));
            assert!(field.is_empty() || !twice, "{field} stands twice: {self:?}");
        }
    }

    /// Whatever went wrong inside, its text stays inside.
    #[track_caller]
    fn shows_nothing_internal(&self) {
        let said = format!("{} {:?} {:?}", self.message, self.metadata, self.descriptions).to_lowercase();
        for inside in [
            "sqlx",
            "sea_orm",
            "sqlite",
            "postgres",
            "select ",
            "insert into",
            "constraint",
            "panicked",
            ".rs:",
        ] {
            assert!(!said.contains(inside), "an error shows `{inside}`: {self:?}");
        }
    }
}
