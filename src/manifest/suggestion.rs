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
            let edits = if shortened { 0 } else { distance(&plain, &whole) };
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

/// Edit distance where a swap of two neighbours counts as one edit.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let width = right.len() + 1;
    let mut table = vec![0usize; (left.len() + 1) * width];
    for row in 0..=left.len() {
        for column in 0..=right.len() {
            table[row * width + column] = if row == 0 || column == 0 {
                row + column
            } else {
                let changed = usize::from(left[row - 1] != right[column - 1]);
                let mut best = (table[(row - 1) * width + column] + 1)
                    .min(table[row * width + column - 1] + 1)
                    .min(table[(row - 1) * width + column - 1] + changed);
                let swapped =
                    row > 1 && column > 1 && left[row - 1] == right[column - 2] && left[row - 2] == right[column - 1];
                if swapped {
                    best = best.min(table[(row - 2) * width + column - 2] + 1);
                }
                best
            };
        }
    }
    table.last().copied().unwrap_or_default()
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
