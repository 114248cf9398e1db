//! Reads lists to their end. Nothing in a reply says how many pages there are, so the rows themselves must tell.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::call::Call;
use super::types::Identified;
use super::{Client, Error};

/// Servers that cap the page size in silence cap it to a multiple of this.
const COMMON_CAP: usize = 100;

/// What a list call has brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing<T> {
    /// The objects, each once, in the order of the service.
    pub items: Vec<T>,
    /// Whether these are all that there are.
    pub complete: bool,
}

/// An object of a reply. Reading is lenient, but something without an id is not an object of the service: it may be a
/// message of a proxy, and must not be taken for one that was just created.
#[derive(Debug)]
pub(super) struct Entity<T>(pub(super) T);

impl<'de, T: Identified + Deserialize<'de>> Deserialize<'de> for Entity<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entity = T::deserialize(deserializer)?;
        if entity.id().is_empty() {
            return Err(serde::de::Error::custom("it has no id"));
        }
        Ok(Self(entity))
    }
}

/// Rows of a reply. Some lists are described as a single object, and an empty one may be `null`.
#[derive(Debug)]
pub(super) struct Rows<T>(pub(super) Vec<T>);

impl<'de, T: Identified + DeserializeOwned> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            Many(Vec<serde_json::Value>),
            One(serde_json::Map<String, serde_json::Value>),
            None(()),
        }
        let rows = match Shape::deserialize(deserializer)? {
            Shape::Many(rows) => rows,
            Shape::One(row) => vec![serde_json::Value::Object(row)],
            Shape::None(()) => Vec::new(),
        };
        rows.into_iter()
            .map(|row| {
                serde_json::from_value(row)
                    .map(|Entity(entity)| entity)
                    .map_err(serde::de::Error::custom)
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// How a list is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paging {
    /// Names of the parameter for the size; where accounts differ, both are sent.
    pub(super) size_parameters: &'static [&'static str],
    pub(super) size: usize,
    /// Number of the first page.
    pub(super) first: usize,
    /// Most pages to read.
    pub(super) pages: usize,
}

impl Paging {
    /// Pages of 100, counted from 1, all of them.
    pub(super) const USUAL: Self = Self {
        size_parameters: &["per_page"],
        size: 100,
        first: 1,
        pages: usize::MAX,
    };
}

/// Whether there may be rows after a page of `rows` when `requested` were asked for. A page of 100, 200, … rows that is
/// shorter than asked for may have been cut by a server with a lower maximum, so it does not count as the end.
fn may_go_on(requested: usize, rows: usize) -> bool {
    rows >= requested || (rows > 0 && rows.is_multiple_of(COMMON_CAP))
}

impl Client {
    /// Reads a list. Each page is a request of its own to the budget.
    pub(super) async fn list<T>(&self, paging: Paging, call: impl Fn() -> Call) -> Result<Listing<T>, Error>
    where
        T: Identified + DeserializeOwned,
    {
        let mut seen = HashSet::new();
        let mut items: Vec<T> = Vec::new();
        for number in 0..paging.pages {
            let mut call = call().query("page", paging.first + number);
            for name in paging.size_parameters {
                call = call.query(name, paging.size);
            }
            let Rows(rows) = self.fetch::<Rows<T>>(call).await?;
            let count = rows.len();
            let before = items.len();
            items.extend(rows.into_iter().filter(|row| seen.insert(row.id().to_owned())));
            // A page with nothing new comes from a server that ignores the number of the page.
            if !may_go_on(paging.size, count) || items.len() == before {
                return Ok(Listing { items, complete: true });
            }
        }
        Ok(Listing { items, complete: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statuspage::Metric;

    #[test]
    fn a_short_page_is_the_last_unless_it_may_have_been_cut() {
        assert!(may_go_on(100, 100));
        assert!(!may_go_on(100, 99));
        assert!(!may_go_on(100, 0));
        assert!(may_go_on(1100, 1100));
        assert!(may_go_on(1100, 100));
        assert!(may_go_on(1100, 500));
        assert!(!may_go_on(1100, 501));
        assert!(!may_go_on(1100, 0));
    }

    #[test]
    fn rows_come_in_several_shapes() {
        let rows = |text| serde_json::from_str::<Rows<Metric>>(text).map(|rows| rows.0.len());
        assert_eq!(rows("[]").unwrap(), 0);
        assert_eq!(rows("null").unwrap(), 0);
        assert_eq!(rows(r#"{"id":"a"}"#).unwrap(), 1);
        assert_eq!(rows(r#"[{"id":"a"},{"id":"b"}]"#).unwrap(), 2);
        assert!(rows(r#""text""#).is_err());
        assert!(rows(r#"{"message":"a proxy speaks"}"#).is_err());
        assert!(rows(r#"[{"name":"no id"}]"#).is_err());
    }
}
