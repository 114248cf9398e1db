//! "Did you mean": the nearest of the words that would have been right.

/// The candidate that is near enough to `word` to be what its author meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = normalise(word);
    let allowed = (plain.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let whole = normalise(candidate);
            // A shortened name, such as `degraded` for `degraded_performance`, is far by edits and still meant.
            let shortened = plain.chars().count() >= 4 && whole.starts_with(&plain);
            // A swap of two neighbours is one edit.
            let edits = if shortened {
                0
            } else {
                strsim::osa_distance(&plain, &whole)
            };
            (edits, whole.chars().count().abs_diff(plain.chars().count()), candidate)
        })
        .filter(|(edits, ..)| *edits <= allowed)
        // Of several the one that is most like it in length: a whole word before one that only begins so.
        .min_by_key(|(edits, difference, _)| (*edits, *difference))
        .map(|(.., candidate)| candidate)
}

/// The advice for a wrong word: the nearest right one, or else all of them when they are few.
pub fn advice<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(candidate) = nearest(word, candidates.clone()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    let all: Vec<&str> = candidates.into_iter().collect();
    match all.len() {
        0 => None,
        1..=12 => Some(format!("known: {}", all.join(", "))),
        more => Some(format!("known: {} and {} more", all[..10].join(", "), more - 10)),
    }
}

/// Case, `-` and `_` are the usual differences between spellings of one name.
fn normalise(word: &str) -> String {
    word.chars()
        .filter(|character| !matches!(character, '-' | '_'))
        .flat_map(char::to_lowercase)
        .take(100)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let fields = ["pageRef", "groupRef", "description", "status"];
        assert_eq!(nearest("page_ref", fields), Some("pageRef"));
        assert_eq!(nearest("descripton", fields), Some("description"));
        assert_eq!(nearest("stauts", fields), Some("status"));
        assert_eq!(nearest("colour", fields), None);
        assert_eq!(
            nearest("degraded", ["operational", "degraded_performance"]),
            Some("degraded_performance")
        );
        assert_eq!(nearest("", fields), None);
        assert_eq!(nearest("component", ["ComponentGroup", "Component"]), Some("Component"));
    }

    #[test]
    fn lists_the_words_when_none_is_near() {
        assert_eq!(advice("purple", ["Same", "All"]).as_deref(), Some("known: Same, All"));
        assert_eq!(advice("purple", []), None);
    }
}
