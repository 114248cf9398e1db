//! Every request that arrived, for tests that count them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::rate;

/// Older entries are dropped beyond this, so that a long-lived server does not grow.
const KEPT_ENTRIES: usize = 20_000;
/// Of longer bodies only the beginning is kept.
const KEPT_BODY: usize = 64 * 1024;

/// One request as it arrived. Credentials are never part of it.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// Its number, from zero, in the order of arrival.
    pub number: u64,
    /// When it arrived, by the clock of the server.
    pub at: Timestamp,
    /// The position of its token among those of the server; none when it had no valid one.
    pub token: Option<usize>,
    /// The method.
    pub method: String,
    /// The path without the `.json` suffix and without the query.
    pub path: String,
    /// The query, without an `api_key`.
    pub query: Vec<(String, String)>,
    /// The body as text, its beginning only if it was long.
    pub body: String,
    /// The status of the answer, a withheld one included; none while it is worked on or when the connection was closed
    /// instead.
    pub status: Option<u16>,
}

/// The requests of a server; clones see the same ones.
#[derive(Clone, Debug, Default)]
pub struct RequestLog {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<LoggedRequest>,
    next: u64,
}

impl RequestLog {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All requests, oldest first.
    pub fn entries(&self) -> Vec<LoggedRequest> {
        self.inner().entries.iter().cloned().collect()
    }

    /// How many requests of a method (any for `""`) have a path that begins like this.
    pub fn count(&self, method: &str, path_prefix: &str) -> usize {
        self.inner()
            .entries
            .iter()
            .filter(|entry| {
                (method.is_empty() || entry.method.eq_ignore_ascii_case(method)) && entry.path.starts_with(path_prefix)
            })
            .count()
    }

    /// How many requests were not reads.
    pub fn writes(&self) -> usize {
        self.inner()
            .entries
            .iter()
            .filter(|entry| entry.method != "GET" && entry.method != "HEAD")
            .count()
    }

    /// How many requests were answered with a status.
    pub fn answered(&self, status: u16) -> usize {
        self.inner()
            .entries
            .iter()
            .filter(|entry| entry.status == Some(status))
            .count()
    }

    /// The largest number of requests of one token that arrived within any 60 seconds, rejected ones included.
    pub fn peak_per_minute(&self) -> usize {
        let mut by_token: BTreeMap<usize, Vec<Timestamp>> = BTreeMap::new();
        for entry in &self.inner().entries {
            if let Some(token) = entry.token {
                by_token.entry(token).or_default().push(entry.at);
            }
        }
        by_token
            .values_mut()
            .map(|instants| {
                // Entries are noted when the body is there, which need not be the order of arrival.
                instants.sort();
                rate::peak(instants)
            })
            .max()
            .unwrap_or(0)
    }

    /// Forgets all requests.
    pub fn clear(&self) {
        self.inner().entries.clear();
    }

    /// Notes an arrival and gives its number.
    pub(super) fn arrived(
        &self,
        at: Timestamp,
        token: Option<usize>,
        method: &str,
        path: &str,
        query: &[(String, String)],
        body: &[u8],
    ) -> u64 {
        let shown = body.get(..KEPT_BODY).unwrap_or(body);
        let mut inner = self.inner();
        let number = inner.next;
        inner.next += 1;
        if inner.entries.len() >= KEPT_ENTRIES {
            inner.entries.pop_front();
        }
        inner.entries.push_back(LoggedRequest {
            number,
            at,
            token,
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.iter().filter(|(name, _)| name != "api_key").cloned().collect(),
            body: String::from_utf8_lossy(shown).into_owned(),
            status: None,
        });
        number
    }

    /// Notes the status of an answer.
    pub(super) fn answered_with(&self, number: u64, status: u16) {
        let mut inner = self.inner();
        // The newest entries are the ones still waiting for their answer.
        if let Some(entry) = inner.entries.iter_mut().rev().find(|entry| entry.number == number) {
            entry.status = Some(status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_and_keys_are_not_kept() {
        let log = RequestLog::default();
        let at = Timestamp::UNIX_EPOCH;
        let query = vec![
            ("api_key".to_owned(), "secret".to_owned()),
            ("page".to_owned(), "1".to_owned()),
        ];
        let first = log.arrived(at, Some(0), "GET", "/v1/pages", &query, b"");
        log.arrived(at, Some(0), "POST", "/v1/pages/p/components", &[], b"{}");
        log.answered_with(first, 200);
        assert_eq!(log.count("GET", "/v1/pages"), 1);
        assert_eq!(log.count("", "/v1/pages"), 2);
        assert_eq!(log.writes(), 1);
        assert_eq!(log.answered(200), 1);
        assert_eq!(log.peak_per_minute(), 2);
        assert!(!format!("{:?}", log.entries()).contains("secret"));
        log.clear();
        assert_eq!(log.count("", ""), 0);
    }
}
