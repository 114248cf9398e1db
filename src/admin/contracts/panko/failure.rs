//! Failures in the words of this contract, and the name that it gives to a request.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::ALLOW;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::format::Format;
use crate::admin::contracts::insights::REQUEST_ID;
use crate::admin::problem::Problem;

/// The methods of every resource, for 405 and OPTIONS.
pub(super) const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");

/// An error of `/v2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsError {
    /// The error.
    pub error_message: EventsFault,
}

/// What is inside an error of `/v2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsFault {
    /// `Client`, or `Server` from 500 on.
    pub faultcode: String,
    /// What is wrong.
    pub faultstring: String,
    /// Always null.
    pub debuginfo: Option<String>,
}

pub(in crate::admin::contracts) fn failure(problem: &Problem, method: &Method, format: Format) -> Response<Body> {
    let status = problem.status();
    let code = if status.is_server_error() { "Server" } else { "Client" };
    let error_message = EventsFault {
        faultcode: code.to_owned(),
        faultstring: match problem {
            Problem::NotFound => "The resource could not be found.".to_owned(),
            other => other.sentence(method),
        },
        debuginfo: None,
    };
    let mut answer = format.response(&json!(EventsError { error_message }));
    *answer.status_mut() = status;
    if let Problem::Worded(StatusCode::METHOD_NOT_ALLOWED, _) = problem {
        answer.headers_mut().insert(ALLOW, METHODS);
    }
    answer
}

/// The header that names a request, for clients of this contract.
pub(in crate::admin::contracts) fn request_id(request: &Request) -> Option<(HeaderName, HeaderValue)> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let id = HeaderValue::try_from(format!("req-{id}")).ok()?;
    let is_named = request.method() != Method::OPTIONS;
    is_named.then_some((HeaderName::from_static("x-openstack-request-id"), id))
}
