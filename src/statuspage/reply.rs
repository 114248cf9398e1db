//! What a reply that says success must hold to be believed.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::redaction::Credentials;
use super::{Error, RequestIds, error_body};

/// A reply that says success, with no credential of its request left in it.
pub(super) struct Reply {
    pub(super) operation: &'static str,
    pub(super) effectful: bool,
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) request_ids: RequestIds,
    pub(super) credentials: Arc<Credentials>,
}

impl Reply {
    /// What it holds.
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| self.refused(&error.to_string()))
    }

    /// It is not what the API promises.
    pub(super) fn refused(&self, reason: &str) -> Error {
        let body = String::from_utf8_lossy(&self.body);
        Error::Undecodable {
            operation: self.operation,
            effectful: self.effectful,
            status: self.status,
            // Cleaned once more: quoting could put together what was apart.
            reason: error_body::kept(&self.credentials.text(reason)),
            body: error_body::kept(&self.credentials.text(&body)),
            request_ids: Box::new(self.request_ids.clone()),
        }
    }
}
