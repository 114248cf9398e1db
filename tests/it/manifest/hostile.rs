//! Texts that nobody would write never panic.

use proptest::prelude::*;

use crate::hostile::manifest::check;

/// Cuts, doubles or replaces a part of a text at character borders.
fn mutated(text: &str, start: usize, length: usize, insert: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let start = start % (characters.len() + 1);
    let end = (start + length).min(characters.len());
    characters[..start]
        .iter()
        .copied()
        .chain(insert.chars())
        .chain(characters[end..].iter().copied())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes);
    }

    #[test]
    fn random_yaml_never_panics(text in "([\\[\\]{}:,&*!|>'\"%@`# \n\t?-]|[a-c]|\\r|é|---\n|<<: |&a |\\*a ){0,120}") {
        check(text.as_bytes());
    }

    #[test]
    fn mutated_manifests_never_panic(
        start in any::<usize>(),
        length in 0usize..40,
        insert in "([\\[\\]{}:,&*!|>'\"%#\n -]|null|yes|1e400|-1|0x7fffffffffffffffff|2029-99-99T99:99:99Z|a){0,6}",
    ) {
        let text = include_str!("../../../examples/quickstart/incidents.yaml");
        check(mutated(text, start % text.chars().count(), length, &insert).as_bytes());
        let text = include_str!("../../../examples/quickstart/metrics.yaml");
        check(mutated(text, start % text.chars().count(), length, &insert).as_bytes());
    }
}
