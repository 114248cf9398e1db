//! The record of sent requests in the cluster, beside the Lease of the leader: what the next leader starts from.
//!
//! It is an object of its own, another Lease, so that its writes never get into the way of the election; and it needs no
//! permission that the election does not need. It holds fingerprints of tokens, numbers and times.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::connection::Clients;
use super::leader::{LeaderOptions, Leadership};
use crate::api::GROUP;
use crate::statuspage::{BaseUrl, Book, Ledger, LedgerError, LedgerKey, Revision, Token, Usage};

/// How often a write is begun anew because somebody else was faster.
const ATTEMPTS: usize = 5;
/// A record that counts nothing any more since so long is dropped.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A ledger in the annotations of an object in the cluster.
pub(super) struct ClusterLedger {
    leases: Api<Lease>,
    name: String,
    leadership: Arc<Leadership>,
    /// Held by who writes.
    turn: Mutex<()>,
}

impl std::fmt::Debug for ClusterLedger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ClusterLedger")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl ClusterLedger {
    /// The ledger beside a Lease.
    pub fn new(clients: &Clients, options: &LeaderOptions, leadership: Arc<Leadership>) -> Self {
        let namespace = options.namespace.as_deref().unwrap_or(&clients.namespace);
        ClusterLedger {
            leases: Api::namespaced(clients.lease.clone(), namespace),
            name: format!("{}-requests", options.name),
            leadership,
            turn: Mutex::new(()),
        }
    }

    async fn write(&self, key: &LedgerKey, mut revision: Revision) -> Result<(), LedgerError> {
        // Whoever waited here and was given up has written nothing. A write that was given up half-way names a version, so
        // that it cannot come after its successor.
        let _turn = self.turn.lock().await;
        let mut revised = |annotations: &BTreeMap<String, String>| {
            let known = annotations.get(&annotation(key));
            let mut book: Book = known
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default();
            revision(&mut book);
            serde_json::to_string(&book).map_err(|error| LedgerError::Unavailable(error.to_string()))
        };
        for _ in 0..ATTEMPTS {
            let known = self.leases.get_opt(&self.name).await.map_err(unavailable)?;
            // The record belongs to the leader.
            if !self.leadership.leads() {
                return Err(LedgerError::Unavailable("this process is not the leader".to_owned()));
            }
            let result = match known {
                Some(mut lease) => {
                    let annotations = lease.annotations_mut();
                    drop_old(annotations, Timestamp::now());
                    let text = revised(annotations)?;
                    annotations.insert(annotation(key), text);
                    self.leases.replace(&self.name, &PostParams::default(), &lease).await
                }
                None => {
                    let mut lease = Lease::default();
                    lease.metadata.name = Some(self.name.clone());
                    let text = revised(&BTreeMap::new())?;
                    lease.annotations_mut().insert(annotation(key), text);
                    self.leases.create(&PostParams::default(), &lease).await
                }
            };
            match result {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(LedgerError::Unavailable("others keep writing it".to_owned()))
    }
}

impl Ledger for ClusterLedger {
    fn load<'a>(&'a self, key: &'a LedgerKey) -> BoxFuture<'a, Result<Option<Book>, LedgerError>> {
        Box::pin(async move {
            let lease = self.leases.get_opt(&self.name).await.map_err(unavailable)?;
            let annotations = lease.and_then(|lease| lease.metadata.annotations).unwrap_or_default();
            let Some(text) = annotations.get(&annotation(key)) else {
                return Ok(None);
            };
            let book = serde_json::from_str(text)
                .map_err(|error| LedgerError::Unreadable(format!("Lease {}: {error}", self.name)))?;
            Ok(Some(book))
        })
    }

    fn revise<'a>(&'a self, key: &'a LedgerKey, revision: Revision) -> BoxFuture<'a, Result<(), LedgerError>> {
        Box::pin(self.write(key, revision))
    }
}

/// What the record in this Lease says of a token at a service; none if it says nothing.
pub(crate) fn requests_recorded(lease: &Lease, token: &Token, address: &BaseUrl) -> Option<Book> {
    let key = LedgerKey {
        token: token.fingerprint(),
        address: address.to_string(),
    };
    serde_json::from_str(lease.annotations().get(&annotation(&key))?).ok()
}

fn unavailable(error: kube::Error) -> LedgerError {
    LedgerError::Unavailable(error.to_string())
}

/// The annotation of a token at a service.
fn annotation(key: &LedgerKey) -> String {
    let digest = Sha256::digest(key.address.as_bytes());
    let address: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{GROUP}/{PREFIX}{}-{address}", key.token)
}

const PREFIX: &str = "requests-";

/// Drops the records of tokens that nobody uses any more: annotations have an end.
fn drop_old(annotations: &mut BTreeMap<String, String>, now: Timestamp) {
    let ours = format!("{GROUP}/{PREFIX}");
    annotations.retain(|name, text| {
        let counts = |usage: &Usage| {
            let ended = usage.ended.iter().map(|spent| spent.at);
            let latest = ended.chain(usage.open_until).chain(usage.paused_until).max();
            latest.is_some_and(|latest| now.duration_since(latest) < KEPT_FOR)
        };
        // What cannot be read is left to whoever reads it.
        !name.starts_with(&ours)
            || serde_json::from_str(text).map_or(true, |book: Book| book.processes.values().any(counts))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statuspage::Spent;

    #[test]
    fn only_records_that_count_nothing_any_more_are_dropped() {
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let ended = |ago: i64| {
            let at = now - SignedDuration::from_mins(ago);
            let usage = Usage {
                ended: vec![Spent { at, requests: 3 }],
                ..Usage::default()
            };
            let processes = [("process".to_owned(), usage)].into();
            serde_json::to_string(&Book { processes }).unwrap()
        };
        let name = |token: &str| {
            annotation(&LedgerKey {
                token: token.to_owned(),
                address: "https://api.statuspage.io/v1".to_owned(),
            })
        };
        let mut annotations = BTreeMap::from([
            (name("old"), ended(90)),
            (name("new"), ended(1)),
            (name("odd"), "nonsense".to_owned()),
            ("example.com/other".to_owned(), "{}".to_owned()),
        ]);
        drop_old(&mut annotations, now);
        let left: Vec<&str> = annotations.keys().map(String::as_str).collect();
        assert_eq!(left, ["example.com/other", &name("new"), &name("odd")]);
    }
}
