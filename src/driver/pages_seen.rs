//! The pages that a token sees, for who is looking for another one.

use crate::statuspage::Page;

/// So many pages are named to who is looking for another one.
const NAMED: usize = 5;

/// The pages that a token sees, as the end of a sentence that says which one it does not see.
pub fn pages_seen(pages: &[Page]) -> String {
    let mut named: Vec<String> = pages
        .iter()
        .map(|page| match page.name.as_deref() {
            None | Some("") => page.id.clone(),
            Some(name) => format!("{} ({name})", page.id),
        })
        .collect();
    named.sort_unstable();
    match named.len() {
        0 => "nor any other".to_owned(),
        1..=NAMED => format!("only {}", named.join(", ")),
        all => format!("only {} and {} more", named[..NAMED].join(", "), all - NAMED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_that_a_token_sees_are_named() {
        let pages = |count: usize| -> Vec<Page> {
            let page = |number| serde_json::json!({"id": format!("p{number}"), "name": format!("Page {number}")});
            (0..count)
                .map(|number| serde_json::from_value(page(number)).unwrap())
                .collect()
        };
        assert_eq!(pages_seen(&[]), "nor any other");
        assert_eq!(pages_seen(&pages(2)), "only p0 (Page 0), p1 (Page 1)");
        assert!(pages_seen(&pages(7)).ends_with("p4 (Page 4) and 2 more"));
    }
}
