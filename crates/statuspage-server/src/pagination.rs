//! Which part of a list a request sees. The lists differ in the name of the size, the number of the first page and the
//! ceiling; none tells how many there are.

use std::ops::Range;

use super::errors::ApiError;

/// The habits of one list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paging {
    /// The parameter that carries the size.
    pub(super) size: &'static str,
    /// The number of the first page.
    pub(super) first: u64,
    /// The largest size; more is cut down to it.
    pub(super) ceiling: usize,
}

/// Objects of a page when no size is asked for.
const DEFAULT_SIZE: usize = 100;

/// Most lists.
pub(super) const ORDINARY: Paging = Paging {
    size: "per_page",
    first: 1,
    ceiling: 100,
};

/// The list of all incidents.
pub(super) const INCIDENTS: Paging = Paging {
    size: "limit",
    ..ORDINARY
};

/// The list of subscribers: the only one that counts pages from zero.
pub(super) const SUBSCRIBERS: Paging = Paging {
    size: "limit",
    first: 0,
    ceiling: usize::MAX,
};

/// The value of a query parameter.
pub(super) fn parameter<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query
        .iter()
        .rev()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// Whether a request asks for a page at all.
pub(super) fn is_paginated(query: &[(String, String)]) -> bool {
    ["page", "per_page", "limit"]
        .iter()
        .any(|name| parameter(query, name).is_some())
}

/// The part of a list of `total` objects that the request sees; nothing when the page is past the end.
pub(super) fn part(query: &[(String, String)], paging: Paging, total: usize) -> Result<Range<usize>, ApiError> {
    let size = match parameter(query, paging.size).filter(|text| !text.is_empty()) {
        None => DEFAULT_SIZE.min(paging.ceiling),
        Some(text) => match text.parse::<usize>() {
            Ok(size) if size > 0 => size.min(paging.ceiling),
            _ => return Err(ApiError::bad_request(format!("{} is invalid", paging.size))),
        },
    };
    let page = match parameter(query, "page").filter(|text| !text.is_empty()) {
        None => paging.first,
        Some(text) => match text.parse::<i64>() {
            // A page before the first one is the first one.
            Ok(page) => u64::try_from(page).unwrap_or(0).max(paging.first),
            Err(_) => return Err(ApiError::bad_request("page is invalid")),
        },
    };
    let skipped = usize::try_from(page - paging.first)
        .unwrap_or(usize::MAX)
        .saturating_mul(size);
    let start = skipped.min(total);
    Ok(start..start.saturating_add(size).min(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn defaults_ceilings_and_ends() {
        assert_eq!(part(&[], ORDINARY, 250).unwrap(), 0..100);
        assert_eq!(part(&query(&[("page", "3")]), ORDINARY, 250).unwrap(), 200..250);
        assert_eq!(part(&query(&[("page", "4")]), ORDINARY, 250).unwrap(), 250..250);
        assert_eq!(part(&query(&[("page", "0")]), ORDINARY, 250).unwrap(), 0..100);
        assert_eq!(part(&query(&[("per_page", "500")]), ORDINARY, 250).unwrap(), 0..100);
        let wide = Paging {
            ceiling: 1100,
            ..ORDINARY
        };
        assert_eq!(part(&query(&[("per_page", "1100")]), wide, 2000).unwrap(), 0..1100);
        assert_eq!(
            part(
                &query(&[("page", "9223372036854775807"), ("per_page", "7")]),
                ORDINARY,
                3
            )
            .unwrap(),
            3..3
        );
    }

    #[test]
    fn the_names_of_the_size_differ() {
        assert_eq!(part(&query(&[("per_page", "2")]), INCIDENTS, 9).unwrap(), 0..9);
        assert_eq!(part(&query(&[("limit", "2")]), INCIDENTS, 9).unwrap(), 0..2);
        assert_eq!(part(&query(&[("limit", "2")]), ORDINARY, 9).unwrap(), 0..9);
    }

    #[test]
    fn subscribers_count_from_zero() {
        assert_eq!(
            part(&query(&[("limit", "2"), ("page", "0")]), SUBSCRIBERS, 5).unwrap(),
            0..2
        );
        assert_eq!(
            part(&query(&[("limit", "2"), ("page", "1")]), SUBSCRIBERS, 5).unwrap(),
            2..4
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for (name, value) in [("per_page", "0"), ("per_page", "x"), ("page", "x"), ("per_page", "-1")] {
            assert!(part(&query(&[(name, value)]), ORDINARY, 5).is_err());
        }
    }
}
