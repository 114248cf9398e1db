//! An answer before it has what every answer has.

use axum::body::Bytes;
use axum::http::{HeaderName, header};
use sha2::{Digest as _, Sha256};

use super::errors::{ApiError, ErrorShape};
use super::public;
use super::request::Answer;

/// Status, JSON and the headers that belong to this answer alone.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) status: u16,
    pub(super) json: Bytes,
    pub(super) headers: Vec<(HeaderName, String)>,
}

impl Draft {
    pub(super) fn refusal(error: &ApiError, shape: ErrorShape) -> Self {
        let seconds = error
            .retry_after
            .map(|seconds| (header::RETRY_AFTER, seconds.to_string()));
        let allow = error.allow.clone().map(|methods| (header::ALLOW, methods));
        Self {
            status: error.status,
            json: error.body(shape).to_string().into(),
            headers: seconds.into_iter().chain(allow).collect(),
        }
    }

    pub(super) fn of(answer: Answer, shape: ErrorShape) -> Self {
        match answer {
            Ok(reply) => Self {
                status: reply.status,
                json: reply.body.map(|body| body.to_string().into()).unwrap_or_default(),
                headers: Vec::new(),
            },
            Err(error) => Self::refusal(&error, shape),
        }
    }

    /// The answer to somebody who may have it already, under the tags of `If-None-Match`.
    pub(super) fn tagged(mut self, known: Option<&str>) -> Self {
        if self.status != 200 {
            return self;
        }
        let digest = Sha256::digest(&self.json);
        let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let tag = format!("W/\"{tag}\"");
        let is_known = |known: &str| {
            known
                .split(',')
                .map(str::trim)
                .any(|one| one == "*" || one == tag || format!("W/{one}") == tag)
        };
        if known.is_some_and(is_known) {
            self.status = 304;
            self.json = Bytes::new();
        }
        self.headers.push((header::ETAG, tag));
        self
    }

    /// The answer to a browser that asks what the page of somebody else may do here.
    pub(super) fn preflight(wanted: Option<&str>) -> Self {
        Self {
            status: 204,
            json: Bytes::new(),
            headers: vec![
                (header::ALLOW, public::METHODS.to_owned()),
                (header::ACCESS_CONTROL_ALLOW_METHODS, public::METHODS.to_owned()),
                (
                    header::ACCESS_CONTROL_ALLOW_HEADERS,
                    wanted.unwrap_or("Content-Type").to_owned(),
                ),
                (header::ACCESS_CONTROL_MAX_AGE, "86400".to_owned()),
            ],
        }
    }
}
