//! What can go wrong, without a word of transport: the one enum that `server` turns into gRPC codes.

use std::fmt;

use mingce_proto::registry::row_outcome::Holder;

/// The class of an error. Only `mingce-server` maps it to a gRPC code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The request is wrong whatever the register holds.
    Invalid,
    /// The named resource does not exist.
    NotFound,
    /// Something unique is taken.
    AlreadyExists,
    /// The request is right, but not in this state.
    Precondition,
    /// A concurrent change came first: read again and retry.
    Aborted,
    /// A queue or quota is full: retry later.
    Exhausted,
    /// A part that the call needs cannot be reached: retry later.
    Unavailable,
    /// The caller may not do this.
    Denied,
    /// The time that the caller gave is over.
    Deadline,
    /// What is stored is damaged, and trying again does not help.
    DataLoss,
    /// Our fault. The caller sees no more than that.
    Internal,
}

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in the request, for example `lab.hosts[1].organization`.
    pub field: String,
    /// Machine-readable reason in UPPER_SNAKE_CASE.
    pub reason: &'static str,
    /// What is wrong and what would be right; no personal data.
    pub description: String,
    /// Whether the value is out of the resource already: what the resource would make says nothing of it any more.
    pub is_taken_out: bool,
}

impl Violation {
    /// A wrong field, whose value stands in the resource as it was given.
    pub fn new(field: impl Into<String>, reason: &'static str, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason,
            description: description.into(),
            is_taken_out: false,
        }
    }
}

/// The resource that an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its collection, for example `labs`.
    pub collection: &'static str,
    /// Its resource name.
    pub name: String,
}

/// What stands in the way of a change that is right, but not now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Machine-readable reason in UPPER_SNAKE_CASE.
    pub reason: &'static str,
    /// Resource name of what it is about.
    pub subject: String,
    /// In English; no personal data.
    pub description: String,
    /// The same in Chinese.
    pub description_zh: String,
}

/// An error with what a caller needs to mend it, and apart from that what only an operator may see.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    class: Class,
    reason: &'static str,
    message: String,
    violations: Vec<Violation>,
    blockers: Vec<Blocker>,
    about: Option<About>,
    holders: Vec<Holder>,
    internal: Option<String>,
}

/// What the functions of the ORM crate answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of a class, with a machine-readable reason in UPPER_SNAKE_CASE and a sentence for people.
    pub fn new(class: Class, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            class,
            reason,
            message: message.into(),
            violations: Vec::new(),
            blockers: Vec::new(),
            about: None,
            holders: Vec::new(),
            internal: None,
        }))
    }

    /// A wrong field of the request.
    pub fn invalid(field: impl Into<String>, reason: &'static str, description: impl Into<String>) -> Self {
        let (field, description): (String, String) = (field.into(), description.into());
        let mut error = Self::new(Class::Invalid, reason, format!("{field}: {description}"));
        error.0.violations.push(Violation::new(field, reason, description));
        error
    }

    /// A `collection` that is not one of `known`.
    pub fn collection_unknown(given: &str, known: &[&str]) -> Self {
        let said = mingce_proto::collections::unknown(given, known);
        Self::invalid("collection", "COLLECTION_UNKNOWN", said)
    }

    /// Several wrong fields. `violations` is not empty.
    pub fn invalid_all(violations: Vec<Violation>) -> Self {
        let message = violations
            .iter()
            .map(|v| match v.field.as_str() {
                "" => v.description.clone(),
                field => format!("{field}: {}", v.description),
            })
            .collect::<Vec<_>>()
            .join("; ");
        let reason = violations.first().map_or("INVALID", |v| v.reason);
        let mut error = Self::new(Class::Invalid, reason, message);
        error.0.violations = violations;
        error
    }

    /// A change that something stands in the way of. `blockers` is not empty.
    pub fn blocked(reason: &'static str, blockers: Vec<Blocker>) -> Self {
        let message = blockers
            .iter()
            .map(|b| b.description.as_str())
            .collect::<Vec<_>>()
            .join("; ");
        let mut error = Self::new(Class::Precondition, reason, message);
        error.0.blockers = blockers;
        error
    }

    /// No such resource.
    pub fn not_found(collection: &'static str, name: impl Into<String>) -> Self {
        let name = name.into();
        Self::new(Class::NotFound, "RESOURCE_NOT_FOUND", format!("{name} does not exist")).about(collection, name)
    }

    /// A fault of ours or of the database: `detail` is for the log, the caller learns nothing from it.
    pub fn internal(detail: impl fmt::Display) -> Self {
        let mut error = Self::new(
            Class::Internal,
            "INTERNAL",
            "the register could not do this; its log says why",
        );
        error.0.internal = Some(detail.to_string());
        error
    }

    /// Another change came first.
    pub fn concurrent() -> Self {
        let said = "another change came first: try again";
        Self::new(Class::Aborted, "CONCURRENT_CHANGE", said)
    }

    /// The register is shutting down.
    pub(crate) fn shutting_down() -> Self {
        let said = "the register is shutting down: try again";
        Self::new(Class::Unavailable, "SHUTTING_DOWN", said)
    }

    /// What the log says of it.
    pub(crate) fn logged(&self) -> &str {
        self.detail().unwrap_or(self.message())
    }

    /// Names the records that a row of an import contradicts, or may mean.
    #[must_use]
    pub fn held_by(mut self, holders: Vec<Holder>) -> Self {
        self.0.holders = holders;
        self
    }

    /// The records that a row contradicts, or may mean.
    pub fn holders(&self) -> &[Holder] {
        &self.0.holders
    }

    /// Names the resource that the error is about.
    #[must_use]
    pub fn about(mut self, collection: &'static str, name: impl Into<String>) -> Self {
        self.0.about = Some(About {
            collection,
            name: name.into(),
        });
        self
    }

    /// Adds a wrong field to an error of another class, for example to ALREADY_EXISTS.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        let reason = self.0.reason;
        self.0.violations.push(Violation::new(field, reason, description));
        self
    }

    /// The class.
    pub fn class(&self) -> Class {
        self.0.class
    }
    /// Machine-readable reason in UPPER_SNAKE_CASE.
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }
    /// A sentence for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }
    /// The wrong fields.
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }
    /// What stands in the way, where that is why it failed.
    pub fn blockers(&self) -> &[Blocker] {
        &self.0.blockers
    }
    /// The resource it is about.
    pub fn resource(&self) -> Option<&About> {
        self.0.about.as_ref()
    }
    /// What only the log may say.
    pub fn detail(&self) -> Option<&str> {
        self.0.internal.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
