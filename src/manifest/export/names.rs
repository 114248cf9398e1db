//! Names of declarations, made from what objects are called on the page.
//!
//! Invariant: the names of one kind are all different, fit Kubernetes, and do not depend on the order of the page.

use std::collections::{BTreeMap, BTreeSet};

use icu_normalizer::DecomposingNormalizerBorrowed;

/// The longest part of a name that comes from a title.
const LONGEST: usize = 48;

/// Names of declarations by id.
pub(super) type Names = BTreeMap<String, String>;

/// An object to be named.
pub(super) struct Titled<'a> {
    pub(super) id: &'a str,
    /// What it may be called, best first: the next one serves where another object has the same.
    pub(super) titles: Vec<String>,
}

/// Names every object that has an id: by the first of its titles that no other object of the kind has, else by title
/// and id.
pub(super) fn names(noun: &str, objects: &[Titled<'_>]) -> Names {
    let objects = || objects.iter().filter(|object| !object.id.is_empty());
    let sure: BTreeMap<&str, String> = objects().map(|object| (object.id, with_id(noun, object))).collect();
    let mut names = Names::new();
    let mut taken: BTreeSet<String> = sure.values().cloned().collect();
    let most = objects().map(|object| object.titles.len()).max().unwrap_or(0);
    for level in 0..most {
        let open: Vec<(&str, String)> = objects()
            .filter(|object| !names.contains_key(object.id))
            .filter_map(|object| Some((object.id, slug(object.titles.get(level)?))))
            .filter(|(_, slug)| !slug.is_empty())
            .collect();
        let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, slug) in &open {
            *uses.entry(slug).or_default() += 1;
        }
        for (id, slug) in &open {
            if uses.get(slug.as_str()) == Some(&1) && taken.insert(slug.clone()) {
                names.insert((*id).to_owned(), slug.clone());
            }
        }
    }
    for (id, name) in sure {
        names.entry(id.to_owned()).or_insert(name);
    }
    names
}

/// A name that no other object of the kind has, whatever it is called.
fn with_id(noun: &str, object: &Titled<'_>) -> String {
    let plain = object.titles.first().map(|title| slug(title)).unwrap_or_default();
    let plain = if plain.is_empty() { noun } else { &plain };
    let is_plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    if object.id.chars().all(is_plain) {
        return format!("{plain}-{}", object.id);
    }
    // No id that was seen is like this. Two dashes tell it from one that is written like its bytes.
    let bytes: String = object.id.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{plain}--{bytes}")
}

/// Lower-case letters, digits and single dashes; letters with accents lose them.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(text.chars()) {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !is_accent(character) && !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
        if slug.len() >= LONGEST {
            break;
        }
    }
    slug.trim_matches('-').to_owned()
}

fn is_accent(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(objects: &[(&str, &[&str])]) -> Vec<String> {
        let titled: Vec<Titled<'_>> = objects
            .iter()
            .map(|(id, titles)| Titled {
                id,
                titles: titles.iter().map(|title| (*title).to_owned()).collect(),
            })
            .collect();
        let names = names("component", &titled);
        objects.iter().map(|(id, _)| names[*id].clone()).collect()
    }

    #[test]
    fn names_are_stable_and_unique() {
        let objects: [(&str, &[&str]); 5] = [
            ("a1", &["API v2!"]),
            ("b2", &["Database"]),
            ("c3", &["database"]),
            ("d4", &["状态"]),
            ("e5", &[""]),
        ];
        assert_eq!(
            named(&objects),
            ["api-v2", "database-b2", "database-c3", "component-d4", "component-e5"]
        );
    }

    #[test]
    fn what_is_called_the_same_is_named_after_its_group_first() {
        let objects: [(&str, &[&str]); 5] = [
            ("a1", &["Web", "Europe Web"]),
            ("b2", &["Web", "Asia Web"]),
            ("c3", &["Web"]),
            ("d4", &["Asia web"]),
            ("e5", &["Web c3"]),
        ];
        assert_eq!(
            named(&objects),
            ["europe-web", "web-b2", "web-c3", "asia-web", "web-c3-e5"]
        );
    }

    #[test]
    fn a_title_becomes_a_short_name() {
        assert_eq!(slug(&"x".repeat(255)).len(), 48);
        assert_eq!(slug(" - Ünïted -- API - "), "united-api");
        assert_eq!(slug("Données: ﬁchiers №5"), "donnees-fichiers-no5");
        assert_eq!(slug("🚀"), "");
    }

    proptest! {
        #[test]
        fn names_are_different_and_fit_kubernetes_whatever_the_titles(
            objects in prop::collection::btree_map(
                "[a-z0-9]{1,4}|\\PC{1,6}",
                prop::collection::vec("(web|Web|api-a1|\\PC{0,60})", 0..3),
                0..20,
            ),
            turn in 0usize..20,
        ) {
            let mut titled: Vec<Titled<'_>> = objects
                .iter()
                .map(|(id, titles)| Titled { id, titles: titles.clone() })
                .collect();
            let known = names("component", &titled);
            prop_assert_eq!(known.len(), objects.len());
            let different: BTreeSet<&String> = known.values().collect();
            prop_assert_eq!(different.len(), objects.len());
            for name in known.values() {
                prop_assert!(name.len() <= 253 && name.starts_with(|first: char| first.is_ascii_alphanumeric()));
                prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
                prop_assert!(!name.ends_with('-'));
            }
            if !titled.is_empty() {
                let by = turn % titled.len();
                titled.rotate_left(by);
            }
            prop_assert_eq!(names("component", &titled), known);
        }
    }
}
