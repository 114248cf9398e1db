//! The words of our own events: types, and the traits that they have.

use super::event::noun;
use super::value::TraitType;
use crate::api::Kind;

/// What happens to objects of a kind.
const OPERATIONS: [&str; 12] = [
    "create",
    "provide",
    "publish",
    "update",
    "delete",
    "adopt",
    "recover",
    "release",
    "prune",
    "condition",
    "drift",
    "hold",
];

/// The traits of our events, with their types.
pub const TRAITS: [(&str, TraitType); 18] = [
    ("namespace", TraitType::String),
    ("kind", TraitType::String),
    ("name", TraitType::String),
    ("page", TraitType::String),
    ("page_id", TraitType::String),
    ("operation", TraitType::String),
    ("remote_id", TraitType::String),
    ("generation", TraitType::Integer),
    ("who", TraitType::String),
    ("outcome", TraitType::String),
    ("method", TraitType::String),
    ("duration", TraitType::Float),
    ("request_id", TraitType::String),
    ("http_status", TraitType::Integer),
    ("condition", TraitType::String),
    ("status", TraitType::String),
    ("reason", TraitType::String),
    ("field", TraitType::String),
];

/// All types of our events.
pub fn event_types() -> Vec<String> {
    let kinds = Kind::ALL.into_iter().map(noun);
    kinds
        .flat_map(|noun| OPERATIONS.map(|operation| format!("{noun}.{operation}")))
        .collect()
}

/// True for a type of our events.
pub fn is_event_type(word: &str) -> bool {
    word.split_once('.').is_some_and(|(kind, operation)| {
        OPERATIONS.contains(&operation) && Kind::ALL.into_iter().any(|known| noun(known) == kind)
    })
}

/// The type of one of our traits.
pub fn trait_type(name: &str) -> Option<TraitType> {
    TRAITS
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_one() {
        let types = event_types();
        assert!(types.iter().all(|word| is_event_type(word)));
        assert!(types.contains(&"page_access_user.drift".to_owned()));
        for odd in [
            "",
            "component",
            "component.",
            "component.nope",
            "nope.create",
            "component.create.x",
        ] {
            assert!(!is_event_type(odd), "{odd}");
        }
        assert_eq!(trait_type("generation"), Some(TraitType::Integer));
        assert_eq!(trait_type("field"), Some(TraitType::String));
        assert_eq!(trait_type("nope"), None);
    }
}
