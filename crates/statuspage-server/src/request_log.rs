//! The requests that arrived, for tests that count them and for people who watch them.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::rate;

/// Older entries are dropped beyond about so many bytes, so that a long-lived server does not grow.
const KEPT_BYTES: usize = 16 * 1024 * 1024;
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
    /// The path without the query, and below `/v1` without the `.json` suffix.
    pub path: String,
    /// The query, without an `api_key`.
    pub query: Vec<(String, String)>,
    /// The body as text, its beginning only if it was long.
    pub body: String,
    /// The status of the answer, a withheld one included; none while it is worked on or when the connection was closed
    /// instead.
    pub status: Option<u16>,
}

impl LoggedRequest {
    /// About how many bytes it takes.
    fn weight(&self) -> usize {
        let query: usize = self
            .query
            .iter()
            .map(|(name, value)| 64 + name.len() + value.len())
            .sum();
        256 + self.method.len() + self.path.len() + query + self.body.len()
    }
}

impl fmt::Display for LoggedRequest {
    /// A line about it: when, what it was answered, and what it asked.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3}  ", self.at)?;
        match self.status {
            Some(status) => write!(formatter, "{status}")?,
            None => formatter.write_str("---")?,
        }
        write!(formatter, "  {} {}", self.method, self.path)?;
        if !self.query.is_empty() {
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&self.query)
                .finish();
            write!(formatter, "?{query}")?;
        }
        Ok(())
    }
}

/// Somebody who watches the requests.
pub type OnRequest = Arc<dyn Fn(&LoggedRequest) + Send + Sync>;

/// The requests of a server, the latest of them; clones see the same ones.
#[derive(Clone, Default)]
pub struct RequestLog {
    inner: Arc<Mutex<Inner>>,
    watcher: Option<OnRequest>,
}

impl fmt::Debug for RequestLog {
    /// Shows how many there are.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RequestLog")
            .field("entries", &self.inner().entries.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<LoggedRequest>,
    weight: usize,
    next: u64,
}

impl RequestLog {
    pub(super) fn new(watcher: Option<OnRequest>) -> Self {
        Self {
            inner: Arc::default(),
            watcher,
        }
    }

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
        let mut inner = self.inner();
        inner.entries.clear();
        inner.weight = 0;
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
        let entry = LoggedRequest {
            number,
            at,
            token,
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.iter().filter(|(name, _)| name != "api_key").cloned().collect(),
            body: String::from_utf8_lossy(shown).into_owned(),
            status: None,
        };
        inner.weight += entry.weight();
        inner.entries.push_back(entry);
        while inner.weight > KEPT_BYTES
            && let Some(oldest) = inner.entries.pop_front()
        {
            inner.weight -= oldest.weight();
        }
        number
    }

    /// Notes how a request ended, with the status of its answer if it had one.
    pub(super) fn ended(&self, number: u64, status: Option<u16>) {
        let mut inner = self.inner();
        // The newest entries are the ones still waiting for their answer.
        let Some(entry) = inner.entries.iter_mut().rev().find(|entry| entry.number == number) else {
            return;
        };
        entry.status = status;
        if let Some(watcher) = &self.watcher {
            let entry = entry.clone();
            // The watcher may ask for the log.
            drop(inner);
            watcher(&entry);
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
        log.ended(first, Some(200));
        assert_eq!(log.count("GET", "/v1/pages"), 1);
        assert_eq!(log.count("", "/v1/pages"), 2);
        assert_eq!(log.writes(), 1);
        assert_eq!(log.answered(200), 1);
        assert_eq!(log.peak_per_minute(), 2);
        assert!(!format!("{:?}", log.entries()).contains("secret"));
        log.clear();
        assert_eq!(log.count("", ""), 0);
    }

    #[test]
    fn the_oldest_are_dropped_beyond_some_megabytes() {
        let log = RequestLog::default();
        let body = vec![b'x'; 2 * KEPT_BODY];
        for _ in 0..3_000 {
            let number = log.arrived(Timestamp::UNIX_EPOCH, None, "POST", "/v1", &[], &body);
            log.ended(number, Some(401));
        }
        let entries = log.entries();
        let weight: usize = entries.iter().map(LoggedRequest::weight).sum();
        assert!(weight <= KEPT_BYTES && weight > KEPT_BYTES - 2 * KEPT_BODY, "{weight}");
        assert_eq!(entries.last().map(|entry| entry.number), Some(2_999));
        assert_eq!(log.inner().weight, weight);
        assert_eq!(log.answered(401), entries.len());
    }

    #[test]
    fn a_request_is_a_line() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&lines);
        let log = RequestLog::new(Some(Arc::new(move |request: &LoggedRequest| {
            written.lock().unwrap().push(request.to_string());
        })));
        let query = [("api_key", "secret"), ("q", "a\nb &c")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let at = Timestamp::UNIX_EPOCH;
        let first = log.arrived(at, None, "GET", "/v1/pages/p/incidents", &query, b"");
        let second = log.arrived(at, None, "POST", "/v1/pages/p/incidents", &[], b"{}");
        log.ended(second, Some(201));
        log.ended(first, None);
        assert_eq!(
            *lines.lock().unwrap(),
            [
                "1970-01-01T00:00:00.000Z  201  POST /v1/pages/p/incidents",
                "1970-01-01T00:00:00.000Z  ---  GET /v1/pages/p/incidents?q=a%0Ab+%26c",
            ]
        );
    }
}
