//! The collections that can be imported and exported, and what the contract says of each.

use std::sync::OnceLock;

use mingce_proto::collections;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use crate::error::Error;

/// A collection of the register as the command line names it.
#[derive(Debug)]
pub struct Collection {
    /// What it is called, one of [`mingce_proto::collections`], for example `labDesignations`.
    pub label: &'static str,
    /// The message of the contract.
    message: &'static str,
    /// The service that keeps it.
    pub service: &'static str,
    /// Its name in method names, for example `LabDesignations` in `ListLabDesignations`.
    methods: &'static str,
    /// The parent under which a list finds those of all, for example `labs/-`; empty for none.
    pub parent: &'static str,
    /// Fields that only the service sets, beside those that all resources have.
    own_output_only: &'static [&'static str],
    /// Fields that are accepted and never answered.
    pub input_only: &'static [&'static str],
}

/// Fields of every resource that an import leaves to the service.
const OUTPUT_ONLY: [&str; 8] = [
    "uid",
    "etag",
    "revision",
    "create_time",
    "update_time",
    "record_status",
    "survivor",
    "sequence",
];

const LABS: &str = "mingce.labs.v1.LabService";
const TALENT: &str = "mingce.talent.v1.TalentService";
const AWARDS: &str = "mingce.awards.v1.AwardService";

/// All collections, in the order in which a file of everything would be loaded.
pub const COLLECTIONS: [Collection; 8] = [
    Collection {
        own_output_only: &["distinct_from"],
        ..Collection::new(
            collections::ORGANIZATIONS,
            "mingce.labs.v1.Organization",
            LABS,
            "Organizations",
        )
    },
    Collection {
        own_output_only: &["distinct_from"],
        ..Collection::new(collections::LABS, "mingce.labs.v1.Lab", LABS, "Labs")
    },
    Collection {
        parent: "labs/-",
        own_output_only: &[
            "year",
            "case",
            "verbs",
            "documents",
            "building_end_date",
            "extensions",
            "evaluations",
            "failed_evaluations",
            "rectification_end_date",
            "annual_reports",
            "successor",
            "operating_date",
        ],
        ..Collection::new(
            collections::LAB_DESIGNATIONS,
            "mingce.labs.v1.LabDesignation",
            LABS,
            "LabDesignations",
        )
    },
    Collection {
        own_output_only: &["distinct_from", "masked_identity_document", "birth_year"],
        input_only: &["identity_document", "birth_date"],
        ..Collection::new(collections::TALENTS, "mingce.talent.v1.Talent", TALENT, "Talents")
    },
    Collection::new(
        collections::PROGRAMMES,
        "mingce.talent.v1.Programme",
        TALENT,
        "Programmes",
    ),
    Collection {
        parent: "talents/-",
        own_output_only: &[
            "kind",
            "year",
            "case",
            "verbs",
            "documents",
            "family",
            "midterm_date",
            "midterm_passed",
            "completion_grade",
            "recommendation",
        ],
        ..Collection::new(
            collections::TALENT_DESIGNATIONS,
            "mingce.talent.v1.TalentDesignation",
            TALENT,
            "TalentDesignations",
        )
    },
    Collection::new(collections::SCHEMES, "mingce.awards.v1.Scheme", AWARDS, "Schemes"),
    Collection {
        own_output_only: &["level", "category", "case", "verbs", "documents"],
        ..Collection::new(collections::AWARDS, "mingce.awards.v1.Award", AWARDS, "Awards")
    },
];

impl Collection {
    const fn new(label: &'static str, message: &'static str, service: &'static str, methods: &'static str) -> Self {
        Collection {
            label,
            message,
            service,
            methods,
            parent: "",
            own_output_only: &[],
            input_only: &[],
        }
    }

    /// The collection that the command line calls `label`.
    pub fn find(label: &str) -> Option<&'static Collection> {
        static ALL: [Collection; 8] = COLLECTIONS;
        ALL.iter().find(|c| c.label == label)
    }

    /// The names of all collections, for messages.
    pub fn labels() -> String {
        COLLECTIONS.map(|c| c.label).join(", ")
    }

    /// What to answer to a name that no collection has.
    pub fn unknown(label: &str) -> String {
        collections::unknown(label, &COLLECTIONS.map(|c| c.label))
    }

    /// The resource's message.
    pub fn message(&self) -> Option<MessageDescriptor> {
        pool().get_message_by_name(self.message)
    }

    /// The same, where it has to be there.
    pub(crate) fn descriptor(&self) -> Result<MessageDescriptor, Error> {
        self.message()
            .ok_or_else(|| Error::mapping(self.label, "the contract has no such message"))
    }

    /// The method `verb` of the collection, for example `List` or `Import`; none where the contract has none.
    pub fn method(&self, verb: &str) -> Option<MethodDescriptor> {
        self.method_of_service(&format!("{verb}{}", self.methods))
    }

    /// The method `verb` of the collection that says as what, for example `MarkLabsDistinct`; none where the contract has none.
    pub fn method_like(&self, verb: &str, what: &str) -> Option<MethodDescriptor> {
        self.method_of_service(&format!("{verb}{}{what}", self.methods))
    }

    /// A method of the collection's service by its whole name; none where the contract has none.
    pub fn method_of_service(&self, name: &str) -> Option<MethodDescriptor> {
        let service = pool().get_service_by_name(self.service)?;
        service.methods().find(|m| m.name() == name)
    }

    /// The method `verb` of one resource, for example `Get`; none where the contract has none.
    pub fn method_of_one(&self, verb: &str) -> Option<MethodDescriptor> {
        self.method_of_service(&format!("{verb}{}", self.message()?.name()))
    }

    /// The field of `message` that holds this resource, or a list of it.
    pub fn field_in(&self, message: &MessageDescriptor) -> Option<FieldDescriptor> {
        message
            .fields()
            .find(|f| matches!(f.kind(), Kind::Message(m) if m.full_name() == self.message))
    }

    /// Whether only the service sets the top-level field.
    pub fn is_output_only(&self, field: &str) -> bool {
        OUTPUT_ONLY.contains(&field) || self.own_output_only.contains(&field)
    }

    /// Whether the field at `path` holds personal data that no message may repeat.
    pub fn is_personal(&self, path: &str) -> bool {
        let top = path.split(['.', '[']).next().unwrap_or(path);
        // A reference may name a person by one too.
        self.input_only.contains(&top) || path.split('.').any(|step| step == "identity_document")
    }
}

/// The pattern that the contract has for the text of a field; none where it has none.
pub(crate) fn pattern_of(field: &FieldDescriptor) -> Option<String> {
    let rules = field.parent_pool().get_extension_by_name("buf.validate.field")?;
    let options = field.options();
    let of_field = options.get_extension(&rules);
    let text = of_field.as_message()?.get_field_by_name("string")?;
    let pattern = text.as_message()?.get_field_by_name("pattern")?;
    pattern
        .as_str()
        .filter(|pattern| !pattern.is_empty())
        .map(str::to_owned)
}

/// The contract's descriptors. Empty where the embedded set does not decode, which a test rules out.
pub(crate) fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(mingce_proto::DESCRIPTORS).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_collection_has_its_message_and_methods_in_the_contract() {
        for collection in &COLLECTIONS {
            let message = collection.message().expect(collection.label);
            let import = collection.method("Import").expect(collection.label);
            assert!(import.is_client_streaming(), "{}", collection.label);
            let field = collection.field_in(&import.input()).expect(collection.label);
            assert!(!field.is_list());
            let list = collection.method("List").expect(collection.label);
            assert!(collection.field_in(&list.output()).expect(collection.label).is_list());
            assert_eq!(
                list.input().get_field_by_name("parent").is_some(),
                !collection.parent.is_empty()
            );
            assert!(message.get_field_by_name("name").is_some());
        }
    }

    #[test]
    fn output_only_and_input_only_fields_are_those_of_the_contract() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
        for collection in &COLLECTIONS {
            let message = collection.message().unwrap();
            let text = fs::read_to_string(root.join(message.parent_file().name())).unwrap();
            let body = text.split(&format!("\nmessage {} {{", message.name())).nth(1).unwrap();
            let body = body.split("\n}").next().unwrap();
            let mut comment = String::new();
            let mut seen = 0;
            for line in body.lines().map(str::trim) {
                if let Some(words) = line.strip_prefix("//") {
                    comment.push_str(words);
                    continue;
                }
                let field = message
                    .fields()
                    .find(|f| line.contains(&format!(" {} = {}", f.name(), f.number())));
                if let Some(field) = field {
                    seen += 1;
                    let name = field.name();
                    let ignored = collection.is_output_only(name);
                    assert_eq!(
                        comment.contains("Output only") || name == "etag",
                        ignored,
                        "{message:?}.{name}"
                    );
                    assert_eq!(
                        comment.contains("Input only"),
                        collection.input_only.contains(&name),
                        "{name}"
                    );
                }
                comment.clear();
            }
            assert_eq!(seen, message.fields().len(), "{}", collection.label);
        }
    }
}
