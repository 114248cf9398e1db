//! Who is asking: the access token of a request.

/// The token of a request: the `Authorization` header (with the `OAuth` prefix, or bare where that is allowed), else
/// the `api_key` of the query.
pub(super) fn presented<'a>(header: Option<&'a str>, query: &'a [(String, String)], bare: bool) -> Option<&'a str> {
    if let Some(header) = header {
        let header = header.trim();
        return match header.split_once(char::is_whitespace) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("oauth") => Some(token.trim()),
            Some(_) => None,
            None if bare && !header.is_empty() => Some(header),
            None => None,
        };
    }
    query
        .iter()
        .find(|(name, _)| name == "api_key")
        .map(|(_, token)| token.as_str())
}

/// The position of a token among the known ones.
pub(super) fn recognise(token: Option<&str>, known: &[String]) -> Option<usize> {
    let token = token.filter(|token| !token.is_empty())?;
    known.iter().position(|candidate| equal(candidate, token))
}

/// Compares without stopping at the first difference, so that the time taken tells nothing about a token.
fn equal(left: &str, right: &str) -> bool {
    left.len() == right.len()
        && left
            .bytes()
            .zip(right.bytes())
            .fold(0_u8, |difference, (one, other)| difference | (one ^ other))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_ways_of_presenting_a_token() {
        let query = vec![("api_key".to_owned(), "k".to_owned())];
        assert_eq!(presented(Some("OAuth k"), &[], true), Some("k"));
        assert_eq!(presented(Some("oauth  k "), &[], true), Some("k"));
        assert_eq!(presented(Some("k"), &[], true), Some("k"));
        assert_eq!(presented(Some("k"), &[], false), None);
        assert_eq!(presented(Some("Basic k"), &[], true), None);
        assert_eq!(presented(None, &query, true), Some("k"));
        assert_eq!(presented(None, &[], true), None);
    }

    #[test]
    fn only_known_tokens_are_recognised() {
        let known = vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(recognise(Some("two"), &known), Some(1));
        assert_eq!(recognise(Some("twO"), &known), None);
        assert_eq!(recognise(Some(""), &[String::new()]), None);
        assert_eq!(recognise(None, &known), None);
    }
}
