//! What each collection is called, everywhere: in statistics, lists of due work, imports and exports, `ResourceInfo` and
//! permissions. The plural of the resource's type in lowerCamelCase, which is also its field in the JSON of a list. Resource names
//! leave out of it what stands before them (`labs/…/designations/…`).

/// Organizations: universities, institutes, companies.
pub const ORGANIZATIONS: &str = "organizations";
/// Laboratories.
pub const LABS: &str = "labs";
/// Designations of laboratories.
pub const LAB_DESIGNATIONS: &str = "labDesignations";
/// Persons.
pub const TALENTS: &str = "talents";
/// Programmes of talent.
pub const PROGRAMMES: &str = "programmes";
/// Designations of persons.
pub const TALENT_DESIGNATIONS: &str = "talentDesignations";
/// Bodies that recommend persons.
pub const NOMINATING_BODIES: &str = "nominatingBodies";
/// Recommendations of persons by such bodies.
pub const RECOMMENDATIONS: &str = "recommendations";
/// Schemes of awards.
pub const SCHEMES: &str = "schemes";
/// Awards.
pub const AWARDS: &str = "awards";
/// Versions of policies.
pub const POLICIES: &str = "policies";
/// Rounds of applications.
pub const ROUNDS: &str = "rounds";
/// Public notices.
pub const NOTICES: &str = "notices";
/// Objections to them.
pub const OBJECTIONS: &str = "objections";
/// Panels of reviewers.
pub const PANELS: &str = "panels";
/// Reviews.
pub const REVIEWS: &str = "reviews";
/// Imports.
pub const IMPORTS: &str = "imports";

/// All of them.
pub const ALL: [&str; 17] = [
    ORGANIZATIONS,
    LABS,
    LAB_DESIGNATIONS,
    TALENTS,
    PROGRAMMES,
    TALENT_DESIGNATIONS,
    NOMINATING_BODIES,
    RECOMMENDATIONS,
    SCHEMES,
    AWARDS,
    POLICIES,
    ROUNDS,
    NOTICES,
    OBJECTIONS,
    PANELS,
    REVIEWS,
    IMPORTS,
];

/// The collection that was meant by another spelling: `lab-designations`, `lab_designations`, `LabDesignations`, `lab designations`.
pub fn meant(spelling: &str) -> Option<&'static str> {
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let wanted = letters(spelling);
    ALL.into_iter().find(|name| letters(name) == wanted)
}

/// What to answer to a collection that is not one of `known`: which ones there are, and which was meant.
pub fn unknown(given: &str, known: &[&str]) -> String {
    let known_all = known.join(", ");
    match meant(given).filter(|name| known.contains(name)) {
        Some(name) => format!("unknown collection {given:?}: use {name}; available: {known_all}"),
        None => format!("unknown collection {given:?}; available: {known_all}"),
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::{DescriptorPool, Kind};

    use super::*;

    #[test]
    fn each_collection_is_called_as_the_lists_of_the_contract_call_it() {
        let pool = DescriptorPool::decode(crate::DESCRIPTORS).unwrap();
        let mut listed = Vec::new();
        for method in pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()) {
            let Some(plural) = method.name().strip_prefix("List") else {
                continue;
            };
            let output = method.output();
            let resources = output.fields().find(|f| match f.kind() {
                Kind::Message(m) => f.is_list() && m.get_field_by_name("record_status").is_some(),
                _ => false,
            });
            let Some(resources) = resources else { continue };
            let name = resources.json_name().to_owned();
            assert_eq!(plural.to_lowercase(), name.to_lowercase(), "{}", method.full_name());
            listed.push(name);
        }
        for name in &listed {
            assert!(ALL.contains(&name.as_str()), "{name} is listed and has no name here");
        }
        for name in ALL {
            assert!(listed.iter().any(|l| l == name), "{name} is listed by no method");
        }
    }

    #[test]
    fn another_spelling_of_a_collection_is_understood_to_name_the_right_one() {
        for other in [
            "lab-designations",
            "lab_designations",
            "LabDesignations",
            "lab designations",
        ] {
            assert_eq!(meant(other), Some(LAB_DESIGNATIONS), "{other}");
        }
        assert_eq!(meant("nominating_bodies"), Some(NOMINATING_BODIES));
        assert_eq!(meant("designations"), None);
        let said = unknown("lab-designations", &[LABS, LAB_DESIGNATIONS]);
        assert!(
            said.contains("use labDesignations; available: labs, labDesignations"),
            "{said}"
        );
        let said = unknown("lab-designations", &[AWARDS]);
        assert_eq!(said, "unknown collection \"lab-designations\"; available: awards");
    }
}
