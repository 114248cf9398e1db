//! Lists in parts: `limit`, `offset`, and the links around them.
//!
//! Numbers that are none, or out of range, are refused with 400: a client that asks for something else than it gets
//! would miss entries without a word.

use axum::http::Uri;
use form_urlencoded::Serializer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::problem::Problem;

/// Entries in an answer when nothing is said.
pub(in crate::admin) const DEFAULT_LIMIT: usize = 10;
/// The most entries in an answer.
pub(in crate::admin) const GREATEST_LIMIT: usize = 1000;

/// The parameters of a request, in their order.
#[derive(Debug, Default)]
pub(in crate::admin) struct Query(Vec<(String, String)>);

impl Query {
    pub(in crate::admin) fn parse(query: Option<&str>) -> Self {
        Query(
            form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
        )
    }

    pub(in crate::admin) fn of(uri: &Uri) -> Self {
        Query::parse(uri.query())
    }

    /// The value of a parameter.
    pub(in crate::admin) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(other, _)| other == name);
        values.next().map(|(_, value)| value.as_str())
    }

    /// Notes parameters that there are not, or that are given twice: one of the two would be ignored, and nobody would
    /// know which.
    pub(in crate::admin) fn check(&self, known: &[&str], wrong: &mut Vec<(String, String)>) {
        let mut seen: Vec<&str> = Vec::new();
        for (name, _) in &self.0 {
            let name = name.as_str();
            if seen.contains(&name) {
                let sentence = "This parameter is given more than once.".to_owned();
                if !wrong.iter().any(|(other, text)| other == name && *text == sentence) {
                    wrong.push((name.to_owned(), sentence));
                }
                continue;
            }
            seen.push(name);
            if !known.contains(&name) {
                let there_are = match known {
                    [] => "there is none here".to_owned(),
                    known => format!("there are {}", known.join(", ")),
                };
                wrong.push((name.to_owned(), format!("Unknown parameter: {there_are}.")));
            }
        }
    }

    /// Refuses all parameters, for what takes none.
    pub(in crate::admin) fn refuse_all(&self) -> Result<(), Problem> {
        let mut wrong = Vec::new();
        self.check(&[], &mut wrong);
        unless_wrong((), wrong)
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// Where this part is.
    pub meta: Meta,
    /// The parts around it.
    pub links: Links,
    /// The entries.
    pub data: Vec<T>,
}

/// Where a part of a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Meta {
    /// Entries of the whole list.
    pub count: usize,
    /// The most entries of a part.
    pub limit: usize,
    /// Entries before this part.
    pub offset: usize,
}

/// Paths and queries of the parts around one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Links {
    /// The first part.
    pub first: String,
    /// The next part, if there is one.
    pub next: Option<String>,
    /// The part before, if there is one.
    pub previous: Option<String>,
    /// The last part; it is full, and so may overlap the one before.
    pub last: String,
}

/// Which part is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) struct Part {
    limit: usize,
    offset: usize,
}

impl Part {
    /// Reads `limit` and `offset`, noting what is wrong with them.
    pub(in crate::admin) fn read(query: &Query, wrong: &mut Vec<(String, String)>) -> Self {
        let mut number = |name: &str, default: usize, least: usize, greatest: usize| {
            let Some(text) = query.get(name) else { return default };
            let sentence = match text.parse::<i64>() {
                Err(_) => "A valid integer is required.".to_owned(),
                Ok(value) => match usize::try_from(value) {
                    Ok(value) if (least..=greatest).contains(&value) => return value,
                    Ok(value) if value > greatest => {
                        format!("Ensure this value is less than or equal to {greatest}.")
                    }
                    _ => format!("Ensure this value is greater than or equal to {least}."),
                },
            };
            wrong.push((name.to_owned(), sentence));
            default
        };
        Part {
            limit: number("limit", DEFAULT_LIMIT, 1, GREATEST_LIMIT),
            offset: number("offset", 0, 0, usize::MAX >> 1),
        }
    }

    /// Cuts the part out of a whole list that was asked for at `path`.
    pub(in crate::admin) fn of<T>(self, all: Vec<T>, path: &str, query: &Query) -> Page<T> {
        let Part { limit, offset } = self;
        let count = all.len();
        let link = |offset: Option<usize>| link(path, query, limit, offset);
        Page {
            meta: Meta { count, limit, offset },
            links: Links {
                first: link(Some(0)),
                next: (offset.saturating_add(limit) < count).then(|| link(Some(offset + limit))),
                previous: (offset > 0).then(|| match offset.saturating_sub(limit) {
                    0 => link(None),
                    before => link(Some(before)),
                }),
                last: link(Some(count.saturating_sub(limit))),
            },
            data: all.into_iter().skip(offset).take(limit).collect(),
        }
    }
}

fn link(path: &str, query: &Query, limit: usize, offset: Option<usize>) -> String {
    let mut pairs: Vec<(&str, String)> = query
        .0
        .iter()
        .filter(|(name, _)| name != "limit" && name != "offset")
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    pairs.push(("limit", limit.to_string()));
    pairs.extend(offset.map(|offset| ("offset", offset.to_string())));
    // Stable: values of one name keep their order.
    pairs.sort_by(|left, right| left.0.cmp(right.0));
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{path}?{query}")
}

/// All that is wrong with parameters, or the value.
pub(in crate::admin) fn unless_wrong<T>(value: T, wrong: Vec<(String, String)>) -> Result<T, Problem> {
    if wrong.is_empty() {
        Ok(value)
    } else {
        Err(Problem::Parameters(wrong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(count: usize, query: &str) -> Page<usize> {
        let query = Query::parse(Some(query));
        let mut wrong = Vec::new();
        let part = Part::read(&query, &mut wrong);
        assert_eq!(wrong, []);
        part.of((0..count).collect(), "/api/v1/things/", &query)
    }

    #[test]
    fn the_recorded_walk() {
        let page = page(42, "offset=10&limit=10");
        assert_eq!(
            page.meta,
            Meta {
                count: 42,
                limit: 10,
                offset: 10
            }
        );
        assert_eq!(
            page.links,
            Links {
                first: "/api/v1/things/?limit=10&offset=0".into(),
                next: Some("/api/v1/things/?limit=10&offset=20".into()),
                previous: Some("/api/v1/things/?limit=10".into()),
                last: "/api/v1/things/?limit=10&offset=32".into(),
            }
        );
        assert_eq!(page.data, (10..20).collect::<Vec<_>>());
    }

    #[test]
    fn the_ends_have_no_neighbours() {
        let only = page(3, "");
        assert_eq!((only.links.next, only.links.previous), (None, None));
        assert_eq!(only.links.last, "/api/v1/things/?limit=10&offset=0");
        assert_eq!(page(20, "offset=10").links.next, None);
        let past = page(42, "offset=100");
        assert_eq!(past.data, Vec::<usize>::new());
        assert_eq!(
            past.links.previous.as_deref(),
            Some("/api/v1/things/?limit=10&offset=90")
        );
        assert_eq!(past.links.next, None);
        assert_eq!(page(0, "").meta.count, 0);
    }

    #[test]
    fn other_parameters_are_kept_and_sorted() {
        let page = page(42, "x=1&name=a+b");
        assert_eq!(page.links.first, "/api/v1/things/?limit=10&name=a+b&offset=0&x=1");
    }

    #[test]
    fn what_there_is_not_or_is_there_twice_is_named() {
        let mut wrong = Vec::new();
        let query = Query::parse(Some("limit=1&a=1&limit=2&limit=3&a=2&offset=0"));
        query.check(&["limit", "offset"], &mut wrong);
        let expected = [
            ("a", "Unknown parameter: there are limit, offset."),
            ("limit", "This parameter is given more than once."),
            ("a", "This parameter is given more than once."),
        ];
        assert_eq!(wrong, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
        assert!(Query::parse(None).refuse_all().is_ok());
        let refused = Query::parse(Some("x")).refuse_all();
        let sentence = "Unknown parameter: there is none here.".to_owned();
        assert_eq!(refused, Err(Problem::Parameters(vec![("x".to_owned(), sentence)])));
    }

    #[test]
    fn bad_numbers_are_all_named() {
        let mut wrong = Vec::new();
        Part::read(&Query::parse(Some("limit=abc&offset=-5")), &mut wrong);
        let expected = [
            ("limit", "A valid integer is required."),
            ("offset", "Ensure this value is greater than or equal to 0."),
        ];
        assert_eq!(wrong, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
        for bad in ["0", "-1", "", "1.5", "1001", "99999999999999999999"] {
            let mut wrong = Vec::new();
            Part::read(&Query::parse(Some(&format!("limit={bad}"))), &mut wrong);
            assert_eq!(wrong.len(), 1, "{bad}");
        }
    }
}
